"""One row of a camera list: raw cells in, a Camera or the list of what is wrong with them out."""

from __future__ import annotations

import difflib
import json
import os
import re
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from pipeline.errors import InputError
from pipeline.town.camera import (
    POLICIES,
    TRANSPORTS,
    ZONE_KINDS,
    Camera,
    GroundPoint,
    Zone,
    masked_url,
)
from pipeline.town.datum import ALLOWED as DATUMS_ALLOWED
from pipeline.town.datum import datum_name, to_wgs84
from pipeline.town.ground import plane_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

REQUIRED = ("camera_id", "url", "lon", "lat", "datum")
POSE = ("height_m", "pitch_deg", "heading_deg", "hfov_deg")
COLUMNS = (
    *("camera_id", "name", "url", "lon", "lat", "datum"),
    *POSE,
    *("zones", "policy", "interval_s", "enabled", "ground_points", "transport", "sub_url"),
)

_RANGES = {
    "height_m": (0.5, 200.0),
    "pitch_deg": (0.0, 90.0),
    "heading_deg": (0.0, 360.0),
    "hfov_deg": (2.0, 170.0),
    "interval_s": (0.01, 86400.0),
}
_SCHEMES = ("rtsp", "rtsps")
# What would be a file's path by its form, but is an address whose scheme was forgotten or misspelt.
_ADDRESS = re.compile(
    r"(rtsps?)(?![\w.-])\W*(.*)"
    r"|((?:\d{1,3}(?:\.\d{1,3}){3}|\[[\da-f:.]+\])(?:[:/].*)?|[\w.-]+:\d+(?:/.*)?)",
    re.IGNORECASE,
)
_URL_HELP = "rtsp://, rtsps://, or the path of a video file relative to the list"
DATUM_HELP = f"{DATUMS_ALLOWED}; ask where the coordinates come from"
_ESCAPE_HELP = (
    "; in user and password write / as %2F, ? as %3F, # as %23, [ as %5B, ] as %5D, a space as %20"
)
_MISSING = {"url": _URL_HELP, "datum": DATUM_HELP}
_YES = {"true", "yes", "1", "是"}
_NO = {"false", "no", "0", "否"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a camera list; ``line`` counts from 1, ``file`` is its name.

    An address that got into the wrong column is masked like any other.
    """

    line: int
    column: str | None
    problem: str
    found: str | None = None
    allowed: str | None = None
    file: str | None = None

    def __post_init__(self) -> None:
        if self.found is not None:
            object.__setattr__(self, "found", masked_url(self.found)[:120])

    def __str__(self) -> str:
        place = (f"{self.file}, " if self.file else "") + f"line {self.line}"
        text = place + (f", column {self.column}" if self.column else "") + f": {self.problem}"
        text += f"; found {self.found}" if self.found is not None else ""
        return text + (f"; allowed: {self.allowed}" if self.allowed is not None else "")


def read_row(
    cells: Mapping[str, Any], line: int, folder: Path
) -> tuple[Camera | None, list[Problem]]:
    """The camera of one row, or None and every problem found in it.

    ``cells`` maps column to text (CSV) or value (YAML); an empty cell counts as absent.
    """
    row = _Row(cells, line)
    camera_id = row.take("camera_id", _camera_id)
    url = row.take("url", lambda value: _url(value, folder))
    place, datum = _place(row)
    camera = Camera(
        camera_id=camera_id or "",
        name=row.take("name", _name) or camera_id or "",
        url=url or "",
        lon=place[0],
        lat=place[1],
        zones=row.take("zones", zones_of) or (),
        policy=row.take("policy", lambda value: _one_of("policy", value, POLICIES)),
        interval_s=row.number("interval_s"),
        enabled=row.take("enabled", _yes_or_no) is not False,
        ground_points=row.take("ground_points", lambda value: ground_points_of(value, datum)),
        transport=row.take("transport", lambda value: _one_of("transport", value, TRANSPORTS)),
        sub_url=row.take("sub_url", lambda value: _sub_url(value, url)),
        declared_datum=datum or "wgs84",
        **{name: row.number(name) for name in POSE},
    )
    _check_pose(row)
    if not row.problems:
        row.guarded("ground_points", lambda: plane_of(camera))
    return (None if row.problems else camera), row.problems


class _Row:
    """Reads cells and remembers what was wrong with each."""

    def __init__(self, cells: Mapping[str, Any], line: int) -> None:
        self._cells = {
            name: value.strip() if isinstance(value, str) else value
            for name, value in cells.items()
        }
        self._line = line
        self.problems: list[Problem] = []

    def has(self, column: str) -> bool:
        return self._cells.get(column) not in (None, "")

    def take(self, column: str, parse: Callable[[Any], Any]) -> Any:
        if not self.has(column):
            if column in REQUIRED:
                self.add(column, "is missing", allowed=_MISSING.get(column))
            return None
        value = self._cells[column]
        return self.guarded(column, lambda: parse(value))

    def number(self, column: str) -> float | None:
        low, high = _RANGES[column]
        value = self.take(column, _number)
        if value is not None and not low <= value <= high:
            allowed = f"{low:g} to {high:g}"
            if column == "pitch_deg":
                allowed += "; positive is down"
                allowed += f" (did you mean {-value:g}?)" if -high <= value < 0 else ""
            self.add(column, "is out of range", value, allowed)
            return None
        return cast("float | None", value)

    def guarded(self, column: str, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except InputError as error:
            self.add(column, error.problem, error.found, error.allowed)
            return None

    def add(
        self, column: str, problem: str, found: object = None, allowed: str | None = None
    ) -> None:
        shown = None if found is None else str(found)
        self.problems.append(Problem(self._line, column, problem, shown, allowed))


def _place(row: _Row) -> tuple[tuple[float, float], str | None]:
    lon, lat = row.take("lon", _number), row.take("lat", _number)
    datum = row.take("datum", datum_name)
    if lon is None or lat is None or datum is None:
        return (0.0, 0.0), datum
    if lon == lat == 0:
        row.add(
            "lon, lat", "is no place", "0, 0", "where the camera stands, not what a form filled in"
        )
    return row.guarded("lon, lat", lambda: to_wgs84(lon, lat, datum)) or (0.0, 0.0), datum


def _check_pose(row: _Row) -> None:
    """A pose is whole or absent: half a one looks calibrated and places nothing."""
    given = [name for name in POSE if row.has(name)]
    missing = [name for name in POSE if name not in given]
    if given and missing and given != ["heading_deg"] and not row.has("ground_points"):
        row.add(
            ", ".join(missing),
            "is missing, half a pose places nothing",
            f"only {', '.join(given)}",
            "all four or none (heading_deg alone is allowed)",
        )


def _camera_id(value: Any) -> str:
    text = str(value)
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,63}", text):
        raise InputError(
            "not a camera id",
            found=repr(text),
            allowed="1 to 64 of A-Z, a-z, 0-9, _ . - (the name may be Chinese)",
        )
    return text


def _name(value: Any) -> str:
    text = str(value)
    if not text.isprintable() or len(text) > 80:
        raise InputError("not a name", found=repr(text), allowed="up to 80 printable characters")
    return text


def _url(value: Any, folder: Path) -> str:
    text = str(value)
    if not text.isprintable():
        raise InputError("not an address", found="control characters", allowed=_URL_HELP)
    if "://" not in text:
        _check_path(text)
        return os.path.normpath(folder.absolute() / text)
    shown = masked_url(text)
    scheme = text.partition("://")[0].lower()
    if scheme not in _SCHEMES:
        near = difflib.get_close_matches(scheme, _SCHEMES, n=1)
        hint = f" (did you mean {near[0]}://?)" if near else ""
        raise InputError("unknown kind of address", found=shown, allowed=_URL_HELP + hint)
    allowed = _URL_HELP + (_ESCAPE_HELP if "@" in text else "")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise InputError("not a complete address", found=shown, allowed=allowed) from None
    if not parts.hostname or " " in text:
        raise InputError("not a complete address", found=shown, allowed=allowed)
    return text


def _sub_url(value: Any, url: str | None) -> str:
    allowed = "rtsp:// or rtsps:// of the smaller stream of the same view"
    if "://" not in str(value):
        raise InputError("not a camera's address", found=masked_url(str(value)), allowed=allowed)
    if url is not None and "://" not in url:
        raise InputError(
            "a file has no second stream", found=masked_url(str(value)), allowed="an empty cell"
        )
    return _url(value, Path())


def _check_path(text: str) -> None:
    """Refuse what is an address without its scheme; credentials are never shown as a file name."""
    shown = masked_url(text.rpartition("@")[2]) if re.search(":.*@", text) else text
    address = _ADDRESS.fullmatch(shown)
    if shown is text and address is None:
        return
    hint = ""
    if address is not None:
        scheme, rest, host = address.groups()
        meant = masked_url(f"{(scheme or 'rtsp').lower()}://{host or rest}")
        hint = f" (did you mean {meant}?)"
    raise InputError("not a complete address", found=shown, allowed=_URL_HELP + hint)


def _number(value: Any) -> float:
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not isfinite(number):
        raise InputError("not a number", found=repr(value), allowed="a finite number")
    return number


def _yes_or_no(value: Any) -> bool:
    text = str(value).lower()
    if text not in _YES | _NO:
        raise InputError("not yes or no", found=repr(value), allowed="true, false, 是, 否")
    return text in _YES


def _one_of(kind: str, value: Any, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise InputError(f"unknown {kind}", found=repr(value), allowed=", ".join(allowed))
    return str(value)


def _listed(value: Any, shape: str) -> list[Any]:
    """A list, given as JSON text in CSV or as it is in YAML."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise InputError("is not JSON", found=error, allowed=shape) from None
    if not isinstance(value, list):
        raise InputError("is not a list", found=repr(value), allowed=shape)
    return value


def zones_of(value: Any) -> tuple[Zone, ...]:
    """``[{"kind": ..., "polygon": [[u, v], ...]}, ...]``, or that as JSON text; else InputError."""
    shape = f'[{{"kind": {"|".join(ZONE_KINDS)}, "polygon": [[u, v], ...]}}, ...]'
    zones = []
    for item in _listed(value, shape):
        if not isinstance(item, dict) or set(item) != {"kind", "polygon"}:
            raise InputError("not a zone", found=repr(item), allowed=shape)
        corners = [_numbers(corner, 2, shape) for corner in _listed(item["polygon"], shape)]
        zones.append(Zone(item["kind"], tuple((u, v) for u, v in corners)))
    return tuple(zones)


def ground_points_of(value: Any, datum: str | None) -> tuple[GroundPoint, ...] | None:
    """``[[u, v, lon, lat], ...]`` in the camera's datum, or that as JSON text; else InputError."""
    shape = "[[u, v, lon, lat], ...], 4 or more, in the camera's datum"
    points = [_numbers(item, 4, shape) for item in _listed(value, shape)]
    if datum is None:  # already a problem of its own column
        return None
    return tuple(GroundPoint(u, v, *to_wgs84(lon, lat, datum)) for u, v, lon, lat in points)


def _numbers(value: Any, count: int, shape: str) -> list[float]:
    if not isinstance(value, list) or len(value) != count:
        raise InputError("not a point", found=repr(value), allowed=shape)
    return [_number(part) for part in value]
