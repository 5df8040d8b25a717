"""grids.geojson: read, converted to WGS-84 and checked before anybody owns anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import shapely
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from shapely import MultiPolygon, Polygon, STRtree
from shapely.validation import explain_validity

from pipeline.errors import CoordinateError, GridMapError
from pipeline.town.datum import ALLOWED, to_wgs84
from pipeline.town.files import checked, read_text, unknown
from pipeline.town.grids import Grid, GridKind, GridMap, Level, Member, in_metres
from pipeline.town.local import LocalFrame

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

_SLIVER_M2 = 1.0  # overlaps up to this come from rounded coordinates

Code = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
    Field(pattern=r"^[0-9A-Za-z_.-]{1,40}$"),
]


class _MemberWire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=40)]
    phone: Annotated[str, Field(max_length=40)] | None = None
    role: Literal["head", "member"] = "member"


class _GridWire(BaseModel):
    """The properties we need; a GIS export carries many more, which are none of our business."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    code: Code
    name: Annotated[str, Field(min_length=1, max_length=80)]
    level: Level
    kind: GridKind
    parent: Code | None = None
    members: list[_MemberWire] = []
    datum: str | None = None


def load_grids(path: Path) -> GridMap:
    """Read the grid map. Raises GridMapError that names the feature by index and code.

    A FeatureCollection of Polygons or MultiPolygons with ``code, name, level, kind, parent``,
    optional ``members``, and a ``datum`` at the top or on each feature. Exactly one grid is of
    level 1. Grids of one kind and level don't overlap (slivers under 1 m² are rounding).
    """
    document = _document(path)
    grids: list[Grid] = []
    for index, feature in enumerate(document["features"]):
        grids.append(_grid(feature, index, document.get("datum"), path))
    _check_codes(grids, path)
    _check_parents(grids, path)
    _check_overlaps(grids, path)
    return GridMap(grids)


def _document(path: Path) -> dict[str, Any]:
    allowed = "a GeoJSON FeatureCollection"
    text = read_text(path, GridMapError, allowed)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else None
        raise GridMapError(
            "is not JSON", file=path, where=where, found=error, allowed=allowed
        ) from None
    if not isinstance(document, dict) or document.get("type") != "FeatureCollection":
        kind = document.get("type") if isinstance(document, dict) else type(document).__name__
        raise GridMapError("is no grid map", file=path, found=kind, allowed=allowed)
    if not isinstance(document.get("features"), list) or not document["features"]:
        raise GridMapError(
            "holds no grids",
            file=path,
            where="features",
            found="none or no list",
            allowed="at least the level-1 grid",
        )
    return document


def _grid(feature: Any, index: int, datum: Any, path: Path) -> Grid:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    code = properties.get("code") if isinstance(properties, dict) else None
    where = f"feature {index}" + (f" ({code})" if code is not None else "")
    if not isinstance(properties, dict):
        raise GridMapError(
            "is no feature with properties",
            file=path,
            where=where,
            found=type(feature).__name__,
            allowed="a GeoJSON Feature",
        )
    wire = checked(_GridWire, properties, GridMapError, file=path, where=where)
    shape = _shape(feature.get("geometry"), wire.datum or datum, path, where)
    return Grid(
        code=wire.code,
        name=wire.name,
        level=wire.level,
        kind=wire.kind,
        parent=wire.parent,
        members=tuple(Member(m.name, m.phone, m.role) for m in wire.members),
        shape=shape,
    )


def _shape(geometry: Any, datum: Any, path: Path, where: str) -> BaseGeometry:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        raise GridMapError(
            "is no area",
            file=path,
            where=where,
            found=kind or "no geometry",
            allowed="Polygon or MultiPolygon",
        )
    if datum is None or not isinstance(datum, str):
        raise GridMapError(
            "coordinates without a datum",
            file=path,
            where=where,
            found=datum,
            allowed=f'"datum" at the top of the file or on the feature: {ALLOWED}',
        )
    coordinates = geometry.get("coordinates")
    parts = [coordinates] if kind == "Polygon" else coordinates
    if not isinstance(parts, list) or not parts:
        raise GridMapError("is empty", file=path, where=where, allowed="at least one ring")
    polygons = [_polygon(part, datum, path, where) for part in parts]
    shape = polygons[0] if kind == "Polygon" else MultiPolygon(polygons)
    if not shape.is_valid:  # shapely says what and where: "Self-intersection[113.44 34.78]"
        raise GridMapError(
            "crosses itself or its holes are wrong",
            file=path,
            where=where,
            found=explain_validity(shape),
            allowed="a simple polygon",
        )
    return shape


