"""Which windows of a camera's picture get road looks: the far carriageway, at few windows.

A look shows the whole picture at model size, and a hole far away is a few of its pixels. Planned
are the fewest windows at (nearly) native resolution that show the ground on which a hole would be
too small for the whole look and is large enough for a window. Near ground needs none.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from math import atan, degrees, radians, tan
from typing import TYPE_CHECKING

import numpy as np
from shapely import Polygon, contains_xy, union_all

from pipeline.errors import CalibrationError
from pipeline.town import GroundPlane, plane_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from pipeline.settings import RoadLookSettings
    from pipeline.town import Camera, ZoneKind

    Size = tuple[int, int]
    Floats = NDArray[np.float64]

LEAST_PX = 5.0
"""Side in a look's pixels below which a hole is seen by nobody: beyond, windows gain nothing."""
LEAST_GAIN = 1.6
"""A window must be this much finer than the whole look (it is for 720 lines, not for 576)."""
_SCALE_STEP = 1.12  # from native resolution on, until the windows are few enough
_COLUMNS = 96  # of the grid of places over the picture
_WIDEST = 0.5  # of a window: what is larger than that beside a place is the whole look's matter

# The pole camera that is assumed where nobody measured: the middle of those in ordinary streets.
_HEIGHT_M, _HFOV_DEG, _HORIZON_V = 6.0, 75.0, 0.15
_DRAWN_FROM_V = 0.1  # a carriageway is drawn from some 60 m away on: so far below the horizon
_HORIZON_MOST = 0.3  # that of a camera which looks nearly level
_HORIZONS = (0.05, 0.25)  # of pictures of which nothing is known: cameras that look down and ahead


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle in source pixels, all of it in the picture, edges on even pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class WindowPlan:
    """``windows``, the most valuable first, and what they are for.

    ``places`` float64 (N, 2): source pixels of the ground that needs a window. ``needed`` (N, 4):
    around each, x1, y1, x2, y2 in source pixels, the largest hole that the whole look would miss.
    ``left_out``: how many of the places no window shows, because that would take too many.
    """

    windows: tuple[Window, ...]
    places: Floats
    needed: Floats
    left_out: int = 0


_NOTHING = WindowPlan((), np.zeros((0, 2)), np.zeros((0, 4)))


def plan_windows(
    camera: Camera | None, source: Size, size: Size, settings: RoadLookSettings
) -> WindowPlan:
    """Windows for pictures of ``source`` (width, height) and a model of ``size``.

    ``camera`` None: a picture of which nothing is known. Every window that is planned shows each of
    the holes it is for as a whole, so that windows overlap by a hole. Where native resolution would
    take more than ``settings.most`` windows, coarser ones are taken, down to LEAST_GAIN finer than
    the whole look; if these are too many still, the least valuable are left out.
    """
    whole = max(source[0] / size[0], source[1] / size[1])
    scale, coarsest = 1.0, whole / LEAST_GAIN
    if settings.most == 0 or scale > coarsest:
        return _NOTHING
    ground = _Ground.of(_spots(camera, source), _planes(camera, source), source, settings)
    while True:
        plan = ground.plan(size, scale, whole, settings)
        if len(plan.windows) <= settings.most or scale == coarsest:
            return _bounded(plan, settings.most)
        scale = min(scale * _SCALE_STEP, coarsest)


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    """Places on the carriageway.

    ``holes`` (N, 2): width and height there, in source pixels, of the smallest hole that must be
    seen. ``area`` (N,): the road that a place stands for, in an arbitrary unit.
    """

    source: Size
    places: Floats
    holes: Floats
    area: Floats

    @classmethod
    def of(
        cls, spots: Floats, planes: Sequence[GroundPlane], source: Size, settings: RoadLookSettings
    ) -> _Ground:
        """A place is there once for each plane that may be the right one."""
        pixels = np.array(source, np.float64)
        places, every = np.tile(spots, (len(planes), 1)), [np.zeros((0, 2))]
        every += [plane.metres_per_unit_at(spots) for plane in planes]
        metres = np.concatenate(every)
        placed = ~np.isnan(metres).any(axis=1)
        places, metres = places[placed] * pixels, metres[placed]
        return cls(source, places, settings.hole_m / metres * pixels, metres.prod(axis=1))

    def plan(
        self, size: Size, scale: float, whole: float, settings: RoadLookSettings
    ) -> WindowPlan:
        """As many windows of this scale (source pixels per model pixel) as it takes."""
        side = np.sqrt(self.holes.prod(axis=1))
        needs = (side < settings.seen_px * whole) & (side >= LEAST_PX * scale)
        if not needs.any():
            return _NOTHING
        window = (_even(size[0] * scale, self.source[0]), _even(size[1] * scale, self.source[1]))
        places, area = self.places[needs], self.area[needs]
        largest = self.holes[needs] * (settings.seen_px * whole / side[needs])[:, None]
        # Half a step of the grid more: places between those of the grid are shown as well.
        half = np.minimum(largest + self.source[0] / _COLUMNS, _WIDEST * np.array(window)) / 2
        needed = _outward(np.hstack([places - half, places + half]), self.source)
        flipped = needed[:, [1, 0, 3, 2]]
        covers = [
            _cover(needed, window, self.source),
            [_flip(one) for one in _cover(flipped, window[::-1], self.source[::-1])],
        ]
        windows = _by_value(min(covers, key=len), needed, area)
        return WindowPlan(tuple(windows), places, needed)


