"""Holes, plain road and vehicles cut out of labelled pictures, to be laid into others.

Holes come from close pictures of roads; what is cut beside the holes (cracks, repairs, manholes,
plain texture) is laid elsewhere without a label, so that the cut itself tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .classes import HAZARDS, IDS
from .layers import Layer, wobbly_disc

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from .folders import Picture

# Pictures that are themselves put together have no holes worth cutting.
MADE = ("composite", "rendered", "pasted")
# Road kept around a hole, as a part of its size; it measures the road's brightness and fades.
MARGIN = 0.22
LARGEST_PX, SMALLEST_PX = 128, 30
# How far from grey (in Lab) the road around a hole may be: grass, soil and paint are farther.
COLOURED = 22.0
# Median difference in brightness between a hole and its road below which nobody would see it.
FAINT = 0.07
PLAIN_PER_PICTURE = 2
# Sky mirrored in water is many times as bright as a wet road; more than this looks cut out.
BRIGHTEST = 2.2


@dataclass(slots=True, eq=False)
class Patches:
    """What was cut: holes, pieces of road without a hole, and (BGR, mask) of vehicles by class."""

    holes: list[Layer] = field(default_factory=list)
    plain: list[Layer] = field(default_factory=list)

    @classmethod
    def cut(cls, pictures: Iterable[Picture], seed: int = 0) -> Patches:
        """Cut all there is to cut; the same pictures and seed give the same patches."""
        rng = np.random.default_rng(seed)
        patches = cls()
        taken = [picture for picture in pictures if not picture.source.startswith(MADE)]
        surveys = {p.source for p in taken if (p.classes == IDS["cavity"]).any()}
        for picture in taken:
            cavities = picture.classes == IDS["cavity"]
            if picture.source not in surveys:
                continue
            bgr = cv2.imread(str(picture.path))
            if bgr is None:
                continue
            px = picture.boxes * np.tile(bgr.shape[1::-1], 2)
            others = px[~np.isin(picture.classes, HAZARDS)]
            for box in px[cavities]:
                if (layer := cut_hole(bgr, box, others, rng)) is not None:
                    patches.holes.append(layer)
            plain = [cut_plain(bgr, px, rng) for _ in range(PLAIN_PER_PICTURE)]
            patches.plain.extend(layer for layer in plain if layer is not None)
        return patches


def cut_hole(
    bgr: NDArray[np.uint8],
    box: NDArray[np.float32],
    others: NDArray[np.float32],
    rng: np.random.Generator,
) -> Layer | None:
    """A hole with its rim, faded into road brightness; None if it is too small, odd or faint."""
    x0, y0, x1, y1 = box
    w, h = x1 - x0, y1 - y0
    if w < SMALLEST_PX or not 0.15 < h / w < 1.3:
        return None
    wide = np.array([x0 - MARGIN * w, y0 - MARGIN * h, x1 + MARGIN * w, y1 + MARGIN * h])
    if overlaps(wide, others):
        return None
    # A hole that goes on outside its picture has no rim there.
    if x0 < 1 or y0 < 1 or x1 > bgr.shape[1] - 1 or y1 > bgr.shape[0] - 1:
        return None
    cut = _ratio(bgr, wide)
    if cut is None:
        return None
    ratio, spread = cut
    rows, columns = ratio.shape[:2]
    inner = np.s_[rows // 4 : rows - rows // 4, columns // 4 : columns - columns // 4]
    if np.median(np.abs(ratio[inner].mean(axis=2) - 1)) < max(FAINT, 0.7 * spread):
        return None
    left, top = max(0.0, wide[0]), max(0.0, wide[1])
    width = min(float(bgr.shape[1]), wide[2]) - left
    height = min(float(bgr.shape[0]), wide[3]) - top
    inner = (x0 - left) / width, (y0 - top) / height, (x1 - left) / width, (y1 - top) / height
    return Layer(ratio, _hole_alpha(ratio, rng), inner=inner)


def _hole_alpha(ratio: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A soft uneven disc over the box, drawn in where the picture is plain road anyway."""
    rows, columns = ratio.shape[:2]
    disc = wobbly_disc(rows, columns, rng, soft=0.3)
    odd = cv2.GaussianBlur(np.abs(ratio.mean(axis=2) - 1), (0, 0), max(1.0, columns / 24))
    return disc * np.clip(0.25 + odd / 0.12, 0, 1)


def cut_plain(
    bgr: NDArray[np.uint8], boxes: NDArray[np.float32], rng: np.random.Generator
) -> Layer | None:
    """A piece of road from the lower part of the picture that touches none of the boxes."""
    height, width = bgr.shape[:2]
    for _ in range(6):
        w = rng.uniform(0.15, 0.4) * width
        h = w * rng.uniform(0.4, 1.0)
        x, y = rng.uniform(0, width - w), rng.uniform(0.35 * height, max(0.36 * height, height - h))
        box = np.array([x, y, x + w, y + h])
        if y + h > height or overlaps(box, boxes) or (cut := _ratio(bgr, box)) is None:
            continue
        ratio, _ = cut
        # Where holes are around, what is as dark as they are may be one that nobody labelled.
        if len(boxes) and cv2.blur(ratio.mean(axis=2), (9, 9)).min() < 0.65:
            continue
        return Layer(ratio, wobbly_disc(*ratio.shape[:2], rng, soft=0.3))
    return None


def overlaps(box: NDArray[np.float64], boxes: NDArray[np.float32]) -> bool:
    """Whether a box xyxy touches any of boxes (N, 4)."""
    apart = (
        (boxes[:, 2] <= box[0])
        | (boxes[:, 0] >= box[2])
        | (boxes[:, 3] <= box[1])
        | (boxes[:, 1] >= box[3])
    )
    return not bool(apart.all())


def _ratio(
    bgr: NDArray[np.uint8], box: NDArray[np.float64]
) -> tuple[NDArray[np.float32], float] | None:
    """What is in the box as parts of the brightness at its border; how uneven that border is."""
    x0, y0, x1, y1 = np.round(box).astype(int)
    x0, y0 = max(0, x0), max(0, y0)
    crop = bgr[y0:y1, x0:x1]
    if min(crop.shape[:2]) < 8:
        return None
    scale = min(1.0, LARGEST_PX / max(crop.shape[:2]))
    crop = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    rows, columns = crop.shape[:2]
    deep = max(1, rows // 14), max(1, columns // 14)
    ring = np.ones((rows, columns), bool)
    ring[deep[0] : rows - deep[0], deep[1] : columns - deep[1]] = False
    colours = crop[ring]
    lab = cv2.cvtColor(colours[None], cv2.COLOR_BGR2LAB)[0].astype(np.float32)
    middle = np.median(colours, axis=0).astype(np.float32)
    grey = np.hypot(*(np.median(lab[:, 1:], axis=0) - 128))
    spread = float(np.median(np.abs(lab[:, 0] - np.median(lab[:, 0])))) / max(
        1.0, float(np.median(lab[:, 0]))
    )
    if grey > COLOURED or not 40 < middle.mean() < 235 or spread > 0.2:
        return None
    return np.minimum(crop / np.maximum(middle, 8.0), BRIGHTEST).astype(np.float32), spread
