"""The zones of a camera, drawn on its picture."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from pipeline.console import camera_care
from pipeline.console.camera_words import ZONE_KINDS
from pipeline.console.context import Refused, console_of, visit_of
from pipeline.console.drawing import draw
from pipeline.console.guard import by_of
from pipeline.console.pages.camera import care_of, entry_of, row_of

router = APIRouter()


@router.get("/cameras/{camera_id}/zones")
def zones_page(request: Request, camera_id: str) -> Response:
    return _page(request, camera_id)


@router.post("/cameras/{camera_id}/zones")
def save_zones(request: Request, camera_id: str) -> Response:
    visit = visit_of(request)
    drawn = visit.text("zones")
    try:
        camera_care.save_zones(
            care_of(request),
            camera_id,
            camera_care.read_zones(drawn),
            visit.text("mark"),
            by_of(request),
        )
    except Refused as error:
        return _page(request, camera_id, error, drawn)
    return RedirectResponse(f"/cameras/{camera_id}?saved=zones", 303)


def _page(
    request: Request, camera_id: str, error: Refused | None = None, drawn: str | None = None
) -> Response:
    """``drawn``: what the person drew, when it could not be saved; it is not lost."""
    visit, care = visit_of(request), console_of(request).care
    row = row_of(request)
    entry, trouble = entry_of(care, camera_id)
    listed = camera_care.written_zones(entry.camera.zones) if entry else "[]"
    return draw(
        request,
        "zones.html",
        status=error.status if error else 200,
        camera=row,
        said=visit.say(*error.say) if error else "",
        trouble=trouble,
        why_not=care.why_not(camera_id) if care is not None else None,
        mark=entry.mark if entry else "",
        listed=listed,
        zones=listed if drawn is None else drawn,
        differs=drawn is not None and drawn != listed,
        kinds=ZONE_KINDS,
    )
