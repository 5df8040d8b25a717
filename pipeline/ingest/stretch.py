"""By how much intervals are stretched, so that readers decode little that nobody would look at.

What shows that a detector can't keep up is not that looks wait but that newer ones replace them.
Two of five may: each camera then has a fresh picture waiting when its turn comes, so that turns
and the times of the pictures stay even; what is decoded beyond that is wasted. So intervals grow to
three fifths of the time between two looks that the detector manages, and shrink again when fewer
are replaced. As long as it hasn't come round once, that time is worked out from what it can do in a
second: a thousand cameras that all connect at once would else decode in vain for minutes.
"""

from __future__ import annotations

import math

SURPLUS = 0.4
"""Share of pictures that may be decoded in vain."""
REMEMBERED_S = 10.0
"""What happened is forgotten with this time constant, or with that of two looks if it is longer."""
FOREBODED_S = 3.0
"""Time constant with which intervals follow what was worked out, not seen."""
MOST_GAPS = 4.0
"""Intervals are stretched to so many times the longest gap at most."""
FEW = 5.0
"""Of fewer looks it is chance how many were replaced."""
BEGINS, ENDS = 0.05, 0.02
"""Share of looks replaced, or of stretch beyond 1, from and below which looks are being thinned."""


class Stretch:
    """Watches the whole looks that have the usual interval; not safe among threads."""

    def __init__(self, interval_s: float, longest_gap_s: float, now: float) -> None:
        self.factor = 1.0
        self.thins = False
        """Whether the detector can't look at everything that readers offer, or would offer."""
        self._interval_s = interval_s
        self._most = max(1.0, MOST_GAPS * longest_gap_s / interval_s)
        # A longer one was the camera's own fault.
        self._gap_at_most_s = 2.0 * MOST_GAPS * longest_gap_s
        self._updated_at = now
        # Sums that fade.
        self._put = self._replaced = 0.0
        self._gaps_s = self._taken = 0.0
        self._late_gaps_s = self._late = 0.0

    def expect(self, cameras: int, looks_per_s: float) -> None:
        """Begin with what a detector that was tried out will need; nothing was seen yet."""
        foreboded_s = cameras / looks_per_s
        if foreboded_s > self._interval_s:
            self.factor = self._bounded((1.0 - SURPLUS) * foreboded_s / self._interval_s)

    def put(self, *, replaced: bool) -> None:
        """A look was offered; ``replaced`` if an older one had waited in vain."""
        self._put += 1.0
        self._replaced += replaced

    def taken(self, gap_s: float, *, overtaken: bool) -> None:
        """A camera was looked at, so long after the last time; ``overtaken`` if one was replaced.

        Only of those that were overtaken the gap is the detector's doing.
        """
        gap_s = min(gap_s, self._gap_at_most_s)
        self._taken += 1.0
        self._gaps_s += gap_s
        if overtaken:
            self._late += 1.0
            self._late_gaps_s += gap_s

    @property
    def gap_s(self) -> float:
        """Mean time between two looks at a camera, of late."""
        return self._gaps_s / self._taken if self._taken else self._interval_s

    def update(self, now: float, cameras: int = 0, looks_per_s: float | None = None) -> float:
        """The factor (at least 1) from now on; to be called every second or so.

        ``looks_per_s`` is what the detector can do (None: not known), for so many ``cameras``.
        """
        passed_s, self._updated_at = max(0.0, now - self._updated_at), now
        wasted = self._replaced / self._put if self._put >= FEW else 0.0
        if self._taken >= 1.0:  # else nobody looks at all, and there is nothing to judge by
            foreboded_s = cameras / looks_per_s if looks_per_s else 0.0
            come_round = self._taken >= cameras / 2
            self._move(wasted, passed_s, 0.0 if come_round else foreboded_s)
        self._fade(passed_s)
        level = ENDS if self.thins else BEGINS
        self.thins = wasted > level or self.factor - 1.0 > level
        return self.factor

    def _move(self, wasted: float, passed_s: float, foreboded_s: float) -> None:
        follows_in_s = max(self.gap_s, 1.0)
        foreboded = (1.0 - SURPLUS) * foreboded_s / self._interval_s
        if wasted >= SURPLUS and self._late:
            target = (1.0 - SURPLUS) * self._late_gaps_s / self._late / self._interval_s
            if foreboded > target:
                target, follows_in_s = foreboded, FOREBODED_S
        else:
            target = max(self.factor * min(1.0, 1.0 - SURPLUS + wasted), foreboded)
            target = min(target, self.factor)
        share = min(1.0, passed_s / follows_in_s)
        self.factor = self._bounded(self.factor + share * (target - self.factor))

    def _bounded(self, factor: float) -> float:
        return min(self._most, max(1.0, factor))

    def _fade(self, passed_s: float) -> None:
        kept = math.exp(-passed_s / max(REMEMBERED_S, 2.0 * self.gap_s))
        self._put *= kept
        self._replaced *= kept
        self._gaps_s *= kept
        self._taken *= kept
        self._late_gaps_s *= kept
        self._late *= kept
