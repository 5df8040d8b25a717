"""Things that stand on the road, cut out of pictures with known ground: vehicles and crashes.

Single vehicles are laid so that they hide a part of another as in a queue, without a crash label,
and overturned, with one. Real crashes are laid with the road around them faded out, and so are
ordinary vehicles that overlap in the picture: neither the cut nor the overlap makes a crash.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .classes import IDS
from .ground import VEHICLES, Ground, read_ground
from .layers import Layer
from .patches import MADE, overlaps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from .folders import Picture

SMALLEST_PX, LARGEST_PX = 36, 160
# Enough for variety; each vehicle takes some 20 ms to cut.
VEHICLE_COUNT, GROUP_COUNT = 300, 300
PER_PICTURE = 3
# Road cut out with a crash or an ordinary group and faded, as a part of its size.
MARGIN = 0.12
# Paint that is more times as bright as the road would be pure white on most roads.
BRIGHTEST, DAZZLING = 4.0, 2.6
Box = tuple[float, float, float, float]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A thing as seen from a pole: how wide it is and how steeply it was looked at.

    ``flatness`` as of ``Ground``; ``parts``: boxes in the layer (0..1) and classes of all that
    gets a label, none for a decoy; ``lies``: it is flat and looks flatter in a flatter view.
    """

    layer: Layer
    width_m: float
    flatness: float
    parts: tuple[tuple[Box, int], ...]
    lies: bool = False

    def mirrored(self) -> Cutout:
        parts = tuple(((1 - x1, y0, 1 - x0, y1), kind) for (x0, y0, x1, y1), kind in self.parts)
        return replace(self, layer=self.layer.mirrored(), parts=parts)


@dataclass(slots=True, eq=False)
class Cutouts:
    """Vehicles alone, ordinary groups of vehicles, and crashes."""

    vehicles: list[Cutout] = field(default_factory=list)
    groups: list[Cutout] = field(default_factory=list)
    crashes: list[Cutout] = field(default_factory=list)

    @classmethod
    def cut(cls, pictures: Iterable[Picture], seed: int = 0) -> Cutouts:
        """Cut from pictures in which the ground can be read; the same seed cuts the same."""
        rng = np.random.default_rng(seed)
        cutouts = cls()
        for picture in pictures:
            crashed = picture.classes == IDS["crash"]
            enough = len(cutouts.vehicles) >= VEHICLE_COUNT and len(cutouts.groups) >= GROUP_COUNT
            standing = np.isin(picture.classes, VEHICLES)
            if (
                picture.source.startswith(MADE)
                or not standing.any()
                or (enough and not crashed.any())
            ):
                continue
            bgr = cv2.imread(str(picture.path))
            if bgr is None or (ground := read_ground(bgr, picture.boxes, picture.classes)) is None:
                continue
            px = picture.boxes * np.tile(bgr.shape[1::-1], 2)
            for box in px[crashed]:
                cutouts._add(cutouts.crashes, cut_group(bgr, box, px, picture.classes, ground))
            if not crashed.any():
                cutouts._cut_traffic(bgr, px, picture.classes, ground, rng)
        return cutouts

    def _add(self, kind: list[Cutout], cutout: Cutout | None) -> None:
        if cutout is not None:
            kind.append(cutout)

    def _cut_traffic(
        self,
        bgr: NDArray[np.uint8],
        px: NDArray[np.float32],
        classes: NDArray[np.int16],
        ground: Ground,
        rng: np.random.Generator,
    ) -> None:
        for index in rng.permutation(np.flatnonzero(np.isin(classes, VEHICLES)))[:PER_PICTURE]:
            touching = [i for i in range(len(px)) if overlaps(px[index], px[i : i + 1])]
            if len(touching) == 1 and len(self.vehicles) < VEHICLE_COUNT:
                self._add(self.vehicles, cut_vehicle(bgr, px[index], int(classes[index]), ground))
            if len(self.groups) < GROUP_COUNT:
                both = np.concatenate([px[touching, :2].min(axis=0), px[touching, 2:].max(axis=0)])
                self._add(self.groups, cut_group(bgr, both, px, classes, ground))


