"""Drawn collapses: road broken through, with its far wall in view and dark below.

Cut holes are mostly shallow potholes. A collapse seen from a pole shows a jagged edge, the layers
of the road on the far side, soil that darkens downwards, a sharp near edge, and cracks around.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from .layers import Layer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Map = NDArray[np.float32]

FINER = 3
# Room around the opening for its cracks, as a part of the layer's size on each side.
ROOM = 0.14


def collapse(width: int, height: int, rng: np.random.Generator) -> Layer:
    """A collapse whose cracks just fit into width x height pixels; ``inner`` is the opening."""
    rows, columns = height * FINER, width * FINER
    outline = _outline(rng) * np.array([columns, rows])
    opening = np.zeros((rows, columns), np.uint8)
    cv2.fillPoly(opening, [outline.astype(np.int32)], 255)
    inside = opening > 0
    # Rows below the far edge, column by column, as a part of the opening's height.
    first = np.where(inside.any(axis=0), inside.argmax(axis=0), rows)
    high = max(1, int(inside.any(axis=1).sum()))
    below = np.clip((np.arange(rows)[:, None] - first[None, :]) / high, 0, 1).astype(np.float32)
    tone = _wall(below, rng)
    cracks = _cracks(outline, (rows, columns), rng)
    alpha = np.maximum(opening.astype(np.float32) / 255, rng.uniform(0.3, 0.8) * cracks)
    tone = np.where(inside[..., None], tone, np.float32(rng.uniform(0.2, 0.5)))
    # Premultiplied while it shrinks, so that the edge takes no colour from what is outside it.
    flat = cv2.resize(tone * alpha[..., None], (width, height), interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA)
    ratio = flat / np.maximum(alpha, 1e-3)[..., None]
    soft = rng.uniform(0.3, 0.8)
    (x0, y0), (x1, y1) = outline.min(axis=0), outline.max(axis=0)
    inner = x0 / columns, y0 / rows, x1 / columns, y1 / rows
    return Layer(ratio, cv2.GaussianBlur(alpha, (0, 0), soft), inner=inner)


def _outline(rng: np.random.Generator) -> NDArray[np.float64]:
    """A jagged ring, 0..1: round, or with one or two straight sides where slabs broke off."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(14, 40))))
    radius = np.ones_like(angles)
    for turns in (1, 2, 3):
        radius += rng.uniform(-0.16, 0.16) * np.cos(turns * angles + rng.uniform(0, 6.3))
    radius *= 1 + rng.uniform(0.02, 0.1) * rng.standard_normal(len(angles))
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius[:, None]
    for _ in range(rng.choice(3, p=(0.5, 0.35, 0.15))):
        turn = rng.uniform(0, 2 * np.pi)
        normal = np.array([np.cos(turn), np.sin(turn)])
        too_far = np.maximum(ring @ normal - rng.uniform(0.35, 0.8), 0)
        ring -= too_far[:, None] * normal
    ring += 0.025 * rng.standard_normal(ring.shape)
    low, high = ring.min(axis=0), ring.max(axis=0)
    return ROOM + (ring - low) / (high - low) * (1 - 2 * ROOM)


def _wall(below: Map, rng: np.random.Generator) -> NDArray[np.float32]:
    """Road brightness ratios of what is seen through the opening."""
    rows, columns = below.shape
    size = (max(2, columns // 8), max(2, rows // 3))
    coarse = rng.standard_normal(size[::-1]).astype(np.float32)
    rough = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)
    lit = np.linspace(rng.uniform(0.5, 1.2), rng.uniform(0.5, 1.2), columns, dtype=np.float32)
    fall = rng.uniform(0.12, 0.9)
    soil = rng.uniform(0.3, 0.9) * np.exp(-below / fall) * lit * (1 + 0.2 * rough)
    brown = rng.uniform(0.0, 0.35)
    tint = np.array([1 - brown, 1 - 0.3 * brown, 1 + 0.3 * brown], np.float32)
    tone = soil[..., None] * tint + rng.uniform(0.02, 0.2)
    edge = below < rng.uniform(0.02, 0.14)
    tone[edge] = rng.uniform(0.35, 1.1)
    if rng.random() < 0.25:
        water = below > rng.uniform(0.3, 0.7)
        tone[water] = rng.uniform(0.25, 1.1) * np.array([1.05, 1, 0.95])
    return np.clip(tone, 0.02, 2.0).astype(np.float32)


def _cracks(outline: NDArray[np.float64], shape: tuple[int, int], rng: np.random.Generator) -> Map:
    """Where cracks run: some around the opening, some away from it."""
    sheet = np.zeros(shape, np.uint8)
    middle = outline.mean(axis=0)
    for _ in range(rng.choice(3, p=(0.6, 0.3, 0.1))):
        start = int(rng.integers(len(outline)))
        part = np.roll(outline, -start, axis=0)[: int(rng.integers(4, len(outline) // 2))]
        around = middle + (part - middle) * rng.uniform(1.06, 1.25)
        around += rng.standard_normal(around.shape) * 0.014 * shape[1]
        cv2.polylines(sheet, [around.astype(np.int32)], isClosed=False, color=255, thickness=2)
    for _ in range(rng.integers(0, 4)):
        point = outline[rng.integers(len(outline))]
        way = [middle + (point - middle) * reach for reach in (1.0, 1.12, 1.28)]
        line = np.array(way) + rng.standard_normal((3, 2)) * 0.015 * shape[1]
        cv2.polylines(sheet, [line.astype(np.int32)], isClosed=False, color=255, thickness=2)
    return sheet.astype(np.float32) / 255
