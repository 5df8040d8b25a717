"""Detections of several looks at one picture: what a window cut, and who saw a thing best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.detect.detections import Detections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.ingest import Look

EDGE_PX = 2.0
"""Of the look: a box that ends this close to the window's edge goes on beyond it."""
SAME = 0.5
"""Two boxes of different looks with this IoU are one thing."""
INSIDE = 0.7
"""A window's box with this share of it in a larger one of its class is a part of that thing."""
IN_SURROUNDINGS = ("crash",)
"""Classes that are judged by what is around them: windows have too little of that."""


def uncut(look: Look, seen: Detections) -> Detections:
    """The detections that no edge of the look's window cuts; the picture's own edges cut none."""
    x1, y1, x2, y2 = look.region
    width, height = look.source_size
    edge = EDGE_PX * look.scale
    boxes = seen.boxes
    whole = np.ones(len(seen), bool)
    if x1 > 0:
        whole &= boxes[:, 0] > x1 + edge
    if y1 > 0:
        whole &= boxes[:, 1] > y1 + edge
    if x2 < width:
        whole &= boxes[:, 2] < x2 - edge
    if y2 < height:
        whole &= boxes[:, 3] < y2 - edge
    return seen[whole]


def merged(
    looks: Sequence[Look], found: Sequence[Detections], classes: Sequence[str], *, small_px: float
) -> Detections:
    """One list from a whole look, the first, and road looks at the same picture.

    Of the road looks those things count that are whole in the window and whose side is less than
    ``small_px`` pixels of the whole look: larger ones it sees itself, with more around them. A
    thing that several looks see is there once, as the one that is surest of it.
    """
    whole, *windows = found
    apart = np.isin(np.array(classes), IN_SURROUNDINGS)
    parts = [whole]
    for look, seen in zip(looks[1:], windows, strict=True):
        small = np.sqrt(_area(seen.boxes)) < small_px * looks[0].scale
        things = uncut(look, seen[small & ~apart[seen.classes]])
        parts.append(things[~_part_of(things, whole)])
    number = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    every = Detections(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.classes for part in parts]),
    )
    kept: list[int] = []
    for at in np.argsort(-every.scores, kind="stable"):
        rivals = [one for one in kept if number[one] != number[at]]
        if not rivals or _iou(every.boxes[[at]], every.boxes[rivals]).max() < SAME:
            kept.append(int(at))
    chosen = np.zeros(len(every), bool)
    chosen[kept] = True
    return every[chosen]


def _part_of(seen: Detections, whole: Detections) -> NDArray[np.bool_]:
    """Which of ``seen`` lie in a box of ``whole`` with the same class and twice the size."""
    area, of = _area(seen.boxes), _area(whole.boxes)
    inside = _overlap(seen.boxes, whole.boxes) > INSIDE * area[:, None]
    larger = of[None] > 2 * area[:, None]
    alike = seen.classes[:, None] == whole.classes[None]
    return np.asarray((inside & larger & alike).any(axis=1), bool)


def _area(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared: NDArray[np.float32] = np.clip(high - low, 0.0, None).prod(axis=2)
    return shared


def _iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    shared = _overlap(a, b)
    union = _area(a)[:, None] + _area(b)[None] - shared
    return np.asarray(shared / np.maximum(union, 1e-6), np.float32)