def shown(window: Window, needed: Floats) -> NDArray[np.bool_]:
    """Which of the boxes (N, 4) in source pixels lie in the window as a whole."""
    x2, y2 = window.x + window.width, window.y + window.height
    inside = (needed[:, :2] >= (window.x, window.y)) & (needed[:, 2:] <= (x2, y2))
    return np.asarray(inside.all(axis=1), bool)


def _cover(needed: Floats, window: Size, source: Size) -> list[Window]:
    """Windows that show every box: strips from the top, in each of them from the left."""
    found = []
    left = np.ones(len(needed), bool)
    while left.any():
        top = needed[left, 1].min()
        strip = left & (needed[:, 3] <= top + window[1])
        while strip.any():
            start = needed[strip, 0].min()
            shows = strip & (needed[:, 2] <= start + window[0])
            one = _around(needed[shows], window, source)
            found.append(one)
            left &= ~shown(one, needed)
            strip &= left
    return found


def _outward(boxes: Floats, source: Size) -> Floats:
    """The boxes (N, 4) with their edges moved out to even pixels, within the picture.

    Windows have even edges too, so that one can always be put around what is not larger.
    """
    low, high = 2 * np.floor(boxes[:, :2] / 2), 2 * np.ceil(boxes[:, 2:] / 2)
    most = np.array([side // 2 * 2 for side in source], np.float64)
    return np.hstack([np.clip(low, 0, most), np.clip(high, 0, most)])


def _around(needed: Floats, window: Size, source: Size) -> Window:
    """The window with the boxes in its middle, moved into the picture."""
    corner = []
    for axis in (0, 1):
        low, high = needed[:, axis].min(), needed[:, axis + 2].max()
        start = (low + high - window[axis]) / 2
        corner.append(2 * int(min(max(start, 0.0), source[axis] - window[axis]) // 2))
    return Window(corner[0], corner[1], *window)


def _by_value(windows: Sequence[Window], needed: Floats, area: Floats) -> list[Window]:
    """The windows by how much ground each adds to those before; those that add nothing go."""
    shows = [shown(one, needed) for one in windows]
    left = np.ones(len(needed), bool)
    order: list[Window] = []
    while left.any():
        best = max(range(len(windows)), key=lambda at: (area[shows[at] & left].sum(), -at))
        order.append(windows[best])
        left &= ~shows[best]
    return order


def _bounded(plan: WindowPlan, most: int) -> WindowPlan:
    windows = plan.windows[:most]
    unseen = np.ones(len(plan.needed), bool)
    for one in windows:
        unseen &= ~shown(one, plan.needed)
    return replace(plan, windows=windows, left_out=int(unseen.sum()))


def _spots(camera: Camera | None, source: Size) -> Floats:
    """Shares (u, v) of a grid over the carriageway, or over the picture where none is drawn."""
    rows = max(1, round(_COLUMNS * source[1] / source[0]))
    u, v = np.meshgrid((np.arange(_COLUMNS) + 0.5) / _COLUMNS, (np.arange(rows) + 0.5) / rows)
    spots = np.column_stack([u.ravel(), v.ravel()])
    if camera is None:
        return spots
    carriageway = _area(camera, "carriageway")
    if carriageway is not None:
        spots = spots[contains_xy(carriageway, *spots.T)]
    ignored = _area(camera, "ignore")
    return spots if ignored is None else spots[~contains_xy(ignored, *spots.T)]


def _planes(camera: Camera | None, source: Size) -> list[GroundPlane]:
    """The camera's ground plane; else that of an ordinary pole camera with this carriageway.

    Two where nothing is known, none for pictures so narrow that no camera takes them.
    """
    aspect = source[0] / source[1]
    horizons: tuple[float, ...] = _HORIZONS
    if camera is not None:
        with suppress(CalibrationError):  # the rules say so in the log
            plane = plane_of(camera, aspect)
            if plane is not None:
                return [plane]
        drawn = [v for zone in camera.zones_of("carriageway") for _, v in zone.polygon]
        horizons = (min(min(drawn) - _DRAWN_FROM_V, _HORIZON_MOST) if drawn else _HORIZON_V,)
    focal_v = 0.5 / tan(radians(_HFOV_DEG) / 2) * aspect
    pitches = [degrees(atan((0.5 - horizon_v) / focal_v)) for horizon_v in horizons]
    with suppress(CalibrationError):
        return [
            GroundPlane.from_pose(0.0, 0.0, _HEIGHT_M, pitch_deg, 0.0, _HFOV_DEG, aspect)
            for pitch_deg in pitches
        ]
    return []


def _area(camera: Camera, kind: ZoneKind) -> BaseGeometry | None:
    zones = camera.zones_of(kind)
    return union_all([Polygon(zone.polygon) for zone in zones]) if zones else None


def _even(side: float, most: int) -> int:
    return min(int(side) // 2, most // 2) * 2


def _flip(one: Window) -> Window:
    return Window(one.y, one.x, one.height, one.width)
