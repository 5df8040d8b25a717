"""The console in a process of its own, with a town of users, for the bench to look at."""

from __future__ import annotations

import json
import multiprocessing
import resource
import sqlite3
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import numpy as np
from redis import Redis

from pipeline.bench.desk_material import BENCH, finding, yulong
from pipeline.clock import SystemClock
from pipeline.console import Accounts, create_app, serve
from pipeline.console.accounts.accounts import csrf_of
from pipeline.errors import BenchError
from pipeline.rehearsal import CLIPS
from pipeline.settings import EvidenceSettings
from pipeline.tickets import Changes, Desk, EvidenceStore, PictureKeeper, write_evidence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.tickets import Snapshot, Ticket

FILES = 16_384
"""Open files that each side needs at most: a page is one."""

_PASSWORD = "rain-at-night-7"  # noqa: S105 - of users who live for a minute
_ACCOUNTS = "accounts.sqlite"
_READY_S = 180.0
_CLIP = "quiet_street.mp4"


@dataclass(frozen=True, slots=True)
class Browser:
    """Somebody's session: its cookie and its form token; ``grid`` None: the whole town's."""

    grid: str | None
    secret: str
    csrf: str


@dataclass(frozen=True, slots=True)
class Served:
    """A console that is served: where, to whom, and by which process."""

    url: str
    pid: int
    browsers: Sequence[Browser]


def more_files() -> None:
    """Let this process have as many connections as the bench needs, where that is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def file_tickets(desk: Desk, count: int, folder: Path, at: float) -> list[Ticket]:
    """Tickets that wait to be accepted, all over the town; one picture stands for all of theirs."""
    evidence = write_evidence(
        _picture(),
        np.zeros((0, 4), np.float32),
        [],
        incident=finding(0, at),
        settings=EvidenceSettings(min_free_mb=0),
        data_dir=folder,
    )
    filed: list[Ticket] = []
    number = 0
    while len(filed) < count:
        ticket = desk.ticket(desk.file(finding(number, at), evidence).ticket_id)
        number += 1
        if ticket.state == "dispatched":
            filed.append(ticket)
    return filed


def _picture() -> NDArray[np.uint8]:
    with av.open(CLIPS / _CLIP) as container:
        for frame in container.decode(video=0):
            return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    raise BenchError("holds no picture", where=_CLIP)


@contextmanager
def served(socket_path: str, folder: Path, grids: Sequence[str], towns: int) -> Iterator[Served]:
    """A console over the desk in this Redis: a user of each grid, and ``towns`` of the town.

    Raises BenchError when it does not come up.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=_serve, args=(theirs, socket_path, folder, list(grids), towns), daemon=True
    )
    process.start()
    theirs.close()
    try:
        try:
            if not ours.poll(_READY_S):
                raise EOFError  # noqa: TRY301 - the same to whoever waits
            url, browsers = ours.recv()
        except EOFError:
            raise BenchError("the console did not come up", where="console") from None
        yield Served(url, process.pid or 0, [Browser(*one) for one in browsers])
    finally:
        ours.close()
        process.join(10)
        process.terminate()
        process.join()


def _serve(told: Connection, socket_path: str, folder: Path, grids: list[str], towns: int) -> None:
    more_files()
    clock, settings = SystemClock(), EvidenceSettings()
    redis = Redis(unix_socket_path=socket_path, decode_responses=True)
    with ExitStack() as stack:
        accounts = stack.enter_context(Accounts(folder / _ACCOUNTS, clock))
        store = stack.enter_context(closing(EvidenceStore(folder, settings, clock)))
        browsers = []
        for name, grid in _users(accounts, folder / _ACCOUNTS, grids, towns):
            secret = accounts.sessions.begin(name)
            browsers.append((grid, secret, csrf_of(secret)))
        app = create_app(
            Desk(redis, yulong(), clock=clock, prefix=BENCH),
            PictureKeeper(_no_photos, store, settings),
            list,
            accounts,
            changes=Changes(redis, prefix=BENCH),
            clock=clock,
        )
        url = stack.enter_context(serve(app, port=0))
        told.send((url, browsers))
        try:
            told.recv()
        except EOFError:  # whoever measured has gone
            return


def _users(
    accounts: Accounts, file: Path, grids: Sequence[str], towns: int
) -> list[tuple[str, str | None]]:
    """Name and grid of each. One password is hashed for all: nobody signs in by it."""
    accounts.users.add("user", "command", [], _PASSWORD)
    users = [(f"user-{number}", grid) for number, grid in enumerate([*grids, *[None] * towns])]
    rows = [
        (name, "member" if grid else "command", json.dumps([grid] if grid else []))
        for name, grid in users
    ]
    with closing(sqlite3.connect(file)) as db, db:
        db.executemany(
            "INSERT INTO users (name, role, grids, password, created_at) "
            "SELECT ?, ?, ?, password, created_at FROM users WHERE name = 'user'",
            rows,
        )
    return users


def _no_photos(_: NDArray[np.uint8]) -> Snapshot:
    raise BenchError("no photos are sent here", where="console")
