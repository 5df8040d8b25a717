"""What lies in the road and was not meant to: rocks, spilled loads, cartons, planks, tyres."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from . import materials as m
from . import outlines as o
from . import pieces
from .mesh import Shape
from .things import Ground, Maker, Thing

if TYPE_CHECKING:
    from collections.abc import Callable

    import bpy

_STONES = ((0.20, 0.19, 0.175), (0.12, 0.115, 0.11), (0.26, 0.22, 0.17), (0.17, 0.12, 0.09))
_HEAPS = {
    "sand": ((0.22, 0.165, 0.10), (0.36, 0.28, 0.18)),
    "gravel": ((0.12, 0.115, 0.105), (0.27, 0.26, 0.24)),
    "earth": ((0.05, 0.032, 0.02), (0.12, 0.08, 0.05)),
    "coal": ((0.010, 0.010, 0.010), (0.035, 0.035, 0.037)),
}
_CARTON = ((0.30, 0.20, 0.11), (0.36, 0.25, 0.15), (0.24, 0.16, 0.09), (0.55, 0.55, 0.53))
_PIPES = ((0.30,) * 3, (0.13, 0.07, 0.045), (0.55,) * 3, (0.28, 0.10, 0.03), (0.02,) * 3)
_SACKS = ((0.55, 0.53, 0.48), (0.40, 0.30, 0.18), (0.10, 0.22, 0.12), (0.60, 0.60, 0.62))
_WOODS = ((0.32, 0.21, 0.12), (0.42, 0.30, 0.17), (0.20, 0.15, 0.11))


def rocks(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """One boulder or a rockfall, with crumbs around."""
    del ground
    shape, crumbs = Shape(), Shape()
    count = int(rng.choice([1, 2, 5, 12, 30]))
    breadth = size_m * (0.8 if count == 1 else float(rng.uniform(0.5, 0.9)) / count**0.4)
    sizes = np.clip(rng.gamma(3.0, breadth / 3, count), 0.08, size_m)
    sizes[0] = breadth
    spread = (size_m - breadth) / 2
    flat = rng.uniform(-1, 1, (count, 2)) * spread * (1, rng.uniform(0.4, 1))
    colour = _STONES[rng.integers(len(_STONES))]
    looks = [
        m.speckled(tuple(c * k for c in colour), tuple(c * k * 1.5 for c in colour), 2.0)
        for k in (0.6, 0.9)
    ]
    pieces.scatter(
        shape, rng, o.lifted(flat, sizes * 0.3), sizes, looks, flat=float(rng.uniform(0.6, 0.95))
    )
    many = int(rng.integers(5, 60))
    small = rng.gamma(1.5, 0.03, many).clip(0.015, 0.15) * min(1.0, size_m)
    around = rng.normal(0, size_m * 0.4, (many, 2))
    pieces.scatter(crumbs, rng, o.lifted(around, small * 0.25), small, looks, fine=True)
    return _thing([shape.build("rocks"), crumbs.build("crumbs")], shape.points(), "rocks")


def heap(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A dumped or spilled heap of sand, gravel, earth or coal."""
    del ground
    kind = str(rng.choice(list(_HEAPS)))
    low, high = _HEAPS[kind]
    look = m.speckled(low, high, 6.0, fine=0.8)
    rim = o.blob(rng, (size_m / 2, size_m / 2 * float(rng.uniform(0.4, 1.0))), 0.25, 40)
    tall = size_m * float(rng.uniform(0.08, 0.32))
    shape, n = Shape(), len(rim)
    rings = []
    for share in (1.0, 0.85, 0.65, 0.45, 0.25, 0.03):
        bumps = rng.normal(0, 0.04, n) * tall * (share < 0.95)
        near = rim * (share * (1 + rng.normal(0, 0.03, (n, 1)) * (share < 0.95)))
        rings.append(o.lifted(near, np.maximum(tall * (1 - share) ** 1.15 + bumps, 0.004)))
    shape.loft(rings, look, caps=False)
    shape.add(rings[-1], [tuple(range(n))], look)
    points = shape.points()
    count = int(rng.integers(60, 180))
    share = np.sqrt(rng.uniform(0.1, 1.5, count))
    spots = rim[rng.integers(n, size=count)] * share[:, None]
    sizes = rng.gamma(2.0, 0.02, count).clip(0.015, 0.2) * (
        2.0 if kind in ("earth", "coal") else 1.0
    )
    pieces.scatter(
        shape,
        rng,
        o.lifted(spots, tall * np.clip(1 - share, 0, 1) ** 1.15),
        sizes,
        (look,),
        fine=True,
    )
    return _thing([shape.build(kind)], points, f"{kind}_heap")


