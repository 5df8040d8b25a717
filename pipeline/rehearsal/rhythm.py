"""What adds up over the samples: rising counts, gaps between looks, states after a fault."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pipeline.rehearsal.watching import Sample, Seen
    from pipeline.tickets.coverage_records import Minute


class Rising:
    """Sums of counters by name, over restarts of what counts: a fall begins anew at zero."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._total: dict[str, float] = {}

    def feed(self, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            last = self._last.get(name, 0.0)
            self._total[name] = self._total.get(name, 0.0) + (
                value - last if value >= last else value
            )
            self._last[name] = value

    def sum(self) -> float:
        return sum(self._total.values())

    def total(self, names: Iterable[str] | None = None) -> int:
        if names is None:
            return round(self.sum())
        return round(sum(self._total.get(name, 0.0) for name in names))


@dataclass(slots=True)
class _Gap:
    last_s: float | None = None
    looks: int = 0
    longest_s: float = 0.0
    sum_s: float = 0.0
    count: int = 0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The longest time between two looks, at which camera, and the mean of all cameras."""

    camera_id: str
    longest_s: float
    mean_s: float


class Gaps:
    """Time between looks, per camera.

    Where several looks lie between two samples, their mean is taken if their number is known, else
    the whole time between the samples.
    """

    def __init__(self, cameras: Collection[str], from_s: float) -> None:
        self._gaps = {camera_id: _Gap() for camera_id in cameras}
        self._from_s = from_s

    def feed(self, sample: Sample) -> None:
        for camera_id, gap in self._gaps.items():
            seen = sample.cameras.get(camera_id)
            if seen is None or seen.last_look_s is None:
                continue
            if gap.last_s is not None and seen.last_look_s > gap.last_s >= self._from_s:
                passed_s = seen.last_look_s - gap.last_s
                count = 1 if seen.fresh else max(1, seen.looks - gap.looks)
                gap.longest_s = max(gap.longest_s, passed_s / count)
                gap.sum_s += passed_s
                gap.count += count
            if gap.last_s is None or seen.last_look_s > gap.last_s:
                gap.last_s, gap.looks = seen.last_look_s, seen.looks

    def rhythm(self, to_s: float) -> Rhythm | None:
        """Up to ``to_s``, gaps that have not ended included; None where no look was seen."""
        count = sum(gap.count for gap in self._gaps.values())
        if not count:
            return None
        longest = {}
        for camera_id, gap in self._gaps.items():
            since_s = self._from_s if gap.last_s is None else max(gap.last_s, self._from_s)
            longest[camera_id] = max(gap.longest_s, to_s - since_s)
        worst = max(longest, key=longest.__getitem__)
        mean_s = sum(gap.sum_s for gap in self._gaps.values()) / count
        return Rhythm(worst, longest[worst], mean_s)


def rhythm_of(looked: Mapping[str, Sequence[Minute]], minutes: int) -> Rhythm | None:
    """The rhythm of so many whole minutes as the coverage ledger knows them, by camera_id.

    None where it knows of no look at all. A camera that was never looked at has the whole time for
    a gap.
    """
    done, longest = 0, {}
    for camera_id, known in looked.items():
        whole = [minute.looks["whole"] for minute in known]
        done += sum(one.done for one in whole)
        gap_s = max((one.longest_gap_s for one in whole), default=0.0)
        longest[camera_id] = gap_s if any(one.done for one in whole) else 60.0 * minutes
    if not done:
        return None
    worst = max(longest, key=longest.__getitem__)
    return Rhythm(worst, longest[worst], 60.0 * minutes * len(longest) / done)


@dataclass(slots=True)
class Episode:
    """One fault of one group: what its cameras were called while it lasted, and afterwards.

    Times in seconds from the start; ``ended_s`` None while it lasts. ``right_s`` and ``back_s``:
    how long each camera took to be called by a right state, and to be live again.
    """

    group: str
    way: str
    wanted: tuple[str, ...]
    cameras: tuple[str, ...]
    began_s: float
    ended_s: float | None = None
    right_s: dict[str, float] = field(default_factory=dict)
    back_s: dict[str, float] = field(default_factory=dict)
    called: dict[str, str] = field(default_factory=dict)
    """What each camera was called last while the fault lasted."""

    def feed(self, sample: Sample) -> None:
        for camera_id in self.cameras:
            if seen := sample.cameras.get(camera_id):
                self._feed_one(camera_id, seen)

    def _feed_one(self, camera_id: str, seen: Seen) -> None:
        # By when a state began, not by when it was read: Redis may have been away meanwhile.
        lasting = self.ended_s is None or seen.since_s < self.ended_s
        if self.ended_s is None:
            self.called[camera_id] = seen.state
        if lasting and seen.state in self.wanted and camera_id not in self.right_s:
            self.right_s[camera_id] = max(0.0, seen.since_s - self.began_s)
        if self.ended_s is None or seen.state != "live" or camera_id in self.back_s:
            return
        if seen.last_look_s is not None and seen.last_look_s > self.ended_s:
            self.back_s[camera_id] = max(0.0, seen.since_s - self.ended_s)
