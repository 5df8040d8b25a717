"""The cameras of a patrol in the order in which they are walked: those of a grid, or a route."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from pipeline.console import words
from pipeline.console.context import console_of, visit_of
from pipeline.console.rules import RULES, reaches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from pipeline.console.words import Language

LONGEST_ROUTE = 200
PAGE, PAGE_OF_PHONE = 12, 6
STALE_S = 30.0
"""A picture older than this isn't what the street looks like now."""
_BETWEEN = re.compile(r"[\s,，、;；]+")


@dataclass(frozen=True, slots=True)
class Tile:
    """One camera on the wall. ``age`` and ``why`` are for people; ``shot_id`` None: no picture."""

    row: Mapping[str, Any]
    address: str
    shot_id: str | None
    age: str
    stale: bool
    why: str


@dataclass(frozen=True, slots=True)
class Walk:
    """``rows``: the cameras in their order. ``asked`` is what the addresses say of the walk.

    ``unknown``: what the route names that isn't a camera, or another grid's.
    """

    rows: Sequence[Mapping[str, Any]]
    asked: Mapping[str, str]
    unknown: Sequence[str] = ()

    def address(self, camera_id: str = "", **more: object) -> str:
        """Of the wall, or of one camera on this walk."""
        query = urlencode({**self.asked, **{name: str(value) for name, value in more.items()}})
        path = f"/patrol/{quote(camera_id)}" if camera_id else "/patrol"
        return f"{path}?{query}" if query else path

    def beside(self, camera_id: str) -> tuple[str | None, str | None]:
        """The addresses of the cameras before and after this one."""
        ids = [row["camera_id"] for row in self.rows]
        if camera_id not in ids:
            return None, None
        at = ids.index(camera_id)
        before = self.address(ids[at - 1]) if at > 0 else None
        after = self.address(ids[at + 1]) if at + 1 < len(ids) else None
        return before, after


def walk_of(request: Request) -> Walk:
    """As the address says: ``route`` (ids in their order), else ``grid``, else all of the user's.

    Only cameras that the user may see are in it.
    """
    console, user = console_of(request), visit_of(request).by
    grids, rule = console.desk.town.grids, RULES["patrol_page"]
    seen = [row for row in console.cameras.recent() if reaches(rule, user, row.get("grid"), grids)]
    route = _BETWEEN.split(request.query_params.get("route", "").strip())[:LONGEST_ROUTE]
    if route != [""]:
        by_id = {row["camera_id"]: row for row in seen}
        known = [by_id[one] for one in dict.fromkeys(route) if one in by_id]
        unknown = [one for one in dict.fromkeys(route) if one not in by_id]
        return Walk(known, {"route": " ".join(route)}, unknown)
    seen.sort(key=lambda row: (str(row.get("grid")), row["camera_id"]))
    code = request.query_params.get("grid")
    if not code:
        return Walk(seen, {})
    grids.get(code)  # an unknown one is said to be unknown
    inside = [row for row in seen if lies_in(row.get("grid"), code, request)]
    return Walk(inside, {"grid": code})


def lies_in(code: str | None, around: str, request: Request) -> bool:
    """Whether a grid is this one, or lies in it."""
    grids = console_of(request).desk.town.grids
    while code is not None and code in grids:
        if code == around:
            return True
        code = grids.get(code).parent
    return False


def grids_with_cameras(request: Request) -> list[tuple[str, str]]:
    """Code and name of each grid in which the user sees cameras."""
    console, user = console_of(request), visit_of(request).by
    grids, rule = console.desk.town.grids, RULES["patrol_page"]
    codes = {row.get("grid") for row in console.cameras.recent()}
    return [
        (code, grids.get(code).name)
        for code in sorted(filter(None, codes))
        if code in grids and reaches(rule, user, code, grids)
    ]


def tile_of(
    row: Mapping[str, Any], address: str, shot_id: str | None, now: float, language: Language
) -> Tile:
    """How a camera stands on the wall now."""
    state = row.get("state") or "unknown"
    age_s = None if shot_id is None else max(0.0, now - int(shot_id) / 1000)
    stale = age_s is None or age_s > STALE_S or state != "live"
    why = ""
    if state != "live":
        why = row.get("why") or words.pick(_WHY.get(state, _WHY["unknown"]), language)
    elif age_s is None:
        why = words.pick(_NO_PICTURE, language)
    elif stale:
        why = words.pick(_NO_NEWER, language)
    age = words.ago(age_s, language) if age_s is not None else ""
    return Tile({"name": None, **row, "state": state}, address, shot_id, age, stale, why)


def page_size(request: Request) -> int:
    """Fewer on a phone: as it says itself, for the pictures are fetched before any script runs."""
    hint = request.headers.get("Sec-CH-UA-Mobile")
    mobile = hint == "?1" if hint else "Mobi" in request.headers.get("User-Agent", "")
    return PAGE_OF_PHONE if mobile else PAGE


_WHY: dict[str, words.Pair] = {
    "unknown": ("没有边缘盒读取这台摄像机", "no box reads this camera"),
    "disabled": ("已停用", "switched off"),
    "connecting": ("正在连接", "connecting"),
}
_NO_PICTURE = ("还没有画面，正在取", "no picture yet; being fetched")
_NO_NEWER = ("没有更新的画面", "no newer picture has come")
