"""What a rehearsal sees of the town while it runs: one sample every second or two.

All sources stand here and nowhere else: the camera board and the coverage ledger in Redis (read
past the fault proxy), the daemon's metrics, what the kernel says of its processes, what the city
has served. A source that can't be read leaves its part of a sample empty; only a program that has
ended is an error.
"""

from __future__ import annotations

import urllib.request
from collections import defaultdict
from dataclasses import dataclass, field
from math import ceil, floor
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from pipeline.errors import DeskError
from pipeline.rehearsal.processes import Use, uses
from pipeline.rehearsal.rhythm import rhythm_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pipeline.clock import Clock
    from pipeline.rehearsal.rhythm import Rhythm
    from pipeline.rehearsal.serve import CityProcess
    from pipeline.tickets import OpenDesk
    from pipeline.tickets.coverage import CoverageLedger

_SCRAPE_S = 2.0
_PREFIX = "gridwatch_"
_AGE = "gridwatch_camera_last_look_age_seconds"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the daemon says of a camera; times in seconds from the start of the rehearsal.

    ``fresh``: ``last_look_s`` comes from the metrics and is newer than ``looks``.
    """

    state: str
    since_s: float
    why: str
    last_look_s: float | None
    looks: int
    fresh: bool = False


Metrics = dict[tuple[str, tuple[str, ...]], float]
"""By name without ``gridwatch_`` and values of the labels in the order of their names; what is kept
per camera is left out."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One moment. ``at_s`` from the start; ``late_s``: how late the city was at most so far."""

    at_s: float
    cameras: Mapping[str, Seen] = field(default_factory=dict)
    served: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    late_s: float = 0.0
    uses: Sequence[Use] = ()
    metrics: Metrics = field(default_factory=dict)

    @property
    def live(self) -> int:
        return sum(one.state == "live" for one in self.cameras.values())

    @property
    def memory(self) -> int:
        """Bytes of all processes of the daemon."""
        return sum(use.memory for use in self.uses)

    @property
    def looks(self) -> dict[str, float]:
        """Whole looks by who says so: the metrics (done) or the board (handed to the detector).

        Not told while the daemon can't be asked.
        """
        done = self.metrics.get(("looks_total", ("done", "whole")))
        if done is not None:
            return {"metrics": done}
        handed = sum(one.looks for one in self.cameras.values())
        return {"board": handed} if self.cameras else {}


class Watcher:
    """Takes samples. ``began`` and ``began_at`` are the start in monotonic and Unix seconds."""

    def __init__(
        self,
        opened: OpenDesk,
        ledger: CoverageLedger,
        city: CityProcess,
        pid: Callable[[], int],
        *,
        clock: Clock,
        port: int | None,
    ) -> None:
        self._opened = opened
        self._ledger = ledger
        self._city = city
        self._pid = pid
        self._clock = clock
        self._url = None if port is None else f"http://127.0.0.1:{port}/metrics"
        self.began_s = clock.monotonic()
        self._began_at = clock.now()

    def now_s(self) -> float:
        """Seconds from the start."""
        return self._clock.monotonic() - self.began_s

    def sample(self) -> Sample:
        """Raises RehearsalError when the city has ended."""
        cameras = self.cameras()
        metrics, ages, at_s = self._scrape()
        for camera_id, age_s in ages.items():
            if seen := cameras.get(camera_id):
                cameras[camera_id] = _looked(seen, at_s - age_s)
        served, late_s = self._city.served()
        return Sample(self.now_s(), cameras, served, late_s, uses(self._pid()), metrics)

    def cameras(self) -> dict[str, Seen]:
        """The camera board; empty when Redis can't be asked."""
        try:
            told = self._opened.board.read()
        except DeskError:
            return {}
        return {
            camera_id: Seen(
                state=one.status.state,
                since_s=one.status.since_at - self._began_at,
                why=one.status.why,
                last_look_s=_minus(one.status.last_look_at, self._began_at),
                looks=one.status.looks,
            )
            for camera_id, one in told.items()
        }

    def rhythm(self, cameras: Iterable[str], from_s: float, to_s: float) -> Rhythm | None:
        """Of the whole minutes between these times, as the coverage ledger knows them.

        None where it knows nothing, or where there is no whole minute. Raises DeskUnavailableError.
        """
        first = ceil((self._began_at + from_s) / 60.0)
        minutes = floor((self._began_at + to_s) / 60.0) - first
        if minutes < 1:
            return None
        from_at, to_at = 60.0 * first, 60.0 * (first + minutes) - 1.0
        looked = {camera_id: self._ledger.of(camera_id, from_at, to_at) for camera_id in cameras}
        return rhythm_of(looked, minutes)

    def _scrape(self) -> tuple[Metrics, dict[str, float], float]:
        """The daemon's metrics, the ages of the cameras' looks, and when; empty if not there."""
        found: Metrics = defaultdict(float)
        ages: dict[str, float] = {}
        if self._url is None:
            return {}, ages, self.now_s()
        try:
            with urllib.request.urlopen(self._url, timeout=_SCRAPE_S) as answer:  # noqa: S310 - ours
                text = answer.read().decode()
        except OSError:
            return {}, ages, self.now_s()
        at_s = self.now_s()
        for family in text_string_to_metric_families(text):
            for one in family.samples:
                if one.name == _AGE:
                    ages[one.labels["camera_id"]] = one.value
                elif one.name.startswith(_PREFIX):
                    labels = tuple(one.labels[name] for name in sorted(one.labels))
                    found[one.name.removeprefix(_PREFIX), labels] += one.value
        return dict(found), ages, at_s


def _looked(seen: Seen, at_s: float) -> Seen:
    """With what the metrics say, which is newer than the board's row."""
    newest = at_s if seen.last_look_s is None else max(at_s, seen.last_look_s)
    return Seen(seen.state, seen.since_s, seen.why, newest, seen.looks, fresh=True)


def _minus(at: float | None, began_at: float) -> float | None:
    return None if at is None else at - began_at
