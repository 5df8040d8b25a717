"""Everything a rehearsal has seen, as far as the verdict needs it: a few numbers a sample."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.rehearsal.rhythm import Episode, Gaps, Rhythm, Rising

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.rehearsal.cast import Cast
    from pipeline.rehearsal.scenario import Scenario
    from pipeline.rehearsal.watching import Metrics, Sample, Seen
    from pipeline.tickets import Ticket


@dataclass(frozen=True, slots=True)
class Point:
    """One sample in numbers, for curves: memory and shared memory in bytes, CPU in seconds."""

    at_s: float
    live: int
    looks: int
    keys: int
    memory: int
    shared: int
    cpu_s: float
    fds: int
    threads: int
    workers: int


@dataclass(slots=True)
class Ending:
    """What was found when everything had been stopped.

    ``rhythm``: of the looks at cameras that nothing was planned against, after the warm-up.
    ``sent``: what the city had served shortly before; ``seen``: what the daemon told of each camera
    at last. ``stop_s`` None: it had to be killed. ``left``: processes and names in shared memory
    that are still there.
    """

    tickets: Sequence[Ticket] = ()
    rhythm: Rhythm | None = None
    sent: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    seen: Mapping[str, Seen] = field(default_factory=dict)
    backlog: int | None = None
    refused: int = 0
    stop_s: float | None = None
    left: Sequence[str] = ()


class Record:
    """``steady`` are the cameras that nothing is planned against."""

    def __init__(self, scenario: Scenario, cast: Cast) -> None:
        self.scenario = scenario
        self.cast = cast
        faulty = {group.name for group in scenario.groups if group.faults}
        self.steady = frozenset(
            camera_id for camera_id, member in cast.members.items() if member.group not in faulty
        )
        self.points: list[Point] = []
        self.episodes: list[Episode] = []
        self.first_live_s: dict[str, float] = {}
        self.gaps = Gaps(self.steady, scenario.limits.warm_up_s)
        self.keys = Rising()
        self.sessions: Mapping[str, int] = {}
        self.metrics: Metrics = {}
        self.states: Mapping[str, str] = {}
        self.late_s = 0.0
        self.kills: dict[str, int] = {}
        self.notes: list[str] = []
        """What should not have happened: programs that ended, steps that failed."""
        self.history: list[str] = []
        """What was done to the town, and when."""
        self.doing = ""
        """What goes on before the first sample."""
        self.left_out: list[str] = []
        """What was planned but didn't fit into the time."""
        self.ended_s = 0.0
        self.ending = Ending()
        self._cpu = Rising()
        self._looks = Rising()
        self._seen_keys = Rising()

    def feed(self, sample: Sample) -> None:
        for camera_id, seen in sample.cameras.items():
            if seen.state == "live":
                self.first_live_s.setdefault(camera_id, max(0.0, seen.since_s))
        if sample.cameras:
            self.states = {camera_id: seen.state for camera_id, seen in sample.cameras.items()}
        self.gaps.feed(sample)
        for episode in self.episodes:
            episode.feed(sample)
        self.keys.feed({camera_id: one["keys"] for camera_id, one in sample.served.items()})
        self.sessions = {camera_id: one["sessions"] for camera_id, one in sample.served.items()}
        self.late_s = max(self.late_s, sample.late_s)
        self.metrics = sample.metrics or self.metrics
        keys = sample.metrics.get(("key_frames_total", ()))
        self._seen_keys.feed({} if keys is None else {"": keys})
        self._cpu.feed({str(use.pid): use.cpu_s for use in sample.uses})
        self._looks.feed(sample.looks)
        self.ended_s = sample.at_s
        self.points.append(
            Point(
                at_s=sample.at_s,
                live=sample.live,
                looks=self._looks.total(["metrics"]) or self._looks.total(["board"]),
                keys=self.keys.total(),
                memory=sample.memory,
                shared=sum(use.shared for use in sample.uses),
                cpu_s=self._cpu.sum(),
                fds=sum(use.fds for use in sample.uses),
                threads=sum(use.threads for use in sample.uses),
                workers=sum(use.role == "worker" for use in sample.uses),
            )
        )

    def settled(self) -> list[Point]:
        """The points after the warm-up at which the daemon ran."""
        from_s = self.scenario.limits.warm_up_s
        return [point for point in self.points if point.at_s >= from_s and point.memory]

    def seen_keys(self) -> int:
        """Key frames that ingest has seen, as the metrics say; 0 where they don't."""
        return self._seen_keys.total()
