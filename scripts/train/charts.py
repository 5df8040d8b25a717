"""Line charts as SVG, drawn here so that a report needs no network and no library to be read."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

COLOURS = ("#d9641e", "#2a6fb0", "#2a8a4a", "#8a4ab0", "#7a7a2a", "#b02a5a")
_WIDTH, _HEIGHT = 300, 190
_LEFT, _BOTTOM, _TOP, _RIGHT = 48, 22, 20, 8
_FEW = 20  # points that are marked: a line of one can't be seen without


@dataclass(frozen=True, slots=True)
class Line:
    """Points of one line, in the units of the chart."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]


@dataclass(frozen=True, slots=True)
class Chart:
    """``x_max`` and ``y_max`` are where the axes end; they begin at 0."""

    title: str
    x_name: str
    x_max: float
    y_max: float
    lines: Sequence[Line]


def svg(chart: Chart) -> str:
    """The chart; the title and each line's name are there for a reader of the source, too."""
    drawn = "".join(_line(chart, line, at) for at, line in enumerate(chart.lines))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"><title>{escape(chart.title)}</title>'
        f'<text x="{_LEFT}" y="13">{escape(chart.title)}</text>{_axes(chart)}{drawn}</svg>'
    )


def legend(names: Sequence[str]) -> str:
    return " ".join(
        f'<span class="key"><i style="background:{_colour(at)}"></i>{escape(name)}</span>'
        for at, name in enumerate(names)
    )


def _axes(chart: Chart) -> str:
    floor, right = _HEIGHT - 6, _WIDTH - _RIGHT
    parts = [_tick((_LEFT + right) * 0.62, floor, "middle", chart.x_name)]
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        x, y = _place(chart, share * chart.x_max, share * chart.y_max)
        parts += [
            f'<line class="axis" x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>',
            _tick(_LEFT - 4, y + 4, "end", f"{share * chart.y_max:.3g}"),
            _tick(x, floor, anchor, f"{share * chart.x_max:.4g}"),
        ]
    return "".join(parts)


def _tick(x: float, y: float, anchor: str, text: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="tick" {place}>{escape(text)}</text>'


def _line(chart: Chart, line: Line, at: int) -> str:
    places = [_place(chart, x, y) for x, y in zip(line.xs, line.ys, strict=True)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = places if len(places) <= _FEW else []
    return "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2" fill="{_colour(at)}"/>' for x, y in dots
    ) + (
        f'<polyline fill="none" stroke="{_colour(at)}" stroke-width="1.6" points="{points}">'
        f"<title>{escape(line.name)}</title></polyline>"
    )


def _place(chart: Chart, x: float, y: float) -> tuple[float, float]:
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    right = min(max(x / chart.x_max, 0.0), 1.0)
    up = min(max(y / chart.y_max, 0.0), 1.0)
    return _LEFT + width * right, _TOP + height * (1 - up)


def _colour(at: int) -> str:
    return COLOURS[at % len(COLOURS)]
