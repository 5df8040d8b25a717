"""One box: wires ingest -> detect -> hazards -> tickets, and keeps going.

Worker processes read the cameras and hand pictures over in shared memory; the schedule says which
of them the detector takes next; one thread detects, and meanwhile another lets each camera's
analyst judge what was detected before. What is confirmed is written to the outbox; another thread
brings the outbox to the desk. Nothing here waits for Redis or for a camera.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Self

from pipeline import __version__
from pipeline.endpoints import serve_vitals
from pipeline.errors import DeskUnavailableError, OutboxError
from pipeline.ingest import PURPOSES, Coverage, LookSchedule, Workers
from pipeline.judging import Counts, Judge
from pipeline.model_choice import ModelWatch
from pipeline.reload import CameraListWatch, DutiesWatch
from pipeline.telling import Teller
from pipeline.tickets import (
    Filer,
    Filmer,
    Keeper,
    Notices,
    Notifier,
    PatientOutbox,
    Photographer,
    Sweep,
    open_store,
    snapshot_of,
)
from pipeline.town import load_cameras_in
from pipeline.vitals import Ever, Pulse, Vitals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.clock import Clock
    from pipeline.detect import Detector
    from pipeline.ingest import CameraStatus, Purpose
    from pipeline.judging import Found
    from pipeline.settings import Settings
    from pipeline.tickets import OpenDesk
    from pipeline.town import Camera

    Choose = Callable[[tuple[Camera, ...]], tuple[Camera, ...]]

TELL_S = 1.0
"""How often camera states are told to the board, and the pace to the workers."""
IDLE_S = 0.5
"""Longest wait for a look, so that a stop is noticed."""


class Daemon:
    """Runs the cameras of one box until ``stop``; use as a context manager."""

    def __init__(
        self,
        settings: Settings,
        detector: Detector,
        opened: OpenDesk,
        *,
        clock: Clock,
        choose: Choose = tuple,
    ) -> None:
        """``choose`` gives the part of a camera list that this box watches; else all of it."""
        self._settings = settings
        self._desk = opened.desk
        self._archivist = opened.archivist
        self._detector = detector
        self._clock = clock
        self._choose = choose
        self._stop = threading.Event()
        self._found: Queue[Found | None] = Queue(maxsize=1)  # None: there will be no more
        self._failed: BaseException | None = None
        watched = choose(opened.town.cameras)
        self._coverage = Coverage(settings.ingest.interval_s, clock=clock)
        self._schedule = LookSchedule(settings.ingest, clock=clock, coverage=self._coverage)
        self._schedule.expect(len(watched), detector.looks_per_s)
        self._workers = Workers(
            watched,
            settings.ingest,
            size=detector.size,
            clock=clock,
            deliver=self._schedule.put,
            dropped=self._note_dropped,
            views=settings.views_dir,
        )
        self._outbox = PatientOutbox(settings.data_dir / "outbox.sqlite", clock)
        self._store = open_store(settings, clock)
        sweep = Sweep(self._store, opened.desk.evidence, opened.town.duties, clock)
        self._keeper = Keeper(self._store, sweep, clock)
        self._filmer = Filmer(
            self._outbox,
            self._store,
            settings.tickets.evidence,
            kept=self._workers.kept_at,
            look=lambda picture: snapshot_of(picture, self._detector),
            clock=clock,
        )
        self._photographer = Photographer(
            opened.shots,
            per_s=settings.tickets.live.per_s,
            statuses=self._workers.statuses,
            kept=self._workers.kept_at,
            look=lambda picture: snapshot_of(picture, self._detector),
            clock=clock,
        )
        self._judge = Judge(
            settings,
            detector,
            self._schedule,
            clock=clock,
            filer=Filer(
                self._outbox,
                settings.tickets.evidence,
                settings.data_dir,
                store=self._store,
                filmer=self._filmer,
            ),
            full_picture=self._workers.full_picture,
        )
        self._judge.apply(watched)
        self._teller = Teller(
            self._workers,
            self._schedule,
            self._coverage,
            board=opened.board,
            ledger=opened.coverage,
            desk=opened.desk,
            notices=Notices(
                opened.notify,
                settings.notify,
                clock=clock,
                names={camera.camera_id: camera.name for camera in opened.town.cameras},
                backlog=self._outbox.backlog,
            ),
            clock=clock,
        )
        self._notifier = Notifier(
            opened.notify, settings, opened.town.grids, clock=clock, keeper=opened.keeper
        )
        self._list = CameraListWatch(
            settings.town.cameras,
            lambda: load_cameras_in(settings.town.cameras, opened.town.grids),
            self._apply,
            clock=clock,
            in_force=opened.town.cameras,
        )
        self._duties = DutiesWatch(settings.town.duties, opened.town.duties, clock=clock)
        self._model = ModelWatch(settings, detector, self._use, clock=clock)
        self._pulse = Pulse(clock)
        self._key_frames = Ever(lambda status: status.key_frames)
        self._pictures = Ever(lambda status: status.pictures)
        self._reconnects = Ever(lambda status: status.failures)
        self._open = ExitStack()
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True)
            for name, work in (
                ("detector", self._detect),
                ("judge", self._take_in),
                ("outbox", self._deliver),
                ("teller", self._tell),
                ("notifier", self._notify),
                ("camera list", self._follow_list),
                ("duties", self._follow_duties),
                ("model", self._follow_model),
                ("filmer", self._film),
                ("evidence", self._keep_evidence),
                ("archive", self._archive),
                ("live pictures", lambda: self._photographer.run(self._stop)),
            )
        ]

    def __enter__(self) -> Self:
        self._open.enter_context(serve_vitals(self._settings.telemetry, self.vitals))
        self._workers.pace(self._schedule.pace())
        self._workers.start()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Ends everything; raises what ended one of the threads, whatever the block raised."""
        self.stop()
        self._workers.stop()
        self._schedule.close()
        for thread in self._threads:
            thread.join(timeout=self._settings.redis.timeout_s + 5.0)
        self._open.close()
        with suppress(DeskUnavailableError, OutboxError):  # it stays for the next start
            self._outbox.send(self._desk)
        self._outbox.close()
        self._store.close()
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
        return self._workers.statuses()

    def backlog(self) -> int:
        """Incidents that the desk doesn't know yet."""
        return self._outbox.backlog()

    def skipped(self, purpose: Purpose = "whole") -> int:
        """Looks that a newer one replaced before the detector came to them, or without a slot."""
        return self._schedule.counts(purpose).replaced + self._workers.no_slot().get(purpose, 0)

    def vitals(self) -> Vitals:
        """The numbers of this moment; asked for by one thread at a time."""
        cameras, schedule = self.statuses(), self._schedule
        return Vitals(
            at=self._clock.steady(),
            cameras=cameras,
            detector_warm=True,  # it warms up before there is a daemon
            desk_reachable=self._teller.desk_reachable,
            outbox_writable=self._outbox.on_disk,
            threads=self._pulse.ages(),
            workers=self._workers.states(),
            worker_restarts=self._workers.restarts(),
            looks=self._coverage.totals(),
            key_frames=self._key_frames.total(cameras),
            pictures=self._pictures.total(cameras),
            reconnects=self._reconnects.total(cameras),
            gaps={purpose: schedule.gaps(purpose) for purpose in PURPOSES},
            lateness=schedule.lateness(),
            pace_stretch=schedule.stretch,
            detect=self._judge.times(),
            outbox_backlog=self._outbox.backlog(),
            evidence_trouble=self._store.trouble,
            evidence_left_out=self._filmer.left_out,
            refuted=self.counts.refuted,
            coverage_lost=self._teller.coverage_lost,
            incidents=self.counts.incidents.copy(),
            list_problem=self._list.problem,
            list_applied_at=self._list.applied_at,
            model_problem=self._model.problem,
            build={
                "version": __version__,
                "model": self._detector.card.name,
                "model_version": self._detector.card.version,
                "provider": self._detector.provider,
            },
        )

    def _apply(self, cameras: tuple[Camera, ...]) -> None:
        """Watch another list of cameras from now on."""
        watched = self._choose(cameras)
        self._judge.apply(watched)
        self._workers.apply(watched)
        kept = {camera.camera_id for camera in watched}
        self._schedule.keep(kept)
        self._coverage.keep(kept)

    def _note_dropped(self, camera_id: str, purpose: Purpose, count: int) -> None:
        self._coverage.skipped(camera_id, purpose, "no_slot", self._clock.steady(), count)

    def _guarded(self, work: Callable[[], None]) -> None:
        """A thread that ends by a bug ends the daemon: half a daemon would look healthy."""
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            self._failed = self._failed or error
            self._stop.set()

    def _detect(self) -> None:
        most, fill_s = self._settings.model.batch, self._settings.model.close_after_s
        try:
            while not self._stop.is_set():
                self._pulse.beat("detector")
                looks = self._schedule.take(most, IDLE_S, fill_s=fill_s)
                if looks:
                    self._hand_over(self._judge.detect(looks))
        finally:
            self._hand_over(None)

    def _hand_over(self, found: Found | None) -> None:
        """Wait until the judge is ready for it, unless it never will be."""
        while self._failed is None:
            try:
                self._found.put(found, timeout=IDLE_S)
            except Full:
                self._pulse.beat("detector")
            else:
                return

    def _take_in(self) -> None:
        while self._failed is None:
            self._pulse.beat("judge")
            with suppress(Empty):
                found = self._found.get(timeout=IDLE_S)
                if found is None:
                    return
                self._judge.take_in(found)
            self._judge.tell_open(backlog=self._outbox.backlog())

    def _deliver(self) -> None:
        self._outbox.drain(self._desk, self._stop, retry_s=self._settings.tickets.retry_s)

    def _tell(self) -> None:
        while True:
            self._pulse.beat("teller")
            self._teller.list_problem = self._list.problem
            self._teller.list_digest = self._list.digest
            last = self._clock.sleep(TELL_S, until=self._stop)
            self._teller.round(last=last)
            if last:
                return

    def _archive(self) -> None:
        self._archivist.run(self._stop, self._settings.tickets.archive.every_s)

    def _notify(self) -> None:
        with self._notifier:
            self._notifier.run(self._stop)

    def _use(self, detector: Detector) -> None:
        """Detect with another model from the next batch on."""
        self._judge.use(detector)
        self._detector = detector

    def _film(self) -> None:
        self._filmer.run(self._stop, lambda: self._pulse.beat("filmer"))

    def _keep_evidence(self) -> None:
        self._keeper.run(self._stop)  # no pulse: a bucket far away may take its time

    def _follow_model(self) -> None:
        self._model.run(self._stop)

    def _follow_duties(self) -> None:
        self._duties.run(self._stop)

    def _follow_list(self) -> None:
        self._list.run(self._stop)
