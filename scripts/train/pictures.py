"""Training samples: pictures with their boxes, changed the way street cameras differ.

A sample depends on its number and the seed alone, so a stopped training goes on with exactly
the samples it would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from pipeline.errors import DataError

from . import camera_look
from .mixing import source_of, weights

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from .folders import Picture

    Boxes = NDArray[np.float32]
    Classes = NDArray[np.int16]
    Scene = tuple[NDArray[np.uint8], Boxes, Classes]

GREY = 114
MOSAIC, PASTE, PLAIN = 0.65, 0.5, 0.25
# A picture alone is not shown smaller than this: grey around it teaches nothing. Mosaics do that.
SMALLEST_ALONE = 0.75
# A box cut off by the edge still counts if this much of it is left, and this many pixels.
LEFT_SHARE, LEFT_PX = 0.3, 3.0


class Paster(Protocol):
    """Puts hazards and their look-alikes onto the road of a picture (BGR, boxes 0..1)."""

    def __call__(
        self, bgr: NDArray[np.uint8], boxes: Boxes, classes: Classes, rng: np.random.Generator
    ) -> Scene: ...


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """``rgb`` uint8 (3, H, W), ``boxes`` float32 (N, 4) xyxy pixels, ``classes`` int16 (N,)."""

    rgb: NDArray[np.uint8]
    boxes: Boxes
    classes: Classes


class Sampler:
    """Draws pictures by the shares of their sources and makes samples of them."""

    def __init__(
        self, pictures: list[Picture], size: tuple[int, int], seed: int, paster: Paster | None
    ) -> None:
        """``size``: width and height of a sample in pixels."""
        self._pictures = pictures
        self._steps = np.cumsum(weights(pictures))
        self._size = size
        self._seed = seed
        self._paster = paster

    def sample(self, number: int, *, mosaic: bool) -> Sample:
        """The sample of that number. Raises DataError for a broken picture."""
        rng = np.random.default_rng((self._seed, number))
        width, height = self._size
        if mosaic and rng.random() < MOSAIC:
            bgr, boxes, classes = self._mosaic(rng)
        else:
            window = np.array([0, 0, width, height])
            plain = rng.random() < PLAIN
            bgr, boxes, classes = self._placed(rng, window, SMALLEST_ALONE, plain=plain)
        if rng.random() < 0.5:
            bgr = np.ascontiguousarray(bgr[:, ::-1])
            boxes = boxes.copy()
            boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
        return Sample(camera_look.change(bgr, rng), boxes, classes)

    def _mosaic(self, rng: np.random.Generator) -> Scene:
        """Four pictures around a point near the middle."""
        width, height = self._size
        x, y = (int(side * rng.uniform(0.3, 0.7)) for side in self._size)
        corners = [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]
        canvas = np.empty((height, width, 3), np.uint8)
        scenes = []
        for left, top, right, bottom in corners:
            window = np.array([left, top, right, bottom])
            bgr, boxes, classes = self._placed(rng, window, 0.0, plain=False)
            canvas[top:bottom, left:right] = bgr
            scenes.append((boxes + np.float32([left, top, left, top]), classes))
        boxes, classes = (np.concatenate(parts) for parts in zip(*scenes, strict=True))
        return canvas, boxes, classes

    def _placed(
        self, rng: np.random.Generator, window: NDArray[np.int_], smallest: float, *, plain: bool
    ) -> Scene:
        """A picture drawn by chance in a window of the input; ``plain``: fitted to its corner.

        ``smallest``: least zoom, relative to the picture fitted into the input.
        """
        drawn = min(int(np.searchsorted(self._steps, rng.random())), len(self._pictures) - 1)
        picture = self._pictures[drawn]
        source = source_of(picture)
        scene = (read_picture(picture.path), picture.boxes, picture.classes)
        if self._paster is not None and source.paste and rng.random() < PASTE:
            scene = self._paster(*scene, rng)
        high, wide = scene[0].shape[:2]
        size = int(window[2] - window[0]), int(window[3] - window[1])
        scale = min(self._size[0] / wide, self._size[1] / high)
        offset = np.zeros(2)
        if not plain:
            scale *= max(smallest, np.exp(rng.uniform(*np.log(source.zoom))))
            offset = (np.array(size) - scale * np.array([wide, high])) * rng.random(2)
        bgr, boxes, classes = scene
        boxes = boxes * np.float32([wide, high, wide, high])
        return place((bgr, boxes, classes), scale, (float(offset[0]), float(offset[1])), size)


def place(scene: Scene, scale: float, offset: tuple[float, float], size: tuple[int, int]) -> Scene:
    """The scene (boxes in pixels) scaled, moved by ``offset`` pixels and cut to ``size`` (width,
    height) on grey.
    """
    bgr, boxes, classes = scene
    if scale < 0.6:  # an affine warp reads single pixels and would flicker; shrink by area first
        smaller = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        ratio = (smaller.shape[1] / bgr.shape[1], smaller.shape[0] / bgr.shape[0])
        bgr, inner = smaller, (scale / ratio[0], scale / ratio[1])
    else:
        inner = (scale, scale)
    matrix = np.array([[inner[0], 0, offset[0]], [0, inner[1], offset[1]]])
    placed = cv2.warpAffine(bgr, matrix, size, borderValue=(GREY, GREY, GREY))
    moved = boxes * np.float32(scale) + np.float32([*offset, *offset])
    cut = np.clip(moved, 0, np.float32([*size, *size]))
    left, whole = cut[:, 2:] - cut[:, :2], moved[:, 2:] - moved[:, :2]
    share = left.prod(1) / np.maximum(whole.prod(1), 1e-6)
    keep = (share >= LEFT_SHARE) & (left >= LEFT_PX).all(1)
    return placed.astype(np.uint8, copy=False), cut[keep].astype(np.float32), classes[keep]


def read_picture(path: Path) -> NDArray[np.uint8]:
    """BGR uint8 (H, W, 3). Raises DataError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError("picture can't be read", file=path, found=error) from None
    # OpenCV fills a picture that was cut short with grey and says nothing.
    if content[:2] == b"\xff\xd8" and b"\xff\xd9" not in content[-64:]:
        raise DataError("picture is cut short", file=path, found=f"{len(content)} bytes")
    data = np.frombuffer(content, np.uint8)
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if bgr is None:
        raise DataError("is not a picture", file=path, allowed="JPEG or PNG")
    return bgr
