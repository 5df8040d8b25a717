"""What people put in the road to close it: cones, barriers, fences, blocks, drums."""

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

_ORANGE, _RED = (0.62, 0.10, 0.015), (0.50, 0.02, 0.015)
_YELLOW, _WHITE = (0.60, 0.36, 0.02), (0.62, 0.62, 0.60)

Piece = tuple[Shape, float]  # one element standing at the origin, and its length along X


def cone(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """One traffic cone, ``size_m`` tall, sometimes knocked over."""
    del ground
    shape, look = _cone(rng, size_m), float(rng.uniform(0, 2 * math.pi))
    if rng.random() < 0.12:
        pieces.tilted(shape, math.radians(90), 0.0, look, (0.0, 0.0, size_m * 0.18))
    return _thing([shape.build("cone")], shape.points(), "cone")


def cone_row(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """Cones in a line or an arc, some askew or missing."""
    del ground
    tall, gap = float(rng.uniform(0.45, 0.9)), float(rng.uniform(0.8, 1.8))
    one = _cone(rng, tall)
    return _row(rng, size_m, "cone_row", lambda: (one, gap), loose=0.12, fallen=0.06)


def _cone(rng: np.random.Generator, tall: float) -> Shape:
    shape = Shape()
    skin = m.plain(_ORANGE if rng.random() < 0.6 else _RED, 0.6)
    band = m.plain(_WHITE, 0.35)
    foot = tall * float(rng.uniform(0.24, 0.3))
    base = skin if rng.random() < 0.5 else m.rubber()
    shape.box((0, 0, 0.02), (foot * 2, foot * 2, 0.04), base)
    heights = (0.04, 0.36, 0.54, 0.68, 0.82, 1.0)
    unit = np.stack([np.cos(o.around(10)), np.sin(o.around(10))], axis=1)
    rings = [o.lifted(unit * foot * (0.82 - 0.66 * h), h * tall) for h in heights]
    two = rng.random() < 0.6
    looks = (skin, band, skin, band if two else skin, skin)
    shape.loft(rings, lambda row, _: looks[row])
    return shape


def plastic_barrier(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """Water-filled plastic barriers end to end, red and white or all of one colour."""
    del ground
    pair = ((_RED, _WHITE), (_RED, _RED), (_ORANGE, _WHITE), (_YELLOW, _YELLOW))[rng.integers(4)]
    long, tall = float(rng.uniform(1.0, 1.9)), float(rng.uniform(0.65, 1.0))
    both = [_profiled(long, tall, 0.24, 0.09, m.plain(colour, 0.5)) for colour in pair]
    turn = iter(int(i) for i in np.arange(1000) % 2)
    return _row(rng, size_m, "plastic_barrier", lambda: (both[next(turn)], long), loose=0.05)


def concrete_barrier(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """Concrete walls of the usual profile, bare or painted in stripes."""
    del ground
    long = float(rng.uniform(1.5, 3.0))
    grey = m.speckled((0.20, 0.195, 0.185), (0.34, 0.33, 0.31), 1.2)
    piece = _profiled(long, 0.82, 0.30, 0.09, grey)
    if rng.random() < 0.4:
        for index, x in enumerate(np.arange(-long / 2 + 0.2, long / 2 - 0.1, 0.4)):
            colour = m.plain(_YELLOW if index % 2 else (0.02, 0.02, 0.02), 0.7)
            piece.box((float(x), 0, 0.66), (0.38, 0.25, 0.22), colour)
    return _row(rng, size_m, "concrete_barrier", lambda: (piece, long), loose=0.05)


def _profiled(long: float, tall: float, foot: float, top: float, look: bpy.types.Material) -> Shape:
    """A wall with a broad foot: half widths ``foot`` and ``top``."""
    side = ((foot, 0.0), (foot, 0.12 * tall), (top * 1.4, 0.45 * tall), (top, tall))
    ring = [(y, z) for y, z in side] + [(-y, z) for y, z in reversed(side)]
    shape = Shape()
    shape.loft([[(x, y, z) for y, z in ring] for x in (-long / 2 + 0.02, long / 2 - 0.02)], look)
    return shape


def trestle(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A-frame barriers with striped boards, one or several."""
    del ground
    long, tall = float(rng.uniform(1.0, 2.0)), float(rng.uniform(0.8, 1.15))
    colours = ((_RED, _WHITE), ((0.02, 0.02, 0.02), _YELLOW), (_ORANGE, _WHITE))[rng.integers(3)]
    striped = [m.plain(c, 0.5) for c in colours]
    steel = m.plain((0.35, 0.35, 0.36), 0.4, 0.6)
    shape = Shape()
    for x in (-long / 2 + 0.12, long / 2 - 0.12):
        for y in (-0.3, 0.3):
            shape.tube((x, y, 0), (x, 0, tall), 0.025, steel, points=5)
    boards = [0.85] if rng.random() < 0.5 else [0.9, 0.5]
    for share in boards:
        for index, x in enumerate(np.arange(-long / 2, long / 2 - 0.1, 0.25)):
            place = (float(x) + 0.125, 0, share * tall)
            shape.box(place, (0.25, 0.05, 0.2), striped[index % 2])
    return _row(rng, size_m, "trestle", lambda: (shape, long + 0.3), loose=0.15, fallen=0.05)


def fence(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """Crowd-control fences of steel bars, or panels of sheet or of orange mesh."""
    del ground
    kind = int(rng.integers(3))
    long, tall = (2.0, 1.05) if kind == 0 else (float(rng.uniform(1.5, 2.4)), 1.7)
    steel = m.plain((0.40, 0.41, 0.42), 0.35, 0.7)
    colours = ((0.03, 0.14, 0.40), (0.05, 0.25, 0.12), (0.55, 0.55, 0.52), _YELLOW)
    shape, half = Shape(), long / 2 - 0.05
    for x in (-half, half):
        shape.tube((x, 0, 0.0), (x, 0, tall), 0.025, steel, points=5)
        shape.box((x, 0, 0.015), (0.06, 0.6, 0.03), steel)
    for z in (0.15, tall):
        shape.tube((-half, 0, z), (half, 0, z), 0.022, steel, points=5)
    if kind == 0:
        for x in np.linspace(-half, half, 14)[1:-1]:
            shape.tube((float(x), 0, 0.15), (float(x), 0, tall), 0.012, steel, points=4)
    elif kind == 1:
        sheet = m.plain(colours[rng.integers(4)], 0.5)
        shape.box((0, 0, tall / 2 + 0.08), (long - 0.12, 0.03, tall - 0.16), sheet)
    else:
        net = m.plain(_ORANGE, 0.8)
        for z in np.arange(0.2, tall, 0.09):
            shape.box((0, 0, float(z)), (long - 0.1, 0.012, 0.035), net)
        for x in np.arange(-half, half, 0.12):
            shape.box((float(x), 0, tall / 2 + 0.1), (0.03, 0.012, tall - 0.2), net)
    name = ("steel_fence", "panel_fence", "mesh_fence")[kind]
    return _row(rng, size_m, name, lambda: (shape, long), loose=0.1, fallen=0.05)


def drum(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """Plastic drums or posts with bands."""
    del ground
    slim = rng.random() < 0.4
    radius, tall = (0.05, 0.9) if slim else (float(rng.uniform(0.22, 0.32)), 0.9)
    skin, band = m.plain(_ORANGE if rng.random() < 0.6 else _RED, 0.5), m.plain(_WHITE, 0.35)
    unit = np.stack([np.cos(o.around(12)), np.sin(o.around(12))], axis=1)
    shape, heights = Shape(), (0.0, 0.25, 0.42, 0.6, 0.77, 1.0)
    rings = [o.lifted(unit * radius * (1.1 - 0.2 * h), h * tall) for h in heights]
    shape.loft(rings, lambda row, _: band if row in (1, 3) else skin)
    if slim:
        shape.tube((0, 0, 0), (0, 0, 0.05), 0.18, m.rubber(), points=12)
    gap = float(rng.uniform(0.9, 2.0))
    return _row(rng, size_m, "post" if slim else "drum", lambda: (shape, gap), loose=0.1)


def sign(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A portable warning sign: a triangle, an arrow board or a plain board on legs."""
    del ground
    tall, shape = size_m, Shape()
    steel, black = m.plain((0.3, 0.3, 0.31), 0.5, 0.5), m.plain((0.02, 0.02, 0.02), 0.6)
    board = m.plain((_YELLOW, _ORANGE, (0.03, 0.1, 0.45))[rng.integers(3)], 0.4)
    for x in (-0.3, 0.3):
        shape.tube((x, -0.15, 0), (x * 0.7, 0, tall * 0.7), 0.02, steel, points=5)
        shape.tube((x, 0.3, 0), (x * 0.7, 0, tall * 0.7), 0.02, steel, points=5)
    half, low = 0.42 * min(1.0, tall), tall * 0.4
    if rng.random() < 0.45:
        rings = [[(-half, y, low), (half, y, low), (0.0, y, low + 1.7 * half)] for y in (-0.03, 0)]
        shape.loft(rings, board)
        shape.box((0, -0.035, low + 0.5 * half), (0.07, 0.01, 0.6 * half), black)
    else:
        shape.box((0, -0.02, (low + tall) / 2), (2 * half, 0.03, tall - low), board)
        for z in (0.35, 0.65):
            at = low + (tall - low) * z
            shape.box((0, -0.04, at), (1.4 * half, 0.01, 0.05), black)
    turn = float(rng.uniform(0, 2 * math.pi))
    shape.vertices = [o.turned(v, turn) for v in shape.vertices]
    return _thing([shape.build("sign")], shape.points(), "warning_sign")


def _row(
    rng: np.random.Generator,
    size_m: float,
    kind: str,
    next_piece: Callable[[], Piece],
    *,
    loose: float,
    fallen: float = 0.0,
) -> Thing:
    """Pieces side by side over ``size_m``, along a line or an arc, in any direction."""
    whole, x, heading = Shape(), 0.0, 0.0
    place, bend = np.zeros(2), float(rng.normal(0, 0.10))
    while x < size_m or not whole.vertices:
        piece, long = next_piece()
        middle = place + np.array([math.cos(heading), math.sin(heading)]) * long / 2
        place = middle + np.array([math.cos(heading), math.sin(heading)]) * long / 2
        turn, spot = heading + float(rng.normal(0, loose)), middle + rng.normal(0, loose * 0.4, 2)
        points = piece.points()
        if rng.random() < fallen:
            points = o.tilt(points, math.radians(88), 0.0, 0.0)
            points[:, 2] -= points[:, 2].min()
        moved = o.turned(points, turn) + np.array([*spot, 0.0])
        whole.add(moved, piece.faces, piece.materials)
        x, heading = x + long, heading + bend
    points = whole.points()
    middle3 = np.array([*(points[:, :2].min(axis=0) + points[:, :2].max(axis=0)) / 2, 0.0])
    turn = float(rng.uniform(0, math.pi))
    whole.vertices = [o.turned(v - middle3, turn) for v in whole.vertices]
    return _thing([whole.build(kind)], whole.points(), kind)


def _thing(objects: list[bpy.types.Object], points: np.ndarray, kind: str) -> Thing:
    outline = o.extremes(points)
    across, along = np.ptp(outline[:, :2], axis=0)
    return Thing(tuple(objects), outline, "barrier", kind, (float(across), float(along)))


MAKERS = (
    Maker("cone", "barrier", cone, (0.45, 0.95), 2.5),
    Maker("cone_row", "barrier", cone_row, (2.0, 9.0), 2.0),
    Maker("plastic_barrier", "barrier", plastic_barrier, (1.0, 8.0), 2.0),
    Maker("concrete_barrier", "barrier", concrete_barrier, (1.5, 8.0), 1.0),
    Maker("trestle", "barrier", trestle, (1.0, 5.0), 1.5),
    Maker("fence", "barrier", fence, (2.0, 8.0), 1.2),
    Maker("drum", "barrier", drum, (0.3, 6.0), 1.0),
    Maker("warning_sign", "barrier", sign, (0.7, 1.5), 0.8),
)
