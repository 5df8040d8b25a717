"""What makes a hazard: a collapsed road, a lost load, the debris of a crash."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import materials as m
from .mesh import Extent, Shape

if TYPE_CHECKING:
    import bpy


@dataclass(frozen=True)
class Hole:
    """A collapse of the road: ``rim`` is its edge on the road's level, metres, (N, 3)."""

    x: float
    y: float
    rim: np.ndarray
    before: bpy.types.Object
    after: tuple[bpy.types.Object, ...]


def hole(
    rng: np.random.Generator,
    gap: Extent,
    radii: tuple[float, float],
    tone: float,
) -> Hole:
    """Fill the road's ``gap`` twice: whole, and with a hole of the given half sizes in it."""
    left, near, right, far = gap
    centre = np.array([(left + right) / 2, (near + far) / 2])
    road, whole = m.asphalt(tone), Shape()
    whole.rectangle(gap, 0.0, road)
    corners = [math.atan2(y - centre[1], x - centre[0]) for x in (left, right) for y in (near, far)]
    angles = np.sort(np.concatenate([np.linspace(-math.pi, math.pi, 60, endpoint=False), corners]))
    rough = _roughness(rng, angles)
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    edge = unit * np.array(radii) * rough[:, None]
    half = np.array([(right - left) / 2, (far - near) / 2])
    square = unit * (half / np.maximum(np.abs(unit), 1e-9)).min(axis=1)[:, None]

    def ring(flat: np.ndarray, z: float | np.ndarray) -> np.ndarray:
        return np.column_stack([flat + centre, np.broadcast_to(z, len(flat))])

    jag = rng.uniform(-0.05, 0.05, (len(angles), 1))
    sag = -rng.uniform(0.0, 0.10, len(angles))
    crust, fill, earth = m.plain((0.022, 0.022, 0.023), 0.95), m.gravel(), m.soil()
    broken = Shape()
    middle = edge + (square - edge) * 0.22
    broken.loft([ring(square, 0), ring(middle, 0), ring(edge, sag)], road, caps=False)
    walls = [
        ring(edge, sag),
        ring(edge * 1.005, sag - 0.10),
        ring(edge * (1.0 + jag), sag - 0.18),
        ring(edge * (1.02 + jag), -0.32),
        ring(edge * (0.96 + jag * 2), -0.62),
        ring(edge * (0.93 - jag * 2), -1.0),
        ring(edge * (0.82 + jag * 2), -1.5),
        ring(edge * 0.55, -1.75),
        ring(edge * 0.02, -1.7),
    ]
    looks = (crust, crust, fill, fill, earth, earth, earth, earth)
    broken.loft(walls, lambda row, _: looks[row], caps=False)
    _cracks(broken, rng, (centre, edge, angles))
    rubble = _rubble(rng, centre, radii)
    return Hole(
        float(centre[0]),
        float(centre[1]),
        ring(edge, 0.0),
        whole.build("road whole"),
        (broken.build("road broken"), rubble.build("rubble", bevel=0.02)),
    )


def _roughness(rng: np.random.Generator, angles: np.ndarray) -> np.ndarray:
    """Relative radius around the rim: a few slow waves and sharp teeth, near 1."""
    waves = sum(
        rng.uniform(0.02, 0.07) * np.sin(k * angles + rng.uniform(0, 6.28)) for k in (2, 3, 5, 7)
    )
    return 1.0 + waves + rng.uniform(-0.045, 0.045, len(angles))


