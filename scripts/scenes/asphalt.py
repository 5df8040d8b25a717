"""Paints the surface of a road from above: colour and gloss maps, by numpy and OpenCV alone.

What a camera knows a road by is here: grain, wheel tracks, patches, cracks, tar seams, covers,
gratings, stains, skid marks, leaves, dust, worn markings and where water stands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from .plans import Plan

METRES_A_PIXEL = 0.028
LEFT, NEAR, WIDTH_M, LENGTH_M = -14.0, -4.0, 28.0, 80.0
_COLS, _ROWS = round(WIDTH_M / METRES_A_PIXEL), round(LENGTH_M / METRES_A_PIXEL)


@dataclass
class Surface:
    """``colour`` uint8 (rows, cols, 3) sRGB RGB, ``gloss`` uint8 (rows, cols): 255 stands water.

    Row 0 is at Y = ``NEAR``, column 0 at X = ``LEFT``. ``tone`` is the mean reflectance.
    """

    colour: np.ndarray
    gloss: np.ndarray
    tone: float


def paint(plan: Plan, rng: np.random.Generator) -> Surface:
    """The whole surface of one street."""
    canvas = _Canvas(rng)
    tint, level = _base(rng, concrete=plan.concrete)
    canvas.light = level * np.ones((_ROWS, _COLS), np.float32)
    canvas.light += level * rng.uniform(0.05, 0.16) * _noise(rng, 5.0)
    canvas.light += level * rng.uniform(0.03, 0.09) * _noise(rng, 0.7)
    _tracks(canvas, plan, level)
    if plan.concrete:
        _joints(canvas, plan)
    for _ in range(rng.poisson(6)):
        canvas.patch(plan, level)
    for _ in range(rng.poisson(2)):
        canvas.trench(plan, level)
    for _ in range(rng.poisson(10)):
        canvas.stain(plan)
    for _ in range(rng.poisson(7)):
        canvas.crack(plan)
    for _ in range(rng.poisson(1.2)):
        canvas.crazing(plan)
    for _ in range(rng.poisson(2)):
        canvas.skid(plan)
    grain = rng.normal(0, level * rng.uniform(0.04, 0.13), (_ROWS, _COLS)).astype(np.float32)
    canvas.light += cv2.GaussianBlur(grain, (0, 0), 0.6) * 1.5
    for _ in range(rng.poisson(5)):
        canvas.cover(plan, level)
    colour = canvas.light[..., None] * tint
    _dust(colour, plan, rng, level)
    _markings(colour, plan, rng)
    _leaves(colour, rng, int(rng.choice([0, 60, 400, 2500], p=[0.4, 0.3, 0.2, 0.1])))
    colour = np.clip(colour, 3, 245).astype(np.uint8)
    linear = (float(colour.mean()) / 255) ** 2.2
    return Surface(colour, _puddles(rng, canvas.low), linear)


def _base(rng: np.random.Generator, *, concrete: bool) -> tuple[np.ndarray, float]:
    """Tint (3,) around 1 and level 0..255 of the bare surface."""
    warm = float(np.clip(rng.normal(0.02, 0.03), -0.03, 0.1))
    tint = np.array([1 + warm, 1.0, 1 - warm * 1.3], np.float32)
    level = rng.uniform(125, 190) if concrete else rng.uniform(48, 140)
    return tint, float(level)


def _noise(rng: np.random.Generator, size_m: float) -> np.ndarray:
    """Soft noise about -1..1 with spots of the given size, float32 (rows, cols)."""
    rows, cols = (max(3, round(m / size_m)) for m in (LENGTH_M, WIDTH_M))
    small = rng.normal(0, 0.6, (rows, cols)).astype(np.float32)
    return cv2.resize(small, (_COLS, _ROWS), interpolation=cv2.INTER_CUBIC)


def _px(x: float, y: float) -> tuple[int, int]:
    return round((x - LEFT) / METRES_A_PIXEL), round((y - NEAR) / METRES_A_PIXEL)


@dataclass
class _Canvas:
    """The surface while it is painted: ``light`` is brightness, ``low`` where water gathers."""

    rng: np.random.Generator
    light: np.ndarray = field(init=False)
    low: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.low = np.zeros((_ROWS, _COLS), np.float32)

    def spot(self, plan: Plan) -> tuple[float, float]:
        """A place on the carriageway; nearer ones are likelier, since they are seen larger."""
        return (
            float(self.rng.uniform(plan.left + 0.4, plan.right - 0.4)),
            float(NEAR + 4 + 60 * self.rng.random() ** 1.6),
        )

    def blend(self, mask: np.ndarray, level: float, share: float) -> None:
        """Bring the masked part (uint8 0/255) towards ``level``."""
        rows, cols = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
        if not len(rows):
            return
        here = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
        weight = mask[here].astype(np.float32) * (share / 255)
        self.light[here] += (level - self.light[here]) * weight

    def window(self, x: float, y: float, reach: float) -> tuple[np.ndarray, tuple[int, int]]:
        """An empty mask of the whole surface is dear: a view is blended through ``stamp``."""
        size = 2 * math.ceil(reach / METRES_A_PIXEL) + 1
        col, row = _px(x, y)
        return np.zeros((size, size), np.uint8), (row - size // 2, col - size // 2)

    def stamp(self, mask: np.ndarray, corner: tuple[int, int], level: float, share: float) -> None:
        """Blend a small mask whose first row and column lie at ``corner``."""
        row, col = corner
        a, b = max(row, 0), max(col, 0)
        c, d = min(row + mask.shape[0], _ROWS), min(col + mask.shape[1], _COLS)
        if a >= c or b >= d:
            return
        weight = mask[a - row : c - row, b - col : d - col].astype(np.float32) * (share / 255)
        self.light[a:c, b:d] += (level - self.light[a:c, b:d]) * weight

    def patch(self, plan: Plan, level: float) -> None:
        """A mended rectangle, darker or lighter, often with a seam of tar."""
        rng = self.rng
        x, y = self.spot(plan)
        wide, long = rng.uniform(0.5, 3.0), rng.uniform(0.6, 5.0)
        mask, corner = self.window(x, y, max(wide, long) * 0.75)
        middle = mask.shape[0] / 2
        size = (wide / METRES_A_PIXEL, long / METRES_A_PIXEL)
        box = cv2.boxPoints(((middle, middle), size, float(rng.normal(0, 4))))
        cv2.fillPoly(mask, [np.int32(box + rng.normal(0, 2, (4, 2)))], 255, cv2.LINE_AA)
        self.stamp(mask, corner, level * rng.uniform(0.45, 1.35), rng.uniform(0.5, 0.95))
        if rng.random() < 0.5:
            seam = np.zeros_like(mask)
            cv2.polylines(seam, [np.int32(box)], True, 255, int(rng.integers(1, 4)), cv2.LINE_AA)
            self.stamp(seam, corner, level * 0.35, 0.8)

    def trench(self, plan: Plan, level: float) -> None:
        """A long mended strip where a pipe was laid, along or across the road."""
        rng = self.rng
        x, y = self.spot(plan)
        turn = math.pi / 2 * rng.integers(2) + rng.normal(0, 0.05)
        way = np.array([math.cos(turn), math.sin(turn)]) * rng.uniform(3, 20)
        ends = [_px(*(np.array((x, y)) + s * way)) for s in (-1, 1)]
        mask = np.zeros((_ROWS, _COLS), np.uint8)
        cv2.line(mask, *ends, 255, round(rng.uniform(0.3, 0.9) / METRES_A_PIXEL), cv2.LINE_AA)
        self.blend(mask, level * rng.uniform(0.5, 1.3), rng.uniform(0.4, 0.9))

    def stain(self, plan: Plan) -> None:
        """Oil, wet or dusty spot with a soft ragged edge; some are as dark as a hole."""
        rng = self.rng
        x, y = self.spot(plan)
        reach = float(rng.choice([0.2, 0.5, 1.2, 2.5], p=[0.4, 0.3, 0.2, 0.1]))
        mask, corner = self.window(x, y, reach * 1.6)
        angle = np.linspace(0, 2 * math.pi, 40, endpoint=False)
        wave = 1 + sum(
            rng.uniform(0, 0.25) * np.sin(k * angle + rng.uniform(0, 6.3)) for k in (1, 2, 3, 5)
        )
        flat = np.stack([np.cos(angle) * rng.uniform(0.4, 1), np.sin(angle)], axis=1)
        points = mask.shape[0] / 2 + flat * wave[:, None] * reach / METRES_A_PIXEL * 0.8
        cv2.fillPoly(mask, [np.int32(points)], 255, cv2.LINE_AA)
        mask = cv2.GaussianBlur(mask, (0, 0), 1 + reach * rng.uniform(0.5, 6))
        self.stamp(
            mask, corner, rng.choice([15, 40, 160], p=[0.4, 0.4, 0.2]), rng.uniform(0.2, 0.8)
        )

    def crack(self, plan: Plan) -> None:
        """A wandering crack, open (thin, dark) or sealed (broad, black, smooth)."""
        rng = self.rng
        x, y = self.spot(plan)
        sealed = rng.random() < 0.35
        turn, points = math.pi / 2 * rng.integers(2), [(x, y)]
        for _ in range(int(rng.integers(8, 45))):
            turn += rng.normal(0, 0.25 if sealed else 0.45)
            x, y = x + 0.2 * math.cos(turn), y + 0.2 * math.sin(turn)
            points.append((x, y))
        width = int(rng.integers(2, 5)) if sealed else 1
        line = np.int32([_px(*p) for p in points])
        mask = np.zeros((_ROWS, _COLS), np.uint8)
        cv2.polylines(mask, [line], False, 255, width, cv2.LINE_AA)
        self.blend(mask, 18, rng.uniform(0.5, 0.95))

    def crazing(self, plan: Plan) -> None:
        """A field of fine cracks like a crocodile's skin, and the dip it lies in."""
        rng = self.rng
        x, y = self.spot(plan)
        reach = rng.uniform(0.5, 1.8)
        places = np.array((x, y)) + rng.normal(0, reach / 2, (60, 2))
        mask, corner = self.window(x, y, reach * 1.5)
        offset = np.array(corner[::-1])
        flat = [np.array(_px(*p)) - offset for p in places]
        for one in flat:
            near = sorted(flat, key=lambda other, one=one: float(np.sum((other - one) ** 2)))
            for other in near[1:4]:
                cv2.line(mask, tuple(map(int, one)), tuple(map(int, other)), 255, 1, cv2.LINE_AA)
        self.stamp(mask, corner, 22, rng.uniform(0.4, 0.85))

    def skid(self, plan: Plan) -> None:
        rng = self.rng
        x, y = self.spot(plan)
        bend, length = rng.normal(0, 0.02), rng.uniform(3, 14)
        along = np.linspace(0, length, 20)
        mask = np.zeros((_ROWS, _COLS), np.uint8)
        for side in (-0.75, 0.75):
            line = np.int32([_px(x + side + bend * s * s, y + s) for s in along])
            cv2.polylines(mask, [line], False, 255, 6, cv2.LINE_AA)
        self.blend(cv2.GaussianBlur(mask, (0, 0), 1.2), 20, rng.uniform(0.15, 0.6))

    def cover(self, plan: Plan, level: float) -> None:
        """A closed manhole cover or a grating: everyday, and no hazard."""
        rng = self.rng
        x, y = self.spot(plan)
        mask, corner = self.window(x, y, 0.7)
        middle = mask.shape[0] // 2
        iron = level * rng.uniform(0.35, 0.9)
        if rng.random() < 0.7:
            radius = round(rng.uniform(0.3, 0.42) / METRES_A_PIXEL)
            cv2.circle(mask, (middle, middle), radius + 3, 255, -1, cv2.LINE_AA)
            self.stamp(mask, corner, level * rng.uniform(0.6, 1.3), 0.8)
            plate = np.zeros_like(mask)
            cv2.circle(plate, (middle, middle), radius, 255, -1, cv2.LINE_AA)
            self.stamp(plate, corner, iron, 0.9)
            lines = np.zeros_like(mask)
            for ring in (radius, radius // 2):
                cv2.circle(lines, (middle, middle), ring, 255, 1, cv2.LINE_AA)
            self.stamp(lines, corner, iron * 0.4, 0.9)
            return
        half = (round(0.2 / METRES_A_PIXEL), round(0.35 / METRES_A_PIXEL))
        low, high = (middle - half[0], middle - half[1]), (middle + half[0], middle + half[1])
        cv2.rectangle(mask, low, high, 255, -1)
        self.stamp(mask, corner, iron, 0.9)
        bars = np.zeros_like(mask)
        for row in range(low[1] + 2, high[1], 4):
            cv2.line(bars, (low[0] + 2, row), (high[0] - 2, row), 255, 2)
        self.stamp(bars, corner, 8, 0.95)


def _tracks(canvas: _Canvas, plan: Plan, level: float) -> None:
    """Wheel tracks, and the drip line between them."""
    rng = canvas.rng
    x = np.linspace(LEFT, LEFT + WIDTH_M, _COLS, dtype=np.float32)
    profile = np.zeros_like(x)
    wheels, oil = rng.normal(0, 0.10), -rng.uniform(0, 0.16)
    for lane in plan.lanes:
        for side in (-0.78, 0.78):
            profile += wheels * np.exp(-(((x - lane.x - side) / 0.35) ** 2))
        profile += oil * np.exp(-(((x - lane.x) / 0.3) ** 2))
    canvas.light += level * profile * (0.75 + 0.35 * _noise(rng, 6.0))
    canvas.low += np.abs(profile) * 2


def _joints(canvas: _Canvas, plan: Plan) -> None:
    """Slabs: joints across and along, every slab a little different."""
    rng = canvas.rng
    pitch, mask = rng.uniform(3.5, 6.0), np.zeros((_ROWS, _COLS), np.uint8)
    for y in np.arange(NEAR, NEAR + LENGTH_M, pitch):
        cv2.line(mask, _px(plan.left, y), _px(plan.right, y), 255, 1)
        for left in np.arange(plan.left, plan.right, pitch):
            a, b = _px(left, y), _px(min(left + pitch, plan.right), y + pitch)
            canvas.light[max(a[1], 0) : b[1], max(a[0], 0) : b[0]] *= rng.uniform(0.92, 1.08)
    for x in np.arange(plan.left, plan.right, pitch):
        cv2.line(mask, _px(x, NEAR), _px(x, NEAR + LENGTH_M), 255, 1)
    canvas.blend(mask, 40, 0.7)


def _dust(colour: np.ndarray, plan: Plan, rng: np.random.Generator, level: float) -> None:
    """Earth blown to the edges, sometimes over all of the road."""
    x = np.linspace(LEFT, LEFT + WIDTH_M, _COLS, dtype=np.float32)
    reach = rng.uniform(0.15, 0.7) * (2.0 if plan.earthy else 1.0)
    edge = np.exp(-np.maximum(0, x - plan.left) / reach) + np.exp(
        -np.maximum(0, plan.right - x) / reach
    )
    share = rng.uniform(0.1, 0.7) * edge + (rng.uniform(0.1, 0.5) if plan.earthy else 0.0)
    weight = np.clip(share * (0.8 + 0.5 * _noise(rng, 1.5)), 0, 0.85)[..., None]
    earth = np.array([1.15, 1.0, 0.78], np.float32) * max(level, 90) * rng.uniform(0.7, 1.3)
    colour += (earth - colour) * weight


def _markings(colour: np.ndarray, plan: Plan, rng: np.random.Generator) -> None:
    """The plan's painted lines and bars, worn down to the asphalt here and there."""
    wear = np.clip(rng.uniform(0.5, 1.1) + 0.5 * _noise(rng, 0.5) * rng.uniform(0.2, 1.2), 0, 1)
    for tone in ("white", "yellow"):
        mask = np.zeros((_ROWS, _COLS), np.uint8)
        for bar in plan.bars:
            if bar.tone == tone:
                cv2.rectangle(
                    mask, _px(bar.left, bar.near), _px(bar.right, bar.far), 255, -1, cv2.LINE_AA
                )
        if not mask.any():
            continue
        paint_colour = (225, 224, 218) if tone == "white" else (214, 160, 40)
        weight = (mask.astype(np.float32) / 255 * wear)[..., None]
        look = np.array(paint_colour, np.float32) * rng.uniform(0.7, 1.0)
        colour += (look - colour) * weight


def _leaves(colour: np.ndarray, rng: np.random.Generator, count: int) -> None:
    looks = ((120, 78, 30), (150, 110, 40), (70, 80, 30), (95, 50, 25), (200, 190, 175))
    heaps = rng.uniform((0, 0), (_COLS, _ROWS), (8, 2))
    for _ in range(count):
        place = heaps[rng.integers(8)] + rng.normal(0, (120, 200))
        look = tuple(int(v) for v in looks[rng.integers(5)])
        x, y = (int(v) for v in place)
        cv2.ellipse(colour, (x, y), (2, 1), float(rng.uniform(0, 180)), 0, 360, look, -1)


def _puddles(rng: np.random.Generator, low: np.ndarray) -> np.ndarray:
    depth = _noise(rng, 1.6) + 0.6 * _noise(rng, 4.0) + 0.5 * low - rng.uniform(0.5, 1.1)
    return np.clip(depth * 4 * 255, 0, 255).astype(np.uint8)
