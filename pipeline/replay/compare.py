"""Two replays side by side: which incidents appear, vanish or move from one to the other."""

from __future__ import annotations

import json
import os.path
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import FootageError
from pipeline.hazards import family_of
from pipeline.replay.report import NAMES, STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

OPEN_END_S = 1e9
"""Later than any clip's end: what isn't cleared lasts."""
MOVED_S = 2.0
MOVED_IOU = 0.5
"""Beyond these a start or a box counts as moved; below lies what another sampling would give."""


class IncidentRow(BaseModel):
    """What a comparison needs of a line of incidents.jsonl."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    incident_id: str
    camera_id: str
    hazard: str
    started_s: float
    confirmed_s: float
    cleared_s: float | None
    score: float
    box: tuple[float, float, float, float]
    picture: str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """The same incident in both runs; ``changes`` says what moved, empty if nothing did."""

    before: IncidentRow
    after: IncidentRow
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """``vanished`` are only in the first run, ``appeared`` only in the second."""

    appeared: tuple[IncidentRow, ...]
    vanished: tuple[IncidentRow, ...]
    pairs: tuple[Pair, ...]

    @property
    def moved(self) -> tuple[Pair, ...]:
        return tuple(pair for pair in self.pairs if pair.changes)

    def as_json(self) -> dict[str, Any]:
        return {
            "appeared": [row.model_dump() for row in self.appeared],
            "vanished": [row.model_dump() for row in self.vanished],
            "moved": [
                {
                    "before": pair.before.model_dump(),
                    "after": pair.after.model_dump(),
                    "changes": list(pair.changes),
                }
                for pair in self.moved
            ],
            "same": len(self.pairs) - len(self.moved),
        }


def load_incidents(folder: Path) -> list[IncidentRow]:
    """Read a replay's incidents.jsonl; FootageError names file and line."""
    path = folder / "incidents.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise FootageError(
            "cannot be read", file=path, found=error, allowed="the folder of a replay"
        ) from None
    return [_row(path, at, line) for at, line in enumerate(lines, 1) if line.strip()]


def _row(path: Path, at: int, line: str) -> IncidentRow:
    try:
        return IncidentRow.model_validate(json.loads(line))
    except (ValueError, RecursionError) as error:  # pydantic's and json's errors are ValueErrors
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise FootageError(
            "is not an incident", file=path, where=f"line {at}", found=first
        ) from None


def compare(before: Sequence[IncidentRow], after: Sequence[IncidentRow]) -> Comparison:
    """Pair the incidents of two runs by camera, hazard family and the longest common time."""
    ranked = sorted(
        (-common, at_before, at_after)
        for at_before, one in enumerate(before)
        for at_after, other in enumerate(after)
        if (common := _common_s(one, other)) > 0
    )
    paired: dict[int, int] = {}
    for _, at_before, at_after in ranked:
        if at_before not in paired and at_after not in paired.values():
            paired[at_before] = at_after
    return Comparison(
        appeared=tuple(row for at, row in enumerate(after) if at not in paired.values()),
        vanished=tuple(row for at, row in enumerate(before) if at not in paired),
        pairs=tuple(
            Pair(before[one], after[other], _changes(before[one], after[other]))
            for one, other in sorted(paired.items())
        ),
    )


def _common_s(one: IncidentRow, other: IncidentRow) -> float:
    if one.camera_id != other.camera_id or family_of(one.hazard) != family_of(other.hazard):
        return 0.0
    ends = (OPEN_END_S if row.cleared_s is None else row.cleared_s for row in (one, other))
    return min(ends) - max(one.started_s, other.started_s)


def _changes(one: IncidentRow, other: IncidentRow) -> tuple[str, ...]:
    found = []
    if one.hazard != other.hazard:
        found.append(f"{one.hazard} → {other.hazard}")
    if abs(one.started_s - other.started_s) > MOVED_S:
        found.append(f"start {one.started_s:.1f} → {other.started_s:.1f} s")
    if abs(one.confirmed_s - other.confirmed_s) > MOVED_S:
        found.append(f"confirmed {one.confirmed_s:.1f} → {other.confirmed_s:.1f} s")
    if _iou(one.box, other.box) < MOVED_IOU:
        found.append("box")
    return tuple(found)


def _iou(a: Sequence[float], b: Sequence[float]) -> float:
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(across, 0.0) * max(down, 0.0)
    areas = ((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (a, b))
    return shared / max(sum(areas) - shared, 1e-12)


def write_comparison(path: Path, found: Comparison, before: Path, after: Path) -> None:
    """A page with the pictures of what differs; it refers to those in the two folders."""
    title = "gridwatch 回放对比 / replay comparison"
    sections = [
        ("新增 / appeared", [(row, after, "") for row in found.appeared]),
        ("消失 / vanished", [(row, before, "") for row in found.vanished]),
        ("变化 / moved", [(pair.after, after, ", ".join(pair.changes)) for pair in found.moved]),
    ]
    path.write_text(
        f'<!doctype html><html lang="zh"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<h1>{title}</h1><p>{escape(str(before))} → {escape(str(after))}</p>"
        f"{''.join(_section(name, rows, path) for name, rows in sections)}</html>\n",
        encoding="utf-8",
    )


def _section(name: str, rows: Iterable[tuple[IncidentRow, Path, str]], page: Path) -> str:
    cards = "".join(_card(row, folder, note, page) for row, folder, note in rows)
    body = f'<div class="cards">{cards}</div>' if cards else "<small>无 / none</small>"
    return f"<h2>{name}</h2>{body}"


def _card(row: IncidentRow, folder: Path, note: str, page: Path) -> str:
    picture = ""
    if row.picture is not None and (folder / row.picture).is_file():
        at = os.path.relpath(folder / row.picture, page.parent)
        picture = f'<img src="{escape(at)}" alt="">'
    return (
        f'<div class="card">{picture}<div><strong>{NAMES.get(row.hazard, escape(row.hazard))}'
        f"</strong> {escape(row.camera_id)}<br>始 / start {row.started_s:.1f} s, 确认 / confirmed "
        f"{row.confirmed_s:.1f} s, 得分 / score {row.score:.2f}<br>{escape(note)}</div></div>"
    )
