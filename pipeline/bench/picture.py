"""Figures of a bench as a picture: each as a bar, its floor as another below it."""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.bench.figure import Figure

_LEFT, _WIDTH, _RIGHT, _BAR, _ROW, _HEAD = 250, 560, 190, 13, 40, 46
_OURS, _FLOOR, _MISSED = "#1f6feb", "#9aa4b2", "#d73a49"


def draw(figures: Sequence[Figure], file: Path, title: str) -> None:
    """Write an SVG. Bars of one unit have one scale, which begins anew where the unit changes."""
    parts, top = [], _HEAD
    for _, group in groupby(figures, key=lambda one: one.unit):
        rows = list(group)
        most = max(max(abs(one.figure), one.floor or 0.0) for one in rows) or 1.0
        for one in rows:
            parts.append(_row(one, top, most))
            top += _ROW
    width = _LEFT + _WIDTH + _RIGHT
    file.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top + 10}" '
        f'font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="white"/>'
        f'<text x="10" y="22" font-size="15">{escape(title)}</text>'
        f"{_legend(width)}{''.join(parts)}</svg>\n",
        encoding="utf-8",
    )


def _legend(width: int) -> str:
    told = (
        (_OURS, "测得 / figure"),
        (_MISSED, "未达标 / misses its target"),
        (_FLOOR, "下限 / floor"),
    )
    return "".join(
        f'<text x="{width - 500 + 170 * place}" y="22" fill="{colour}">■ {text}</text>'
        for place, (colour, text) in enumerate(told)
    )


def _row(one: Figure, top: int, most: float) -> str:
    colour = _MISSED if one.met is False else _OURS
    ratio = "" if one.ratio is None else f"  ({one.ratio:.2f} ×)"
    text = f'<text x="{_LEFT - 8}" y="{top + 16}" text-anchor="end">{escape(one.name)}</text>'
    text += _bar(one.figure, most, top, colour, f"{one.figure:.3g} {one.unit}{ratio}")
    if one.floor is not None:
        text += _bar(one.floor, most, top + _BAR + 2, _FLOOR, f"{one.floor:.3g} {one.unit}")
    return f"<g><title>{escape(one.means)}</title>{text}</g>"


def _bar(value: float, most: float, top: int, colour: str, told: str) -> str:
    width = _WIDTH * max(0.0, value) / most
    return (
        f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>'
        f'<text x="{_LEFT + width + 6:.1f}" y="{top + _BAR - 2}">{escape(told)}</text>'
    )
