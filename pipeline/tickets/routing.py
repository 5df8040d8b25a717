"""Another grid becomes a ticket's owner: a person says so, or a new version of the grid map.

The map's version is kept with each ticket. Versions stand in Redis in the order in which they came
into force. A box with a map that nobody has used yet puts it in force; a box that is started with
one that has been replaced since changes nothing, so that boxes with different files don't hand
tickets back and forth.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.tickets.codec import dump
from pipeline.tickets.ground import Ground, around, check_code, owned_by
from pipeline.tickets.orders import raise_refusal, table_of
from pipeline.tickets.wire import GridPart

if TYPE_CHECKING:
    from pipeline.clock import Clock
    from pipeline.tickets.ground import DeskTown
    from pipeline.tickets.orders import Order
    from pipeline.tickets.reading import Reader
    from pipeline.tickets.scripts import Scripts
    from pipeline.tickets.ticket import Facts, Ticket

_AT_ONCE = 1000
"""Tickets looked at in one round: a second or two."""


@dataclass(frozen=True, slots=True)
class MapRound:
    """What became of open tickets of other versions of the grid map.

    ``rerouted``: numbers of those that have another owner now. ``left``: how many have not been
    looked at yet. ``superseded_by``: the version in force, where it isn't this desk's; then nothing
    was done.
    """

    rerouted: tuple[str, ...]
    left: int
    superseded_by: str | None


class Router:
    """Its methods are the desk's of the same names."""

    def __init__(self, scripts: Scripts, reader: Reader, town: DeskTown, clock: Clock) -> None:
        self._scripts = scripts
        self._reader = reader
        self._town = town
        self._clock = clock

    def reroute(self, ticket_id: str, grid: str, order: Order) -> Ticket:
        check_code(self._town, grid)
        while (answer := self._try_reroute(ticket_id, grid, order))[0] == "changed":
            pass
        raise_refusal(answer, "reroute")
        return self._reader.ticket(ticket_id)

    def _try_reroute(self, ticket_id: str, grid: str, order: Order) -> list[Any]:
        now = self._clock.now()
        call = order.call(ticket_id, "reroute", self._town, now)
        facts = self._reader.facts(ticket_id)
        call |= self._owned_by(grid, facts) | {
            "seen": {ticket_id: str(facts.version)},
            "step": order.step(now, {"from": facts.grid_code, "to": grid}),
        }
        answer: list[Any] = self._scripts.run("reroute", f"re-routing {ticket_id}", call)
        return answer

    def follow_map(self, *, put_in_force: bool) -> MapRound:
        version = self._town.grids.version
        call = {"map": version, "force": put_in_force or None}
        in_force, first = self._scripts.run("map", "telling the grid map's version", call)
        if in_force != version:
            return MapRound((), 0, in_force)
        if first:
            self._reader.adopt_unknown_maps()
        names = self._reader.of_other_maps(version, most=_AT_ONCE)
        rerouted = tuple(name for name in names if self._follow(name, version))
        left = len(self._reader.of_other_maps(version, most=_AT_ONCE)) if names else 0
        return MapRound(rerouted, left, None)

    def _follow(self, ticket_id: str, version: str) -> bool:
        """Look at one ticket by the new map; whether it has another owner now.

        One that changes meanwhile is looked at in the next round.
        """
        now = self._clock.now()
        facts = self._reader.facts(ticket_id)
        grids = self._town.grids
        owner = (grids.owner(facts.place) if facts.placed else grids.top).code
        if facts.by_hand and facts.grid_code in grids:
            owner = facts.grid_code  # a person knew better
        told = {
            "from": facts.grid_code,
            "to": owner,
            "from_map": facts.map_version or "unknown",
            "to_map": version,
        }
        call = {
            **table_of("reroute", self._town, now),
            **self._owned_by(owner, facts),
            "ticket_id": ticket_id,
            "map": version,
            "seen": {ticket_id: str(facts.version)},
            "step": dump({"at": now, "by": "desk", "note": "", "facts": told}),
        }
        outcome = self._scripts.run("reroute", f"re-routing {ticket_id}", call)[0]
        return bool(outcome == "done")

    def _owned_by(self, code: str, facts: Facts) -> dict[str, Any]:
        """The place as the town knows it, but for the owner."""
        name = self._town.grids.get(code).name
        near: list[str] = []
        if facts.placed:
            ground = owned_by(self._town, code, facts.place)
            near = around(self._town, facts.place)
        else:
            ground = Ground(code, name, near_grids=(), micro_code=None, address=facts.address)
        return {
            "grid": code,
            "ground": dump(asdict(ground)),
            "message": {
                "grid": GridPart(code=code, name=name).model_dump_json(),
                "micro_grid": dump(ground.micro_code),
                "address": dump(ground.address),
            },
            "around": near,
        }
