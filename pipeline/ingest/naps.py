"""Leaves packets that nobody waits for in the socket for a moment, to read several at once.

A camera's thread that waits at its socket is woken for every packet: a switch of threads, a wait
for Python's lock and cold caches, together more than the reading itself. Packets between two
pictures that are wanted lie as well in the kernel's buffer. Measured with 131 cameras of five
pictures (30 KB) a second whose pictures nobody wants, on two cores: bare demuxing costs 154 µs of
processor time a packet, all of the ingest 205 µs without naps and 83 µs with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

    from pipeline.clock import Clock
    from pipeline.ingest.hangup import Reading

LONGEST_S = 2.0
SHORTEST_S = 0.05
QUEUED_BYTES = 128 << 10
"""Naps are as long as it takes for half of this, up to all of it, to come."""
# Of which the kernel offers a camera a half at least: cameras drop what has to wait.
_ROOM_BYTES = 4 * QUEUED_BYTES


class Naps:
    """Naps of one thread at its socket, as long as little piles up in it meanwhile."""

    def __init__(
        self, reading: Reading, clock: Clock, closed: threading.Event | None = None
    ) -> None:
        self._reading = reading
        self._clock = clock
        self._closed = closed
        self._limit_s = 2 * SHORTEST_S
        self._roomy = False

    def nap(self, free_s: float, size: int) -> None:
        """Sleep for up to this long, if no more than about one packet waits to be read.

        Until ``closed`` is set.

        ``size``: bytes of the one just read. It came with the beginning of the next one, by which
        its end is known, so that part of a packet always waits.
        """
        nap_s = min(free_s, self._limit_s)
        if nap_s < SHORTEST_S or not 0 <= self._reading.queued() <= size:
            return
        if not self._roomy:
            self._reading.make_room(_ROOM_BYTES)
            self._roomy = True
        self._clock.sleep(nap_s, until=self._closed)
        queued = self._reading.queued()
        if queued > QUEUED_BYTES:
            self._limit_s /= 2
        elif queued < QUEUED_BYTES / 2:
            self._limit_s = min(LONGEST_S, 1.5 * self._limit_s)
