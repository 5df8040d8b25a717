"""A two-way street: carriageway, bays, kerbs, footways, houses, trees and lamps."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from . import materials as m
from . import vehicles
from .mesh import Extent, Shape, link_copy

LANE = 1.85  # the middle of a lane, from the middle of the street
RUNNING = 3.6  # half width of the running lanes: the carriageway zone
KERB = 5.7  # half width from kerb to kerb, parking bays included
KERB_HEIGHT = 0.12
LAMP_FIRST, LAMP_EVERY, LAMP_HEIGHT, LAMP_REACH = 16.5, 21.0, 8.6, 2.3
NEAR, FAR = -14.0, 130.0


@dataclass(frozen=True)
class Street:
    """What makes one street differ from another."""

    seed: int
    tone: float = 0.085
    footway: tuple[float, float] = (3.6, 3.6)
    paving: tuple[m.Colour, m.Colour] = ((0.23, 0.21, 0.19), (0.27, 0.25, 0.23))
    walls: tuple[m.Colour, ...] = ((0.45, 0.38, 0.30), (0.50, 0.48, 0.45), (0.36, 0.20, 0.14))
    parked: tuple[tuple[str, float, float], ...] = (("sedan", -1, 19.0), ("suv", -1, 33.0))
    gap: Extent | None = None

    def build(self) -> None:
        """Everything that never moves. ``gap`` (left, near, right, far) is left out of the road."""
        rng = np.random.default_rng(self.seed)
        self._ground()
        self._markings()
        for side, width in zip((-1, 1), self.footway, strict=True):
            self._houses(rng, side, width)
        self._trees(rng)
        self._furniture(rng)
        self._parked(rng)

    def _ground(self) -> None:
        road, shape = m.asphalt(self.tone), Shape()
        for piece in _around(self.gap, (-RUNNING, NEAR, RUNNING, FAR)):
            shape.rectangle(piece, 0.0, road)
        bay = m.asphalt(self.tone * 1.5)
        slabs = m.tiles(*self.paving, 0.3)
        stone = m.speckled((0.30, 0.30, 0.29), (0.42, 0.42, 0.40), 1.5)
        middle, length = (NEAR + FAR) / 2, FAR - NEAR
        for side, width in zip((-1, 1), self.footway, strict=True):
            left, right = sorted((side * RUNNING, side * KERB))
            shape.rectangle((left, NEAR, right, FAR), 0.0, bay)
            shape.box(
                (side * (KERB + 0.09), middle, KERB_HEIGHT / 2 - 0.1),
                (0.18, length, KERB_HEIGHT + 0.2),
                stone,
            )
            shape.box(
                (side * (KERB + 0.18 + width / 2), middle, KERB_HEIGHT / 2 - 0.11),
                (width, length, KERB_HEIGHT + 0.2),
                slabs,
            )
            grass = m.speckled((0.03, 0.06, 0.015), (0.09, 0.12, 0.04), 1.5)
            shape.box((side * (KERB + width + 20), middle, -0.02), (40, length + 40, 0.04), grass)
        shape.build("ground")

    def _markings(self) -> None:
        white, yellow = m.marking(), m.speckled((0.45, 0.26, 0.03), (0.60, 0.36, 0.05), 1.2)
        shape = Shape()
        strips = [(-0.17, NEAR, -0.05, FAR, yellow), (0.05, NEAR, 0.17, FAR, yellow)]
        for side in (-1, 1):
            strips.append((side * RUNNING - 0.07, NEAR, side * RUNNING + 0.07, FAR, white))
            left, right = sorted((side * RUNNING, side * (KERB - 0.1)))
            strips += [(left, y, right, y + 0.12, white) for y in np.arange(8.0, 60.0, 7.0)]
        for *strip, look in strips:
            for piece in _around(self.gap, tuple(strip)):
                shape.rectangle(piece, 0.004, look)
        for x in np.arange(-RUNNING + 0.4, RUNNING - 0.2, 0.95):
            shape.rectangle((x, 42.0, x + 0.45, 46.0), 0.005, white)
        shape.build("markings")

    def _houses(self, rng: np.random.Generator, side: int, footway: float) -> None:
        shape, y = Shape(), NEAR
        face = KERB + 0.2 + footway
        while y < FAR:
            length, floors = float(rng.uniform(9, 17)), int(rng.integers(3, 7))
            deep, high = 9.0, 3.6 + 3.0 * floors
            wall = m.speckled(*_shades(self.walls[rng.integers(len(self.walls))]), 0.6)
            middle = y + length / 2
            shape.box((side * (face + deep / 2), middle, high / 2), (deep, length, high), wall)
            shape.box(
                (side * (face + deep / 2), middle, high + 0.2),
                (deep + 0.5, length, 0.4),
                m.plain((0.3, 0.29, 0.28)),
            )
            self._front(shape, rng, side, (face, y, length, floors))
            y += length + float(rng.choice([0.05, 0.05, 3.0]))
        shape.build("houses")

    def _front(
        self,
        shape: Shape,
        rng: np.random.Generator,
        side: int,
        extent: tuple[float, float, float, int],
    ) -> None:
        face, start, length, floors = extent
        frame, shutter = m.plain((0.55, 0.55, 0.53), 0.5), m.plain((0.28, 0.29, 0.30), 0.5)
        bays = int(length // 3.2)
        pitch = length / bays
        for bay in range(bays):
            y = start + (bay + 0.5) * pitch
            sign = m.plain(tuple(rng.uniform(0.02, 0.55, 3)), 0.5)
            shape.box(
                (side * (face - 0.03), y, 1.45),
                (0.12, pitch * 0.82, 2.5),
                m.window() if rng.random() < 0.6 else shutter,
            )
            shape.box((side * (face - 0.12), y, 3.1), (0.2, pitch * 0.92, 0.7), sign)
            for floor in range(floors):
                z = 5.1 + floor * 3.0
                shape.box((side * (face - 0.01), y, z), (0.10, 1.7, 1.6), frame)
                shape.box((side * (face - 0.03), y, z), (0.10, 1.55, 1.45), m.window())
                if rng.random() < 0.4:
                    shape.box((side * (face - 0.25), y + 1.15, z - 0.7), (0.4, 0.7, 0.55), frame)

    def _trees(self, rng: np.random.Generator) -> None:
        kinds = [tree(rng, f"tree {i}") for i in range(3)]
        for side in (-1, 1):
            for y in np.arange(-4.0 if side < 0 else 21.0, 90.0, 8.5):
                copy = link_copy(kinds[rng.integers(3)], "tree")
                copy.location = (side * (KERB + 0.9), y + rng.uniform(-1, 1), KERB_HEIGHT)
                copy.rotation_euler = (0, 0, rng.uniform(0, 6.28))
                copy.scale = (rng.uniform(0.85, 1.15),) * 3
        for kind in kinds:
            bpy.data.objects.remove(kind)

    def _furniture(self, rng: np.random.Generator) -> None:
        shape, steel = Shape(), m.plain((0.25, 0.26, 0.27), 0.4, 0.6)
        for side in (-1, 1):
            x = side * (KERB + 0.5)
            for y in np.arange(LAMP_FIRST, 100.0, LAMP_EVERY):
                shape.tube((x, y, 0), (x, y, 8.2), 0.09, steel, end_radius=0.06)
                shape.tube((x, y, 8.1), (x - side * 2.2, y, LAMP_HEIGHT), 0.05, steel)
                shape.box((x - side * LAMP_REACH, y, LAMP_HEIGHT), (0.8, 0.3, 0.14), steel)
            far = KERB + self.footway[0 if side < 0 else 1]
            for y in rng.uniform(9.0, 60.0, 5):
                shape.tube(
                    (side * (far - 0.5), y, 0),
                    (side * (far - 0.5), y, 0.95),
                    0.28,
                    m.plain((0.05, 0.16, 0.10), 0.6),
                )
        shape.build("furniture", bevel=0.01)

    def _parked(self, rng: np.random.Generator) -> None:
        for kind, side, y in self.parked:
            colour = tuple(rng.choice([0.02, 0.35, 0.6]) * np.array([1.0, 0.98, 0.96]))
            parked = vehicles.car(kind, colour, f"parked {y}")
            parked.thing.location = (side * (RUNNING + 1.05), y, 0)
            parked.thing.rotation_euler = (0, 0, 3.14159 if side < 0 else 0)


def _around(gap: Extent | None, whole: Extent) -> list[Extent]:
    """The whole rectangle without the gap, as rectangles."""
    left, near, right, far = whole
    if gap is None or gap[0] >= right or gap[2] <= left:
        return [whole]
    a, b, c, d = max(gap[0], left), gap[1], min(gap[2], right), gap[3]
    pieces = [(left, near, right, b), (left, d, right, far), (left, b, a, d), (c, b, right, d)]
    return [p for p in pieces if p[2] - p[0] > 1e-6 and p[3] - p[1] > 1e-6]


def _shades(colour: m.Colour) -> tuple[m.Colour, m.Colour]:
    return tuple(c * 0.85 for c in colour), tuple(c * 1.1 for c in colour)


def tree(rng: np.random.Generator, name: str) -> bpy.types.Object:
    shape, bark = Shape(), m.plain((0.07, 0.05, 0.035), 0.95)
    shape.tube((0, 0, 0), (0, 0, 2.9), 0.14, bark, end_radius=0.09, points=8)
    for _ in range(5):
        tip = rng.normal(0, 0.8, 2)
        shape.tube((0, 0, 2.4), (tip[0], tip[1], 4.2), 0.06, bark, end_radius=0.02, points=6)
    greens = [
        m.plain(c, 0.8) for c in ((0.03, 0.075, 0.015), (0.05, 0.11, 0.02), (0.075, 0.13, 0.035))
    ]
    clumps = rng.normal(0, 1, (9, 3)) * (0.85, 0.85, 0.7) + (0, 0, 4.6)
    for clump in clumps:
        middles = rng.normal(0, 0.42, (380, 3)) + clump
        for middle in middles:
            a, b = rng.normal(0, 0.075, (2, 3))
            shape.add(
                [middle - a, middle + b, middle + a, middle - b],
                [(0, 1, 2, 3)],
                greens[rng.integers(3)],
            )
    return shape.build(name)
