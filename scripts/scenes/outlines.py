"""Rough outlines and other geometry of hazards, by numpy alone. Metres, radians."""

from __future__ import annotations

import math

import numpy as np


def around(points: int) -> np.ndarray:
    """Angles evenly around a full turn, radians (N,)."""
    return np.linspace(0, 2 * math.pi, points, endpoint=False)


def blob(
    rng: np.random.Generator, half: tuple[float, float], rough: float = 0.15, points: int = 56
) -> np.ndarray:
    """A soft closed outline of about these half sizes, metres (N, 2)."""
    angles = around(points)
    reach = np.ones(points)
    for wave in range(2, 9):
        reach += rough / wave * rng.normal() * 1.6 * np.sin(wave * angles + rng.uniform(0, 6.28))
    return _fit(np.clip(reach, 0.3, 2)[:, None] * _unit(angles), half)


def broken(
    rng: np.random.Generator, half: tuple[float, float], rough: float = 0.13, points: int = 80
) -> np.ndarray:
    """An outline as asphalt breaks: straight pieces between corners, with small teeth, (N, 2)."""
    corners = int(rng.integers(7, 15))
    at = np.sort(around(corners) + rng.uniform(-0.7, 0.7, corners) * math.pi / corners)
    ends = (1 + rng.normal(0, rough, corners).clip(-0.35, 0.35))[:, None] * _unit(at)
    closed = np.vstack([ends, ends[:1]])
    steps = np.linspace(0, corners, points, endpoint=False)
    flat = np.column_stack([np.interp(steps, np.arange(corners + 1), closed[:, k]) for k in (0, 1)])
    teeth = 1 + rng.normal(0, 0.018, points)
    return _fit(flat * teeth[:, None], half)


def _unit(angles: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _fit(flat: np.ndarray, half: tuple[float, float]) -> np.ndarray:
    low, high = flat.min(axis=0), flat.max(axis=0)
    return (flat - (low + high) / 2) / ((high - low) / 2) * half


def turned(flat: np.ndarray, angle: float) -> np.ndarray:
    """Points (N, 2 or 3) turned about the vertical."""
    c, s = math.cos(angle), math.sin(angle)
    out = np.array(flat, dtype=np.float64)
    out[:, :2] = out[:, :2] @ np.array([(c, s), (-s, c)])
    return out


def lifted(flat: np.ndarray, z: float | np.ndarray = 0.0) -> np.ndarray:
    """Flat points (N, 2) at a height, (N, 3)."""
    return np.column_stack([flat, np.broadcast_to(z, len(flat))])


def tilt(points: np.ndarray, about_x: float, about_y: float, turn: float) -> np.ndarray:
    """Points (N, 3) tilted about X and Y, then turned about Z; radians."""
    a, b = about_x, about_y
    first = np.array([(1, 0, 0), (0, math.cos(a), -math.sin(a)), (0, math.sin(a), math.cos(a))])
    second = np.array([(math.cos(b), 0, math.sin(b)), (0, 1, 0), (-math.sin(b), 0, math.cos(b))])
    return turned(points @ (second @ first).T, turn)


def extremes(points: np.ndarray) -> np.ndarray:
    """The few of many points (N, 3) that span nearly the same hull."""
    turn = around(16)
    ways = np.concatenate(
        [
            np.column_stack(
                [
                    np.cos(turn) * math.cos(up),
                    np.sin(turn) * math.cos(up),
                    np.full(16, math.sin(up)),
                ]
            )
            for up in (-1.2, -0.6, 0.0, 0.5, 1.0, 1.57)
        ]
    )
    return points[np.unique((points @ ways.T).argmax(axis=0))]


def waves(rng: np.random.Generator, count: int, smooth: int) -> np.ndarray:
    """Noise around a full turn, about -1 to 1, the smoother the larger ``smooth``, (count,)."""
    wave = np.convolve(np.tile(rng.normal(0, 1, count), 3), np.ones(smooth), "same")
    return wave[count : 2 * count] / math.sqrt(smooth)
