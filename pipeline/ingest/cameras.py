"""Cameras of one process: one reader each, watched over, none able to hold up another."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import structlog

from pipeline.ingest.gate import Gates
from pipeline.ingest.pace import Pace
from pipeline.ingest.reader import CameraReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.clock import Clock
    from pipeline.ingest.evidence import Kept
    from pipeline.ingest.look import Look
    from pipeline.ingest.sampling import Waits
    from pipeline.ingest.state import CameraStatus
    from pipeline.ingest.suspicion import Suspicion
    from pipeline.settings import IngestSettings
    from pipeline.town import Camera

_log = structlog.get_logger(__name__)
_WATCH_STEP_S = 0.5
_APART_S = 0.02
"""Cameras that begin together are opened this far apart: each costs some hundredths of a second of
a core, and a machine that opens hundreds at once makes them all wait beyond their time."""


class Ingest:
    """Readers of many cameras that hand every look to ``deliver``, which must never block.

    ``size`` is the model's (width, height). ``views`` is the folder that keeps what cameras see
    over a restart, so that one that was moved meanwhile is noticed; None: it isn't kept.
    """

    def __init__(
        self,
        cameras: Iterable[Camera],
        settings: IngestSettings,
        *,
        size: tuple[int, int],
        clock: Clock,
        deliver: Callable[[Look], Waits | None],
        views: Path | None = None,
    ) -> None:
        self._settings = settings
        self._size = size
        self._clock = clock
        self._deliver = deliver
        self._views = views
        self._gates = Gates(settings, clock)
        self._lock = threading.Lock()  # of changes to which readers there are
        # Never changed, only replaced by another, so that asking for states waits for nobody.
        self._readers: dict[str, CameraReader] = {}
        self._cameras: dict[str, Camera] = {}
        self._leaving: list[CameraReader] = []  # told to stop, perhaps still in a camera
        self._running = False
        self._pace = Pace()
        self._stop = threading.Event()
        self._watchdog = threading.Thread(target=self._watch, name="camera watchdog", daemon=True)
        self.apply(cameras)

    def start(self) -> None:
        """Start all readers, one after the other; returns at once, whatever the cameras do."""
        with self._lock:
            self._running = True
            self._start(self._readers.values())
        self._watchdog.start()

    def apply(
        self, cameras: Iterable[Camera], suspicions: Mapping[str, Suspicion] | None = None
    ) -> None:
        """Watch these cameras from now on, and no others; never waits for one.

        Those that are read as before keep their connection and what is known of them.
        ``suspicions``: what those who read them before had begun to suspect, by camera_id.
        """
        suspicions = suspicions or {}
        wanted = {camera.camera_id: camera for camera in cameras}
        with self._lock:
            if self._stop.is_set():
                return
            old, kept = self._readers, self._kept(wanted)
            for camera_id, reader in old.items():
                if camera_id not in kept:
                    reader.request_stop()
                    self._leaving.append(reader)
            readers = {
                camera_id: old[camera_id]
                if camera_id in kept
                else self._reader(camera, suspicions.get(camera_id))
                for camera_id, camera in wanted.items()
            }
            self._readers, self._cameras = readers, wanted
            if self._running:
                self._start(reader for key, reader in readers.items() if key not in kept)

    def pace(self, pace: Pace) -> None:
        """Look as often as this says, until another one comes."""
        with self._lock:
            self._pace = pace
            for reader in self._readers.values():
                reader.pace(pace)

    def stop(self, timeout_s: float = 3.0) -> None:
        """End all readers; returns within ``timeout_s`` even if a camera hangs.

        No look is delivered afterwards. A thread that still waits for a hanging camera ends with
        its timeout.
        """
        deadline = self._clock.monotonic() + timeout_s
        with self._lock:
            self._stop.set()
            readers = [*self._readers.values(), *self._leaving]
        for reader in readers:
            reader.request_stop()
        for reader in readers:
            if not reader.join(max(0.0, deadline - self._clock.monotonic())):
                _log.warning("camera still hangs", camera_id=reader.camera_id)

    def statuses(self) -> dict[str, CameraStatus]:
        """What every camera is doing now, by camera_id, in the order of the list."""
        return {camera_id: reader.status() for camera_id, reader in self._readers.items()}

    def suspicions(self) -> dict[str, Suspicion]:
        """What has begun to show of a fault, by camera_id; see PictureHealth."""
        found = {camera_id: reader.suspicion for camera_id, reader in self._readers.items()}
        return {camera_id: one for camera_id, one in found.items() if one is not None}

    def full_picture(self, camera_id: str, captured_at: float) -> NDArray[np.uint8] | None:
        """See Source.full_picture; None also for an unknown camera."""
        reader = self._readers.get(camera_id)
        return None if reader is None else reader.full_picture(captured_at)

    def kept_at(self, camera_id: str, captured_at: float) -> Kept | None:
        """What ``full_picture`` makes that picture of, for another process to do it."""
        reader = self._readers.get(camera_id)
        return None if reader is None else reader.kept_at(captured_at)

    @staticmethod
    def _start(readers: Iterable[CameraReader]) -> None:
        for number, reader in enumerate(readers):
            reader.start(after_s=number * _APART_S)

    def _kept(self, wanted: Mapping[str, Camera]) -> set[str]:
        """Cameras whose readers can go on as they are."""
        return {
            camera_id
            for camera_id, camera in self._cameras.items()
            if camera_id in wanted and as_read(wanted[camera_id]) == as_read(camera)
        }

    def _reader(self, camera: Camera, suspicion: Suspicion | None) -> CameraReader:
        reader = CameraReader(
            camera,
            self._settings,
            size=self._size,
            clock=self._clock,
            deliver=self._deliver,
            gate=self._gates.of(camera),
            detail_gate=self._gates.of(camera) if camera.sub_url and camera.enabled else None,
            views=self._views,
            suspicion=suspicion,
        )
        reader.pace(self._pace)
        return reader

    def _watch(self) -> None:
        # Outside the readers, because what it watches for is a reader that doesn't return.
        while not self._clock.sleep(_WATCH_STEP_S, until=self._stop):
            for reader in self._readers.values():
                reader.watch()
            with self._lock:
                self._leaving = [reader for reader in self._leaving if not reader.join(0.0)]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def as_read(camera: Camera) -> Camera:
    """The camera without what no reader cares for: its name and its place on the map."""
    return replace(camera, name="", lon=0.0, lat=0.0)
