"""The main stream of a camera whose whole looks come from a smaller one: its key frames, unread.

It is kept open beside the other: an incident's full picture must be of the moment in which it was
seen, and to open a session and wait for a key frame takes seconds. Nothing of it is decoded until
a road look is due or somebody asks for a picture, so it costs a third of what looking at it would.
When it can't be had (a recorder out of sessions), whole looks go on without it.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, closing
from typing import TYPE_CHECKING, Protocol

import structlog

from pipeline.errors import SourceError
from pipeline.ingest.evidence import PacketRing
from pipeline.ingest.streams import KEY_FRAMES, CameraStream

if TYPE_CHECKING:
    from pipeline.clock import Clock
    from pipeline.ingest.evidence import PacketGroup
    from pipeline.settings import IngestSettings
    from pipeline.town import Transport

_log = structlog.get_logger(__name__)
# Older key frames tell nothing of the moment of a whole look: the stream has stopped.
_FRESH_S = 12.0


class Way(AbstractContextManager[object], Protocol):
    """What holds sessions back where a device has few; ``Gate`` is one."""

    def pictured(self, *, telling: bool) -> bool: ...
    def ended(self, error: SourceError | None, *, failed: bool) -> None: ...
    def cancel(self) -> None: ...


class DetailStream:
    """Keeps the newest key frames of one stream, in a thread of its own, until it is closed."""

    def __init__(
        self,
        camera_id: str,
        url: str,
        settings: IngestSettings,
        *,
        clock: Clock,
        way: Way,
        transport: Transport | None = None,
    ) -> None:
        self._camera_id = camera_id
        self._url = url
        self._settings = settings
        self._clock = clock
        self._way = way
        self._transport = transport
        self._ring = PacketRing()
        self._closed = threading.Event()
        self._troubled = False
        self._thread = threading.Thread(target=self._run, name=f"detail {camera_id}", daemon=True)
        self.size: tuple[int, int] | None = None
        """(width, height) of its pictures, as it said last; None before it was ever open."""

    def start(self) -> None:
        """Begin to read; does nothing when it reads already."""
        if self._thread.ident is None and not self._closed.is_set():
            self._thread.start()

    def close(self) -> None:
        """Ends with the next packet; what it has kept stays."""
        self._closed.set()
        self._way.cancel()

    def received_at(self, captured_at: float) -> float | None:
        """When the newest key frame up to this moment came; None when that is long ago."""
        received_at = self._ring.received_at(captured_at)
        fresh = received_at is not None and captured_at - received_at <= _FRESH_S
        return received_at if fresh else None

    def group_at(self, captured_at: float) -> PacketGroup | None:
        """That key frame."""
        return None if self.received_at(captured_at) is None else self._ring.group_at(captured_at)

    def _run(self) -> None:
        structlog.contextvars.bind_contextvars(camera_id=self._camera_id)  # of this thread alone
        while not self._closed.is_set():
            error: SourceError | None = None
            failed = False
            try:
                self._session()
            except SourceError as caught:
                error, failed = caught, True
            self._tell(error)
            self._way.ended(error, failed=failed)

    def _session(self) -> None:
        with self._way:
            if self._closed.is_set():
                return
            stream = CameraStream(
                self._url, self._settings, self._clock, self._transport, closed=self._closed
            )
        with closing(stream):
            for arrival in stream.arrivals(KEY_FRAMES):
                if self._closed.is_set():
                    return
                if arrival.key:
                    self.size = stream.size or self.size
                    self._ring.add(stream.codec, arrival)
                    self._tell(None)
                    if self._way.pictured(telling=True):
                        return

    def _tell(self, error: SourceError | None) -> None:
        """Once when it fails and once when it is back: the camera itself is still live."""
        if error is not None and not self._troubled:
            _log.warning("main stream can't be had", camera_id=self._camera_id, why=error.reason)
        elif error is None and self._troubled:
            _log.info("main stream is back", camera_id=self._camera_id)
        self._troubled = error is not None
