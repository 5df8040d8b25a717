"""Patrol by mouse (鼠标巡逻): a wall of live pictures, one camera, and a report from a picture."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from pipeline.console import words
from pipeline.console.context import Refused, console_of, visit_of
from pipeline.console.drawing import draw
from pipeline.console.reporting import SIDES, Marked, choices, held_shot, marked_in, report_marked
from pipeline.console.rules import RULES, sees
from pipeline.console.walking import grids_with_cameras, page_size, tile_of, walk_of
from pipeline.console.watching import watching_of
from pipeline.tickets import Reported, Shot

router = APIRouter(prefix="/patrol")

_EMPTY = Marked(dict.fromkeys(SIDES, ""), "", "")


@router.get("")
def patrol_page(request: Request, page: int = 1) -> Response:
    console, visit = console_of(request), visit_of(request)
    walk, size = walk_of(request), page_size(request)
    pages = max(1, -(-len(walk.rows) // size))
    page = min(max(1, page), pages)
    shown = walk.rows[(page - 1) * size : page * size]
    ids = [row["camera_id"] for row in shown]
    shots = watching_of(request).shots
    shots.want(ids)
    newest, now = shots.newest(ids), console.clock.now()
    return draw(
        request,
        "patrol.html",
        tiles=[
            tile_of(row, walk.address(one), newest.get(one), now, visit.language)
            for row, one in zip(shown, ids, strict=True)
        ],
        walk=walk,
        grids=grids_with_cameras(request),
        page=page,
        pages=pages,
        again=walk.address(page=page),
        before=walk.address(page=page - 1) if page > 1 else None,
        after=walk.address(page=page + 1) if page < pages else None,
    )


@router.get("/{camera_id}")
def patrol_camera(request: Request, camera_id: str) -> Response:
    console, visit = console_of(request), visit_of(request)
    walk, shots = walk_of(request), watching_of(request).shots
    shots.want([camera_id], "view")
    shot_id = shots.newest([camera_id], "view").get(camera_id)
    before, after = walk.beside(camera_id)
    address = walk.address(camera_id)
    return draw(
        request,
        "patrol_camera.html",
        tile=tile_of(visit.at, address, shot_id, console.clock.now(), visit.language),
        grid=_grid_name(request),
        wall=walk.address(),
        before=before,
        after=after,
        again=address,
    )


@router.get("/{camera_id}/report")
def report_page(request: Request, camera_id: str, shot: str = "") -> Response:
    if not shot:
        return RedirectResponse(f"/patrol/{camera_id}", 303)
    return _form(request, held_shot(request, camera_id, shot), _EMPTY)


@router.post("/{camera_id}/report")
def report_from_picture(request: Request, camera_id: str) -> Response:
    visit, marked = visit_of(request), marked_in(request)
    shot = held_shot(request, camera_id, visit.text("shot"))
    try:
        taken = report_marked(request, camera_id, shot, marked)
    except Refused as error:
        return _form(request, shot, marked, error)
    return _reported(request, taken)


def _form(request: Request, shot: Shot, marked: Marked, error: Refused | None = None) -> Response:
    visit = visit_of(request)
    return draw(
        request,
        "patrol_report.html",
        status=error.status if error else 200,
        shot=shot,
        marked=marked,
        box=_drawn(marked),
        taken=words.clock(shot.taken_at, console_of(request).clock.now(), visit.language),
        choices=choices(request, visit.language),
        said=words.pick(error.say, visit.language) if error else None,
        name=visit.at.get("name") or shot.camera_id,
    )


def _drawn(marked: Marked) -> tuple[float, float, float, float] | None:
    """The box that was sent, for the picture: x, y, width and height in percent."""
    try:
        left, top, right, bottom = (float(marked.sides[side]) for side in SIDES)
    except ValueError:
        return None
    fits = 0 <= left < right <= 100 and 0 <= top < bottom <= 100
    return (left, top, right - left, bottom - top) if fits else None


def _reported(request: Request, taken: Reported) -> Response:
    """On to its ticket, or what there is to know where that isn't the user's or isn't there yet."""
    console, visit = console_of(request), visit_of(request)
    if taken.filing is None:
        return draw(request, "answer.html", status=202, said=visit.say(*_WAITS))
    ticket = console.desk.ticket(taken.filing.ticket_id)
    if sees(RULES["ticket_page"], visit.by, ticket, console.desk.town.grids):
        return RedirectResponse(f"/tickets/{ticket.ticket_id}", 303)
    said = visit.say(
        f"已上报：{ticket.ticket_id}，由{ticket.grid_name}处理",
        f"Reported: {ticket.ticket_id}, it is {ticket.grid_name}'s",
    )
    return draw(request, "answer.html", said=said)


def _grid_name(request: Request) -> str:
    grids, code = console_of(request).desk.town.grids, visit_of(request).at.get("grid")
    return grids.get(code).name if code is not None and code in grids else ""


_WAITS = (
    "已收到，案卷系统恢复后自动立案",
    "It is kept here and is filed as soon as the desk can be reached",
)
