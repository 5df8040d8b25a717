"""What is known of every camera, whichever worker said it, and while none can say it."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.ingest.cameras import as_read
from pipeline.ingest.state import CameraStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.clock import Clock
    from pipeline.town import Camera

_COUNTERS = ("looks", "corrupt", "pictures", "failures")
_COMING = ("connecting", "live")
"""States that end with the worker. In the others a camera stays until a picture proves it well."""


class StatusBook:
    """The newest status of every camera of the list; safe among threads.

    What a status counts goes on over the lives of workers.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._cameras: dict[str, Camera] = {}
        self._statuses: dict[str, CameraStatus] = {}
        self._last: dict[str, CameraStatus] = {}  # as the worker said it

    def list(self, cameras: Iterable[Camera]) -> None:
        """Keep these cameras, in this order; new ones, and those read otherwise, are connecting."""
        with self._lock:
            old = self._cameras
            self._cameras = {camera.camera_id: camera for camera in cameras}
            self._statuses = {
                camera_id: self._statuses[camera_id]
                if camera_id in old and as_read(old[camera_id]) == as_read(camera)
                else self._begun(camera)
                for camera_id, camera in self._cameras.items()
            }
            self._last = {key: last for key, last in self._last.items() if key in self._cameras}

    def told(self, statuses: Iterable[CameraStatus]) -> None:
        """A worker says how cameras are; those that aren't in the list are left out."""
        with self._lock:
            for status in statuses:
                known = self._statuses.get(status.camera_id)
                if known is not None:
                    self._statuses[status.camera_id] = self._merged(known, status)
                    self._last[status.camera_id] = status

    def away(self, camera_ids: Iterable[str], why: str) -> None:
        """The worker of these cameras is gone: those that were well are connecting, and why."""
        now = self._clock.now()
        with self._lock:
            for camera_id in camera_ids:
                self._last.pop(camera_id, None)  # its successor counts from nothing
                known = self._statuses.get(camera_id)
                if known is not None and known.state in _COMING:
                    since_at = known.since_at if known.state == "connecting" else now
                    self._statuses[camera_id] = replace(
                        known, state="connecting", since_at=since_at, why=why
                    )

    def statuses(self) -> dict[str, CameraStatus]:
        """By camera_id, in the order of the list."""
        with self._lock:
            return dict(self._statuses)

    def _begun(self, camera: Camera) -> CameraStatus:
        status = CameraStatus(camera.camera_id, "connecting", self._clock.now())
        known = self._statuses.get(camera.camera_id)
        if known is None:
            return status
        return replace(known, state=status.state, since_at=status.since_at, why="")

    def _merged(self, known: CameraStatus, told: CameraStatus) -> CameraStatus:
        last = self._last.get(told.camera_id)
        counts: dict[str, Any] = {}
        for name in _COUNTERS:
            new, before = getattr(told, name), 0 if last is None else getattr(last, name)
            # What counts less than before counts from nothing again.
            counts[name] = getattr(known, name) + (new - before if new >= before else new)
        merged = replace(told, **counts, last_look_at=told.last_look_at or known.last_look_at)
        if told.state == known.state:
            return replace(merged, since_at=known.since_at)
        if told.state == "connecting" and known.state not in _COMING:
            return replace(merged, state=known.state, since_at=known.since_at, why=known.why)
        return merged
