"""One ticket: what, where, how long left, and what may be done now."""

from __future__ import annotations

import json
from typing import Literal

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from pipeline.console import words
from pipeline.console.acting import Command, MovedAwayError, act
from pipeline.console.ahead import ahead_of, later_steps
from pipeline.console.cards import card, pairs_of
from pipeline.console.context import Refused, console_of, visit_of
from pipeline.console.drawing import draw
from pipeline.console.evidence import evidence_response, thumb_response
from pipeline.console.pages.steps import command_of
from pipeline.console.plan import Plan, plan_of, reach_m
from pipeline.console.rules import RULES, sees

router = APIRouter(prefix="/tickets/{ticket_id}")

Kind = Literal["annotated", "plain", "thumb", "clip", "after", "pair"]


@router.get("")
def ticket_page(request: Request) -> Response:
    return _page(request)


@router.get("/pictures/{number}/{kind}")
def ticket_picture(request: Request, number: int, kind: Kind) -> Response:
    evidence = visit_of(request).on.evidence
    if not 0 <= number < len(evidence):
        raise Refused(404, ("没有这张图片", "there is no such picture"))
    if kind == "thumb":
        return thumb_response(request, evidence[number].annotated)
    name = getattr(evidence[number], kind)
    if name is None:
        raise Refused(404, ("没有这张图片", "there is no such picture"))
    return evidence_response(request, name)


@router.get("/photos/{step}")
def ticket_photo(request: Request, step: int) -> Response:
    """A picture that came with a step, by the step's number in the history, from 0."""
    steps = visit_of(request).on.steps
    if not 0 <= step < len(steps) or "picture" not in steps[step].facts:
        raise Refused(404, ("没有这张照片", "there is no such photo"))
    return evidence_response(request, steps[step].facts["picture"])


@router.post("/{action}")
async def ticket_action(request: Request, action: str) -> Response:
    command = await command_of(request, action)
    return await run_in_threadpool(_act, request, command)


def _act(request: Request, command: Command) -> Response:
    console, visit = console_of(request), visit_of(request)
    try:
        moved = act(console, visit.by, visit.on, command)
    except MovedAwayError as error:
        visit.ticket = error.ticket
        return _page(request, error, note=command.note, action=command.action)
    except Refused as error:
        if error.status not in (422, 503):
            raise
        return _page(request, error, note=command.note, action=command.action)
    back = "/queue" if visit.text("from") == "queue" else f"/tickets/{visit.on.ticket_id}"
    # Closed only when the camera's check is done too, where the duty asks for one.
    waits = command.action == "close" and moved.state == "fed_back"
    return RedirectResponse(f"{back}?done={'verify' if waits else command.action}", 303)


def _page(
    request: Request, error: Refused | None = None, *, note: str = "", action: str = ""
) -> Response:
    """``note`` is what the user wrote with ``action``, when it could not be taken."""
    console, visit = console_of(request), visit_of(request)
    grids = console.desk.town.grids
    shown = card(visit.on, visit.by, grids, console.clock.now(), visit.language)
    ahead = ahead_of(visit.by, visit.on, grids)
    return draw(
        request,
        "ticket.html",
        status=error.status if error else 200,
        headers={"X-Gridwatch-Version": str(visit.on.version)},
        ahead=json.dumps(ahead),  # in its order
        later=later_steps(ahead, visit.on.state),
        plan=_plan(request),
        pairs=pairs_of(visit.on, console.clock.now(), visit.language),
        card=shown,
        said=words.pick(error.say, visit.language) if error else None,
        done=request.query_params.get("done"),
        now=console.clock.now(),
        note=note,
        wanted=action if action in shown.steps else "",
        near=[grids.get(code).name for code in visit.on.near_grids if code in grids],
    )


def _plan(request: Request) -> Plan | None:
    """The surroundings, with the other open tickets that this user may see."""
    console, visit = console_of(request), visit_of(request)
    ticket, grids = visit.on, console.desk.town.grids
    reach = reach_m(ticket.place)
    if reach is None:
        return None
    rule = RULES["ticket_page"]
    near = [
        one for one in console.desk.near(ticket.place, reach) if sees(rule, visit.by, one, grids)
    ]
    return plan_of(ticket, near, grids, console.settings.tiles)
