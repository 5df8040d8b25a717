"""One street picture while things are laid on its road: where they fit, and their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from .layers import Layer, is_grey, lay
from .patches import overlaps

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .cutouts import Cutout
    from .ground import Ground

SMALLEST_PX = 10
# As a part of the picture's width.
LARGEST = 0.28
# Labels that come out smaller than this are nothing a network can learn.
LEAST_LABEL_PX = 6
# Hazards that change the picture by less (mean of grey levels in their box) can't be seen.
LEAST_CHANGE = 5.0
# Share of the footprint that must look like road.
ON_ROAD = 0.9
# A patch is not blown up by more than this; it would look soft.
ENLARGED = 1.4
# Nothing on a road is seen flatter or steeper than this from a pole.
FLATTEST, STEEPEST = 0.18, 0.75
# A standing thing is laid only where the view is about as steep as where it was cut.
OTHER_VIEW = 1.7
# Vehicles show where the road is; the farther from them (metres), the less often it is chosen.
NEAR_M = 15.0
TRIES = 12
# What covers more than this of a vehicle would make its label wrong.
COVERED = 0.4

Labels = tuple[tuple[tuple[float, float, float, float], int], ...]


class Footprint(NamedTuple):
    """Pixels a thing takes: ``base`` are the lowest of ``height`` rows, those on the road."""

    width: int
    height: int
    base: int


class Place(NamedTuple):
    """Where something lies in the picture, in pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def box(self) -> NDArray[np.float64]:
        return np.array(
            [self.left, self.top, self.left + self.width, self.top + self.height], float
        )


