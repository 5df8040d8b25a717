"""What the desk asks the town: whose a place is, and how to describe it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from pipeline.errors import UnknownGridError

if TYPE_CHECKING:
    from pipeline.town.duties import Duties
    from pipeline.town.grids import GridMap
    from pipeline.town.holidays import Holidays
    from pipeline.town.place import Place


class DeskTown(Protocol):
    """The part of a town that filing needs: whose ground it is, and what is owed."""

    @property
    def grids(self) -> GridMap: ...

    @property
    def duties(self) -> Duties: ...

    @property
    def holidays(self) -> Holidays: ...


EMERGENCY_QUEUE = "emergency"
"""Where a grid's code stands in a queue's name: the queue of the emergency office."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A place as the town knows it."""

    grid_code: str
    grid_name: str
    near_grids: tuple[str, ...]
    micro_code: str | None
    address: str


def ground_of(town: DeskTown, place: Place) -> Ground:
    """The owner, the other grids within the error radius, the micro-grid and the address."""
    owner, *near = town.grids.near(place)
    micro = town.grids.micro(place)
    return Ground(
        grid_code=owner.code,
        grid_name=owner.name,
        near_grids=tuple(grid.code for grid in near),
        micro_code=None if micro is None else micro.code,
        address=town.grids.address(place),
    )


def owned_by(town: DeskTown, code: str, place: Place) -> Ground:
    """The place as the town knows it, but for the owner. Raises UnknownGridError."""
    name = town.grids.get(code).name
    return replace(ground_of(town, place), grid_code=code, grid_name=name)


def around(town: DeskTown, place: Place) -> list[str]:
    """Codes of the grids within the place's error radius; its owner comes first."""
    return [grid.code for grid in town.grids.near(place)]


def check_code(town: DeskTown, code: str) -> None:
    """Raises UnknownGridError for a code without a queue."""
    if code == EMERGENCY_QUEUE:
        return
    if town.grids.get(code).kind == "micro":
        raise UnknownGridError(f"{code} is a micro-grid: part of an address, without a queue")
