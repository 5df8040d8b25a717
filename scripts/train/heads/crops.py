"""Training crops: scale, mosaic, flip, colour, weather of the lens and compression.

Cameras differ more than people do, so the ranges are wide; nothing here knows a test picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    from .data import HeadPicture

    Window = tuple[NDArray[np.uint8], NDArray[np.float32]]

SIZE = (512, 384)
"""Width and height of a training crop."""
RENDERED = "rendered"
_SCALES = (0.4, 2.0)
_MOSAIC = 0.3
_GREY = 114


def training_crop(
    draw: Callable[[], HeadPicture], rng: Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32], bool]:
    """A crop of what ``draw`` picks, its heads, and whether it has all heads that are in it.

    uint8 BGR (H, W, 3); float32 (N, 3) x, y, width in pixels.
    """
    width, height = SIZE
    if rng.random() >= _MOSAIC:
        one = draw()
        picture, heads = _window(one, width, height, rng)
        return _disturbed(picture, rng), heads, one.complete
    # Four pictures around one corner: small scales fill the crop, and places mix.
    across = int(rng.uniform(0.3, 0.7) * width)
    down = int(rng.uniform(0.3, 0.7) * height)
    canvas = np.empty((height, width, 3), np.uint8)
    found, complete = [], True
    for x1, x2 in ((0, across), (across, width)):
        for y1, y2 in ((0, down), (down, height)):
            one = draw()
            part, heads = _window(one, x2 - x1, y2 - y1, rng)
            canvas[y1:y2, x1:x2] = part
            found.append(heads + np.array([x1, y1, 0], np.float32))
            complete &= one.complete
    return _disturbed(canvas, rng), np.concatenate(found), complete


def _window(one: HeadPicture, width: int, height: int, rng: Generator) -> Window:
    """A random window of this size of the picture at a random scale, mirrored half of the time."""
    picture = one.load()
    rows, columns = picture.shape[:2]
    # Never so small that most of the window stays grey.
    least = min(width / columns, height / rows) * 0.8
    low, high = np.log(max(_SCALES[0], min(least, 1.0))), np.log(max(_SCALES[1], least))
    scale = float(np.exp(rng.uniform(low, high)))
    squeeze = float(np.exp(rng.uniform(-0.1, 0.1)))
    across, down = scale * squeeze, scale / squeeze
    # The window in picture pixels; only that is scaled.
    span_x, span_y = width / across, height / down
    x = rng.uniform(min(0.0, columns - span_x), max(0.0, columns - span_x))
    y = rng.uniform(min(0.0, rows - span_y), max(0.0, rows - span_y))
    move = np.array([[across, 0, -x * across], [0, down, -y * down]])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    if scale < 0.75:  # warpAffine has no area filter: without it small heads turn into noise
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how)
        move[:, :2] /= scale
    window = cv2.warpAffine(
        picture, move, (width, height), flags=cv2.INTER_LINEAR, borderValue=(_GREY,) * 3
    )
    heads = (one.heads * (columns, rows, columns) - (x, y, 0)) * (across, down, across)
    inside = ((heads[:, :2] >= 0) & (heads[:, :2] < (width, height))).all(axis=1)
    heads = heads[inside].astype(np.float32)
    if rng.random() < 0.5:
        window = np.ascontiguousarray(window[:, ::-1])
        heads[:, 0] = width - heads[:, 0]
    return np.asarray(window, np.uint8), heads


def _disturbed(picture: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
    out = picture
    if rng.random() < 0.3:
        kernel = int(rng.choice([3, 3, 5]))
        out = cv2.GaussianBlur(out, (kernel, kernel), float(rng.uniform(0.4, 1.4)))
    values = out.astype(np.float32)
    if rng.random() < 0.2:
        values[:] = values @ np.array([0.114, 0.587, 0.299], np.float32)[:, None]
    elif rng.random() < 0.6:
        values *= rng.uniform(0.8, 1.2, 3).astype(np.float32)
    if rng.random() < 0.7:
        gain, lift = float(np.exp(rng.uniform(-0.6, 0.35))), float(rng.uniform(-25, 25))
        values = values * gain + lift
    if rng.random() < 0.3:
        rough = rng.standard_normal(values.shape[:2], np.float32)[..., None]
        values += rough * float(rng.uniform(2, 10))
    out = values.clip(0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        quality = int(rng.integers(25, 80))
        _, data = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, quality])
        out = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return out


def pools_of(pictures: Sequence[HeadPicture]) -> list[tuple[float, list[HeadPicture]]]:
    """Pictures with a point on every head, rendered ones apart, with boxes of persons, and without
    anybody, and the share of crops that comes from each."""
    whole = [one for one in pictures if one.complete]
    real = [one for one in whole if one.source != RENDERED]
    rendered = [one for one in whole if one.source == RENDERED]
    boxed = [one for one in pictures if not one.complete and len(one.heads)]
    empty = [one for one in pictures if not one.complete and not len(one.heads)]
    return [(0.4, real), (0.25, rendered), (0.23, boxed), (0.12, empty)]


def mixed(
    pools: Sequence[tuple[float, Sequence[HeadPicture]]], rng: Generator
) -> Callable[[], HeadPicture]:
    """Draws from the pools by their shares, evenly inside each; empty pools are left out."""
    filled = [(share, pool) for share, pool in pools if pool]
    shares = np.array([share for share, _ in filled])
    shares /= shares.sum()

    def draw() -> HeadPicture:
        pool = filled[int(rng.choice(len(filled), p=shares))][1]
        return pool[int(rng.integers(len(pool)))]

    return draw
