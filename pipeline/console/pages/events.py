"""Live updates, as server-sent events."""

from __future__ import annotations

from fastapi import APIRouter, Request
from sse_starlette import EventSourceResponse

from pipeline.console.context import console_of, visit_of

router = APIRouter()

_PING_S = 25  # proxies close what is silent for a minute


@router.get("/events")
async def events(request: Request) -> EventSourceResponse:
    """``changed``: an object of ticket -> how many steps it has now."""
    console, visit = console_of(request), visit_of(request)
    secret = visit.secret

    def holds() -> bool:
        return secret is not None and console.accounts.of_session(secret) is not None

    stream = request.app.state.live.stream(visit.by, holds)
    return EventSourceResponse(stream, ping=_PING_S, headers={"X-Accel-Buffering": "no"})
