"""One box: wires ingest -> detect -> hazards -> tickets, and keeps going.

Readers fill the slots of their cameras; one thread takes what is there, detects, and lets each
camera's analyst judge; what is confirmed is written to the outbox; another thread brings the outbox
to the desk. Nothing here waits for Redis or for a camera.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import structlog

from pipeline.detect import HeadRhythm, head_counter
from pipeline.errors import DeskError
from pipeline.hazards import Analyst
from pipeline.ingest import Ingest, LatestLooks
from pipeline.tickets import Filer, PatientOutbox, snapshot_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.clock import Clock
    from pipeline.detect import Detections, Detector
    from pipeline.hazards import Change
    from pipeline.ingest import CameraStatus, Look, Purpose
    from pipeline.settings import Settings
    from pipeline.tickets import OpenDesk, Snapshot
    from pipeline.town import Camera

TELL_S = 2.0
"""How often camera states are told to the board and changes of state to the log."""
TELL_INCIDENTS_S = 300.0
"""How often the desk hears that an incident is still seen."""
CLOCK_SET_S = 5.0
"""A wall clock that moved this far from the time of the pictures is worth a word."""
FINE = ("connecting", "live", "disabled")
IDLE_S = 0.5
"""Longest wait for a look, so that a stop is noticed."""

log = structlog.get_logger()


@dataclass(slots=True)
class Counts:
    """What the daemon has done since it started; ``looks`` at whole pictures."""

    looks: int = 0
    road_looks: int = 0
    incidents: int = 0
    cleared: int = 0


class Daemon:
    """Runs the cameras of one box until ``stop``; use as a context manager."""

    def __init__(
        self,
        settings: Settings,
        detector: Detector,
        opened: OpenDesk,
        *,
        clock: Clock,
        cameras: Iterable[Camera] | None = None,
    ) -> None:
        """``cameras``: the part of the town's cameras that this box watches; else all of them."""
        watched = opened.town.cameras if cameras is None else tuple(cameras)
        self.counts = Counts()
        self._settings = settings
        self._detector = detector
        self._rhythm = HeadRhythm(head_counter(settings.heads), settings.heads, detector.card)
        self._desk = opened.desk
        self._board = opened.board
        self._clock = clock
        self._cameras = {camera.camera_id: camera for camera in watched if camera.enabled}
        self._analysts = {
            camera_id: self._analyst(camera) for camera_id, camera in self._cameras.items()
        }
        self._noted: dict[str, str] = {}  # camera states that stand in the log
        self._board_away = False
        self._clock_off_s = 0.0
        self._told_at = clock.steady()  # when the desk last heard what is still seen
        self._failing: set[str] = set()  # cameras whose last look ended in an error
        self._looks = LatestLooks()
        self._ingest = Ingest(
            watched,
            settings.ingest,
            size=detector.size,
            clock=clock,
            deliver=self._looks.put,
        )
        self._outbox = PatientOutbox(settings.data_dir / "outbox.sqlite", clock)
        self._filer = Filer(self._outbox, settings.tickets.evidence, settings.data_dir)
        self._stop = threading.Event()
        self._failed: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True)
            for name, work in (
                ("detector", self._judge),
                ("outbox", self._deliver),
                ("board", self._tell),
            )
        ]

    def __enter__(self) -> Self:
        self._ingest.start()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Ends everything; raises what ended one of the threads, whatever the block raised."""
        self.stop()
        self._ingest.stop()
        self._looks.close()
        for thread in self._threads:
            thread.join(timeout=self._settings.redis.timeout_s + 5.0)
        self._outbox.close()
        if self._failed is not None and self._failed is not error:
            raise self._failed

    def wait(self, seconds: float | None) -> None:
        """Return after ``seconds``, on ``stop``, or raise what ended one of the threads."""
        self._stop.wait(seconds)
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        """Ask for the end; may be called from a signal handler."""
        self._stop.set()

    def statuses(self) -> Mapping[str, CameraStatus]:
        return self._ingest.statuses()

    def backlog(self) -> int:
        """Incidents that the desk doesn't know yet."""
        return self._outbox.backlog()

    def skipped(self, purpose: Purpose = "whole") -> int:
        """Looks that a newer one replaced before the detector came to them."""
        return sum(self._looks.skipped(purpose).values())

    def _analyst(self, camera: Camera) -> Analyst:
        return Analyst(
            camera,
            self._settings.hazards,
            self._detector.card.classes,
            model=self._rhythm.models,
            settings_hash=self._settings.digest(),
        )

    def _guarded(self, work: Callable[[], None]) -> None:
        """A thread that ends by a bug ends the daemon: half a daemon would look healthy."""
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            self._failed = self._failed or error
            self._stop.set()

    def _judge(self) -> None:
        most, wait_s = self._settings.model.batch, self._settings.model.close_after_s
        while not self._stop.is_set():
            batch = self._looks.take(most, IDLE_S)
            if batch and len(batch) < most:
                self._clock.sleep(wait_s, until=self._stop)
                batch += self._looks.take(most - len(batch), 0.0)
            for look, seen in zip(batch, self._detector(batch), strict=True):
                self._take_in(look, seen)
            self._tell_open()

    def _take_in(self, look: Look, seen: Detections) -> None:
        if look.purpose == "road":
            self.counts.road_looks += 1
        else:
            self.counts.looks += 1
        with self._judging(look.camera_id):
            heads = self._rhythm(look, seen, lambda: self._full_picture(look))
            for change in self._analysts[look.camera_id].update(look, seen, heads):
                self._report(change, look)

    @contextmanager
    def _judging(self, camera_id: str) -> Iterator[None]:
        """What goes wrong in the block is this camera's alone: it begins anew, the others go on."""
        try:
            yield
        except Exception:
            if camera_id not in self._failing:  # once, not at every look
                self._failing.add(camera_id)
                log.exception("analyst_failed", camera_id=camera_id)
            self._analysts[camera_id] = self._analyst(self._cameras[camera_id])
        else:
            self._failing.discard(camera_id)

    def _report(self, change: Change, look: Look) -> None:
        incident = change.incident
        log.info(
            change.kind,
            camera_id=incident.camera_id,
            hazard=incident.hazard,
            incident_id=incident.incident_id,
            score=incident.score,
        )
        if change.kind == "confirmed":
            self.counts.incidents += 1
            self._filer.file(incident, lambda: self._snapshot(look))
        else:
            self.counts.cleared += 1
            self._filer.update(incident)

    def _tell_open(self) -> None:
        """Tell the desk now and then what is still seen, so that nobody closes it for good.

        Not while anything waits for the desk: days without Redis would fill the disk with it.
        """
        now = self._clock.steady()
        if now - self._told_at < TELL_INCIDENTS_S or self._outbox.backlog():
            return
        for camera_id, analyst in self._analysts.items():
            with self._judging(camera_id):
                for incident in analyst.open_incidents():
                    if incident.last_seen_at > self._told_at:
                        self._filer.update(incident)
        self._told_at = now

    def _full_picture(self, look: Look) -> NDArray[np.uint8] | None:
        return self._ingest.full_picture(look.camera_id, look.captured_at)

    def _snapshot(self, look: Look) -> Snapshot | None:
        picture = self._full_picture(look)
        return None if picture is None else snapshot_of(picture, self._detector)

    def _deliver(self) -> None:
        self._outbox.drain(self._desk, self._stop, retry_s=self._settings.tickets.retry_s)

    def _tell(self) -> None:
        while True:
            self._note_states()
            self._tell_board()
            self._note_clock()
            if self._clock.sleep(TELL_S, until=self._stop):
                self._tell_board(every=True)
                return

    def _note_states(self) -> None:
        for camera_id, status in self._ingest.statuses().items():
            if self._noted.get(camera_id) != status.state:
                self._noted[camera_id] = status.state
                tell = log.info if status.state in FINE else log.warning
                tell("camera", camera_id=camera_id, state=status.state, why=status.why)

    def _tell_board(self, *, every: bool = False) -> None:
        try:
            self._board.tell(self._ingest.statuses().values(), every=every)
        except DeskError as error:
            if not self._board_away:  # once, not every two seconds
                log.warning("board_unavailable", why=str(error))
            self._board_away = True
        else:
            if self._board_away:
                log.info("board_available")
            self._board_away = False

    def _note_clock(self) -> None:
        """Looks are timed by the clock as it stood at the start: say so when it was set since."""
        off_s = self._clock.now() - self._clock.steady()
        if abs(off_s - self._clock_off_s) > CLOCK_SET_S:
            self._clock_off_s = off_s
            log.warning("clock_was_set", by_s=round(off_s, 1), todo="restart to follow it")
