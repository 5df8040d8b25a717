"""The plane through marked points: fitted, and checked to be one a camera can see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from pipeline.errors import CalibrationError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_RESIDUAL_LIMIT_PX = 30.0  # more, and a mark is on the wrong spot or from another picture
_FLATTEST = 0.02  # marks flatter than this against their length are on one line


def fit_ground(
    image: NDArray[np.float64], ground: NDArray[np.float64], size: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit (N, 2) marks in 0..1 of the picture to (N, 2) metres on the ground.

    Returns the (3, 3) matrix from (u, v, 1) to (x·w, y·w, w) with w > 0 in front of the camera,
    and the (N,) residuals in pixels of a picture of ``size`` (width, height). Raises
    CalibrationError.
    """
    if len(image) != len(ground) or len(image) < 4:
        raise CalibrationError(
            "too few marked points",
            found=f"{len(image)} in the picture, {len(ground)} on the ground",
            allowed="4 or more pairs, 8 are better",
        )
    if not ((image >= 0) & (image <= 1)).all():
        raise CalibrationError(
            "a mark is outside the picture",
            where="image_points",
            found=image.tolist(),
            allowed="u and v in 0..1",
        )
    picture = image * size
    to_picture = _fit(ground, picture)
    residuals = _residuals(to_picture, ground, picture)
    if residuals.max() > _RESIDUAL_LIMIT_PX:
        raise CalibrationError(
            "the marked points don't fit together",
            where=f"point {int(residuals.argmax()) + 1}",
            found=f"{residuals.max():.0f} px off in a picture {size[1]:g} px high",
            allowed=f"up to {_RESIDUAL_LIMIT_PX:g} px",
        )
    to_ground = np.asarray(np.linalg.inv(to_picture) @ np.diag([*size, 1.0]), np.float64)
    return _seen_from_above(to_ground, image), residuals


def slopes(to_ground: NDArray[np.float64], image: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2, 2): how the ground position changes with u and v at each (N, 2) image point."""
    scaled = np.column_stack([image, np.ones(len(image))]) @ to_ground.T
    w = scaled[:, 2, None, None]
    at = scaled[:, :2, None] / w
    return np.asarray((to_ground[None, :2, :2] - at * to_ground[None, 2:, :2]) / w, np.float64)


def as_points(values: ArrayLike, where: str) -> NDArray[np.float64]:
    try:
        points = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise CalibrationError(
            "not a list of points",
            where=where,
            found=repr(values)[:120],
            allowed="(N, 2) finite numbers",
        )
    return points


def _fit(ground: NDArray[np.float64], picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """The homography ground -> picture with the least reprojection error."""
    for points, where in ((ground, "on the ground"), (picture, "in the picture")):
        if not _spread_out(points):
            raise CalibrationError(
                f"all marked points, or all but one, lie on one line {where}",
                found=points.round(2).tolist(),
                allowed="4 or more different points, no three of four in a row",
            )
    matrix, _ = cv2.findHomography(ground, picture, 0)
    if matrix is None or not np.isfinite(matrix).all() or np.linalg.det(matrix) == 0:
        raise CalibrationError(
            "no plane fits the marked points",
            found=ground.round(2).tolist(),
            allowed="points on the ground as one camera sees them",
        )
    return np.asarray(matrix, np.float64)


def _spread_out(points: NDArray[np.float64]) -> bool:
    """Whether a homography is determined: no line holds all of the points but one."""
    different = np.unique(points, axis=0)
    if len(different) < 4:
        return False
    for left_out in range(len(different)):
        rest = np.delete(different, left_out, axis=0)
        length, breadth = np.linalg.svd(rest - rest.mean(axis=0), compute_uv=False)
        if breadth < _FLATTEST * length:
            return False
    return True


def _residuals(
    matrix: NDArray[np.float64], ground: NDArray[np.float64], picture: NDArray[np.float64]
) -> NDArray[np.float64]:
    seen = cv2.perspectiveTransform(ground[:, None], matrix)[:, 0]
    return np.asarray(np.linalg.norm(seen - picture, axis=1), np.float64)


def _seen_from_above(
    to_ground: NDArray[np.float64], image: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The same plane with w > 0 at the marks; refuses what no camera over the ground can see."""
    w = np.column_stack([image, np.ones(len(image))]) @ to_ground[2]
    if not ((w > 0).all() or (w < 0).all()):
        raise CalibrationError(
            "some marked points would lie behind the camera",
            found=f"points {(np.flatnonzero(w * w[0] < 0) + 1).tolist()}",
            allowed="points on the ground in front of it",
        )
    # Down in the picture is nearer, right is right: seen from above the orientation turns over.
    if (np.linalg.det(slopes(to_ground, image)) > 0).any():
        raise CalibrationError(
            "the marked points are mirrored", allowed="lon before lat, u to the right, v down"
        )
    return np.asarray(to_ground * np.sign(w[0]), np.float64)
