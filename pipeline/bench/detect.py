"""What a look costs in the detector: the whole path beside bare onnxruntime with the same model.

Whole is what the daemon does with a batch: looks whose pictures stand in the shared ring go in,
detections in source pixels come out. Bare is one run of a session with onnxruntime's own settings,
all cores, on a batch that lies ready. They take turns on the same pictures in one process, so that
whatever else the machine does weighs on both.
"""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from pipeline.bench.beside import beside_ultralytics
from pipeline.bench.figure import Figure
from pipeline.bench.material import bare_session, looks_in_ring, pictures_of
from pipeline.bench.turns import turns
from pipeline.detect import Detector

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pipeline.clock import Clock
    from pipeline.ingest import Look
    from pipeline.settings import ModelSettings

BUCKETS = (1, 2, 4, 8, 16)
WHOLE_TARGET = 1 / 0.95
"""The whole path does at least 95 % of the looks that the bare session does."""
OUTSIDE_TARGET_MS = 0.3


def bench_detect(
    settings: ModelSettings,
    footage: Path,
    *,
    rounds: int,
    clock: Clock,
    say: Callable[[str], None],
    beside: Path | None = None,
) -> list[Figure]:
    """Figures of each size of batch, in milliseconds a look. Raises BenchError, ModelError.

    ``footage`` is a clip with at least as many looks as the largest batch. ``beside``: weights of
    the same model for ultralytics, which then does the same pictures.
    """
    settings = settings.model_copy(update={"batch": max(settings.batch, BUCKETS[-1])})
    detector = Detector(settings)
    session = bare_session(settings.path, detector.provider, threads=0)
    looks = looks_in_ring(footage, detector.size, BUCKETS[-1], clock)
    looks_of, batches_of = [], []
    for batch in BUCKETS:
        say(f"批量 / batch {batch}")
        of_batch = looks[:batch]
        ready = np.stack([look.picture for look in of_batch])
        whole, bare = turns(
            partial(detector, of_batch),
            partial(session.run, None, {"pictures": ready}),
            rounds=rounds,
            clock=clock,
        )
        looks_of.append(
            Figure(
                f"look_in_batch_of_{batch}",
                1e3 * median(whole) / batch,
                1e3 * median(bare) / batch,
                "ms a look",
                "the whole path beside a bare session",
                WHOLE_TARGET,
            )
        )
        batches_of.append(
            Figure(
                f"p99_of_batch_of_{batch}",
                1e3 * float(np.quantile(whole, 0.99)),
                1e3 * float(np.quantile(bare, 0.99)),
                "ms",
                "from a batch that is full to its detections",
            )
        )
    say("会话之外 / outside the session")
    figures = [*looks_of, *batches_of, _outside(settings, looks, rounds, clock)]
    if beside is not None:
        say("ultralytics")
        pictures = pictures_of(footage, BUCKETS[-1])
        figures += beside_ultralytics(
            detector, beside, pictures, batches=(1, 8), rounds=rounds, clock=clock
        )
    return figures


def _outside(settings: ModelSettings, looks: Sequence[Look], rounds: int, clock: Clock) -> Figure:
    """Time of a look that is not the session's: one lane beside a session of one thread."""
    detector = Detector(settings.model_copy(update={"threads": 1}))
    session = bare_session(settings.path, detector.provider, threads=1)
    ready = [look.picture[None].copy() for look in looks]
    whole, bare = turns(
        lambda: detector(looks),
        lambda: [session.run(None, {"pictures": one}) for one in ready],
        rounds=rounds,
        clock=clock,
    )
    # Pairs of neighbouring turns: what the machine does meanwhile weighs on both.
    ms = 1e3 * median(ours - theirs for ours, theirs in zip(whole, bare, strict=True)) / len(looks)
    return Figure(
        "outside_the_session",
        ms,
        None,
        "ms a look",
        "more than the bare session takes for a look, on one thread",
        OUTSIDE_TARGET_MS,
        of_ratio=False,
    )
