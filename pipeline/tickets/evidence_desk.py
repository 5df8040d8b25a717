"""What the desk knows of evidence: to which ticket it belongs, and who has put it on hold."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import UnknownTicketError
from pipeline.tickets.codec import dump
from pipeline.tickets.redis_errors import mapped
from pipeline.tickets.transitions import LEVEL_OF

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis

    from pipeline.clock import Clock
    from pipeline.tickets.keys import Keys
    from pipeline.tickets.scripts import Scripts
    from pipeline.tickets.ticket import EvidenceRef

_PAGE = 500  # owners looked up in one exchange
_FACTS = ("state", "hazard", "duty", "closed_at", "merged_into")


@dataclass(frozen=True, slots=True)
class Standing:
    """How the ticket of a finding stands. ``closed_at``: Unix seconds; None while it is open."""

    ticket_id: str
    hazard: str
    kind: str | None
    open: bool
    closed_at: float | None


@dataclass(frozen=True, slots=True)
class Hold:
    """Who keeps a ticket's evidence from being deleted, since when (Unix seconds) and why."""

    by: str
    at: float
    note: str


class EvidenceDesk:
    """Raises DeskUnavailableError when Redis is away, read-only or out of memory."""

    def __init__(self, scripts: Scripts, redis: Redis, keys: Keys, clock: Clock) -> None:
        self._scripts = scripts
        self._redis: Any = redis  # redis-py types every answer as one that may be awaited
        self._keys = keys
        self._clock = clock

    def attach(self, incident_id: str, evidence: EvidenceRef) -> str:
        """Add the parts that came after the filing; returns the ticket's number.

        Raises UnknownTicketError if the incident was never filed. One that was filed without
        pictures gets none: whoever reads a ticket relies on these.
        """
        call = attach_call(incident_id, evidence)
        (ticket_id,) = self._scripts.intake("attaching evidence", [call])
        if ticket_id is None:
            raise UnknownTicketError(f"incident {incident_id} was never filed")
        return str(ticket_id)

    def hold(self, ticket_id: str, *, by: str, note: str = "") -> bool:
        """Nobody deletes the evidence of this ticket from now on; False: it was held already.

        Whether there is such a ticket is the caller's business: it may be in the archive.
        """
        held = asdict(Hold(by, self._clock.now(), note))
        return self._change(ticket_id, "hold_evidence", by, note, {"held": dump(held)})

    def release(self, ticket_id: str, *, by: str, note: str = "") -> bool:
        """It may be deleted when its time is over; False: it was not held."""
        return self._change(ticket_id, "release_evidence", by, note, {})

    def holds(self) -> dict[str, Hold]:
        """By ticket."""
        with mapped("reading what is held"):
            found = self._redis.hgetall(self._keys.evidence_held)
        return {ticket_id: Hold(**json.loads(text)) for ticket_id, text in found.items()}

    def standings(self, owners: Sequence[str]) -> dict[str, Standing]:
        """How the tickets of these incidents and reports, and these tickets themselves, stand.

        Of a ticket that was merged: the one that carries on, for the case isn't over with it.
        Those that Redis doesn't know are left out.
        """
        found: dict[str, Standing] = {}
        for start in range(0, len(owners), _PAGE):
            found |= self._page(owners[start : start + _PAGE])
        return found

    def _page(self, owners: Sequence[str]) -> dict[str, Standing]:
        with mapped("looking owners of evidence up"):
            found = self._redis.hmget(self._keys.incidents, owners)
            # What is no finding of a ticket may be a ticket: feedback and checks have pictures too.
            numbers = [number or owner for number, owner in zip(found, owners, strict=True)]
            known = self._known(set(numbers))
        ends = {number: _end(number, known) for number in numbers}
        return {
            owner: _standing(ends[number], *known[ends[number]][:-1])
            for owner, number in zip(owners, numbers, strict=True)
            if number in known
        }

    def _known(self, numbers: set[str]) -> dict[str, list[Any]]:
        """Facts of these tickets, and of all into which they were merged; the last leads on."""
        known: dict[str, list[Any]] = {}
        while numbers:
            asked = sorted(numbers)
            pipe = self._redis.pipeline(transaction=False)
            for number in asked:
                pipe.hmget(self._keys.ticket(number), *_FACTS)
            answers = dict(zip(asked, pipe.execute(), strict=True))
            known |= {number: facts for number, facts in answers.items() if facts[0]}
            numbers = {facts[-1] for facts in answers.values() if facts[-1]} - known.keys()
        return known

    def _change(
        self, ticket_id: str, action: str, by: str, note: str, more: dict[str, str]
    ) -> bool:
        step = dump({"at": self._clock.now(), "by": by, "note": note, "facts": {}})
        call = {"ticket_id": ticket_id, "action": action, "step": step, **more}
        return bool(self._scripts.run("hold", f"changing {ticket_id}", call))


def _end(number: str, known: dict[str, list[Any]]) -> str:
    """The ticket that carries on, as far as Redis still knows the way there."""
    while number in known and known[number][-1] in known:
        number = known[number][-1]
    return number


def attach_call(incident_id: str, evidence: EvidenceRef) -> dict[str, object]:
    """What the script ``attach`` is told."""
    parts = {name: path for name, path in asdict(evidence).items() if path is not None}
    return {"act": "attach", "incident_id": incident_id, "parts": parts}


def _standing(
    ticket_id: str, state: Any, hazard: str, duty: str, closed_at: str | None
) -> Standing:
    is_open = LEVEL_OF.get(state) != "done"
    closed = None if is_open or closed_at is None else float(closed_at)
    return Standing(ticket_id, hazard, json.loads(duty)["kind"], is_open, closed)
