"""Two tickets of one case become one; what was wrongly merged becomes a ticket of its own."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipeline.errors import DeskError
from pipeline.hazards import family_of
from pipeline.tickets.cases import case_of_all
from pipeline.tickets.codec import dump
from pipeline.tickets.finding import of_incident, of_report
from pipeline.tickets.ground import around, owned_by
from pipeline.tickets.orders import Order, check_number, raise_refusal
from pipeline.tickets.transitions import after

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.clock import Clock
    from pipeline.tickets.finding import Finding
    from pipeline.tickets.ground import DeskTown
    from pipeline.tickets.reading import Reader
    from pipeline.tickets.scripts import Scripts
    from pipeline.tickets.ticket import Ticket
    from pipeline.town.place import Place


class Joiner:
    """Its methods are the desk's of the same names."""

    def __init__(self, scripts: Scripts, reader: Reader, town: DeskTown, clock: Clock) -> None:
        self._scripts = scripts
        self._reader = reader
        self._town = town
        self._clock = clock

    def merge(
        self, ticket_id: str, into: str, order: Order, *, expected_into: int | None
    ) -> Ticket:
        check_number(into)
        if ticket_id == into:
            raise DeskError(f"{ticket_id} can't be merged into itself")
        while (answer := self._try_merge(ticket_id, into, order, expected_into))[0] == "changed":
            pass
        raise_refusal(answer, "merge" if answer[1] == ticket_id else "take_in")
        return self._reader.ticket(into)

    def _try_merge(
        self, ticket_id: str, into: str, order: Order, expected_into: int | None
    ) -> list[Any]:
        now = self._clock.now()
        call = order.call(ticket_id, "merge", self._town, now)
        one, other = (self._reader.facts(name) for name in (ticket_id, into))
        families = family_of(one.hazard), family_of(other.hazard)
        if families[0] != families[1]:
            raise DeskError(
                f"{ticket_id} ({one.hazard}) and {into} ({other.hazard}) can't be one case: "
                f"their hazards are owed by different duties"
            )
        call |= {
            "into": into,
            "expected_into": None if expected_into is None else str(expected_into),
            "takes_in": after("take_in"),
            "family": families[0],
            "around": around(self._town, one.place) if one.placed else [one.grid_code],
            "seen": {ticket_id: str(one.version), into: str(other.version)},
            "step": order.step(now, {"into": into}),
            "step_into": order.step(now, {"from": ticket_id}),
        }
        if one.placed and not other.placed:
            call |= self._found_at(one.place, other.grid_code)
        answer: list[Any] = self._scripts.run("merge", f"merging {ticket_id} into {into}", call)
        return answer

    def _found_at(self, place: Place, owner: str) -> dict[str, Any]:
        """What becomes known of a case without a place, by one that has this place."""
        ground = owned_by(self._town, owner, place)
        return {
            "ground": dump(asdict(ground)),
            "known": {"micro_grid": dump(ground.micro_code), "address": dump(ground.address)},
        }

    def split(self, ticket_id: str, incident_ids: Collection[str], order: Order) -> Ticket:
        while (answer := self._try_split(ticket_id, incident_ids, order))[0] == "changed":
            pass
        raise_refusal(answer, "split")
        return self._reader.ticket(answer[2])

    def _try_split(self, ticket_id: str, incident_ids: Collection[str], order: Order) -> list[Any]:
        now = self._clock.now()
        call = order.call(ticket_id, "split", self._town, now)
        made = self._reader.made_by(ticket_id, order.command_id)
        if made is not None:
            return ["repeated", ticket_id, made]
        ticket = self._reader.ticket(ticket_id)
        findings = [of_incident(one) for one in ticket.incidents]
        findings += [of_report(one, self._town) for one in ticket.reports]
        part = [one for one in findings if one.finding_id in incident_ids]
        rest = [one for one in findings if one.finding_id not in incident_ids]
        _check_parts(ticket_id, incident_ids, part, rest)
        lead, new = case_of_all(part, self._town, now)
        rest_lead, left = case_of_all(rest, self._town, now)
        names = [one.finding_id for one in part]
        call |= new.call(self._town, now) | {
            "incidents": names,
            "facts": dump(",".join(names)),
            "lead": lead.finding_id,
            "sources": _sources(part),
            "rest": {
                "lead": rest_lead.finding_id,
                "sources": _sources(rest),
                "ticket": left.ticket,
                "message": left.message,
                "around": left.around,
                "unplaced": left.unplaced,  # not None: in a script null is true
            },
            "seen": {ticket_id: str(ticket.version)},
            "step": order.step(now, None),
            "step_of_new": order.step(now, {"from": ticket_id, **lead.facts}),
        }
        answer: list[Any] = self._scripts.run("split", f"splitting {ticket_id}", call)
        return answer


def _sources(findings: list[Finding]) -> str:
    """As Redis keeps them: in the order in which they were found, each once."""
    ordered = sorted(findings, key=lambda one: one.found_at)
    return ",".join(dict.fromkeys(one.source for one in ordered))


def _check_parts(
    ticket_id: str, named: Collection[str], part: list[Finding], rest: list[Finding]
) -> None:
    there = {one.finding_id for one in part}
    strange = sorted(set(named) - there)
    if strange:
        raise DeskError(f"{ticket_id} holds no incident or report {', '.join(strange)[:200]}")
    if not part or not rest:
        raise DeskError(
            f"{ticket_id} holds {len(part) + len(rest)} incidents and reports, and {len(part)} "
            "were named; allowed: some of them, but not all"
        )
