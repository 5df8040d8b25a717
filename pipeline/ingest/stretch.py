"""By how much intervals are stretched, so that pictures are fresh when their turn comes.

A reader offers no picture while its last one waits for the detector, so little is decoded in vain
however slow that is. But where a turn takes forty seconds, what was offered after five waits for
thirty-five. So intervals grow to three quarters of the time between two looks at a camera: what is
offered then waits for the last quarter at most, which leaves room for key frames that come late and
turns that come early. When looks hardly wait any more the detector keeps up, and intervals shrink.
"""

from __future__ import annotations

import math

LEAD = 0.25
"""Part of the time between two looks for which the later one waits."""
REMEMBERED_S = 10.0
"""What happened is forgotten with this time constant, or with that of two looks if it is longer."""
MOST_GAPS = 4.0
"""Intervals are stretched to so many times the longest gap at most."""
BEGINS, ENDS = 0.05, 0.02
"""Stretch beyond 1 from and below which looks are being thinned."""


class Stretch:
    """Watches the whole looks that have the usual interval; not safe among threads."""

    def __init__(self, interval_s: float, longest_gap_s: float, now: float) -> None:
        self.factor = 1.0
        self.thins = False
        """Whether the detector can't look at everything that readers would offer."""
        self._interval_s = interval_s
        self._most = max(1.0, MOST_GAPS * longest_gap_s / interval_s)
        # A longer one was the camera's own fault.
        self._gap_at_most_s = 2.0 * MOST_GAPS * longest_gap_s
        self._updated_at = now
        # Sums that fade.
        self._gaps_s = self._waits_s = self._taken = 0.0

    def expect(self, cameras: int, looks_per_s: float) -> None:
        """Begin with what a detector that was tried out will need; nothing was seen yet."""
        self.factor = self._bounded((1.0 - LEAD) * cameras / looks_per_s / self._interval_s)

    def taken(self, gap_s: float | None, waited_s: float) -> None:
        """A camera was looked at, so long after the last time; a picture had waited so long.

        ``gap_s`` None: it was the first look. Its gap is what it waited at least, which tells
        something once that is longer than all intervals.
        """
        if gap_s is None:
            if waited_s <= self.factor * self._interval_s:
                return
            gap_s = waited_s
        self._taken += 1.0
        self._gaps_s += min(gap_s, self._gap_at_most_s)
        self._waits_s += min(waited_s, self._gap_at_most_s)

    @property
    def gap_s(self) -> float:
        """Mean time between two looks at a camera, of late."""
        return self._gaps_s / self._taken if self._taken else self._interval_s

    def update(self, now: float) -> float:
        """The factor (at least 1) from now on; to be called every second or so."""
        passed_s, self._updated_at = max(0.0, now - self._updated_at), now
        if self._taken >= 1.0:  # else nobody looks at all, and there is nothing to judge by
            share = min(1.0, passed_s / max(self.gap_s, 1.0))
            self.factor = self._bounded(self.factor + share * (self._target() - self.factor))
        self._fade(passed_s)
        self.thins = self.factor - 1.0 > (ENDS if self.thins else BEGINS)
        return self.factor

    def _target(self) -> float:
        """By the gaps that the detector makes, or by our own where looks don't wait for it."""
        waited_s = self._waits_s / self._taken
        of_detector = min(1.0, waited_s / (LEAD / 2 * max(self.gap_s, 1e-3)))
        own_s = self.factor * self._interval_s
        gap_s = of_detector * self.gap_s + (1.0 - of_detector) * min(own_s, self.gap_s)
        return (1.0 - LEAD) * gap_s / self._interval_s

    def _bounded(self, factor: float) -> float:
        return min(self._most, max(1.0, factor))

    def _fade(self, passed_s: float) -> None:
        kept = math.exp(-passed_s / max(REMEMBERED_S, 2.0 * self.gap_s))
        self._taken *= kept
        self._gaps_s *= kept
        self._waits_s *= kept
