"""What somebody marked in a live picture, as it comes from a form, made a report at the desk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.console.context import Refused, console_of, visit_of
from pipeline.console.watching import watching_of
from pipeline.errors import (
    CameraListError,
    DeskError,
    DeskUnavailableError,
    OutboxError,
    PictureError,
    ReportError,
)
from pipeline.tickets import from_camera, read_upload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from pipeline.console.words import Language
    from pipeline.hazards.incident import Unit
    from pipeline.tickets import Reported, Shot

SIDES = ("left", "top", "right", "bottom")
LEAST_PERCENT = 0.5
"""A box narrower than this is a slip of the finger."""

_GONE = (
    "这张画面保留时间已过，请回到实时画面重新选一张",
    "this picture is not kept any longer: go back to the live view and choose another one",
)
_NO_BOX = (
    "请在画面上框出隐患，或填写左、上、右、下（0 到 100，左小于右，上小于下）",
    "draw a box around it, or give left, top, right, bottom (0 to 100; left < right, top < bottom)",
)
_NO_HAZARD = ("请选择隐患类型", "choose what it is")
_TOO_LONG = ("说明太长", "the note is too long")


@dataclass(frozen=True, slots=True)
class Marked:
    """A form as it was sent: sides in percent of the picture, ``what`` as in ``choices``."""

    sides: Mapping[str, str]
    what: str
    note: str


def marked_in(request: Request) -> Marked:
    visit = visit_of(request)
    sides = {side: visit.text(side).strip() for side in SIDES}
    return Marked(sides, visit.text("what"), visit.text("note"))


def choices(request: Request, language: Language) -> Sequence[tuple[str, str]]:
    """What may be reported: the town's duties by name."""
    return [
        (
            f"{duty.hazard}.{duty.kind or ''}",
            duty.name_en.capitalize() if language == "en" else duty.name_zh,
        )
        for duty in console_of(request).desk.town.duties
    ]


def held_shot(request: Request, camera_id: str, shot_id: str) -> Shot:
    """The picture somebody saw, kept from now on while they draw in it. Raises Refused (404)."""
    shots = watching_of(request).shots
    shot = shots.of(camera_id, shot_id, "view")
    if shot is None or not shots.hold(camera_id, shot_id):
        raise Refused(404, _GONE)
    return shot


def report_marked(request: Request, camera_id: str, shot: Shot, marked: Marked) -> Reported:
    """File it with this very picture; the same form again changes nothing.

    Raises Refused (422 for what can't be so, 503 when it can be neither filed nor kept).
    """
    console, watching = console_of(request), watching_of(request)
    if watching.reports is None or watching.camera is None:
        raise Refused(404, ("这里不能上报", "nothing can be reported here"))
    box = _box(marked)
    if marked.what not in dict(choices(request, "zh")):
        raise Refused(422, _NO_HAZARD)
    hazard, _, kind = marked.what.partition(".")
    try:
        made = from_camera(
            watching.camera(camera_id),
            hazard,
            box,
            by=visit_of(request).by.name,
            at=shot.taken_at,
            kind=kind or None,
            note=marked.note,
            aspect=shot.width / shot.height,
        )
        picture = read_upload(shot.data, console.photo_limits)
        return watching.reports.take(made, [picture])
    except CameraListError:
        raise Refused(404, ("摄像机清单中没有这台摄像机", "no such camera in the list")) from None
    except (ReportError, PictureError) as error:
        raise Refused(422, (_TOO_LONG[0], str(error))) from None
    except (OutboxError, DeskUnavailableError):
        raise Refused(
            503,
            (
                "暂时无法上报，您写的内容还在，请稍后再试",
                "it can't be reported now; what you wrote is still here, try again",
            ),
        ) from None
    except DeskError as error:
        raise Refused(422, ("无法立案", str(error))) from None


def _box(marked: Marked) -> Unit:
    try:
        x1, y1, x2, y2 = (float(marked.sides[side]) for side in SIDES)
    except ValueError:
        raise Refused(422, _NO_BOX) from None
    fits = 0 <= x1 < x2 <= 100 and 0 <= y1 < y2 <= 100
    if not fits or min(x2 - x1, y2 - y1) < LEAST_PERCENT:
        raise Refused(422, _NO_BOX)
    return x1 / 100, y1 / 100, x2 / 100, y2 / 100
