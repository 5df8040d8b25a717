"""What is new and still in the picture: a background model of two speeds.

The slow picture is what the place looks like, the fast one what it has looked like for the last
seconds. Where they differ for long, and no road user stands in front, something new lies there
or has opened. The idea of two rates is from Porikli et al., "Robust abandoned object detection
using dual foregrounds" (2008); times are in seconds instead of frames because looks may be
anything from 0.2 s to 10 s apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pipeline.hazards.boxes import grow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.hazards.boxes import Box, Boxes

    Plane = NDArray[np.float32]

ROWS = 180
"""Height of the working picture: a 0.5 m thing at 25 m still covers several pixels."""
LEARN_LOOKS = 6
"""The first background is the median of this many looks: passing traffic doesn't stay in it."""
LEARN_S = 2.5
FAMILIAR_LOOKS = 6
"""Looks at a pixel before a change there means anything."""
SETTLED_S = 5.0
"""Only what has been there this long may be taken for background: a passing vehicle smears too."""
LEAST_SAMPLES = 3
"""Looks that must have seen a pixel free of road users for it to count as known."""
FAST_S = 1.5
SLOW_S = 90.0
DIFFERENT = 16.0
"""Grey levels; about four times the noise of a street camera by day."""
SUDDEN_SHARE = 0.25
"""If more of the picture changes at once it is the light or the camera, not a thing."""
MOST_THINGS = 30
"""Nor do so many things come at once; the most seen on busy streets, around a crash, are ten."""
SMALLEST = 0.00045
LARGEST = 0.08
"""Share of the picture that a new thing may cover."""
EDGE_GAIN = 1.2
EDGE_STEP = 1.2
"""Sobel response on the outline: at least this many times the contrast (a sharp step gives 4)."""
FILLED = 0.35
"""Share of its box that a thing fills; moved shadow edges are thin and fill less."""


@dataclass(frozen=True, slots=True)
class NewThing:
    """Something new and still: ``box`` in picture heights, ``since`` when it was first seen."""

    box: Box
    since: float
    contrast: float


