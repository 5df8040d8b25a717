"""What a user may do with a ticket after the step that they take now: for pages without a line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.console.rules import steps_of
from pipeline.tickets.transitions import TRANSITIONS

if TYPE_CHECKING:
    from pipeline.console.accounts import User
    from pipeline.tickets import Ticket
    from pipeline.tickets.transitions import Action, State
    from pipeline.town import GridMap

Ahead = dict["State", dict["Action", "State"]]
"""State -> step that the user may take there -> state after it."""


def ahead_of(user: User, ticket: Ticket, grids: GridMap) -> Ahead:
    """From where the ticket stands now, as far as this user can bring it alone."""
    found: Ahead = {}
    to_come: list[State] = [ticket.state]
    while to_come:
        state = to_come.pop()
        if state not in found:
            steps = steps_of(user, replace(ticket, state=state), grids)
            found[state] = {step: TRANSITIONS[state, step] for step in steps}
            to_come += found[state].values()
    return found


def later_steps(ahead: Ahead, now: State) -> list[Action]:
    """Steps that may come, but not now; each once, in the order in which they are offered."""
    offered = dict.fromkeys(step for steps in ahead.values() for step in steps)
    return [step for step in offered if step not in ahead[now]]
