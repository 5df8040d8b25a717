"""All makers of hazards and decoys."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .things import Maker

_MODULES = ("holes", "fallen", "debris", "wrecks", "crowds", "decoys")


@cache
def makers() -> tuple[Maker, ...]:
    """Every maker there is."""
    found: list[Maker] = []
    for name in _MODULES:
        if find_spec(f"{__package__}.{name}"):
            found += import_module(f".{name}", __package__).MAKERS
    return tuple(found)
