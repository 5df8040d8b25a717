"""A town of two grids, and findings in it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from redis import Redis
from shapely.geometry import box

from pipeline.clock import ManualClock
from pipeline.hazards.incident import Incident
from pipeline.tickets import Desk, Report
from pipeline.town.duties import Duties, Duty, Limit
from pipeline.town.grids import Grid, GridMap
from pipeline.town.holidays import Holidays
from pipeline.town.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = 1_795_406_400.0  # Monday 2026-11-23 04:00 UTC, noon in China
LON, LAT = 113.445, 34.785  # the border of the two grids runs along this longitude
WEST, EAST, TOWN = "410182102001001", "410182102001002", "410182102"
HOUR = 3600.0
DEGREE_M = 91_400.0  # a degree of longitude here, within 0.2 %


@dataclass(frozen=True)
class SmallTown:
    """Two third-level grids side by side in one township."""

    grids: GridMap
    duties: Duties
    holidays: Holidays = field(default_factory=Holidays)


def grid(code: str, name: str, level: int, parent: str | None, west: float, east: float) -> Grid:
    shape = box(LON + west, LAT - 0.02, LON + east, LAT + 0.02)
    return Grid(code, name, level, "standard", parent, (), shape)  # type: ignore[arg-type]


def duty(
    hazard: str,
    code: str,
    name: str,
    radius_m: float,
    filing: str = "auto",
    kind: str | None = None,
    severity: str = "notice",
    verify: str = "person",
    *,
    emergency: bool = False,
) -> Duty:
    return Duty(
        hazard=hazard,  # type: ignore[arg-type]
        kind=kind,
        event_code=code,
        name_zh=name,
        name_en=hazard.replace("_", " "),
        department="城市管理",
        accept_limit=Limit.parse("1h"),
        handle_limit=Limit.parse("7d" if hazard == "road_damage" else "24h"),
        calendar="wall",
        filing=filing,  # type: ignore[arg-type]
        severity=severity,  # type: ignore[arg-type]
        radius_m=radius_m,
        verify=verify,  # type: ignore[arg-type]
        emergency=emergency,
    )


def small_town(verify: str = "person", *, emergency: bool = False) -> SmallTown:
    """``emergency``: collapses and crowds are the emergency office's business, too."""
    grids = GridMap(
        [
            grid("410182102", "豫龙镇", 1, None, -0.02, 0.02),
            grid("410182102001001", "西村一网格", 3, "410182102", -0.02, 0.0),
            grid("410182102001002", "东村二网格", 3, "410182102", 0.0, 0.02),
        ]
    )
    duties = Duties(
        [
            duty("road_collapse", "04-01", "路面塌陷", 15, verify=verify, emergency=emergency),
            duty("road_damage", "01-10", "道路破损", 15),
            duty("blockage", "01-12", "道路遗撒", 20),
            duty("blockage", "04-X1", "交通事故占道", 20, kind="crash", severity="emergency"),
            duty("crowd", "04-09", "群发性事件", 50, filing="review", emergency=emergency),
        ]
    )
    return SmallTown(grids, duties)


def town_with(border_m: float, *more: Grid) -> SmallTown:
    """The border of the two grids runs so many metres east of where it was."""
    border = border_m / DEGREE_M
    grids = [
        grid(TOWN, "豫龙镇", 1, None, -0.02, 0.02),
        grid(WEST, "西村一网格", 3, TOWN, -0.02, border),
        grid(EAST, "东村二网格", 3, TOWN, border, 0.02),
    ]
    return replace(small_town(), grids=GridMap([*grids, *more]))


def working_town(border_m: float) -> SmallTown:
    """Debris is handled by working time; the rest by the clock."""
    duties = [one for one in small_town().duties if one.kind or one.hazard != "blockage"]
    debris = replace(duty("blockage", "01-12", "道路遗撒", 20), handle_limit=Limit.parse("4wh"))
    return replace(town_with(border_m), duties=Duties([*duties, debris]))


def incident(
    number: int = 0,
    *,
    hazard: str = "road_collapse",
    camera: str = "cam-1",
    east_m: float = 300.0,
    north_m: float = 0.0,
    radius_m: float = 3.0,
    at: float = NOON,
    severity: str = "warning",
    **more: object,
) -> Incident:
    """A finding ``east_m`` metres east of the border of the two grids."""
    made = Incident(
        incident_id=sha256(f"{camera}/{number}/{hazard}/{at}".encode()).hexdigest()[:20],
        camera_id=camera,
        hazard=hazard,  # type: ignore[arg-type]
        box=(0.4, 0.5, 0.5, 0.6),
        started_at=at - 8,
        confirmed_at=at,
        last_seen_at=at,
        cleared_at=None,
        place=Place(LON + east_m / DEGREE_M, LAT + north_m / 110_940.0, radius_m, "pose"),
        score=0.9,
        severity=severity,  # type: ignore[arg-type]
        measures={"area_m2": 1.5},
        trail={"rule": "road.hole", "model": "street-n"},
    )
    return replace(made, **more)  # type: ignore[arg-type]


def everything(redis: Redis, desk: Desk) -> dict[str, object]:
    """All that this desk keeps, to see that nothing changed."""
    return {key: redis.dump(key) for key in redis.scan_iter(f"{{{desk._keys.prefix}}}*")}


def report(number: int = 0, *, east_m: float | None = 300.0, **more: object) -> Report:
    """What a resident says is ``east_m`` metres east of the border; None: who knows where."""
    made = Report(
        report_id=f"R{number:020d}",
        source="resident",
        by="郑好拍",
        hazard="road_collapse",
        kind=None,
        place=None if east_m is None else Place(LON + east_m / DEGREE_M, LAT, 25.0, "reported"),
        address="",
        description="路上有个坑",
        reported_at=NOON,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def wait_until(true: Callable[[], bool], *, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def file_often(socket_path: str, prefix: str, times: int, camera: str) -> list[str]:
    """What one box of several does: the same incident many times, and one of its own."""
    with Redis(unix_socket_path=socket_path, decode_responses=True) as redis:
        desk = Desk(redis, small_town(), clock=ManualClock(NOON), prefix=prefix)
        own = desk.file(incident(camera=camera)).ticket_id
        return [own] + [desk.file(incident()).ticket_id for _ in range(times)]
