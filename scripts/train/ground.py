"""Where the road is in a street picture, told by the vehicles and persons already labelled.

On a plane seen by a level camera the pixels per metre grow linearly from the horizon row on,
at 1 / camera height each row; vehicles of known size standing on it give both. Pictures where
they don't agree (close-ups, crops, dash cameras) have no ground.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .classes import IDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

VEHICLES = (IDS["car"], IDS["bus"], IDS["truck"])
PERSON = IDS["person"]
# Metres of picture width a car or a larger vehicle takes, by width/height of its box: seen from
# the front or back it is narrow, from the side long.
ASPECTS = (0.7, 1.1, 2.0, 2.8)
CAR_M = (1.75, 1.9, 3.6, 4.4)
LARGE_M = (2.4, 2.6, 6.0, 9.0)
PERSON_M = 1.65
# A pole or a bridge, not a hand-held or dash camera.
LOWEST_M, HIGHEST_M = 2.2, 22.0
HEIGHTS_M = np.geomspace(1.0, 25.0, 26)[:, None, None]
# Focal length as a part of the picture's width: about 60 degrees across.
FOCAL = 0.87
# Boxes wider than this part of the picture make it a close-up.
CLOSE_UP = 0.4
# The road is looked for in this many cells across.
CELLS = 144
# Edges in brightness (Sobel, 8 bit) that end a smooth road: kerbs, rails, leaves.
STEEPEST = 45.0
# How far (Lab, 8 bit: levels, part of the lightness, levels of tint) road may be from the colour
# right under a vehicle; and where it changes by no more than a STEP from cell to cell.
ALIKE = (7.0, 0.07, 5.0)
FALLING_OFF = (14.0, 0.15, 5.0)
STEP = (3, 1, 1)
LEAST_ROAD = 0.015
FAR = 999


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """The road plane of a picture of ``size`` (height, width) in pixels.

    ``road`` uint8 (rows, columns) is 1 where a cell of ``cell_px`` pixels looks like the road
    under the vehicles and hangs together with it; ``feet`` float32 (N, 2) are the places in pixels
    where vehicles stand.
    """

    size: tuple[int, int]
    horizon_px: float
    height_m: float
    road: NDArray[np.uint8]
    feet: NDArray[np.float32]

    @property
    def cell_px(self) -> float:
        return self.size[1] / CELLS

    def px_per_m(self, y: float) -> float:
        """Pixels a metre across takes at row ``y``; 0 at and above the horizon."""
        return max(0.0, (y - self.horizon_px) / self.height_m)

    def flatness(self, y: float) -> float:
        """How high a circle on the road at row ``y`` looks, as a part of its width."""
        down = max(0.0, y - self.horizon_px) / (FOCAL * self.size[1])
        return down / float(np.hypot(1.0, down))


def read_ground(
    bgr: NDArray[np.uint8], boxes: NDArray[np.float32], classes: NDArray[np.int16]
) -> Ground | None:
    """The ground of a picture (H, W, 3) with boxes (N, 4) xyxy 0..1; None where it is unsure."""
    height, width = bgr.shape[:2]
    px = boxes * np.array([width, height, width, height], np.float32)
    vehicles = np.isin(classes, VEHICLES)
    if not vehicles.any() or (px[vehicles, 2] - px[vehicles, 0]).max() > CLOSE_UP * width:
        return None
    plane = _plane(px, classes, height, width)
    if plane is None:
        return None
    horizon, camera_m = plane
    road = _road(bgr, px, vehicles, horizon)
    if road is None:
        return None
    x0, _, x1, y1 = px[vehicles].T
    return Ground((height, width), horizon, camera_m, road, np.stack([(x0 + x1) / 2, y1], axis=1))


def _plane(
    px: NDArray[np.float32], classes: NDArray[np.int16], height: int, width: int
) -> tuple[float, float] | None:
    """Horizon row and camera height that most boxes agree on."""
    w, h = px[:, 2] - px[:, 0], px[:, 3] - px[:, 1]
    inside = (px[:, 0] > 2) & (px[:, 2] < width - 2) & (px[:, 1] > 2) & (px[:, 3] < height - 2)
    people = (classes == PERSON) & (h > 1.6 * w)
    usable = np.flatnonzero(inside & (h > 7) & (w > 3) & (np.isin(classes, VEHICLES) | people))
    if len(usable) < 2 or not np.isin(classes[usable], VEHICLES).any():
        return None
    usable = usable[np.argsort(-h[usable])[:30]]
    kinds, aspect = classes[usable], w[usable] / h[usable]
    metres = np.interp(aspect, ASPECTS, CAR_M)
    metres = np.where(kinds == IDS["car"], metres, np.interp(aspect, ASPECTS, LARGE_M))
    scale = np.where(kinds == PERSON, h[usable] / PERSON_M, w[usable] / metres)
    weight = np.where(kinds == IDS["car"], 1.0, 0.5)

    horizons = np.linspace(-1.2 * height, 0.6 * height, 46)[None, :, None]
    predicted = np.maximum(px[usable, 3][None, None] - horizons, 1e-3) / HEIGHTS_M
    error = np.minimum(np.abs(np.log(scale[None, None] / predicted)), 0.8)
    cost = (error * weight).sum(-1) / weight.sum()
    # Unless the boxes say otherwise: a pole of 6 m whose horizon is near the picture's upper edge.
    cost = cost + 0.03 * np.abs(np.log(HEIGHTS_M[..., 0] / 6.0))
    cost = cost + 0.06 * np.abs(horizons[..., 0] / height - 0.05)
    i, j = np.unravel_index(int(cost.argmin()), cost.shape)
    camera_m, horizon = float(HEIGHTS_M[i, 0, 0]), float(horizons[0, j, 0])
    agree = weight[error[i, j] < 0.4].sum() / weight.sum()
    if agree < 0.7 or not LOWEST_M <= camera_m <= HIGHEST_M:
        return None
    return horizon, camera_m


def _road(
    bgr: NDArray[np.uint8],
    px: NDArray[np.float32],
    vehicles: NDArray[np.bool_],
    horizon_px: float,
) -> NDArray[np.uint8] | None:
    """Cells of the colour and smoothness of the road right under the vehicles."""
    cell_px = bgr.shape[1] / CELLS
    rows, columns = round(bgr.shape[0] / cell_px), CELLS
    small = cv2.resize(bgr, (columns, rows), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_BGR2LAB)
    taken = np.zeros((rows, columns), np.uint8)
    cells = np.round(px / cell_px).astype(int)
    for x0, y0, x1, y1 in cells:
        taken[max(0, y0 - 1) : y1 + 1, max(0, x0 - 1) : x1 + 1] = 1

    smooth = cv2.GaussianBlur(lab, (3, 3), 0)
    light = smooth[..., 0]
    slope = cv2.magnitude(cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1))
    # What is higher up than the farthest vehicle's feet is as likely a wall as a road.
    top = max(float(px[vehicles, 3].min()), horizon_px + 4.0) / cell_px
    free = ((slope < STEEPEST) & (taken == 0)).astype(np.uint8)
    free[: max(0, int(top))] = 0

    alike, grown = np.zeros((2, rows, columns), np.uint8)
    seeds = np.zeros((rows, columns), bool)
    for x0, y0, x1, y1 in cells[vehicles]:
        inset, deep = max(1, (x1 - x0) // 6), max(2, (y1 - y0) // 3)
        strip = np.s_[max(0, y1 + 1) : y1 + 1 + deep, max(0, x0 + inset) : max(0, x1 - inset)]
        colours = lab[strip][taken[strip] == 0]
        if len(colours) < 3:
            continue
        middle = np.median(colours, axis=0)
        alike |= _like(lab, middle, *ALIKE)
        seeds[strip] = True
        if free[strip].any():
            off = np.abs(smooth[strip].astype(np.int16) - middle).sum(axis=2)
            row, column = np.unravel_index((off + FAR * (free[strip] == 0)).argmin(), off.shape)
            grown |= _grown(smooth, free, strip[1].start + column, strip[0].start + row)
    _, parts = cv2.connectedComponents(alike & free, connectivity=4)
    wanted = np.unique(parts[seeds & (parts > 0)])
    road = (np.isin(parts, wanted) & (parts > 0)).astype(np.uint8) | grown
    road = cv2.morphologyEx(road, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return road if road.mean() > LEAST_ROAD else None


def _like(
    lab: NDArray[np.uint8], colour: NDArray[np.float64], light: float, part: float, tint: float
) -> NDArray[np.uint8]:
    """Where the picture has about this colour (1): lightness within light + part, else tint."""
    far = np.array([light + part * colour[0], tint, tint])
    return cv2.inRange(lab, colour - far, colour + far) & 1


def _grown(lab: NDArray[np.uint8], free: NDArray[np.uint8], x: int, y: int) -> NDArray[np.uint8]:
    """Free cells that hang together with the one at x, y without a step in colour.

    Light may fall off slowly, as it does on a wet road or around a lamp.
    """
    shut = np.ones((lab.shape[0] + 2, lab.shape[1] + 2), np.uint8)
    shut[1:-1, 1:-1] = 1 - (free & _like(lab, lab[y, x].astype(float), *FALLING_OFF))
    how = 4 | (2 << 8) | cv2.FLOODFILL_MASK_ONLY
    cv2.floodFill(lab, shut, (int(x), int(y)), 0, STEP, STEP, how)
    return shut[1:-1, 1:-1] >> 1
