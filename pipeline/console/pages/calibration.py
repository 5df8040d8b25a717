"""Calibration of a camera: the same points marked in its picture and on the map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from pipeline.console import camera_care
from pipeline.console.camera_care import DATUMS, read_points, written_points
from pipeline.console.camera_words import DATUMS as DATUM_NAMES
from pipeline.console.camera_words import point_of, refusal
from pipeline.console.context import Refused, console_of, visit_of
from pipeline.console.drawing import draw
from pipeline.console.guard import by_of
from pipeline.console.pages.camera import care_of, entry_of, row_of
from pipeline.errors import CalibrationError
from pipeline.town import WIDESCREEN, calibrate, from_wgs84

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.console.words import Pair
    from pipeline.town import Calibration, Camera, Entry, GroundPoint

router = APIRouter()

_NARROWEST = 0.2  # width over height of a picture


@dataclass(frozen=True, slots=True)
class _Marked:
    """What a person marked and how well it fits, or why it gives no plane."""

    found: Calibration | None
    problem: Pair | None = None
    point: int | None = None
    """The number of the point that is to blame, where one is."""


@router.get("/cameras/{camera_id}/calibration")
def calibration_page(request: Request, camera_id: str) -> Response:
    return _page(request, camera_id)


@router.post("/cameras/{camera_id}/calibration/check")
def check_calibration(request: Request, camera_id: str) -> Response:
    """How well points fit, for the page's script, or as a page for browsers without scripts."""
    visit = visit_of(request)
    told, datum = visit.text("points"), visit.text("datum")
    if "application/json" not in request.headers.get("accept", ""):
        return _page(request, camera_id, told=(told, datum))
    entry, trouble = entry_of(care_of(request), camera_id)
    if entry is None:
        raise Refused(409, trouble or ("没有这个摄像机", "no such camera"))
    try:
        aspect = _aspect(visit.text("aspect"))
        marked = _marked(entry.camera, read_points(told, datum), aspect)
    except Refused as error:
        return JSONResponse({"problem": visit.say(*error.say)})
    return JSONResponse(_answer(marked, visit.say))


@router.post("/cameras/{camera_id}/calibration")
def save_calibration(request: Request, camera_id: str) -> Response:
    visit = visit_of(request)
    told, datum = visit.text("points"), visit.text("datum")
    try:
        points = read_points(told, datum)
        care = care_of(request)
        camera_care.save_points(care, camera_id, points, visit.text("mark"), by_of(request))
    except Refused as error:
        return _page(request, camera_id, error, (told, datum))
    return RedirectResponse(f"/cameras/{camera_id}?saved=calibration", 303)


def _page(
    request: Request,
    camera_id: str,
    error: Refused | None = None,
    told: tuple[str, str] | None = None,
) -> Response:
    """``told``: points and datum as the person gave them; they are not lost."""
    console, visit = console_of(request), visit_of(request)
    row, care = row_of(request), console.care
    entry, trouble = entry_of(care, camera_id)
    datum = _datum(entry, told)
    points = told[0] if told else _listed(entry, datum)
    answer, problem = _judged(entry, points, datum, visit.say)
    west, south, east, north = console.desk.town.grids.top.shape.bounds
    return draw(
        request,
        "calibration.html",
        status=error.status if error else 200,
        camera=row,
        said=visit.say(*error.say) if error else "",
        trouble=trouble,
        why_not=care.why_not(camera_id) if care is not None else None,
        mark=entry.mark if entry else "",
        points=points,
        datum=datum,
        datums={name: DATUM_NAMES[name] for name in DATUMS},
        answer=answer,
        problem=problem,
        places=_places(entry, row),
        bounds=f"{west} {south} {east} {north}",
        tiles=console.settings.tiles or "",
    )


def _datum(entry: Entry | None, told: tuple[str, str] | None) -> str:
    if told is not None and told[1] in DATUMS:
        return told[1]
    return entry.datum if entry is not None and entry.datum in DATUMS else "wgs84"


def _listed(entry: Entry | None, datum: str) -> str:
    points = (entry.camera.ground_points or ()) if entry is not None else ()
    return written_points(points, datum)


def _judged(entry: Entry | None, points: str, datum: str, say: Any) -> tuple[Any, str]:
    """What a page shows of points as they were sent: the answer, or why there is none."""
    if entry is None or not points.strip():
        return None, ""
    try:
        answer = _answer(_marked(entry.camera, read_points(points, datum)), say)
    except Refused as error:
        return None, say(*error.say)
    return (None, answer["problem"]) if "problem" in answer else (answer, "")


def _aspect(told: str) -> float:
    """Width over height of the picture that was marked; what can't be one is taken for 16:9."""
    try:
        aspect = float(told)
    except ValueError:
        return WIDESCREEN
    return aspect if _NARROWEST <= aspect <= 1 / _NARROWEST else WIDESCREEN


def _marked(camera: Camera, points: Sequence[GroundPoint], aspect: float = WIDESCREEN) -> _Marked:
    try:
        return _Marked(calibrate(camera, points, aspect))
    except CalibrationError as error:
        return _Marked(None, refusal(error), point_of(error))


def _answer(marked: _Marked, say: Any) -> dict[str, Any]:
    """``errors`` and ``unseen`` in metres, one for each point; or ``problem`` and whose."""
    found = marked.found
    if found is None:
        assert marked.problem is not None
        return {"problem": say(*marked.problem), "point": marked.point}
    worst = max(range(len(found.errors_m)), key=found.errors_m.__getitem__)
    whole, worst_m = found.whole_m, found.errors_m[worst]
    if found.proves_nothing:
        text = say(
            "4 个点总是正好吻合，误差 0 说明不了什么：再加至少 1 个点来检验。",
            "Four points always fit: an error of 0 proves nothing. Add one more to check.",
        )
    else:
        text = say(
            f"总误差 {whole:.2f} 米（均方根），最大 {worst_m:.2f} 米，在第 {worst + 1} 点。",
            f"Error {whole:.2f} m (RMS), largest {worst_m:.2f} m at point {worst + 1}.",
        )
    return {
        "errors": [round(one, 2) for one in found.errors_m],
        "unseen": [None if one is None else round(one, 2) for one in found.unseen_m],
        "whole": round(whole, 2),
        "said": text,
        "proves_nothing": found.proves_nothing,
    }


def _places(entry: Entry | None, row: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Where the camera stands in each datum, as a map of that datum shows it."""
    lon, lat = (entry.camera.lon, entry.camera.lat) if entry else (row.get("lon"), row.get("lat"))
    if lon is None or lat is None:
        return {}
    return {name: from_wgs84(lon, lat, name) for name in DATUMS}
