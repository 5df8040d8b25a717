"""What holes are made of: layered walls, rims, rubble, spoil, dirt, water and cracks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from . import materials as m
from . import outlines as o
from . import pieces
from .mesh import Shape

if TYPE_CHECKING:
    import bpy

    from .things import Ground

# Soils and stony base layers as they show in broken roads: (dark, light), linear RGB.
_EARTHS = (
    ((0.048, 0.031, 0.019), (0.115, 0.078, 0.048)),
    ((0.075, 0.052, 0.031), (0.180, 0.130, 0.082)),
    ((0.062, 0.033, 0.019), (0.145, 0.080, 0.045)),
    ((0.028, 0.025, 0.022), (0.075, 0.066, 0.058)),
    ((0.085, 0.080, 0.072), (0.190, 0.180, 0.165)),
)
_BASES = (
    ((0.085, 0.078, 0.068), (0.190, 0.175, 0.155)),
    ((0.055, 0.048, 0.041), (0.130, 0.113, 0.096)),
    ((0.130, 0.126, 0.118), (0.250, 0.243, 0.230)),
)
_WATERS = ((0.075, 0.055, 0.034), (0.040, 0.034, 0.026), (0.008, 0.009, 0.010))


class Under:
    """The layers below one hole, drawn once for it."""

    def __init__(self, rng: np.random.Generator, ground: Ground) -> None:
        dark, light = _EARTHS[rng.integers(len(_EARTHS))]
        damp = 0.6 if ground.wet else 1.0
        self.soil_colour = tuple(c * damp for c in light)
        self.earth = m.speckled(tuple(c * damp for c in dark), self.soil_colour, 2.4, fine=0.5)
        low, high = _BASES[rng.integers(len(_BASES))]
        self.base = m.speckled(low, high, 5.0, fine=0.6)
        tone = ground.tone * float(rng.choice([0.35, 0.6]))
        self.crust = m.plain((tone, tone, tone), 0.95)
        self.road = ground.road
        self.wet = ground.wet


def sagging_edge(
    shape: Shape, rng: np.random.Generator, rim: np.ndarray, under: Under, most: float
) -> tuple[np.ndarray, np.ndarray]:
    """Road that hangs down a little towards the rim; where it begins, and the rim's heights."""
    n = len(rim)
    wide = rim * float(rng.uniform(1.06, 1.2))
    sag = -np.minimum(np.abs(o.waves(rng, n, 9)) * most * 0.5, most)
    rings = [o.lifted(wide), o.lifted((wide + rim) / 2, sag * 0.3), o.lifted(rim, sag)]
    shape.loft(rings, under.road, caps=False)
    return wide, sag


def walls(
    shape: Shape,
    rng: np.random.Generator,
    rim: np.ndarray,
    under: Under,
    depth: float,
    *,
    slope: float = 0.0,
    sag: np.ndarray | float = 0.0,
) -> float:
    """Layered walls from the rim down and a floor; returns the floor's height."""
    crust = float(min(depth * 0.45, rng.uniform(0.06, 0.2)))
    base = float(min(depth * 0.35, rng.uniform(0.12, 0.4)))
    overhang = float(rng.uniform(1.0, 1.1)) if slope == 0 else 1.0
    n = len(rim)
    bumps = o.waves(rng, n, 5)[:, None]
    edge = [o.lifted(rim, sag), o.lifted(rim * (1 + 0.004 * bumps), sag - crust)]
    rings, looks = edge, [under.crust]
    top = crust + base
    rings.append(o.lifted(rim * (overhang - 0.01 + 0.02 * bumps), sag - crust * 1.02))
    rings.append(o.lifted(rim * (overhang + 0.02 * bumps), -min(top, depth * 0.9)))
    looks += [under.base, under.base]
    shrink = float(rng.uniform(0.08, 0.3)) + slope
    for share in (0.3, 0.6, 0.85, 1.0):
        z = top + max(0.0, depth - top) * share
        bumps = 0.5 * bumps + 0.8 * o.waves(rng, n, 3)[:, None]
        near = overhang * (1 - share * shrink) + 0.035 * bumps
        rings.append(o.lifted(rim * near, -z + 0.05 * depth * o.waves(rng, n, 5) * share))
        looks.append(under.earth)
    for near in (0.5, 0.25, 0.02):
        z = -max(depth, top) + o.waves(rng, n, 5) * 0.07 * depth * (near > 0.1)
        rings.append(
            o.lifted(rim * near * (1 - slope) * (1 + 0.08 * o.waves(rng, n, 3)[:, None]), z)
        )
        looks.append(under.earth)
    shape.loft(rings, lambda row, _point: looks[row], caps=False)
    shape.add(rings[-1], [tuple(range(n))], under.earth)
    return -max(depth, top)


