"""How long to leave alone what has failed: longer each time, and never in step with others."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.settings import IngestSettings

_DOUBLINGS_AT_MOST = 30  # beyond, every upper bound is the largest one; keeps the power finite


class Backoff:
    """Exponential with full jitter, and forgotten only after a good while of health.

    The pause after the n-th failure is uniform between 0 and ``backoff_first_s`` · 2ⁿ⁻¹, at most
    ``backoff_most_s``. Something that comes up for a moment and fails again goes on counting where
    it was: only ``healthy_after_s`` without a failure starts anew. Times are monotonic seconds.
    ``draw`` gives numbers in 0..1.
    """

    def __init__(self, settings: IngestSettings, draw: Callable[[], float] = random.random) -> None:
        self._first_s = settings.backoff_first_s
        self._most_s = settings.backoff_most_s
        self._healthy_s = settings.healthy_after_s
        self._draw = draw
        self._well_since: float | None = None
        self.failures = 0
        """Since the last good while of health."""
        self.ready_at = float("-inf")
        """When the next attempt may be made."""

    def well(self, now: float) -> None:
        """It works; health counts from the first time this is said after a failure."""
        if self._well_since is None:
            self._well_since = now

    def failed(self, now: float) -> None:
        if self._well_since is not None and now - self._well_since >= self._healthy_s:
            self.failures = 0
        self._well_since = None
        doubled_s = self._first_s * 2.0 ** min(self.failures, _DOUBLINGS_AT_MOST)
        self.failures += 1
        self.ready_at = now + self._draw() * min(self._most_s, doubled_s)
