"""When something is due: from a duty's limit, and after its clock has stood still.

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
    return _after(start, limit.amount * _UNIT_S[limit.unit], holidays)


def _after(start: float, left_s: float, holidays: Holidays) -> float:
    """When so much working time has passed."""
    local = start + _CHINA_S
    day = math.floor(local / _DAY_S)
    while True:
        for begin, end in _shifts(day, holidays):
            from_s = max(local, begin)
            if from_s < end and left_s <= end - from_s:
                return from_s + left_s - _CHINA_S
            left_s -= max(0.0, end - from_s)
        day += 1


def due_after_pause(
    due: float, paused: float, resumed: float, holidays: Holidays, *, working: bool
) -> float:
    """When something is due whose clock stood from ``paused`` to ``resumed``; all Unix seconds.

    As much time is left as there was, of working time if only that counts. What was overdue stays
    so.
    """
    if due <= paused:
        return due
    if not working:
        return due + max(0.0, resumed - paused)
    return _after(resumed, worked_s(paused, due, holidays), holidays)


def worked_s(start: float, end: float, holidays: Holidays) -> float:
    """Seconds of working time between two moments (Unix seconds)."""
    local, until = start + _CHINA_S, end + _CHINA_S
    return sum(
        max(0.0, min(until, to_s) - max(local, from_s))
        for day in range(math.floor(local / _DAY_S), math.floor(until / _DAY_S) + 1)
        for from_s, to_s in _shifts(day, holidays)
    )


def _shifts(day: int, holidays: Holidays) -> list[tuple[float, float]]:
    """Working shifts of a day counted from 1970-01-01, in local seconds."""
    if not holidays.worked(date.fromordinal(_EPOCH + day)):
        return []
    return [(day * _DAY_S + begin, day * _DAY_S + end) for begin, end in _SHIFTS_S]
