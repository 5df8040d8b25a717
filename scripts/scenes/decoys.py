"""What lies or shows on roads and is no hazard, however much it may look like one."""

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
    import bpy

_LAY, _ABOVE = 0.005, 0.008  # a film on the road, and what lies on that


def shadow(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """The shadow of something out of view: a pole, a crown, a corner of a house, a vehicle."""
    del ground
    kind = rng.choice(["pole", "crown", "edge", "vehicle"])
    cover, half = float(rng.uniform(0.35, 0.75)), size_m / 2
    edge = float(rng.uniform(0.03, 0.2))
    if kind == "pole":
        width = float(rng.uniform(0.06, 0.2))
        corners = np.array(
            [(-width, -half), (width, -half), (width * 0.6, half), (-width * 0.6, half)]
        )
        outline = _dense(corners, 0.2)
    elif kind == "crown":
        outline = o.blob(rng, (half, half * float(rng.uniform(0.5, 1))), 0.2, 70)
    elif kind == "edge":
        long = half * float(rng.uniform(0.4, 0.9))
        outline = _dense(
            np.array([(-half, -long), (half, -long * 0.4), (half, long), (-half, long)]), 0.2
        )
    else:
        outline = _rounded(half * 0.42, half, 0.35 * half)
    outline = o.turned(outline, float(rng.uniform(0, math.pi)))
    grain = 0.9 if kind == "crown" and rng.random() < 0.6 else 0.04
    look = pieces.layer(
        (0.0, 0.0, 0.0), 1.0, cover=cover, grain=grain, scale=float(rng.choice([1.5, 3, 5]))
    )
    objects = [pieces.stain("shadow", outline, look, soft=edge, z=_ABOVE)]
    return _flat(objects, outline, f"{kind}_shadow")


def patch(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A repair: darker or lighter than the road, squared or not, maybe edged with tar."""
    half = (size_m / 2, size_m / 2 * float(rng.uniform(0.25, 1.0)))
    if squared := rng.random() < 0.6:
        outline = _dense(_rectangle(*half) * rng.normal(1, 0.03, (4, 2)), 0.1)
    else:
        outline = o.broken(rng, half, 0.12) if rng.random() < 0.5 else o.blob(rng, half, 0.15)
    outline = o.turned(outline, float(rng.normal(0, 0.08) if squared else rng.uniform(0, 3.1)))
    tone = ground.tone * float(
        rng.choice([0.2, 0.35, 0.55, 0.75, 1.5], p=[0.25, 0.3, 0.2, 0.15, 0.1])
    )
    look = pieces.layer((round(tone, 3),) * 3, 0.45 if ground.wet else 0.9, grain=0.06, scale=12.0)
    objects = [pieces.stain("patch", outline, look, soft=0.03, z=_LAY)]
    if rng.random() < 0.4:
        seam, closed = Shape(), np.vstack([outline, outline[:1]])
        pieces.ribbon(seam, closed, float(rng.uniform(0.03, 0.09)), _tar(), _ABOVE)
        objects.append(seam.build("seam"))
    return _flat(objects, outline, "squared_patch" if squared else "rough_patch")


def fresh_asphalt(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A newly laid length of lane, nearly black."""
    tone = round(min(0.03, ground.tone * 0.4), 3)
    outline = _dense(_rectangle(float(rng.uniform(1.4, 1.9)), size_m / 2), 0.2)
    look = pieces.layer((tone, tone, tone), 0.6, grain=0.03, scale=10.0)
    return _flat(
        [pieces.stain("fresh", outline, look, soft=0.015, z=_LAY)], outline, "fresh_asphalt"
    )


def stain(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """Oil, spilled water, paint, cement or mud, with splashes around."""
    kind = str(rng.choice(["oil", "wet", "puddle", "cement", "mud"], p=[0.3, 0.25, 0.25, 0.1, 0.1]))
    colour, roughness, cover, grain = {
        "oil": ((0.010, 0.010, 0.011), 0.35, 0.85, 0.6),
        "wet": ((ground.tone * 0.3,) * 3, 0.25, 0.8, 0.3),
        "puddle": ((0.018, 0.017, 0.015), 0.03, 0.95, 0.15),
        "cement": ((0.26, 0.255, 0.24), 0.9, 0.8, 0.8),
        "mud": ((0.085, 0.06, 0.036), 0.8, 0.8, 0.8),
    }[kind]
    look = pieces.layer(tuple(round(c, 3) for c in colour), roughness, cover=cover, grain=grain)
    half = (size_m / 2, size_m / 2 * float(rng.uniform(0.35, 1.0)))
    outline = o.turned(o.blob(rng, half, 0.35), float(rng.uniform(0, math.pi)))
    objects = [pieces.stain(kind, outline, look, soft=float(rng.uniform(0.05, 0.5)), z=_LAY)]
    for _ in range(int(rng.integers(0, 5))):
        drop = o.blob(rng, (size_m * float(rng.uniform(0.03, 0.12)),) * 2, 0.25, 20)
        place = outline[rng.integers(len(outline))] * float(rng.uniform(1.0, 1.3))
        objects.append(pieces.stain("drop", drop + place, look, z=_LAY))
    return _flat(objects, outline, kind if kind == "puddle" else f"{kind}_stain")


def cover(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A closed manhole, round or square, in its frame, with a pattern; often patched around."""
    iron = m.speckled((0.03, 0.028, 0.026), (0.09, 0.08, 0.07), 6.0, 0.5)
    worn = m.plain((0.13, 0.125, 0.12), 0.4, 0.6)
    dark, radius, n = m.plain((0.012, 0.012, 0.012), 1.0), size_m / 2, 32
    angles = o.around(n)
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if rng.random() < 0.25:
        unit = o.turned(unit / np.abs(unit).max(axis=1, keepdims=True), float(rng.uniform(0, 0.1)))
    shares = (1.12, 1.0, 0.985, 0.8, 0.76, 0.5, 0.46, 0.05)
    looks = (iron, dark, iron, worn, iron, worn, iron)
    z = _ABOVE - (0.0 if rng.random() < 0.7 else 0.003)
    shape = Shape()
    shape.loft(
        [o.lifted(unit * radius * s, z) for s in shares], lambda row, _: looks[row], caps=False
    )
    shape.add(o.lifted(unit * radius * 0.05, z), [tuple(range(n))], iron)
    for angle in o.around(int(rng.choice([6, 8, 12]))):
        spot = o.turned(np.array([(radius * 0.63, 0.0)]), float(angle))[0]
        shape.box((float(spot[0]), float(spot[1]), z), (0.05, 0.05, 0.004), dark, float(angle))
    objects = [shape.build("cover")]
    if rng.random() < 0.5:
        tone = round(ground.tone * float(rng.choice([0.3, 0.5, 1.6])), 3)
        look = pieces.layer((tone, tone, tone), grain=0.06, scale=12.0)
        wide = radius * float(rng.uniform(1.3, 1.9))
        around = _dense(_rectangle(wide, wide), 0.1) if rng.random() < 0.5 else unit * wide
        objects.append(pieces.stain("collar", around, look, soft=0.04, z=0.004))
    return _flat(objects, unit * radius * 1.12, "manhole_cover")


def grating(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A gully or a drain across the road: a frame with dark slots."""
    del ground
    wide, deep = size_m, float(rng.uniform(0.3, 0.45))
    iron, dark = m.plain((0.06, 0.055, 0.05), 0.6, 0.4), m.plain((0.006, 0.006, 0.006), 1.0)
    shape, z = Shape(), _ABOVE - 0.002
    shape.rectangle((-wide / 2, -deep / 2, wide / 2, deep / 2), z, iron)
    for x in np.arange(-wide / 2 + 0.05, wide / 2 - 0.05, 0.075):
        shape.rectangle((x, -deep * 0.42, x + 0.045, deep * 0.42), z + 0.002, dark)
    outline = _rectangle(wide / 2, deep / 2)
    return _flat([shape.build("grating")], outline, "grating" if wide < 1 else "drain")


def marking(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A worn dash, arrow or box of road paint."""
    del ground
    colour = (0.50, 0.50, 0.48) if rng.random() < 0.75 else (0.50, 0.30, 0.03)
    look = pieces.layer(
        colour, cover=float(rng.uniform(0.5, 0.95)), grain=float(rng.uniform(0.3, 1.2)), scale=9.0
    )
    half, kind = size_m / 2, str(rng.choice(["dash", "arrow", "block"]))
    width = (
        float(rng.uniform(0.06, 0.11)) if kind != "block" else half * float(rng.uniform(0.3, 0.8))
    )
    shaft = _rectangle(width, half if kind != "arrow" else half * 0.6)
    outlines = [_dense(shaft, 0.1)]
    if kind == "arrow":
        outlines[0][:, 1] -= half * 0.4
        head = np.array([(-0.3, half * 0.2), (0.3, half * 0.2), (0.0, half)])
        outlines.append(_dense(head, 0.1))
    objects = [pieces.stain("paint", piece, look, soft=0.06, z=_LAY) for piece in outlines]
    return _flat(objects, np.concatenate(outlines), f"worn_{kind}")


def tar_seal(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """Cracks filled with tar: black winding bands, or bare cracks that were not filled."""
    del ground
    shape, points = Shape(), []
    bare = rng.random() < 0.35
    look = m.plain((0.012, 0.012, 0.012), 1.0) if bare else _tar()
    for band in range(int(rng.integers(1, 6))):
        steps = int(rng.integers(10, 30))
        angles = rng.uniform(0, 6.28) + np.cumsum(rng.normal(0, 0.35, steps))
        path = np.cumsum(np.stack([np.cos(angles), np.sin(angles)], axis=1), axis=0)
        path = (path - path.mean(axis=0)) / np.abs(path - path.mean(axis=0)).max() * size_m / 2
        path = path + rng.normal(0, size_m * 0.1, 2)
        width = float(rng.uniform(0.01, 0.03) if bare else rng.uniform(0.05, 0.13))
        pieces.ribbon(shape, path, width * rng.uniform(0.6, 1.3, steps), look, _LAY + 0.001 * band)
        points.append(path)
    return _flat([shape.build("tar")], np.concatenate(points), "cracks" if bare else "tar_seal")


def tyre_marks(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """One or two rubber streaks, straight or swerving."""
    del ground
    look = pieces.layer(
        (0.010, 0.010, 0.010), 0.8, cover=float(rng.uniform(0.35, 0.8)), grain=0.5, scale=6.0
    )
    along = np.linspace(-size_m / 2, size_m / 2, 24)
    swerve = float(rng.normal(0, 0.6)) * np.sin((along / size_m + rng.uniform()) * 3.1)
    objects, points = [], []
    for side in (-0.75, 0.75) if rng.random() < 0.75 else (0.0,):
        path = np.column_stack([swerve + side, along])
        streak = Shape()
        pieces.ribbon(streak, path, float(rng.uniform(0.14, 0.22)), look, _LAY)
        thing = streak.build("tyre mark")
        fade = np.tile(np.sin(np.linspace(0.25, math.pi - 0.25, 24)), 2) * 1.1
        thing.data.attributes.new("fade", "FLOAT", "POINT").data.foreach_set("value", fade)
        objects.append(thing)
        points.append(path)
    return _flat(objects, np.concatenate(points), "tyre_marks")


def leaves(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """Fallen leaves, thick in the middle."""
    del ground
    palette = ((0.16, 0.075, 0.02), (0.24, 0.15, 0.03), (0.08, 0.05, 0.025), (0.07, 0.10, 0.025))
    looks = [m.plain(palette[i], 0.8) for i in rng.choice(4, 3, replace=False)]
    count = int(np.clip(260 * size_m, 120, 1500))
    spread = (size_m / 4.2, size_m / 4.2 * float(rng.uniform(0.3, 1)))
    middles = o.lifted(o.turned(rng.normal(0, spread, (count, 2)), float(rng.uniform(0, 3))), 0.01)
    a = rng.normal(0, 0.035, (count, 3)) * (1, 1, 0.35)
    b = rng.normal(0, 0.035, (count, 3)) * (1, 1, 0.35)
    middles[:, 2] += 0.03 * rng.random(count)
    corners = np.stack([middles - a, middles + b, middles + a, middles - b], axis=1)
    shape = Shape()
    faces = [(4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3) for i in range(count)]
    shape.add(corners.reshape(-1, 3), faces, [looks[i] for i in rng.integers(3, size=count)])
    return _flat([shape.build("leaves")], o.blob(rng, (spread[0] * 2, spread[0] * 2)), "leaves")


def speed_bump(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """Rubber segments across the lane, black and yellow, some missing their colour."""
    del ground
    shape, yellow = Shape(), m.plain((0.50, 0.33, 0.02), 0.8)
    faded, black = m.plain((0.25, 0.20, 0.08), 0.9), m.rubber()
    low, pale, width = float(rng.uniform(0.03, 0.06)), rng.random() < 0.3, 0.18
    profile = ((-width, 0.0), (-width * 0.5, low), (width * 0.5, low), (width, 0.0))
    for index, x in enumerate(np.arange(-size_m / 2, size_m / 2 - 0.2, 0.5)):
        look = black if index % 2 else (faded if pale else yellow)
        shape.loft([[(float(end), y, z) for y, z in profile] for end in (x, x + 0.49)], look)
    return _flat([shape.build("speed bump")], _rectangle(size_m / 2, width), "speed_bump")


def steel_plate(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A plate laid over a trench, bare or rusty."""
    del ground
    rusty = rng.random() < 0.5
    colours = ((0.06, 0.035, 0.022), (0.13, 0.075, 0.045)) if rusty else ((0.06,) * 3, (0.13,) * 3)
    look = m.speckled(*colours, 3.0, 0.55)
    half = (size_m / 2, size_m / 2 * float(rng.uniform(0.5, 1.0)))
    turn = float(rng.normal(0, 0.1))
    shape = Shape()
    shape.box((0, 0, 0.0125), (2 * half[0], 2 * half[1], 0.025), look, turn)
    hole = m.plain((0.005, 0.005, 0.005), 1.0)
    for side in (-0.8, 0.8):
        x, y = o.turned(np.array([(side * half[0], 0.0)]), turn)[0]
        shape.box((float(x), float(y), 0.025), (0.07, 0.07, 0.002), hole)
    return _flat([shape.build("steel plate")], o.turned(_rectangle(*half), turn), "steel_plate")


def litter(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A flattened carton, a newspaper or a plastic bag: nothing to brake for."""
    del ground
    kind = str(rng.choice(["flat_cardboard", "plastic_bag", "paper"]))
    shape = Shape()
    if kind == "plastic_bag":
        colour = ((0.7, 0.7, 0.72), (0.02, 0.02, 0.02), (0.5, 0.05, 0.05), (0.05, 0.12, 0.4))
        look = m.plain(colour[rng.integers(4)], 0.3)
        place = np.array([(0.0, 0.0, size_m * 0.25)])
        pieces.scatter(shape, rng, place, np.array([size_m]), (look,), flat=0.6)
    else:
        look = m.plain((0.27, 0.18, 0.10) if kind == "flat_cardboard" else (0.55, 0.55, 0.52), 0.9)
        for x in (-1, 1):
            sheet = np.array([(0.0, -1.0), (x, -0.9), (x, 0.95), (0.0, 1.0)]) * size_m / 2
            rise = np.abs(rng.normal(0, 0.05, 4)) * np.array([0, 1, 1, 0]) * size_m + 0.01
            shape.add(o.lifted(sheet, rise), [(0, 1, 2, 3)], look)
    spin = float(rng.uniform(0, 6.28))
    shape.vertices = [o.turned(v, spin) for v in shape.vertices]
    return _solid([shape.build(kind, smooth=kind == "plastic_bag")], shape.points(), kind)


def dog(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A stray dog, ``size_m`` long, standing or walking."""
    del ground
    colours = ((0.02, 0.018, 0.016), (0.22, 0.13, 0.06), (0.45, 0.40, 0.33), (0.12, 0.10, 0.09))
    fur, k = m.plain(colours[rng.integers(4)], 0.95), size_m
    shape, step = Shape(), float(rng.uniform(-0.12, 0.12))
    shape.ellipsoid((0, 0, 0.48 * k), (0.13 * k, 0.36 * k, 0.15 * k), fur, 10)
    shape.ellipsoid((0, 0.44 * k, 0.66 * k), (0.09 * k, 0.14 * k, 0.10 * k), fur, 8)
    shape.ellipsoid((0, 0.56 * k, 0.62 * k), (0.045 * k, 0.10 * k, 0.045 * k), fur, 6)
    shape.tube((0, 0.28 * k, 0.52 * k), (0, 0.42 * k, 0.64 * k), 0.085 * k, fur, points=8)
    shape.tube((0, -0.34 * k, 0.52 * k), (0, -0.52 * k, 0.70 * k), 0.03 * k, fur, points=6)
    for side in (-1, 1):
        shape.box((side * 0.06 * k, 0.42 * k, 0.77 * k), (0.05 * k, 0.04 * k, 0.09 * k), fur)
        for y in (-0.25, 0.25):
            top = (side * 0.08 * k, y * k, 0.46 * k)
            foot = (side * 0.08 * k, (y + side * step * (1 if y > 0 else -1)) * k, 0.0)
            shape.tube(top, foot, 0.05 * k, fur, end_radius=0.03 * k, points=6)
    return _solid([shape.build("dog", smooth=True)], shape.points(), "dog")


def _tar() -> bpy.types.Material:
    return m.plain((0.009, 0.009, 0.010), 0.65)


def _rectangle(half_x: float, half_y: float) -> np.ndarray:
    return np.array([(-half_x, -half_y), (half_x, -half_y), (half_x, half_y), (-half_x, half_y)])


def _rounded(half_x: float, half_y: float, radius: float) -> np.ndarray:
    """A rectangle with round corners, (N, 2)."""
    angles = o.around(48)
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    inner = np.maximum((half_x - radius, half_y - radius), 0.01)
    return np.sign(unit) * inner + unit * min(radius, half_x, half_y)


def _dense(corners: np.ndarray, every_m: float) -> np.ndarray:
    """A polygon with points along its sides."""
    sides = zip(corners, np.roll(corners, -1, axis=0), strict=True)
    return np.concatenate(
        [
            np.linspace(a, b, max(2, int(np.linalg.norm(b - a) / every_m)), endpoint=False)
            for a, b in sides
        ]
    )


def _flat(objects: list[bpy.types.Object], outline: np.ndarray, kind: str) -> Thing:
    return _solid(objects, o.lifted(outline), kind)


def _solid(objects: list[bpy.types.Object], points: np.ndarray, kind: str) -> Thing:
    across, along = np.ptp(points[:, :2], axis=0)
    return Thing(tuple(objects), points, "none", kind, (float(across), float(along)))


MAKERS = (
    Maker("shadow", "none", shadow, (1.5, 7.0), 3.0),
    Maker("patch", "none", patch, (0.4, 4.0), 3.0),
    Maker("fresh_asphalt", "none", fresh_asphalt, (3.0, 12.0), 0.6, turns=False),
    Maker("stain", "none", stain, (0.4, 4.0), 2.5),
    Maker("manhole_cover", "none", cover, (0.6, 0.8), 2.0),
    Maker("grating", "none", grating, (0.4, 3.0), 1.0),
    Maker("worn_marking", "none", marking, (1.0, 5.0), 1.0, turns=False),
    Maker("tar_seal", "none", tar_seal, (1.0, 6.0), 1.2),
    Maker("tyre_marks", "none", tyre_marks, (4.0, 15.0), 0.8, turns=False),
    Maker("leaves", "none", leaves, (0.8, 4.0), 0.8),
    Maker("speed_bump", "none", speed_bump, (3.0, 6.0), 0.5, turns=False),
    Maker("steel_plate", "none", steel_plate, (1.2, 2.6), 0.8),
    Maker("litter", "none", litter, (0.25, 0.7), 1.0),
    Maker("dog", "none", dog, (0.6, 1.0), 0.5),
)
