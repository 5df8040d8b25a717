"""Files that come with the program: in the checkout's folders, or inside an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """Path of a file such as ``models/street-n.onnx``."""
    in_wheel = _PACKAGE / "_shipped" / name
    return in_wheel if in_wheel.exists() else _PACKAGE.parent / name
