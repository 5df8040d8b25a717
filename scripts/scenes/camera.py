"""The street camera: its pose and exact projection. Needs no renderer.

Street coordinates: X to the right across the street, Y along it, Z up, the origin on the ground in
the middle of the carriageway beside the camera's pole. Metres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from shapely import Polygon, box

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 640, 360
"""Of every picture that this process renders, in pixels."""


@dataclass(frozen=True)
class Camera:
    """``pitch_deg`` is the downward tilt, ``yaw_deg`` the turn to the left of the street's axis."""

    x: float = 5.8
    height_m: float = 6.0
    pitch_deg: float = 24.0
    yaw_deg: float = 9.0
    hfov_deg: float = 80.0

    @property
    def axes(self) -> np.ndarray:
        """Right, up and forward of the camera as rows, float64 (3, 3)."""
        pitch, yaw = math.radians(self.pitch_deg), math.radians(self.yaw_deg)
        right = np.array([math.cos(yaw), math.sin(yaw), 0.0])
        ahead = np.array([-math.sin(yaw), math.cos(yaw), 0.0])
        forward = ahead * math.cos(pitch) - np.array([0, 0, math.sin(pitch)])
        return np.stack([right, np.cross(right, forward), forward])

    def seen(self, points: np.ndarray | Sequence[Sequence[float]]) -> np.ndarray:
        """Points (N, 3) in the camera's own axes: right, up, forward; float64 (N, 3)."""
        return (np.asarray(points, float) - (self.x, 0.0, self.height_m)) @ self.axes.T

    def project(self, points: np.ndarray | Sequence[Sequence[float]]) -> np.ndarray:
        """Points (N, 3) to picture shares x, y in 0..1 (beyond it when out of view), (N, 2)."""
        right, up, forward = self.seen(points).T
        forward = np.maximum(forward, 0.05)
        half = math.tan(math.radians(self.hfov_deg / 2))
        return np.stack(
            [
                0.5 + right / forward / half / 2,
                0.5 - up / forward / half / 2 * WIDTH / HEIGHT,
            ],
            axis=1,
        )

    def pixels_a_metre(self, point: np.ndarray) -> float:
        """How large a metre at this point (3,) is in the picture."""
        forward = max(float(self.seen(point[None])[0, 2]), 0.05)
        return WIDTH / 2 / math.tan(math.radians(self.hfov_deg / 2)) / forward

    def box(self, points: np.ndarray | Sequence[Sequence[float]]) -> list[float]:
        """The box around points in the picture, clipped to it: [x1, y1, x2, y2] in 0..1."""
        flat = np.clip(self.project(points), 0.0, 1.0)
        return [round(float(v), 5) for v in (*flat.min(axis=0), *flat.max(axis=0))]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """A ground point as metres ahead of the camera and to its right."""
        yaw = math.radians(self.yaw_deg)
        dx = x - self.x
        return (
            round(-math.sin(yaw) * dx + math.cos(yaw) * y, 3),
            round(math.cos(yaw) * dx + math.sin(yaw) * y, 3),
        )

    def zone(self, left: float, right: float, far: float = 60.0) -> list[list[float]]:
        """The part of a strip of ground along the street that is in view, as a polygon in 0..1."""
        near = [y for y in np.arange(0.0, 20.0, 0.05) if self._in_front(left, right, y)]
        strip = [(left, near[0], 0), (left, far, 0), (right, far, 0), (right, near[0], 0)]
        view = Polygon(self.project(strip)).intersection(box(0, 0, 1, 1))
        if not isinstance(view, Polygon) or view.is_empty:
            return []
        return [[round(float(x), 5), round(float(y), 5)] for x, y in view.exterior.coords[:-1]]

    def _in_front(self, left: float, right: float, y: float) -> bool:
        return bool(self.seen([(left, y, 0), (right, y, 0)])[:, 2].min() > 0.5)
