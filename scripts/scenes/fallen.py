"""Trees that lie on the road, with leaves or bare, and broken branches."""

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

_BARKS = ((0.070, 0.050, 0.035), (0.035, 0.028, 0.022), (0.16, 0.14, 0.12), (0.10, 0.075, 0.05))
_LEAVES = (
    ((0.030, 0.075, 0.015), (0.050, 0.110, 0.020), (0.020, 0.050, 0.012)),
    ((0.060, 0.110, 0.025), (0.085, 0.140, 0.040), (0.040, 0.080, 0.020)),
    ((0.150, 0.110, 0.020), (0.200, 0.120, 0.025), (0.090, 0.080, 0.020)),
    ((0.100, 0.060, 0.025), (0.140, 0.085, 0.035), (0.060, 0.040, 0.020)),
)
_WOOD = (0.42, 0.30, 0.17)  # where it broke


class _Growth:
    """Limbs and twigs gathered while a tree grows, lying along +X."""

    def __init__(self, rng: np.random.Generator, bark: bpy.types.Material) -> None:
        self.rng, self.bark = rng, bark
        self.wood = Shape()
        self.twigs: list[np.ndarray] = []

    def grow(
        self, start: np.ndarray, way: np.ndarray, length: float, radius: float, order: int
    ) -> None:
        """A limb and, from it, thinner ones, down to twigs that carry the leaves."""
        steps = 6 if order < 2 else 4
        turns = np.cumsum(self.rng.normal(0, 0.16, (steps, 3)), axis=0)
        ways = way + turns * (0.6, 0.6, 0.4)
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        path = np.vstack([start, start + np.cumsum(ways * length / steps, axis=0)])
        path[:, 2] = np.maximum(path[:, 2], radius * 0.8)  # the ground stops it
        radii = np.linspace(radius, radius * 0.35, steps + 1)
        pieces.limb(self.wood, path, radii, self.bark, points=(9, 6, 4, 3)[min(order, 3)])
        if order >= 2 or length < 0.35:
            self.twigs.append(path[1:])
        if order >= 3 or length < 0.35:
            return
        for _ in range(int(self.rng.integers(3, 6))):
            at = self.rng.uniform(0.25, 1.0)
            spot = path[int(at * steps)]
            spread = way + self.rng.normal(0, 0.75, 3) * (1, 1, 0.8)
            spread /= np.linalg.norm(spread)
            share = self.rng.uniform(0.4, 0.65)
            self.grow(spot, spread, length * share, radius * (1 - 0.55 * at) * 0.6, order + 1)


def _leafed(
    rng: np.random.Generator, twigs: list[np.ndarray], count: int, size: float
) -> tuple[Shape, np.ndarray]:
    """Leaf sprays around the twigs, and their middles."""
    shape, spots = Shape(), np.concatenate(twigs)
    palette = _LEAVES[rng.choice(4, p=(0.45, 0.4, 0.06, 0.09))]
    looks = [m.plain(colour, 0.75) for colour in palette]
    middles = spots[rng.integers(len(spots), size=count)] + rng.normal(0, size * 1.5, (count, 3))
    middles[:, 2] = np.abs(middles[:, 2]) + 0.01
    a, b = rng.normal(0, size * 0.55, (2, count, 3))
    corners = np.stack([middles - a, middles + b, middles + a, middles - b], axis=1)
    corners[..., 2] = np.maximum(corners[..., 2], 0.01)
    faces = [(4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3) for i in range(count)]
    shape.add(corners.reshape(-1, 3), faces, [looks[i] for i in rng.integers(3, size=count)])
    return shape, middles


def _roots(shape: Shape, rng: np.random.Generator, at: np.ndarray, radius: float) -> None:
    """The root plate torn out of the ground: a disc of soil on edge, with roots."""
    angles = o.around(18)
    wide = radius * rng.uniform(4.0, 6.5)
    rim = wide * (1 + rng.normal(0, 0.15, 18))
    disc = np.column_stack(
        [rng.normal(0, 0.06, 18) * wide, rim * np.cos(angles), rim * np.sin(angles)]
    )
    centre = at + np.array((0.0, 0.0, wide * 0.55))
    disc = disc + centre
    disc[:, 2] = np.maximum(disc[:, 2], 0.0)
    back = disc - (wide * 0.3, 0, 0)
    shape.loft([back * 0.9 + centre * 0.1, disc], m.soil())
    for angle in rng.uniform(0, 2 * math.pi, 8):
        way = np.array([-0.7, math.cos(angle), math.sin(angle)])
        path = centre + np.outer(np.linspace(0.2, 1.5, 5), way * wide) + rng.normal(0, 0.05, (5, 3))
        path[:, 2] = np.maximum(path[:, 2], 0.02)
        pieces.limb(
            shape, path, np.linspace(radius * 0.4, radius * 0.08, 5), m.plain(_BARKS[0], 0.95), 4
        )


