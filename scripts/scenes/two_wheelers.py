"""Scooters and bicycles, without their riders. Forward is +Y, the origin on the ground below."""

from __future__ import annotations

import math

import numpy as np

from . import materials as m
from .mesh import Shape, group
from .vehicles import Vehicle


def two_wheeler(kind: str, colour: m.Colour, name: str) -> Vehicle:
    """A ``scooter`` or a ``bicycle`` without its rider."""
    shape, body = Shape(), m.paint(colour)
    radius, tyre = (0.25, 0.055) if kind == "scooter" else (0.33, 0.02)
    base = 0.62 if kind == "scooter" else 0.53
    for y in (-base, base):
        _ring(shape, y, radius, tyre)
        shape.tube((-0.06, y, radius), (0.06, y, radius), 0.05, m.chrome(), points=8)
    if kind == "scooter":
        shape.box((0, 0.05, 0.32), (0.30, 0.62, 0.10), body)
        shape.box((0, -0.42, 0.52), (0.30, 0.62, 0.34), body)
        shape.box((0, -0.42, 0.74), (0.28, 0.70, 0.10), m.dark_plastic())
        shape.box((0, 0.42, 0.62), (0.36, 0.10, 0.62), body)
        shape.ellipsoid((0, 0.50, 0.86), (0.14, 0.12, 0.12), m.plain((0.85, 0.87, 0.9), 0.1))
        shape.box((0, -0.80, 0.62), (0.12, 0.05, 0.07), m.plain((0.55, 0.01, 0.01), 0.2, glow=0.3))
        shape.tube((0, base, radius), (0, 0.36, 1.0), 0.04, m.chrome(), points=8)
    else:
        for a, b in (
            ((0, -base, radius), (0, -0.05, 0.30)),
            ((0, -0.05, 0.30), (0, -0.22, 0.85)),
            ((0, -0.05, 0.30), (0, 0.36, 0.80)),
            ((0, -0.20, 0.75), (0, 0.36, 0.80)),
            ((0, -base, radius), (0, -0.20, 0.75)),
            ((0, base, radius), (0, 0.34, 0.95)),
        ):
            shape.tube(a, b, 0.022, body, points=8)
        shape.box((0, -0.22, 0.90), (0.16, 0.28, 0.06), m.dark_plastic())
    shape.tube((-0.32, 0.34, 1.0), (0.32, 0.34, 1.0), 0.02, m.dark_plastic(), points=8)
    return Vehicle(
        group(name, [shape.build(f"{name} frame", smooth=False)]),
        0.35,
        -base - radius,
        base + radius,
        1.1,
    )


def _ring(shape: Shape, y: float, radius: float, tyre: float) -> None:
    around = np.linspace(0, 2 * math.pi, 20, endpoint=False)
    across = np.linspace(0, 2 * math.pi, 6, endpoint=False)
    rings = [
        [
            (
                tyre * math.cos(b),
                y + (radius - tyre + tyre * math.sin(b)) * math.cos(a),
                radius + (radius - tyre + tyre * math.sin(b)) * math.sin(a),
            )
            for b in across
        ]
        for a in (*around, around[0])
    ]
    shape.loft(rings, m.rubber(), caps=False)
