"""Boxes from what is really seen: the index of the thing at every pixel. Needs no renderer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Seen:
    """What is seen of one thing: box (x1, y1, x2, y2) in pixels and visible pixels."""

    box: tuple[float, float, float, float]
    pixels: int


def within(ids: np.ndarray, hulls: dict[int, np.ndarray]) -> np.ndarray:
    """``ids`` (h, w) int32 with a thing's pixels outside of its hull set to 0.

    ``hulls``: index to the projected outline, (N, 2) pixels; what lies outside of it (crumbs,
    fine cracks) doesn't count. Indices without a hull are left out.
    """
    kept = np.zeros_like(ids)
    for index, points in hulls.items():
        low, high = _bounds(points, ids.shape)
        if low[0] >= high[0] or low[1] >= high[1]:
            continue
        here = slice(low[1], high[1]), slice(low[0], high[0])
        mask = fill(points, ids.shape)[here].astype(bool)
        kept[here][mask & (ids[here] == index)] = index
    return kept


def fill(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The convex hull of pixels (N, 2) as a mask, uint8 (h, w), a pixel wider all around."""
    mask = np.zeros(shape, np.uint8)
    far = np.clip(points, -4000, 4000).astype(np.float32)
    hull = cv2.convexHull(far).astype(np.int32)
    cv2.fillConvexPoly(mask, hull, 1)
    cv2.polylines(mask, [hull], isClosed=True, color=1, thickness=2)
    return mask


def seen(ids: np.ndarray, members: list[int]) -> Seen | None:
    """The box around the pixels of the given indices, or None where there is none."""
    mask = np.isin(ids, members)
    rows, cols = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    if not len(rows):
        return None
    box = (float(cols[0]), float(rows[0]), float(cols[-1] + 1), float(rows[-1] + 1))
    return Seen(box, int(mask.sum()))


def around(ids: np.ndarray, members: list[int], at: tuple[float, float], wide: float) -> float:
    """The share (0..1) of a head's pixels that the given indices have, ``wide`` pixels at ``at``.

    What lies out of the picture is not theirs.
    """
    x, y = at
    reach = max(wide / 2, 0.5)
    rows = np.arange(math.floor(y - 1.2 * reach), math.ceil(y + 1.2 * reach) + 1)
    cols = np.arange(math.floor(x - reach), math.ceil(x + reach) + 1)
    disc = ((rows[:, None] - y) / 1.2) ** 2 + (cols[None] - x) ** 2 <= reach**2
    there = (rows[:, None] >= 0) & (rows[:, None] < ids.shape[0])
    there = there & (cols[None] >= 0) & (cols[None] < ids.shape[1])
    values = ids[np.clip(rows, 0, ids.shape[0] - 1)][:, np.clip(cols, 0, ids.shape[1] - 1)]
    return float((np.isin(values, members) & there & disc).sum() / max(int(disc.sum()), 1))


def silhouette(triangles: np.ndarray, points: np.ndarray, shape: tuple[int, int]) -> int:
    """Pixels that a thing would cover alone.

    ``triangles`` (M, 3, 2) are its projected faces, ``points`` its projected outline.
    """
    mask = np.zeros(shape, np.uint8)
    # Sixteenths of a pixel, or far things vanish between pixels' middles.
    for corners in np.rint(np.clip(triangles, -2000, 2000) * 16).astype(np.int32):
        cv2.fillConvexPoly(mask, corners, 1, cv2.LINE_8, 4)
    return int(cv2.countNonZero(mask & fill(points, shape)))


def _bounds(points: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    size = np.array(shape[::-1])
    low = np.clip(np.floor(points.min(axis=0)) - 2, 0, size).astype(int)
    return low, np.clip(np.ceil(points.max(axis=0)) + 3, 0, size).astype(int)
