"""Picture sizes as people write them."""

from __future__ import annotations

import typer


def read_size(text: str) -> tuple[int, int]:
    """Width and height from 640x384."""
    try:
        width, height = map(int, text.split("x"))
    except ValueError:
        width = height = 0
    if min(width, height) < 64 or width % 32 or height % 32:
        raise typer.BadParameter("--size must be WIDTHxHEIGHT, multiples of 32 from 64 on")
    return width, height
