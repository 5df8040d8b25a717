"""Cuts a thing out of its road by comparing pictures with it and without it. No renderer.

The smallest alpha that explains the difference is taken, so that shadows come out black and half
transparent and darken whatever road they are laid on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

NOISE = 0.04  # alpha that is no more than the renderer's noise
FADE_PX = 8  # shadows that leave the picture fade out over its border


@dataclass(frozen=True)
class View:
    """A pole camera that looks straight at the origin, and how many pixels it takes."""

    pitch_deg: float
    distance_m: float
    turn: float
    width_px: int
    height_px: int
    span: tuple[float, float, float, float]  # x1, y1, x2, y2 of the picture, in tangents

    @property
    def axes(self) -> np.ndarray:
        """Right, up and forward as rows, float64 (3, 3)."""
        pitch, turn = math.radians(self.pitch_deg), self.turn
        right = np.array([math.cos(turn), math.sin(turn), 0.0])
        ahead = np.array([-math.sin(turn), math.cos(turn), 0.0])
        forward = ahead * math.cos(pitch) - np.array([0, 0, math.sin(pitch)])
        return np.stack([right, np.cross(right, forward), forward])

    @property
    def place(self) -> np.ndarray:
        return -self.axes[2] * self.distance_m

    def tangents(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) as right and up by forward, (N, 2)."""
        seen = (points - self.place) @ self.axes.T
        return seen[:, :2] / seen[:, 2:]

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) in the picture, px (N, 2)."""
        x1, y1, x2, y2 = self.span
        flat = self.tangents(points)
        return np.column_stack(
            [
                (flat[:, 0] - x1) / (x2 - x1) * self.width_px,
                (y2 - flat[:, 1]) / (y2 - y1) * self.height_px,
            ]
        )


def matte(with_it: np.ndarray, without: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Colour and the smallest alpha that turn one picture into the other, BGRA uint8 (h, w, 4).

    ``with_it`` and ``without`` are uint8 (h, w, 3); ``own`` float (h, w) is the thing's own
    coverage, below which alpha doesn't fall.
    """
    c, b = with_it.astype(np.float32), without.astype(np.float32)
    darker, lighter = (b - c) / np.maximum(b, 1), (c - b) / np.maximum(255 - b, 1)
    least = np.maximum(darker, lighter).max(axis=2)
    least = np.clip((least - NOISE) / (1 - NOISE), 0, 1) * _border(*least.shape)
    alpha = np.maximum(least, own)[..., None]
    colour = np.where(alpha > 0, (c - (1 - alpha) * b) / np.maximum(alpha, 1e-3), c)
    return np.dstack([np.clip(colour, 0, 255), alpha * 255]).round().astype(np.uint8)


def _border(rows: int, columns: int) -> np.ndarray:
    """1 inside, falling to 0 at the picture's border, float32 (rows, columns)."""
    down, across = (np.minimum(np.arange(n), np.arange(n)[::-1]) for n in (rows, columns))
    return np.clip(np.minimum.outer(down, across) / FADE_PX, 0, 1).astype(np.float32)
