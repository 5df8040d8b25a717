"""What a key frame costs to decode on the box's GPU, beside the processor."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from av.codec.hwaccel import HWAccel

from pipeline.bench.clips import make_clip
from pipeline.bench.figure import Figure
from pipeline.bench.turns import turns
from pipeline.errors import BenchError
from pipeline.ingest.decoding import Decoder
from pipeline.ingest.device import why_no_device
from pipeline.ingest.streams import FileStream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.clock import Clock
    from pipeline.ingest.streams import Arrival

SIZES = ((640, 360), (1920, 1080), (2560, 1440))
_KEYS = 12


def bench_decode(
    device: str, *, rounds: int, clock: Clock, say: Callable[[str], None]
) -> list[Figure]:
    """Milliseconds a key frame on ``device`` (FFmpeg's name), beside one thread of the processor.

    The picture lies in the processor's memory in the end. Raises BenchError where the device
    can't be used.
    """
    if why := why_no_device(device):
        raise BenchError("can't be used", where=device, found=why)
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            say(f"{size[0]}×{size[1]}")
            clip = Path(folder) / f"{size[1]}.mp4"
            make_clip(clip, size, fps=5, gop=1, seconds=_KEYS / 5)
            stream = FileStream(clip)
            keys = list(stream.arrivals())
            stream.close()
            processor = Decoder(stream.codec)
            accelerated = Decoder(
                stream.codec, accelerator=HWAccel(device, allow_software_fallback=False)
            )
            its, mine = turns(
                partial(_all, accelerated, keys),
                partial(_all, processor, keys),
                rounds=rounds,
                clock=clock,
            )
            figures.append(
                Figure(
                    f"key_frame_{size[0]}x{size[1]}",
                    1e3 * median(its) / len(keys),
                    1e3 * median(mine) / len(keys),
                    "ms",
                    f"one H.264 key frame on {device}, beside one thread of the processor",
                )
            )
    return figures


def _all(decoder: Decoder, keys: Sequence[Arrival]) -> None:
    for key in keys:
        decoder.decode(key.packet)
        decoder.drain()
