"""From the picture to the ground: where a thing stands, how far, how large, how sure.

The lens is a pinhole without distortion and the ground is a plane; a strong wide-angle lens needs
marked points near what is to be measured. Picture coordinates are shares of its width and height:
u to the right, v down, both 0..1. Ground coordinates are metres east and north of the camera's
foot.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, hypot, isfinite, pi, radians, sin, tan
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from pipeline.errors import CalibrationError
from pipeline.town.homography import as_points, fit_ground, slopes
from pipeline.town.local import LocalFrame
from pipeline.town.place import Place

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from pipeline.town.camera import Camera

WIDESCREEN = 16 / 9
RANGE_M = 80.0  # beyond, 3 px of error are more than 3 m on the ground and grow quadratically
CAMERA_RADIUS_M = 40.0  # uncalibrated, but it is known which way the camera looks
BLIND_RADIUS_M = 80.0  # not even that, or farther away than the ground plane carries

_LINES = 1080  # pixel errors are stated for a picture of this height
_PIXEL_ERROR = 3.0  # of a box's foot against the true one, in such a picture
_POSE_ERROR_RAD = radians(1.0)  # of pitch and heading set by hand
_CAMERA_ERROR_M = 3.0  # of a camera's place from a map or a telephone
_SURVEY_ERROR_M = 2.0  # of points picked on a satellite picture: 1 to 3 m
_MARK_RANGE_M = 300.0  # marks farther away come from another datum or another camera


@dataclass(frozen=True, slots=True, eq=False)
class GroundPlane:
    """The ground in front of one camera; make it with ``from_pose`` or ``from_points``.

    ``to_ground`` is float64 (3, 3), (u, v, 1) to (x·w, y·w, w) with w > 0 below the horizon.
    ``error`` is the 95 % error of a picture position in u and v, ``base_m`` what is added on the
    ground, ``marks_m`` the distance of the farthest mark (infinite for a pose).
    """

    frame: LocalFrame
    method: Literal["pose", "points"]
    to_ground: NDArray[np.float64]
    error: tuple[float, float]
    base_m: float
    marks_m: float

    @classmethod
    def from_pose(
        cls,
        lon: float,
        lat: float,
        height_m: float,
        pitch_deg: float,
        heading_deg: float,
        hfov_deg: float,
        aspect: float = WIDESCREEN,
    ) -> GroundPlane:
        """``pitch_deg`` is down from the horizon, ``heading_deg`` clockwise from north.

        ``aspect`` is width over height of the picture. Raises CalibrationError.
        """
        for name, value, low, high in (
            ("height_m", height_m, 0.5, 200.0),
            ("pitch_deg", pitch_deg, -30.0, 90.0),
            ("heading_deg", heading_deg, -360.0, 360.0),
            ("hfov_deg", hfov_deg, 2.0, 170.0),
            ("aspect", aspect, 0.2, 5.0),
        ):
            if not (isfinite(value) and low <= value <= high):
                raise CalibrationError(
                    "no ground plane from this pose",
                    where=name,
                    found=value,
                    allowed=f"{low:g} to {high:g}",
                )
        focal_u = 0.5 / tan(radians(hfov_deg) / 2)
        focal_v = focal_u * aspect
        pitch, heading = radians(pitch_deg), radians(heading_deg)
        rays = np.array(
            [[1 / focal_u, 0, -0.5 / focal_u], [0, 1 / focal_v, -0.5 / focal_v], [0, 0, 1]]
        )
        # Rows: right, forward along the ground, down; columns: right, down, ahead in the picture.
        level = np.array([[1, 0, 0], [0, -sin(pitch), cos(pitch)], [0, cos(pitch), sin(pitch)]])
        turn = np.array(
            [[cos(heading), sin(heading), 0], [-sin(heading), cos(heading), 0], [0, 0, 1]]
        )
        scale = np.diag([height_m, height_m, 1])
        pose_error = tan(_POSE_ERROR_RAD)
        pixel_u, pixel_v = _PIXEL_ERROR / (_LINES * aspect), _PIXEL_ERROR / _LINES
        return cls(
            frame=LocalFrame(lon, lat),
            method="pose",
            to_ground=scale @ turn @ level @ rays,
            error=(hypot(pixel_u, pose_error * focal_u), hypot(pixel_v, pose_error * focal_v)),
            base_m=_CAMERA_ERROR_M,
            marks_m=float("inf"),
        )

    @classmethod
    def from_points(
        cls,
        image_points: ArrayLike,
        lonlat: ArrayLike,
        lon: float,
        lat: float,
        aspect: float = WIDESCREEN,
    ) -> GroundPlane:
        """From N >= 4 marks: ``image_points`` (N, 2) as u, v and ``lonlat`` (N, 2) in WGS-84.

        ``lon``/``lat`` are the camera's. The plane that reprojects the marks best is taken; what
        remains enters every error radius. Raises CalibrationError when the marks are too few, on
        one line, mirrored, behind the camera, too far away, or don't fit together.
        """
        frame = LocalFrame(lon, lat)
        image = as_points(image_points, "image_points")
        ground = np.array([frame.xy(*mark) for mark in as_points(lonlat, "lonlat")])
        distances = np.hypot(*ground.T) if len(ground) else np.zeros(1)
        if distances.max() > _MARK_RANGE_M:
            raise CalibrationError(
                "a mark is too far from the camera",
                where=f"point {int(distances.argmax()) + 1}",
                found=f"{distances.max():.0f} m",
                allowed=f"up to {_MARK_RANGE_M:g} m, in WGS-84 (is it gcj02 or bd09?)",
            )
        size = (_LINES * aspect, _LINES)
        to_ground, residuals = fit_ground(image, ground, size)
        pixel = hypot(_PIXEL_ERROR, float(np.sqrt((residuals**2).mean())))
        return cls(
            frame=frame,
            method="points",
            to_ground=to_ground,
            error=(pixel / size[0], pixel / size[1]),
            base_m=_SURVEY_ERROR_M,
            marks_m=float(distances.max()),
        )

    def ground_xy(self, u: float, v: float) -> tuple[float, float] | None:
        """Metres east and north of the camera; None above the horizon or beyond 80 m."""
        x, y, w = self.to_ground @ (u, v, 1.0)
        if w <= 0 or hypot(x, y) > RANGE_M * w:
            return None
        return float(x / w), float(y / w)

    def distance_m(self, u: float, v: float) -> float | None:
        """Metres along the ground from the camera's foot; None where there is no ground place."""
        at = self.ground_xy(u, v)
        return None if at is None else hypot(*at)

    def place(self, u: float, v: float) -> Place | None:
        """The place with its 95 % error radius; None above the horizon or beyond 80 m."""
        at = self.ground_xy(u, v)
        if at is None:
            return None
        lon, lat = self.frame.lonlat(*at)
        spread = np.linalg.norm(self._slope(u, v) * self.error, ord=2)
        base_m = self.base_m * max(1.0, hypot(*at) / self.marks_m)
        return Place(lon, lat, min(hypot(float(spread), base_m), CAMERA_RADIUS_M), self.method)

    def metres_per_unit(self, u: float, v: float) -> tuple[float, float] | None:
        """Metres of ground per unit of u (across) and of v (along) at this spot."""
        if self.ground_xy(u, v) is None:
            return None
        across, along = np.linalg.norm(self._slope(u, v), axis=0)
        return float(across), float(along)

    def metres_per_unit_at(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """``metres_per_unit`` of many spots (N, 2): float64 (N, 2), NaN without a ground place."""
        ground = np.column_stack([points, np.ones(len(points))]) @ self.to_ground.T
        w = ground[:, 2]
        placed = (w > 0) & (np.hypot(ground[:, 0], ground[:, 1]) <= RANGE_M * w)
        metres = np.full((len(points), 2), np.nan)
        metres[placed] = np.linalg.norm(slopes(self.to_ground, points[placed]), axis=1)
        return metres

    def size_m(self, box: tuple[float, float, float, float]) -> tuple[float, float] | None:
        """(width_m, area_m2) of something flat and round on the ground, seen in ``box`` (0..1).

        The box's corners are laid on the ground; the width is that of its middle line, and of the
        area a round thing fills pi/4. None when a corner has no ground place.
        """
        u1, v1, u2, v2 = box
        middle = (v1 + v2) / 2
        spots = ((u1, v1), (u2, v1), (u2, v2), (u1, v2), (u1, middle), (u2, middle))
        corners = [xy for u, v in spots if (xy := self.ground_xy(u, v)) is not None]
        if len(corners) < len(spots):
            return None
        outline = np.asarray(corners[:4], np.float32)
        (left_x, left_y), (right_x, right_y) = corners[4:]
        width_m = hypot(right_x - left_x, right_y - left_y)
        return width_m, float(cv2.contourArea(outline)) * pi / 4

    def horizon_v(self, u: float = 0.5) -> float | None:
        """Where the horizon crosses this column; may lie outside 0..1. None if nowhere."""
        a, b, c = self.to_ground[2]
        return None if abs(b) < 1e-12 else float(-(a * u + c) / b)

    def project(self, lon: float, lat: float) -> tuple[float, float] | None:
        """Where a WGS-84 place on the ground is in the picture; None if it isn't in it."""
        ground = np.array([*self.frame.xy(lon, lat), 1.0])
        u, v, s = (float(part) for part in np.linalg.solve(self.to_ground, ground))
        if s <= 0:
            return None
        u, v = u / s, v / s
        slack = 1e-9
        inside = -slack <= u <= 1 + slack and -slack <= v <= 1 + slack
        return (u, v) if inside else None

    def _slope(self, u: float, v: float) -> NDArray[np.float64]:
        """(2, 2): metres east and north per unit of u and v."""
        return np.asarray(slopes(self.to_ground, np.array([[u, v]]))[0], np.float64)


def plane_of(camera: Camera, aspect: float = WIDESCREEN) -> GroundPlane | None:
    """The camera's ground plane: from its marked points, else from its pose, else None."""
    if camera.ground_points:
        return GroundPlane.from_points(
            [(point.u, point.v) for point in camera.ground_points],
            [(point.lon, point.lat) for point in camera.ground_points],
            camera.lon,
            camera.lat,
            aspect,
        )
    pose = (camera.height_m, camera.pitch_deg, camera.heading_deg, camera.hfov_deg)
    height_m, pitch_deg, heading_deg, hfov_deg = pose
    if height_m is None or pitch_deg is None or heading_deg is None or hfov_deg is None:
        return None
    return GroundPlane.from_pose(
        camera.lon, camera.lat, height_m, pitch_deg, heading_deg, hfov_deg, aspect
    )


def place_of(camera: Camera, plane: GroundPlane | None, u: float, v: float) -> Place:
    """The ground place of (u, v), or the camera's own with a large radius."""
    place = None if plane is None else plane.place(u, v)
    if place is not None:
        return place
    looks_somewhere = plane is None and camera.heading_deg is not None
    radius_m = CAMERA_RADIUS_M if looks_somewhere else BLIND_RADIUS_M
    return Place(camera.lon, camera.lat, radius_m, "camera")
