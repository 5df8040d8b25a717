"""Bars of a chart, made ready for the template that draws them as SVG.

Across they are shares of the width in percent, so that the text stays as large as the page's on
every screen; up and down they are CSS pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROW_PX = 46
_COLUMN_PX = 150
_GAP = 0.3  # of a column's width


@dataclass(frozen=True, slots=True)
class Point:
    """``share`` is 0..1, None where there is nothing to tell."""

    label: str
    share: float | None


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar and its two texts. Lengths across in percent, down in pixels."""

    label: str
    said: str
    x: float
    y: float
    width: float
    height: float
    middle: float


@dataclass(frozen=True, slots=True)
class Chart:
    height: int
    upright: bool
    bars: tuple[Bar, ...]


def rows(points: Sequence[Point]) -> Chart:
    """Bars that lie: names of any length find their place above them."""
    bars = tuple(
        Bar(
            point.label,
            percent(point.share),
            x=0.0,
            y=float(number * _ROW_PX),
            width=round(100 * (point.share or 0.0), 2),
            height=12.0,
            middle=0.0,
        )
        for number, point in enumerate(points)
    )
    return Chart(_ROW_PX * len(points), upright=False, bars=bars)


def columns(points: Sequence[Point]) -> Chart:
    """Bars that stand: time goes from left to right."""
    slot = 100.0 / max(1, len(points))
    bars = []
    for number, point in enumerate(points):
        height = round(_COLUMN_PX * (point.share or 0.0), 1)
        bars.append(
            Bar(
                point.label,
                "—" if point.share is None else f"{100 * point.share:.0f}",
                x=round(slot * (number + _GAP / 2), 3),
                y=_COLUMN_PX - height + 20,
                width=round(slot * (1 - _GAP), 3),
                height=height,
                middle=round(slot * (number + 0.5), 3),
            )
        )
    return Chart(_COLUMN_PX + 44, upright=True, bars=tuple(bars))


def percent(share: float | None) -> str:
    return "—" if share is None else f"{100 * share:.1f} %"
