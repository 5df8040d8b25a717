"""Several processes that file at the same time, as the boxes of a town do."""

from __future__ import annotations

import multiprocessing
from functools import partial
from typing import TYPE_CHECKING, Any

from redis import Redis

from pipeline.bench.desk_material import BENCH, Times, finding, yulong
from pipeline.clock import SystemClock
from pipeline.errors import BenchError
from pipeline.tickets import Desk

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from pipeline.bench.desk import Progress
    from pipeline.bench.desk_material import Findings

_READY_S = 120.0
_ENTRY = "x" * 1200


def file_side_by_side(
    redis: Redis, clients: int, filings: int, findings: Findings, tell: Progress
) -> tuple[Times, tuple[float, float]]:
    """Times of all filings and bare writes, and how long each of the two took in all."""
    share = max(1, filings // clients)
    context = multiprocessing.get_context("spawn")
    pipes, started = [], []
    socket_path = redis.connection_pool.connection_kwargs["path"]
    for _ in range(clients):
        first = findings.taken
        findings.taken += share
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_client, args=(theirs, socket_path, first, share, findings.at), daemon=True
        )
        process.start()
        theirs.close()
        pipes.append(ours)
        started.append(process)
    try:
        tell("多机立案 / filing side by side", 0, 2)
        _answers(pipes)  # all are ready
        filing_s, filed = _together(pipes, "file")
        tell("多机立案 / filing side by side", 1, 2)
        bare_s, bare = _together(pipes, "bare")
    finally:
        for process in started:
            process.terminate()
            process.join()
    return Times(filed, bare), (filing_s, bare_s)


def _together(pipes: list[Connection], what: str) -> tuple[float, list[float]]:
    clock = SystemClock()
    began = clock.monotonic()
    for pipe in pipes:
        pipe.send(what)
    times = [time_s for answer in _answers(pipes) for time_s in answer]
    return clock.monotonic() - began, times


def _answers(pipes: list[Connection]) -> list[Any]:
    answers = []
    for pipe in pipes:
        try:
            if not pipe.poll(_READY_S):
                raise EOFError  # noqa: TRY301 - the same to whoever waits
            answers.append(pipe.recv())
        except EOFError:
            raise BenchError("a client of the bench ended early", where="desk") from None
    return answers


def _client(told: Connection, socket_path: str, first: int, count: int, at: float) -> None:
    clock = SystemClock()
    redis: Any = Redis(unix_socket_path=socket_path, decode_responses=True)
    desk = Desk(redis, yulong(), clock=clock, prefix=BENCH)
    mine = [finding(number, at) for number in range(first, first + count)]
    work: dict[str, list[Callable[[], object]]] = {
        "file": [partial(desk.file, one) for one in mine],
        "bare": [partial(redis.xadd, f"{{{BENCH}}}:bare", {"json": _ENTRY})] * count,
    }
    redis.ping()
    told.send("ready")
    while True:
        times = []
        for one in work[told.recv()]:
            began = clock.monotonic()
            one()
            times.append(clock.monotonic() - began)
        told.send(times)
