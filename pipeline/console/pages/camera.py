"""One camera: what it does and why, what it went through, where it stands, its zones and marks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.console import words
from pipeline.console.camera_past import DAYS, past_of, said_in
from pipeline.console.camera_place import place_map
from pipeline.console.camera_words import refusal
from pipeline.console.context import Refused, console_of, visit_of
from pipeline.console.drawing import draw
from pipeline.errors import CalibrationError, InputError
from pipeline.tickets import STALE_S
from pipeline.town import Camera, calibrate

if TYPE_CHECKING:
    from pipeline.console.camera_care import CameraCare
    from pipeline.console.words import Pair
    from pipeline.town import Entry

router = APIRouter()


@dataclass(frozen=True, slots=True)
class TakenUp:
    """Whether the box works by the list as it stands: ``yes``, ``waits``, ``no`` or ``nobody``."""

    how: str
    say: Pair


@router.get("/cameras/{camera_id}")
def camera_page(request: Request, camera_id: str, saved: str = "") -> Response:
    console, visit = console_of(request), visit_of(request)
    row, care, now = row_of(request), console.care, console.clock.now()
    entry, trouble = entry_of(care, camera_id)
    camera = entry.camera if entry is not None else None
    grids = console.desk.town.grids
    since_at = row.get("since_at")
    lon, lat = (camera.lon, camera.lat) if camera else (row.get("lon"), row.get("lat"))
    past = None
    if care is not None:
        until = row.get("told_at") or last_told(care, camera_id)
        past = past_of(care, camera_id, now, visit.language, until=until)
    return draw(
        request,
        "camera.html",
        camera=row,
        why=said_in(row.get("why") or "", visit.language),
        since=words.moment(since_at, now, visit.language) if since_at else "",
        lasted=words.span(max(0.0, now - since_at), visit.language) if since_at else "",
        grid=grids.get(row["grid"]) if row.get("grid") in grids else None,
        place=(
            place_map(grids, lon, lat, row["grid"], camera)
            if lon is not None and lat is not None and row.get("grid")
            else None
        ),
        lon=lon,
        lat=lat,
        listed=camera,
        trouble=trouble,
        quality=_quality(camera),
        past=past,
        days=DAYS,
        saved=saved if saved in ("zones", "calibration") else "",
        taken_up=_taken_up(care, row, camera_id) if care is not None and entry else None,
        look_age=_age(row, visit.language),
    )


def row_of(request: Request) -> dict[str, Any]:
    """What the board says of the camera that the address names; the guard has let them see it."""
    row = visit_of(request).camera
    assert row is not None
    return {"name": None, "why": "", "told_at": None, **row, "state": row.get("state") or "unknown"}


def entry_of(care: CameraCare | None, camera_id: str) -> tuple[Entry | None, Pair | None]:
    """The camera's entry in the list as it stands, or why it can't be had."""
    if care is None:
        return None, ("这里没有摄像机清单", "there is no camera list here")
    try:
        return care.lists.entry(camera_id), None
    except InputError as error:
        if error.found == camera_id:
            return None, refusal(error)
        return None, (f"摄像机清单有误：{error}", f"the camera list is wrong: {error}")


def care_of(request: Request) -> CameraCare:
    """Raises Refused (409) where this console has no camera list."""
    care = console_of(request).care
    if care is None:
        raise Refused(409, ("这里没有摄像机清单", "there is no camera list here"))
    return care


def last_told(care: CameraCare, camera_id: str) -> float:
    """When the camera's box was last heard; 0: never."""
    told = care.board.read().get(camera_id)
    return told.told_at if told is not None else 0.0


def _taken_up(care: CameraCare, row: dict[str, Any], camera_id: str) -> TakenUp:
    told = care.board.list_of(camera_id)
    if row["state"] == "unknown" or told is None:
        return TakenUp(
            "nobody",
            (
                "现在没有盒子在看这个摄像机；盒子启动时读取清单。",
                "No box watches this camera now; a box reads the list when it starts.",
            ),
        )
    if told.digest == care.lists.digest():
        return TakenUp(
            "yes",
            (
                f"盒子 {told.host} 已按现在的清单工作。",
                f"Box {told.host} works by the list as it is.",
            ),
        )
    refused = [one for one in care.board.refused_lists() if one.host == told.host]
    if refused and last_told(care, camera_id) - refused[-1].told_at <= STALE_S:
        why = refused[-1].why
        return TakenUp(
            "no",
            (
                f"盒子 {told.host} 没有采用现在的清单：{why}",
                f"Box {told.host} did not take the list as it is: {why}",
            ),
        )
    return TakenUp(
        "waits",
        (
            f"盒子 {told.host} 还在用以前的清单；同一文件的改动 10 秒内采用。",
            f"Box {told.host} still works by the list before; it takes up its file within 10 s.",
        ),
    )


def _quality(camera: Camera | None) -> dict[str, Any] | None:
    """How well the marked points of the list fit."""
    if camera is None or not camera.ground_points:
        return None
    try:
        found = calibrate(camera, camera.ground_points)
    except CalibrationError as error:
        return {"problem": refusal(error)}
    return {
        "problem": None,
        "count": len(found.errors_m),
        "whole_m": f"{found.whole_m:.2f}",
        "worst_m": f"{max(found.errors_m):.2f}",
        "proves_nothing": found.proves_nothing,
    }


def _age(row: dict[str, Any], language: words.Language) -> str:
    """How old the newest look is."""
    age_s = row.get("look_age_s")
    if age_s is None:
        return ""
    if age_s < 60:
        return words.pick((f"{age_s:.0f} 秒前", f"{age_s:.0f} s ago"), language)
    span = words.span(age_s, language)
    return words.pick((f"{span}前", f"{span} ago"), language)
