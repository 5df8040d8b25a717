"""A console over a real desk, and somebody of every role in it."""

from __future__ import annotations

import shutil
import sys
import uuid
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher

sys.path.insert(0, str(Path(__file__).parents[1] / "tickets"))
sys.path.insert(0, str(Path(__file__).parent))

from console_town import (
    CAMERA_LIST,
    CAMERAS,
    EAST,
    LISTED,
    PASSWORD,
    WEST,
    Running,
    grids_of,
    nobody,
    pictures_in,
)
from ticket_town import NOON, small_town

from pipeline.clock import ManualClock
from pipeline.console import Accounts, CameraCare, DutyList, Office, Watching, create_app, serve
from pipeline.console.accounts import ROLES, passwords
from pipeline.settings import ConsoleSettings, RedisSettings
from pipeline.shipped import shipped
from pipeline.tickets import (
    Archive,
    Audit,
    CameraBoard,
    Changes,
    CoverageLedger,
    Desk,
    Outbox,
    ReportDesk,
    Shots,
    open_redis,
)
from pipeline.tickets.keys import Keys
from pipeline.town import CameraListFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastapi import FastAPI
    from redis import Redis
    from starlette.types import Receive, Scope, Send

    from pipeline.tickets.pictures import Looker


@pytest.fixture(scope="session", autouse=True)
def full_hasher() -> Iterator[PasswordHasher]:
    """Passwords are hashed with the least effort here; gives the hasher that is really used."""
    real = passwords._hasher
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    yield real
    passwords._hasher = real


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    folder = tmp_path_factory.mktemp("redis")
    with open_redis(RedisSettings(), folder, fsync=False) as client:
        yield client


@pytest.fixture(scope="session")
def accounts_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user of every role, named after it; made once, for hashing takes its time."""
    file = tmp_path_factory.mktemp("accounts") / "accounts.sqlite"
    with Accounts(file, ManualClock(NOON)) as accounts:
        for role in ROLES:
            accounts.users.add(role, role, grids_of(role), PASSWORD)
        accounts.users.add("李四", "member", [EAST], PASSWORD)
        accounts.users.add("west", "head", [WEST], PASSWORD)
    return file


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def prefix() -> str:
    """Every test has a desk of its own."""
    return uuid.uuid4().hex


@pytest.fixture
def desk(redis: Redis, clock: ManualClock, prefix: str) -> Desk:
    return Desk(redis, small_town(), clock=clock, prefix=prefix)


@pytest.fixture
def changes(redis: Redis, prefix: str) -> Changes:
    return Changes(redis, prefix=prefix)


@pytest.fixture
def watching(redis: Redis, clock: ManualClock, prefix: str, tmp_path: Path) -> Iterator[Watching]:
    """Live pictures and the audit of that desk."""
    with closing(Archive(None, tmp_path / "archive.sqlite", prefix)) as archive:
        audit = Audit(redis, Keys(prefix), archive, clock=clock)
        ledger = CoverageLedger(redis, clock=clock, prefix=prefix, keep_days=300)
        yield Watching(Shots(redis, prefix=prefix), audit, clock, ledger=ledger)


@pytest.fixture
def care(
    redis: Redis, clock: ManualClock, prefix: str, tmp_path: Path, watching: Watching, desk: Desk
) -> CameraCare:
    """A camera list of the town, and what its boxes tell."""
    file = tmp_path / "cameras.csv"
    file.write_text(CAMERA_LIST, "utf-8")
    return CameraCare(
        CameraListFile(file, desk.town.grids),
        CameraBoard(redis, clock=clock, prefix=prefix),
        CoverageLedger(redis, clock=clock, prefix=prefix),
        watching.audit,
    )


@pytest.fixture
def accounts(accounts_file: Path, clock: ManualClock, tmp_path: Path) -> Iterator[Accounts]:
    """Those users, for one test."""
    file = tmp_path / "users.sqlite"
    shutil.copy(accounts_file, file)
    with Accounts(file, clock) as opened:
        yield opened


class _Switch:
    """One server for many tests: what it serves is exchanged, since starting it takes its time."""

    def __init__(self) -> None:
        self.app: FastAPI | None = None
        self.state = SimpleNamespace(live=SimpleNamespace(close=lambda: None))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError  # a server takes this for an answer at its start
        assert self.app is not None
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def shared() -> Iterator[tuple[_Switch, str]]:
    switch = _Switch()
    with serve(switch, port=0) as url:  # type: ignore[arg-type]
        yield switch, url


@pytest.fixture
def audit(redis: Redis, clock: ManualClock, prefix: str, tmp_path: Path) -> Iterator[Audit]:
    with closing(Archive(None, tmp_path / "archive.sqlite", prefix)) as archive:
        yield Audit(redis, Keys(prefix), archive, clock=clock)


@pytest.fixture
def duty_list(tmp_path: Path) -> DutyList:
    """The example town's file: what the pages show when somebody has looked at them."""
    shutil.copy(shipped("configs/yulong/duties.yaml"), tmp_path / "duties.yaml")
    return DutyList(tmp_path / "duties.yaml")


@pytest.fixture
def start(
    desk: Desk,
    changes: Changes,
    watching: Watching,
    care: CameraCare,
    clock: ManualClock,
    accounts: Accounts,
    audit: Audit,
    duty_list: DutyList,
    tmp_path: Path,
    shared: tuple[_Switch, str],
) -> Iterator[Callable[..., Running]]:
    """Serve a console with these settings until the test is over; ``live``: with live updates.

    ``look`` looks for people in photos.
    """
    with ExitStack() as stack:

        def begin(*, live: bool = False, look: Looker = nobody, **settings: object) -> Running:
            pictures = pictures_in(tmp_path, clock, look)
            stack.callback(pictures.store.close)
            outbox = stack.enter_context(Outbox(tmp_path / "outbox.sqlite", clock))
            street = replace(
                watching, reports=ReportDesk(desk, outbox, pictures), camera=LISTED.__getitem__
            )
            app = create_app(
                desk,
                pictures,
                lambda: CAMERAS,
                accounts,
                settings=ConsoleSettings(**settings),
                changes=changes,
                watching=street,
                clock=clock,
                care=care,
                office=Office(audit, duties=duty_list),
            )
            serving = stack.enter_context(ExitStack())
            if live:
                url = serving.enter_context(serve(app, port=0))
            else:
                switch, url = shared
                switch.app = app
            browsers = stack.enter_context(ExitStack())
            return Running(
                desk,
                accounts,
                pictures,
                clock,
                tmp_path,
                app,
                url,
                serving.close,
                browsers,
                street,
                care,
            )

        yield begin


@pytest.fixture
def console(start: Callable[..., Running]) -> Running:
    return start()


@pytest.fixture
def live_console(start: Callable[..., Running]) -> Running:
    """On a server of its own, whose pages hear what happens at the desk."""
    return start(live=True)
