"""Things to lay on a road and how they take on its light.

A ``Layer`` says by how much its thing is lighter or darker than the road around it, channel by
channel; laid on a dim, tinted or grey road it becomes dim, tinted or grey with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A channel that differs by less than this between blue, green and red is an infrared picture's.
GREY_SPREAD = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What lies on the road: ``ratio`` float32 (h, w, 3) of road brightness, ``alpha`` (h, w) 0..1.

    ``stains``: the road's own texture shows through (a shadow, oil), else it is replaced.
    ``inner``: x0, y0, x1, y1 of what matters in it, as parts of its size; the rest is surroundings.
    """

    ratio: NDArray[np.float32]
    alpha: NDArray[np.float32]
    stains: bool = False
    inner: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)

    def sized(self, width: int, height: int) -> Layer:
        """The same layer at another size."""
        shrinks = width < self.alpha.shape[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        ratio = cv2.resize(self.ratio, (width, height), interpolation=how)
        alpha = cv2.resize(self.alpha, (width, height), interpolation=how)
        return replace(self, ratio=ratio, alpha=alpha)

    def mirrored(self) -> Layer:
        x0, y0, x1, y1 = self.inner
        flipped = (1 - x1, y0, 1 - x0, y1)
        return Layer(self.ratio[:, ::-1], self.alpha[:, ::-1], self.stains, flipped)


def is_grey(bgr: NDArray[np.uint8]) -> bool:
    """Whether the picture has no colour, as an infrared camera's."""
    few = bgr[::8, ::8].astype(np.int16)
    return float((few.max(axis=2) - few.min(axis=2)).mean()) < GREY_SPREAD


def lay(bgr: NDArray[np.uint8], layer: Layer, x: int, y: int, *, base: int, grey: bool) -> None:
    """Lay it into the picture, in place, its upper left corner at x, y; it must fit inside.

    ``base``: how many of its lowest rows lie on the road and tell the road's brightness; all of
    them for what lies flat.
    """
    height, width = layer.alpha.shape
    view = bgr[y : y + height, x : x + width]
    was = view.astype(np.float32)
    ratio = layer.ratio
    if grey:
        ratio = np.repeat(ratio.mean(axis=2, keepdims=True), 3, axis=2)
    if layer.stains:
        under = was
    elif base < height:
        under = np.median(was[-base:], axis=(0, 1))
    else:
        under = road_shade(was)
    mixed = was + layer.alpha[..., None] * (under * ratio - was)
    if grey:
        mixed = np.repeat(mixed[..., :1], 3, axis=2)
    np.copyto(view, np.clip(mixed + 0.5, 0, 255).astype(np.uint8))


def road_shade(road: NDArray[np.float32]) -> NDArray[np.float32]:
    """The road without its texture, from the border's four sides: light may fall off across."""
    height, width = road.shape[:2]
    top, bottom = np.median(road[0], axis=0), np.median(road[-1], axis=0)
    left, right = np.median(road[:, 0], axis=0), np.median(road[:, -1], axis=0)
    v = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    u = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]
    return 0.5 * (top * (1 - v) + bottom * v + left * (1 - u) + right * u)


def wobbly_disc(
    height: int, width: int, rng: np.random.Generator, soft: float = 0.15, wobble: float = 0.12
) -> NDArray[np.float32]:
    """Alpha (height, width) of a disc that just fits in, its rim uneven and ``soft`` wide."""
    v = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    u = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    angle = np.arctan2(v, u)
    rim = np.full_like(angle, 1 - wobble - 0.4 * soft)
    for turns in (2, 3, 5, 8):
        swing = wobble / 2.2 * np.float32(rng.uniform(-1, 1))
        rim += swing * np.cos(turns * angle + np.float32(rng.uniform(0, 6.3)))
    return np.clip((rim - np.hypot(u, v)) / soft + 0.5, 0, 1).astype(np.float32)
