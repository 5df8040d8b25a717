"""My queue: what waits for me, the most urgent first."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.console.cards import card
from pipeline.console.context import console_of, visit_of
from pipeline.console.drawing import draw
from pipeline.console.listing import open_tickets

router = APIRouter()

_SHOWN = 60  # a phone has no use for more; how many were left out is said


@router.get("/queue")
def queue_page(request: Request) -> Response:
    console, visit = console_of(request), visit_of(request)
    now, grids = console.clock.now(), console.desk.town.grids
    tickets = open_tickets(console.desk, visit.by)
    cards = [card(one, visit.by, grids, now, visit.language) for one in tickets[:_SHOWN]]
    return draw(
        request,
        "queue.html",
        mine=[one for one in cards if one.steps],
        others=[one for one in cards if not one.steps],
        left_out=max(0, len(tickets) - _SHOWN),
        overdue=sum(one.deadline.lamp == "red" for one in cards),
    )
