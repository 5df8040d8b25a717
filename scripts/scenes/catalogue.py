"""All makers of hazards, decoys and gatherings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import barriers, crowds, debris, decoys, fallen, holes, swallowed, wrecks

if TYPE_CHECKING:
    from .things import Maker

GATHERINGS: tuple[Maker, ...] = tuple(crowds.MAKERS)


def makers(class_name: str) -> list[Maker]:
    """Those of one class of hazards, or the decoys ("none")."""
    modules = (holes, swallowed, fallen, debris, barriers, wrecks, decoys)
    return [maker for one in modules for maker in one.MAKERS if maker.class_name == class_name]
