"""One box: wires ingest -> detect -> hazards -> tickets, and keeps going.

Readers fill the slots of their cameras; one thread takes what is there, detects, and lets each
camera's analyst judge; what is confirmed is written to the outbox; another thread brings the outbox
to the desk. Nothing here waits for Redis or for a camera.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

import structlog

from pipeline.errors import DeskError
from pipeline.ingest import Ingest, LatestLooks
from pipeline.judging import Counts, Judge
from pipeline.tickets import Filer, PatientOutbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipeline.clock import Clock
    from pipeline.detect import Detector
    from pipeline.ingest import CameraStatus, Purpose
    from pipeline.settings import Settings
    from pipeline.tickets import OpenDesk
    from pipeline.town import Camera

TELL_S = 2.0
"""How often camera states are told to the board and changes of state to the log."""
CLOCK_SET_S = 5.0
"""A wall clock that moved this far from the time of the pictures is worth a word."""
FINE = ("connecting", "live", "disabled")
IDLE_S = 0.5
"""Longest wait for a look, so that a stop is noticed."""

log = structlog.get_logger()


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
        self._settings = settings
        self._desk = opened.desk
        self._board = opened.board
        self._clock = clock
        self._noted: dict[str, str] = {}  # camera states that stand in the log
        self._board_away = False
        self._clock_off_s = 0.0
        self._looks = LatestLooks()
        self._ingest = Ingest(
            watched,
            settings.ingest,
            size=detector.size,
            clock=clock,
            deliver=self._looks.put,
        )
        self._outbox = PatientOutbox(settings.data_dir / "outbox.sqlite", clock)
        self._judge = Judge(
            settings,
            detector,
            clock=clock,
            filer=Filer(self._outbox, settings.tickets.evidence, settings.data_dir),
            full_picture=self._ingest.full_picture,
        )
        self._judge.apply(watched)
        self._stop = threading.Event()
        self._failed: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True)
            for name, work in (
                ("detector", self._detect),
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

    @property
    def counts(self) -> Counts:
        return self._judge.counts

    def statuses(self) -> Mapping[str, CameraStatus]:
        return self._ingest.statuses()

    def backlog(self) -> int:
        """Incidents that the desk doesn't know yet."""
        return self._outbox.backlog()

    def skipped(self, purpose: Purpose = "whole") -> int:
        """Looks that a newer one replaced before the detector came to them."""
        return sum(self._looks.skipped(purpose).values())

    def _guarded(self, work: Callable[[], None]) -> None:
        """A thread that ends by a bug ends the daemon: half a daemon would look healthy."""
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            self._failed = self._failed or error
            self._stop.set()

    def _detect(self) -> None:
        most, wait_s = self._settings.model.batch, self._settings.model.close_after_s
        while not self._stop.is_set():
            batch = self._looks.take(most, IDLE_S)
            if batch and len(batch) < most:
                self._clock.sleep(wait_s, until=self._stop)
                batch += self._looks.take(most - len(batch), 0.0)
            self._judge.judge(batch)
            self._judge.tell_open(backlog=self._outbox.backlog())

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
