"""Where time comes from. Nothing else in the package reads the wall clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading


class Clock(Protocol):
    """Unix seconds UTC for what people read, monotonic seconds for how long things take."""

    def now(self) -> float:
        """Unix seconds, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump; only differences mean something."""
        ...

    def sleep(self, seconds: float, *, until: threading.Event | None = None) -> bool:
        """Wait; return True as soon as ``until`` is set."""
        ...


class SystemClock:
    """The real clock."""

    def now(self) -> float:
        return time.time()

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

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float, *, until: threading.Event | None = None) -> bool:
        self._now += seconds
        return until is not None and until.is_set()

    def move_to(self, now: float) -> None:
        self._now = now
