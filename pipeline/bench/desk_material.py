"""What the bench of the desk files and archives: findings all over the shipped town."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.errors import BenchError
from pipeline.hazards import Incident
from pipeline.settings import TownSettings
from pipeline.shipped import shipped
from pipeline.tickets import Query
from pipeline.town import Place, load_town

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from pipeline.clock import Clock
    from pipeline.town import Town


class Progress(Protocol):
    """Told again and again: what is being done, how much of it is done, of how much."""

    def __call__(self, what: str, done: int, total: int) -> None: ...


BENCH = "bench"
"""Prefix of its keys, and name of its archive's town."""

WEST, SOUTH, EAST, NORTH = 113.40, 34.74, 113.50, 34.83
"""Within the shipped town, degrees WGS-84: about 9 by 10 km."""
_STEP_DEG = 0.00025  # about 25 m, and 35 m between findings of one hazard: none is merged
_COLUMNS = int((EAST - WEST) / _STEP_DEG)
MOST = _COLUMNS * int((NORTH - SOUTH) / _STEP_DEG)
"""So many findings, each of a ticket of its own."""
_HAZARDS = ("blockage", "road_damage")
_FIRST_DAY = date(2020, 1, 1)  # what is filed in the bench itself has later numbers
WORDS = (
    "井盖破损",
    "车辆已驶离",
    "重复上报",
    "误报阴影",
    "已修复",
    "无法到达",
    "等待配件",
    "夜间施工",
)


@cache
def yulong() -> Town:
    folder = shipped("configs/yulong")
    return load_town(
        TownSettings(
            cameras=folder / "cameras.csv",
            grids=folder / "grids.geojson",
            duties=folder / "duties.yaml",
        )
    )


@dataclass(slots=True)
class Findings:
    """Incidents at places of their own, so that each makes a ticket. ``at``: Unix seconds."""

    at: float
    taken: int = 0

    def reserve(self, count: int) -> int:
        """The first of so many that nobody else takes.

        Raises BenchError where the town is full of tickets.
        """
        if self.taken + count > MOST:
            raise BenchError(
                "the town has no room for so many tickets",
                where="desk",
                found=f"{self.taken + count} filings in all",
                allowed=f"up to {MOST}",
            )
        self.taken += count
        return self.taken - count

    def take(self, count: int) -> list[Incident]:
        first = self.reserve(count)
        return [finding(number, self.at) for number in range(first, first + count)]


def finding(number: int, at: float) -> Incident:
    """The same for the same number."""
    # Neighbours in time are strangers in place, as in a town.
    row, column = divmod(number * 7919 % MOST, _COLUMNS)
    camera_id = f"YL-{number % 1051 + 1:04}"
    return Incident(
        incident_id=hashlib.sha256(f"bench {number}".encode()).hexdigest()[:20],
        camera_id=camera_id,
        hazard=_HAZARDS[(row + column) % 2],  # type: ignore[arg-type]
        box=(0.41, 0.55, 0.52, 0.61),
        started_at=at - 8,
        confirmed_at=at,
        last_seen_at=at,
        cleared_at=None,
        place=Place(WEST + column * _STEP_DEG, SOUTH + row * _STEP_DEG, 2.0 + number % 13, "pose"),
        score=0.93,
        severity="warning",
        measures={"area_m2": 0.8, "width_m": 1.2},
        trail={
            "rule": "road.hole",
            "kind": "hole",
            "model": "street-n",
            "settings": "0123456789ab",
            "dwell_s": 6.0,
            "obstructed_looks": 1,
            "parts": {"detector": 2.2, "background": 1.1},
            "looks": [[at - 8 + 2 * i, 0.4 + 0.1 * i, "road.hole"] for i in range(5)],
        },
    )


@dataclass(frozen=True, slots=True)
class Later:
    """Another clock, some time ahead."""

    clock: Clock
    ahead_s: float

    def now(self) -> float:
        return self.clock.now() + self.ahead_s

    def steady(self) -> float:
        return self.clock.steady() + self.ahead_s

    def monotonic(self) -> float:
        return self.clock.monotonic()

    def sleep(self, seconds: float, *, until: threading.Event | None = None) -> bool:
        return self.clock.sleep(seconds, until=until)


def questions(count: int) -> dict[str, list[Query]]:
    """Searches as people make them, ``count`` of each kind."""
    rng = random.Random(7)  # noqa: S311
    grids = [grid.code for grid in yulong().grids if grid.level == 3]

    def days() -> dict[str, Any]:
        since = moment(day_of(rng.randrange(1000)))
        return {"since": since, "until": since + 30 * 86400.0}

    def box(side: float) -> tuple[float, float, float, float]:
        west, south = rng.uniform(WEST, EAST - side), rng.uniform(SOUTH, NORTH - side)
        return west, south, west + side, south + side

    kinds: Mapping[str, Any] = {
        "number": lambda: Query(number=f"YL{day_of(rng.randrange(1000))}-000001"),
        "newest": lambda: Query(before=f"YL{day_of(rng.randrange(1000))}-000001"),
        "grid": lambda: Query(grid=rng.choice(grids)),
        "grid_hazard_state": lambda: Query(
            grid=rng.choice(grids), hazard="crowd", state="rejected"
        ),
        "state_days": lambda: Query(state="rejected", **days()),
        "grid_days": lambda: Query(grid=rng.choice(grids), **days()),
        "small_box": lambda: Query(box=box(0.002)),
        "large_box": lambda: Query(box=box(0.07)),
        "box_hazard_days": lambda: Query(box=box(0.02), hazard="crowd", **days()),
        "common_text": lambda: Query(text="豫龙镇"),
        "rare_text": lambda: Query(text=f"{rng.choice(WORDS)}{rng.randrange(10_000)}"),
        "address": lambda: Query(text=f"科学大道{rng.randrange(9000)}号"),
        "text_grid_days": lambda: Query(text=rng.choice(WORDS), grid=rng.choice(grids), **days()),
        "text_box": lambda: Query(text=rng.choice(WORDS), box=box(0.01)),
        "text_nowhere": lambda: Query(text="没有这样的话"),
    }
    return {kind: [make() for _ in range(count)] for kind, make in kinds.items()}


def day_of(number: int) -> str:
    """The local day so long after the first one."""
    return format(_FIRST_DAY + timedelta(days=number), "%Y%m%d")


@cache
def moment(day: str) -> float:
    """Eight in the morning on this local day (Unix seconds)."""
    return datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).timestamp()
