"""What a filing costs at the desk, beside a bare XADD, and how that grows with what is there.

A private Redis that syncs every write to the disk, as it runs on a box, and the shipped town.
Filings and bare writes take turns, so that a busy moment of the machine falls on both.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.bench.desk_clients import file_side_by_side
from pipeline.bench.desk_material import (
    BENCH,
    Findings,
    Later,
    Times,
    fill,
    questions,
    yulong,
)
from pipeline.bench.figure import Figure
from pipeline.settings import RedisSettings
from pipeline.tickets import Archive, Archivist, Desk, Query, open_redis
from pipeline.tickets.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis import Redis

    from pipeline.clock import Clock

RATE_TARGET = 1000.0
P99_TARGET_MS = 10.0
GROWTH_TARGET = 2.0
SEARCH_TARGET_MS = 200.0
LEFT_TARGET_BYTES = 128.0
"""A ticket that was archived may leave this much behind in Redis: counters, slack of the heap."""

_TURN = 100  # filings, then as many bare writes
_ENTRY_BYTES = 1200  # about what an entry of a queue has
_WARM_UP = 20  # tickets before them: queues, counters and scripts that stay are made once
_CYCLED = 400  # tickets that live their whole life to see what is left of them
_ASKED = 25  # questions of each kind
_LATER_S = 30 * 86400.0
_WALK = ("accept", "feed_back", "close")


class Progress(Protocol):
    def __call__(self, what: str, done: int, total: int) -> None: ...


def bench_desk(
    *,
    filings: int,
    clients: int,
    opened: int,
    archived: int,
    clock: Clock,
    tell: Progress,
) -> list[Figure]:
    """Figures of ``filings`` filings with few tickets open, and with ``opened``.

    ``clients`` processes file side by side; the archive holds ``archived`` tickets when it is
    searched. Raises DeskUnavailableError where there is no Redis.
    """
    with (
        tempfile.TemporaryDirectory(prefix="gridwatch-bench-") as name,
        open_redis(RedisSettings(), Path(name)) as redis,
        closing(Archive(None, Path(name) / "archive.sqlite", BENCH)) as archive,
    ):
        bench = _Bench(redis, archive, clock, tell, Findings(clock.now()))
        few = bench.serial(filings)
        side_by_side = file_side_by_side(redis, clients, filings, bench.findings, tell)
        grown = bench.open(opened)
        many = bench.serial(filings)
        left = bench.whole_lives(min(_CYCLED, filings))
        fill(archive, bench.a_life(), archived, tell)
        searches = bench.search()
        return [
            *_filing_figures(few),
            *_client_figures(clients, *side_by_side),
            *_growth_figures(opened, few, many, grown, left),
            *_search_figures(archived, searches),
        ]


class _Bench:
    def __init__(
        self, redis: Redis, archive: Archive, clock: Clock, tell: Progress, findings: Findings
    ) -> None:
        self.findings = findings
        self._redis: Any = redis
        self._archive = archive
        self._clock = clock
        self._tell = tell
        self._desk = Desk(redis, yulong(), clock=clock, prefix=BENCH, archive=archive)
        later = Later(clock, _LATER_S)
        self._archivist = Archivist(redis, Keys(BENCH), archive, clock=later, quiet_s=_LATER_S / 2)

    def serial(self, count: int) -> Times:
        filings: list[float] = []
        bare: list[float] = []
        payload = "x" * _ENTRY_BYTES
        self._redis.config_resetstat()
        while len(filings) < count:
            self._tell("立案 / filing", len(filings), count)
            some = self.findings.take(min(_TURN, count - len(filings)))
            filings += [self._timed(partial(self._desk.file, one)) for one in some]
            bare += [
                self._timed(lambda: self._redis.xadd(f"{{{BENCH}}}:bare", {"json": payload}))
                for _ in some
            ]
        self._redis.delete(f"{{{BENCH}}}:bare")
        stats = self._redis.info("commandstats")["cmdstat_evalsha"]
        return Times(filings, bare, float(stats["usec_per_call"]))

    def open(self, count: int) -> float:
        """Have so many more tickets open; returns bytes of Redis for each."""
        before = self._used()
        self._redis.config_set("appendfsync", "no")  # this is not what is measured
        for done in range(0, count, _TURN):
            self._tell("预置未结案卷 / opening tickets", done, count)
            for one in self.findings.take(min(_TURN, count - done)):
                self._desk.file(one)
        self._redis.config_set("appendfsync", "always")
        return (self._used() - before) / max(1, count)

    def whole_lives(self, count: int) -> float:
        """File, close and archive some; returns the bytes that each leaves in Redis."""
        self._redis.config_set("appendfsync", "no")
        self._live(_WARM_UP)
        before = self._used()
        self._live(count)
        self._redis.config_set("appendfsync", "always")
        return (self._used() - before) / count

    def _live(self, count: int) -> None:
        for done, one in enumerate(self.findings.take(count)):
            self._tell("办结归档 / closing, archiving", done, count)
            ticket_id = self._desk.file(one).ticket_id
            for action in ("dispatch", *_WALK):
                if action != "dispatch" or self._desk.ticket(ticket_id).state == "filed":
                    self._desk.move(ticket_id, action, by="bench")  # type: ignore[arg-type]
        moved = self._archivist.round().tickets
        assert moved == count, f"{moved} of {count} were archived"

    def a_life(self) -> Any:
        """One of the archived tickets, to make others of."""
        newest = self._archive.search(Query(limit=1))[0]
        return self._archive.ticket(newest.ticket_id)

    def search(self) -> dict[str, list[float]]:
        """Seconds of each question, by their kind."""
        found: dict[str, list[float]] = {}
        for kind, asked in questions(_ASKED).items():
            self._tell(f"查询 / searching: {kind}", 0, 1)
            found[kind] = [self._timed(partial(self._archive.search, query)) for query in asked]
        return found

    def _used(self) -> int:
        """Bytes in Redis, without the events: of these it holds some hours, whatever was filed."""
        self._redis.delete(Keys(BENCH).events)
        return int(self._redis.info("memory")["used_memory"])

    def _timed(self, work: Callable[[], object]) -> float:
        began = self._clock.monotonic()
        work()
        return self._clock.monotonic() - began


def _p(times_s: Sequence[float], percent: int) -> float:
    """Percentile in milliseconds."""
    return 1000 * quantiles(times_s, n=100, method="inclusive")[percent - 1]


def _filing_figures(few: Times) -> list[Figure]:
    rate, bare = few.rate()
    beside = "one after the other, each on the disk, beside a bare XADD"
    return [
        Figure(
            "filings_per_s", rate, bare, "1/s", beside, RATE_TARGET, of_ratio=False, at_least=True
        ),
        Figure("filing_p50", _p(few.filings, 50), _p(few.bare, 50), "ms", "time of one filing"),
        Figure(
            "filing_p99",
            _p(few.filings, 99),
            _p(few.bare, 99),
            "ms",
            "one of a hundred takes longer",
            P99_TARGET_MS,
            of_ratio=False,
        ),
    ]


def _client_figures(clients: int, ours: Times, took: tuple[float, float]) -> list[Figure]:
    return [
        Figure(
            "filings_per_s_side_by_side",
            len(ours.filings) / took[0],
            len(ours.bare) / took[1],
            "1/s",
            f"{clients} processes at once, beside as many that write bare entries",
            RATE_TARGET,
            of_ratio=False,
            at_least=True,
        ),
        Figure(
            "filing_p99_side_by_side",
            _p(ours.filings, 99),
            _p(ours.bare, 99),
            "ms",
            f"one of a hundred takes longer, {clients} processes at once",
            P99_TARGET_MS,
            of_ratio=False,
        ),
    ]


def _growth_figures(
    opened: int, few: Times, many: Times, grown: float, left: float
) -> list[Figure]:
    return [
        Figure(
            "filing_with_many_open",
            many.in_redis_us,
            few.in_redis_us,
            "us",
            f"what Redis itself needs with {opened} more tickets open, beside few: the part of a "
            "filing that could grow",
            GROWTH_TARGET,
        ),
        Figure(
            "filing_p99_with_many_open",
            _p(many.filings, 99),
            _p(many.bare, 99),
            "ms",
            "one of a hundred takes longer",
        ),
        Figure("memory_per_open_ticket", grown / 1024, None, "KiB", "of Redis, all keys"),
        Figure(
            "memory_per_archived_ticket",
            left,
            None,
            "B",
            "what one leaves in Redis that was filed, closed and archived",
            LEFT_TARGET_BYTES,
            of_ratio=False,
        ),
    ]


def _search_figures(archived: int, searches: dict[str, list[float]]) -> list[Figure]:
    return [
        Figure(
            f"search_{kind}",
            1000 * max(times),
            None,
            "ms",
            f"the slowest of {len(times)} such searches among {archived} archived tickets",
            SEARCH_TARGET_MS,
            of_ratio=False,
        )
        for kind, times in searches.items()
    ]
