"""When a ticket's clocks ring: at four fifths of a limit, and when it is used up.

At four fifths whoever holds the ticket is reminded (催办). When a limit is used up that is noted,
and the ticket goes up to the first level, from wherever the table lets it. Each rings once,
whichever box looks first: Redis keeps them, and one script takes out what has come due.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from pipeline.tickets.limits import due_at

if TYPE_CHECKING:
    from pipeline.town.duties import Duty, Limit
    from pipeline.town.holidays import Holidays

AlarmName = Literal["accept_80", "accept_100", "handle_80", "handle_100"]
ALARMS: tuple[AlarmName, ...] = get_args(AlarmName)
REMIND_AT = 0.8
"""Share of a limit."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One that rang. ``escalated``: the ticket went up to the first level for it."""

    ticket_id: str
    name: AlarmName
    escalated: bool


def times_of(start: float, duty: Duty, holidays: Holidays) -> dict[AlarmName, float]:
    """Unix seconds at which they ring for a ticket that is filed at ``start``."""

    def ring(limit: Limit, share: float) -> float:
        return due_at(start, type(limit)(limit.amount * share, limit.unit), holidays)

    return {
        "accept_80": ring(duty.accept_limit, REMIND_AT),
        "accept_100": ring(duty.accept_limit, 1.0),
        "handle_80": ring(duty.handle_limit, REMIND_AT),
        "handle_100": ring(duty.handle_limit, 1.0),
    }
