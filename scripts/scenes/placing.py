"""Finds places for things: within view, on their sort of ground, not through one another.

Pure geometry: no renderer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from shapely import Point, Polygon, affinity, box

from .camera import HEIGHT, WIDTH

if TYPE_CHECKING:
    from .camera import Camera
    from .plans import Plan

NEAREST_M, FARTHEST_M = 4.0, 48.0
_TRIES = 60


@dataclass(frozen=True)
class Place:
    """Where a thing stands: its origin and heading (radians, 0 along +Y, counter-clockwise)."""

    x: float
    y: float
    z: float = 0.0
    heading: float = 0.0

    def on_ground(self, points: np.ndarray) -> np.ndarray:
        """Object-space points (N, 2) or (N, 3) to the world's, of the same shape."""
        c, s = math.cos(self.heading), math.sin(self.heading)
        moved = np.array(points, dtype=np.float64)
        moved[:, :2] = points[:, :2] @ np.array([(c, s), (-s, c)]) + (self.x, self.y)
        if moved.shape[1] == 3:
            moved[:, 2] += self.z
        return moved


@dataclass
class Site:
    """The ground of one picture, and what of it is taken."""

    plan: Plan
    camera: Camera
    rng: np.random.Generator
    taken: list[Polygon] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.road = self.plan.road
        pole = Point(self.camera.x, 0).buffer(0.8)
        self.taken.append(pole)

    def put(
        self, outline: np.ndarray, spot: str, *, turns: bool, least_px: tuple[float, float] = (8, 4)
    ) -> Place | None:
        """A free place for a thing with this outline (N, 3), or None where none was found.

        It will be in view, at least ``least_px`` (wide, high) pixels large.
        """
        for _ in range(_TRIES):
            place = self._draw(spot, turns=turns)
            if place and self._seen(place.on_ground(outline), least_px):
                area = self._area(outline, place)
                if self._stands(area, spot) and not self._hit(area, 0.35):
                    self.taken.append(area)
                    return place
        return None

    def claim(self, outline: np.ndarray, place: Place) -> bool:
        """Take a certain place, if it is free."""
        area = self._area(outline, place)
        if self._hit(area, 0.3):
            return False
        self.taken.append(area)
        return True

    def _draw(self, spot: str, *, turns: bool) -> Place | None:
        rng, plan = self.rng, self.plan
        away = math.exp(rng.uniform(math.log(NEAREST_M), math.log(FARTHEST_M)))
        bearing = math.radians(rng.uniform(-0.5, 0.5) * self.camera.hfov_deg + self.camera.yaw_deg)
        x = self.camera.x - away * math.sin(bearing)
        y = away * math.cos(bearing)
        turn = rng.uniform(-math.pi, math.pi) if turns else rng.normal(0, 0.06)
        if spot == "edge":
            right = bool(rng.random() < 0.5)
            return Place(plan.right if right else plan.left, y, 0, 0.0 if right else math.pi)
        if spot == "roadside":
            side = rng.integers(2)
            edge, walk = (plan.left, -plan.walks[0]) if side else (plan.right, plan.walks[1])
            return Place(edge + walk * rng.uniform(0.2, 0.9), y, self.level, turn)
        if not turns and rng.random() < 0.5:
            turn += math.pi
        return Place(x, y, 0.0, turn)

    @property
    def level(self) -> float:
        """Height of what lies beside the carriageway."""
        return 0.12 if self.plan.edge in ("kerb", "parapet") else 0.0

    def _seen(self, points: np.ndarray, least: tuple[float, float]) -> bool:
        if self.camera.seen(points)[:, 2].min() < 2.0:
            return False
        flat = self.camera.project(points) * (WIDTH, HEIGHT)
        whole = np.ptp(flat, axis=0)
        inside = np.ptp(np.clip(flat, 0, (WIDTH, HEIGHT)), axis=0)
        if whole[0] < least[0] or whole[1] < least[1]:
            return False
        return bool(inside[0] * inside[1] > 0.6 * whole[0] * whole[1])

    def _area(self, outline: np.ndarray, place: Place) -> Polygon:
        low, high = outline[:, :2].min(axis=0), outline[:, :2].max(axis=0)
        flat = affinity.rotate(box(*low, *high), math.degrees(place.heading), origin=(0, 0))
        return affinity.translate(flat, place.x, place.y)

    def _stands(self, area: Polygon, spot: str) -> bool:
        if spot != "lane":
            return True
        return bool(self.road.intersection(area).area > 0.93 * area.area)

    def _hit(self, area: Polygon, margin: float) -> bool:
        around = area.buffer(margin)
        return any(other.intersects(around) for other in self.taken)
