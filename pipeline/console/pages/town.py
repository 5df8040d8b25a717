"""The whole town at once: the map, and what command looks at."""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.console.cards import card, is_overdue
from pipeline.console.context import console_of, visit_of
from pipeline.console.drawing import draw
from pipeline.console.listing import open_tickets
from pipeline.tickets.transitions import WAITING

router = APIRouter()

_SHOWN = 40
_GRIDS_SHOWN = 60


@router.get("/map")
def map_page(request: Request) -> Response:
    console, visit = console_of(request), visit_of(request)
    now, grids = console.clock.now(), console.desk.town.grids
    tickets = open_tickets(console.desk, visit.by)
    west, south, east, north = grids.top.shape.bounds
    return draw(
        request,
        "map.html",
        cards=[card(one, visit.by, grids, now, visit.language) for one in tickets[:_SHOWN]],
        left_out=max(0, len(tickets) - _SHOWN),
        bounds=f"{west} {south} {east} {north}",
        tiles=console.settings.tiles or "",
    )


@router.get("/command")
def command_page(request: Request) -> Response:
    console, visit = console_of(request), visit_of(request)
    now, grids = console.clock.now(), console.desk.town.grids
    tickets = open_tickets(console.desk, visit.by)
    overdue = [one for one in tickets if is_overdue(one, now)]
    escalated = [one for one in tickets if one.state == "escalated"]
    pressing = [
        one
        for one in tickets
        if one.severity == "emergency" or one.state == "escalated" or is_overdue(one, now)
    ]
    waiting, late = (
        Counter(one.grid_code for one in group)
        for group in ([one for one in tickets if one.state in WAITING], overdue)
    )
    load = Counter(one.grid_code for one in tickets)
    rows = [
        {
            "code": code,
            "name": grids.get(code).name if code in grids else code,
            "open": count,
            "waiting": waiting[code],
            "overdue": late[code],
            "members": len(grids.get(code).members) if code in grids else 0,
        }
        for code, count in sorted(load.items(), key=lambda one: (-late[one[0]], -one[1], one[0]))
    ]
    return draw(
        request,
        "command.html",
        open=len(tickets),
        waiting=sum(waiting.values()),
        overdue=len(overdue),
        escalated=len(escalated),
        emergencies=sum(one.severity == "emergency" for one in tickets),
        cards=[card(one, visit.by, grids, now, visit.language) for one in pressing[:_SHOWN]],
        left_out=max(0, len(pressing) - _SHOWN),
        rows=rows[:_GRIDS_SHOWN],
        staffed=any(row["members"] for row in rows),
        rows_left_out=max(0, len(rows) - _GRIDS_SHOWN),
    )
