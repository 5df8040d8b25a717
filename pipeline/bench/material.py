"""What detection is measured with: looks and pictures of a clip, and a bare session."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import onnxruntime as ort

from pipeline.detect import load_card
from pipeline.detect.ladder import NAMES, open_on
from pipeline.errors import BenchError
from pipeline.ingest import FrameRing, Source
from pipeline.settings import IngestSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.clock import Clock
    from pipeline.detect.ladder import Provider
    from pipeline.ingest import Look
    from pipeline.settings import ModelSettings

_INTERVAL_S = 0.4


def bare_session(settings: ModelSettings, provider: Provider, threads: int) -> Any:
    """A session with onnxruntime's own settings for a CPU; ``threads`` 0: all cores.

    On a GPU it has ours, half precision and engines above all, for it shall be as fast: bare means
    that nothing is done for it but to hand over a batch that lies ready. But no CUDA graphs, which
    need bound memory. Raises ModelError where it would run on something else.
    """
    plain = settings.model_copy(update={"cuda_graphs": False})
    shape = load_card(settings.path).input
    if provider != "cpu":
        return open_on(provider, settings.path, shape, plain, threads)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(settings.path.read_bytes(), options, providers=[NAMES[provider]])


def pictures_of(footage: Path, count: int) -> list[NDArray[np.uint8]]:
    """So many pictures, uint8 BGR (H, W, 3), spread over the clip."""
    with av.open(f"file:{footage}") as container:
        frames = list(container.decode(container.streams.video[0]))
    step = max(1, len(frames) // count)
    return [
        np.asarray(one.to_ndarray(format="bgr24"), np.uint8)
        for one in frames[: step * count : step]
    ]


def looks_in_ring(footage: Path, size: tuple[int, int], count: int, clock: Clock) -> list[Look]:
    """So many looks at a clip, with their pictures where a worker puts them.

    Raises BenchError when it has fewer.
    """
    return _in_ring(_looks(footage, size, count, clock), size)


def _looks(footage: Path, size: tuple[int, int], count: int, clock: Clock) -> list[Look]:
    looks: list[Look] = []
    settings = IngestSettings(interval_s=_INTERVAL_S)
    with Source("bench", str(footage), settings, size=size, clock=clock, policy="all") as source:
        for look in source.looks():
            looks.append(look)
            if len(looks) == count:
                return looks
    raise BenchError(
        "has too few pictures",
        where=str(footage),
        found=len(looks),
        allowed=f"{count} pictures, {_INTERVAL_S} s apart",
    )


def _in_ring(looks: Sequence[Look], size: tuple[int, int]) -> list[Look]:
    ring = FrameRing.create(size, len(looks))
    standing: list[Look] = []
    for look in looks:
        slot = ring.put(look.picture)
        assert slot is not None
        picture: NDArray[np.uint8] = ring.picture(slot)
        standing.append(replace(look, picture=picture))
    return standing