def litter(
    shape: Shape, rng: np.random.Generator, rim: np.ndarray, under: Under, bottom: float
) -> None:
    """Stones on the floor and slabs of crust that fell in or lean on the wall."""
    size = float(np.ptp(rim, axis=0).min())
    count = int(np.clip(20 + 12 * size, 20, 90))
    places = within(rng, rim, count, 0.0, 0.8)
    places[:, 2] = bottom + 0.12 * abs(bottom) * np.linalg.norm(places[:, :2], axis=1) / size
    sizes = rng.gamma(2.0, 0.06 * min(1.0, size / 2), count).clip(0.03, 0.7)
    pieces.scatter(shape, rng, places, sizes, (under.earth, under.base, under.crust))
    if size < 0.8:
        return
    for _ in range(int(rng.integers(0, 6))):
        slab, breadth = Shape(), float(rng.uniform(0.15, 0.4) * size)
        top = o.broken(rng, (breadth / 2, breadth * float(rng.uniform(0.3, 0.5))), 0.2, 14)
        slab.loft([o.lifted(top, 0.0), o.lifted(top, -0.1)], under.crust, caps=False)
        slab.add(o.lifted(top, 0.002), [tuple(range(len(top)))], under.road)
        far = float(rng.uniform(0.1, 0.75))
        place = rim[rng.integers(len(rim))] * far
        high = bottom * float(rng.uniform(0.95 - 0.5 * far, 0.95))
        lean = rng.normal(0, 0.45, 2)
        at = (float(place[0]), float(place[1]), high + 0.1)
        pieces.merge(shape, pieces.tilted(slab, float(lean[0]), float(lean[1]), 0.0, to=at))


def pipe(shape: Shape, rng: np.random.Generator, rim: np.ndarray, depth: float) -> None:
    """A pipe or cable laid bare across the hole."""
    colour = ((0.05, 0.05, 0.05), (0.25, 0.25, 0.24), (0.28, 0.10, 0.02), (0.05, 0.10, 0.25))
    look = m.plain(colour[rng.integers(4)], 0.6)
    radius, turn = float(rng.uniform(0.03, 0.16)), float(rng.uniform(0, math.pi))
    reach, z = float(np.abs(rim).max()), -float(rng.uniform(0.3, 0.7)) * depth
    way, aside = np.array([math.cos(turn), math.sin(turn)]), rng.normal(0, 0.1, 2) * reach
    a, b = aside - way * reach, aside + way * reach
    shape.tube((float(a[0]), float(a[1]), z), (float(b[0]), float(b[1]), z), radius, look, points=8)


def surroundings(
    rng: np.random.Generator, rim: np.ndarray, under: Under, *, spoil: bool
) -> list[bpy.types.Object]:
    """Dust and dirt around the rim, chunks, and sometimes a bank of spoil at one side."""
    objects, size = [], float(np.ptp(rim, axis=0).max())
    if rng.random() < 0.65:
        objects.append(dirt(rng, rim, under, float(rng.uniform(1.1, 1.5))))
    loose = Shape()
    count = int(rng.integers(6, 50))
    sizes = rng.gamma(1.6, 0.035, count).clip(0.02, 0.3) * min(1.0, 0.4 + size / 4)
    places = within(rng, rim, count, 1.02, float(rng.uniform(1.15, 1.5)))
    places[:, 2] = sizes * 0.2
    pieces.scatter(loose, rng, places, sizes, (under.crust, under.road, under.base), fine=True)
    if spoil:
        count, side = int(rng.integers(40, 80)), float(rng.uniform(0, 6.28))
        angles = side + rng.normal(0, 0.45, count)
        reach = (rim @ np.array([math.cos(side), math.sin(side)])).max() * 1.1
        out = rng.gamma(2.0, 0.12, count) * min(1.2, 0.3 + size / 4)
        heap = np.column_stack([np.cos(angles), np.sin(angles)]) * (reach + out)[:, None]
        chunk = rng.gamma(2.5, 0.05, count).clip(0.04, 0.4) * min(1.2, 0.25 + size / 4)
        pieces.scatter(
            loose,
            rng,
            o.lifted(heap, chunk * rng.uniform(0.1, 0.6, count)),
            chunk,
            (under.earth, under.earth, under.base, under.crust),
        )
    return [*objects, *built(loose, "chunks")]


