"""The figures of the desk's bench, made of what was timed."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import quantiles
from typing import TYPE_CHECKING

from pipeline.bench.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.bench.desk import Size
    from pipeline.bench.desk_clients import Work

RATE_TARGET = 1000.0
P99_TARGET_MS = 10.0
GROWTH_TARGET = 2.0
SEARCH_TARGET_MS = 200.0
LEFT_TARGET_BYTES = 128.0
"""A ticket that was archived may leave this much behind in Redis: counters, slack of the heap."""


@dataclass(slots=True)
class Pair:
    """Filings, and bare writes of the same run; how long Redis was busy with the filings."""

    filings: Work
    bare: Work
    in_redis_s: float = 0.0

    @property
    def in_redis_us(self) -> float:
        """Of one filing."""
        return 1e6 * self.in_redis_s / len(self.filings.times)


def serial(alone: Pair) -> list[Figure]:
    filings, bare = alone.filings, alone.bare
    return [
        Figure(
            "filings_one_by_one_per_s",
            filings.rate,
            bare.rate,
            "1/s",
            "one after the other, each on the disk before the next, beside a bare XADD",
        ),
        Figure("filing_p50", _p(filings, 50), _p(bare, 50), "ms", "time of one filing by itself"),
        Figure(
            "filing_p99",
            _p(filings, 99),
            _p(bare, 99),
            "ms",
            "one of a hundred takes longer",
            P99_TARGET_MS,
            of_ratio=False,
        ),
    ]


def together(size: Size, few: Pair) -> list[Figure]:
    how = f"{size.clients} processes at once, {size.batch} filings in each exchange"
    return [
        Figure(
            "filings_per_s",
            few.filings.rate,
            few.bare.rate,
            "1/s",
            f"{how}, all on the disk, beside as many bare XADDs from as many processes",
            RATE_TARGET,
            of_ratio=False,
            at_least=True,
        ),
        Figure(
            "filing_together_p50",
            _p(few.filings, 50),
            _p(few.bare, 50),
            "ms",
            f"from the beginning of its exchange to its end, {how}",
        ),
        Figure(
            "filing_together_p99",
            _p(few.filings, 99),
            _p(few.bare, 99),
            "ms",
            "one of a hundred takes longer",
            P99_TARGET_MS,
            of_ratio=False,
        ),
        Figure("filing_in_redis", few.in_redis_us, None, "us", "Redis is busy with one filing"),
    ]


def outbox(box: Pair) -> list[Figure]:
    return [
        Figure(
            "outbox_per_s",
            box.filings.rate,
            box.bare.rate,
            "1/s",
            "what waits on the disk of one box, sent and removed, beside bare XADDs",
        )
    ]


def growth(size: Size, few: Pair, many: Pair) -> list[Figure]:
    there = f"with {size.opened} more open and {size.archived} archived, beside few"
    return [
        Figure(
            "filing_in_redis_with_many",
            many.in_redis_us,
            few.in_redis_us,
            "us",
            f"Redis is busy with one filing, {there}",
            GROWTH_TARGET,
        ),
        Figure(
            "filing_with_many",
            1000 / many.filings.rate,
            1000 / few.filings.rate,
            "ms",
            f"of each filing, all clients together, {there}",
            GROWTH_TARGET,
        ),
        Figure(
            "filings_per_s_with_many", many.filings.rate, many.bare.rate, "1/s", "beside bare XADDs"
        ),
        Figure(
            "filing_p99_with_many",
            _p(many.filings, 99),
            _p(many.bare, 99),
            "ms",
            "one of a hundred takes longer",
        ),
    ]


def late(size: Size, few: Work, many: Work) -> list[Figure]:
    return [
        Figure(
            "filing_late_p50",
            _p(many, 50),
            _p(few, 50),
            "ms",
            f"of what was found days ago: {size.archived} archived tickets are asked first, beside "
            "few",
            GROWTH_TARGET,
        )
    ]


def memory(grown: float, left: float) -> list[Figure]:
    return [
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


def searches(size: Size, found: dict[str, list[float]]) -> list[Figure]:
    return [
        Figure(
            f"search_{kind}",
            1000 * max(times),
            None,
            "ms",
            f"the slowest of {len(times)} such searches among {size.archived} archived tickets",
            SEARCH_TARGET_MS,
            of_ratio=False,
        )
        for kind, times in found.items()
    ]


def _p(work: Work, percent: int) -> float:
    """Percentile in milliseconds."""
    times: Sequence[float] = work.times
    return 1000 * quantiles(times, n=100, method="inclusive")[percent - 1]
