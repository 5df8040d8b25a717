"""The newest picture of a camera, small for a wall or large for who looks at one camera."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.console.watching import picture_response
from pipeline.tickets.shots import Size

router = APIRouter(prefix="/cameras/{camera_id}")


@router.get("/picture")
def camera_picture(
    request: Request, camera_id: str, size: Size = "wall", shot: str | None = None
) -> Response:
    """``shot``: this very picture instead of the newest one, as an earlier answer named it."""
    return picture_response(request, camera_id, size, shot)
