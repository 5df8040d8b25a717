"""What is counted of looks and of the detector's work; cheap to keep, handed on as metrics.

Not safe among threads: the owner's lock guards them.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
"""Bounds for times between looks and for how late they are."""
CAPACITY_OF_S = 20.0
"""The detector's capacity is that of so many of its last seconds of work."""


@dataclass(frozen=True, slots=True)
class LookCounts:
    """What became of the looks of one purpose; every one that was put stands in one place.

    ``put`` is the sum of ``waiting``, ``in_hand`` (taken and not done), ``done``, ``replaced`` (by
    a newer one) and ``stopped`` (it waited when its camera, or everything, was ended).
    """

    put: int
    waiting: int
    in_hand: int
    done: int
    replaced: int
    stopped: int


@dataclass(slots=True)
class Tally:
    put: int = 0
    taken: int = 0
    done: int = 0
    replaced: int = 0
    stopped: int = 0

    def counts(self) -> LookCounts:
        waiting = self.put - self.taken - self.replaced - self.stopped
        in_hand = self.taken - self.done
        return LookCounts(self.put, waiting, in_hand, self.done, self.replaced, self.stopped)


@dataclass(frozen=True, slots=True)
class SpreadCounts:
    """How figures are spread.

    ``counts[i]`` of them are at most ``bounds[i]`` and above the bound before it; the last count,
    one more than there are bounds, is of those above all bounds. ``total`` is their sum, ``most``
    the largest.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float
    most: float


class Spread:
    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0
        self._most = 0.0

    def add(self, figure: float) -> None:
        self._counts[bisect_left(self._bounds, figure)] += 1
        self._total += figure
        self._most = max(self._most, figure)

    def counts(self) -> SpreadCounts:
        return SpreadCounts(self._bounds, tuple(self._counts), self._total, self._most)


class Capacity:
    """Looks per second of the time in which the detector had any in hand."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._in_hand = 0
        self._busy_s = self._looks = 0.0  # sums that fade

    def begins(self, now: float, looks: int) -> None:
        """The detector has got so many looks."""
        if looks:
            self._since, self._in_hand = now, looks

    def rests(self, now: float) -> None:
        """It has done them and asks for more."""
        if self._since is None:
            return
        passed_s, self._since = max(0.0, now - self._since), None
        kept = math.exp(-passed_s / CAPACITY_OF_S)
        self._busy_s = self._busy_s * kept + passed_s
        self._looks = self._looks * kept + self._in_hand

    @property
    def per_s(self) -> float | None:
        """None until anything has been done."""
        return self._looks / self._busy_s if self._busy_s else None
