"""Vehicles that the road gave way under: a car or lorry with its nose or its wheels in a hole."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import bpy  # noqa: F401  brings mathutils
import numpy as np
from mathutils import Matrix

from . import holes, wrecks
from .things import Ground, Maker, Thing

if TYPE_CHECKING:
    from collections.abc import Callable


def swallowed(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A collapse with a vehicle in it, which is a part with a box of its own."""
    kinds: tuple[Callable[..., Thing], ...] = (holes.sinkhole, holes.sinkhole, holes.flooded)
    hole = kinds[rng.integers(3)](rng, size_m, ground)
    wreck = wrecks.vehicle(
        rng, (*wrecks.CARS, *wrecks.CARS, "truck") if size_m > 4 else wrecks.CARS
    )
    rim = hole.outline[:, :2]
    heading = float(rng.uniform(0, 2 * math.pi))
    ahead = np.array([-math.sin(heading), math.cos(heading)])
    radius = float((rim @ ahead).max())
    floor = -float(np.clip(0.5 * np.ptp(rim, axis=0).min(), 0.3, 2.6))
    long = wreck.made.front - wreck.made.rear
    nose = -math.asin(min(0.85, -floor / long * float(rng.uniform(0.8, 1.3))))
    turn = (
        Matrix.Rotation(heading, 4, "Z")
        @ Matrix.Rotation(float(rng.normal(0, 0.12)), 4, "Y")
        @ Matrix.Rotation(nose, 4, "X")
    )
    points = wrecks.vertices(wreck.made.thing, turn)
    # The nose comes to rest short of the far wall, the tail on what is left of the road.
    shift = ahead * (radius * float(rng.uniform(0.3, 0.85)) - float((points[:, :2] @ ahead).max()))
    outside = (points[:, :2] + shift) @ -ahead > radius * 0.95
    lift = floor - float(points[:, 2].min())
    if outside.any():
        lift = max(lift, -float(points[outside, 2].min()))
    wreck.made.thing.matrix_basis = Matrix.Translation((*shift.tolist(), lift)) @ turn
    return replace(hole, kind="swallowed_vehicle", parts=(wreck.part(),))


MAKERS = (Maker("swallowed_vehicle", "cavity", swallowed, (4.5, 8.0), 1.0),)
