"""Where vehicles drive, learned by watching: the carriageway of a camera without zones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.hazards.boxes import foot, size

if TYPE_CHECKING:
    from pipeline.hazards.boxes import Box
    from pipeline.hazards.tracks import Track

ROWS = 36
ENOUGH = 1.5
"""Passages that make a place carriageway: two vehicles within a day."""
HALVED_S = 86400.0
"""A passage is worth half after a day: false ones, weeks apart, must not add up."""
MOVED = 0.7
"""Own sizes that a followed vehicle must have moved to be one that drives."""


class Traffic:
    """Counts, for each cell of a coarse grid over the picture, the vehicles that drove there.

    Counts fade as vehicles come, not as time goes: a quiet night forgets nothing.
    """

    def __init__(self, aspect: float) -> None:
        self._passed = np.zeros((ROWS, max(1, round(ROWS * aspect))), np.float64)
        self._at = 0.0

    def add(self, track: Track, needed_change: float) -> None:
        """Take in the path of a vehicle that has left (one that stood is no path)."""
        boxes = [box for _, box in track.history]
        way = float(np.hypot(*(foot(boxes[-1]) - foot(boxes[0])))) / size(boxes[0])
        if way < MOVED and (len(boxes) > 1 or track.changed < needed_change):
            return
        touched = np.zeros(self._passed.shape, bool)
        for before, after in zip(boxes, boxes[1:] or boxes, strict=False):
            steps = max(1, int(np.hypot(*(foot(after) - foot(before))) * ROWS))
            for share in np.linspace(0, 1, steps + 1):
                touched[self._cells(before + share * (after - before))] = True
        self._passed *= 0.5 ** (max(track.at - self._at, 0.0) / HALVED_S)
        self._at = track.at
        self._passed += touched

    def carries(self, box: Box) -> bool:
        """True if vehicles drive where the lower part of ``box`` is."""
        return bool((self._passed[self._cells(box)] >= ENOUGH).mean() > 0.5)

    def _cells(self, box: Box) -> tuple[slice, slice]:
        rows, columns = self._passed.shape
        x1, _, x2, y2 = box
        y1 = y2 - 0.4 * (y2 - box[1])
        top = int(np.clip(y1 * ROWS, 0, rows - 1))
        left = int(np.clip(x1 * ROWS, 0, columns - 1))
        bottom = int(np.clip(np.ceil(y2 * ROWS), top + 1, rows))
        right = int(np.clip(np.ceil(x2 * ROWS), left + 1, columns))
        return slice(top, bottom), slice(left, right)
