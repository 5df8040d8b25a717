"""Makes people and cars in a picture unrecognisable, before anything of it is written.

People's heads, vehicles' windows and number plates are covered where they must be, given the box,
whichever way the person or vehicle faces. Blocks of pixels are replaced by their mean: what was in
them is gone, unlike after a blur, which can be undone in part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from pipeline.errors import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TWO_WHEELERS = frozenset({"bicycle", "motorcycle"})
CABS = frozenset({"car", "bus", "truck"})
VEHICLES = CABS | {"motorcycle"}

# Parts of a box as x1, y1, x2, y2 in 0..1 of it; they may reach out of it, since boxes are often
# a little too small. A standing person's head is the top seventh; bent, seated and cropped people
# need more.
_HEAD = (-0.15, -0.1, 1.15, 0.3)
_HEAD_OF_WIDE = (-0.15, -0.1, 1.15, 0.55)
_RIDER = (-0.2, -0.7, 1.2, 0.35)  # a rider that was not detected sits above the vehicle's box
_PLATES = (0.0, 0.45, 1.0, 1.02)  # seen at an angle, a plate is near a corner: the whole width
_WINDOWS = (0.08, 0.04, 0.92, 0.48)  # who sits behind them is seldom detected; the outline stays

_WIDE = 0.8  # width / height from which a person isn't upright and whole
_LEAST_PX = 16  # no region is smaller than this: small boxes are less exact
_LEAST_BLOCK_PX = 6
_HEAD_BLOCKS = 4  # across a head: recognition fails far above that
_WINDOW_BLOCKS = 24  # across a vehicle: a face, at most a seventh of that, keeps 3 to 4
_LEAST_CAB_PX = 60  # a vehicle of this height shows faces of 10 pixels; lower ones none
_PLATE_BLOCKS = 12  # across a vehicle: a plate of a quarter of its width keeps 3 blocks for 7 signs


def blur_privacy(
    picture: NDArray[np.uint8], boxes_px: NDArray[np.float32], class_names: Sequence[str]
) -> NDArray[np.uint8]:
    """A copy of ``picture`` (BGR, (H, W, 3)) without heads, windows and number plates.

    ``boxes_px`` is (N, 4) xyxy in its pixels with the ``class_names`` (N). Raises EvidenceError
    when that isn't what it got: better no picture than one that shows a face.
    """
    _check(picture, boxes_px, class_names)
    covered = picture.copy()
    for box, name in zip(boxes_px, class_names, strict=True):
        for part, blocks in _parts(box, name):
            _pixelate(covered, _region(box, part, picture.shape), blocks)
    return covered


def _check(picture: NDArray[np.uint8], boxes: NDArray[np.float32], names: Sequence[str]) -> None:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise EvidenceError(f"not a BGR picture: {picture.dtype} {picture.shape}")
    if boxes.shape != (len(names), 4):
        raise EvidenceError(f"boxes {boxes.shape} don't go with {len(names)} names")
    if not np.isfinite(boxes).all():
        raise EvidenceError("a box isn't finite")


def _parts(
    box: NDArray[np.float32], name: str
) -> list[tuple[tuple[float, float, float, float], int]]:
    parts = []
    width, height = box[2] - box[0], box[3] - box[1]
    if name == "person":
        parts.append((_HEAD_OF_WIDE if width > _WIDE * height else _HEAD, _HEAD_BLOCKS))
    if name in TWO_WHEELERS:
        parts.append((_RIDER, _HEAD_BLOCKS))
    if name in CABS and height >= _LEAST_CAB_PX:
        parts.append((_WINDOWS, _WINDOW_BLOCKS))
    if name in VEHICLES:
        parts.append((_PLATES, _PLATE_BLOCKS))
    return parts


def _region(
    box: NDArray[np.float32], part: tuple[float, float, float, float], shape: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """The part of the box in whole pixels, grown to the least size, cut to the picture."""
    x1, y1, x2, y2 = (float(value) for value in box)
    width, height = x2 - x1, y2 - y1
    left, top = x1 + part[0] * width, y1 + part[1] * height
    right, bottom = x1 + part[2] * width, y1 + part[3] * height
    grow_x = max(0.0, _LEAST_PX - (right - left)) / 2
    grow_y = max(0.0, _LEAST_PX - (bottom - top)) / 2
    return (
        int(max(0, np.floor(left - grow_x))),
        int(max(0, np.floor(top - grow_y))),
        int(min(shape[1], np.ceil(right + grow_x))),
        int(min(shape[0], np.ceil(bottom + grow_y))),
    )


def _pixelate(picture: NDArray[np.uint8], region: tuple[int, int, int, int], blocks: int) -> None:
    left, top, right, bottom = region
    if right <= left or bottom <= top:
        return
    part = picture[top:bottom, left:right]
    size = max(_LEAST_BLOCK_PX, round((right - left) / blocks))
    few = (max(1, (right - left) // size), max(1, (bottom - top) // size))
    means = cv2.resize(part, few, interpolation=cv2.INTER_AREA)
    part[:] = cv2.resize(means, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST)
