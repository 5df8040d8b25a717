"""Changes the look of a picture as cameras, nights, weather and compression do; boxes stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Bgr = NDArray[np.uint8]
    Change = Callable[[Bgr, np.random.Generator], Bgr]


# Mean level below which a picture is dark already.
DARK = 70


def change(bgr: Bgr, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(H, W, 3) BGR to (3, H, W) RGB, both uint8; H and W even."""
    for chance, step in CHANGES:
        if rng.random() < chance:
            bgr = step(bgr, rng)
    # Half the colour resolution and limited range, as the running model gets its pictures.
    i420 = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)
    rgb = cv2.cvtColor(i420, cv2.COLOR_YUV2RGB_I420)
    return np.ascontiguousarray(rgb.transpose(2, 0, 1))


def colour(bgr: Bgr, rng: np.random.Generator) -> Bgr:
    """Hue, saturation and brightness a little off."""
    hue, saturation, value = rng.uniform(-1, 1, 3) * (5, 0.5, 0.35)
    levels = np.arange(256)
    tables = (
        (levels + hue) % 180,
        np.clip(levels * (1 + saturation), 0, 255),
        np.clip(levels * (1 + value), 0, 255),
    )
    planes = cv2.split(cv2.cvtColor(bgr, cv2.COLOR_BGR2HSV))
    changed = [
        cv2.LUT(plane, table.astype(np.uint8)) for plane, table in zip(planes, tables, strict=True)
    ]
    return cv2.cvtColor(cv2.merge(changed), cv2.COLOR_HSV2BGR)


def exposure(bgr: Bgr, rng: np.random.Generator) -> Bgr:
    """Gamma, and haze or contrast."""
    levels = (np.arange(256) / 255) ** np.exp(rng.uniform(-0.5, 0.5))
    low, high = sorted((rng.uniform(-0.1, 0.25), rng.uniform(0.75, 1.1)))
    return cv2.LUT(bgr, np.clip(255 * (low + (high - low) * levels), 0, 255).astype(np.uint8))


def night(bgr: Bgr, rng: np.random.Generator) -> Bgr:
    """Dark with the tint of lamps; a pool or two of lamp light. Dark pictures stay as they are."""
    if bgr.mean() < DARK:
        return bgr
    high, wide = bgr.shape[:2]
    ys, xs = np.mgrid[0:high:8, 0:wide:8].astype(np.float32)
    light = np.full(ys.shape, rng.uniform(0.2, 0.45), np.float32)
    for _ in range(rng.integers(0, 3)):
        x, y, radius = rng.uniform(0, wide), rng.uniform(0, high), rng.uniform(0.1, 0.35) * wide
        light += rng.uniform(0.2, 0.7) * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / radius**2)
    light = cv2.resize(np.minimum(light, 1.0), (wide, high))[..., None]
    warm = rng.uniform(-0.25, 0.25)
    tint = np.float32([1 - warm, 1, 1 + warm])
    dark = 255 * (bgr / np.float32(255)) ** np.float32(1.3) * light * tint
    dark += _grain(bgr, rng, rng.uniform(1, 7))
    return np.clip(dark, 0, 255).astype(np.uint8)


def infrared(bgr: Bgr, _rng: np.random.Generator) -> Bgr:
    return cv2.cvtColor(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)


def blur(bgr: Bgr, rng: np.random.Generator) -> Bgr:
    """Out of focus, smeared by movement, or scaled up from a smaller picture."""
    kind = rng.integers(3)
    if kind == 0:
        return cv2.GaussianBlur(bgr, (0, 0), rng.uniform(0.5, 1.6))
    if kind == 1:
        length = int(rng.integers(3, 8))
        shape = (1, length) if rng.random() < 0.7 else (length, 1)
        return cv2.filter2D(bgr, -1, np.full(shape, 1 / length, np.float32))
    high, wide = bgr.shape[:2]
    part = rng.uniform(0.4, 0.8)
    small = cv2.resize(bgr, None, fx=part, fy=part, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (wide, high))


def noise(bgr: Bgr, rng: np.random.Generator) -> Bgr:
    return np.clip(bgr + _grain(bgr, rng, rng.uniform(2, 10)), 0, 255).astype(np.uint8)


def dirt(bgr: Bgr, rng: np.random.Generator) -> Bgr:
    """A few small flat patches: masks, logos, time stamps, things in front of the lens."""
    bgr = bgr.copy()
    high, wide = bgr.shape[:2]
    for _ in range(rng.integers(1, 4)):
        x, y = int(rng.integers(wide)), int(rng.integers(high))
        w, h = (int(rng.integers(side // 60, side // 10 + 1)) for side in (wide, high))
        bgr[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    return bgr


def compression(bgr: Bgr, rng: np.random.Generator) -> Bgr:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 81))]
    return cv2.imdecode(cv2.imencode(".jpg", bgr, quality)[1], cv2.IMREAD_COLOR)


def _grain(bgr: Bgr, rng: np.random.Generator, levels: float) -> NDArray[np.float32]:
    return rng.standard_normal((*bgr.shape[:2], 1), np.float32) * np.float32(levels)


# In the order in which they happen between the street and the model.
CHANGES: tuple[tuple[float, Change], ...] = (
    (0.7, colour),
    (0.4, exposure),
    (0.1, night),
    (0.15, infrared),
    (0.15, blur),
    (0.1, noise),
    (0.1, dirt),
    (0.5, compression),
)
