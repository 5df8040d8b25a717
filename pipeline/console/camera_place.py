"""A small map of where a camera stands, as a drawing: no scripts, no tiles."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin
from typing import TYPE_CHECKING

import numpy as np
import shapely

from pipeline.town import LocalFrame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shapely.geometry.base import BaseGeometry

    from pipeline.town import Camera, GridMap

_SIDE = 400.0  # of the drawing
_LEAST_M, _MOST_M = 150.0, 1500.0  # from the camera to the edge
_BARS_M = (500, 200, 100, 50)


@dataclass(frozen=True, slots=True)
class PlaceMap:
    """Outlines as SVG paths within 0..400; north is up. ``bar_m`` is ``bar`` units long."""

    own: str
    others: tuple[str, ...]
    x: float
    y: float
    cone: str
    marks: tuple[tuple[float, float], ...]
    bar: float
    bar_m: int


def place_map(
    grids: GridMap, lon: float, lat: float, grid: str, camera: Camera | None
) -> PlaceMap | None:
    """The camera in its grid; None where the grid is not known."""
    if grid not in grids:
        return None
    frame = LocalFrame(lon, lat)
    own = _in_metres(grids.get(grid).shape, frame)
    west, south, east, north = own.bounds
    reach_m = min(_MOST_M, max(_LEAST_M, -west, -south, east, north) * 1.1)
    window = shapely.box(-reach_m, -reach_m, reach_m, reach_m)
    scale = _SIDE / (2 * reach_m)

    def spot(x_m: float, y_m: float) -> tuple[float, float]:
        return round((x_m + reach_m) * scale, 1), round((reach_m - y_m) * scale, 1)

    def path(shape: BaseGeometry) -> str:
        rings = [
            part.exterior
            for part in getattr(shape, "geoms", [shape])
            if part.geom_type == "Polygon"
        ]
        return "".join(
            "M" + "L".join(f"{x} {y}" for x, y in (spot(*at) for at in ring.coords)) + "Z"
            for ring in rings
        )

    others = (
        shapely.intersection(_in_metres(one.shape, frame), window)
        for one in grids
        if one.kind != "micro" and one.level == grids.get(grid).level and one.code != grid
    )
    heading = camera.heading_deg if camera is not None else None
    marks = (camera.ground_points or ()) if camera is not None else ()
    at = spot(0.0, 0.0)
    bar_m = next((one for one in _BARS_M if one * scale <= _SIDE / 4), _BARS_M[-1])
    return PlaceMap(
        own=path(shapely.intersection(own, window)),
        others=tuple(said for one in others if not one.is_empty and (said := path(one))),
        x=at[0],
        y=at[1],
        cone="" if heading is None else _cone(at, heading, (camera and camera.hfov_deg) or 60.0),
        marks=tuple(spot(*frame.xy(mark.lon, mark.lat)) for mark in marks),
        bar=round(bar_m * scale, 1),
        bar_m=bar_m,
    )


def _cone(at: Sequence[float], heading_deg: float, width_deg: float) -> str:
    """Which way the camera looks."""
    ends = [
        (at[0] + 60 * sin(radians(turn)), at[1] - 60 * cos(radians(turn)))
        for turn in (heading_deg - width_deg / 2, heading_deg, heading_deg + width_deg / 2)
    ]
    return f"M{at[0]} {at[1]}L" + "L".join(f"{x:.1f} {y:.1f}" for x, y in ends) + "Z"


def _in_metres(shape: BaseGeometry, frame: LocalFrame) -> BaseGeometry:
    return shapely.make_valid(
        shapely.transform(shape, lambda points: np.array([frame.xy(*at) for at in points]))
    )