class Scene:
    """A picture (changed in place), the boxes in it (xyxy 0..1) and its ground."""

    def __init__(
        self,
        bgr: NDArray[np.uint8],
        boxes: NDArray[np.float32],
        ground: Ground,
        rng: np.random.Generator,
    ) -> None:
        self.bgr = bgr
        self._ground = ground
        self._rng = rng
        self._grey = is_grey(bgr)
        self._size = np.array(bgr.shape[1::-1] * 2, np.float32)
        self._taken = boxes * self._size
        self._hidden = np.zeros(len(boxes))  # share of each taken box
        self._new: list[tuple[NDArray[np.float64], int]] = []
        self._sums = cv2.integral(ground.road)
        self._cells = np.argwhere(ground.road)
        weights = self._weights()
        self._chances = np.cumsum(weights / weights.sum())

    def _weights(self) -> NDArray[np.float32]:
        """How often each road cell is chosen: by its ground area and nearness to vehicles."""
        y, x = ((self._cells.T + 0.5) * self._ground.cell_px).astype(np.float32)
        scale = np.maximum((y - self._ground.horizon_px) / self._ground.height_m, 1.0)
        near = np.full(len(x), np.inf, np.float32)
        for foot_x, foot_y in self._ground.feet:
            # Rows stand for more metres than columns do, the flatter the view; 3 is enough here.
            np.minimum(near, np.abs(foot_x - x) + 3 * np.abs(foot_y - y), out=near)
        return np.exp(-near / scale / NEAR_M) / scale

    def lying(self, metres: float, widest_px: float = np.inf, ratio: float = 1.0) -> Place | None:
        """A free place for something flat so wide and, seen from above, ``ratio`` as long."""

        def footprint(y: float) -> Footprint | None:
            width = round(metres * self._ground.px_per_m(y))
            if not SMALLEST_PX <= width <= min(widest_px, LARGEST * self.bgr.shape[1]):
                return None
            flat = min(max(self._ground.flatness(y) * ratio, FLATTEST), STEEPEST)
            height = max(4, round(width * flat))
            return Footprint(width, height, height)

        return self._find(footprint)

    def stand(self, cutout: Cutout) -> bool:
        """Lay a cutout at a free place where it is seen about as it was; False if there is none."""
        place = self._find(lambda y: self._standing_at(cutout, y))
        return place is not None and self._put_cutout(cutout, place)

    def _standing_at(self, cutout: Cutout, y: float) -> Footprint | None:
        rows, columns = cutout.layer.alpha.shape
        width = round(cutout.width_m * self._ground.px_per_m(y))
        flat = self._ground.flatness(y)
        alike = cutout.flatness / OTHER_VIEW < flat < cutout.flatness * OTHER_VIEW
        if not alike or not SMALLEST_PX <= width <= ENLARGED * columns:
            return None
        height = max(
            4, round(width * rows / columns * (flat / cutout.flatness if cutout.lies else 1))
        )
        base = height if cutout.lies else max(4, round(width * flat / 2))
        return Footprint(width, height, min(height, base))

    def _find(self, footprint: Callable[[float], Footprint | None]) -> Place | None:
        cell_px = self._ground.cell_px
        for _ in range(TRIES):
            cell = np.searchsorted(self._chances, self._rng.random())
            row, column = self._cells[min(int(cell), len(self._cells) - 1)]
            x = (column + self._rng.random()) * cell_px
            y = (row + self._rng.random()) * cell_px
            if (found := footprint(y)) is None:
                continue
            width, height, base = found
            place = Place(round(x - width / 2), round(y + base / 2) - height, width, height)
            if self._fits(place, base) and not overlaps(place.box, self._taken):
                return place
        return None

    def _fits(self, place: Place, base: int) -> bool:
        """Whether it is inside the picture and its base on the road."""
        x0, y0, x1, y1 = place.box
        height, width = self.bgr.shape[:2]
        if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
            return False
        rows, columns = self._ground.road.shape
        cells = np.array([x0, y1 - base, x1, y1]) / self._ground.cell_px
        left, top = np.floor(cells[:2]).astype(int)
        right, bottom = np.minimum(np.ceil(cells[2:]).astype(int), [columns, rows])
        sums = self._sums
        road = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        return bool(road >= ON_ROAD * (right - left) * (bottom - top))

    def hide(self, cutout: Cutout) -> bool:
        """Lay a cutout where it hides a part of one vehicle and of nothing else."""
        for foot_x, foot_y in self._rng.permutation(self._ground.feet)[:TRIES]:
            y = foot_y + self._rng.uniform(0.2, 1.0) * self._ground.px_per_m(foot_y)
            if (found := self._standing_at(cutout, y)) is None:
                continue
            width, height, base = found
            x = foot_x + self._rng.uniform(-0.8, 0.8) * width
            place = Place(round(x - width / 2), round(y) - height, width, height)
            covered = shares(self._taken, place.box)
            one = (covered > 0.03).sum() == 1 and (covered + self._hidden).max() <= COVERED
            if one and self._fits(place, max(2, base // 3)):
                self._hidden += covered
                return self._put_cutout(cutout, place)
        return False

    def put_layer(self, layer: Layer, metres: float, kind: int | None) -> bool:
        """Lay a cut piece at a free place, squashed as the view there asks for."""
        widest = ENLARGED * layer.alpha.shape[1]
        place = self.lying(metres, widest, self._rng.uniform(0.7, 1.4))
        return place is not None and self.put(layer.sized(place.width, place.height), place, kind)

    def put(self, layer: Layer, place: Place, kind: int | None) -> bool:
        """Lay what lies flat, with its label if it has one; False if nobody would see it."""
        return self._put(layer, place, () if kind is None else ((layer.inner, kind),), place.height)

    def _put_cutout(self, cutout: Cutout, place: Place) -> bool:
        layer = cutout.layer.sized(place.width, place.height)
        base = place.height if cutout.lies else max(2, place.height // 6)
        return self._put(layer, place, cutout.parts, base)

    def _put(self, layer: Layer, place: Place, labels: Labels, base: int) -> bool:
        y, x = (
            slice(place.top, place.top + place.height),
            slice(place.left, place.left + place.width),
        )
        was = self.bgr[y, x].copy()
        lay(self.bgr, layer, place.left, place.top, base=base, grey=self._grey)
        if labels and float(cv2.absdiff(was, self.bgr[y, x]).mean()) < LEAST_CHANGE:
            self.bgr[y, x] = was
            return False
        self._taken = np.vstack([self._taken, place.box.astype(np.float32)])
        self._hidden = np.append(self._hidden, 0.0)
        size = np.array([place.width, place.height] * 2)
        for part, kind in labels:
            box = np.array(part) * size + np.tile(place.box[:2], 2)
            if min(box[2] - box[0], 2 * (box[3] - box[1])) >= LEAST_LABEL_PX:
                self._new.append((box, kind))
        return True

    def labels(
        self, boxes: NDArray[np.float32], classes: NDArray[np.int16]
    ) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
        """The labels that were there and the new ones."""
        if not self._new:
            return boxes, classes
        new = np.clip(np.array([box for box, _ in self._new]) / self._size, 0, 1)
        kinds = np.array([kind for _, kind in self._new], np.int16)
        return np.vstack([boxes, new.astype(np.float32)]), np.concatenate([classes, kinds])


def shares(boxes: NDArray[np.float32], cover: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of each of boxes (N, 4) xyxy the box ``cover`` hides, 0..1."""
    low = np.maximum(boxes[:, :2], cover[:2])
    high = np.minimum(boxes[:, 2:], cover[2:])
    hidden = np.clip(high - low, 0, None).prod(axis=1)
    return hidden / np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1e-6)
