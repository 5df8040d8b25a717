"""An endpoint over HTTP with a real desk behind it."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING

import httpx
import pytest
from open311_client import nobody_seen
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from ticket_town import NOON, small_town

from pipeline.clock import ManualClock
from pipeline.console import serve
from pipeline.console.open311 import ApiKeys, Open311, create_open311
from pipeline.settings import RedisSettings, Settings
from pipeline.tickets import Desk, EvidenceStore, Outbox, PictureKeeper, ReportDesk, open_redis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with open_redis(RedisSettings(), tmp_path_factory.mktemp("redis"), fsync=False) as client:
        yield client


@pytest.fixture
def desk(redis: Redis, clock: ManualClock) -> Desk:
    return Desk(redis, small_town(), clock=clock, prefix=uuid.uuid4().hex)


@pytest.fixture
def away(tmp_path: Path, clock: ManualClock) -> Desk:
    """A desk whose Redis is not there."""
    nobody = Redis(unix_socket_path=str(tmp_path / "nobody.sock"), retry=Retry(NoBackoff(), 0))
    return Desk(nobody, small_town(), clock=clock)


@pytest.fixture
def served(tmp_path: Path, clock: ManualClock) -> Iterator[Callable[..., SimpleNamespace]]:
    """Serve the endpoint; its client, key, keys and outbox."""
    opened = []

    def start(desk: Desk, look=nobody_seen, **settings: object) -> SimpleNamespace:
        made = Settings(
            open311=settings, tickets={"evidence": {"min_free_mb": 0}}, data_dir=tmp_path
        )
        outbox = Outbox(tmp_path / "outbox.sqlite", clock)
        evidence = made.tickets.evidence
        store = EvidenceStore(tmp_path, evidence, clock)
        reports = ReportDesk(desk, outbox, PictureKeeper(look, store, evidence))
        keys = ApiKeys(tmp_path / "keys.json", clock)
        endpoint = Open311(made, desk=desk, reports=reports, outbox=outbox, keys=keys, clock=clock)
        page = serve(create_open311(endpoint), port=0)
        client = httpx.Client(base_url=page.__enter__(), timeout=30)
        opened.append((page, client, outbox, store))
        name = "郑好拍" if len(opened) == 1 else f"郑好拍 {len(opened)}"
        return SimpleNamespace(client=client, keys=keys, key=keys.add(name), outbox=outbox)

    yield start
    for page, client, outbox, store in opened:
        client.close()
        page.__exit__(None, None, None)
        outbox.close()
        store.close()


@pytest.fixture
def town(served, desk: Desk) -> SimpleNamespace:
    return served(desk, reads_per_minute=10_000, reports_per_minute=10_000)
