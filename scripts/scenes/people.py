"""People: one mesh each, re-posed frame by frame. Forward is +Y, feet on the ground."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import materials as m
from .mesh import Shape

if TYPE_CHECKING:
    import bpy

_SKIN = ((0.45, 0.26, 0.17), (0.52, 0.31, 0.21), (0.38, 0.21, 0.13))
_CLOTHES = (
    (0.60, 0.60, 0.58),
    (0.03, 0.03, 0.035),
    (0.35, 0.03, 0.03),
    (0.03, 0.07, 0.25),
    (0.10, 0.16, 0.09),
    (0.55, 0.38, 0.10),
    (0.30, 0.30, 0.33),
    (0.45, 0.20, 0.28),
    (0.12, 0.30, 0.42),
    (0.70, 0.66, 0.55),
)
_TROUSERS = (
    (0.02, 0.02, 0.025),
    (0.03, 0.045, 0.11),
    (0.10, 0.09, 0.08),
    (0.22, 0.19, 0.14),
    (0.06, 0.06, 0.07),
    (0.05, 0.08, 0.16),
)
_HAIR = ((0.008, 0.007, 0.006), (0.02, 0.014, 0.01), (0.12, 0.12, 0.12))


@dataclass(frozen=True)
class Pose:
    """Joint angles in radians; legs and arms as (left, right), positive swings forward."""

    hips: tuple[float, float] = (0.0, 0.0)
    knees: tuple[float, float] = (0.0, 0.0)
    shoulders: tuple[float, float] = (0.0, 0.0)
    elbows: tuple[float, float] = (0.15, 0.15)
    lean: float = 0.0
    head: float = 0.0
    sink: float = 0.0


def walking(phase: float) -> Pose:
    """One moment of a walk; ``phase`` in radians, a full turn is two steps."""
    swing = math.sin(phase)
    return Pose(
        hips=(0.48 * swing, -0.48 * swing),
        knees=(0.15 + 0.55 * max(0.0, math.cos(phase)), 0.15 + 0.55 * max(0.0, -math.cos(phase))),
        shoulders=(-0.42 * swing, 0.42 * swing),
        elbows=(0.35, 0.35),
        lean=0.05,
        sink=0.03 * abs(swing),
    )


def riding() -> Pose:
    """Sitting on a two-wheeler; the figure is lifted by ``sink``."""
    return Pose((1.15, 1.15), (1.15, 1.15), (0.85, 0.85), (0.35, 0.35), 0.15, 0.0, 0.08)


class Figure:
    """One person. ``pose`` moves the limbs; the object's own matrix places them."""

    def __init__(self, rng: np.random.Generator, name: str) -> None:
        self.height = float(rng.uniform(1.58, 1.80))
        self._wide = float(rng.uniform(0.92, 1.12))
        self._look = _Look.draw(rng)
        self.idle = Pose(
            shoulders=tuple(rng.uniform(-0.1, 0.25, 2)),
            elbows=tuple(rng.choice([0.15, 0.3, 1.5], 2, p=[0.5, 0.3, 0.2])),
            hips=(0.04, -0.04),
        )
        self.thing = self._parts(self.idle).build(name, smooth=True)

    def pose(self, pose: Pose) -> None:
        points = self._parts(pose).points()
        self.thing.data.vertices.foreach_set("co", points.ravel())
        self.thing.data.update()

    def head(self, pose: Pose) -> tuple[float, float, float]:
        """The middle of the head in this pose, metres in the figure's own axes."""
        scale, out = self.height / 1.70, 0.70
        ahead = 0.02 + out * math.sin(pose.lean)
        return 0.0, ahead * scale, (0.93 - pose.sink + out * math.cos(pose.lean)) * scale

    @property
    def clothes(self) -> tuple[bpy.types.Material, bpy.types.Material]:
        """What it wears above and below."""
        return self._look.top, self._look.trousers

    @property
    def hair(self) -> bpy.types.Material:
        return self._look.hair

    def _parts(self, pose: Pose) -> Shape:
        """Body parts for a person of 1.70 m, scaled to this one's height."""
        shape, look, w = Shape(), self._look, self._wide
        trunk = _turn(-pose.lean, (0, 0, 0.93 - pose.sink))
        for side, hip, knee in zip((-1, 1), pose.hips, pose.knees, strict=True):
            thigh = trunk @ _shift((side * 0.095 * w, 0, 0.0)) @ _turn(hip + pose.lean, (0, 0, 0))
            shin = thigh @ _shift((0, 0, -0.44)) @ _turn(-knee, (0, 0, 0))
            _limb(shape, thigh, 0.46, (0.088 * w, 0.062), look.trousers)
            _limb(shape, shin, 0.44, (0.062, 0.042), look.trousers)
            foot = shin @ _shift((0, 0.06, -0.45))
            _blob(shape, foot, (0.048, 0.13, 0.045), look.shoes)
        if look.skirt:
            _sections(
                shape,
                trunk,
                ((-0.42, 0.23, 0.20), (-0.1, 0.19, 0.15), (0.06, 0.15, 0.11)),
                look.trousers,
            )
        _sections(
            shape,
            trunk,
            (
                (-0.10, 0.165 * w, 0.115 * w),
                (0.04, 0.160 * w, 0.115 * w),
                (0.20, 0.152 * w, 0.105),
                (0.38, 0.178 * w, 0.118),
                (0.48, 0.185 * w, 0.105),
                (0.535, 0.12, 0.08),
                (0.56, 0.055, 0.055),
            ),
            look.top,
        )
        _limb(shape, trunk @ _shift((0, 0, 0.64)), 0.10, (0.05, 0.052), look.skin)
        head = trunk @ _shift((0, 0.02, 0.70)) @ _spin(pose.head)
        _blob(shape, head, (0.078, 0.095, 0.118), look.skin)
        _blob(shape, head @ _shift((0, -0.022, 0.032)), (0.086, 0.092, 0.105), look.hair)
        if look.long_hair:
            _blob(shape, head @ _shift((0, -0.065, -0.09)), (0.082, 0.05, 0.15), look.hair)
        for side, shoulder, elbow in zip((-1, 1), pose.shoulders, pose.elbows, strict=True):
            upper = (
                trunk
                @ _shift((side * 0.205 * w, 0, 0.475))
                @ _turn(shoulder, (0, 0, 0))
                @ _roll(side * -0.10)
            )
            lower = upper @ _shift((0, 0, -0.28)) @ _turn(elbow, (0, 0, 0))
            _limb(shape, upper, 0.30, (0.058, 0.045), look.top)
            _limb(shape, lower, 0.25, (0.045, 0.034), look.top if look.long_sleeves else look.skin)
            _blob(shape, lower @ _shift((0, 0.01, -0.29)), (0.032, 0.045, 0.075), look.skin)
        if look.bag:
            _blob(shape, trunk @ _shift((0, -0.19, 0.30)), (0.15, 0.09, 0.20), look.shoes)
        shape.vertices = [v * (self.height / 1.70) for v in shape.vertices]
        return shape


