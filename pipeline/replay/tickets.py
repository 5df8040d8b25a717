"""Which tickets the incidents of a replay would have become: filed at a desk of their own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from shapely import box

from pipeline.clock import ManualClock
from pipeline.settings import RedisSettings
from pipeline.shipped import shipped
from pipeline.tickets import Desk, open_redis
from pipeline.town import Grid, GridMap, Town, load_duties

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.hazards import Incident
    from pipeline.settings import Settings
    from pipeline.tickets import Ticket

NOWHERE = "unplaced"
"""Code of the one grid of clips whose camera no list knows."""


def tickets_of(
    incidents: Sequence[Incident], town: Town | None, settings: Settings
) -> list[Ticket]:
    """File the incidents in the order of their confirmation; the tickets as they end up.

    The desk is the real one on a private Redis in memory; the clock is the clips' own, all
    starting together.
    """
    clock = ManualClock()
    with (
        tempfile.TemporaryDirectory(prefix="gridwatch-replay-") as folder,
        open_redis(RedisSettings(), Path(folder), fsync=False) as redis,
    ):
        desk = Desk(
            redis, town or _nowhere(), clock=clock, cool_down_s=settings.tickets.cool_down_s
        )
        filed = []
        for incident in sorted(incidents, key=lambda one: (one.confirmed_at, one.incident_id)):
            clock.move_to(incident.confirmed_at)
            filed.append(desk.file(incident).ticket_id)
            if incident.cleared_at is not None:
                desk.update(incident)
        return [desk.ticket(ticket_id) for ticket_id in dict.fromkeys(filed)]


def _nowhere() -> Town:
    everywhere = Grid(NOWHERE, NOWHERE, 1, "standard", None, (), box(-1, -1, 101, 1))
    return Town((), GridMap([everywhere]), load_duties(shipped("configs/yulong/duties.yaml")))
