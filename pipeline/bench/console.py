"""What the console holds: a thousand open pages with actions among them, and a slow telephone.

The console, its Redis (every write on the disk) and all browsers share this machine, so that the
figures are those of a machine that has something else to do as well.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

from pipeline.bench.console_pages import run_pages
from pipeline.bench.console_phone import KBIT_PER_S, LATENCY_MS, SLOWER, look_at, missing
from pipeline.bench.console_server import file_tickets, more_files, served
from pipeline.bench.desk_material import BENCH, yulong
from pipeline.bench.figure import Figure
from pipeline.bench.usage import usage_of
from pipeline.errors import BenchError
from pipeline.settings import RedisSettings
from pipeline.tickets import Desk, open_redis

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.bench.console_pages import Load
    from pipeline.bench.console_phone import Phone
    from pipeline.clock import Clock

P95_TARGET_MS = 100.0
FIRST_PAGE_TARGET = 150_000
TOWNS = 2
"""Users of the township's command: they see everything, and everything moves their pages."""

_BARE = 100  # steps at the desk without a console, for the floor
_OF_THE_PHONE = 20  # tickets that stay open: a queue as long as one is


def bench_console(
    *,
    pages: int,
    rate: float,
    seconds: float,
    phone: bool,
    clock: Clock,
    say: Callable[[str], None],
) -> list[Figure]:
    """Figures with ``pages`` open and ``rate`` tickets accepted a second; of a telephone, too.

    Raises BenchError when anything is answered wrongly, and DeskUnavailableError.
    """
    more_files()
    with (
        tempfile.TemporaryDirectory(prefix="gridwatch-bench-") as name,
        open_redis(RedisSettings(), Path(name)) as redis,
    ):
        desk = Desk(redis, yulong(), clock=clock, prefix=BENCH)
        say("立案 / filing tickets")
        count = int(rate * seconds)
        tickets = file_tickets(desk, count + _BARE + _OF_THE_PHONE, Path(name), clock.now())
        bare = []
        for ticket in tickets[count : count + _BARE]:
            began = clock.monotonic()
            desk.move(ticket.ticket_id, "accept", by="bench")
            bare.append(clock.monotonic() - began)
        grids = sorted({ticket.grid_code for ticket in tickets})
        say("开户 / making users")
        socket = str(redis.connection_pool.connection_kwargs["path"])
        with served(socket, Path(name), grids, TOWNS) as console:
            looked = None
            if phone:
                say("慢速手机 / a slow telephone")
                waits = tickets[-1].grid_code
                looked = look_at(
                    console.url, next(one for one in console.browsers if one.grid == waits)
                )
            say(f"{pages} 个页面 / pages open")
            load = run_pages(console, pages, tickets[:count], rate)
            used = usage_of(console.pid)
    if load.faults:
        raise BenchError(
            "not everything was answered as it must be",
            where="console",
            found=f"{len(load.faults)}, e.g. {load.faults[0]}",
        )
    return [
        *_load_figures(load, bare, pages, rate, used.pss_bytes),
        *(_phone_figures(looked) if looked else []),
    ]


def why_no_phone() -> str | None:
    """What is missing for the telephone's figures; None: nothing."""
    return missing()


def _p(times_s: Sequence[float], percent: int) -> float:
    """Percentile in milliseconds; of what happened once at most, that."""
    if len(times_s) < 2:
        return 1000 * max(times_s, default=0.0)
    return 1000 * quantiles(times_s, n=100, method="inclusive")[percent - 1]


def _load_figures(
    load: Load, bare: Sequence[float], pages: int, rate: float, memory: int
) -> list[Figure]:
    renewed = len(load.renewed_s) + len(load.kept_s)
    with_pages = (
        f"with {load.open_pages} of {pages} pages open, {load.town_pages} of them the town's"
    )
    said = f"{rate:g} tickets accepted a second by form, {with_pages}"
    return [
        Figure(
            "action_p50",
            _p(load.actions_s, 50),
            _p(bare, 50),
            "ms",
            f"{said}; beside the bare step",
        ),
        Figure(
            "action_p95",
            _p(load.actions_s, 95),
            _p(bare, 95),
            "ms",
            "one of twenty takes longer",
            P95_TARGET_MS,
            of_ratio=False,
        ),
        Figure("action_max", 1000 * max(load.actions_s), None, "ms", "the slowest"),
        Figure("renewed_p95", _p(load.renewed_s, 95), None, "ms", "a queue asked for after news"),
        Figure("kept_p95", _p(load.kept_s, 95), None, "ms", "a ticket asked for to be kept"),
        Figure(
            "news_per_s", load.news / load.took_s, None, "1/s", "times that a page heard something"
        ),
        Figure("renewed_per_s", renewed / load.took_s, None, "1/s", "pages asked for after news"),
        Figure("open_pages", load.open_pages, None, "", "that listen to the end"),
        Figure("memory", memory / 2**20, None, "MiB", "of the console's process, without Redis"),
    ]


def _phone_figures(phone: Phone) -> list[Figure]:
    line = f"{KBIT_PER_S} kbit/s, {LATENCY_MS} ms, processor {SLOWER} times slower"
    figures = []
    for name, visit, means in (
        ("first", phone.first, "never here before"),
        ("again", phone.again, "has our files"),
    ):
        figures += [
            Figure(
                f"phone_{name}_paint", visit.first_paint_ms, None, "ms", f"queue, {line}; {means}"
            ),
            Figure(
                f"phone_{name}_largest", visit.largest_paint_ms, None, "ms", "the largest thing"
            ),
            Figure(
                f"phone_{name}_bytes",
                visit.bytes_without_pictures,
                None,
                "B",
                "of the page and its files, without pictures",
                FIRST_PAGE_TARGET,
                of_ratio=False,
            ),
            Figure(f"phone_{name}_pictures", visit.bytes_of_pictures, None, "B", "of pictures"),
        ]
    return [*figures, Figure("phone_accept", phone.accept_ms, None, "ms", "from tap to answer")]