def dirt(rng: np.random.Generator, rim: np.ndarray, under: Under, reach: float) -> bpy.types.Object:
    """A film of soil on the road around a hole, more of it at one side (it spares the hole)."""
    n, size = len(rim), float(np.ptp(rim, axis=0).max())
    way = rim / np.maximum(np.linalg.norm(rim, axis=1, keepdims=True), 1e-6)
    side = rng.uniform(0, 2 * math.pi)
    bias = 0.5 + 0.5 * way @ np.array([math.cos(side), math.sin(side)])
    spread = np.abs(0.25 + 0.5 * o.waves(rng, n, 13) + bias) * (reach - 1) * size / 2 + 0.03
    colour = tuple(round(0.6 * c + 0.05, 3) for c in under.soil_colour)
    look = pieces.layer(colour, cover=float(rng.choice([0.35, 0.6, 0.85])), grain=0.8, scale=5.0)
    shares, shape = (0.0, 0.35, 1.0), Shape()
    rings = [o.lifted(rim * 1.005 + way * spread[:, None] * share, 0.005) for share in shares]
    shape.loft(rings, look, caps=False)
    thing = shape.build("dirt")
    fade = np.repeat((0.9, 0.5, 0.0), n)
    thing.data.attributes.new("fade", "FLOAT", "POINT").data.foreach_set("value", fade)
    return thing


def water(rng: np.random.Generator, rim: np.ndarray, level: float) -> bpy.types.Object:
    shape = Shape()
    colour = _WATERS[rng.integers(len(_WATERS))]
    look = m.plain(colour, float(rng.choice([0.03, 0.12])), 0.0, 0.5)
    shape.add(o.lifted(rim * 1.0, level), [tuple(range(len(rim)))], look)
    return shape.build("water")


def cracks_around(shape: Shape, rng: np.random.Generator, rim: np.ndarray) -> None:
    """Cracks that run outward from the rim and some along it."""
    dark, size = m.plain((0.012, 0.012, 0.012), 1.0), float(np.ptp(rim, axis=0).max())
    width = float(np.clip(size * 0.012, 0.012, 0.05))
    for index in rng.choice(len(rim), int(rng.integers(0, 10)), replace=False):
        point = rim[index]
        angle = math.atan2(point[1], point[0]) + float(rng.normal(0, 0.5))
        pieces.crack(
            shape,
            rng,
            point,
            angle,
            size * float(rng.uniform(0.08, 0.35)),
            width * float(rng.uniform(0.6, 1.4)),
            dark,
            0.006,
        )
    for _ in range(int(rng.integers(0, 3))):
        begin, count = int(rng.integers(len(rim))), int(rng.integers(6, 26))
        picked = np.arange(begin, begin + count) % len(rim)
        drift = np.cumsum(rng.normal(0, 0.012, (count, 1)), axis=0)
        path = rim[picked] * (float(rng.uniform(1.08, 1.35)) + drift.clip(-0.05, 0.2))
        pieces.ribbon(shape, path, width * float(rng.uniform(0.5, 1.0)), dark, 0.006)


def within(
    rng: np.random.Generator, rim: np.ndarray, count: int, near: float, far: float
) -> np.ndarray:
    """Random places between two shares of the rim's reach, at z = 0, (N, 3)."""
    share = np.sqrt(rng.uniform(near**2, far**2, count))
    return o.lifted(rim[rng.integers(len(rim), size=count)] * share[:, None])


def built(shape: Shape, name: str) -> list[bpy.types.Object]:
    return [shape.build(name)] if shape.vertices else []
