"""The coverage ledger: who was looked at when, kept in Redis for some days.

One string per camera and day, to which boxes append what they counted. Several boxes may watch one
camera: their counts of a minute add up.
"""

from __future__ import annotations

import uuid
from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from redis.client import NEVER_DECODE

from pipeline.ingest.coverage import DONE, LONGEST_GAP, NEWEST
from pipeline.tickets.coverage_records import minutes_of, packed, unpacked
from pipeline.tickets.keys import Keys
from pipeline.tickets.redis_errors import mapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from redis import Redis

    from pipeline.clock import Clock
    from pipeline.ingest.coverage import Reason, Rows
    from pipeline.tickets.coverage_records import Minute, Records

WAITS_S = 3600.0
"""What can't be written waits in memory for so long; then the oldest goes, and is counted."""
HOUR_S = 3600.0
DAY_S = 86400
BATCH = 200
"""Cameras in one exchange: a script holds Redis up for as long as it runs."""
SILENT_S = 180.0
"""A ledger that nobody has written to for so long says that nobody looks."""
_ROUNDED_S = 0.2  # times and gaps are known to a tenth
LEAST_GAP_S = 60.0
"""Shorter gaps have no place within their minute."""

_T = TypeVar("_T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Gap:
    """Nobody looked at the whole picture between these times (Unix seconds UTC), and why not.

    ``skipped`` are the reasons of all minutes that the gap touches; none if no box watched.
    """

    from_at: float
    to_at: float
    skipped: Mapping[Reason, int]


@dataclass(frozen=True, slots=True)
class Recent:
    """Whole looks at a camera in the last hour, for lists.

    ``newest_at`` may be older; None if no look is known of today. ``longest_gap_s`` includes the
    gap that has not ended, as of the last time that a box wrote; None if no look is known.
    """

    newest_at: float | None
    looks: int
    longest_gap_s: float | None


@dataclass(frozen=True, slots=True)
class _Batch:
    since_s: float  # monotonic
    minutes: int  # of cameras
    arguments: tuple[str | bytes, ...]


class CoverageLedger:
    """Writes what a box counted, reads what all boxes did. A ledger object that writes is a box.

    One thread writes. Raises DeskUnavailableError as the desk does.
    """

    def __init__(
        self, redis: Redis, *, clock: Clock, prefix: str = "gridwatch", keep_days: int = 7
    ) -> None:
        script = files("pipeline.tickets") / "lua" / "coverage.lua"
        self._redis: Any = redis  # redis-py types every answer as one that may be awaited
        self._add: Any = redis.register_script(script.read_text("utf-8"))
        self._clock = clock
        self._keys = Keys(prefix)
        self._keep_days = keep_days
        self._box = uuid.uuid4().hex
        self._number = 0
        self._batches: deque[_Batch] = deque()
        self.lost = 0
        """Minutes of cameras that could not be written within an hour."""

    @property
    def waiting(self) -> int:
        """Minutes of cameras that wait for Redis."""
        return sum(batch.minutes for batch in self._batches)

    def write(self, rows: Rows) -> None:
        """Take these rows and write all that waits; once a minute, and at the end.

        While Redis is away they wait, and the next call tries again; nothing is added twice.
        """
        self._batches.extend(self._batched(rows))
        self._forget_old()
        while self._batches:
            with mapped("writing who was looked at"):
                self._add(keys=[self._keys.root], args=self._batches[0].arguments)
            self._batches.popleft()

    def of(self, camera_id: str, from_at: float, to_at: float) -> list[Minute]:
        """The minutes from that of ``from_at`` up to ``to_at`` of which anything is known."""
        (days,) = self._read([camera_id], from_at, to_at)
        return list(minutes_of(days, from_at, to_at))

    def gaps(
        self, camera_id: str, from_at: float, to_at: float, *, longer_than_s: float = 120.0
    ) -> list[Gap]:
        """When nobody looked for longer than this (at least a minute), oldest first."""
        minutes, until = self.of(camera_id, from_at, to_at), min(to_at, self._until())
        return [
            Gap(start, end, _skipped_between(minutes, start, end))
            for start, end in _unseen(minutes, from_at, until)
            if end - start > max(longer_than_s, LEAST_GAP_S)
        ]

    def recent(self, camera_ids: Iterable[str]) -> dict[str, Recent]:
        """The last hour of each of these cameras."""
        now, until = self._clock.now(), self._until()
        found: dict[str, Recent] = {}
        for some in _in_batches(list(camera_ids)):
            read = self._read(some, now - HOUR_S, now)
            for camera_id, days in zip(some, read, strict=True):
                found[camera_id] = _recent(days, now - HOUR_S, until)
        return found

    def counted(
        self, camera_ids: Iterable[str], from_at: float, to_at: float
    ) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64]]]:
        """Of each camera the minutes of these days, and their rows, as ``unpacked`` gives them."""
        for some in _in_batches(list(camera_ids)):
            for camera_id, days in zip(some, self._read(some, from_at, to_at), strict=True):
                yield camera_id, *unpacked(days)

    def forgets(self, at: float) -> bool:
        """Whether what was looked at then is no longer kept."""
        return self._clock.now() >= (at // DAY_S + 1 + self._keep_days) * DAY_S

    def until(self) -> float:
        """Up to when there is a record of all that was looked at (Unix seconds)."""
        return self._until()

    def _until(self) -> float:
        """Up to when all there is has been written."""
        now = self._clock.now()
        with mapped("reading who was looked at"):
            as_of = self._redis.get(self._keys.coverage_as_of)
        return now if as_of is None or now - float(as_of) > SILENT_S else float(as_of)

    def _read(self, camera_ids: Sequence[str], from_at: float, to_at: float) -> list[Records]:
        days = range(int(from_at // DAY_S), int(to_at // DAY_S) + 1)
        with mapped("reading who was looked at"):
            pipe = self._redis.pipeline(transaction=False)
            for camera_id in camera_ids:
                for day in days:
                    key = self._keys.coverage(_date(day), camera_id)
                    pipe.execute_command("GET", key, **{NEVER_DECODE: True})
            answers = iter(pipe.execute())
        return [[(day, next(answers) or b"") for day in days] for _ in camera_ids]

    def _batched(self, rows: Rows) -> Iterator[_Batch]:
        as_of, now_s = repr(self._clock.steady()), self._clock.monotonic()
        for some in _in_batches(sorted(packed(rows).items())):
            self._number += 1
            arguments: list[str | bytes] = [self._box, str(self._number), as_of]
            for (camera_id, day), one in some:
                expires_at = (day + 1 + self._keep_days) * DAY_S
                arguments += [f"{_date(day)}:{camera_id}", str(expires_at), bytes(one.records)]
            yield _Batch(now_s, sum(one.minutes for _, one in some), tuple(arguments))

    def _forget_old(self) -> None:
        before, oldest_s = self.lost, self._clock.monotonic() - WAITS_S
        while self._batches and self._batches[0].since_s < oldest_s:
            self.lost += self._batches.popleft().minutes
        if self.lost > before:
            log.warning("coverage_lost", camera_minutes=self.lost - before, in_all=self.lost)


def _recent(days: Records, from_at: float, until: float) -> Recent:
    minutes, rows = unpacked(days)
    looked = rows[:, DONE] > 0
    minutes, rows = minutes[looked], rows[looked]
    if not len(minutes):
        return Recent(None, 0, None)
    newest_at = float(minutes[-1] * 60 + rows[-1, NEWEST] / 10)
    lately = rows[minutes >= from_at // 60]
    longest_s = float(lately[:, LONGEST_GAP].max(initial=0)) / 10
    return Recent(newest_at, int(lately[:, DONE].sum()), max(longest_s, until - newest_at))


def _unseen(
    minutes: Iterable[Minute], from_at: float, to_at: float
) -> Iterator[tuple[float, float]]:
    """Times between looks that lie in different minutes.

    After an outage only the minute is known in which looks began again, unless the box that looks
    had looked before: then it has counted how long the gap was.
    """
    seen_at, exact = from_at, False
    for minute in minutes:
        whole = minute.looks["whole"]
        if whole.newest_at is None:
            continue
        ended_at = seen_at + whole.longest_gap_s
        known = exact and abs(ended_at - minute.at - 30.0) <= 30.0 + _ROUNDED_S
        yield seen_at, ended_at if known else minute.at
        seen_at, exact = whole.newest_at, True
    yield seen_at, to_at


def _skipped_between(minutes: Iterable[Minute], from_at: float, to_at: float) -> dict[Reason, int]:
    skipped: Counter[Reason] = Counter()
    for minute in minutes:
        if minute.at + 60 > from_at and minute.at < to_at:
            skipped.update(minute.looks["whole"].skipped)
    return dict(skipped)


def _date(day: int) -> str:
    return format(datetime.fromtimestamp(day * DAY_S, UTC), "%Y%m%d")


def _in_batches(everything: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(everything), BATCH):
        yield everything[start : start + BATCH]