def _polygon(rings: Any, datum: str, path: Path, where: str) -> Polygon:
    if not isinstance(rings, list) or not rings:
        raise GridMapError("is empty", file=path, where=where, allowed="at least one ring")
    outer, *holes = (_ring(ring, datum, path, where) for ring in rings)
    polygon = Polygon(outer, holes)
    if polygon.envelope.area == 0:
        raise GridMapError("has no area", file=path, where=where, allowed="a polygon with an area")
    return polygon


def _ring(ring: Any, datum: str, path: Path, where: str) -> list[tuple[float, float]]:
    if not isinstance(ring, list) or len(ring) < 4 or ring[0] != ring[-1]:
        raise GridMapError(
            "a ring is too short or not closed",
            file=path,
            where=where,
            found=f"{len(ring)} points" if isinstance(ring, list) else type(ring).__name__,
            allowed="4 or more points, the last equal to the first",
        )
    return [_vertex(point, datum, path, where) for point in ring]


def _vertex(point: Any, datum: str, path: Path, where: str) -> tuple[float, float]:
    numbers = isinstance(point, list) and len(point) in (2, 3)
    if not numbers or not all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in point
    ):
        raise GridMapError(
            "not a position", file=path, where=where, found=repr(point)[:80], allowed="[lon, lat]"
        )
    try:
        return to_wgs84(point[0], point[1], datum)
    except (CoordinateError, OverflowError) as error:
        raise GridMapError(f"datum {datum}: {error}", file=path, where=where) from None


def _check_codes(grids: list[Grid], path: Path) -> None:
    first: dict[str, int] = {}
    for index, grid in enumerate(grids):
        if grid.code in first:
            raise GridMapError(
                "code stands twice",
                file=path,
                where=f"feature {index} ({grid.code})",
                found=f"also feature {first[grid.code]}",
                allowed="one feature per code",
            )
        first[grid.code] = index
    tops = [grid.code for grid in grids if grid.level == 1]
    if len(tops) != 1:
        raise GridMapError(
            "needs exactly one grid of level 1",
            file=path,
            found=", ".join(tops[:5]) or "none",
            allowed="one, the town itself",
        )


def _check_parents(grids: list[Grid], path: Path) -> None:
    by_code = {grid.code: grid for grid in grids}
    for index, grid in enumerate(grids):
        where = f"feature {index} ({grid.code})"
        if grid.level == 1:
            if grid.kind != "standard" or grid.parent is not None:
                raise GridMapError(
                    "the level-1 grid must be standard and without a parent",
                    file=path,
                    where=where,
                    found=f"{grid.kind}, {grid.parent}",
                    allowed="kind standard, parent null",
                )
            continue
        parent = by_code.get(grid.parent or "")
        if parent is None:
            raise unknown(
                "parent",
                grid.parent,
                _candidates(grid, by_code),
                GridMapError,
                file=path,
                where=where,
            )
        if not _may_lie_in(grid, parent):
            raise GridMapError(
                "parent of the wrong level or kind",
                file=path,
                where=where,
                found=f"{grid.kind} of level {grid.level} in {parent.kind} of level {parent.level}",
                allowed="a parent of a higher level; for a micro-grid one of level 3",
            )


def _may_lie_in(grid: Grid, parent: Grid) -> bool:
    if grid.kind == "micro":
        return parent.kind != "micro"
    return parent.kind == "standard" and parent.level < grid.level


def _candidates(grid: Grid, by_code: Mapping[str, Grid]) -> list[str]:
    """A few codes worth naming in an error: those that could be the parent, nearest names first."""
    codes = [code for code, other in by_code.items() if _may_lie_in(grid, other)]
    return sorted(codes, key=lambda code: (code[:6] != (grid.parent or "")[:6], code))[:8]


def _check_overlaps(grids: list[Grid], path: Path) -> None:
    centre = next(grid for grid in grids if grid.level == 1).shape.centroid
    frame = LocalFrame(centre.x, centre.y)
    groups: dict[tuple[str, int], list[int]] = {}
    for index, grid in enumerate(grids):
        groups.setdefault((grid.kind, grid.level), []).append(index)
    for indices in groups.values():
        shapes = [in_metres(grids[index].shape, frame) for index in indices]
        first, second = STRtree(shapes).query(shapes, predicate="intersects")
        for a, b in zip(first.tolist(), second.tolist(), strict=True):
            if a >= b:
                continue
            common = shapely.intersection(shapes[a], shapes[b])
            if common.area <= _SLIVER_M2:
                continue
            inside = common.representative_point()
            lon, lat = frame.lonlat(inside.x, inside.y)
            one, other = indices[a], indices[b]
            raise GridMapError(
                "grids overlap",
                file=path,
                where=f"features {one} ({grids[one].code}) and {other} ({grids[other].code})",
                found=f"{common.area:.0f} m² in common around {lon:.6f}, {lat:.6f} (wgs84)",
                allowed="grids of one kind and level side by side",
            )
