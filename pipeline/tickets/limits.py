"""When something is due. The one function that turns a duty's limit into a point in time.

Working time is 08:30-12:00 and 14:00-18:00 in China, 7.5 hours on each day that is worked.
"""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.town.duties import Limit
    from pipeline.town.holidays import Holidays

_CHINA_S = 8 * 3600.0  # UTC+8 all year round, so days can be counted by arithmetic
_DAY_S = 86400.0
_SHIFTS_S = ((8.5 * 3600, 12 * 3600), (14 * 3600, 18 * 3600))
_WORKING_DAY_S = sum(end - start for start, end in _SHIFTS_S)
_UNIT_S = {"wh": 3600.0, "wd": _WORKING_DAY_S}
_EPOCH = date(1970, 1, 1).toordinal()


def due_at(start: float, limit: Limit, holidays: Holidays) -> float:
    """Unix seconds at which ``limit``, running from ``start`` (Unix seconds), is used up."""
    if limit.wall_s is not None:
        return start + limit.wall_s
    left_s = limit.amount * _UNIT_S[limit.unit]
    local = start + _CHINA_S
    day = math.floor(local / _DAY_S)
    while True:
        for begin, end in _shifts(day, holidays):
            from_s = max(local, begin)
            if from_s < end and left_s <= end - from_s:
                return from_s + left_s - _CHINA_S
            left_s -= max(0.0, end - from_s)
        day += 1


def _shifts(day: int, holidays: Holidays) -> list[tuple[float, float]]:
    """Working shifts of a day counted from 1970-01-01, in local seconds."""
    if not holidays.worked(date.fromordinal(_EPOCH + day)):
        return []
    return [(day * _DAY_S + begin, day * _DAY_S + end) for begin, end in _SHIFTS_S]
