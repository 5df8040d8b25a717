"""The camera list: CSV as Excel writes it, or YAML; read strictly, or imported with a report."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.errors import CameraListError
from pipeline.town.camera import masked_url
from pipeline.town.camera_row import COLUMNS, DATUM_HELP, POSE, REQUIRED, Problem, read_row
from pipeline.town.files import nearest, read_text, read_yaml, unknown, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.town.camera import Camera

_SHOWN = 8  # problems spelled out in one message
_DECIMALS = 7  # of a degree: a centimetre

_SEPARATORS = {";": "';'", "\t": "tabs", "|": "'|'", "，": "'，'", "；": "'；'"}

Row = tuple[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The good rows of a camera list, and everything that is wrong with the others."""

    cameras: tuple[Camera, ...]
    problems: tuple[Problem, ...]

    @property
    def bad_rows(self) -> int:
        """How many rows are bad; one row may have several problems."""
        return len({problem.line for problem in self.problems})


def load_cameras(path: Path) -> tuple[Camera, ...]:
    """Every camera of the list; CameraListError names all that is wrong with it at once."""
    report = import_cameras(path)
    if len(report.problems) == 1:
        only = report.problems[0]
        raise CameraListError(
            only.problem,
            file=path,
            where=f"line {only.line}" + (f", column {only.column}" if only.column else ""),
            found=only.found,
            allowed=only.allowed,
        )
    if report.problems:
        lines = [str(problem) for problem in report.problems[:_SHOWN]]
        if len(report.problems) > _SHOWN:
            lines.append(f"and {len(report.problems) - _SHOWN} more")
        text = "\n  ".join([f"{len(report.problems)} problems", *lines])
        raise CameraListError(text, file=path)
    return report.cameras


def import_cameras(path: Path) -> ImportReport:
    """Keep the good rows and report the bad ones with line, column, found and allowed.

    Raises CameraListError only when the file as a whole can't be read as a list, or lists nothing.
    Of a camera id that stands twice the first row is kept.
    """
    rows, problems = _rows(path)
    if not rows and not problems:
        raise CameraListError("lists no camera", file=path, allowed="one row per camera")
    cameras: dict[str, Camera] = {}
    lines: dict[str, int] = {}
    for line, cells in rows:
        camera, found = read_row(cells, line, path.parent)
        problems += found
        if camera is None:
            continue
        if camera.camera_id in cameras:
            problems.append(
                Problem(
                    line,
                    "camera_id",
                    f"stands twice, first on line {lines[camera.camera_id]}",
                    camera.camera_id,
                    "one row per camera",
                )
            )
            continue
        cameras[camera.camera_id] = camera
        lines[camera.camera_id] = line
    problems.sort(key=lambda problem: problem.line)
    named = tuple(replace(problem, file=path.name) for problem in problems)
    return ImportReport(tuple(cameras.values()), named)


def raw_rows(path: Path) -> list[Row]:
    """The rows of a list that can be read: line and cells as they are written."""
    return _rows(path)[0]


def _rows(path: Path) -> tuple[list[Row], list[Problem]]:
    is_yaml = path.suffix.lower() in (".yaml", ".yml")
    return _yaml_rows(path) if is_yaml else _csv_rows(path)


def write_cameras(path: Path, cameras: Iterable[Camera]) -> None:
    """Write a CSV list in WGS-84, in one step; files below its folder are named relatively.

    It holds the addresses with their credentials, so a new file is for its owner and group only.
    Raises CameraListError when it can't be written; missing folders are not made.
    """
    listed = [_cells(camera, path.parent) for camera in cameras]
    columns = [name for name in COLUMNS if name in _FIXED or any(row[name] for row in listed)]
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(listed)
    try:
        write_atomically(path, out.getvalue().encode(), mode=0o640)
    except OSError as error:
        raise CameraListError(
            "cannot be written",
            file=path,
            found=error.strerror,
            allowed="a file in a folder that is there and may be written to",
        ) from None


_FIXED = (*REQUIRED, "name", *POSE)


def _cells(camera: Camera, folder: Path) -> dict[str, str]:
    points = camera.ground_points or ()
    url = Path(camera.url)
    if url.is_absolute() and url.is_relative_to(folder.absolute()):
        url = url.relative_to(folder.absolute())
    zones = [{"kind": zone.kind, "polygon": zone.polygon} for zone in camera.zones]
    marks = [[p.u, p.v, _degrees(p.lon), _degrees(p.lat)] for p in points]
    cells: dict[str, Any] = {
        "camera_id": camera.camera_id,
        "name": camera.name,
        "url": camera.url if "://" in camera.url else url,
        "lon": _degrees(camera.lon),
        "lat": _degrees(camera.lat),
        "datum": "wgs84",
        **{name: getattr(camera, name) for name in POSE},
        "zones": json.dumps(zones) if zones else None,
        "policy": camera.policy,
        "interval_s": camera.interval_s,
        "enabled": None if camera.enabled else "false",
        "ground_points": json.dumps(marks) if marks else None,
        "transport": camera.transport,
        "sub_url": camera.sub_url,
    }
    return {name: "" if value is None else str(value) for name, value in cells.items()}


