"""The scripts of the archive, each behind what all scripts of the desk share."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def script_of(*names: str) -> str:
    folder = files("pipeline.tickets") / "lua"
    return "".join((folder / f"{part}.lua").read_text("utf-8") for part in ("common", *names))
