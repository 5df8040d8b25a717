"""What was looked at when: no ticket doesn't mean that nobody looked, and here it can be told."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.console import words
from pipeline.console.context import Refused, console_of, visit_of
from pipeline.console.covering import (
    DAY_S,
    SLOTS,
    begin_of,
    by_need,
    day_of,
    hours_of,
    line_of,
    mark_of,
)
from pipeline.console.drawing import draw
from pipeline.console.walking import grids_with_cameras, walk_of
from pipeline.console.watching import watching_of
from pipeline.tickets import CoverageLedger
from pipeline.tickets.coverage_strip import strips

router = APIRouter(prefix="/coverage")

_SHOWN = 60  # cameras of a grid


@router.get("")
def coverage_page(request: Request, day: str = "") -> Response:
    console, visit = console_of(request), visit_of(request)
    wanted = day_of(day, console.clock.now())
    grids = grids_with_cameras(request)
    code = request.query_params.get("grid") or (grids[0][0] if grids else "")
    walk = walk_of(request)
    begin = begin_of(wanted)
    forgotten = _ledger(request).forgets(begin)
    rows = [] if forgotten else [r for r in walk.rows if walk.asked or r.get("grid") == code]
    ids = [row["camera_id"] for row in rows]
    found = strips(_ledger(request), ids, begin, begin + DAY_S, SLOTS)
    lines = by_need(
        [line_of(row, one, visit.language) for row, one in zip(rows, found, strict=True)]
    )
    return draw(
        request,
        "coverage.html",
        lines=lines[:_SHOWN],
        left_out=max(0, len(lines) - _SHOWN),
        never=sum(line.never for line in lines),
        grids=grids,
        code=code,
        forgotten=forgotten,
        **_days(request, wanted, "/coverage", grid=code),
    )


@router.get("/{camera_id}")
def coverage_camera(request: Request, camera_id: str, day: str = "") -> Response:
    console, visit = console_of(request), visit_of(request)
    wanted, ledger = day_of(day, console.clock.now()), _ledger(request)
    begin = begin_of(wanted)
    (strip,) = strips(ledger, [camera_id], begin, begin + DAY_S, SLOTS)
    gaps = ledger.gaps(camera_id, begin, begin + DAY_S) if strip.slots[0].over else []
    now = console.clock.now()
    return draw(
        request,
        "coverage_camera.html",
        line=line_of(visit.at, strip, visit.language),
        hours=[(slot, mark_of(slot)) for slot in hours_of(strip)],
        gaps=sorted(gaps, key=lambda gap: gap.from_at - gap.to_at)[:_SHOWN],
        now=now,
        forgotten=ledger.forgets(begin),
        wall=f"/coverage?{urlencode({'grid': visit.at.get('grid') or '', 'day': wanted})}",
        **_days(request, wanted, f"/coverage/{camera_id}"),
    )


def _ledger(request: Request) -> CoverageLedger:
    ledger = watching_of(request).ledger
    if ledger is None:
        raise Refused(404, ("这里没有覆盖记录", "there is no record of looks here"))
    return ledger


def _days(request: Request, day: date, path: str, **asked: str) -> dict[str, Any]:
    """The day, and the addresses of those beside it."""
    now, language = console_of(request).clock.now(), visit_of(request).language
    today = day_of("", now)

    def at(other: date) -> str:
        return f"{path}?{urlencode({**asked, 'day': other.isoformat()})}"

    return {
        "day": day.isoformat(),
        "today": today.isoformat(),
        "before": at(day - timedelta(days=1)) if day > date.min + timedelta(days=9) else None,
        "after": at(day + timedelta(days=1)) if day < today else None,
        "called_day": words.pick(("今天", "today"), language) if day == today else "",
    }
