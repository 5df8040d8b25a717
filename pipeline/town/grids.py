"""Whose ground it is: the grid map, asked by place.

Who owns a place, in this order: a dedicated grid (专属网格) that holds it, the third-level grid,
the second-level grid, the first-level grid. A place on a border belongs to the grid whose code
sorts first among those that touch it; a place in a crack between grids (up to 1 m wide) to the
nearest of them. So every place has exactly one owner, the same on every box.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
import shapely
from shapely import Point, STRtree
from shapely.affinity import affine_transform

from pipeline.errors import UnknownGridError
from pipeline.town.local import LocalFrame, metres_per_degree
from pipeline.town.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shapely.geometry.base import BaseGeometry

Level = Literal[1, 2, 3]
GridKind = Literal["standard", "dedicated", "micro"]

_CRACK_M = 1.0  # left between neighbours by rounded or redrawn borders
_REMEMBERED = 1024  # places
_BORDER_M = 0.01  # nearer than this is on the border: arithmetic is no reason to change owners


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of a grid's staff: the ``head`` (网格长) or a ``member`` (网格员)."""

    name: str
    phone: str | None = None
    role: Literal["head", "member"] = "member"


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """An area with an owner and a queue; ``shape`` is a (Multi)Polygon in WGS-84 lon, lat.

    A ``micro`` grid has no queue, it is part of an address; its ``parent`` is the grid it lies in.
    """

    code: str
    name: str
    level: Level
    kind: GridKind
    parent: str | None
    members: tuple[Member, ...]
    shape: BaseGeometry = field(repr=False)


class GridMap:
    """The grids of a town by code and by place. Build it with ``load_grids``."""

    def __init__(self, grids: Iterable[Grid]) -> None:
        self._by_code = {grid.code: grid for grid in grids}
        self.top = next(grid for grid in self if grid.level == 1)
        centre = self.top.shape.centroid
        self._frame = LocalFrame(centre.x, centre.y)
        self._third = _Index((grid for grid in self if _is_third_level(grid)), self._frame)
        self._second = _Index(
            (grid for grid in self if grid.kind == "standard" and grid.level == 2), self._frame
        )
        self._micros = _Index((grid for grid in self if grid.kind == "micro"), self._frame)
        self._outline = in_metres(self.top.shape, self._frame)
        # One place is asked about several times in a row: whose, where, how to call it.
        self._owner_at = lru_cache(_REMEMBERED)(self._find_owner)
        self._micro_at = lru_cache(_REMEMBERED)(self._find_micro)
        self._point_at = lru_cache(_REMEMBERED)(self._find_point)

    def __iter__(self) -> Iterator[Grid]:
        return iter(self._by_code.values())

    def __len__(self) -> int:
        return len(self._by_code)

    def __contains__(self, code: object) -> bool:
        return code in self._by_code

    def get(self, code: str) -> Grid:
        """The grid of this code; UnknownGridError names the codes that look like it."""
        grid = self._by_code.get(code)
        if grid is None:
            near = difflib.get_close_matches(code, self._by_code, n=3)
            hint = f"; close to it: {', '.join(near)}" if near else ""
            raise UnknownGridError(f"no grid {code!r}{hint}")
        return grid

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that tell this map from another: areas, codes, names, who lies in what.

        Borders count to a centimetre, so that other libraries' arithmetic makes no other map.
        """
        rows = [
            [grid.code, grid.name, grid.level, grid.kind, grid.parent, _centimetres(grid.shape)]
            for grid in sorted(self, key=lambda one: one.code)
        ]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12]

    def owner(self, at: Place | tuple[float, float]) -> Grid:
        """The one grid that owns this place, given as a Place or (lon, lat) in WGS-84."""
        return self._owner_at(*_lon_lat(at))

    def near(self, place: Place) -> tuple[Grid, ...]:
        """Every third-level or dedicated grid within the error radius; the owner comes first."""
        owner = self.owner(place)
        around = self._third.within(self._point(place), place.radius_m)
        return owner, *(grid for grid in around if grid is not owner)

    def micro(self, at: Place | tuple[float, float]) -> Grid | None:
        """The micro-grid (微网格) around the place."""
        return self._micro_at(*_lon_lat(at))

    def address(self, at: Place | tuple[float, float]) -> str:
        """Where it is in short Chinese: town, village, grid and micro-grid."""
        chain: list[Grid] = []
        grid: Grid | None = self.owner(at)
        while grid is not None:
            chain.insert(0, grid)
            grid = None if grid.parent is None else self.get(grid.parent)
        micro = self.micro(at)
        names = [grid.name for grid in chain] + ([micro.name] if micro else [])
        text = names[0]
        for above, name in pairwise(names):
            text += name.removeprefix(above)
        return text

    def outside_m(self, at: Place | tuple[float, float]) -> float:
        """Metres from the place to the town; 0 inside."""
        return float(shapely.distance(self._outline, self._point(at)))

    def _find_owner(self, lon: float, lat: float) -> Grid:
        point = self._point((lon, lat))
        return self._third.first(point) or self._second.first(point) or self.top

    def _find_micro(self, lon: float, lat: float) -> Grid | None:
        return self._micros.first(self._point((lon, lat)))

    def _point(self, at: Place | tuple[float, float]) -> Point:
        return self._point_at(*_lon_lat(at))

    def _find_point(self, lon: float, lat: float) -> Point:
        return Point(*self._frame.xy(lon, lat))


def _lon_lat(at: Place | tuple[float, float]) -> tuple[float, float]:
    return (at.lon, at.lat) if isinstance(at, Place) else at


class _Index:
    """Grids by place, in metres; each list is in the order in which grids win a place."""

    def __init__(self, grids: Iterable[Grid], frame: LocalFrame) -> None:
        self._grids = sorted(grids, key=_precedence)
        self._shapes = [in_metres(grid.shape, frame) for grid in self._grids]
        shapely.prepare(self._shapes)
        self._tree = STRtree(self._shapes)

    def first(self, point: Point) -> Grid | None:
        hits = self._tree.query(point, "dwithin", distance=_BORDER_M)
        if len(hits):
            return self._grids[int(hits.min())]
        close = self.within(point, _CRACK_M)
        return close[0] if close else None

    def within(self, point: Point, radius_m: float) -> list[Grid]:
        """Nearest first."""
        hits = [int(hit) for hit in self._tree.query(point, "dwithin", distance=radius_m)]
        hits.sort(key=lambda hit: (float(shapely.distance(self._shapes[hit], point)), hit))
        return [self._grids[hit] for hit in hits]


def in_metres(shape: BaseGeometry, frame: LocalFrame) -> BaseGeometry:
    """A WGS-84 shape in metres east and north of the frame's origin."""
    east, north = metres_per_degree(frame.lat)
    return affine_transform(shape, [east, 0, 0, north, -frame.lon * east, -frame.lat * north])


def _centimetres(shape: BaseGeometry) -> list[list[int]]:
    """The corners in units of 1e-7 degrees, about a centimetre, ring by ring."""
    rings = shapely.get_rings(shapely.get_parts(shape))
    return [
        np.rint(shapely.get_coordinates(ring) * 1e7).astype(int).ravel().tolist() for ring in rings
    ]


def _precedence(grid: Grid) -> tuple[bool, str]:
    return grid.kind != "dedicated", grid.code


def _is_third_level(grid: Grid) -> bool:
    return grid.kind == "dedicated" or (grid.kind == "standard" and grid.level == 3)
