"""Which tickets a user's list shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.console.cards import by_urgency
from pipeline.tickets.transitions import LEVEL_OF

if TYPE_CHECKING:
    from pipeline.console.accounts import User
    from pipeline.tickets import Desk, Ticket
    from pipeline.town import GridMap

_OF_A_GRID = 500  # newest tickets of one grid among which the open ones are looked for
_OF_A_STATE = 500


def open_tickets(desk: Desk, user: User) -> list[Ticket]:
    """The open tickets of the user's grids, the most urgent first."""
    if user.grids:
        found = [
            ticket
            for code in own_codes(user, desk.town.grids)
            for ticket in desk.tickets(grid=code, limit=_OF_A_GRID)
            if ticket.open
        ]
    else:
        found = [
            ticket
            for state, level in LEVEL_OF.items()
            if level == "open"
            for ticket in desk.tickets(state=state, limit=_OF_A_STATE)
        ]
    return by_urgency({one.ticket_id: one for one in found}.values())


def own_codes(user: User, grids: GridMap) -> list[str]:
    """The codes of the user's grids that have a queue, with all that lie in them."""
    return [grid.code for grid in grids if grid.kind != "micro" and user.owns(grid.code, grids)]
