"""One street picture while things are laid on its road: where they fit, and their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from .ground import CELL_PX, Ground
from .layers import Layer, is_grey, lay
from .patches import overlaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST_PX, LARGEST_PX = 10, 160
# Labels that come out smaller than this are nothing a network can learn.
LEAST_LABEL_PX = 6
# Share of the footprint that must look like road.
ON_ROAD = 0.9
# A patch is not blown up by more than this; it would look soft.
ENLARGED = 1.4
# Vehicles show where the road is; the farther from them (metres), the less often it is chosen.
NEAR_M = 15.0
TRIES = 6


class Place(NamedTuple):
    """Where on the road something lies: its middle in pixels, and its width there in pixels."""

    x: float
    y: float
    width: int
    height: int

    @property
    def box(self) -> NDArray[np.float64]:
        x0, y0 = round(self.x - self.width / 2), round(self.y - self.height / 2)
        return np.array([x0, y0, x0 + self.width, y0 + self.height], float)


class Scene:
    """One picture while things are laid on it."""

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
        self._taken = boxes * np.tile(np.float32(bgr.shape[1::-1]), 2)
        self._new: list[tuple[NDArray[np.float64], int]] = []
        self._sums = cv2.integral(ground.road)
        self._cells = np.argwhere(ground.road)
        weights = self._weights()
        self._chances = np.cumsum(weights / weights.sum())

    def _weights(self) -> NDArray[np.float64]:
        """How often each road cell is chosen: by its ground area and nearness to vehicles."""
        y, x = (self._cells.T + 0.5) * CELL_PX
        scale = np.maximum((y - self._ground.horizon_px) / self._ground.height_m, 1.0)
        feet = self._ground.feet
        across = np.abs(feet[None, :, 0] - x[:, None])
        # Rows shrink with distance as the square of the scale; a linear guess is good enough here.
        along = 3 * np.abs(feet[None, :, 1] - y[:, None])
        near = np.min((across + along) / scale[:, None], axis=1)
        return np.exp(-near / NEAR_M) / scale

    def find(
        self, metres: float, widest_px: float = LARGEST_PX, ratio: float = 1.0
    ) -> Place | None:
        """A free place on the road for something so wide; None if a few tries find none.

        ``ratio`` is how long the thing is on the ground, as a part of its width.
        """
        for _ in range(TRIES):
            cell = np.searchsorted(self._chances, self._rng.random())
            row, column = self._cells[min(cell, len(self._cells) - 1)]
            x = (column + self._rng.random()) * CELL_PX
            y = (row + self._rng.random()) * CELL_PX
            width = round(metres * self._ground.px_per_m(y))
            flat = min(max(self._ground.flatness(y) * ratio, 0.18), 0.75)
            place = Place(x, y, width, max(4, round(width * flat)))
            if SMALLEST_PX <= width <= min(widest_px, LARGEST_PX) and self._free(place):
                return place
        return None

    def _free(self, place: Place) -> bool:
        x0, y0, x1, y1 = place.box
        height, width = self.bgr.shape[:2]
        if x0 < 0 or y0 < 0 or x1 > width or y1 > height or overlaps(place.box, self._taken):
            return False
        rows, columns = self._ground.road.shape
        left, right = int(x0 / CELL_PX), min(columns, int(np.ceil(x1 / CELL_PX)))
        top, bottom = int(y0 / CELL_PX), min(rows, int(np.ceil(y1 / CELL_PX)))
        sums = self._sums
        road = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        return bool(road >= ON_ROAD * (right - left) * (bottom - top))

    def put_layer(self, layer: Layer, metres: float, kind: int | None) -> None:
        """Lay a cut piece at a free place, squashed as the view there asks for."""
        widest = ENLARGED * layer.alpha.shape[1]
        place = self.find(metres, widest, self._rng.uniform(0.7, 1.4))
        if place is not None:
            self.put(layer.sized(place.width, place.height), place, kind)

    def put(self, layer: Layer, place: Place, kind: int | None) -> None:
        """Lay it and remember its label, if it has one."""
        x0, y0, _, _ = place.box
        lay(self.bgr, layer, int(x0), int(y0), grey=self._grey)
        self._taken = np.vstack([self._taken, place.box.astype(np.float32)])
        left, top, right, bottom = layer.inner
        box = np.array(
            [
                x0 + left * place.width,
                y0 + top * place.height,
                x0 + right * place.width,
                y0 + bottom * place.height,
            ]
        )
        if kind is not None and box[2] - box[0] >= LEAST_LABEL_PX:
            self._new.append((box, kind))

    def labels(
        self, boxes: NDArray[np.float32], classes: NDArray[np.int16]
    ) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
        """The labels that were there and the new ones."""
        if not self._new:
            return boxes, classes
        size = np.tile(self.bgr.shape[1::-1], 2)
        new = np.clip(np.array([box for box, _ in self._new]) / size, 0, 1)
        kinds = np.array([kind for _, kind in self._new], np.int16)
        return np.vstack([boxes, new.astype(np.float32)]), np.concatenate([classes, kinds])