class Background:
    """Feed it every look of one camera; ``update`` returns what is new and still now.

    ``forgotten`` counts how often the light or the camera changed so much that the place is
    learned anew. ``left`` are the places of the last look where something belonging to the
    background had gone away.
    """

    def __init__(self) -> None:
        self.forgotten = 0
        self.left: list[Box] = []
        self._first: list[Plane] = []  # NaN where a road user stands in front
        self._first_at = 0.0
        self._at = 0.0
        self._slow: Plane | None = None  # NaN where the ground has never been seen
        self._fast: Plane | None = None
        self._met = np.zeros((0, 0), np.int16)  # looks at each pixel, up to FAMILIAR_LOOKS
        self._since: NDArray[np.float64] | None = None  # per pixel; inf where nothing is new
        self._now: Plane | None = None
        self._before: Plane | None = None

    @property
    def ready(self) -> bool:
        return self._slow is not None

    def update(self, at: float, luma: NDArray[np.uint8], users: Boxes) -> list[NewThing]:
        """``luma`` uint8 (H, W); ``users`` (N, 4) in picture heights hide what is behind them."""
        self.left = []
        picture = _working(luma)
        hidden = _mask(picture.shape, users)
        self._before, self._now = self._now, picture
        if self._slow is not None and self._slow.shape != picture.shape:
            self._forget()
        if self._slow is None:
            self._learn(at, picture, hidden)
            return []
        assert self._fast is not None
        picture = _same_light(picture, self._slow, hidden)
        self._now = picture  # the raw one differs from the last by the exposure too
        step = max(at - self._at, 0.0)
        self._at = at
        self._meet(picture, ~hidden)
        still = np.abs(picture - self._fast) < DIFFERENT
        self._blend(self._fast, picture, 1 - np.exp(-step / FAST_S), ~hidden)
        familiar = self._met >= FAMILIAR_LOOKS
        different = (np.abs(self._fast - self._slow) > DIFFERENT) & ~hidden & familiar
        if different.mean() > SUDDEN_SHARE:
            return self._relearn(at, picture, hidden)
        self._remember(at, different & still, hidden, different)
        calm = ~different & ~hidden & familiar & np.isinf(self._since_)
        self._blend(self._slow, picture, 1 - np.exp(-step / SLOW_S), calm)
        things = self._things(picture, hidden)
        return things if len(things) <= MOST_THINGS else self._relearn(at, picture, hidden)

    def steady(self, box: Box) -> float:
        """Share of ``box`` that looks as it did in the look before; 1 if there was none."""
        if self._before is None or self._now is None or self._before.shape != self._now.shape:
            return 1.0
        window = _window(box)
        moved = np.abs(self._now[window] - self._before[window]) > DIFFERENT
        return 1.0 - float(moved.mean()) if moved.size else 1.0

    def changed(self, box: Box) -> float:
        """Share of ``box`` that doesn't look as it used to, road users included; 0 if unknown."""
        if self._slow is None or self._now is None:
            return 0.0
        window = _window(box)
        if self._slow[window].size == 0:
            return 0.0
        known = ~np.isnan(self._slow[window])
        if known.mean() < 0.5:
            return 0.0
        return float((np.abs(self._now[window] - self._slow[window])[known] > DIFFERENT).mean())

    def absorb(self, box: Box) -> None:
        """Take what is in ``box`` for background from now on (a thing that only went away)."""
        if self._slow is None or self._fast is None:
            return
        inside = _mask(self._slow.shape, box[None])
        self._slow[inside] = self._fast[inside]
        self._since_[inside] = np.inf

    def start_anew(self, at: float) -> None:
        """After an outage: what differs from before counts from ``at`` on."""
        self._first = []
        if self._since is not None:
            self._since[np.isfinite(self._since)] = at

    @property
    def _since_(self) -> NDArray[np.float64]:
        assert self._since is not None
        return self._since

    def _forget(self) -> None:
        self.forgotten += 1
        self._slow = self._fast = self._since = self._before = None
        self._first = []

    def _relearn(self, at: float, picture: Plane, hidden: NDArray[np.bool_]) -> list[NewThing]:
        self._forget()
        self._learn(at, picture, hidden)
        return []

    def _learn(self, at: float, picture: Plane, hidden: NDArray[np.bool_]) -> None:
        if not self._first:
            self._first_at = at
        self._first.append(np.where(hidden, np.float32(np.nan), picture))
        self._at = at
        if len(self._first) >= LEARN_LOOKS and at - self._first_at >= LEARN_S:
            self._slow = _median(np.stack(self._first))
            self._fast = self._slow.copy()
            self._since = np.full(picture.shape, np.inf)
            self._met = np.isfinite(np.stack(self._first)).sum(axis=0).astype(np.int16)
            self._first = []
        elif len(self._first) > 4 * LEARN_LOOKS:
            del self._first[1]  # many looks in a short time: keep the span, not the number

    def _meet(self, picture: Plane, seen: NDArray[np.bool_]) -> None:
        """Average the first looks at a pixel: the very first may be a passing shadow."""
        assert self._slow is not None
        assert self._fast is not None
        first = seen & np.isnan(self._slow)
        self._slow[first] = self._fast[first] = picture[first]
        young = seen & (self._met < FAMILIAR_LOOKS)
        self._met[young] += 1
        self._slow[young] += (picture[young] - self._slow[young]) / self._met[young]

    @staticmethod
    def _blend(into: Plane, picture: Plane, rate: float, where: NDArray[np.bool_]) -> None:
        into[where] += np.float32(rate) * (picture[where] - into[where])

    def _remember(
        self,
        at: float,
        new: NDArray[np.bool_],
        hidden: NDArray[np.bool_],
        different: NDArray[np.bool_],
    ) -> None:
        since = self._since_
        started = new & np.isinf(since)
        since[started] = at
        since[~different & ~hidden] = np.inf

    def _things(self, picture: Plane, hidden: NDArray[np.bool_]) -> list[NewThing]:
        """What is new; what only the fast picture still remembers is not listed any more."""
        assert self._slow is not None
        assert self._fast is not None
        gone = ~hidden & (np.abs(picture - self._slow) <= DIFFERENT / 2)
        mask = np.isfinite(self._since_).astype(np.uint8)
        closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        new = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(new)
        things = []
        for index in range(1, count):
            x, y, width, height, pixels = (int(value) for value in stats[index])
            share = pixels / new.size
            if not SMALLEST <= share <= LARGEST or pixels < FILLED * width * height:
                continue
            # Only the blob and a margin are looked at: most blobs are small.
            window = np.s_[max(0, y - 2) : y + height + 2, max(0, x - 2) : x + width + 2]
            inside = labels[window] == index
            box = np.array([x, y, x + width, y + height], np.float64) / ROWS
            slow, fast = self._slow[window], self._fast[window]
            contrast = float(np.nanmean(np.abs(fast - slow)[inside]))
            began = self._since_[window][inside & np.isfinite(self._since_[window])]
            if not began.size:
                continue  # only filled gaps between blobs
            since = float(np.median(began))
            if gone[window][inside].mean() > 0.5:
                continue
            if _has_outline(inside, slow, fast, contrast):
                things.append(NewThing(box, since, contrast))
            elif self._at - since >= SETTLED_S:
                self.absorb(box)
                self.left.append(box)
        return things


