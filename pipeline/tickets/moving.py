"""Steps that people take with a ticket: accept, handle, suspend, resume and the like."""

from __future__ import annotations

import uuid
from functools import partial
from typing import TYPE_CHECKING

from pipeline.errors import UnknownTicketError
from pipeline.tickets.closing import check_verified, checks, verify_call
from pipeline.tickets.codec import dump, number
from pipeline.tickets.limits import due_after_pause
from pipeline.tickets.transitions import DONE, Action, after, next_state
from pipeline.tickets.wire import at_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.clock import Clock
    from pipeline.tickets.ground import DeskTown
    from pipeline.tickets.reading import Reader
    from pipeline.tickets.scripts import Scripts
    from pipeline.tickets.ticket import Ticket


class Mover:
    """Its methods are the desk's of the same names."""

    def __init__(self, scripts: Scripts, reader: Reader, town: DeskTown, clock: Clock) -> None:
        self._scripts = scripts
        self._reader = reader
        self._town = town
        self._clock = clock

    def move(
        self,
        ticket_id: str,
        action: Action,
        by: str,
        note: str,
        command_id: str,
        facts: Mapping[str, str],
    ) -> Ticket:
        command_id = command_id or uuid.uuid4().hex
        step: dict[str, object] = {"by": by, "note": note, "facts": dict(facts)}
        while (moved := self._try_move(ticket_id, action, step, command_id)) is None:
            pass  # its clock was changed meanwhile: work it out anew
        return moved

    def verify(
        self,
        ticket_id: str,
        *,
        good: bool,
        by: str,
        note: str,
        command_id: str,
        facts: Mapping[str, str],
    ) -> Ticket:
        step = {"by": by, "note": note, "facts": dict(facts)}
        call = verify_call(
            ticket_id, good=good, step=step, command_id=command_id, now=self._clock.now()
        )
        answer = self._scripts.run("verify", f"verifying {ticket_id}", call)
        check_verified(ticket_id, *answer)
        return self._reader.ticket(ticket_id)

    def _try_move(
        self, ticket_id: str, action: Action, step: dict[str, object], command_id: str
    ) -> Ticket | None:
        now = self._clock.now()
        call: dict[str, object] = checks(now) | {
            "ticket_id": ticket_id,
            "command_id": command_id,
            "after": after(action),
            "done": dict.fromkeys(sorted(DONE), True),
            "first_level": self._town.grids.top.code,
            "now": number(now),
            "action": action,
            "step": dump({"at": now, **step}),
        }
        if action == "resume":
            call |= self._resumed(self._reader.ticket(ticket_id), now)
        outcome, state = self._scripts.run("move", f"moving {ticket_id}", call)
        if outcome == "changed":
            return None
        if outcome == "unknown":
            raise UnknownTicketError(f"there is no ticket {ticket_id}")
        if outcome == "refused":
            next_state(state, action)  # says what is allowed instead
        return self._reader.ticket(ticket_id)

    def _resumed(self, ticket: Ticket, now: float) -> dict[str, object]:
        """What the clock for handling is set to after a suspension."""
        if ticket.suspended_at is None:
            return {}
        duty = self._town.duties.of(ticket.hazard, ticket.kind)
        paused = ticket.suspended_at
        moved = partial(
            due_after_pause,
            paused=paused,
            resumed=now,
            holidays=self._town.holidays,
            working=duty.handle_limit.working,
        )
        due = moved(ticket.handle_due_at)
        alarms = {"handle_80": moved(ticket.remind_at), "handle_100": due}
        # What rang before it was suspended doesn't ring again.
        left = {name: number(time) for name, time in alarms.items() if time > paused}
        return {
            "resumed": {
                "suspended_at": number(ticket.suspended_at),
                "was_due_at": number(ticket.handle_due_at),
                "handle_due_at": number(due),
                "message": dump(at_json(due)),
                "alarms": left,
            }
        }
