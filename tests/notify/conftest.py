"""Real receivers on loopback, and a notifier whose clock the test moves."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.append(str(Path(__file__).parents[1] / "tickets"))  # the small town lives there

from receivers import HttpReceiver
from ticket_town import NOON, SmallTown, small_town

from pipeline.clock import ManualClock
from pipeline.settings import RedisSettings, Settings
from pipeline.tickets import Desk, Notifier, NotifyStore, open_redis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from redis import Redis

SECRET = "kept-between-us-two"


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    folder = tmp_path_factory.mktemp("redis")
    with open_redis(RedisSettings(), folder, fsync=False) as client:
        yield client


@pytest.fixture
def prefix() -> str:
    return uuid.uuid4().hex[:12]


@pytest.fixture
def town() -> SmallTown:
    return small_town(emergency=True)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON + 1)


@pytest.fixture
def desk(redis: Redis, town: SmallTown, clock: ManualClock, prefix: str) -> Desk:
    return Desk(redis, town, clock=clock, prefix=prefix)


@pytest.fixture
def store(redis: Redis, prefix: str) -> NotifyStore:
    return NotifyStore(redis, prefix=prefix)


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with HttpReceiver() as one:
        yield one


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """Settings of recipients, files of documents off, loopback allowed."""

    def make(recipients: dict[str, object], **more: object) -> Settings:
        notify = {"allow": ["127.0.0.0/8"], "cap": {"file": False}, "timeout_s": 2} | more
        return Settings(
            data_dir=tmp_path,
            notify=notify | {"recipients": recipients},
            console={"url": "https://grid.example"},
        )

    return make


@pytest.fixture
def webhook(receiver: HttpReceiver) -> Callable[..., dict[str, object]]:
    return lambda **more: {"way": "webhook", "url": receiver.url, "secret": SECRET} | more


@pytest.fixture
def new_notifier(redis, prefix, town, clock) -> Iterator[Callable[[Settings], Notifier]]:
    """A box's notifier; each has a reader of its own."""
    made: list[Notifier] = []

    def make(settings: Settings) -> Notifier:
        store = NotifyStore(redis, prefix=prefix)
        made.append(Notifier(store, settings, town.grids, clock=clock, draw=lambda: 0.0))
        return made[-1]

    yield make
    for one in made:
        one.__exit__()


@pytest.fixture
def play(clock: ManualClock) -> Callable[..., None]:
    """Let time pass and the notifiers work; each step ends when all that was due is sent."""

    def go(*notifiers: Notifier, seconds: float = 10.0, step: float = 5.0) -> None:
        until = clock.now() + seconds
        while True:
            for one in notifiers:
                one.round(0)
                one.settle()
            if clock.now() >= until:
                return
            clock.move_to(min(until, clock.now() + step))

    return go
