"""What a look costs in the detector: the whole path beside bare onnxruntime with the same model.

Whole is what the daemon does with a batch: looks whose pictures stand in the shared ring go in,
detections in source pixels come out. Bare is one run of a session with onnxruntime's own settings,
all cores, on a batch that lies ready. They take turns on the same pictures in one process, so that
whatever else the machine does weighs on both.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from pipeline.bench.figure import Figure
from pipeline.detect import Detector
from pipeline.errors import BenchError
from pipeline.ingest import FrameRing, Source
from pipeline.settings import IngestSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.clock import Clock
    from pipeline.ingest import Look
    from pipeline.settings import ModelSettings

BUCKETS = (1, 2, 4, 8, 16)
WHOLE_TARGET = 1 / 0.95
"""The whole path does at least 95 % of the looks that the bare session does."""
OUTSIDE_TARGET_MS = 0.3
_INTERVAL_S = 0.4


def bench_detect(
    settings: ModelSettings,
    footage: Path,
    *,
    rounds: int,
    clock: Clock,
    say: Callable[[str], None],
) -> list[Figure]:
    """Figures of each size of batch, in milliseconds a look. Raises BenchError, ModelError.

    ``footage`` is a clip with at least as many looks as the largest batch.
    """
    detector = Detector(settings)
    session = ort.InferenceSession(settings.path.read_bytes(), providers=["CPUExecutionProvider"])
    looks = _in_ring(_looks(footage, detector.size, clock), detector.size)
    figures = []
    for batch in BUCKETS:
        say(f"批量 / batch {batch}")
        of_batch = looks[:batch]
        ready = np.stack([look.picture for look in of_batch])
        whole, bare = _turns(
            partial(detector, of_batch),
            partial(session.run, None, {"pictures": ready}),
            rounds=rounds,
        )
        figures.append(
            Figure(
                f"look_in_batch_of_{batch}",
                1e3 * median(whole) / batch,
                1e3 * median(bare) / batch,
                "ms",
                "the whole path beside a bare session",
                WHOLE_TARGET,
            )
        )
        figures.append(
            Figure(
                f"p99_of_batch_of_{batch}",
                1e3 * float(np.quantile(whole, 0.99)),
                1e3 * float(np.quantile(bare, 0.99)),
                "ms",
                "from a batch that is full to its detections",
            )
        )
    say("会话之外 / outside the session")
    figures.append(_outside(settings, looks, rounds))
    return figures


def _outside(settings: ModelSettings, looks: Sequence[Look], rounds: int) -> Figure:
    """Time of a look that is not the session's: one lane beside a session of one thread."""
    detector = Detector(settings.model_copy(update={"threads": 1}))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        settings.path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    ready = [look.picture[None].copy() for look in looks]
    whole, bare = _turns(
        lambda: detector(looks),
        lambda: [session.run(None, {"pictures": one}) for one in ready],
        rounds=max(5, rounds // len(looks)),
    )
    # Pairs of neighbouring turns: what the machine does meanwhile weighs on both.
    ms = 1e3 * median(ours - theirs for ours, theirs in zip(whole, bare, strict=True)) / len(looks)
    return Figure(
        "outside_the_session",
        max(0.0, ms),
        None,
        "ms",
        "more than the bare session takes for a look, on one thread",
        OUTSIDE_TARGET_MS,
        of_ratio=False,
    )


def _turns(
    ours: Callable[[], Any], theirs: Callable[[], Any], *, rounds: int
) -> tuple[list[float], list[float]]:
    """Seconds of each turn of both, after one that doesn't count."""
    took: tuple[list[float], list[float]] = [], []
    for number in range(rounds + 1):
        for times, run in zip(took, (ours, theirs), strict=True):
            began_s = time.perf_counter()
            run()
            if number:
                times.append(time.perf_counter() - began_s)
    return took


def _looks(footage: Path, size: tuple[int, int], clock: Clock) -> list[Look]:
    looks: list[Look] = []
    settings = IngestSettings(interval_s=_INTERVAL_S)
    with Source("bench", str(footage), settings, size=size, clock=clock, policy="all") as source:
        for look in source.looks():
            looks.append(look)
            if len(looks) == BUCKETS[-1]:
                return looks
    raise BenchError(
        "has too few pictures for the largest batch",
        where=str(footage),
        found=len(looks),
        allowed=f"{BUCKETS[-1]} pictures, {_INTERVAL_S} s apart",
    )


def _in_ring(looks: Sequence[Look], size: tuple[int, int]) -> list[Look]:
    """The same looks with their pictures where a worker puts them."""
    ring = FrameRing.create(size, len(looks))
    standing: list[Look] = []
    for look in looks:
        slot = ring.put(look.picture)
        assert slot is not None
        picture: NDArray[np.uint8] = ring.picture(slot)
        standing.append(replace(look, picture=picture))
    return standing