def _degrees(value: float) -> float:
    return round(value, _DECIMALS)


def _csv_rows(path: Path) -> tuple[list[Row], list[Problem]]:
    text = read_text(path, CameraListError, "a CSV file in UTF-8 or GBK")
    _check_separator(text, path)
    records = list(_records(text, path))
    if not records:
        raise CameraListError("is empty", file=path, allowed=f"a header: {','.join(COLUMNS)}")
    (first, header), *body = records
    names = [name.strip() for name in header]
    problems = _header_problems(names, first, path)
    rows: list[Row] = []
    for line, record in body:
        if len(record) != len(names):
            problems.append(
                Problem(line, None, "wrong number of cells", str(len(record)), str(len(names)))
            )
            continue
        rows.append((line, dict(zip(names, record, strict=True))))
    return rows, problems


def _check_separator(text: str, path: Path) -> None:
    header = next((line for line in text.splitlines() if line.strip()), "")
    if "," in header:
        return
    for sign, name in _SEPARATORS.items():
        if sign in header:
            raise CameraListError(
                f"is separated by {name}, needs ','", file=path, allowed="save it as CSV UTF-8"
            )


def _records(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Records with the line on which each begins; a quoted cell may span lines."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for record in reader:
            if any(cell.strip() for cell in record):
                yield line, record
            line = reader.line_num + 1
    except csv.Error as error:
        raise CameraListError(
            "is not CSV", file=path, where=f"line {line}", found=error, allowed="a CSV file"
        ) from None


def _header_problems(names: list[str], line: int, path: Path) -> list[Problem]:
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise CameraListError(
            "required columns missing",
            file=path,
            where=f"line {line}",
            # A list without a header has addresses here.
            found=f"no {', '.join(missing)} among {masked_url(', '.join(names))[:200]}",
            allowed=",".join(COLUMNS) + _meant(names, missing),
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise CameraListError(
            "a column stands twice", file=path, where=f"line {line}", found=", ".join(twice)
        )
    return _unknown_columns(names, line, path)


def _meant(names: list[str], missing: list[str]) -> str:
    """What to do about the missing columns, as far as it can be guessed."""
    unknowns = {name: nearest(name, missing) for name in names if name not in COLUMNS}
    pairs = [f"{masked_url(name)[:40]} -> {meant}" for name, meant in unknowns.items() if meant]
    hint = f" (did you mean {', '.join(pairs)}?)" if pairs else ""
    return hint + (f"; datum: {DATUM_HELP}" if "datum" in missing else "")


def _unknown_columns(names: Iterable[Any], line: int, path: Path) -> list[Problem]:
    problems = []
    for name in names:
        if name not in COLUMNS:
            error = unknown("column", name, COLUMNS, CameraListError, file=path)
            problems.append(Problem(line, str(name), error.problem, error.found, error.allowed))
    return problems


def _yaml_rows(path: Path) -> tuple[list[Row], list[Problem]]:
    content = read_yaml(path, CameraListError)
    allowed = "cameras: [{camera_id: ..., url: ..., lon: ..., lat: ..., datum: ...}, ...]"
    if not isinstance(content, dict) or list(content) != ["cameras"]:
        raise CameraListError(
            "is no camera list", file=path, found=type(content).__name__, allowed=allowed
        )
    if not isinstance(content["cameras"], list):
        raise CameraListError(
            "is no list",
            file=path,
            where="cameras",
            found=type(content["cameras"]).__name__,
            allowed=allowed,
        )
    rows: list[Row] = []
    problems: list[Problem] = []
    for line, item in zip(_item_lines(path), content["cameras"], strict=True):
        if not isinstance(item, dict):
            problems.append(Problem(line, None, "is no camera", repr(item), allowed))
            continue
        problems += _unknown_columns(item, line, path)
        rows.append((line, item))
    return rows, problems


def _item_lines(path: Path) -> list[int]:
    """The line on which each camera of a readable YAML list begins."""
    text = read_text(path, CameraListError, "a YAML file")
    root: Any = yaml.compose(text, yaml.SafeLoader)
    items = root.value[0][1].value
    return [item.start_mark.line + 1 for item in items]