@dataclass(frozen=True)
class _Look:
    skin: bpy.types.Material
    top: bpy.types.Material
    trousers: bpy.types.Material
    hair: bpy.types.Material
    shoes: bpy.types.Material
    skirt: bool
    long_hair: bool
    long_sleeves: bool
    bag: bool

    @staticmethod
    def draw(rng: np.random.Generator) -> _Look:
        def pick(colours: tuple[m.Colour, ...]) -> bpy.types.Material:
            return m.plain(colours[rng.integers(len(colours))], 0.85)

        woman = bool(rng.random() < 0.5)
        return _Look(
            pick(_SKIN),
            pick(_CLOTHES),
            pick(_TROUSERS),
            pick(_HAIR),
            m.plain((0.03, 0.025, 0.02), 0.6),
            woman and bool(rng.random() < 0.3),
            woman and bool(rng.random() < 0.7),
            bool(rng.random() < 0.6),
            bool(rng.random() < 0.25),
        )


def _shift(by: tuple[float, float, float]) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = by
    return matrix


def _turn(angle: float, at: tuple[float, float, float]) -> np.ndarray:
    """Rotate about the left-right axis: positive swings what hangs down forward."""
    c, s = math.cos(angle), math.sin(angle)
    matrix = _shift(at)
    matrix[1:3, 1:3] = ((c, -s), (s, c))
    return matrix


def _roll(angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    matrix = np.eye(4)
    matrix[0, 0], matrix[0, 2], matrix[2, 0], matrix[2, 2] = c, s, -s, c
    return matrix


def _spin(angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    matrix = np.eye(4)
    matrix[:2, :2] = ((c, -s), (s, c))
    return matrix


def _sections(
    shape: Shape,
    frame: np.ndarray,
    sections: tuple[tuple[float, float, float], ...],
    material: bpy.types.Material,
) -> None:
    """Loft ellipses (height, half width, half depth) of a body part."""
    around = np.linspace(0, 2 * math.pi, 10, endpoint=False)
    rings = []
    for z, wide, deep in sections:
        local = np.stack(
            [wide * np.cos(around), deep * np.sin(around), np.full(10, z), np.ones(10)]
        )
        rings.append((frame @ local)[:3].T)
    shape.loft(rings, material)


def _limb(
    shape: Shape,
    frame: np.ndarray,
    length: float,
    radii: tuple[float, float],
    material: bpy.types.Material,
) -> None:
    """A tapered limb that hangs down from its joint."""
    a, b = radii
    _sections(
        shape,
        frame,
        (
            (-length, b * 0.7, b * 0.7),
            (-length * 0.93, b, b),
            (-length * 0.45, (a + b) / 2 * 1.03, (a + b) / 2 * 1.03),
            (-0.03, a, a),
            (0.04, a * 0.75, a * 0.75),
        ),
        material,
    )


def _blob(
    shape: Shape,
    frame: np.ndarray,
    radii: tuple[float, float, float],
    material: bpy.types.Material,
) -> None:
    lifts = np.linspace(-0.48 * math.pi, 0.48 * math.pi, 7)
    _sections(
        shape,
        frame,
        tuple(
            (radii[2] * math.sin(a), radii[0] * math.cos(a), radii[1] * math.cos(a)) for a in lifts
        ),
        material,
    )
