"""How much one client may ask for: so many at once, and as many again within a minute."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.clock import Clock

_MOST_CLIENTS = 10_000  # remembered; who is forgotten begins anew
_MINUTE_S = 60.0


class RateLimit:
    """A bucket of ``per_minute`` for each client, filled evenly. Thread-safe."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._most = float(per_minute)
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}  # client -> left, when

    def wait_s(self, client: str) -> float:
        """0 if the client may go on, and has used one up then; else seconds until it may."""
        with self._lock:
            now = self._clock.monotonic()
            left, at = self._left.pop(client, (self._most, now))
            left = min(self._most, left + (now - at) * self._most / _MINUTE_S)
            may = left >= 1
            self._left[client] = (left - 1 if may else left, now)  # the newest stands last
            if len(self._left) > _MOST_CLIENTS:
                self._left.pop(next(iter(self._left)))
            return 0.0 if may else (1 - left) * _MINUTE_S / self._most
