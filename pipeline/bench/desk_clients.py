"""Several processes that file at the same time, as the boxes of a town do, each many at once."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from redis import Redis

from pipeline.bench.desk_material import BENCH, finding, yulong
from pipeline.clock import SystemClock
from pipeline.errors import BenchError
from pipeline.tickets import Desk, News

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from pipeline.bench.desk_material import Findings
    from pipeline.clock import Clock
    from pipeline.hazards import Incident

ENTRY = "x" * 1200
"""About what an entry of a queue has."""
BARE = f"{{{BENCH}}}:bare"

_READY_S = 120.0


@dataclass(slots=True)
class Work:
    """Seconds from each filing's (or write's) turn to its answer, and how long all took in all."""

    times: list[float] = field(default_factory=list)
    took_s: float = 0.0

    def add(self, other: Work) -> None:
        self.times += other.times
        self.took_s += other.took_s

    @property
    def rate(self) -> float:
        """How many a second."""
        return len(self.times) / self.took_s


class Clients:
    """``count`` processes; each sends ``batch`` filings, or bare XADDs, in one exchange.

    They stay for all that is asked of them. Raises BenchError where one ends early.
    """

    def __init__(self, redis: Redis, count: int, batch: int, findings: Findings) -> None:
        self._path = redis.connection_pool.connection_kwargs["path"]
        self._count, self._batch, self._findings = count, batch, findings
        self._pipes: list[Connection] = []
        self._processes: list[BaseProcess] = []

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("spawn")
        for _ in range(self._count):
            ours, theirs = context.Pipe()
            told = (theirs, self._path, self._batch, self._findings.at)
            process = context.Process(target=_client, args=told, daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        self._answers()
        self.file(self._count * self._batch)  # scripts and connections are made once
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
            process.join()

    def file(self, count: int) -> Work:
        """Each makes a ticket."""
        return self._together("file", count)

    def write(self, count: int) -> Work:
        """Bare entries of a stream instead."""
        return self._together("write", count)

    def _together(self, what: str, count: int) -> Work:
        share = max(1, count // self._count)
        for pipe in self._pipes:
            first = self._findings.reserve(share) if what == "file" else 0
            pipe.send((what, first, share))
        self._answers()  # all have what they are going to send
        clock = SystemClock()
        began = clock.monotonic()
        for pipe in self._pipes:
            pipe.send("go")
        times = [time_s for answer in self._answers() for time_s in answer]
        return Work(times, clock.monotonic() - began)

    def _answers(self) -> list[Any]:
        answers = []
        for pipe in self._pipes:
            try:
                if not pipe.poll(_READY_S):
                    raise EOFError  # noqa: TRY301 - the same to whoever waits
                answers.append(pipe.recv())
            except EOFError:
                raise BenchError("a client of the bench ended early", where="desk") from None
        return answers


def write_many(redis: Any, count: int) -> None:
    """Bare entries in one exchange."""
    pipe = redis.pipeline(transaction=False)
    for _ in range(count):
        pipe.xadd(BARE, {"json": ENTRY}, maxlen=10_000)
    pipe.execute()


def file_many(desk: Desk, incidents: list[Incident]) -> None:
    """In one exchange, where they are few enough."""
    outcomes = desk.deliver([News("file", one) for one in incidents])
    refused = [one for one in outcomes if isinstance(one, Exception)]
    if refused:
        raise refused[0]


def _client(told: Connection, socket_path: str, batch: int, at: float) -> None:
    clock = SystemClock()
    redis: Any = Redis(unix_socket_path=socket_path, decode_responses=True)
    desk = Desk(redis, yulong(), clock=clock, prefix=BENCH)
    redis.ping()
    told.send(None)
    while True:
        what, first, count = told.recv()
        numbers = range(first, first + count)
        parts = [numbers[i : i + batch] for i in range(0, count, batch)]
        if what == "file":
            some = [[finding(number, at) for number in part] for part in parts]
            work: list[Callable[[], None]] = [_filing(desk, one) for one in some]
        else:
            work = [_writing(redis, len(part)) for part in parts]
        told.send(None)
        told.recv()
        told.send(_timed(work, [len(part) for part in parts], clock))


def _filing(desk: Desk, incidents: list[Incident]) -> Callable[[], None]:
    return lambda: file_many(desk, incidents)


def _writing(redis: Any, count: int) -> Callable[[], None]:
    return lambda: write_many(redis, count)


def _timed(work: list[Callable[[], None]], sizes: list[int], clock: Clock) -> list[float]:
    """Of each that is done, how long it was from the beginning of its exchange to its end."""
    times: list[float] = []
    for one, size in zip(work, sizes, strict=True):
        began = clock.monotonic()
        one()
        times += [clock.monotonic() - began] * size
    return times
