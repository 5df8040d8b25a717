"""Drawn things on a road that are no hazard: repairs, cracks, manholes, stains, shadows, paint.

Each takes the size in pixels it has in the picture, already squashed by the view, and draws a
``Layer``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from .layers import Layer, wobbly_disc

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Mask = NDArray[np.float32]
    Draw = Callable[[int, int, np.random.Generator], Layer]

# Shapes are drawn this many times larger and shrunk, for soft edges.
FINER = 4


def repair(width: int, height: int, rng: np.random.Generator) -> Layer:
    """Newer asphalt (darker), older or concrete (lighter), with straight sides or a sealed seam."""
    sheet = np.zeros((height * FINER, width * FINER), np.uint8)
    lean = rng.uniform(-0.25, 0.25)
    corners = np.array([[0.03, 0.04], [0.97, 0.04], [0.97, 0.96], [0.03, 0.96]])
    corners[:, 0] = 0.5 + (corners[:, 0] - 0.5) * (1 - abs(lean)) + lean * (corners[:, 1] - 0.5)
    corners += rng.uniform(-0.03, 0.03, (4, 2))
    points = (corners * sheet.shape[::-1]).astype(np.int32)
    cv2.fillPoly(sheet, [points], 255)
    alpha = _shrunk(sheet, width, height)
    dark = rng.uniform(0.45, 0.85) if rng.random() < 0.7 else rng.uniform(1.1, 1.35)
    ratio = np.full((height, width), dark, np.float32) * _grain(height, width, rng)
    if rng.random() < 0.5:
        seam = np.zeros_like(sheet)
        thick = max(2, int(rng.uniform(0.02, 0.05) * sheet.shape[1]))
        cv2.polylines(seam, [points], isClosed=True, color=255, thickness=thick)
        ratio *= 1 - rng.uniform(0.2, 0.6) * _shrunk(seam, width, height)
    return Layer(_tinted(ratio, rng), alpha)


def manhole(width: int, height: int, rng: np.random.Generator) -> Layer:
    """An iron cover with its ring and pattern, sometimes in a square of new mortar."""
    rows, columns = height * FINER, width * FINER
    centre, axes = (columns // 2, rows // 2), (columns * 0.47, rows * 0.46)
    lid = np.zeros((rows, columns), np.uint8)
    cv2.ellipse(lid, centre, (int(axes[0]), int(axes[1])), 0, 0, 360, 255, -1)
    tone = rng.uniform(0.4, 0.75) if rng.random() < 0.8 else rng.uniform(0.9, 1.25)
    ratio = np.full((height, width), tone, np.float32)
    pattern = np.zeros_like(lid)
    bars = int(rng.integers(4, 9))
    if rng.random() < 0.5:
        for i in range(1, bars):
            x, y = i * columns // bars, i * rows // bars
            cv2.line(pattern, (x, 0), (x, rows), 255, FINER)
            cv2.line(pattern, (0, y), (columns, y), 255, FINER)
    else:
        for i in range(1, 4):
            inside = int(axes[0] * i / 4), int(axes[1] * i / 4)
            cv2.ellipse(pattern, centre, inside, 0, 0, 360, 255, FINER)
    ratio *= 1 + rng.uniform(-0.35, 0.5) * _shrunk(pattern, width, height)
    ring = np.zeros_like(lid)
    thick = max(FINER, int(0.07 * columns))
    cv2.ellipse(ring, centre, (int(axes[0]), int(axes[1])), 0, 0, 360, 255, thick)
    ratio *= 1 + rng.uniform(-0.5, 0.6) * _shrunk(ring, width, height)
    alpha = _shrunk(lid, width, height)
    if rng.random() < 0.25:
        mortar = rng.uniform(0.6, 1.3)
        ratio = alpha * ratio + (1 - alpha) * mortar
        alpha = np.ones_like(alpha)
    return Layer(_tinted(ratio * _grain(height, width, rng, 0.05), rng), alpha)


def stain(width: int, height: int, rng: np.random.Generator) -> Layer:
    """Oil, a wet place or a shadow: darker, the road shows through; water may also mirror."""
    alpha = wobbly_disc(height, width, rng, soft=rng.uniform(0.05, 0.6), wobble=0.3)
    ratio = np.full((height, width), rng.uniform(0.35, 0.85), np.float32)
    if rng.random() < 0.3:
        sky = np.linspace(rng.uniform(0.6, 1.6), rng.uniform(0.6, 1.6), height, dtype=np.float32)
        return Layer(_tinted(np.repeat(sky[:, None], width, axis=1), rng), 0.85 * alpha)
    return Layer(_tinted(ratio, rng), alpha, stains=True)


def shadow(width: int, height: int, rng: np.random.Generator) -> Layer:
    """The shadow of something outside the picture: a band or a blotch with a straight-ish edge."""
    sheet = np.zeros((height * FINER, width * FINER), np.uint8)
    points = rng.uniform(0.02, 0.98, (int(rng.integers(4, 8)), 2)) * sheet.shape[::-1]
    cv2.fillPoly(sheet, [cv2.convexHull(points.astype(np.int32))], 255)
    soft = rng.uniform(0.5, 3.0)
    alpha = np.minimum(cv2.GaussianBlur(_shrunk(sheet, width, height), (0, 0), soft), 1.0)
    ratio = np.full((height, width, 3), rng.uniform(0.35, 0.7), np.float32)
    ratio[..., 0] *= 1.06  # what the sky alone lights is bluish
    return Layer(ratio, alpha, stains=True)


def glow(width: int, height: int, rng: np.random.Generator) -> Layer:
    """Tail lights, signals or lamps mirrored by a wet road: bright, coloured, smeared downwards."""
    colours = ((0.5, 0.6, 1.0), (0.4, 0.8, 1.0), (1.0, 1.0, 1.0), (0.7, 1.0, 0.5))
    colour = np.array(colours[rng.integers(len(colours))], np.float32)
    v = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    u = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    narrow = rng.uniform(0.15, 0.5)
    alpha = np.exp(-((u / narrow) ** 2)) * np.clip(1 - np.abs(v) ** rng.uniform(1, 4), 0, 1)
    ratio = np.broadcast_to(np.float32(rng.uniform(1.4, 2.6)) * colour, (height, width, 3))
    return Layer(ratio.copy(), alpha.astype(np.float32), stains=True)


def cracks(width: int, height: int, rng: np.random.Generator) -> Layer:
    """Cracks that wander and branch, open or sealed with tar, around nothing that is missing."""
    sheet = np.zeros((height * FINER, width * FINER), np.uint8)
    rows, columns = sheet.shape
    thick = max(1, int(rng.uniform(0.5, 2.0) * FINER / 2))
    for _ in range(rng.integers(1, 5)):
        steps = rng.normal(0, 0.05, (12, 2)) + rng.uniform(-0.1, 0.1, 2)
        line = (rng.uniform(0.2, 0.8, 2) + np.cumsum(steps, axis=0)) * [columns, rows]
        cv2.polylines(sheet, [line.astype(np.int32)], isClosed=False, color=255, thickness=thick)
    ratio = np.full((height, width), rng.uniform(0.2, 0.7), np.float32)
    return Layer(_tinted(ratio, rng), _shrunk(sheet, width, height))


def worn_paint(width: int, height: int, rng: np.random.Generator) -> Layer:
    """The end of a dash or a piece of a letter, rubbed off in places."""
    sheet = np.zeros((height * FINER, width * FINER), np.uint8)
    rows, columns = sheet.shape
    lean, half = rng.uniform(-0.3, 0.3), rng.uniform(0.06, 0.2)
    ends = np.array([[0.5 + lean - half, 1], [0.5 + lean + half, 1], [0.5 - lean + half, 0]])
    points = np.vstack([ends, [[0.5 - lean - half, 0]]]) * [columns, rows]
    cv2.fillPoly(sheet, [points.astype(np.int32)], 255)
    worn = cv2.resize(
        rng.random((5, 5), np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    alpha = _shrunk(sheet, width, height) * np.clip(worn * 1.6, 0.1, 0.95)
    colour = (1.0, 1.0, 1.0) if rng.random() < 0.7 else (0.45, 0.9, 1.0)
    ratio = np.float32(rng.uniform(1.3, 2.0)) * np.array(colour, np.float32)
    return Layer(np.broadcast_to(ratio, (height, width, 3)).copy(), alpha)


DRAWN: tuple[tuple[Draw, tuple[float, float], float], ...] = (
    # how it is drawn, how many metres across, how often
    (repair, (0.6, 4.0), 0.2),
    (cracks, (1.0, 5.0), 0.08),
    (manhole, (0.6, 0.9), 0.25),
    (stain, (0.4, 3.5), 0.17),
    (shadow, (1.0, 5.0), 0.12),
    (glow, (0.5, 2.5), 0.08),
    (worn_paint, (0.5, 2.5), 0.1),
)


def _shrunk(sheet: NDArray[np.uint8], width: int, height: int) -> Mask:
    small = cv2.resize(sheet, (width, height), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255


def _grain(height: int, width: int, rng: np.random.Generator, strength: float = 0.08) -> Mask:
    """Texture of the size of asphalt's, around 1."""
    noise = rng.standard_normal((height, width), np.float32)
    return 1 + strength * rng.random(dtype=np.float32) * cv2.GaussianBlur(noise, (0, 0), 0.7)


def _tinted(ratio: Mask, rng: np.random.Generator) -> NDArray[np.float32]:
    """Three channels, a little warmer or colder than the road."""
    warm = rng.normal(0, 0.025)
    return ratio[..., None] * np.array([1 - warm, 1, 1 + warm], np.float32)
