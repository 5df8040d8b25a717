"""Who is told of an event: by role, by the grid and its level, by severity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import UnknownGridError
from pipeline.tickets.event_wire import Event, TicketEvent

if TYPE_CHECKING:
    from pipeline.settings_notify import EventName, RecipientSettings, Role
    from pipeline.town.grids import GridMap

EVENTS_OF: dict[Role, frozenset[EventName]] = {
    "member": frozenset({"queued", "remind", "rework", "reopened", "regraded"}),
    "head": frozenset(
        {
            "queued",
            "remind",
            "overdue",
            "escalated",
            "returned",
            "rework",
            "reopened",
            "regraded",
            "fed_back",
            "closed",
            "rejected",
        }
    ),
    "command": frozenset({"emergency", "overdue", "escalated", "returned", "reopened"}),
    "emergency": frozenset({"emergency"}),
    "operator": frozenset({"camera_fault", "camera_well", "backlog", "backlog_gone"}),
}
_SEVERITIES = ("notice", "warning", "emergency")


def concerns(recipient: RecipientSettings, event: Event, grids: GridMap) -> bool:
    """Whether this recipient is told of it.

    A grid is meant by its own code alone, not by its parent's: who is named for a level-1 grid is
    told of what stands in its queue, not of all below it.
    """
    if recipient.way in ("cap", "cap_file"):
        return isinstance(event, TicketEvent) and event.alert is not None
    wanted = EVENTS_OF[recipient.role] if recipient.events is None else recipient.events
    if event.event not in wanted:
        return False
    if not isinstance(event, TicketEvent):
        return True
    if _SEVERITIES.index(event.ticket.severity) < _SEVERITIES.index(recipient.least):
        return False
    if recipient.grids and event.grid not in recipient.grids:
        return False
    return not recipient.levels or _level(event.grid, grids) in recipient.levels


def _level(code: str, grids: GridMap) -> int | None:
    try:
        return grids.get(code).level
    except UnknownGridError:  # the map has changed since
        return None
