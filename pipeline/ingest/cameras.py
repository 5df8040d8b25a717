"""All cameras of one box: one reader each, supervised, none able to hold up another."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import structlog

from pipeline.ingest.reader import CameraReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.clock import Clock
    from pipeline.ingest.look import Look
    from pipeline.ingest.state import CameraStatus
    from pipeline.settings import IngestSettings
    from pipeline.town import Camera

_log = structlog.get_logger(__name__)
_WATCH_STEP_S = 0.5


class Ingest:
    """Readers of many cameras that hand every look to ``deliver``, which must never block.

    ``size`` is the model's (width, height). Usually ``deliver`` is ``LatestLooks.put``.
    """

    def __init__(
        self,
        cameras: Iterable[Camera],
        settings: IngestSettings,
        *,
        size: tuple[int, int],
        clock: Clock,
        deliver: Callable[[Look], None],
    ) -> None:
        self._clock = clock
        gates: defaultdict[str, threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(settings.sessions_per_host)
        )
        self._readers = {
            camera.camera_id: CameraReader(
                camera,
                settings,
                size=size,
                clock=clock,
                deliver=deliver,
                gate=gates[_host_of(camera.url)],
            )
            for camera in cameras
        }
        self._stop = threading.Event()
        self._watchdog = threading.Thread(target=self._watch, name="camera watchdog", daemon=True)

    def start(self) -> None:
        """Start all readers; returns at once, whatever state the cameras are in."""
        for reader in self._readers.values():
            reader.start()
        self._watchdog.start()

    def stop(self, timeout_s: float = 3.0) -> None:
        """End all readers; returns within ``timeout_s`` even if a camera hangs.

        No look is delivered afterwards. A thread that still waits for a hanging camera ends with
        its timeout.
        """
        deadline = self._clock.monotonic() + timeout_s
        self._stop.set()
        for reader in self._readers.values():
            reader.request_stop()
        for reader in self._readers.values():
            if not reader.join(max(0.0, deadline - self._clock.monotonic())):
                _log.warning("camera still hangs", camera_id=reader.camera_id)

    def statuses(self) -> dict[str, CameraStatus]:
        """What every camera is doing now, by camera_id, in the order of the list."""
        return {camera_id: reader.status() for camera_id, reader in self._readers.items()}

    def full_picture(self, camera_id: str, captured_at: float) -> NDArray[np.uint8] | None:
        """See Source.full_picture; None also for an unknown camera."""
        reader = self._readers.get(camera_id)
        return None if reader is None else reader.full_picture(captured_at)

    def _watch(self) -> None:
        # Outside the readers, because what it watches for is a reader that doesn't return.
        while not self._clock.sleep(_WATCH_STEP_S, until=self._stop):
            for reader in self._readers.values():
                reader.watch()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _host_of(url: str) -> str:
    """Host and port, the unit that limits sessions (one recorder serves many cameras)."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""
