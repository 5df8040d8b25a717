"""The list of duties: shown to all, edited by administrators."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from pipeline.console import duty_words, words
from pipeline.console.context import Refused, console_of, visit_of
from pipeline.console.drawing import draw
from pipeline.console.duty_list import BEFORE, FIELDS, Change, DutyList, Listed, values_of
from pipeline.console.guard import by_of
from pipeline.errors import DutiesChangedError, DutiesError
from pipeline.town import HAZARDS, Duties
from pipeline.town.duties import KINDS, Hazard

router = APIRouter(prefix="/duties")
log = structlog.get_logger()

Text = Annotated[str, Query(max_length=40)]

_NUMBERS = {"radius_m": float, "evidence_days": int}
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class _Which:
    """A duty by its place in the list."""

    hazard: Hazard
    kind: str | None

    @property
    def query(self) -> str:
        return urlencode({"hazard": self.hazard} | ({"kind": self.kind} if self.kind else {}))

    def __str__(self) -> str:
        return self.hazard if self.kind is None else f"{self.hazard}.{self.kind}"


@router.get("")
def duties_page(request: Request, done: Text = "") -> Response:
    console, visit = console_of(request), visit_of(request)
    duties, problem = console.desk.town.duties, ""
    if console.office.duties is not None:
        try:
            duties = console.office.duties.read().duties
        except DutiesError as error:
            problem = str(error)
    groups = [
        (
            hazard,
            [(duty, _Which(hazard, duty.kind).query) for duty in duties if duty.hazard == hazard],
            [
                (kind, _Which(hazard, kind).query)
                for kind in KINDS[hazard]
                if duties.own(hazard, kind) is None and len(KINDS[hazard]) > 1
            ],
        )
        for hazard in HAZARDS
    ]
    saved = visit.say(
        "已保存，几秒内对所有正在运行的程序生效。已立案的案卷时限不变。",
        "Saved: in force everywhere within seconds. Tickets filed before keep their limits.",
    )
    return draw(
        request,
        "duties.html",
        groups=groups,
        problem=problem,
        said=saved if done == "saved" else None,
        editable=console.office.duties is not None and not problem,
        dw=duty_words,
    )


@router.get("/edit")
def duty_page(request: Request, hazard: Text = "", kind: Text = "") -> Response:
    which, listed = _which(hazard, kind), _read(_list(request))
    duty = listed.duties.of(which.hazard, which.kind)
    return _form(request, which, values_of(duty), listed.version, listed.duties)


@router.post("/edit")
def change_duty(request: Request) -> Response:
    visit, duties = visit_of(request), _list(request)
    which = _which(visit.text("hazard"), visit.text("kind"))
    values, version = _typed(request), visit.text("version")
    try:
        change = duties.change(which.hazard, which.kind, values, version)
    except DutiesError as error:
        status = 409 if isinstance(error, DutiesChangedError) else 422
        say = duty_words.fault(error)
        return _form(request, which, values, version, _read(duties).duties, (status, say))
    except OSError as error:
        return _not_written(request, which, values, version, error)
    return _saved(request, which, change)


@router.post("/remove")
def remove_duty(request: Request) -> Response:
    """Take a kind's own duty away; its hazard's holds for it then."""
    visit, duties = visit_of(request), _list(request)
    which = _which(visit.text("hazard"), visit.text("kind"))
    listed = _read(duties)
    if which.kind is None or listed.duties.own(which.hazard, which.kind) is None:
        raise Refused(404, ("没有这项责任", "there is no such duty"))
    values, version = values_of(listed.duties.of(which.hazard, which.kind)), visit.text("version")
    try:
        change = duties.remove(which.hazard, which.kind, version)
    except DutiesError as error:
        status = 409 if isinstance(error, DutiesChangedError) else 422
        say = duty_words.fault(error)
        return _form(request, which, values, version, listed.duties, (status, say))
    except OSError as error:
        return _not_written(request, which, values, version, error)
    return _saved(request, which, change)


def _list(request: Request) -> DutyList:
    """Raises Refused (404)."""
    duties = console_of(request).office.duties
    if duties is None:
        raise Refused(404, ("这里不能修改责任清单", "duties can't be edited here"))
    return duties


def _read(duties: DutyList) -> Listed:
    """Raises Refused (409) where the file holds what may not be in force."""
    try:
        return duties.read()
    except DutiesError as error:
        say = "文件中的清单有误，请先改正文件", f"what the file holds is wrong: {error}"
        raise Refused(409, say) from None


def _which(hazard: str, kind: str) -> _Which:
    """Raises Refused (404)."""
    known = next((one for one in HAZARDS if one == hazard), None)
    if known is None or (kind and kind not in KINDS[known]):
        raise Refused(404, ("没有这项责任", "there is no such duty"))
    return _Which(known, kind or None)


def _typed(request: Request) -> dict[str, Any]:
    """The fields of the form as they would stand in the file; what is no number stays as typed."""
    visit = visit_of(request)
    values: dict[str, Any] = {
        name: visit.text(name).strip()[:_LONGEST] for name in FIELDS if name != "emergency"
    }
    for name, number in _NUMBERS.items():
        try:
            read = number(values[name])
        except ValueError:
            continue
        if math.isfinite(read):
            values[name] = read
    return values | {"emergency": visit.text("emergency") == "yes"}


def _saved(request: Request, which: _Which, change: Change) -> Response:
    console = console_of(request)
    console.accounts.journal.add(by_of(request), "duties change", str(which), **change.fields())
    console.desk.town.duties.become(_read(_list(request)).duties)
    return RedirectResponse("/duties?done=saved", 303)


def _not_written(
    request: Request, which: _Which, values: dict[str, Any], version: str, error: OSError
) -> Response:
    log.error("console.duties_not_written", reason=str(error))
    say = (
        f"没有保存：文件不能写入（{error.strerror}）",
        f"Not saved: the file can't be written ({error.strerror})",
    )
    duties = console_of(request).desk.town.duties
    return _form(request, which, values, version, duties, (503, say))


def _form(
    request: Request,
    which: _Which,
    values: dict[str, Any],
    version: str,
    duties: Duties,
    refused: tuple[int, words.Pair] | None = None,
) -> Response:
    visit = visit_of(request)
    status, say = refused or (200, None)
    return draw(
        request,
        "duty.html",
        status=status,
        said=words.pick(say, visit.language) if say else None,
        stale=status == 409,
        which=which,
        values=values,
        version=version,
        is_own=duties.own(which.hazard, which.kind) is not None,
        inheriting=[one.kind for one in duties if one.hazard == which.hazard and one.kind],
        before=_list(request).path.name + BEFORE,
        dw=duty_words,
    )
