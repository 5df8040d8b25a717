#!/usr/bin/env python3
"""Draw docs/loop.svg, the timeline of docs/loop.md, from the page's first table.

The page is compared with what happens by tests/loop, so the picture says what happens, too.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from html import escape
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
COLUMNS = 6  # of the table: when, who, what, state, limit and lamp, who is told
WIDTH = 1180
TOP, ROW, LINE = 92, 34, 19  # heights in px: of the head, of a row without its lines, of a line
TIME_X, LAMP_X, TEXT_X = 16, 652, 676
DESK = "案卷 case"
LANES = {
    "摄像机 camera": 176,
    DESK: 280,
    "三级网格 third level": 384,
    "一级网格 first level": 488,
    "应急办 emergency": 592,
}
# Whoever acts or is told, by the beginning of the name, and the lane that is theirs.
LANE_OF = {
    "摄像机": "摄像机 camera",
    "系统": DESK,
    "三级网格长": "三级网格 third level",
    "网格长": "三级网格 third level",
    "网格员": "三级网格 third level",
    "一级网格": "一级网格 first level",
    "应急": "应急办 emergency",
}
COLOURS = {"green": "#2e8b57", "yellow": "#d9a400", "red": "#c0392b", "": "#9aa3ad"}
FONTS = "Noto Sans CJK SC, Microsoft YaHei, PingFang SC, sans-serif"
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"
 height="{height}" font-family="{fonts}" font-size="14" role="img"
 aria-label="一个塌陷的闭环 / the loop of one collapse">
<rect width="{width}" height="{height}" fill="#ffffff"/>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"
 orient="auto"><path d="M0 0 8 4 0 8z" fill="{blue}"/></marker></defs>
"""
INK, FAINT, BLUE = "#1d2733", "#5a6673", "#1f5fa8"


@dataclass(frozen=True)
class Row:
    """One row of the table; lists are the lines of a cell."""

    when: str
    who: str
    what: list[str]
    state: str
    limit: list[str]
    told: list[str]

    @property
    def height(self) -> int:
        return ROW + LINE * (len(self.what) + (self.lamp != ""))

    @property
    def lamp(self) -> str:
        """The colour's name in the last line of the limit; none where no limit runs."""
        return next((name for name in COLOURS if name and self.limit[-1].endswith(name)), "")

    @property
    def recipients(self) -> list[str]:
        """The lanes that are told, each once."""
        people = [one for line in self.told for one in line.partition(":")[0].split("、") if one]
        return list(dict.fromkeys(map(lane_of, people)))


def lane_of(name: str) -> str:
    return next(lane for begins, lane in LANE_OF.items() if name.startswith(begins))


def rows_of(page: str) -> list[Row]:
    """Of its first table."""
    found: list[Row] = []
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == COLUMNS and cells[0][:2].isdecimal():
            when, who, what, state, limit, told = cells
            parts = (cell.split("<br>") for cell in (what, limit, told))
            found.append(Row(when, who, next(parts), state, next(parts), next(parts)))
        elif found and not line.startswith("|"):
            break
    return found


def drawn(rows: list[Row]) -> str:
    height = TOP + sum(row.height for row in rows) + 24
    parts = [
        HEAD.format(width=WIDTH, height=height, fonts=FONTS, blue=BLUE),
        *_lanes(height),
    ]
    y = TOP
    for row in rows:
        parts += _row(row, y)
        y += row.height
    return "".join([*parts, "</svg>\n"])


def _lanes(height: int) -> list[str]:
    parts = []
    for name, x in LANES.items():
        zh, _, en = name.partition(" ")
        parts.append(_text(x, 30, zh, anchor="middle", weight="bold"))
        parts.append(_text(x, 50, en, anchor="middle", size=12, fill=FAINT))
        parts.append(_line(x, 64, x, height - 20, "#d5dae0"))
    parts.append(_text(LAMP_X + 6, 30, "灯", anchor="middle", weight="bold"))
    parts.append(_text(LAMP_X + 6, 50, "lamp", anchor="middle", size=12, fill=FAINT))
    return parts


def _row(row: Row, y: int) -> list[str]:
    middle, desk, below = y + 22, LANES[DESK], y + row.height - 1
    parts = [
        _bar(LAMP_X, y, row.height - 2, COLOURS[row.lamp]),
        _line(TIME_X, below, 120, below, "#e7eaee"),
        _line(TEXT_X, below, WIDTH - 16, below, "#e7eaee"),
        _text(TIME_X, middle + 4, row.when, weight="bold", size=13),
    ]
    lane = lane_of(row.who)
    if lane != DESK:
        x = LANES[lane]
        parts.append(_line(x, middle, desk + (9 if x > desk else -9), middle, INK, tip=False))
    for place, told in enumerate(row.recipients):
        x, at = LANES[told], middle + 15 + 7 * place
        parts.append(_line(desk, at, x - (3 if x > desk else -3), at, BLUE, tip=True))
    parts.append(_dot(LANES[lane], middle, INK, 6))
    parts.append(_dot(desk, middle, COLOURS[row.lamp], 8))
    lines = row.what
    for number, line in enumerate(lines):
        parts.append(_text(TEXT_X, middle + 4 + LINE * number, line, weight="bold"))
    if row.lamp:
        limit = f"{row.state}；{'，'.join(row.limit)}"
        parts.append(_text(TEXT_X, middle + 4 + LINE * len(lines), limit, size=12, fill=FAINT))
    return parts


def _text(
    x: int, y: int, text: str, *, anchor: str = "start", weight: str = "normal", size: int = 14,
    fill: str = INK,
) -> str:  # fmt: skip
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}" font-size="{size}"'
        f' fill="{fill}">{escape(text)}</text>\n'
    )


def _line(x1: int, y1: int, x2: int, y2: int, colour: str, *, tip: bool = False) -> str:
    end = ' marker-end="url(#tip)"' if tip else ""
    return f'<path d="M{x1} {y1}L{x2} {y2}" stroke="{colour}" stroke-width="1.5"{end}/>\n'


def _bar(x: int, y: int, height: int, colour: str) -> str:
    return f'<rect x="{x}" y="{y}" width="12" height="{height}" rx="2" fill="{colour}"/>\n'


def _dot(x: int, y: int, colour: str, radius: int) -> str:
    return f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}" stroke="#fff"/>\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DOCS / "loop.svg")
    given = parser.parse_args()
    rows = rows_of((DOCS / "loop.md").read_text("utf-8"))
    given.out.write_text(drawn(rows), "utf-8")


if __name__ == "__main__":
    main()