def _cracks(
    shape: Shape, rng: np.random.Generator, rim: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    centre, edge, angles = rim
    dark = m.plain((0.012, 0.012, 0.012), 1.0)
    for start in rng.choice(len(angles), 11, replace=False):
        point, angle = edge[start] + centre, angles[start] + rng.uniform(-0.4, 0.4)
        width = rng.uniform(0.025, 0.05)
        for _ in range(int(rng.integers(2, 5))):
            step = rng.uniform(0.12, 0.28) * np.array([math.cos(angle), math.sin(angle)])
            across = np.array([-step[1], step[0]]) / np.linalg.norm(step) * width / 2
            end = point + step
            corners = [point - across, point + across, end + across * 0.6, end - across * 0.6]
            shape.add([(x, y, 0.003) for x, y in corners], [(0, 1, 2, 3)], dark)
            point, angle, width = end, angle + rng.uniform(-0.6, 0.6), width * 0.75


def _rubble(rng: np.random.Generator, centre: np.ndarray, radii: tuple[float, float]) -> Shape:
    shape, road, earth = Shape(), m.plain((0.045, 0.045, 0.046), 0.95), m.soil()
    for index in range(26):
        angle, far = rng.uniform(0, 6.28), rng.uniform(0.1, 0.8)
        x, y = centre + far * np.array(radii) * (math.cos(angle), math.sin(angle))
        size = rng.uniform(0.12, 0.55) if index % 2 else rng.uniform(0.08, 0.3)
        tall = 0.12 if index % 2 else size
        piece = Shape()
        piece.box(
            (0, 0, 0), (size, size * rng.uniform(0.6, 1.2), tall), road if index % 2 else earth
        )
        spot = (float(x), float(y), -1.62 + 0.25 * far)
        shape.add(_tilt(rng, piece.points(), 0.6) + spot, piece.faces, piece.materials)
    for _ in range(14):
        angle, far = rng.uniform(0, 6.28), rng.uniform(1.08, 1.35)
        x, y = centre + far * np.array(radii) * (math.cos(angle), math.sin(angle))
        size = rng.uniform(0.03, 0.10)
        shape.box((float(x), float(y), size / 3), (size, size, size), road, float(angle))
    return shape


def load(rng: np.random.Generator) -> list[tuple[bpy.types.Object, tuple[float, float, float]]]:
    """Crates, sacks, planks and tyres, each with its resting place in a heap about 2.2 m wide."""
    pieces: list[tuple[Shape, tuple[float, float, float]]] = []
    woods = [
        m.speckled((c * 0.75, c * 0.5, c * 0.3), (c, c * 0.7, c * 0.42), 4.0) for c in (0.30, 0.42)
    ]
    for x, y, z in (
        (-0.55, 0.0, 0.0),
        (0.25, 0.35, 0.0),
        (-0.1, -0.5, 0.0),
        (0.0, 0.1, 0.58),
        (0.85, -0.15, 0.0),
    ):
        pieces.append((_crate(rng, woods), (x, y, z)))
    for x, y, z in ((-1.0, -0.45, 0.0), (0.6, -0.7, 0.0), (-0.6, 0.75, 0.0), (0.45, 0.1, 0.55)):
        sack = Shape()
        sack.ellipsoid((0, 0, 0.17), (0.42, 0.27, 0.18), m.plain((0.55, 0.50, 0.40), 0.95))
        pieces.append((_turned(rng, sack), (x, y, z)))
    for x, y, z in ((0.2, -1.0, 0.0), (-0.3, 0.3, 0.62), (0.9, 0.55, 0.0)):
        plank = Shape()
        for row in range(3):
            plank.box(
                (0, row * 0.16, 0.05 + 0.03 * row),
                (2.0, 0.14, 0.04),
                woods[1],
                float(rng.uniform(-0.12, 0.12)),
            )
        pieces.append((_turned(rng, plank), (x, y, z)))
    for x, y in ((-1.15, 0.35), (1.2, -0.6)):
        pieces.append((_tyre(), (x, y, 0.0)))
    return [(shape.build(f"load {i}", bevel=0.01), spot) for i, (shape, spot) in enumerate(pieces)]


def _crate(rng: np.random.Generator, woods: list[bpy.types.Material]) -> Shape:
    size, shape = float(rng.uniform(0.55, 0.7)), Shape()
    shape.box((0, 0, size / 2), (size, size, size), woods[0])
    for side in (-1, 1):
        for edge in (0.06, size / 2, size - 0.06):
            shape.box((0, side * size / 2, edge), (size + 0.06, 0.05, 0.09), woods[1])
            shape.box((side * size / 2, 0, edge), (0.05, size + 0.06, 0.09), woods[1])
    return _turned(rng, shape)


def _tyre() -> Shape:
    shape = Shape()
    around = np.linspace(0, 2 * math.pi, 21)
    across = np.linspace(0, 2 * math.pi, 8, endpoint=False)
    shape.loft(
        [
            [
                (
                    (0.30 + 0.12 * math.cos(b)) * math.cos(a),
                    (0.30 + 0.12 * math.cos(b)) * math.sin(a),
                    0.11 + 0.11 * math.sin(b),
                )
                for b in across
            ]
            for a in around
        ],
        m.rubber(),
        caps=False,
    )
    return shape


def crash_debris(
    rng: np.random.Generator, centre: tuple[float, float], colours: tuple[m.Colour, ...]
) -> bpy.types.Object:
    """Bumper parts, shards and a wet patch scattered where two vehicles met."""
    shape = Shape()
    looks = [m.paint(c) for c in colours] + [m.dark_plastic(), m.chrome()]
    for _ in range(46):
        x, y = rng.normal(0, (0.9, 1.1)) + centre
        size = float(rng.uniform(0.05, 0.28))
        shape.box(
            (float(x), float(y), 0.03),
            (size, size * 0.35, 0.05),
            looks[rng.integers(len(looks))],
            float(rng.uniform(0, 3.1)),
        )
    for turn in (0.4, 1.9):
        x, y = rng.normal(0, 0.6, 2) + centre
        shape.box((float(x), float(y), 0.10), (1.3, 0.16, 0.18), looks[int(turn)], turn)
    around = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    reach = 0.75 + 0.18 * np.sin(3 * around) + rng.uniform(-0.08, 0.08, 24)
    flat = np.column_stack(
        [reach * np.cos(around), 1.2 * reach * np.sin(around), np.full(24, 0.004)]
    )
    shape.add(
        flat + np.array((*centre, 0)), [tuple(range(24))], m.plain((0.018, 0.018, 0.018), 0.08)
    )
    return shape.build("debris", bevel=0.01)


def _tilt(rng: np.random.Generator, points: np.ndarray, most: float) -> np.ndarray:
    a, b, c = rng.uniform(-most, most), rng.uniform(-most, most), rng.uniform(0, 6.28)
    about_x = np.array([(1, 0, 0), (0, math.cos(a), -math.sin(a)), (0, math.sin(a), math.cos(a))])
    about_y = np.array([(math.cos(b), 0, math.sin(b)), (0, 1, 0), (-math.sin(b), 0, math.cos(b))])
    about_z = np.array([(math.cos(c), -math.sin(c), 0), (math.sin(c), math.cos(c), 0), (0, 0, 1)])
    return points @ (about_z @ about_y @ about_x).T


def _turned(rng: np.random.Generator, shape: Shape) -> Shape:
    c = rng.uniform(0, 6.28)
    about = np.array([(math.cos(c), -math.sin(c), 0), (math.sin(c), math.cos(c), 0), (0, 0, 1)])
    shape.vertices = [v @ about.T for v in shape.vertices]
    return shape
