"""What lies under everything: carriageway, kerbs, footways, median, with room for holes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely import Polygon, box
from shapely.ops import unary_union

from . import materials as m
from .mesh import Shape
from .plans import FAR, Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    import bpy

KERB_HEIGHT = 0.12
_SOIL = ((0.20, 0.14, 0.09), (0.32, 0.24, 0.16))
_GRASS = ((0.03, 0.06, 0.015), (0.09, 0.12, 0.04))


class Paving:
    """The materials of one street's ground."""

    def __init__(self, rng: np.random.Generator, plan: Plan, road: bpy.types.Material) -> None:
        self.road = road
        grey = rng.uniform(0.15, 0.35)
        tint = np.clip(grey * (1 + rng.normal(0, [0.12, 0.03, 0.10])), 0.05, 0.5)
        first, second = tuple(tint.tolist()), tuple((tint * rng.uniform(0.8, 1.2)).tolist())
        self.walk = (
            m.speckled(*_SOIL, 0.8)
            if plan.edge == "earth"
            else m.tiles(first, second, float(rng.choice([0.2, 0.3, 0.5])))
        )
        self.walk = road if plan.edge == "open" else self.walk
        self.kerb = m.speckled((0.28, 0.28, 0.27), (0.42, 0.42, 0.40), 1.5)
        self.verge = m.speckled(*_GRASS, 1.5) if rng.random() < 0.6 else m.speckled(*_SOIL, 1.2)
        self.water = m.plain((0.02, 0.035, 0.035), 0.08)


def build(plan: Plan, paving: Paving, cuts: Sequence[Polygon]) -> bpy.types.Object:
    """One object of all ground; inside of ``cuts`` (world X and Y) nothing is left."""
    gone = unary_union(list(cuts))
    shape = Shape()
    level = {"kerb": KERB_HEIGHT, "parapet": KERB_HEIGHT, "earth": -0.005, "open": -0.002}[
        plan.edge
    ]
    _flat(shape, plan.road.difference(gone), 0.0, paving.road)
    for strip in walks(plan):
        _flat(shape, strip.difference(gone), level, paving.walk)
    if plan.median:
        for near, far in plan.stretches:
            _flat(shape, box(plan.median[0], near, plan.median[1], far), 0.18, paving.verge)
    outer = plan.left - plan.walks[0], plan.right + plan.walks[1]
    if plan.edge == "parapet":
        _flat(shape, box(-300, -60, 300, 400), -9.0, paving.water)
    else:
        for left, right in ((-70, outer[0]), (outer[1], 70)):
            for near, far in plan.stretches:
                _flat(shape, box(left, near, right, far).difference(gone), level, paving.verge)
        _flat(shape, box(-300, FAR, 300, 400), -0.05, paving.verge)
    if level > 0:
        _kerbs(shape, plan, gone, paving.kerb)
    return shape.build("ground")


def walks(plan: Plan) -> list[Polygon]:
    """The strips beside the carriageway, left and right, without a crossing street."""
    return [
        box(left, near, right, far)
        for left, right in (
            (plan.left - plan.walks[0], plan.left),
            (plan.right, plan.right + plan.walks[1]),
        )
        for near, far in plan.stretches
    ]


def triangles(area: shapely.Geometry) -> list[np.ndarray]:
    """Triangles (3, 2), counter-clockwise, that fill an area, holes left out."""
    filled = shapely.constrained_delaunay_triangles(area)
    return [
        np.array(shapely.geometry.polygon.orient(part).exterior.coords[:3]) for part in filled.geoms
    ]


def _flat(shape: Shape, area: shapely.Geometry, z: float, look: bpy.types.Material) -> None:
    corners = triangles(area)
    if not corners:
        return
    flat = np.concatenate(corners)
    points = np.column_stack([flat, np.full(len(flat), z)])
    shape.add(points, [(i, i + 1, i + 2) for i in range(0, len(flat), 3)], look)


def _kerbs(shape: Shape, plan: Plan, gone: shapely.Geometry, look: bpy.types.Material) -> None:
    lines = [(plan.left - 0.07, KERB_HEIGHT), (plan.right + 0.07, KERB_HEIGHT)]
    lines += [(x, 0.18) for x in plan.median or ()]
    for x, height in lines:
        for near, far in plan.stretches:
            for y in np.arange(near, min(far, 90.0), 1.0):
                stone = box(x - 0.08, y, x + 0.08, y + 1.0)
                if not gone.is_empty and stone.intersects(gone):
                    continue
                shape.box((x, y + 0.5, height / 2 - 0.1), (0.15, 0.99, height + 0.21), look)
