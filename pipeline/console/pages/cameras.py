"""Cameras: which are well, which aren't, and why."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.console import words
from pipeline.console.accounts import User
from pipeline.console.context import Console, console_of, visit_of
from pipeline.console.drawing import draw
from pipeline.console.rules import RULES, reaches

router = APIRouter()

_SHOWN = 100  # a town has a thousand; those in trouble come first


@router.get("/cameras")
def cameras_page(request: Request, state: str = "") -> Response:
    console, visit = console_of(request), visit_of(request)
    now = console.clock.now()
    rows = camera_rows(console, visit.by)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["state"]] = counts.get(row["state"], 0) + 1
    shown = [row for row in rows if state in ("", row["state"])]
    for row in shown[:_SHOWN]:
        since_at = row.get("since_at")
        row["for"] = words.span(max(0.0, now - since_at), visit.language) if since_at else ""
    return draw(
        request,
        "cameras.html",
        cameras=shown[:_SHOWN],
        left_out=max(0, len(shown) - _SHOWN),
        counts=sorted(counts.items(), key=lambda one: (one[0] == "live", one[0])),
        total=len(rows),
        state=state,
    )


def camera_rows(console: Console, user: User) -> list[dict[str, Any]]:
    """The cameras in the user's grids; those in trouble first. An unknown state says so."""
    grids, rule = console.desk.town.grids, RULES["cameras_page"]
    rows = [
        {"name": None, "why": "", **row, "state": row.get("state") or "unknown"}
        for row in console.cameras()
        if reaches(rule, user, row.get("grid"), grids)
    ]
    rows.sort(
        key=lambda one: (one["state"] == "live", one["state"] == "disabled", one["camera_id"])
    )
    return rows