def bricks(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """Bricks or concrete blocks spilled in a heap that runs out."""
    del ground
    red = rng.random() < 0.6
    base = np.array((0.26, 0.085, 0.05) if red else (0.25, 0.25, 0.24))
    looks = [m.plain(tuple((base * k).tolist()), 0.9) for k in (0.7, 0.9, 1.15)]
    size = np.array((0.24, 0.115, 0.06)) * (1.0 if red else 1.7)
    count = int(np.clip(size_m**1.5 * 45, 20, 170))
    flat = rng.normal(0, 1, (count, 2)) * size_m / 4.5 * (1, rng.uniform(0.4, 1.0))
    middle = np.exp(-(flat**2).sum(axis=1) / (2 * (size_m / 6) ** 2))
    high = size[2] / 2 + middle * rng.uniform(0, 1, count) * min(0.6, size_m * 0.2)
    angles = np.column_stack(
        [rng.normal(0, 0.5, (count, 2)) * (high > 0.1)[:, None], rng.uniform(0, 6.3, count)]
    )
    shape = Shape()
    pieces.boxes(shape, o.lifted(flat, high), np.tile(size, (count, 1)), angles, looks)
    return _thing([shape.build("bricks")], shape.points(), "bricks" if red else "blocks")


def cartons(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """Cardboard boxes, whole, crushed or open, one or many."""
    del ground
    shape, looks = Shape(), [m.plain(c, 0.9) for c in _CARTON]
    tape = m.plain((0.45, 0.36, 0.22), 0.4)
    count = int(np.clip(rng.integers(1, 4) * size_m**1.2, 1, 22))
    wide = np.clip(rng.uniform(0.25, 0.65, (count, 3)), 0.2, size_m)
    places = _strewn(rng, count, size_m, wide[:, 2] / 2)
    for place, size in zip(places, wide, strict=True):
        box, look = Shape(), looks[rng.choice(4, p=(0.35, 0.3, 0.25, 0.1))]
        box.box((0, 0, 0), (float(size[0]), float(size[1]), float(size[2])), look)
        box.box((0, 0, 0), (0.05, float(size[1]) + 0.006, float(size[2]) + 0.006), tape)
        if rng.random() < 0.35:  # open flaps
            for side in (-1, 1):
                flap = (0.0, side * float(size[1]) * 0.65, float(size[2]) / 2 + 0.04)
                box.box(flap, (float(size[0]), float(size[1]) * 0.4, 0.012), look)
        lean = rng.normal(0, 0.25, 2) * (rng.random() < 0.3)
        at = (float(place[0]), float(place[1]), float(place[2]) + 0.04 * float(np.abs(lean).sum()))
        pieces.merge(
            shape,
            pieces.tilted(box, float(lean[0]), float(lean[1]), float(rng.uniform(0, 6.3)), at),
        )
    return _thing([shape.build("cartons")], shape.points(), "cartons")


def sacks(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """Filled sacks or rubbish bags, fallen in a loose pile."""
    del ground
    bags = rng.random() < 0.35
    colour = (0.015, 0.015, 0.017) if bags else _SACKS[rng.integers(len(_SACKS))]
    look, shape = m.plain(colour, 0.3 if bags else 0.95), Shape()
    count = int(np.clip(rng.integers(1, 6) * size_m, 1, 20))
    places = _strewn(rng, count, size_m, np.full(count, 0.12))
    for place in places:
        sack = Shape()
        sack.ellipsoid((0, 0, 0), (0.34, 0.22, 0.24 if bags else 0.12), look, 8)
        squash = 1 + 0.12 * rng.normal(size=(len(sack.points()), 1))
        sack.vertices = [sack.points() * np.clip(squash, 0.75, 1.25)]
        at = (float(place[0]), float(place[1]), float(place[2]))
        pieces.merge(
            shape,
            pieces.tilted(
                sack, *(float(a) for a in rng.normal(0, 0.2, 2)), float(rng.uniform(0, 6)), at
            ),
        )
    return _thing([shape.build("sacks", smooth=True)], shape.points(), "bags" if bags else "sacks")


def planks(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """Boards and beams, thrown together."""
    del ground
    shape, count = Shape(), int(rng.integers(1, 14))
    looks = [m.speckled(tuple(c * 0.7 for c in w), w, 4.0) for w in _WOODS]
    sizes = np.column_stack(
        [
            rng.uniform(0.55, 1.0, count) * size_m,
            rng.uniform(0.09, 0.25, count),
            rng.uniform(0.025, 0.1, count),
        ]
    )
    way = float(rng.uniform(0, math.pi))
    angles = np.column_stack(
        [np.zeros(count), rng.normal(0, 0.03, count), way + rng.normal(0, 0.35, count)]
    )
    flat = rng.normal(0, 0.12, (count, 2)) * size_m
    pieces.boxes(shape, o.lifted(flat, np.cumsum(sizes[:, 2]) * 0.7), sizes, angles, looks)
    return _thing([shape.build("planks")], shape.points(), "planks")


def pipes(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """Pipes, poles or steel bars that rolled off a lorry."""
    del ground
    look, shape = m.plain(_PIPES[rng.integers(5)], 0.5, 0.2), Shape()
    radius, count = float(rng.uniform(0.02, 0.16)), int(rng.integers(2, 14))
    way = float(rng.uniform(0, math.pi))
    for index in range(count):
        angle = way + float(rng.normal(0, 0.18))
        middle = rng.normal(0, 0.12, 2) * size_m
        half = np.array([math.cos(angle), math.sin(angle)]) * size_m * float(rng.uniform(0.35, 0.5))
        z = radius * (1 + (index > count // 2) * 1.6)
        a, b = middle - half, middle + half
        shape.tube(
            (float(a[0]), float(a[1]), z), (float(b[0]), float(b[1]), z), radius, look, points=8
        )
    return _thing([shape.build("pipes")], shape.points(), "pipes")


def tyres(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """Tyres lying, stacked or standing, or the shreds of a burst one."""
    del ground
    shape = Shape()
    if rng.random() < 0.25:
        for _ in range(int(rng.integers(2, 9))):
            start, angle = rng.normal(0, size_m / 4, 2), rng.uniform(0, 6.3)
            bend = angle + np.linspace(0, rng.normal(0, 1.5), 7)
            steps = np.column_stack([np.cos(bend), np.sin(bend)]) * size_m * 0.07
            path = o.lifted(start + np.cumsum(steps, axis=0), 0.03 + 0.05 * rng.random(7))
            pieces.limb(shape, path, rng.uniform(0.02, 0.07, 7), m.rubber(), 5)
        return _thing([shape.build("shreds")], shape.points(), "tyre_shreds")
    count = int(rng.choice([1, 1, 2, 4, 7]))
    breadth = (
        min(size_m, float(rng.uniform(0.55, 0.7)))
        if size_m < 1.2
        else float(rng.uniform(0.6, 1.05))
    )
    places = _strewn(rng, count, size_m, np.full(count, breadth * 0.14))
    for place in places:
        tyre, upright = _tyre(breadth), rng.random() < 0.15
        lean = math.radians(80) if upright else float(rng.normal(0, 0.06))
        at = (float(place[0]), float(place[1]), breadth * 0.5 if upright else float(place[2]))
        pieces.merge(shape, pieces.tilted(tyre, lean, 0.0, float(rng.uniform(0, 6.3)), at))
    return _thing([shape.build("tyres", smooth=True)], shape.points(), "tyres")


def _tyre(breadth: float) -> Shape:
    """Lying, its middle at the origin."""
    shape, n = Shape(), 18
    outer, deep = breadth / 2, breadth * 0.14
    section = (
        (outer, -deep * 0.6),
        (outer, deep * 0.6),
        (outer * 0.8, deep),
        (outer * 0.55, deep * 0.6),
        (outer * 0.55, -deep * 0.6),
        (outer * 0.8, -deep),
    )
    angles = np.linspace(0, 2 * math.pi, n + 1)
    rings = [[(r * math.cos(a), r * math.sin(a), z) for r, z in section] for a in angles]
    shape.loft(rings, m.rubber(), caps=False)
    return shape


def pallets(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """Wooden pallets, a few, one perhaps on edge."""
    del ground
    shape, wood = Shape(), m.speckled((0.22, 0.155, 0.09), (0.36, 0.26, 0.16), 4.0)
    count = int(rng.integers(1, 1 + max(2, round(size_m))))
    for place in _strewn(rng, count, size_m, np.full(count, 0.07)):
        pallet = Shape()
        for y in np.linspace(-0.35, 0.35, 5):
            pallet.box((0, float(y), 0.06), (1.2, 0.1, 0.022), wood)
        for x in (-0.55, 0.0, 0.55):
            pallet.box((x, 0, 0.0), (0.1, 0.8, 0.09), wood)
        lean = float(rng.uniform(0.2, 0.5)) if rng.random() < 0.2 else 0.0
        at = (float(place[0]), float(place[1]), float(place[2]) + 0.4 * lean)
        pieces.merge(shape, pieces.tilted(pallet, lean, 0.0, float(rng.uniform(0, 6.3)), at))
    return _thing([shape.build("pallets")], shape.points(), "pallets")


def sheet(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A buckled sheet: a hoarding, a tarpaulin, a bonnet, a mattress blown or fallen down."""
    del ground
    colours = (
        (0.40, 0.41, 0.42),
        (0.04, 0.16, 0.42),
        (0.42, 0.03, 0.02),
        (0.55, 0.52, 0.46),
        (0.06, 0.22, 0.12),
    )
    look = m.plain(
        colours[rng.integers(5)], float(rng.uniform(0.3, 0.9)), float(rng.choice([0, 0.5]))
    )
    n, wide = 9, size_m * float(rng.uniform(0.4, 0.9))
    u, v = np.meshgrid(np.linspace(-0.5, 0.5, n), np.linspace(-0.5, 0.5, n))
    k, phase = rng.uniform(2, 7, 3), rng.uniform(0, 6.3, 3)
    z = np.sin(k[0] * u + k[1] * v + phase[0]) + 0.6 * np.sin(k[2] * u * 1.7 + phase[1])
    z = (z - z.min()) * size_m * float(rng.uniform(0.02, 0.12)) + 0.01
    points = np.column_stack([u.ravel() * size_m, v.ravel() * wide, z.ravel()])
    faces = [
        (r * n + c, r * n + c + 1, (r + 1) * n + c + 1, (r + 1) * n + c)
        for r in range(n - 1)
        for c in range(n - 1)
    ]
    shape = Shape()
    shape.add(o.turned(points, float(rng.uniform(0, 6.3))), faces, look)
    return _thing([shape.build("sheet", smooth=True)], shape.points(), "sheet")


def spilled_load(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A mixed load off a lorry: two or three sorts of things over one another."""
    sorts: tuple[Callable[..., Thing], ...] = (
        cartons,
        sacks,
        planks,
        pipes,
        tyres,
        pallets,
        sheet,
        bricks,
    )
    things = [
        sorts[i](rng, size_m * float(rng.uniform(0.5, 0.9)), ground)
        for i in rng.choice(len(sorts), int(rng.integers(2, 4)), replace=False)
    ]
    points = []
    for thing in things:
        shift = np.array([*rng.normal(0, size_m * 0.14, 2), 0.0])
        for one in thing.objects:
            one.location = shift
        points.append(thing.outline + shift)
    return _thing(
        [one for thing in things for one in thing.objects], np.concatenate(points), "spilled_load"
    )


def _strewn(rng: np.random.Generator, count: int, size_m: float, lift: np.ndarray) -> np.ndarray:
    """Places for pieces: thicker in the middle, where later ones lie on earlier ones, (N, 3)."""
    if count == 1:
        return np.array([(0.0, 0.0, lift[0])])
    flat = rng.normal(0, 1, (count, 2)).clip(-2, 2) * size_m / 4.5 * (1, rng.uniform(0.4, 1.0))
    near = np.linalg.norm(flat[:, None] - flat[None], axis=2) < 0.4
    below = np.tril(near, -1).sum(axis=1).clip(0, 2)
    return o.lifted(flat, lift + below * lift * 1.6)


def _thing(objects: list[bpy.types.Object], points: np.ndarray, kind: str) -> Thing:
    outline = o.extremes(points)
    across, along = np.ptp(outline[:, :2], axis=0)
    return Thing(tuple(objects), outline, "debris", kind, (float(across), float(along)))


MAKERS = (
    Maker("rocks", "debris", rocks, (0.3, 4.0), 2.5),
    Maker("heap", "debris", heap, (0.8, 4.5), 1.5),
    Maker("bricks", "debris", bricks, (0.8, 3.5), 1.2),
    Maker("cartons", "debris", cartons, (0.4, 3.0), 1.8),
    Maker("sacks", "debris", sacks, (0.7, 3.0), 1.2),
    Maker("planks", "debris", planks, (1.0, 3.5), 1.0),
    Maker("pipes", "debris", pipes, (1.5, 5.0), 0.8),
    Maker("tyres", "debris", tyres, (0.6, 3.0), 1.2),
    Maker("pallets", "debris", pallets, (1.2, 3.5), 0.7),
    Maker("sheet", "debris", sheet, (0.8, 2.8), 0.7),
    Maker("spilled_load", "debris", spilled_load, (1.5, 5.0), 2.0),
)
