"""A ticket's surroundings as a small drawing: error circle, borders, neighbours, own tiles.

Made on the server as SVG, so that a telephone needs neither a library nor a line to show it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import shapely

from pipeline.town.local import LocalFrame, distance_m

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from pipeline.tickets import Ticket
    from pipeline.town import Grid, GridMap, Place

WIDTH, HEIGHT = 400, 300
"""Units of the drawing."""

_LEAST_M = 150.0  # from the middle to the side: the street and its next corner
_MOST_M = 2500.0  # of a place as uncertain as that no drawing says anything
_CIRCLES = 2.5  # the drawing is so many error radii wide to each side
_BARS_M = (1000, 500, 200, 100, 50, 20)
_TILE_PX = 256
_FINEST = 18  # zoom of most tiles that towns have
_MOST_TILES = 24


@dataclass(frozen=True, slots=True)
class Border:
    """A grid's outline within the drawing, as an SVG path; ``own``: the ticket's grid."""

    path: str
    name: str
    own: bool
    at: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another open ticket: where in the drawing, and how far in metres."""

    ticket: Ticket
    number: int
    at: tuple[float, float]
    away_m: float


@dataclass(frozen=True, slots=True)
class Tile:
    url: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What the template draws; lengths in units of the drawing, the ticket in its middle."""

    radius: float
    borders: tuple[Border, ...]
    neighbours: tuple[Neighbour, ...]
    tiles: tuple[Tile, ...]
    bar: float
    bar_m: int


def reach_m(place: Place) -> float | None:
    """Metres from the middle to the farther sides; None where a drawing would say nothing."""
    wanted = max(_LEAST_M, _CIRCLES * place.radius_m)
    return wanted if wanted <= _MOST_M else None


def plan_of(ticket: Ticket, others: Iterable[Ticket], grids: GridMap, tiles: str | None) -> Plan:
    """The drawing around a ticket; ``others`` are those that its reader may see.

    ``tiles``: address of own map tiles with {z}, {x}, {y}. Only for places with a ``reach_m``.
    """
    reach = reach_m(ticket.place)
    assert reach is not None
    view = _View(ticket.place, reach)
    near = [
        (one, view.at(one.place), distance_m(ticket.place, one.place))
        for one in others
        if one.ticket_id != ticket.ticket_id and one.open
    ]
    shown = [one for one in near if 0 <= one[1][0] <= WIDTH and 0 <= one[1][1] <= HEIGHT]
    bar_m = next(one for one in _BARS_M if one * view.scale <= WIDTH / 3)
    return Plan(
        radius=ticket.place.radius_m * view.scale,
        borders=tuple(_borders(view, ticket.grid_code, grids)),
        neighbours=tuple(
            Neighbour(one, number, at, away_m)
            for number, (one, at, away_m) in enumerate(shown, start=1)
        ),
        tiles=tuple(_tiles(view, tiles)) if tiles else (),
        bar=bar_m * view.scale,
        bar_m=bar_m,
    )


class _View:
    """From WGS-84 to the drawing and back."""

    def __init__(self, middle: Place, reach: float) -> None:
        self.scale = WIDTH / (2 * reach)  # units a metre
        self._frame = LocalFrame(middle.lon, middle.lat)

    def at(self, place: Place) -> tuple[float, float]:
        return self.xy(place.lon, place.lat)

    def xy(self, lon: float, lat: float) -> tuple[float, float]:
        east, north = self._frame.xy(lon, lat)
        return WIDTH / 2 + east * self.scale, HEIGHT / 2 - north * self.scale

    def lonlat(self, x: float, y: float) -> tuple[float, float]:
        return self._frame.lonlat((x - WIDTH / 2) / self.scale, (HEIGHT / 2 - y) / self.scale)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        return *self.lonlat(0, HEIGHT), *self.lonlat(WIDTH, 0)


@lru_cache(maxsize=4)
def _outlines(grids: GridMap) -> tuple[list[Grid], NDArray[np.float64]]:
    """Grids with a queue, and their bounding boxes."""
    owners = [grid for grid in grids if grid.kind != "micro" and grid.level > 1]
    return owners, shapely.bounds(np.array([grid.shape for grid in owners], object))


def _borders(view: _View, own: str, grids: GridMap) -> Iterable[Border]:
    owners, boxes = _outlines(grids)
    west, south, east, north = view.bounds
    if not len(owners):
        return
    touched = ((boxes[:, 0] <= east) & (boxes[:, 2] >= west) & (boxes[:, 1] <= north)) & (
        boxes[:, 3] >= south
    )
    window = shapely.box(west, south, east, north)
    for number in np.flatnonzero(touched):
        grid = owners[number]
        part = grid.shape.intersection(window)
        if part.is_empty or part.area == 0:
            continue
        middle = part.representative_point()
        # Room enough for its name?
        large = part.area > window.area / 12
        yield Border(
            path="".join(_path(view, one) for one in shapely.get_parts(part)),
            name=grid.name,
            own=grid.code == own,
            at=view.xy(middle.x, middle.y) if large else None,
        )


def _path(view: _View, part: shapely.Geometry) -> str:
    if not isinstance(part, shapely.Polygon):
        return ""
    rings = (part.exterior, *part.interiors)
    return "".join(
        "M" + "L".join("{:.1f} {:.1f}".format(*view.xy(*at[:2])) for at in ring.coords[:-1]) + "Z"
        for ring in rings
    )


def _tiles(view: _View, template: str) -> Iterable[Tile]:
    west, south, east, north = view.bounds
    for zoom in range(_FINEST, 0, -1):
        left, top = _tile_at(west, north, zoom)
        right, bottom = _tile_at(east, south, zoom)
        columns = range(math.floor(left), math.floor(right) + 1)
        rows = range(math.floor(top), math.floor(bottom) + 1)
        if len(columns) * len(rows) <= _MOST_TILES:
            break
    for column in columns:
        for row in rows:
            x, y = view.xy(*_corner(column, row, zoom))
            to_x, to_y = view.xy(*_corner(column + 1, row + 1, zoom))
            url = template
            for name, value in (("z", zoom), ("x", column), ("y", row)):
                url = url.replace(f"{{{name}}}", str(value))
            yield Tile(url, x, y, to_x - x, to_y - y)


def _tile_at(lon: float, lat: float, zoom: int) -> tuple[float, float]:
    """Column and row in the usual pyramid of tiles (Web Mercator)."""
    count = 2.0**zoom
    return (lon + 180) / 360 * count, (
        1 - math.asinh(math.tan(math.radians(lat))) / math.pi
    ) / 2 * count


def _corner(column: int, row: int, zoom: int) -> tuple[float, float]:
    count = 2.0**zoom
    lat = math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * row / count))))
    return column / count * 360 - 180, lat
