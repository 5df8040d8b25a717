"""Cars, vans, buses, trucks and two-wheelers. Forward is +Y, the origin on the ground below."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import materials as m
from .mesh import Shape, group

if TYPE_CHECKING:
    import bpy

# Stations along a body, rear to front: y, width factor, underside, belt line, half roof width and
# roof height, in metres. Between the rows named by ``rear``, ``pillar`` and ``front`` is glass.
_SEDAN = (
    (-2.30, 0.80, 0.40, 0.70, 0.62, 0.80),
    (-2.24, 0.93, 0.30, 0.84, 0.70, 0.93),
    (-2.10, 0.97, 0.25, 0.93, 0.73, 1.00),
    (-1.72, 1.00, 0.20, 0.95, 0.74, 1.04),
    (-1.45, 1.00, 0.20, 0.95, 0.72, 1.08),
    (-0.92, 1.00, 0.20, 0.94, 0.59, 1.39),
    (-0.55, 1.00, 0.20, 0.93, 0.59, 1.46),
    (-0.16, 1.00, 0.20, 0.92, 0.60, 1.48),
    (-0.04, 1.00, 0.20, 0.92, 0.60, 1.48),
    (0.35, 1.00, 0.20, 0.91, 0.59, 1.45),
    (0.66, 1.00, 0.20, 0.90, 0.58, 1.38),
    (1.28, 1.00, 0.20, 0.88, 0.72, 0.99),
    (1.62, 0.99, 0.20, 0.85, 0.74, 0.93),
    (2.05, 0.95, 0.24, 0.76, 0.70, 0.84),
    (2.24, 0.87, 0.28, 0.68, 0.62, 0.74),
    (2.32, 0.72, 0.38, 0.58, 0.48, 0.63),
)
_SUV = (
    (-2.30, 0.82, 0.45, 0.85, 0.66, 1.00),
    (-2.25, 0.95, 0.34, 0.98, 0.68, 1.12),
    (-2.12, 0.98, 0.28, 1.06, 0.68, 1.18),
    (-2.05, 0.99, 0.27, 1.07, 0.67, 1.22),
    (-1.98, 1.00, 0.27, 1.07, 0.66, 1.26),
    (-1.72, 1.00, 0.26, 1.06, 0.61, 1.62),
    (-1.00, 1.00, 0.26, 1.05, 0.61, 1.68),
    (-0.30, 1.00, 0.26, 1.04, 0.62, 1.69),
    (-0.18, 1.00, 0.26, 1.04, 0.62, 1.69),
    (0.30, 1.00, 0.26, 1.03, 0.61, 1.66),
    (0.62, 1.00, 0.26, 1.02, 0.60, 1.58),
    (1.20, 1.00, 0.26, 1.00, 0.74, 1.12),
    (1.60, 0.99, 0.26, 0.98, 0.76, 1.06),
    (2.05, 0.96, 0.30, 0.88, 0.73, 0.97),
    (2.22, 0.88, 0.34, 0.78, 0.64, 0.86),
    (2.30, 0.74, 0.44, 0.66, 0.50, 0.72),
)
_VAN = (
    (-2.20, 0.86, 0.45, 0.95, 0.70, 1.10),
    (-2.16, 0.97, 0.34, 1.02, 0.72, 1.22),
    (-2.10, 0.99, 0.28, 1.04, 0.72, 1.28),
    (-2.08, 1.00, 0.26, 1.05, 0.71, 1.32),
    (-2.05, 1.00, 0.26, 1.05, 0.71, 1.36),
    (-1.95, 1.00, 0.25, 1.05, 0.67, 1.80),
    (-1.20, 1.00, 0.25, 1.05, 0.67, 1.87),
    (-0.12, 1.00, 0.25, 1.05, 0.68, 1.88),
    (0.00, 1.00, 0.25, 1.05, 0.68, 1.88),
    (0.60, 1.00, 0.25, 1.04, 0.67, 1.85),
    (0.95, 1.00, 0.25, 1.03, 0.66, 1.76),
    (1.72, 1.00, 0.25, 1.00, 0.74, 1.12),
    (1.85, 0.99, 0.25, 0.96, 0.75, 1.04),
    (2.02, 0.96, 0.27, 0.86, 0.73, 0.95),
    (2.12, 0.90, 0.32, 0.74, 0.66, 0.82),
    (2.18, 0.78, 0.42, 0.62, 0.54, 0.70),
)
_REAR_GLASS, _SIDE_GLASS, _PILLAR, _WINDSCREEN = 4, (5, 10), 7, 10


@dataclass(frozen=True)
class Vehicle:
    """An object with its outline (half width, rear, front, top) in metres."""

    thing: bpy.types.Object
    half_width: float
    rear: float
    front: float
    top: float


def car(kind: str, colour: m.Colour, name: str) -> Vehicle:
    """A ``sedan``, ``suv`` or ``van``."""
    stations, half, wheel, axles = {
        "sedan": (_SEDAN, 0.90, 0.32, (-1.38, 1.40)),
        "suv": (_SUV, 0.93, 0.36, (-1.35, 1.38)),
        "van": (_VAN, 0.84, 0.30, (-1.42, 1.36)),
    }[kind]
    parts = [_shell(stations, half, m.paint(colour), f"{name} shell")]
    details = Shape()
    _lights_and_plates(details, stations, half)
    for side in (-1, 1):
        x = side * (half + 0.03)
        details.box(
            (x + side * 0.06, stations[11][0] - 0.28, stations[11][3] + 0.08),
            (0.16, 0.10, 0.12),
            m.paint(colour),
        )
        for y in axles:
            _wheel(details, side, half, y, wheel)
        for y in (stations[7][0] - 0.55, stations[9][0] + 0.05):
            details.box(
                (side * half * 0.985, y, stations[8][3] - 0.16), (0.03, 0.16, 0.03), m.chrome()
            )
    parts.append(details.build(f"{name} details", bevel=0.02))
    return Vehicle(group(name, parts), half + 0.1, stations[0][0], stations[-1][0], stations[8][5])


def _shell(
    stations: tuple[tuple[float, ...], ...], half: float, body: bpy.types.Material, name: str
) -> bpy.types.Object:
    rings = []
    for y, factor, low, belt, roof_half, roof in stations:
        width, rise = half * factor, roof - belt
        right = [
            (0.0, low),
            (0.78 * width, low),
            (0.96 * width, low + 0.10),
            (1.00 * width, low + 0.28),
            (0.985 * width, belt - 0.09),
            (0.93 * width, belt),
            (roof_half * min(factor, 1), belt + 0.86 * rise),
            ((roof_half - 0.12) * factor, belt + 0.98 * rise),
            (0.0, belt + rise),
        ]
        rings.append([(x, y, z) for x, z in right] + [(-x, y, z) for x, z in right[-2:0:-1]])
    dark, tinted = m.dark_plastic(), m.glass()

    def pick(ring: int, point: int) -> bpy.types.Material:
        row = min(point, 15 - point)
        if row <= 1:
            return dark
        side = row == 5 and _SIDE_GLASS[0] <= ring < _SIDE_GLASS[1] and ring != _PILLAR
        if side or (row >= 6 and ring in (_REAR_GLASS, _WINDSCREEN)):
            return tinted
        return body

    shape = Shape()
    shape.loft(rings, pick)
    return shape.build(name, smooth=True, subdivide=2)


def _wheel(shape: Shape, side: int, half: float, y: float, radius: float) -> None:
    outer, inner = side * (half + 0.01), side * (half - 0.22)
    shape.tube(
        (side * (half - 0.30), y, radius + 0.03),
        (side * (half - 0.012), y, radius + 0.03),
        radius + 0.07,
        m.plain((0.006, 0.006, 0.006), 0.95),
        points=20,
    )
    shape.tube((inner, y, radius), (outer, y, radius), radius, m.rubber(), points=20)
    shape.tube(
        (outer, y, radius), (outer + side * 0.012, y, radius), radius * 0.66, m.chrome(), points=16
    )
    for spoke in range(5):
        angle = spoke * 2 * math.pi / 5
        shape.box(
            (
                outer + side * 0.014,
                y + radius * 0.42 * math.cos(angle),
                radius + radius * 0.42 * math.sin(angle),
            ),
            (0.012, 0.07, 0.07),
            m.rubber(),
        )


def _lights_and_plates(shape: Shape, stations: tuple[tuple[float, ...], ...], half: float) -> None:
    front, rear = stations[-2], stations[1]
    white = m.plain((0.85, 0.87, 0.9), 0.1, 0.0, 1.0, 0.25)
    red = m.plain((0.55, 0.01, 0.01), 0.15, 0.0, 1.0, 0.35)
    for side in (-1, 1):
        shape.ellipsoid(
            (side * half * 0.70, front[0] - 0.10, front[3] - 0.01), (0.19, 0.15, 0.075), white
        )
        shape.ellipsoid(
            (side * half * 0.74, rear[0] + 0.03, rear[3] - 0.08), (0.17, 0.10, 0.08), red
        )
    plate = m.plain((0.01, 0.06, 0.42), 0.5)
    shape.box((0, front[0] + 0.085, 0.45), (0.44, 0.03, 0.14), plate)
    shape.box((0, rear[0] - 0.05, 0.62), (0.44, 0.03, 0.14), plate)
    shape.box((0, front[0] + 0.055, 0.58), (0.85, 0.05, 0.10), m.dark_plastic())
    shape.box((0, front[0] - 0.01, 0.36), (half * 1.3, 0.12, 0.12), m.dark_plastic())
    shape.box((0, rear[0] + 0.02, 0.40), (half * 1.4, 0.10, 0.14), m.dark_plastic())


def bus(colour: m.Colour, name: str) -> Vehicle:
    """A 10.5 m city bus."""
    shape, body = Shape(), m.paint(colour)
    half, rear, front = 1.22, -5.25, 5.25
    shape.box((0, 0, 1.70), (2 * half, front - rear, 2.60), body)
    shape.box((0, -1.0, 3.06), (1.7, 5.0, 0.24), m.plain((0.6, 0.6, 0.6)))
    shape.box((0, 0, 0.55), (2 * half + 0.02, front - rear - 0.3, 0.35), m.dark_plastic())
    for side in (-1, 1):
        for index in range(7):
            shape.box(
                (side * half, rear + 0.95 + index * 1.38, 1.98), (0.05, 1.24, 0.98), m.glass()
            )
        shape.box((side * half, 0, 1.22), (0.04, 10.0, 0.16), m.plain((0.8, 0.8, 0.78), 0.5))
        for y in (-2.9, 3.1):
            _wheel(shape, side, half, y, 0.48)
        shape.box((side * (half + 0.16), front + 0.05, 2.2), (0.14, 0.10, 0.40), m.dark_plastic())
        shape.ellipsoid(
            (side * 0.90, front, 0.85),
            (0.20, 0.07, 0.13),
            m.plain((0.85, 0.87, 0.9), 0.1, 0.0, 1.0, 0.25),
        )
        shape.box(
            (side * 1.02, rear - 0.01, 1.1),
            (0.18, 0.06, 0.36),
            m.plain((0.55, 0.01, 0.01), 0.15, 0.0, 1.0, 0.35),
        )
    shape.box((0, front, 1.90), (2.24, 0.06, 1.35), m.glass())
    shape.box((0, front + 0.02, 2.78), (1.7, 0.06, 0.26), m.plain((0.9, 0.35, 0.03), 0.5, glow=0.6))
    shape.box((0, rear, 2.1), (2.0, 0.06, 0.8), m.glass())
    thing = group(name, [shape.build(f"{name} body", bevel=0.07)])
    return Vehicle(thing, half + 0.1, rear, front + 0.1, 3.2)


def truck(colour: m.Colour, name: str, *, cargo: m.Colour | None = None) -> Vehicle:
    """A 7.4 m flatbed lorry with drop sides; ``cargo`` puts a tarpaulin load on it."""
    half, rear, front = 1.12, -3.7, 3.7
    cab_rings = []
    for y, low, top, inset in (
        (1.75, 0.55, 2.62, 0.03),
        (1.95, 0.50, 2.74, 0.0),
        (2.7, 0.48, 2.76, 0.0),
        (3.15, 0.46, 2.60, 0.02),
        (3.52, 0.46, 1.62, 0.02),
        (3.66, 0.48, 1.50, 0.05),
        (3.70, 0.52, 1.30, 0.10),
    ):
        w, mid = half - inset, min(top - 0.1, 1.55)
        right = [
            (0.0, low),
            (w, low + 0.06),
            (w, mid),
            (w - 0.06, top - 0.12),
            (w - 0.2, top),
            (0.0, top),
        ]
        cab_rings.append([(x, y, z) for x, z in right] + [(-x, y, z) for x, z in right[-2:0:-1]])
    cab, body, tinted = Shape(), m.paint(colour), m.glass()

    def pick(ring: int, point: int) -> bpy.types.Material:
        row = min(point, 9 - point)
        return tinted if (ring == 3 and row >= 3) or (row == 2 and ring == 2) else body

    cab.loft(cab_rings, pick)
    rest = Shape()
    steel = m.plain(tuple(c * 0.8 for c in colour), 0.6)
    rest.box((0, -1.05, 0.80), (0.9, 5.2, 0.28), m.dark_plastic())
    rest.box((0, -1.05, 1.06), (2 * half + 0.1, 5.2, 0.14), m.plain((0.05, 0.05, 0.05)))
    for side in (-1, 1):
        rest.box((side * (half + 0.04), -1.05, 1.42), (0.06, 5.2, 0.58), steel)
        for index in range(5):
            rest.box(
                (side * (half + 0.08), -3.5 + index * 1.22, 1.42),
                (0.06, 0.10, 0.6),
                m.dark_plastic(),
            )
        for y in (-2.55, -1.55, 2.55):
            _wheel(rest, side, half, y, 0.46)
        rest.box((side * (half + 0.16), 3.3, 2.0), (0.14, 0.10, 0.42), m.dark_plastic())
        rest.box(
            (side * 0.85, 3.70, 0.86),
            (0.32, 0.06, 0.2),
            m.plain((0.85, 0.87, 0.9), 0.1, 0.0, 1.0, 0.25),
        )
        rest.box(
            (side * 0.85, rear + 0.02, 0.95),
            (0.3, 0.06, 0.16),
            m.plain((0.55, 0.01, 0.01), 0.15, 0.0, 1.0, 0.35),
        )
    rest.box((0, rear, 1.42), (2 * half + 0.1, 0.06, 0.58), steel)
    rest.box((0, 1.58, 1.75), (2 * half + 0.1, 0.08, 1.25), steel)
    rest.box((0, 3.70, 1.05), (1.2, 0.06, 0.22), m.dark_plastic())
    if cargo is not None:
        rest.box((0, -1.05, 1.85), (2 * half - 0.1, 4.9, 0.75), m.plain(cargo, 0.8))
        rest.box((0, -1.4, 2.35), (2 * half - 0.5, 3.6, 0.35), m.plain(cargo, 0.8))
    parts = [
        cab.build(f"{name} cab", smooth=False, bevel=0.05),
        rest.build(f"{name} bed", bevel=0.02),
    ]
    return Vehicle(group(name, parts), half + 0.15, rear, front, 2.8)


def crumple(vehicle: Vehicle, rng: np.random.Generator, depth: float, colour: m.Colour) -> None:
    """Push the front in by about ``depth`` metres, fold the bonnet up, break what is there."""
    zone = 1.1
    start = vehicle.front - zone
    for part in vehicle.thing.children:
        points = np.array([v.co for v in part.data.vertices])
        share = np.clip((points[:, 1] - start) / zone, 0, 1)
        jolt = rng.uniform(-1, 1, points.shape) * share[:, None]
        wave = 0.75 + 0.45 * np.sin(points[:, 0] * 3 + 1)
        points[:, 1] -= depth * share * wave - 0.06 * jolt[:, 1]
        points[:, 0] += 0.10 * jolt[:, 0]
        points[:, 2] += 0.10 * jolt[:, 2] + 0.10 * np.sin(share * math.pi) * (points[:, 2] > 0.7)
        part.data.vertices.foreach_set("co", points.ravel())
        part.data.update()
    bonnet, look = Shape(), m.paint(colour)
    for side in (-1, 1):
        bonnet.add(
            [
                (0, start + 0.15, 1.0),
                (side * 0.72, start + 0.1, 0.98),
                (side * 0.62, start + 0.45, 1.42),
                (0, start + 0.5, 1.5),
            ],
            [(0, 1, 2, 3)],
            look,
        )
    bonnet.box((0, start + 0.45, 0.93), (1.1, 0.5, 0.12), m.dark_plastic())
    bonnet.build("bonnet").parent = vehicle.thing
