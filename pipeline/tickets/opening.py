"""A desk from settings: the town read, Redis reached, everything closed again afterwards."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.tickets.archive import Archive, Archivist
from pipeline.tickets.audit import Audit
from pipeline.tickets.board import CameraBoard
from pipeline.tickets.changes import Changes
from pipeline.tickets.coverage import CoverageLedger
from pipeline.tickets.desk import Desk
from pipeline.tickets.keys import Keys
from pipeline.tickets.notify import NotifyStore
from pipeline.tickets.redis_server import open_redis
from pipeline.tickets.retention import QueueKeeper
from pipeline.tickets.shots import Shots
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
    archive: Archive
    archivist: Archivist
    audit: Audit
    changes: Changes
    notify: NotifyStore
    keeper: QueueKeeper
    shots: Shots


@contextmanager
def open_desk(settings: Settings, clock: Clock) -> Iterator[OpenDesk]:
    """Raises InputError for a wrong town file and DeskUnavailableError as ``open_redis`` does."""
    town = load_town(settings.town)
    prefix, cool_down_s = settings.redis.prefix, settings.tickets.cool_down_s
    kept, keys = settings.tickets.archive, Keys(prefix)
    archive = Archive(kept.url, settings.data_dir / "archive.sqlite", prefix)
    with open_redis(settings.redis, settings.data_dir) as redis, closing(archive):
        yield OpenDesk(
            town,
            Desk(
                redis,
                town,
                clock=clock,
                prefix=prefix,
                cool_down_s=cool_down_s,
                archive=archive,
            ),
            CameraBoard(redis, clock=clock, prefix=prefix),
            CoverageLedger(
                redis, clock=clock, prefix=prefix, keep_days=settings.ingest.coverage.keep_days
            ),
            archive,
            Archivist(
                redis,
                keys,
                archive,
                clock=clock,
                quiet_s=cool_down_s + kept.after_days * 86400.0,
            ),
            Audit(redis, keys, archive, clock=clock),
            Changes(redis, prefix=prefix),
            NotifyStore(redis, prefix=prefix),
            QueueKeeper(
                redis,
                town,
                clock=clock,
                keep_s=settings.tickets.keep_acknowledged_s,
                prefix=prefix,
            ),
            Shots(redis, prefix=prefix),
        )
