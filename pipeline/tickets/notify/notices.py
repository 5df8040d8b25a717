"""What the operator is told of cameras and boxes, each once, whichever box sees it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from pipeline.tickets.event_wire import BacklogEvent, CameraEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipeline.clock import Clock
    from pipeline.ingest import CameraStatus
    from pipeline.settings_notify import NotifySettings
    from pipeline.tickets.notify.store import NotifyStore

_BACKLOG_S = 60.0  # what waits for less is a hiccup


class Notices:
    """Called every few seconds by a box that watches cameras. Raises DeskUnavailableError.

    A camera counts as out of order from when it was last live: between two attempts to open it, it
    is ``connecting``, which is no sign of health.
    """

    def __init__(
        self,
        store: NotifyStore,
        settings: NotifySettings,
        *,
        clock: Clock,
        names: Mapping[str, str],
        backlog: Callable[[], int],
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._names = names
        self._backlog = backlog
        self._bad_since_s: dict[str, float] = {}
        self._many_since_s: float | None = None

    def tell(self, statuses: Iterable[CameraStatus]) -> None:
        told = self._store.told()
        for status in statuses:
            self._tell_camera(status, f"camera {status.camera_id}" in told)
        box = socket.gethostname()
        self._tell_backlog(box, f"box {box}" in told)

    def _tell_camera(self, status: CameraStatus, told: bool) -> None:  # noqa: FBT001 - one caller
        camera_id, now_s = status.camera_id, self._clock.monotonic()
        if status.state in ("live", "disabled"):
            self._bad_since_s.pop(camera_id, None)
            if told:
                self._camera_event("camera_well", status)
            return
        since_s = self._bad_since_s.setdefault(camera_id, now_s)
        if not told and now_s - since_s >= self._settings.camera_fault_s:
            self._camera_event("camera_fault", status)

    def _camera_event(self, event: str, status: CameraStatus) -> None:
        made = CameraEvent(
            event="camera_fault" if event == "camera_fault" else "camera_well",
            at=self._clock.now(),
            camera_id=status.camera_id,
            name=self._names.get(status.camera_id, ""),
            state=status.state,
            why=status.why,
            since_at=status.since_at,
        )
        state = "fault" if event == "camera_fault" else ""
        self._store.notice(f"camera {status.camera_id}", state, made.model_dump_json())

    def _tell_backlog(self, box: str, told: bool) -> None:  # noqa: FBT001 - one caller
        waiting, now_s = self._backlog(), self._clock.monotonic()
        if waiting < self._settings.backlog:
            self._many_since_s = None
            if told and waiting == 0:
                gone = BacklogEvent(
                    event="backlog_gone", at=self._clock.now(), box=box, waiting=waiting
                )
                self._store.notice(f"box {box}", "", gone.model_dump_json())
            return
        if self._many_since_s is None:
            self._many_since_s = now_s
        if not told and now_s - self._many_since_s >= _BACKLOG_S:
            many = BacklogEvent(event="backlog", at=self._clock.now(), box=box, waiting=waiting)
            self._store.notice(f"box {box}", "backlog", many.model_dump_json())
