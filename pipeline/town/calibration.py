"""How well marked points fit: the ground plane the product makes of them, held against them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import hypot
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import CalibrationError
from pipeline.town.ground import WIDESCREEN, GroundPlane, plane_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.town.camera import Camera, GroundPoint

_FEWEST = 4  # points that fix a plane; they fit it whatever they are


@dataclass(frozen=True, slots=True)
class Calibration:
    """A ground plane and by how much each of its marks misses it.

    ``errors_m``: metres on the ground from each mark to where the plane lays its point of the
    picture. ``unseen_m``: the same by the plane of all other marks, so that a mark can't hide its
    own error; None where the others give no plane, and of four marks always.
    """

    plane: GroundPlane
    errors_m: tuple[float, ...]
    unseen_m: tuple[float | None, ...]

    @property
    def whole_m(self) -> float:
        """Root mean square of the errors."""
        return float(np.sqrt(np.mean(np.square(self.errors_m))))

    @property
    def proves_nothing(self) -> bool:
        """Four marks always fit: their errors say nothing about where they are."""
        return len(self.errors_m) <= _FEWEST


def calibrate(
    camera: Camera, points: Sequence[GroundPoint], aspect: float = WIDESCREEN
) -> Calibration:
    """The plane that these marks would give the camera; raises CalibrationError."""
    if not points:  # without any the plane would be that of the pose
        raise CalibrationError(
            "too few marked points", found="none", allowed="4 or more pairs, 8 are better"
        )
    plane = _plane(camera, points, aspect)
    return Calibration(
        plane,
        tuple(_miss_m(plane, point) for point in points),
        tuple(_unseen_m(camera, points, number, aspect) for number in range(len(points))),
    )


def _plane(camera: Camera, points: Sequence[GroundPoint], aspect: float) -> GroundPlane:
    plane = plane_of(replace(camera, ground_points=tuple(points)), aspect)
    assert plane is not None
    return plane


def _miss_m(plane: GroundPlane, point: GroundPoint) -> float:
    """Unlike ``ground_xy`` beyond 80 m, too: marks may lie there."""
    x, y, w = plane.to_ground @ (point.u, point.v, 1.0)
    east, north = plane.frame.xy(point.lon, point.lat)
    return hypot(float(x / w) - east, float(y / w) - north)


def _unseen_m(
    camera: Camera, points: Sequence[GroundPoint], number: int, aspect: float
) -> float | None:
    others = [*points[:number], *points[number + 1 :]]
    if len(others) < _FEWEST:
        return None
    try:
        return _miss_m(_plane(camera, others, aspect), points[number])
    except CalibrationError:
        return None
