"""The loop's tests paint the street, file and notify with what the other rooms' tests use."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.settings import RedisSettings
from pipeline.tickets import open_redis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis


for room in ("tickets", "notify", "hazards"):
    sys.path.append(str(Path(__file__).parents[1] / room))


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with open_redis(RedisSettings(), tmp_path_factory.mktemp("redis"), fsync=False) as client:
        yield client
