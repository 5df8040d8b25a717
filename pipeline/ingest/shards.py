"""Cameras of one box among several that divide a camera list without talking to each other."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from pipeline.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.town import Camera

_BOXES_AT_MOST = 10_000


def shard_of(cameras: Iterable[Camera], shard: str) -> tuple[Camera, ...]:
    """The cameras of part K of N, ``shard`` being "K/N" with K from 1; the order is kept.

    A camera's part depends on its id and N alone, so that every box finds the same division
    whatever its copy of the list is sorted by, and a camera that is added moves no other. Raises
    InputError for anything else than K/N with 1 <= K <= N.
    """
    found = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", shard)
    part, parts = map(int, found.groups()) if found else (0, 0)
    if not 1 <= part <= parts <= _BOXES_AT_MOST:
        raise InputError(
            "no part of a camera list",
            where="--shard",
            found=repr(shard),
            allowed=f"K/N with 1 <= K <= N <= {_BOXES_AT_MOST}, such as 2/5",
        )
    return tuple(camera for camera in cameras if _number(camera.camera_id) % parts == part - 1)


def _number(camera_id: str) -> int:
    """The same on every machine and in every version of Python, as ``hash`` is not."""
    return int.from_bytes(hashlib.sha256(camera_id.encode()).digest()[:8], "big")
