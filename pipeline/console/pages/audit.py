"""The audit: who did what, when and from where. Looking is free, taking away is on record too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from pipeline.console import words
from pipeline.console.audit_words import KINDS, RESULTS, action_name
from pipeline.console.context import Refused, console_of, visit_of
from pipeline.console.drawing import draw
from pipeline.console.guard import by_of
from pipeline.tickets import Audit, Line, Wanted
from pipeline.tickets.archive.tables import is_number
from pipeline.tickets.sheets import csv_of

router = APIRouter(prefix="/audit")

Text = Annotated[str, Query(max_length=200)]
Day = Annotated[str, Query(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
Number = Annotated[int | None, Query(ge=1, le=10**15)]

_PAGE = 50
_NAMES = [field.name for field in fields(Line)]


@router.get("")
def audit_page(
    request: Request,
    who: Text = "",
    subject: Text = "",
    kind: Text = "",
    since: Day = "",
    until: Day = "",
    before: Number = None,
) -> Response:
    visit = visit_of(request)
    audit, wanted = _audit(request), _wanted(who, subject, kind, since, until)
    lines = audit.search(wanted, below=before, limit=_PAGE + 1)
    asked = {"who": who, "subject": subject, "kind": kind, "since": since, "until": until}
    query = urlencode({name: value for name, value in asked.items() if value})
    return draw(
        request,
        "audit.html",
        lines=[
            (
                line,
                words.second(line.at),
                action_name(line.action, visit.language),
                is_number(line.subject),
                words.name(RESULTS, line.result, visit.language),
                _said(line),
            )
            for line in lines[:_PAGE]
        ],
        older=lines[_PAGE - 1].number if len(lines) > _PAGE else None,
        is_newest=before is None,
        kinds={key: pair for key, (pair, _) in KINDS.items()},
        asked=asked,
        query=query,
    )


@router.get("/export")
def audit_export(
    request: Request,
    who: Text = "",
    subject: Text = "",
    kind: Text = "",
    since: Day = "",
    until: Day = "",
    form: Annotated[Literal["csv", "jsonl"], Query(alias="format")] = "csv",
) -> StreamingResponse:
    """All lines that fit, newest first."""
    console = console_of(request)
    asked = {"who": who, "subject": subject, "kind": kind, "since": since, "until": until}
    said = {name: value for name, value in asked.items() if value}
    wanted = _wanted(who, subject, kind, since, until)
    console.recorder.tell(by_of(request), "audit export", form, details=said)
    lines = _audit(request).every(wanted)
    day = words.local(console.clock.now()).strftime("%Y%m%d")
    return StreamingResponse(
        _json_lines(lines) if form == "jsonl" else csv_of(_NAMES, _rows(lines)),
        media_type="application/x-ndjson" if form == "jsonl" else "text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="audit-{day}.{form}"'},
    )


def _audit(request: Request) -> Audit:
    """With all that happened until now. Raises Refused (404) and DeskUnavailableError."""
    console = console_of(request)
    if console.office.audit is None:
        raise Refused(404, ("这里没有审计", "there is no audit here"))
    console.recorder.flush()
    return console.office.audit


def _said(line: Line) -> str:
    """Its details as a person reads them; what tells the same note twice is for the export."""
    details = {name: value for name, value in line.details.items() if name != "note"}
    return json.dumps(details, ensure_ascii=False) if details else ""


def _wanted(who: str, subject: str, kind: str, since: str, until: str) -> Wanted:
    if kind and kind not in KINDS:
        raise Refused(404, ("没有这个类别", "there is no such kind"))
    return Wanted(
        who=who.strip() or None,
        subject=subject.strip() or None,
        actions=KINDS[kind][1] if kind else (),
        since=_begin(since),
        until=_begin(until, days=1),
    )


def _begin(day: str, *, days: int = 0) -> float | None:
    """When a local day begins, or the one so many days later. Raises Refused (422)."""
    if not day:
        return None
    try:
        return (words.day(day) + timedelta(days=days)).timestamp()
    except (ValueError, OverflowError):
        raise Refused(422, ("没有这一天", "there is no such day")) from None


def _json_lines(lines: Iterable[Line]) -> Iterator[bytes]:
    for line in lines:
        yield json.dumps(asdict(line), ensure_ascii=False).encode() + b"\n"


def _rows(lines: Iterable[Line]) -> Iterator[dict[str, object]]:
    """Times as a spreadsheet reads them, by the clocks of the town."""
    for line in lines:
        at: datetime = words.local(line.at)
        yield asdict(line) | {
            "at": at.strftime("%Y-%m-%d %H:%M:%S"),
            "details": json.dumps(line.details, ensure_ascii=False),
        }
