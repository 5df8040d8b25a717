"""Steps that people take with a ticket: accept, feed back, suspend, resume, open again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipeline.errors import DeskError
from pipeline.hazards import family_of
from pipeline.tickets.alarms import times_of
from pipeline.tickets.closing import checks
from pipeline.tickets.codec import dump, number
from pipeline.tickets.limits import due_after_pause, due_at
from pipeline.tickets.orders import Order, raise_refusal
from pipeline.tickets.wire import at_json

if TYPE_CHECKING:
    from pipeline.clock import Clock
    from pipeline.tickets.ground import DeskTown
    from pipeline.tickets.reading import Reader
    from pipeline.tickets.scripts import Scripts
    from pipeline.tickets.ticket import Ticket
    from pipeline.tickets.transitions import Action

# These say more than that they happen: the desk has a method for each, or takes them by itself.
_NOT_HERE: frozenset[Action] = frozenset({"file", "verify", "merge", "take_in", "split", "reroute"})


class Mover:
    """Its methods are the desk's of the same names."""

    def __init__(self, scripts: Scripts, reader: Reader, town: DeskTown, clock: Clock) -> None:
        self._scripts = scripts
        self._reader = reader
        self._town = town
        self._clock = clock

    def move(self, ticket_id: str, action: Action, order: Order) -> Ticket:
        if action in _NOT_HERE:
            raise DeskError(f"{action} needs more than a ticket; it is a command of its own")
        if action == "reject" and not order.note.strip():
            raise DeskError("reject needs a reason; found none")
        while (answer := self._try_move(ticket_id, action, order))[0] == "changed":
            pass  # its clock was changed meanwhile: work it out anew
        self._refuse(answer, action)
        return self._reader.ticket(ticket_id)

    def verify(self, ticket_id: str, order: Order, *, good: bool) -> Ticket:
        now = self._clock.now()
        action: Action = "verify" if good else "rework"
        call = checks(now) | order.call(ticket_id, action, self._town, now) | {"good": good}
        answer = self._scripts.run("verify", f"verifying {ticket_id}", call)
        if answer[0] == "refused":
            raise DeskError(f"{ticket_id} is {answer[2]}; only what was fed back can be verified")
        self._refuse(answer, action)
        return self._reader.ticket(ticket_id)

    def _refuse(self, answer: list[str], action: Action) -> None:
        """As ``raise_refusal`` does, and of a ticket in the archive."""
        if answer[0] == "unknown":
            self._reader.refuse_gone(answer[1])
        raise_refusal(answer, action)

    def _try_move(self, ticket_id: str, action: Action, order: Order) -> list[str]:
        now = self._clock.now()
        call = checks(now) | order.call(ticket_id, action, self._town, now)
        if action in ("resume", "reopen"):
            ticket = self._reader.ticket(ticket_id)
            clocks = _resumed if action == "resume" else _reopened
            call |= clocks(ticket, self._town, now)
            call["seen"] = {ticket_id: str(ticket.version)}
        answer: list[str] = self._scripts.run("move", f"moving {ticket_id}", call)
        return answer


def _resumed(ticket: Ticket, town: DeskTown, now: float) -> dict[str, object]:
    """What the clock for handling is set to after a suspension."""
    if ticket.suspended_at is None:
        return {}
    paused = ticket.suspended_at
    moved = partial(
        due_after_pause,
        paused=paused,
        resumed=now,
        holidays=town.holidays,
        working=town.duties.of(ticket.hazard, ticket.kind).handle_limit.working,
    )
    due = moved(ticket.handle_due_at)
    alarms = {"handle_80": moved(ticket.remind_at), "handle_100": due}
    return {
        "resumed": {
            "handle_due_at": number(due),
            "message": dump(at_json(due)),
            # What rang before it was suspended doesn't ring again.
            "alarms": {name: number(time) for name, time in alarms.items() if time > paused},
        }
    }


def _reopened(ticket: Ticket, town: DeskTown, now: float) -> dict[str, object]:
    """New clocks for a ticket that a person opens again."""
    duty = town.duties.of(ticket.hazard, ticket.kind)
    starts = {
        "filed_at": now,
        "accept_due_at": due_at(now, duty.accept_limit, town.holidays),
        "handle_due_at": due_at(now, duty.handle_limit, town.holidays),
    }
    return {
        "reopened": {
            "family": family_of(ticket.hazard),
            "ticket": {name: number(time) for name, time in starts.items()},
            "message": {name: dump(at_json(time)) for name, time in starts.items()},
            "alarms": {
                name: number(time) for name, time in times_of(now, duty, town.holidays).items()
            },
        }
    }
