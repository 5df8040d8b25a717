"""Holes in the road: collapses of several kinds, potholes, and the shaft of a missing cover."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from . import materials as m
from . import outlines as o
from . import pieces
from . import pits as p
from .mesh import Shape
from .things import Ground, Maker, Thing

if TYPE_CHECKING:
    import bpy


def sinkhole(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A round collapse: broken rim, layers in its wall, dark and littered below."""
    return _collapse(rng, size_m, ground, "round_sinkhole", float(rng.uniform(0.62, 1.0)))


def trench(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A long collapse along a broken pipe."""
    return _collapse(rng, size_m, ground, "long_collapse", float(rng.uniform(0.22, 0.45)))


def flooded(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A hole with water in it, muddy or mirroring the sky."""
    return _collapse(rng, size_m, ground, "water_hole", float(rng.uniform(0.55, 1.0)), water=True)


def _collapse(
    rng: np.random.Generator,
    size_m: float,
    ground: Ground,
    kind: str,
    aspect: float,
    *,
    water: bool = False,
) -> Thing:
    under = p.Under(rng, ground)
    half = (size_m / 2, size_m / 2 * aspect)
    rough = o.blob(rng, half, 0.2, 80) if rng.random() < 0.35 else o.broken(rng, half)
    rim = o.turned(rough, float(rng.uniform(0, math.pi)))
    short = size_m * aspect
    depth = float(np.clip(short * rng.uniform(0.35, 1.1), 0.15, 3.5))
    pit, loose = Shape(), Shape()
    cut, sag = p.sagging_edge(pit, rng, rim, under, most=min(0.14, 0.05 * short))
    bottom = p.walls(pit, rng, rim, under, depth, sag=sag)
    objects = p.surroundings(rng, rim, under, spoil=rng.random() < 0.45)
    if water:
        level = -depth * float(rng.uniform(0.12, 0.55))
        objects.append(p.water(rng, rim, level))
    else:
        p.litter(loose, rng, rim, under, bottom)
    p.cracks_around(loose, rng, rim)
    if short > 1.3 and rng.random() < 0.25:
        p.pipe(pit, rng, rim, depth)
    objects += [pit.build(kind), *p.built(loose, "rubble")]
    return _thing(objects, rim, kind, cut)


def broken_edge(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """The road's edge gone: the kerb hangs or has fallen in, soil slides from the far side."""
    under = p.Under(rng, ground)
    along, across = size_m, size_m * float(rng.uniform(0.3, 0.6))
    whole = o.turned(o.broken(rng, (across, along / 2), 0.14), math.pi)
    beyond = float(rng.uniform(0.25, 0.7))  # how far it bites into the footway
    rim = whole.copy()
    rim[:, 0] = np.where(whole[:, 0] > 0, whole[:, 0] * beyond / across, whole[:, 0])
    pit, loose = Shape(), Shape()
    depth = float(np.clip(across * rng.uniform(0.5, 1.2), 0.3, 3.0))
    bottom = p.walls(pit, rng, rim, under, depth, slope=0.35)
    objects = p.surroundings(rng, rim, under, spoil=False)
    p.litter(loose, rng, rim, under, bottom)
    p.cracks_around(loose, rng, rim)
    stone = m.speckled((0.17, 0.17, 0.16), (0.28, 0.28, 0.27), 1.5)
    for _ in range(int(rng.integers(1, 4))):  # kerb stones that slid in
        piece = Shape()
        piece.box((0, 0, 0), (0.15, min(0.9, 0.35 * along), min(0.3, 0.5 * depth)), stone)
        place = (
            float(rng.uniform(-across * 0.5, 0.0)),
            float(rng.uniform(-0.3, 0.3) * along),
            float(rng.uniform(-0.6, -0.15) * depth),
        )
        angles = rng.uniform(-0.6, 0.6, 3)
        pieces.merge(loose, pieces.tilted(piece, *(float(a) for a in angles), to=place))
    objects += [pit.build("broken edge"), *p.built(loose, "rubble")]
    return _thing(objects, rim, "broken_edge", rim)


def sunken_slab(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """Plates of road that tilted and sank, with a step and open cracks between them."""
    under = p.Under(rng, ground)
    half = (size_m / 2, size_m / 2 * float(rng.uniform(0.55, 0.95)))
    rim = o.turned(o.broken(rng, half, 0.12, 64), float(rng.uniform(0, math.pi)))
    reach = float(np.sqrt(half[0] * half[1]))
    sag = float(np.clip(size_m * rng.uniform(0.06, 0.2), 0.08, 0.9))
    pit, loose, plates = Shape(), Shape(), Shape()
    p.walls(pit, rng, rim, under, sag * 1.5 + 0.35)
    gap = float(np.clip(size_m * rng.uniform(0.015, 0.05), 0.03, 0.16))
    for plate in _plates(rng, rim, gap):
        middle = plate.mean(axis=0)
        share = 1 - min(1.0, float(np.linalg.norm(middle)) / reach)
        slope = rng.normal(0, 0.35, 2) * sag / reach - middle / reach * sag / reach * 0.8
        top = -sag * (0.35 + 0.65 * share) + (plate - middle) @ slope
        top = np.minimum(top, -0.02)
        upper, lower = o.lifted(plate, top), o.lifted(plate, top - 0.13)
        n = len(plate)
        plates.add(upper, [tuple(range(n))], under.road)
        sides = [(i, (i + 1) % n, n + (i + 1) % n, n + i) for i in range(n)]
        plates.add(np.vstack([upper, lower]), sides, under.crust)
    p.cracks_around(loose, rng, rim)
    objects = p.surroundings(rng, rim, under, spoil=False)
    objects += [pit.build("slab pit"), plates.build("sunken slab"), *p.built(loose, "rubble")]
    return _thing(objects, rim, "sunken_slab", rim)


def _plates(rng: np.random.Generator, rim: np.ndarray, gap: float) -> list[np.ndarray]:
    """The outline split by lines through it, each piece a little smaller, counter-clockwise."""
    from shapely import LineString, Polygon  # noqa: PLC0415 - only this kind needs it
    from shapely.ops import split  # noqa: PLC0415

    pieces, far = [Polygon(rim).buffer(0)], 2 * float(np.abs(rim).max())
    for turn in rng.uniform(0, math.pi, int(rng.integers(1, 4))):
        way = np.array([math.cos(turn), math.sin(turn)])
        point = rng.uniform(-0.12, 0.12, 2) * far
        bend = point + rng.normal(0, 0.04, 2) * far
        line = LineString([point - way * far, bend, point + way * far])
        pieces = [part for piece in pieces for part in split(piece, line).geoms]
    shrunk = [piece.buffer(-gap / 2, join_style="mitre") for piece in pieces]
    return [
        np.array(piece.exterior.coords)[:-1][::-1]
        for piece in shrunk
        if piece.geom_type == "Polygon" and piece.area > 0.02
    ]


def settled(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A bowl: the surface has sunk and torn along its edge, but not fallen in; maybe a pond."""
    under = p.Under(rng, ground)
    half = (size_m / 2, size_m / 2 * float(rng.uniform(0.5, 1.0)))
    rim = o.turned(o.broken(rng, half, 0.1), float(rng.uniform(0, math.pi)))
    step, sag = float(rng.uniform(0.07, 0.2)), size_m * float(rng.uniform(0.07, 0.16))
    bowl, loose = Shape(), Shape()
    bowl.loft([o.lifted(rim), o.lifted(rim, -step)], under.crust, caps=False)
    shares = (1.0, 0.85, 0.6, 0.3, 0.03)
    noise = o.waves(rng, len(rim), 5) * 0.04 * sag
    rings = [o.lifted(rim * k, -step - sag * (1 - k**2) + noise * (0.2 < k < 0.9)) for k in shares]
    bowl.loft(rings, under.road, caps=False)
    bowl.add(rings[-1], [tuple(range(len(rim)))], under.road)
    dark = m.plain((0.012, 0.012, 0.012), 1.0)
    for share in rng.uniform(0.5, 0.92, int(rng.integers(1, 3))):  # torn rings in the bowl
        begin, count = int(rng.integers(len(rim))), int(rng.integers(8, 24))
        picked = np.arange(begin, begin + count) % len(rim)
        drift = np.cumsum(rng.normal(0, 0.02, (count, 1)), axis=0)
        path = rim[picked] * np.clip(share + drift, 0.4, 0.97)
        strip = Shape()
        pieces.ribbon(strip, path, float(rng.uniform(0.02, 0.07)), dark, 0.0)
        depth = -step - sag * (1 - share**2) + 0.012 + abs(float(noise.max()))
        strip.vertices = [v + np.array((0, 0, depth)) for v in strip.vertices]
        pieces.merge(bowl, strip)
    p.cracks_around(loose, rng, rim)
    objects = p.surroundings(rng, rim, under, spoil=False)
    if under.wet or rng.random() < 0.3:
        level = -step - sag * float(rng.uniform(0.2, 0.7))
        objects.append(p.water(rng, rim * 0.9, level))
    objects += [bowl.build("settled road"), *p.built(loose, "rubble")]
    return _thing(objects, rim, "settled_road", rim)


def missing_cover(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A clean round (or square) shaft in its iron frame, maybe with the cover beside it."""
    under = p.Under(rng, ground)
    iron = m.speckled((0.035, 0.032, 0.03), (0.085, 0.075, 0.065), 6.0, 0.55)
    concrete = m.speckled((0.16, 0.155, 0.145), (0.30, 0.29, 0.27), 2.0)
    grimy = m.speckled((0.03, 0.028, 0.025), (0.09, 0.085, 0.075), 3.0)
    unit = _round_or_square(rng)
    radius, frame = size_m / 2, float(rng.uniform(0.05, 0.09))
    collar = float(rng.uniform(0.12, 0.3)) if rng.random() < 0.5 else 0.02
    shaft = Shape()
    rings = [
        o.lifted(unit * (radius + frame + collar)),
        o.lifted(unit * (radius + frame)),
        o.lifted(unit * radius, 0.006),
        o.lifted(unit * radius, -0.06),
        o.lifted(unit * radius * 0.93, -0.07),
        o.lifted(unit * radius * 1.02, -0.35),
        o.lifted(unit * radius * 1.02, -2.2),
        o.lifted(unit * 0.02, -2.2),
    ]
    ring_looks = (
        concrete if collar > 0.1 else under.crust,
        iron,
        iron,
        iron,
        grimy,
        grimy,
        under.earth,
    )
    shaft.loft(rings, lambda row, _point: ring_looks[row], caps=False)
    objects = []
    beside = rng.random()
    if beside < 0.5:
        cover, angle = Shape(), float(rng.uniform(0, 6.28))
        n = len(unit)
        disc = unit * (radius + 0.03)
        cover.loft([o.lifted(disc, 0.0), o.lifted(disc, 0.05)], iron)
        cover.add(
            o.lifted(disc * 0.85, 0.052), [tuple(range(n))], m.plain((0.05, 0.046, 0.042), 0.5)
        )
        far = radius * float(rng.uniform(1.3, 2.6))
        lean = float(rng.uniform(0.05, 0.25)) if far < radius * 1.9 else 0.0
        spot = (far * math.cos(angle), far * math.sin(angle), 0.012 + lean * radius * 0.6)
        objects.append(pieces.tilted(cover, 0.0, lean, angle, to=spot).build("cover"))
    if rng.random() < 0.4:
        objects.append(p.dirt(rng, unit * radius, under, float(rng.uniform(1.4, 2.2))))
    objects.append(shaft.build("open shaft"))
    outline = o.lifted(unit * (radius + frame * 0.5))
    return _thing(objects, outline[:, :2], "missing_cover", unit * (radius + frame + collar))


def _round_or_square(rng: np.random.Generator) -> np.ndarray:
    angles = o.around(40)
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if rng.random() < 0.85:
        return unit
    return o.turned(unit / np.abs(unit).max(axis=1, keepdims=True), float(rng.uniform(0, 1.5)))


def pothole(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A shallow bowl with a sharp ragged rim, stones in and around it; dry or full of water."""
    under = p.Under(rng, ground)
    half = (size_m / 2, size_m / 2 * float(rng.uniform(0.5, 1.0)))
    make = o.blob if rng.random() < 0.5 else o.broken
    rim = o.turned(make(rng, half, 0.2), float(rng.uniform(0, math.pi)))
    depth = float(rng.uniform(0.05, 0.10)) + 0.05 * size_m
    lip = depth * float(rng.uniform(0.3, 0.7))
    tone = ground.tone * float(rng.uniform(0.3, 1.0))
    grit = m.speckled(
        (tone, tone * 0.97, tone * 0.92), (tone * 2, tone * 1.9, tone * 1.75), 5.0, fine=1.0
    )
    fill = (grit, under.base, under.earth)[rng.choice(3, p=(0.6, 0.2, 0.2))]
    bowl, loose = Shape(), Shape()
    rings, n = [o.lifted(rim)], len(rim)
    shares = ((0.985, 0.0), (0.92, 0.35), (0.8, 0.7), (0.6, 0.9), (0.4, 1.0), (0.2, 1.0))
    for near, deep in shares:
        floor = rim * (near + (0.012 + (1 - near) * 0.1) * o.waves(rng, n, 3)[:, None])
        lumps = depth * 0.1 * o.waves(rng, n, 7) * (near < 0.95)
        rings.append(o.lifted(floor, -lip - (depth - lip) * deep + lumps))
    bowl.loft(rings, lambda row, _point: fill if row else under.crust, caps=False)
    bowl.add(rings[-1], [tuple(range(len(rim)))], fill)
    count = int(rng.integers(25, 120))
    places = p.within(rng, rim, count, 0.1, 0.95 if rng.random() < 0.4 else 1.4)
    places[:, 2] = np.where(np.linalg.norm(places[:, :2], axis=1) < size_m * 0.36, -depth, 0.004)
    sizes = rng.gamma(2.0, 0.018, count).clip(0.012, 0.11)
    pieces.scatter(loose, rng, places, sizes, (under.base, under.crust, under.crust), fine=True)
    objects = []
    if rng.random() < (0.75 if under.wet else 0.2):
        objects.append(p.water(rng, rim, -depth * float(rng.uniform(0.15, 0.5))))
    if rng.random() < 0.6:
        objects.append(p.dirt(rng, rim, under, float(rng.uniform(1.25, 1.8))))
    if rng.random() < 0.4:
        p.cracks_around(loose, rng, rim)
    objects += [bowl.build("pothole"), *p.built(loose, "stones")]
    return _thing(objects, rim, "pothole", rim)


def _thing(objects: list[bpy.types.Object], rim: np.ndarray, kind: str, cut: np.ndarray) -> Thing:
    across, along = np.ptp(rim, axis=0)
    return Thing(tuple(objects), o.lifted(rim), "cavity", kind, (float(across), float(along)), cut)


MAKERS = (
    Maker("round_sinkhole", "cavity", sinkhole, (0.5, 8.0), 3.0),
    Maker("long_collapse", "cavity", trench, (1.0, 8.0), 1.0),
    Maker("water_hole", "cavity", flooded, (0.5, 6.0), 1.5),
    Maker("broken_edge", "cavity", broken_edge, (0.8, 8.0), 1.5, "edge", turns=False),
    Maker("sunken_slab", "cavity", sunken_slab, (0.8, 6.0), 1.5),
    Maker("settled_road", "cavity", settled, (1.0, 6.0), 0.7),
    Maker("missing_cover", "cavity", missing_cover, (0.6, 0.8), 1.2),
    Maker("pothole", "cavity", pothole, (0.3, 1.5), 2.5),
)
