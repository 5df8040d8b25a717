"""Where time comes from. Nothing else in the package reads the wall clock.

Three scales: ``now`` for deadlines and what people read; it follows the wall clock, which somebody
or NTP may set. ``monotonic`` for how long things take. ``steady`` for the times of pictures: Unix
seconds that people can read, and whose differences are true durations, since it never jumps.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading

_STEADY_OFFSET = time.time() - time.monotonic()


class Clock(Protocol):
    """Unix seconds UTC for what people read, monotonic seconds for how long things take."""

    def now(self) -> float:
        """Unix seconds, UTC; jumps when the wall clock is set."""
        ...

    def steady(self) -> float:
        """Unix seconds, UTC, as of the process's start, plus the monotonic time since then.

        Never jumps; so where the wall clock was wrong at the start it stays wrong by as much until
        the process is started again: start after the box's time is synchronised.
        """
        ...

    def monotonic(self) -> float:
        """Seconds that never jump; only differences mean something."""
        ...

    def sleep(self, seconds: float, *, until: threading.Event | None = None) -> bool:
        """Wait; return True as soon as ``until`` is set."""
        ...


class SystemClock:
    """The real clock. Processes with the same ``steady_offset_s`` share one steady scale."""

    def __init__(self, steady_offset_s: float = _STEADY_OFFSET) -> None:
        self._steady_offset_s = steady_offset_s

    def now(self) -> float:
        return time.time()

    def steady(self) -> float:
        return self._steady_offset_s + time.monotonic()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float, *, until: threading.Event | None = None) -> bool:
        if until is None:
            time.sleep(seconds)
            return False
        return until.wait(seconds)


class ManualClock:
    """A clock that moves only when told to: for replay and for tests."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def steady(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float, *, until: threading.Event | None = None) -> bool:
        self._now += seconds
        return until is not None and until.is_set()

    def move_to(self, now: float) -> None:
        self._now = now
