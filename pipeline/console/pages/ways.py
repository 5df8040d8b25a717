"""Small things that pages share."""

from __future__ import annotations

import re

# One slash and then a name: "//host" and "/\host" lead elsewhere.
_INSIDE = re.compile(r"/(?![/\\])[\x21-\x7e]*")


def inside(path: str) -> str:
    """An address of our own to go on to; what leads elsewhere becomes the first page."""
    return path if _INSIDE.fullmatch(path) else "/"
