"""What a filing costs at the desk, beside a bare XADD, and how that grows with what is there.

A private Redis that syncs every write to the disk, as it runs on a box, and the shipped town.
Filings and bare writes take turns, so that a busy moment of the machine falls on both.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.bench import desk_figures as told
from pipeline.bench.desk_archive import fill
from pipeline.bench.desk_clients import BARE, Clients, Work, write_many
from pipeline.bench.desk_material import BENCH, Findings, Later, Progress, questions, yulong
from pipeline.settings import RedisSettings
from pipeline.tickets import Archive, Archivist, Desk, Outbox, Query, open_redis
from pipeline.tickets.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

    from pipeline.bench.figure import Figure
    from pipeline.clock import Clock
    from pipeline.tickets.archive.packed import Packed

_TURN = 100  # filings one after the other, then as many bare writes
_ROUNDS = 4  # of all clients at once, and as many of bare writes
_OPENED = 2000  # in one go, to tell how far it is
_WARM_UP = 20  # tickets before them: queues, counters and scripts that stay are made once
_CYCLED = 400  # tickets that live their whole life to see what is left of them
_OUTBOX = 64  # entries put, sent, and as many bare writes
_LATE, _LATE_S = 200, 2 * 86400.0  # filings that the archive is asked about first, and their age
_ASKED = 25  # questions of each kind
_LATER_S = 30 * 86400.0
_WALK = ("accept", "feed_back", "close")


@dataclass(frozen=True, slots=True)
class Size:
    """``filings`` of each measurement, by ``clients`` processes at once, ``batch`` an exchange.

    ``opened`` more tickets are open in the end, and ``archived`` in the archive.
    """

    filings: int
    clients: int
    batch: int
    opened: int
    archived: int


def bench_desk(size: Size, *, clock: Clock, tell: Progress) -> list[Figure]:
    """Filings with few tickets open and none archived, the same with many, and searches of these.

    Raises DeskUnavailableError where there is no Redis, BenchError for more tickets than the town
    has places for.
    """
    with (
        tempfile.TemporaryDirectory(prefix="gridwatch-bench-") as name,
        open_redis(RedisSettings(), Path(name)) as redis,
        closing(Archive(None, Path(name) / "archive.sqlite", BENCH)) as archive,
    ):
        findings = Findings(clock.now())
        bench = Bench(redis, archive, clock, tell, findings, Path(name))
        with Clients(redis, size.clients, size.batch, findings) as clients:
            alone = bench.serial(size.filings)
            box = bench.outbox(size.filings)
            few = bench.together(clients, size.filings)
            grown = bench.open(clients, size.opened)
            left = bench.whole_lives(min(_CYCLED, size.filings))
            late = bench.late(min(_LATE, size.filings))
            bench.fill(size.archived)
            many = bench.together(clients, size.filings)
            later = bench.late(min(_LATE, size.filings))
        return [
            *told.serial(alone),
            *told.together(size, few),
            *told.outbox(box),
            *told.growth(size, few, many),
            *told.late(size, late, later),
            *told.memory(grown, left),
            *told.searches(size, bench.search()),
        ]


class Bench:
    """One Redis and one archive, and all that is timed on them."""

    def __init__(
        self,
        redis: Redis,
        archive: Archive,
        clock: Clock,
        tell: Progress,
        findings: Findings,
        folder: Path,
    ) -> None:
        self._findings = findings
        self._redis: Any = redis
        self._archive = archive
        self._clock = clock
        self._tell = tell
        self._folder = folder
        self._desk = Desk(redis, yulong(), clock=clock, prefix=BENCH, archive=archive)
        later = Later(clock, _LATER_S)
        self._archivist = Archivist(redis, Keys(BENCH), archive, clock=later, quiet_s=_LATER_S / 2)

    def serial(self, count: int) -> told.Pair:
        """One after the other, each in an exchange of its own."""
        pair = told.Pair(Work(), Work())
        for done in range(0, count, _TURN):
            self._tell("逐件立案 / filing one by one", done, count)
            some = self._findings.take(min(_TURN, count - done))
            for one in some:
                self._time(pair.filings, partial(self._desk.file, one))
            for _ in some:
                self._time(pair.bare, partial(write_many, self._redis, 1))
        self._redis.delete(BARE)
        return pair

    def together(self, clients: Clients, count: int) -> told.Pair:
        """All clients at once, many filings in each exchange."""
        pair = told.Pair(Work(), Work())
        for turn in range(_ROUNDS):
            self._tell("多机立案 / filing side by side", turn, _ROUNDS)
            self._redis.config_resetstat()
            pair.filings.add(clients.file(max(1, count // _ROUNDS)))
            pair.in_redis_s += self._in_scripts_s()
            pair.bare.add(clients.write(max(1, count // _ROUNDS)))
        self._redis.delete(BARE)
        return pair

    def outbox(self, count: int) -> told.Pair:
        """What waits on a box's disk is brought to the desk, by one box alone."""
        pair = told.Pair(Work(), Work())
        with Outbox(self._folder / "outbox.sqlite", self._clock) as outbox:
            for done in range(0, count, _OUTBOX):
                self._tell("发件箱 / from an outbox", done, count)
                some = self._findings.take(min(_OUTBOX, count - done))
                for one in some:
                    outbox.put("file", one)
                self._time(pair.filings, partial(outbox.send, self._desk), len(some))
                self._time(pair.bare, partial(write_many, self._redis, len(some)), len(some))
        self._redis.delete(BARE)
        return pair

    def open(self, clients: Clients, count: int) -> float:
        """Have so many more tickets open; returns bytes of Redis for each."""
        before = self._used()
        self._redis.config_set("appendfsync", "no")  # this is not what is measured
        for done in range(0, count, _OPENED):
            self._tell("预置未结案卷 / opening tickets", done, count)
            clients.file(min(_OPENED, count - done))
        self._redis.config_set("appendfsync", "always")
        while self._redis.info("persistence")["aof_rewrite_in_progress"]:
            self._tell("整理日志 / Redis rewrites its file", 0, 1)
            self._clock.sleep(0.2)
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
        for done, one in enumerate(self._findings.take(count)):
            self._tell("办结归档 / closing, archiving", done, count)
            ticket_id = self._desk.file(one).ticket_id
            for action in ("dispatch", *_WALK):
                if action != "dispatch" or self._desk.ticket(ticket_id).state == "filed":
                    self._desk.move(ticket_id, action, by="bench")  # type: ignore[arg-type]
        moved = self._archivist.round().tickets
        assert moved == count, f"{moved} of {count} were archived"

    def late(self, count: int) -> Work:
        """Filings of what was found days ago, so that it may have been archived by now."""
        work = Work()
        for done, one in enumerate(self._findings.take(count)):
            self._tell("迟报 / filing what comes late", done, count)
            old = replace(one, confirmed_at=one.confirmed_at - _LATE_S)
            self._time(work, partial(self._desk.file, old))
        return work

    def fill(self, count: int) -> None:
        """Have so many more tickets in the archive, all like one that came there by itself."""
        newest = self._archive.search(Query(limit=1))[0]
        model: Packed | None = self._archive.ticket(newest.ticket_id)
        assert model is not None
        self._archive.close()
        fill(self._folder / "archive.sqlite", model, count, self._tell)

    def search(self) -> dict[str, list[float]]:
        """Seconds of each question, by their kind."""
        found: dict[str, list[float]] = {}
        for kind, asked in questions(_ASKED).items():
            self._tell(f"查询 / searching: {kind}", len(found), len(questions(0)))
            work = Work()
            for query in asked:
                self._time(work, partial(self._archive.search, query))
            found[kind] = work.times
        return found

    def _used(self) -> int:
        """Bytes in Redis, without the events: of these it holds some hours, whatever was filed."""
        self._redis.delete(Keys(BENCH).events)
        return int(self._redis.info("memory")["used_memory"])

    def _in_scripts_s(self) -> float:
        """Seconds that Redis was busy with scripts since the figures were last reset."""
        return float(self._redis.info("commandstats")["cmdstat_evalsha"]["usec"]) / 1e6

    def _time(self, work: Work, one: Callable[[], object], count: int = 1) -> None:
        began = self._clock.monotonic()
        one()
        took_s = self._clock.monotonic() - began
        work.add(Work([took_s] * count, took_s))
