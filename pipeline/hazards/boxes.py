"""Boxes float (..., 4) as x1, y1, x2, y2. Unit of the rules: the picture's height on both axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Box = NDArray[np.float64]  # (4,)
    Boxes = NDArray[np.float64]  # (N, 4)


def area(boxes: Boxes) -> NDArray[np.float64]:
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def size(box: Box) -> float:
    """Side of the square of equal area: one length for objects of any shape."""
    return float(np.sqrt(np.clip(area(box), 0.0, None)))


def centre(box: Box) -> NDArray[np.float64]:
    return (box[:2] + box[2:]) / 2


def foot(box: Box) -> NDArray[np.float64]:
    """Middle of the bottom edge: where a thing touches the ground."""
    return np.array([(box[0] + box[2]) / 2, box[3]])


def grow(box: Box, factor: float) -> Box:
    """The box scaled about its centre."""
    half = (box[2:] - box[:2]) / 2 * factor
    middle = centre(box)
    return np.concatenate([middle - half, middle + half])


def overlap(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """Area that each of ``a`` (N, 4) shares with each of ``b`` (M, 4): (N, M)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.clip(high - low, 0.0, None)
    shared: NDArray[np.float64] = sides[..., 0] * sides[..., 1]
    return shared


def iou(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """Intersection over union of each of ``a`` (N, 4) with each of ``b`` (M, 4): (N, M)."""
    shared = overlap(a, b)
    return shared / np.maximum(area(a)[:, None] + area(b)[None, :] - shared, 1e-12)


def covered(box: Box, others: Boxes) -> float:
    """Largest share of ``box`` that one of ``others`` (N, 4) covers."""
    if not len(others):
        return 0.0
    return float(overlap(box[None], others).max() / max(float(area(box)), 1e-12))