def _framed(
    bgr: NDArray[np.uint8], box: NDArray[np.float32], room: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]] | None:
    """The box with some room around, small enough, and the box in it in pixels; None at edges."""
    x0, y0, x1, y1 = box
    w, h = x1 - x0, y1 - y0
    wide = np.round([x0 - room * w, y0 - room * h, x1 + room * w, y1 + room * h]).astype(int)
    left, top, right, bottom = wide
    if left < 0 or top < 0 or right > bgr.shape[1] or bottom > bgr.shape[0] or w < SMALLEST_PX:
        return None
    scale = min(1.0, LARGEST_PX / max(right - left, bottom - top))
    crop = cv2.resize(
        bgr[top:bottom, left:right], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    return crop, (box - [left, top, left, top]) * scale


def cut_vehicle(
    bgr: NDArray[np.uint8], box: NDArray[np.float32], kind: int, ground: Ground
) -> Cutout | None:
    """A vehicle without what is around it; None where it doesn't stand out from that."""
    if (framed := _framed(bgr, box, MARGIN)) is None:
        return None
    crop, inner = framed
    x0, y0, x1, y1 = np.round(inner).astype(int)
    mask = np.zeros(crop.shape[:2], np.uint8)
    rect = (x0, y0, x1 - x0, y1 - y0)
    cv2.setRNGSeed(0)
    cv2.grabCut(crop, mask, rect, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_RECT)
    solid = ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(solid)
    if len(stats) < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    left, top, width, height, area = stats[largest]
    # A vehicle fills most of its box and reaches its sides.
    if area < 0.5 * rect[2] * rect[3] or width < 0.85 * rect[2] or height < 0.8 * rect[3]:
        return None
    # Tyres and the dark below are lost to the road; a vehicle's outline is about convex.
    hull = cv2.convexHull(cv2.findNonZero((parts == largest).astype(np.uint8)))
    cv2.fillConvexPoly(parts, hull, largest)
    road = np.median(crop[min(y1 + 1, len(crop) - 1) :, x0:x1].reshape(-1, 3), axis=0)
    body = np.s_[top : top + height, left : left + width]
    alpha = cv2.GaussianBlur((parts[body] == largest).astype(np.float32), (0, 0), 0.6)
    ratio = np.minimum(crop[body] / np.maximum(road, 8.0), BRIGHTEST).astype(np.float32)
    y = float(box[3])
    width_m = float(box[2] - box[0]) / max(ground.px_per_m(y), 1e-3)
    dazzling = float((ratio.min(axis=2) > DAZZLING).mean()) > 0.15
    if dazzling or not 1.4 < width_m < 14:
        return None
    return Cutout(Layer(ratio, alpha), width_m, ground.flatness(y), ((WHOLE, kind),))


def cut_group(
    bgr: NDArray[np.uint8],
    box: NDArray[np.float32],
    px: NDArray[np.float32],
    classes: NDArray[np.int16],
    ground: Ground,
) -> Cutout | None:
    """A crash or a group with the labels in it and a rim of road that fades; None off the road."""
    if (framed := _framed(bgr, box, MARGIN)) is None:
        return None
    crop, inner = framed
    rows, columns = crop.shape[:2]
    sides = crop[rows // 2 :, [0, -1]].reshape(-1, 3)
    ring = np.concatenate([crop[-3:].reshape(-1, 3), sides])
    road = np.median(ring, axis=0)
    if float(np.median(np.abs(ring - road).mean(axis=1))) > 0.15 * road.mean():
        return None
    y = float(box[3])
    width_m = float(box[2] - box[0]) * columns / float(inner[2] - inner[0])
    width_m /= max(ground.px_per_m(y), 1e-3)
    if not 2.0 < width_m < 25:
        return None
    # Pixels of the picture into parts of the cut.
    scale = (inner[2:] - inner[:2]) / (box[2:] - box[:2])
    size = np.array([columns, rows])
    parts = ((px.reshape(-1, 2, 2) - box[:2]) * scale + inner[:2]) / size
    inside = (parts.min(axis=(1, 2)) > -0.02) & (parts.max(axis=(1, 2)) < 1.02)
    labels = tuple(
        (tuple(np.clip(parts[i].ravel(), 0, 1).tolist()), int(classes[i]))
        for i in np.flatnonzero(inside)
    )
    ratio = np.minimum(crop / np.maximum(road, 8.0), BRIGHTEST).astype(np.float32)
    return Cutout(Layer(ratio, _faded(rows, columns)), width_m, ground.flatness(y), labels)


def _faded(rows: int, columns: int) -> NDArray[np.float32]:
    """Alpha of a rectangle whose margin fades."""
    rim = MARGIN / (1 + 2 * MARGIN)
    v = np.minimum(np.arange(rows), np.arange(rows)[::-1]) / (rim * rows)
    u = np.minimum(np.arange(columns), np.arange(columns)[::-1]) / (rim * columns)
    return (np.clip(v, 0, 1)[:, None] * np.clip(u, 0, 1)[None, :]).astype(np.float32)


def overturned(vehicle: Cutout, rng: np.random.Generator) -> Cutout:
    """The vehicle on its roof or, if seen from the front or back, on its side: a crash."""
    layer = vehicle.layer
    rows, columns = layer.alpha.shape
    turns = 2 if columns > 1.35 * rows or rng.random() < 0.4 else int(rng.choice((1, 3)))
    turned = Layer(np.rot90(layer.ratio, turns).copy(), np.rot90(layer.alpha, turns).copy())
    width_m = vehicle.width_m * (1.0 if turns == 2 else rows / columns)
    parts = (*vehicle.parts, (WHOLE, IDS["crash"]))
    return Cutout(turned, width_m, vehicle.flatness, parts)
