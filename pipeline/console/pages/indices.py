"""How well the loop closes: the indices as charts, as a table, and as a file for a spreadsheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from pipeline.console import charts, words
from pipeline.console.charts import Point, percent
from pipeline.console.context import Refused, console_of, visit_of
from pipeline.console.drawing import draw
from pipeline.console.figures import grouped
from pipeline.console.index_words import BYS, COUNTS, INDICES
from pipeline.console.rules import RULES, reaches
from pipeline.errors import InputError
from pipeline.tickets.indices import BYS as GROUPINGS
from pipeline.tickets.indices import RATES, By, Indices, days_of
from pipeline.tickets.sheets import csv_of
from pipeline.town import GridMap

router = APIRouter()

_MONTHS = 12
YEAR = "year"  # the last twelve months
_BARS = 20  # of the worst; the table has all

Month = Annotated[str, Query(pattern=r"^(year|\d{4}-(0[1-9]|1[0-2]))?$")]
Code = Annotated[str, Query(max_length=40)]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the visitor wants to see; every link of the page changes one of it."""

    month: str
    by: By
    index: str
    grid: str

    def link(self, path: str = "/indices", **other: str) -> str:
        asked = {"month": self.month, "by": self.by, "index": self.index, "grid": self.grid} | other
        return f"{path}?{urlencode({name: value for name, value in asked.items() if value})}"


@router.get("/indices")
def indices_page(
    request: Request,
    month: Month = "",
    by: str = "grid",
    index: str = "handled_in_time_rate",
    grid: Code = "",
) -> Response:
    console, visit = console_of(request), visit_of(request)
    grids = console.desk.town.grids
    asked = _asked(request, month, by, index, grid)
    groups = _groups(request, asked)
    whole = _whole(request, asked)
    points = [Point(_name(request, asked.by, one.group), one.rate(asked.index)) for one in groups]
    chosen = INDICES[asked.index]
    return draw(
        request,
        "indices.html",
        asked=asked,
        months=_months(request),
        year=YEAR,
        bys=BYS,
        indices=INDICES,
        grids=[
            (one.code, one.name)
            for one in sorted(grids, key=lambda one: one.code)
            if one.kind != "micro" and reaches(RULES["indices_page"], visit.by, one.code, grids)
        ],
        cards=[
            (name, percent(whole.rate(name)), *RATES[name][1](whole.counts)) for name in INDICES
        ],
        chosen=chosen,
        chart=charts.columns(points) if asked.by == "month" else charts.rows(points[:_BARS]),
        left_out=0 if asked.by == "month" else max(0, len(points) - _BARS),
        rows=[
            (point.label, one.group, one.counts["filed"], [percent(one.rate(n)) for n in INDICES])
            for point, one in zip(points, groups, strict=True)
        ],
        filed=whole.counts["filed"],
        minutes=round(console.office.file_within_s / 60),
    )


@router.get("/indices.csv")
def indices_csv(
    request: Request, month: Month = "", by: str = "grid", grid: Code = ""
) -> StreamingResponse:
    """The same groups with all counts. Rates are 0 to 1, empty where there is nothing to tell."""
    visit = visit_of(request)
    asked = _asked(request, month, by, "handled_in_time_rate", grid)
    names = {
        "group": visit.say(BYS[asked.by][0].removeprefix("按"), "group"),
        "name": visit.say("名称", "name"),
        **{name: visit.say(COUNTS[name], name) for name in COUNTS},
        **{name: visit.say(INDICES[name].name[0], name) for name in INDICES},
    }
    rows = (
        {
            names[field]: value
            for field, value in (one.row() | {"name": _name(request, asked.by, one.group)}).items()
        }
        for one in _groups(request, asked)
    )
    file = f"indices-{asked.month}-{asked.by}.csv"
    return StreamingResponse(
        csv_of(list(names.values()), rows),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{file}"'},
    )


def _asked(request: Request, month: str, by: str, index: str, grid: str) -> _Asked:
    """Raises Refused (404) for what there is not, UnknownGridError for a grid."""
    grouping = next((one for one in GROUPINGS if one == by), None)
    if grouping is None or index not in INDICES:
        raise Refused(404, ("没有这个指标", "there is no such index"))
    if grid:
        console_of(request).desk.town.grids.get(grid)
    return _Asked(month or (YEAR if by == "month" else _months(request)[0]), grouping, index, grid)


def _groups(request: Request, asked: _Asked) -> list[Indices]:
    """Months in their order; of all else what is worst by the chosen index comes first."""
    groups = _counted(request, asked, asked.by)
    if asked.by == "month":
        return _without_gaps(groups)
    better = INDICES[asked.index].more_is_better

    def worst_first(one: Indices) -> tuple[bool, float, int, str]:
        rate = one.rate(asked.index)
        share = 0.0 if rate is None else rate
        return rate is None, share if better else -share, -one.counts["filed"], one.group

    return sorted(groups, key=worst_first)


def _without_gaps(months: list[Indices]) -> list[Indices]:
    """Months without tickets between others are there, too."""
    if not months:
        return []
    found = {one.group: one for one in months}
    first, last = (12 * int(one[:4]) + int(one[5:]) - 1 for one in (min(found), max(found)))
    names = [f"{one // 12:04}-{one % 12 + 1:02}" for one in range(first, last + 1)]
    return [found.get(name) or Indices(name, dict.fromkeys(COUNTS, 0)) for name in names]


def _whole(request: Request, asked: _Asked) -> Indices:
    return next(iter(_counted(request, asked, None)), Indices("", dict.fromkeys(COUNTS, 0)))


def _counted(request: Request, asked: _Asked, by: By | None) -> list[Indices]:
    console, user = console_of(request), visit_of(request).by
    grids, rule = console.desk.town.grids, RULES["indices_page"]

    def within(code: str) -> bool:
        return reaches(rule, user, code, grids) and (
            not asked.grid or _lies_in(code, asked.grid, grids)
        )

    return grouped(console.figures.cells(_days(request, asked.month)), by, within)


def _lies_in(code: str, around: str, grids: GridMap) -> bool:
    while code != around:
        above = grids.get(code).parent if code in grids else None
        if above is None:
            return False
        code = above
    return True


def _days(request: Request, month: str) -> tuple[str, str]:
    if month == YEAR:
        months = _months(request)
        return days_of(months[-1])[0], days_of(months[0])[1]
    try:
        return days_of(month)
    except InputError:
        raise Refused(422, ("没有这个月份", "there is no such month")) from None


def _months(request: Request) -> list[str]:
    """The last twelve, this one first, by the calendar of the town."""
    now = words.local(console_of(request).clock.now())
    first = now.year * 12 + now.month - 1
    return [f"{one // 12:04}-{one % 12 + 1:02}" for one in range(first, first - _MONTHS, -1)]


def _name(request: Request, by: By, group: str) -> str:
    visit, grids = visit_of(request), console_of(request).desk.town.grids
    if by == "grid":
        return grids.get(group).name if group in grids else group
    if by == "hazard":
        return words.name(words.HAZARDS, group, visit.language)
    return group
