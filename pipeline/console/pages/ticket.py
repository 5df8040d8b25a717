"""One ticket: what, where, how long left, and what may be done now."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response

from pipeline.console import words
from pipeline.console.acting import Command, MovedAwayError, act
from pipeline.console.cards import card, photo_name
from pipeline.console.context import Refused, console_of, visit_of
from pipeline.console.drawing import draw

router = APIRouter(prefix="/tickets/{ticket_id}")

Kind = Literal["annotated", "plain", "thumb"]
_FOREVER = {"Cache-Control": "private, max-age=86400, immutable"}  # a name stands for one picture


@router.get("")
def ticket_page(request: Request) -> Response:
    return _page(request)


@router.get("/pictures/{number}/{kind}")
def ticket_picture(request: Request, number: int, kind: Kind) -> Response:
    visit, pictures = visit_of(request), console_of(request).pictures
    if not 0 <= number < len(visit.on.evidence):
        raise Refused(404, ("没有这张图片", "there is no such picture"))
    evidence = visit.on.evidence[number]
    if kind == "thumb":
        data = pictures.thumb(evidence.annotated)
    else:
        data = pictures.read(getattr(evidence, kind))
    return Response(data, media_type="image/jpeg", headers=_FOREVER)


@router.get("/photos/{name}")
def ticket_photo(request: Request, name: str) -> Response:
    """A photo of the staff's, by the step it came with."""
    ticket = visit_of(request).on
    for step in ticket.steps:
        path = step.facts.get("picture")
        if path and photo_name(path) == name:
            data = console_of(request).pictures.read(path)
            return Response(data, media_type="image/jpeg", headers=_FOREVER)
    raise Refused(404, ("没有这张照片", "there is no such photo"))


@router.post("/{action}")
async def ticket_action(request: Request, action: str) -> Response:
    visit = visit_of(request)
    photo = visit.form.get("photo") if visit.form is not None else None
    data = await photo.read() if isinstance(photo, UploadFile) else None
    version = visit.text("version")
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise Refused(
            422, ("请求不完整，请刷新后再试", "version: the ticket's that the page showed")
        )
    command = Command(
        action, visit.text("command_id"), visit.text("note"), data, version=int(version)
    )
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
    return draw(
        request,
        "ticket.html",
        status=error.status if error else 200,
        card=shown,
        said=words.pick(error.say, visit.language) if error else None,
        done=request.query_params.get("done"),
        now=console.clock.now(),
        note=note,
        wanted=action if action in shown.steps else "",
        near=[grids.get(code).name for code in visit.on.near_grids if code in grids],
    )
