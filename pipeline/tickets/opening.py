"""A desk from settings: the town read, Redis reached, everything closed again afterwards."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.tickets.board import CameraBoard
from pipeline.tickets.coverage import CoverageLedger
from pipeline.tickets.desk import Desk
from pipeline.tickets.notify import NotifyStore
from pipeline.tickets.redis_server import open_redis
from pipeline.tickets.retention import QueueKeeper
from pipeline.town import Town, load_town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.clock import Clock
    from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class OpenDesk:
    """What most commands need: the town, its desk, its cameras, who was looked at, who is told."""

    town: Town
    desk: Desk
    board: CameraBoard
    coverage: CoverageLedger
    notify: NotifyStore
    keeper: QueueKeeper


@contextmanager
def open_desk(settings: Settings, clock: Clock) -> Iterator[OpenDesk]:
    """Raises InputError for a wrong town file and DeskUnavailableError as ``open_redis`` does."""
    town = load_town(settings.town)
    prefix, cool_down_s = settings.redis.prefix, settings.tickets.cool_down_s
    with open_redis(settings.redis, settings.data_dir) as redis:
        yield OpenDesk(
            town,
            Desk(redis, town, clock=clock, prefix=prefix, cool_down_s=cool_down_s),
            CameraBoard(redis, clock=clock, prefix=prefix),
            CoverageLedger(
                redis, clock=clock, prefix=prefix, keep_days=settings.ingest.coverage.keep_days
            ),
            NotifyStore(redis, prefix=prefix),
            QueueKeeper(
                redis,
                town,
                clock=clock,
                keep_s=settings.tickets.keep_acknowledged_s,
                prefix=prefix,
            ),
        )
