from __future__ import annotations

import itertools
import os
import shutil
import uuid
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from archive_town import PROGRAMS, Place, new_database, private_postgres
from ticket_town import NOON, SmallTown, small_town

from pipeline.clock import ManualClock
from pipeline.settings import RedisSettings
from pipeline.tickets import Archive, Desk, open_redis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from redis import Redis


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    folder = tmp_path_factory.mktemp("redis")
    with open_redis(RedisSettings(), folder, fsync=False) as client:
        yield client


@pytest.fixture(scope="session")
def town() -> SmallTown:
    return small_town()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON + 1)


@pytest.fixture
def new_desk(redis: Redis, town: SmallTown, clock: ManualClock) -> Callable[[], Desk]:
    """Every desk of a test has keys of its own."""
    counter = itertools.count()
    name = uuid.uuid4().hex[:12]
    return lambda: Desk(redis, town, clock=clock, prefix=f"{name}-{next(counter)}")


@pytest.fixture
def desk(new_desk: Callable[[], Desk]) -> Desk:
    return new_desk()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    if not PROGRAMS:
        pytest.skip("there is no PostgreSQL under /usr/lib/postgresql")
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("PostgreSQL refuses to run as root, and there is no setpriv")
    with private_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def archive_url(request: pytest.FixtureRequest) -> str | None:
    """Of a new database of either kind; None for a file."""
    if request.param == "sqlite":
        return None
    return new_database(request.getfixturevalue("postgres"))


@pytest.fixture
def place(
    redis: Redis, town: SmallTown, clock: ManualClock, archive_url: str | None, tmp_path: Path
) -> Iterator[Place]:
    """A desk and its archive, once with each kind of database."""
    prefix = uuid.uuid4().hex[:12]
    with closing(Archive(archive_url, tmp_path / "archive.sqlite", prefix)) as archive:
        yield Place(redis, town, clock, archive, prefix)
