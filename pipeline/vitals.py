"""What the daemon says of itself when somebody asks: numbers alone, filled at that moment.

Metrics and health are made from these (``metrics.py``, ``endpoints.py``); nothing is counted twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.clock import Clock
    from pipeline.ingest import CameraStatus, Purpose, SpreadCounts, WorkerState
    from pipeline.ingest.coverage import Outcome

DETECT_BOUNDS_S = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Bounds for the time of one batch in the detector: from a GPU to two busy cores."""
STUCK_S = 60.0
"""A thread that hasn't come round for so long hangs: no wait of ours is as long."""


class Pulse:
    """Threads say that they come round; safe among threads, costs nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beats: dict[str, float] = {}

    def beat(self, thread: str) -> None:
        """To be called in every round of a thread's loop, idle rounds included."""
        self._beats[thread] = self._clock.monotonic()

    def ages(self) -> dict[str, float]:
        """Seconds since each thread came round; one that never did isn't among them."""
        now_s = self._clock.monotonic()
        return {thread: now_s - beat for thread, beat in self._beats.copy().items()}


class Ever:
    """A sum over cameras that never falls, though cameras go and their counters start anew.

    Counts what the counters gain from one asking to the next; for one thread at a time.
    """

    def __init__(self, counter: Callable[[CameraStatus], int]) -> None:
        self._counter = counter
        self._before: dict[str, int] = {}
        self._sum = 0

    def total(self, cameras: Mapping[str, CameraStatus]) -> int:
        """The sum, with what these cameras counted since it was asked for last."""
        now = {camera_id: self._counter(status) for camera_id, status in cameras.items()}
        for camera_id, count in now.items():
            gained = count - self._before.get(camera_id, 0)
            self._sum += gained if gained >= 0 else count
        self._before = now
        return self._sum


@dataclass(frozen=True, slots=True)
class Vitals:
    """One moment of one daemon. What is a total counts since its start and never falls.

    ``at``: that moment on the scale of the looks (``Clock.steady``). ``looks``: by (purpose,
    outcome), the outcomes being ``done`` and why others were skipped. ``key_frames`` came,
    ``pictures`` were decoded. ``gaps``: by purpose, seconds between two looks at the same thing.
    ``lateness``: seconds looks waited beyond their deadline; ``pace_stretch``: by which factor all
    intervals are lengthened (1: the detector keeps up).
    ``detect``: by size of batch, seconds of a batch. ``worker_restarts``: by why, also of workers
    that are no longer needed. ``incidents``: confirmed ones, by hazard. ``threads``: seconds since
    each thread of the daemon came round. ``refuted``: hazards that a second look took back.
    ``coverage_lost``: minutes of cameras that the ledger could not keep. ``list_problem``: why the
    camera list in the file is not in force; empty: it is. ``model_problem``: the same of the model
    that was chosen. ``evidence_trouble``: what keeps pictures from being kept or carried;
    ``evidence_left_out``: clips and pairs that were not made. ``build``: version, model, provider
    and the like.
    """

    at: float
    cameras: Mapping[str, CameraStatus]
    detector_warm: bool
    desk_reachable: bool
    outbox_writable: bool
    threads: Mapping[str, float]
    workers: Sequence[WorkerState] = ()
    worker_restarts: Mapping[str, int] = field(default_factory=dict)
    looks: Mapping[tuple[Purpose, Outcome], int] = field(default_factory=dict)
    key_frames: int = 0
    pictures: int = 0
    reconnects: int = 0
    gaps: Mapping[str, SpreadCounts] = field(default_factory=dict)
    lateness: SpreadCounts | None = None
    pace_stretch: float = 1.0
    detect: Mapping[int, SpreadCounts] = field(default_factory=dict)
    outbox_backlog: int = 0
    evidence_trouble: str = ""
    evidence_left_out: int = 0
    incidents: Mapping[str, int] = field(default_factory=dict)
    refuted: int = 0
    coverage_lost: int = 0
    list_problem: str = ""
    list_applied_at: float | None = None
    model_problem: str = ""
    build: Mapping[str, str] = field(default_factory=dict)


def stuck(vitals: Vitals) -> dict[str, float]:
    """Threads that hang, and for how many seconds."""
    return {name: age_s for name, age_s in vitals.threads.items() if age_s > STUCK_S}


def readiness(vitals: Vitals) -> dict[str, str]:
    """The parts a daemon needs to do its work; empty: there; else why not, Chinese first."""
    detector = "" if vitals.detector_warm else "模型尚未预热 / the model isn't warmed up yet"
    desk = ""
    if not vitals.desk_reachable and not vitals.outbox_writable:
        desk = (
            "Redis 连不上，本机待发箱也写不进去，请检查 Redis 与磁盘 / "
            "neither Redis nor the outbox on this box takes incidents; check Redis and the disk"
        )
    workers = ""
    watched = any(status.state != "disabled" for status in vitals.cameras.values())
    if watched and not any(worker.state == "running" for worker in vitals.workers):
        workers = (
            "没有取流进程在工作，详见日志 / "
            "no worker process gives a sign of life; the log says why"
        )
    return {"detector": detector, "desk": desk, "workers": workers}
