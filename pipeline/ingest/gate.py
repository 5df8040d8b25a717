"""The way to a host: cameras wait here for their turn, so that no device is asked for too much.

One recorder serves many cameras and has limits of its own: of sessions, of connections at once,
of patience. What all cameras of a host share is kept by ``turns.py``; here threads wait for it.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from math import ceil, inf
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from pipeline.ingest.backoff import Backoff
from pipeline.ingest.turns import HostTurns

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from pipeline.clock import Clock
    from pipeline.errors import SourceError
    from pipeline.settings import IngestSettings
    from pipeline.town import Camera

_PORTS = {"rtsp": 554, "rtsps": 322}
_PICTURES_OF_A_VISIT = 2
_FLAPS_FROM = 3
# A device takes a moment to notice that a session has ended, and counts it until then.
_CLOSING_S = 0.3
_LOOK_AGAIN_S = 60.0  # who waits is woken when the turn comes; this only bounds the sleep


def host_of(url: str, named: Container[str] = ()) -> str:
    """The device a URL leads to, "address:port"; a file is a device of its own.

    ``named`` are devices that the settings name without a port: all ports of theirs are one device.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:  # an impossible port or address: nothing is there to be shared
        return url
    if not host or port is None:
        return url
    host = f"[{host}]" if ":" in host else host
    return host if host in named else f"{host}:{port}"


class Gates:
    """The gates of all cameras of this process; those of one host know of each other."""

    def __init__(
        self, settings: IngestSettings, clock: Clock, draw: Callable[[], float] = random.random
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._draw = draw
        # A host without cameras is forgotten: lists change for as long as a box runs.
        self._hosts: WeakValueDictionary[str, _Host] = WeakValueDictionary()
        self._lock = threading.Lock()

    def of(self, camera: Camera) -> Gate:
        """A gate for this camera, counted among the cameras of its host until it is cancelled."""
        settings = self._settings
        name = host_of(camera.url, settings.hosts)
        with self._lock:
            host = self._hosts.get(name)
            if host is None:
                limits = settings.hosts.get(name)
                backoff = Backoff(settings, self._draw)
                host = _Host(settings, limits.sessions if limits else None, backoff)
                self._hosts[name] = host
        visits = (camera.policy or settings.policy) == "visit"
        return Gate(host, settings, self._clock, Backoff(settings, self._draw), visits=visits)


class _Host:
    """The turns of one host, and a lock to take them under."""

    def __init__(self, settings: IngestSettings, sessions: int | None, backoff: Backoff) -> None:
        self.sessions = sessions
        self.members: set[Gate] = set()
        self.lock = threading.Lock()
        self.turns: HostTurns[Gate] = HostTurns(
            opening_most=settings.sessions_per_host, sessions_most=sessions, backoff=backoff
        )

    @property
    def turns_each(self) -> int:
        """How many cameras share one session; 1 when each may have its own."""
        return 1 if self.sessions is None else ceil(len(self.members) / self.sessions)

    def admit(self, now: float) -> None:
        """With the lock held: wake those whose turn it is."""
        for gate in self.turns.admit(now):
            gate.granted.set()
            gate.wake.set()


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a camera waits for. ``trouble``: its host fails; ``share``: cameras per session."""

    trouble: SourceError | None
    share: int


class Gate:
    """One camera's way to its host; a context manager around each opening of a session.

    Entering waits: for the pause after failures, for the rhythm of visits, for a place. After
    the block without an error the session is open, until ``ended``, which is also to be called
    after a failed opening. Belongs to the reader's thread, but ``cancel`` and ``waiting`` are for
    any.
    """

    def __init__(
        self,
        host: _Host,
        settings: IngestSettings,
        clock: Clock,
        backoff: Backoff,
        *,
        visits: bool,
    ) -> None:
        self._host = host
        self._clock = clock
        self._backoff = backoff
        self._always_visits = visits
        self._visit_every_s = settings.visit_every_s
        self._cancelled = threading.Event()
        self._queued = False
        self._began_at = -inf
        self._visit_at = -inf
        self._last_turn_at = -inf
        self._pictures = 0
        self._breaks = 0  # sessions that showed pictures and failed, since a good while of health
        self.wake = threading.Event()
        self.granted = threading.Event()
        with host.lock:
            host.members.add(self)

    @property
    def share(self) -> int:
        """How many cameras share one session of the host; 1: each has its own."""
        return self._host.turns_each

    @property
    def flaps(self) -> bool:
        """Whether its sessions break again and again soon after they have begun."""
        return self._breaks >= _FLAPS_FROM

    @property
    def visits(self) -> bool:
        """Whether sessions end after a picture or two, to come back later."""
        return self._always_visits or self.share > 1

    def __enter__(self) -> Self:
        self._pictures = 0
        self.granted.clear()
        while not self._cancelled.is_set():
            pause_s = max(self._backoff.ready_at, self._visit_at) - self._clock.monotonic()
            if pause_s <= 0:
                self._queue()
                break
            self._clock.sleep(pause_s, until=self._cancelled)
        self._began_at = self._clock.monotonic()
        return self

    def _queue(self) -> None:
        host, turns = self._host, self._host.turns
        with host.lock:
            self._queued = True
            self.wake.clear()
            turns.wait(self, self._last_turn_at)
        try:
            while not self._cancelled.is_set():
                with host.lock:
                    now = self._clock.monotonic()
                    host.admit(now)
                    pause_s = min(_LOOK_AGAIN_S, max(0.0, turns.ready_at - now) or _LOOK_AGAIN_S)
                if self.granted.is_set():
                    return
                self._clock.sleep(pause_s, until=self.wake)
        finally:
            with host.lock:
                self._queued = False
                turns.forget(self)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            with self._host.lock:
                now = self._clock.monotonic()
                self._host.turns.opened(self, now)
                self._host.admit(now)

    def pictured(self, *, telling: bool) -> bool:
        """A picture came; True: it is enough, end the session.

        A visit takes one picture that tells something, at most two.
        """
        now = self._clock.monotonic()
        self._backoff.well(now)
        self._pictures += 1
        if not telling and self._pictures < _PICTURES_OF_A_VISIT:
            return False
        if self._always_visits:
            return True
        with self._host.lock:
            return self._host.turns.gives_way(self, now)

    def ended(self, error: SourceError | None, *, failed: bool) -> None:
        """The session, or the attempt to open one, is over.

        ``failed`` without ``error``: it failed for a reason that isn't the camera's.
        """
        if self._host.sessions is not None and self.granted.is_set():
            self._clock.sleep(_CLOSING_S, until=self._cancelled)
        with self._host.lock:
            now = self._last_turn_at = self._clock.monotonic()
            of_host = self._host.turns.ended(self, now, error, failed=failed)
            self._host.admit(now)
        if not failed:
            self._visit_at = self._began_at + self._visit_every_s
        elif not of_host:
            self._backoff.failed(now)
            broke = self._pictures > 0
            self._breaks = broke + (0 if self._backoff.failures == 1 else self._breaks)

    def waiting(self) -> Waiting | None:
        """What it waits for, while it does wait for others or for its host."""
        with self._host.lock:
            if not self._queued:
                return None
            return Waiting(self._host.turns.trouble, self._host.turns_each)

    def cancel(self) -> None:
        """Wait no more: what is entered from now on passes at once, and must not be opened."""
        self._cancelled.set()
        self.wake.set()
        with self._host.lock:
            self._host.members.discard(self)