def tree(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A whole tree, or its upper part, ``size_m`` long across the road."""
    del ground
    bark = m.plain(_BARKS[rng.integers(len(_BARKS))], 0.95)
    growth, long = _Growth(rng, bark), size_m
    radius = float(np.clip(long * rng.uniform(0.016, 0.034), 0.04, 0.4))
    begin = np.array([-long * 0.5, 0.0, radius])
    stem = rng.uniform(0.25, 0.5)
    steps = np.linspace(0, 1, 8)
    bend = np.sin(steps * math.pi) * rng.normal(0, 0.05) * long
    rise = radius + steps**2 * long * rng.uniform(0.02, 0.10)
    trunk = np.column_stack([begin[0] + steps * long * 0.8, bend, rise])
    pieces.limb(growth.wood, trunk, np.linspace(radius, radius * 0.4, 8), bark, 10)
    for _ in range(int(rng.integers(7, 12))):
        at = rng.uniform(stem, 1.0)
        spot = np.array([np.interp(at, steps, trunk[:, k]) for k in range(3)])
        way = np.array([rng.uniform(0.3, 1.0), rng.normal(0, 0.7), rng.normal(0.15, 0.5)])
        way /= np.linalg.norm(way)
        growth.grow(spot, way, long * rng.uniform(0.18, 0.32), radius * (1.1 - 0.7 * at) * 0.5, 1)
    if uprooted := rng.random() < 0.4:
        _roots(growth.wood, rng, begin, radius)
    else:
        cut = begin + np.array((-0.004, 0, 0))
        pieces.limb(
            growth.wood, np.stack([cut, begin]), np.full(2, radius * 0.97), m.plain(_WOOD, 0.8), 10
        )
    kind = "uprooted_tree" if uprooted else "fallen_tree"
    return _lying(rng, growth, "fallen_tree", kind, long, bare=rng.random() < 0.2)


def crown(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A broken-off crown or large bough: mostly leaves."""
    return _bough(rng, size_m, ground, "fallen_tree", "fallen_bough")


def branch(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A branch or a few lying alone."""
    return _bough(rng, size_m, ground, "debris", "branch")


def _bough(
    rng: np.random.Generator, size_m: float, ground: Ground, class_name: str, kind: str
) -> Thing:
    del ground
    growth = _Growth(rng, m.plain(_BARKS[rng.integers(len(_BARKS))], 0.95))
    radius = size_m * float(rng.uniform(0.012, 0.025))
    for _ in range(1 if class_name == "debris" else int(rng.integers(1, 4))):
        start = np.array([-size_m / 2, rng.normal(0, 0.06) * size_m, radius])
        way = np.array([1.0, rng.normal(0, 0.25), 0.08])
        growth.grow(start, way / np.linalg.norm(way), size_m * 0.75, radius, 1)
    return _lying(rng, growth, class_name, kind, size_m, bare=rng.random() < 0.25)


def _lying(
    rng: np.random.Generator,
    growth: _Growth,
    class_name: str,
    kind: str,
    long: float,
    *,
    bare: bool,
) -> Thing:
    """The grown thing with its leaves, brought to its length, centred on its origin."""
    points, shapes = growth.wood.points(), [growth.wood]
    if not bare:
        count = int(np.clip(2800 - len(growth.wood.faces), 500, 2200))
        size = float(np.clip(long * rng.uniform(0.02, 0.036), 0.03, 0.3))
        leaves, middles = _leafed(rng, growth.twigs, count, size)
        shapes.append(leaves)
        points = np.concatenate([points, middles])
    low, high = points.min(axis=0), points.max(axis=0)
    scale = long / (high[0] - low[0])
    middle = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, 0.0])
    turn = float(rng.uniform(0, 2 * math.pi))
    for shape in shapes:
        shape.vertices = [o.turned((v - middle) * scale, turn) for v in shape.vertices]
    outline = o.extremes(o.turned((points - middle) * scale, turn))
    across, along = np.ptp(outline[:, :2], axis=0)
    objects = tuple(shape.build(kind) for shape in shapes)
    return Thing(objects, outline, class_name, kind, (float(across), float(along)))


MAKERS = (
    Maker("fallen_tree", "fallen_tree", tree, (3.0, 9.0), 3.0),
    Maker("fallen_bough", "fallen_tree", crown, (2.0, 6.0), 1.5),
    Maker("branch", "debris", branch, (0.6, 2.5), 1.0),
)
