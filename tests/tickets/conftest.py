from __future__ import annotations

import itertools
import uuid
from typing import TYPE_CHECKING

import pytest
from ticket_town import NOON, SmallTown, small_town

from pipeline.clock import ManualClock
from pipeline.settings import RedisSettings
from pipeline.tickets import Desk, open_redis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
