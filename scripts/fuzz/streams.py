"""Streams to be mutated: encoded from the rendered streets that come with the program."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np

from pipeline.ingest.pictures import content_size
from pipeline.rehearsal.stage import load_clips

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.ingest import Look

SIZE = (640, 384)  # of looks
_PICTURE = (640, 360)
_PICTURES = 24
_X265 = "log-level=none:pools=none:frame-threads=1"
KINDS = {  # name: (encoder, parameters, pictures in a group)
    "h264-cabac": ("x264", "threads=1", 1),
    "h264-cavlc": ("x264", "threads=1:cabac=0", 1),
    "h264-slices": ("x264", "threads=1:slices=4", 1),
    "h264-groups": ("x264", "threads=1:bframes=0", 6),
    "hevc": ("x265", _X265, 1),
    "hevc-groups": ("x265", f"{_X265}:bframes=0", 6),
}
# A look is corrupt when more of its blocks than a passer-by covers show what wasn't there.
_BLOCK_PX, _STEP, _SHARE = 16, 12, 0.02


def write_stream(kind: str, folder: Path) -> Path:
    """A transport stream of one kind, with the parameter sets before every key frame."""
    encoder, parameters, group = KINDS[kind]
    path = folder / f"{kind}.ts"
    with av.open(load_clips()[0].path) as source, av.open(path, "w") as target:
        stream = target.add_stream(f"lib{encoder}", rate=25)
        stream.width, stream.height = _PICTURE
        stream.pix_fmt = "yuv420p"
        told = f"keyint={group}:min-keyint={group}:scenecut=0:repeat-headers=1:{parameters}"
        stream.options = {"preset": "veryfast", f"{encoder}-params": told}
        for number, frame in enumerate(source.decode(video=0)):
            if number == _PICTURES:
                break
            small = frame.reformat(*_PICTURE, format="yuv420p")
            small.pts, small.time_base = number, Fraction(1, 25)
            target.mux(stream.encode(small))
        target.mux(stream.encode())
    return path


def corrupt(look: Look, reference: Look) -> bool:
    """Whether a look shows what its camera never saw. Both are of the same moment."""
    if look.source_size != reference.source_size:
        return True
    changed = np.abs(_blocks(look) - _blocks(reference)) > _STEP
    return bool(changed.mean() > _SHARE)


def _blocks(look: Look) -> NDArray[np.float64]:
    """Mean luma of each block of what the picture shows."""
    width, height = content_size(look.source_size, SIZE)
    columns, rows = width // _BLOCK_PX, height // _BLOCK_PX
    luma = look.picture[: rows * _BLOCK_PX, : columns * _BLOCK_PX]
    blocks = luma.reshape(rows, _BLOCK_PX, columns, _BLOCK_PX)
    return blocks.mean((1, 3))
