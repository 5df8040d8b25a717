"""What stands beside a street and never moves: houses, sheds, walls, trees, poles, lamps, rails."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from . import materials as m
from .mesh import Shape, link_copy
from .street import tree

if TYPE_CHECKING:
    import bpy

    from .plans import Plan

_WALLS = (
    (0.45, 0.38, 0.30), (0.50, 0.48, 0.45), (0.36, 0.20, 0.14), (0.62, 0.60, 0.56),
    (0.25, 0.25, 0.26), (0.55, 0.45, 0.28), (0.30, 0.34, 0.36), (0.42, 0.16, 0.12),
)  # fmt: skip
_REACH = 95.0  # beyond it nothing is built one by one


@dataclass
class Frontage:
    """``lamps`` are the places of lamp heads, (x, y, z)."""

    objects: list[bpy.types.Object] = field(default_factory=list)
    lamps: list[tuple[float, float, float]] = field(default_factory=list)


def build(plan: Plan, rng: np.random.Generator) -> Frontage:
    """Both sides of the street."""
    made, height = Frontage(), 0.12 if plan.edge in ("kerb", "parapet") else 0.0
    fixed, fine = Shape(), Shape()
    for side, edge, walk in ((-1, plan.left, plan.walks[0]), (1, plan.right, plan.walks[1])):
        for near, far in plan.stretches:
            face = edge + side * (walk + (0.2 if plan.edge != "open" else 3.0))
            if plan.houses:
                _houses(fixed, rng, plan, (side, face, near, min(far, 125.0)))
        _poles(fine, made, rng, plan, (side, edge, walk, height))
    if plan.edge == "parapet":
        _parapet(fixed, plan)
    made.objects.append(fixed.build("frontage"))
    made.objects.append(fine.build("poles"))
    _trees(made, rng, plan, height)
    return made


def _houses(
    shape: Shape, rng: np.random.Generator, plan: Plan, strip: tuple[int, float, float, float]
) -> None:
    side, face, y, far = strip
    while y < far - 3:
        length = min(float(rng.uniform(7, 18)), far - y)
        if rng.random() < plan.houses:
            floors = int(rng.integers(plan.floors[0], plan.floors[1] + 1))
            setback = float(rng.choice([0.0, 0.0, 2.0, 6.0]))
            _house(shape, rng, (side, face + side * setback, y, length, floors))
        elif rng.random() < 0.6:
            wall = m.speckled(*_shades(_WALLS[rng.integers(len(_WALLS))]), 0.9)
            shape.box((side * 0.15 + face, y + length / 2, 1.1), (0.25, length, 2.2), wall)
        y += length + float(rng.choice([0.05, 0.05, 2.5]))


def _house(
    shape: Shape, rng: np.random.Generator, spot: tuple[int, float, float, float, int]
) -> None:
    side, face, start, length, floors = spot
    deep, high = 9.0, 1.0 + 3.0 * floors
    wall = m.speckled(*_shades(_WALLS[rng.integers(len(_WALLS))]), 0.6)
    middle = start + length / 2
    shape.box((face + side * deep / 2, middle, high / 2), (deep, length, high), wall)
    roof = m.plain((0.3, 0.29, 0.28)) if floors > 2 else m.plain((0.22, 0.10, 0.07))
    shape.box((face + side * deep / 2, middle, high + 0.2), (deep + 0.5, length, 0.4), roof)
    if start > _REACH:
        return
    bays = max(1, int(length // 3.2))
    pitch, shops = length / bays, rng.random() < 0.6
    frame = m.plain((0.55, 0.55, 0.53), 0.5)
    for bay in range(bays):
        y = start + (bay + 0.5) * pitch
        if shops:
            shut = rng.random() < 0.4
            look = m.plain((0.28, 0.29, 0.30), 0.5) if shut else m.window()
            sign = m.plain(tuple(np.round(rng.choice([0.02, 0.15, 0.5], 3), 2).tolist()), 0.5)
            shape.box((face - side * 0.03, y, 1.45), (0.12, pitch * 0.82, 2.5), look)
            shape.box((face - side * 0.12, y, 3.1), (0.2, pitch * 0.92, 0.7), sign)
        for floor in range(1 if shops else 0, min(floors, 5)):
            z = 2.1 + floor * 3.0
            shape.box((face - side * 0.01, y, z), (0.10, 1.7, 1.6), frame)
            pane = m.lit_window() if rng.random() < 0.12 else m.window()
            shape.box((face - side * 0.03, y, z), (0.10, 1.55, 1.45), pane)


def _poles(
    shape: Shape,
    made: Frontage,
    rng: np.random.Generator,
    plan: Plan,
    strip: tuple[int, float, float, float],
) -> None:
    """Lamp posts, power poles, signs, bins beside one edge."""
    side, edge, walk, ground = strip
    steel, timber = m.plain((0.25, 0.26, 0.27), 0.4, 0.6), m.plain((0.22, 0.19, 0.16), 0.9)
    x = edge + side * 0.5
    every, high = rng.uniform(18, 30), rng.uniform(6.0, 9.5)
    reach = min(rng.uniform(1.2, 2.6), (plan.right - plan.left) / 2)
    for y in np.arange(rng.uniform(-20, 6), _REACH, every).tolist():
        # The camera's own post stands at Y = 0: none close before it.
        if (plan.edge == "earth" and side < 0) or 0 < y < 10:
            continue
        made.lamps.append((x - side * reach, y, high - 0.12))
        shape.tube((x, y, ground), (x, y, high - 0.4), 0.09, steel, end_radius=0.06, points=8)
        head = (x - side * reach, y, high)
        shape.tube((x, y, high - 0.5), head, 0.05, steel, points=6)
        shape.box(head, (0.8, 0.3, 0.14), steel)
    if side > 0 and rng.random() < 0.7:
        made.lamps.append((x - side * reach, 1.0, high))  # on the camera's own post
    if rng.random() < 0.5 and plan.edge != "parapet":
        x = edge + side * max(0.8, walk - 0.4)
        spots = np.arange(rng.uniform(-14, 0), _REACH, 24.0).tolist()
        for y in spots:
            shape.tube((x, y, 0), (x, y, 7.5), 0.13, timber, end_radius=0.09, points=8)
            shape.box((x, y, 7.0), (1.4, 0.1, 0.1), timber)
        for offset in (-0.6, 0.0, 0.6):
            for a, b in pairwise(spots):
                shape.tube((x + offset, a, 7.1), (x + offset, b, 7.1), 0.012, steel, points=3)
    for y in rng.uniform(8, 60, rng.poisson(3)).tolist():
        x = edge + side * rng.uniform(0.4, max(0.5, walk - 0.3))
        if rng.random() < 0.5:
            bin_look = m.plain((0.05, 0.16, 0.10), 0.6)
            shape.tube((x, y, 0), (x, y, ground + 0.95), 0.28, bin_look, points=10)
        else:
            shape.tube((x, y, 0), (x, y, 2.8), 0.035, steel, points=6)
            sign = m.plain(
                ((0.5, 0.02, 0.02), (0.02, 0.08, 0.4), (0.6, 0.5, 0.05))[rng.integers(3)]
            )
            shape.tube((x, y - 0.02, 2.6), (x, y + 0.02, 2.6), 0.32, sign, points=16)


def _parapet(shape: Shape, plan: Plan) -> None:
    look, steel = m.speckled((0.3, 0.3, 0.29), (0.45, 0.45, 0.43), 1.0), m.chrome()
    for side, edge, walk in ((-1, plan.left, plan.walks[0]), (1, plan.right, plan.walks[1])):
        x = edge + side * (walk + 0.1)
        shape.box((x, 60, 0.35), (0.25, 150, 0.8), look)
        for y in np.arange(-10, 100, 2.0).tolist():
            shape.tube((x, y, 0.7), (x, y, 1.25), 0.03, steel, points=6)
        shape.box((x, 45, 1.25), (0.07, 110, 0.06), steel)


def _trees(made: Frontage, rng: np.random.Generator, plan: Plan, ground: float) -> None:
    if not plan.trees:
        return
    kinds = [tree(rng, f"tree {i}") for i in range(2)]
    every = rng.uniform(6, 12)
    for side, edge, walk in ((-1, plan.left, plan.walks[0]), (1, plan.right, plan.walks[1])):
        for y in np.arange(-8.0, 85.0, every).tolist():
            inside = any(near < y < far for near, far in plan.stretches)
            if rng.random() > plan.trees or not inside or -4 < y < 13:  # not before the lens
                continue
            one = link_copy(kinds[rng.integers(len(kinds))], "tree")
            off = min(0.9, walk / 2) if plan.edge == "kerb" else walk + rng.uniform(0, 2)
            one.location = (edge + side * off, y + rng.uniform(-1, 1), ground)
            one.rotation_euler = (0, 0, rng.uniform(0, 6.28))
            one.scale = (rng.uniform(0.8, 1.5),) * 3
            made.objects.append(one)
    for kind in kinds:
        kind.hide_render = True


def _shades(colour: m.Colour) -> tuple[m.Colour, m.Colour]:
    return tuple(c * 0.85 for c in colour), tuple(c * 1.1 for c in colour)
