"""What the bench of the desk files and archives: findings all over the shipped town."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from pipeline.hazards import Incident
from pipeline.settings import TownSettings
from pipeline.shipped import shipped
from pipeline.tickets import Query
from pipeline.town import Place, load_town

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.clock import Clock
    from pipeline.tickets import Archive
    from pipeline.tickets.archive.packed import Packed
    from pipeline.town import Town

BENCH = "bench"
"""Prefix of its keys, and name of its archive's town."""

WEST, SOUTH, EAST, NORTH = 113.40, 34.74, 113.50, 34.83
"""Within the shipped town, degrees WGS-84: about 9 by 10 km."""
_STEP_DEG = 0.00025  # about 25 m, and 35 m between findings of one hazard: none is merged
_HAZARDS = ("blockage", "road_damage")
_BATCH = 1000
_FIRST_DAY = date(2024, 1, 1)
_WORDS = (
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


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each call, and microseconds that Redis was busy with a filing on average."""

    filings: Sequence[float]
    bare: Sequence[float]
    in_redis_us: float = 0.0

    def rate(self) -> tuple[float, float]:
        """Filings and bare writes a second, one after the other."""
        return len(self.filings) / sum(self.filings), len(self.bare) / sum(self.bare)


@dataclass(slots=True)
class Findings:
    """Incidents at places of their own, so that each makes a ticket. ``at``: Unix seconds."""

    at: float
    taken: int = 0

    def take(self, count: int) -> list[Incident]:
        first, self.taken = self.taken, self.taken + count
        return [finding(number, self.at) for number in range(first, self.taken)]


def finding(number: int, at: float) -> Incident:
    """The same for the same number."""
    columns = int((EAST - WEST) / _STEP_DEG)
    # Neighbours in time are strangers in place, as in a town.
    place = number * 7919 % (columns * int((NORTH - SOUTH) / _STEP_DEG))
    row, column = divmod(place, columns)
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
        place=Place(WEST + column * _STEP_DEG, SOUTH + row * _STEP_DEG, 3.0, "pose"),
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


def fill(archive: Archive, model: Packed, count: int, tell: Any) -> None:
    """Archive so many tickets like ``model``, over three years and the whole town."""
    batch: list[Packed] = []
    for done, packed in enumerate(_likenesses(model, count)):
        batch.append(packed)
        if len(batch) == _BATCH:
            tell("预置归档案卷 / filling the archive", done, count)
            archive.write(batch)
            batch = []
    archive.write(batch)


def _likenesses(model: Packed, count: int) -> Iterator[Packed]:
    rng = random.Random(6)  # noqa: S311 - a town, not a secret
    grids = [grid for grid in yulong().grids if grid.level == 3]
    steps = [json.loads(step) for step in model.steps]
    (incident_id,) = model.hash("incidents")
    incident = model.hash("incidents")[incident_id]
    per_day = count // 1096 + 1
    for number in range(count):
        day, of_day = divmod(number, per_day)
        ticket_id = f"YL{_day(day)}-{of_day + 1:06}"
        yield _likeness(model, ticket_id, steps, incident, rng, grids)


def _likeness(
    model: Packed,
    ticket_id: str,
    steps: list[dict[str, Any]],
    incident: str,
    rng: random.Random,
    grids: list[Any],
) -> Packed:
    grid = rng.choice(grids)
    at = _moment(ticket_id[2:10]) + rng.random() * 3600
    rejected = rng.random() < 0.05
    state = "rejected" if rejected else "closed"
    note = f"{rng.choice(_WORDS)}{rng.randrange(10_000)}"
    began = steps[0]["at"]
    told = [
        {**step, "at": at + step["at"] - began, "note": note if step is steps[-1] else ""}
        for step in steps
    ]
    told[-1] |= {"action": "reject" if rejected else "close", "state": state}
    ground = {
        **json.loads(model.fields["ground"]),
        "grid_code": grid.code,
        "grid_name": grid.name,
        "address": f"豫龙镇{grid.name}，科学大道{rng.randrange(9000)}号附近",
    }
    fields = {
        **model.fields,
        "state": state,
        "hazard": rng.choice(("road_damage", "road_collapse", "blockage", "crowd")),
        "grid": grid.code,
        "ground": json.dumps(ground, ensure_ascii=False),
        "lon": repr(rng.uniform(WEST, EAST)),
        "lat": repr(rng.uniform(SOUTH, NORTH)),
        "filed_at": repr(at),
        "closed_at": repr(at + 3600),
    }
    incident_id = hashlib.sha256(ticket_id.encode()).hexdigest()[:20]
    parts = {
        **model.parts,
        "": ("hash", _flat(fields)),
        "incidents": ("hash", (incident_id, incident)),
        "steps": ("list", tuple(json.dumps(one, ensure_ascii=False) for one in told)),
    }
    return replace(model, ticket_id=ticket_id, take=1, digest=incident_id, parts=parts)


def questions(count: int) -> dict[str, list[Query]]:
    """Searches as people make them, ``count`` of each kind."""
    rng = random.Random(7)  # noqa: S311
    grids = [grid.code for grid in yulong().grids if grid.level == 3]

    def days() -> dict[str, Any]:
        since = _moment(_day(rng.randrange(1000)))
        return {"since": since, "until": since + 30 * 86400.0}

    def box(side: float) -> tuple[float, float, float, float]:
        west, south = rng.uniform(WEST, EAST - side), rng.uniform(SOUTH, NORTH - side)
        return west, south, west + side, south + side

    kinds: Mapping[str, Any] = {
        "number": lambda: Query(number=f"YL{_day(rng.randrange(1000))}-000001"),
        "newest": lambda: Query(before=f"YL{_day(rng.randrange(1000))}-000001"),
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
        "rare_text": lambda: Query(text=f"{rng.choice(_WORDS)}{rng.randrange(10_000)}"),
        "address": lambda: Query(text=f"科学大道{rng.randrange(9000)}号"),
        "text_grid_days": lambda: Query(text=rng.choice(_WORDS), grid=rng.choice(grids), **days()),
        "text_box": lambda: Query(text=rng.choice(_WORDS), box=box(0.01)),
        "text_nowhere": lambda: Query(text="没有这样的话"),
    }
    return {kind: [make() for _ in range(count)] for kind, make in kinds.items()}


def _day(number: int) -> str:
    """The local day so long after the first one."""
    return format(_FIRST_DAY + timedelta(days=number), "%Y%m%d")


@cache
def _moment(day: str) -> float:
    """Eight in the morning on this local day (Unix seconds)."""
    return datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).timestamp()


def _flat(pairs: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(text for pair in pairs.items() for text in pair)
