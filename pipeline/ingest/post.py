"""One post: a place for a worker process that is filled again whenever its worker is lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import structlog

from pipeline.errors import WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipeline.clock import Clock
    from pipeline.ingest.pace import Pace
    from pipeline.ingest.suspicion import Suspicion
    from pipeline.ingest.wire import Beat
    from pipeline.ingest.worker_process import WorkerProcess
    from pipeline.town import Camera

Loss = Literal["start", "died", "silent", "memory"]
"""Why a worker was replaced: it couldn't be started, ended by itself, hung, or grew too large."""

PostState = Literal["running", "starting", "stopping", "waiting"]

_WHY_AWAY: dict[Loss, str] = {
    "start": "读取进程无法启动，见日志 / its worker process can't be started, see the log",
    "died": "读取进程意外退出，正在重启 / its worker process ended and is being restarted",
    "silent": "读取进程无响应，正在重启 / its worker process hung and is being restarted",
    "memory": "读取进程正在例行更新 / its worker process is being renewed",
}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a post waits for what, in seconds."""

    start_s: float = 60.0
    """For the first sign of life: a busy machine starts many workers at once."""
    silent_s: float = 10.0
    """For the next one."""
    first_pause_s: float = 0.25
    most_pause_s: float = 60.0
    """Before the next start after a loss: the first, then doubled each time up to the most."""
    healthy_s: float = 30.0
    """Of life after which earlier losses are forgotten."""
    stop_s: float = 5.0
    """For a worker to leave its cameras in order."""
    renew_s: float = 600.0
    """Of life before a worker is renewed for its memory: a ceiling that is too low mustn't cost
    all pictures. One that needs twice as much is lost at once."""


@dataclass(frozen=True, slots=True)
class WorkerState:
    """One post as of now. The figures are those of its worker's newest sign of life, else 0.

    ``state``: ``running``, ``starting`` (no sign of life yet), ``stopping`` (asked to),
    ``waiting`` (for the next start). ``restarts`` counts replacements by their reason since the
    start, ``since_at`` is when the state began (Unix seconds UTC), ``why`` what ended the last
    worker, for a log. ``slots_taken``: pictures that wait or are being looked at.
    """

    number: int
    state: PostState
    since_at: float
    cameras: int
    restarts: Mapping[Loss, int]
    why: str = ""
    pid: int | None = None
    rss_bytes: int = 0
    fds: int = 0
    threads: int = 0
    slots_taken: int = 0


class Post:
    """Keeps a worker running for its cameras. For one thread at a time."""

    def __init__(
        self,
        number: int,
        *,
        patience: Patience,
        memory_bytes: int | None,
        clock: Clock,
        begins: float = 0.0,
        start: Callable[[int], WorkerProcess],
        away: Callable[[Iterable[str], str], None],
    ) -> None:
        """``start`` makes a worker for so many cameras; ``away`` hears which ones have none.

        There is no worker before ``begins`` (monotonic seconds).
        """
        self.number = number
        self.cameras: tuple[Camera, ...] = ()
        self.worker: WorkerProcess | None = None
        self._patience = patience
        self._memory_bytes = memory_bytes
        self._clock = clock
        self._start_worker = start
        self._away = away
        self._pace: Pace | None = None
        self._suspicions: dict[str, Suspicion] = {}  # of the last worker
        self._dying: list[WorkerProcess] = []
        self._excused_at = clock.monotonic()  # silence before doesn't count
        self._losses = 0  # in a row
        self._not_before = begins
        self._stop_by: float | None = None  # the worker has been asked to leave until then
        self._renewing = False
        self._restarts: Counter[Loss] = Counter()
        self._state: PostState = "waiting"
        self._since_at = clock.now()
        self._why = ""

    @property
    def is_renewing(self) -> bool:
        """Whether its worker has gone for memory and the next one doesn't work yet."""
        return self._renewing and bool(self.cameras)

    @property
    def is_empty(self) -> bool:
        """Whether it has no cameras and nothing is left of its workers."""
        return not self.cameras and self.worker is None and not self._dying

    def assign(self, cameras: tuple[Camera, ...]) -> None:
        """These are its cameras from now on."""
        if cameras != self.cameras:
            self.cameras = cameras
            if self.worker is not None and self._stop_by is None:
                self.worker.watch(cameras)

    def pace(self, pace: Pace) -> None:
        """Workers keep this pace, the present one and those after it."""
        mine = {camera.camera_id for camera in self.cameras}
        extra = {key: interval_s for key, interval_s in pace.extra.items() if key in mine}
        pace = replace(pace, extra=extra)
        if pace != self._pace:
            self._pace = pace
            if self.worker is not None:
                self.worker.send(pace)

    def excuse(self) -> None:
        """Silence until now is nobody's fault: this process was held up itself."""
        self._excused_at = self._clock.monotonic()

    def step(self, *, may_renew: bool) -> None:
        """See to the worker; to be called several times a second. Never waits.

        ``may_renew``: no other worker is being renewed.
        """
        self._dying = [worker for worker in self._dying if not worker.buried()]
        now = self._clock.monotonic()
        worker = self.worker
        if worker is None:
            if self.cameras and now >= self._not_before:
                self._start()
        elif self._stop_by is not None:
            if worker.over() or now >= self._stop_by:
                self._let_go(worker)
        elif worker.over():
            self._lose(worker, "died" if worker.last_beat else "start", worker.why())
        elif self._silent_s(worker, now) >= self._silence_limit_s(worker):
            said = "no sign of life" if worker.last_beat is None else "no further sign of life"
            why = f"{said} for {self._silent_s(worker, now):.0f} s"
            self._lose(worker, "silent" if worker.last_beat else "start", why)
        elif not self.cameras:
            self.retire(self._patience.stop_s)
        elif worker.last_beat is not None:
            self._look_over(worker, worker.last_beat, now, may_renew=may_renew)

    def retire(self, within_s: float) -> None:
        """Ask the worker to leave its cameras in order; it is ended if it takes longer."""
        if self.worker is not None and self._stop_by is None:
            self.worker.dismiss(within_s)
            self._stop_by = self._clock.monotonic() + within_s
            self._enter("stopping")

    def kill(self) -> None:
        """End the worker at once."""
        if self.worker is not None:
            self._let_go(self.worker)

    def state(self) -> WorkerState:
        worker = self.worker
        beat = None if worker is None else worker.last_beat
        return WorkerState(
            number=self.number,
            state=self._state,
            since_at=self._since_at,
            cameras=len(self.cameras),
            restarts=dict(self._restarts),
            why=self._why,
            pid=None if worker is None else worker.pid,
            rss_bytes=0 if beat is None else beat.rss_bytes,
            fds=0 if beat is None else beat.fds,
            threads=0 if beat is None else beat.threads,
            slots_taken=0 if worker is None else worker.slots_taken,
        )

    def _silent_s(self, worker: WorkerProcess, now: float) -> float:
        heard_at = worker.began_at if worker.heard_at is None else worker.heard_at
        return now - max(heard_at, self._excused_at)

    def _silence_limit_s(self, worker: WorkerProcess) -> float:
        patience = self._patience
        return patience.start_s if worker.last_beat is None else patience.silent_s

    def _look_over(self, worker: WorkerProcess, beat: Beat, now: float, *, may_renew: bool) -> None:
        age_s = now - worker.began_at
        if self._state != "running":
            self._enter("running")
            self._renewing = False
        if age_s >= self._patience.healthy_s:
            self._losses = 0
        if self._memory_bytes is None or beat.rss_bytes <= self._memory_bytes:
            return
        why = f"it had grown to {beat.rss_bytes >> 20} MiB"
        if beat.rss_bytes > 2 * self._memory_bytes:
            self._lose(worker, "memory", why)
        elif may_renew and age_s >= self._patience.renew_s:
            self._renewing = True
            self._restarts["memory"] += 1
            self._why = why
            _log.warning("worker_renewed", worker=self.number, pid=worker.pid, why=why)
            self._tell_away("memory")
            self.retire(self._patience.stop_s)

    def _start(self) -> None:
        try:
            worker = self._start_worker(len(self.cameras))
        except WorkerError as error:
            self._note_loss("start", str(error), None)
            return
        self.worker = worker
        self._enter("starting")
        worker.watch(self.cameras, self._suspicions)
        if self._pace is not None:
            worker.send(self._pace)

    def _lose(self, worker: WorkerProcess, loss: Loss, why: str) -> None:
        self._note_loss(loss, why, worker.pid)
        self._let_go(worker)

    def _note_loss(self, loss: Loss, why: str, pid: int | None) -> None:
        patience = self._patience
        pause_s = min(patience.most_pause_s, patience.first_pause_s * 2.0 ** min(self._losses, 30))
        self._losses += 1
        self._renewing = False
        self._not_before = self._clock.monotonic() + pause_s
        self._restarts[loss] += 1
        self._why = why
        _log.error("worker_lost", worker=self.number, pid=pid, why=why, again_in_s=pause_s)
        self._tell_away(loss)

    def _let_go(self, worker: WorkerProcess) -> None:
        worker.kill()
        if worker.last_beat is not None:
            self._suspicions = worker.last_beat.suspicions
        self._dying.append(worker)
        self.worker = self._stop_by = None
        self._enter("waiting")

    def _tell_away(self, loss: Loss) -> None:
        self._away([camera.camera_id for camera in self.cameras], _WHY_AWAY[loss])

    def _enter(self, state: PostState) -> None:
        if state != self._state:
            self._state, self._since_at = state, self._clock.now()
