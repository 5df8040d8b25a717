"""All cameras of one box, read by worker processes of a few hundred threads each.

A camera that brings down its decoder brings down a worker, and with it some others for seconds;
never this process, and none of what it holds. A supervisor thread sees to the workers from outside:
it replaces those that died, hang, or grew too large.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Self

import structlog

from pipeline.ingest.assignment import SLACK, assigned
from pipeline.ingest.evidence import FileMoment, picture_of
from pipeline.ingest.pace import Pace
from pipeline.ingest.post import Patience, Post
from pipeline.ingest.status_book import StatusBook
from pipeline.ingest.streams import path_of
from pipeline.ingest.worker_process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.clock import Clock
    from pipeline.ingest.evidence import Kept
    from pipeline.ingest.look import Look, Purpose
    from pipeline.ingest.post import WorkerState
    from pipeline.ingest.state import CameraStatus
    from pipeline.ingest.wire import Beat
    from pipeline.settings import IngestSettings
    from pipeline.town import Camera

    Deliver = Callable[[Look, Callable[[], None]], None]

TICK_S = 0.1
BEGIN_EACH_S = 0.03
"""Workers that begin together start so much later for each camera of those before them: a machine
that opens a thousand cameras at once makes them all wait beyond their time."""
_FETCH_S = 3.0
"""For an answer about a kept picture; who asks has other cameras to see to."""
_SLOTS_PER_CAMERA = 2
_SLOTS_BESIDE = 96
_HELD_UP_S = 2.0
"""A supervisor that is this late was held up, and so was whoever hears the workers."""

_log = structlog.get_logger(__name__)


class Workers:
    """Reads cameras in worker processes and hands every look to ``deliver``; a context manager.

    ``deliver(look, release)`` must never block. The look's picture lies in shared memory until
    ``release`` is called, once it isn't needed any more (to call it again does nothing); while too
    many are kept, new ones are dropped and counted. ``size`` is the model's (width, height).
    ``dropped(camera_id, purpose, n)`` hears of looks for which no slot was free. ``views`` is the
    folder that keeps what cameras see over a restart (see Ingest).
    """

    def __init__(
        self,
        cameras: Iterable[Camera],
        settings: IngestSettings,
        *,
        size: tuple[int, int],
        clock: Clock,
        deliver: Deliver,
        dropped: Callable[[str, Purpose, int], None] = lambda _camera_id, _purpose, _n: None,
        views: Path | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._settings = settings
        self._size = size
        self._clock = clock
        self._deliver_look = deliver
        self._dropped = dropped
        self._views = views
        self._patience = patience or Patience(silent_s=settings.workers.silent_after_s)
        self._book = StatusBook(clock)
        self._lock = threading.Lock()  # of posts
        self._posts: dict[int, Post] = {}
        self._cameras: dict[str, Camera] = {}
        self._home: dict[str, Post] = {}  # of each camera; never changed, only replaced
        self._pace = Pace()
        self._no_slot: Counter[Purpose] = Counter()
        self._lost_before: Counter[str] = Counter()  # restarts at posts that are gone
        self._stopping = threading.Event()
        self._stop_within_s = 0.0
        self._supervisor = threading.Thread(
            target=self._supervise, name="worker supervisor", daemon=True
        )
        self.apply(cameras)

    def start(self) -> None:
        """Start all workers; returns at once, whatever state the cameras are in."""
        self._supervisor.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End all workers, by force after ``timeout_s``; no look is delivered afterwards."""
        if self._stopping.is_set():
            return
        self._stop_within_s = timeout_s
        self._stopping.set()
        if self._supervisor.ident is not None:
            self._supervisor.join()

    def apply(self, cameras: Iterable[Camera]) -> None:
        """Watch these cameras from now on, and no others; never waits for a camera or worker.

        Those that are read as before keep their connection, unless their host has to move to
        another worker.
        """
        listed = tuple(cameras)
        with self._lock:
            if self._stopping.is_set():
                return
            before = {number: post.cameras for number, post in self._posts.items()}
            shares = assigned(
                listed,
                self._settings.workers.cameras_at_most,
                before,
                named=self._settings.hosts,
            )
            begins = self._clock.monotonic()
            for number in sorted(shares.keys() - self._posts.keys()):
                self._posts[number] = self._post(number, begins)
                begins += len(shares[number]) * BEGIN_EACH_S
            self._book.list(listed)
            for number, post in self._posts.items():
                post.assign(shares.get(number, ()))
                post.pace(self._pace)
            self._cameras = {camera.camera_id: camera for camera in listed}
            self._home = {
                camera.camera_id: self._posts[number]
                for number, share in shares.items()
                for camera in share
            }

    def pace(self, pace: Pace) -> None:
        """Look as often as this says, until another one comes; never waits."""
        if self._stopping.is_set():
            return
        with self._lock:
            self._pace = pace
            for post in self._posts.values():
                post.pace(pace)

    def statuses(self) -> dict[str, CameraStatus]:
        """What every camera is doing now, by camera_id, in the order of the list."""
        return self._book.statuses()

    def states(self) -> list[WorkerState]:
        """How the workers are, by their number."""
        with self._lock:
            return [post.state() for _, post in sorted(self._posts.items())]

    def restarts(self) -> dict[str, int]:
        """How often workers were replaced since the start, by reason."""
        with self._lock:
            total = self._lost_before.copy()
            for post in self._posts.values():
                total.update(post.state().restarts)
            return dict(total)

    def no_slot(self) -> dict[Purpose, int]:
        """How many looks found no free slot since the start."""
        return dict(self._no_slot)

    def full_picture(self, camera_id: str, captured_at: float) -> NDArray[np.uint8] | None:
        """The picture of the look captured then at native resolution: uint8 BGR (H, W, 3).

        Decoded here from what the camera's worker keeps compressed; when that moment isn't kept,
        the nearest earlier one. None when everything kept is later, for an unknown camera, and
        while its worker is away or hangs. May be called from any thread; waits 3 s at most.
        """
        kept = self.kept_at(camera_id, captured_at)
        return None if kept is None else picture_of(kept)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def kept_at(self, camera_id: str, captured_at: float) -> Kept | None:
        """What ``full_picture`` makes that picture of, still compressed; likewise."""
        post, camera = self._home.get(camera_id), self._cameras.get(camera_id)
        worker = None if post is None else post.worker
        if worker is None or camera is None:
            return None
        kept = worker.fetch(camera_id, captured_at, _FETCH_S)
        if isinstance(kept, FileMoment) and kept.path != path_of(camera.url):
            return None  # a worker doesn't choose which file is opened here
        return kept

    def _post(self, number: int, begins: float) -> Post:
        memory_mb = self._settings.workers.memory_mb
        return Post(
            number,
            patience=self._patience,
            memory_bytes=None if memory_mb is None else memory_mb << 20,
            clock=self._clock,
            begins=begins,
            start=self._start_worker,
            away=self._book.away,
        )

    def _start_worker(self, cameras: int) -> WorkerProcess:
        # More may come while it runs.
        most = max(cameras, self._settings.workers.cameras_at_most) * SLACK
        return WorkerProcess(
            self._settings,
            size=self._size,
            slots=int(most * _SLOTS_PER_CAMERA) + _SLOTS_BESIDE,
            views=self._views,
            clock=self._clock,
            deliver=self._deliver,
            beat=self._beat,
        )

    def _deliver(self, look: Look, release: Callable[[], None]) -> None:
        if self._stopping.is_set():
            release()
        else:
            self._deliver_look(look, release)

    def _beat(self, beat: Beat) -> None:
        self._book.told(beat.statuses)
        for camera_id, purpose, n in beat.no_slot:
            self._no_slot[purpose] += n
            self._dropped(camera_id, purpose, n)

    def _supervise(self) -> None:
        # Workers are started by this thread alone: the kernel ends them with it.
        ticked_at = self._clock.monotonic()
        while not self._clock.sleep(TICK_S, until=self._stopping):
            now = self._clock.monotonic()
            with self._lock:
                if now - ticked_at > _HELD_UP_S:
                    for post in self._posts.values():
                        post.excuse()
                self._step()
            ticked_at = self._clock.monotonic()
        self._end()

    def _step(self) -> None:
        for number, post in list(self._posts.items()):
            others = [other for other in self._posts.values() if other is not post]
            try:
                post.step(may_renew=not any(other.is_renewing for other in others))
            except Exception:  # noqa: BLE001 - it is in the log, and the other posts are seen to
                _log.exception("supervisor_failed", worker=number)
            if post.is_empty:
                self._lost_before.update(post.state().restarts)
                del self._posts[number]

    def _end(self) -> None:
        with self._lock:
            deadline = self._clock.monotonic() + self._stop_within_s
            for post in self._posts.values():
                post.assign(())
                post.retire(self._stop_within_s)
            while self._posts and self._clock.monotonic() < deadline + _HELD_UP_S:
                if self._clock.monotonic() >= deadline:
                    for post in self._posts.values():
                        post.kill()
                self._step()
                self._clock.sleep(TICK_S / 2)
            if self._posts:
                _log.error("workers_remain", workers=sorted(self._posts))