def _has_outline(inside: NDArray[np.bool_], slow: Plane, fast: Plane, contrast: float) -> bool:
    """True if its outline is an edge of the picture now, and more than it was before.

    If it is not, something went away there, or the background was wrong.
    """
    blob = inside.astype(np.uint8)
    grown = cv2.dilate(blob, np.ones((3, 3), np.uint8)).astype(bool)
    core = cv2.erode(blob, np.ones((3, 3), np.uint8)).astype(bool)
    before, now = _edges(slow), _edges(fast)
    rim = grown & ~core & np.isfinite(before) & np.isfinite(now)
    if not rim.any():
        return False
    edge = float(now[rim].mean())
    return edge > EDGE_GAIN * float(before[rim].mean()) and edge > EDGE_STEP * contrast


def _window(box: Box) -> tuple[slice, slice]:
    """The inner part of a box, where there is more of the thing than of the street."""
    x1, y1, x2, y2 = (max(0, round(float(value))) for value in grow(box, 0.8) * ROWS)
    return np.s_[y1:y2, x1:x2]


def _working(luma: NDArray[np.uint8]) -> Plane:
    height, width = luma.shape
    small = cv2.resize(luma, (round(width * ROWS / height), ROWS), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small, (3, 3), 0).astype(np.float32)


def _same_light(picture: Plane, background: Plane, hidden: NDArray[np.bool_]) -> Plane:
    """Undo a change of exposure: scale so that the median agrees with the background's."""
    seen = ~hidden & ~np.isnan(background)
    if seen.sum() < picture.size / 10:
        return picture
    # Every fourth pixel is plenty for a median.
    ratio = (background[seen][::4] + 8.0) / (picture[seen][::4] + 8.0)
    gain = float(np.median(ratio))
    return (picture + 8.0) * np.float32(np.clip(gain, 0.6, 1.7)) - 8.0


def _median(pictures: Plane) -> Plane:
    """Median over the first axis without NaN; NaN where fewer than LEAST_SAMPLES remain."""
    known = np.isfinite(pictures).sum(axis=0)
    ordered = np.sort(pictures, axis=0)  # NaN last
    middle = np.clip((known - 1) // 2, 0, None)
    median = np.take_along_axis(ordered, middle[None], axis=0)[0]
    return np.where(known >= LEAST_SAMPLES, median, np.float32(np.nan))


def _mask(shape: tuple[int, ...], boxes: Boxes) -> NDArray[np.bool_]:
    """Pixels of the boxes (N, 4) in picture heights, a little grown: feet and shadows."""
    mask = np.zeros(shape, bool)
    for x1, y1, x2, y2 in boxes * ROWS:
        across, down = 0.12 * (x2 - x1) + 2, 0.08 * (y2 - y1) + 2
        mask[
            max(0, int(y1 - down)) : max(0, int(np.ceil(y2 + down))),
            max(0, int(x1 - across)) : max(0, int(np.ceil(x2 + across))),
        ] = True
    return mask


def _edges(plane: Plane) -> Plane:
    across = cv2.Sobel(plane, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(plane, cv2.CV_32F, 0, 1)
    return np.hypot(across, down)
