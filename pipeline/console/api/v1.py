"""Version 1 of the API. Its document: docs/schema/openapi.json."""

from __future__ import annotations

from typing import Annotated, Any

import shapely
from fastapi import APIRouter, Query, Request, Security
from fastapi.security import HTTPBearer
from starlette.responses import Response

from pipeline.console.acting import Command, act
from pipeline.console.api.models import (
    ActionBody,
    CameraRow,
    GridCollection,
    GridFeature,
    Me,
    Problem,
    TicketRow,
    TicketWhole,
    ticket_row,
    ticket_whole,
)
from pipeline.console.context import console_of, visit_of
from pipeline.console.guard import address_of
from pipeline.console.listing import open_tickets
from pipeline.console.pages.cameras import camera_rows
from pipeline.console.pages.ticket import Kind, ticket_picture
from pipeline.hazards.incident import Hazard
from pipeline.tickets.transitions import Action, State
from pipeline.tickets.wire import at

_DIGITS = 6  # of a degree: 0.1 m

_problems: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "no token, or one that holds no more"},
    403: {"model": Problem, "description": "not for this role, or another grid's"},
    503: {"model": Problem, "description": "the desk can't be reached now: try again"},
}
_of_a_ticket = _problems | {404: {"model": Problem, "description": "no such ticket"}}

router = APIRouter(
    prefix="/api/v1",
    responses=_problems,
    dependencies=[Security(HTTPBearer(auto_error=False, description="token of the account page"))],
)


@router.get("/me")
def api_me(request: Request) -> Me:
    """Who asks."""
    user = visit_of(request).by
    return Me(name=user.name, role=user.role, grids=sorted(user.grids))


@router.get("/tickets")
def api_tickets(
    request: Request,
    grid: Annotated[str | None, Query(description="only of this grid")] = None,
    state: Annotated[State | None, Query(description="only in this state")] = None,
    hazard: Annotated[Hazard | None, Query(description="only this hazard")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[TicketRow]:
    """Open tickets of the user's grids, the most urgent first."""
    console, user = console_of(request), visit_of(request).by
    if grid is not None:
        console.desk.town.grids.get(grid)  # an unknown one is said to be unknown
    found = [
        ticket
        for ticket in open_tickets(console.desk, user)
        if (grid is None or ticket.grid_code == grid)
        and (state is None or ticket.state == state)
        and (hazard is None or ticket.hazard == hazard)
    ]
    return [ticket_row(ticket, user, console) for ticket in found[:limit]]


@router.get("/tickets/{ticket_id}", responses=_of_a_ticket)
def api_ticket(request: Request, ticket_id: str) -> TicketWhole:  # noqa: ARG001 - read by the guard
    """One ticket with its history."""
    visit = visit_of(request)
    return ticket_whole(visit.on, visit.by, console_of(request))


@router.get(
    "/tickets/{ticket_id}/pictures/{number}/{kind}",
    responses={**_of_a_ticket, 200: {"content": {"image/jpeg": {}, "video/mp4": {}}}},
    response_class=Response,
)
def api_ticket_picture(
    request: Request,
    ticket_id: str,  # noqa: ARG001 - read by the guard
    number: int,
    kind: Kind,
) -> Response:
    """A picture of the ticket, with the hazard's box, without, or small; or what came later.

    `clip` is an MP4, `after` shows the place without the hazard, `pair` before and after.
    """
    return ticket_picture(request, number, kind)


@router.post(
    "/tickets/{ticket_id}/{action}",
    responses={
        **_of_a_ticket,
        409: {"model": Problem, "description": "the ticket has moved away; nothing was done"},
    },
)
def api_ticket_action(
    request: Request,
    ticket_id: str,  # noqa: ARG001 - read by the guard
    action: Action,
    body: ActionBody,
) -> TicketWhole:
    """Take a step; ``actions`` of the ticket says which may be taken."""
    console, visit = console_of(request), visit_of(request)
    command = Command(
        action, body.command_id, body.note, version=body.version, origin=address_of(request)
    )
    return ticket_whole(act(console, visit.by, visit.on, command), visit.by, console)


@router.get("/cameras")
def api_cameras(request: Request) -> list[CameraRow]:
    """Cameras in the user's grids; those in trouble first."""
    return [
        CameraRow(
            **{
                name: row.get(name) for name in ("camera_id", "name", "state", "grid", "lon", "lat")
            },
            why=row.get("why") or "",
            since_at=at(row["since_at"]) if row.get("since_at") else None,
        )
        for row in camera_rows(console_of(request), visit_of(request).by)
    ]


@router.get("/grids")
def api_grids(request: Request) -> GridCollection:
    """The grid map without its micro-grids."""
    user, grids = visit_of(request).by, console_of(request).desk.town.grids
    return GridCollection(
        features=[
            GridFeature(
                geometry=shapely.geometry.mapping(shapely.set_precision(grid.shape, 10**-_DIGITS)),
                properties={
                    "code": grid.code,
                    "name": grid.name,
                    "level": grid.level,
                    "kind": grid.kind,
                    "own": user.owns(grid.code, grids),
                },
            )
            for grid in grids
            if grid.kind != "micro"
        ]
    )


@router.get("/openapi.json", include_in_schema=False)
def api_document(request: Request) -> dict[str, Any]:
    """The description of all this."""
    document: dict[str, Any] = request.app.openapi()
    return document
