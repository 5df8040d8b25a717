"""Whose turn it is at one host: a recorder that serves many cameras, or a single one.

Pure rules without threads or a clock of their own; ``gate.py`` makes threads wait by them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

    from pipeline.errors import SourceError
    from pipeline.ingest.backoff import Backoff

Who = TypeVar("Who", bound="Hashable")


class HostTurns(Generic[Who]):
    """Who may open a session of this host, and who should make room.

    - At most ``opening_most`` are being opened at once, and at most ``sessions_most`` are open or
      being opened (None: as many as there are cameras).
    - What waits is let in by how long ago its last turn ended, the longest first, so that all have
      turns equally often even if there are fewer sessions than cameras.
    - While no session is open, a failure of the host (refused, no route, silence) closes it for
      all: after a pause, which grows from failure to failure, one alone tries; each who succeeds
      lets one more in at the same time. So a recorder that starts again meets one connection, then
      two, then four, and not sixty-four. With a session open, the same failure concerns the camera.

    Times are monotonic seconds.
    """

    def __init__(self, *, opening_most: int, sessions_most: int | None, backoff: Backoff) -> None:
        self._opening_most = opening_most
        self._sessions_most = sessions_most
        self._backoff = backoff
        self._width = opening_most  # how many may be opening at once as things stand
        self._round = 0  # failures of attempts that began in an earlier one tell nothing new
        self._waiting: dict[Who, float] = {}  # when its last turn ended
        self._opening: dict[Who, int] = {}  # in which round it began
        self._open: set[Who] = set()
        self._giving_way: set[Who] = set()
        self.trouble: SourceError | None = None
        """Why nobody can be served, from the first failure of the host to the next answer."""

    @property
    def ready_at(self) -> float:
        """Before this nobody is let in."""
        return self._backoff.ready_at

    def wait(self, who: Who, last_turn_at: float) -> None:
        """Queue up; -inf: it never had a turn."""
        self._waiting[who] = last_turn_at

    def forget(self, who: Who) -> None:
        """It doesn't wait any more."""
        self._waiting.pop(who, None)

    def admit(self, now: float) -> list[Who]:
        """Those whose turn it is now: they are being opened from here on."""
        admitted: list[Who] = []
        while (
            self._waiting
            and now >= self.ready_at
            and len(self._opening) < self._width
            and not self._is_full()
        ):
            who = min(self._waiting, key=self._waiting.__getitem__)
            del self._waiting[who]
            self._opening[who] = self._round
            admitted.append(who)
        return admitted

    def opened(self, who: Who, now: float) -> None:
        if self._opening.pop(who, None) is not None:
            self._open.add(who)
            self._answered(now)

    def ended(self, who: Who, now: float, error: SourceError | None, *, failed: bool) -> bool:
        """The turn is over; True if that is a failure of the host, not of the camera alone.

        ``error`` says why a camera failed; ``failed`` without one: for no reason known of it.
        """
        self._giving_way.discard(who)
        if who in self._open:
            self._open.remove(who)
            if failed and not self._open:
                self._width = 1  # most likely the host went away: feel the way back
            return False
        began_in = self._opening.pop(who, self._round)
        if error is None:
            return False
        if not error.of_host or self._open:
            self._answered(now)
            return False
        if began_in == self._round:
            self.trouble = error
            self._round += 1
            self._width = 1
            self._backoff.failed(now)
        return True

    def gives_way(self, who: Who, now: float) -> bool:
        """Whether an open session that has served should end because others wait for one."""
        waiting = len(self._waiting) if now >= self.ready_at else 0
        if self._is_full() and len(self._giving_way) < waiting:
            self._giving_way.add(who)
            return True
        return False

    def _is_full(self) -> bool:
        sessions = len(self._opening) + len(self._open)
        return self._sessions_most is not None and sessions >= self._sessions_most

    def _answered(self, now: float) -> None:
        self.trouble = None
        self._width = min(self._opening_most, self._width + 1)
        self._backoff.well(now)
