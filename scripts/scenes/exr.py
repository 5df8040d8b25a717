"""Reads the uncompressed multi-layer EXR files that Blender writes. Needs no renderer."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC = 20000630
_TYPES = {0: np.dtype("<u4"), 1: np.dtype("<f2"), 2: np.dtype("<f4")}


def read(path: Path) -> dict[str, np.ndarray]:
    """Layers by name without the view layer's, float32 (h, w) or (h, w, channels in file order).

    Raises ValueError where the file is another sort of EXR (compressed, tiled, several parts).
    """
    data = path.read_bytes()
    magic, version = struct.unpack_from("<ii", data)
    if magic != _MAGIC or version & 0x1A00:
        raise ValueError(f"{path}: not a plain scan-line EXR")
    header, place = _header(data)
    if header["compression"] != b"\0":
        raise ValueError(f"{path}: found compression; allowed: none")
    left, top, right, bottom = struct.unpack("<4i", header["dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    channels = list(_channels(header["channels"]))
    bytes_a_row = sum(kind.itemsize for _, kind in channels) * width
    begin = place + 8 * height
    rows = np.frombuffer(data, np.uint8, (8 + bytes_a_row) * height, begin)
    rows = rows.reshape(height, 8 + bytes_a_row)[:, 8:]
    layers: dict[str, list[np.ndarray]] = {}
    offset = 0
    for name, kind in channels:
        size = kind.itemsize * width
        plane = np.ascontiguousarray(rows[:, offset : offset + size]).view(kind)
        layers.setdefault(name.split(".")[-2], []).append(plane.astype(np.float32))
        offset += size
    return {n: p[0] if len(p) == 1 else np.stack(p, axis=2) for n, p in layers.items()}


def _header(data: bytes) -> tuple[dict[str, bytes], int]:
    """Attributes by name, and where they end."""
    attributes, place = {}, 8
    while data[place]:
        name, place = _text(data, place)
        _, place = _text(data, place)
        (size,) = struct.unpack_from("<i", data, place)
        attributes[name] = data[place + 4 : place + 4 + size]
        place += 4 + size
    return attributes, place + 1


def _channels(table: bytes) -> list[tuple[str, np.dtype]]:
    found, place = [], 0
    while table[place]:
        name, place = _text(table, place)
        found.append((name, _TYPES[struct.unpack_from("<i", table, place)[0]]))
        place += 16
    return found


def _text(data: bytes, place: int) -> tuple[str, int]:
    end = data.index(b"\0", place)
    return data[place:end].decode(), end + 1
