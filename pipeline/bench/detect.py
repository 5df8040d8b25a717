"""What a look costs in the detector: the whole path beside bare onnxruntime with the same model.

Whole is what the daemon does with a batch: looks whose pictures stand in the shared ring go in,
detections in source pixels come out. Bare is one run of a session with onnxruntime's own settings,
all cores, on a batch that lies ready. They take turns on the same pictures in one process, so that
whatever else the machine does weighs on both.
"""

from __future__ import annotations

import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from pipeline.bench.beside import beside_ultralytics
from pipeline.bench.figure import Figure
from pipeline.bench.material import bare_session, looks_in_ring, pictures_of
from pipeline.bench.turns import turns
from pipeline.detect import Detector
from pipeline.detect.ladder import on_gpu
from pipeline.detect.runners import sizes_up_to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pipeline.clock import Clock
    from pipeline.ingest import Look
    from pipeline.settings import ModelSettings

BUCKETS = (1, 2, 4, 8, 16)
"""Sizes of batch that are measured; larger ones too where the settings allow them."""
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
    session = bare_session(settings, detector.provider, threads=0)
    looks = looks_in_ring(footage, detector.size, settings.batch, clock)
    looks_of, batches_of = [], []
    for batch in sizes_up_to(settings.batch):
        say(f"批量 / batch {batch}")
        of_batch = looks[:batch]
        ready = np.stack([look.picture for look in of_batch])
        whole, bare = turns(
            partial(detector, of_batch),
            partial(session.run, None, {"pictures": ready}),
            rounds=rounds,
            clock=clock,
        )
        looks_of.append(_look_of(batch, whole, bare))
        batches_of.append(_batch_of(batch, whole, bare))
    say("会话之外 / outside the session")
    figures = [*looks_of, *batches_of, *_beyond(settings, detector, looks, rounds, clock)]
    if beside is not None:
        say("ultralytics")
        pictures = pictures_of(footage, BUCKETS[-1])
        figures += beside_ultralytics(
            detector, beside, pictures, batches=(1, 8), rounds=rounds, clock=clock
        )
    return figures


def _look_of(batch: int, whole: Sequence[float], bare: Sequence[float]) -> Figure:
    return Figure(
        f"look_in_batch_of_{batch}",
        1e3 * median(whole) / batch,
        1e3 * median(bare) / batch,
        "ms a look",
        f"the whole path beside a bare session: {batch / median(whole):.0f} looks a second",
        WHOLE_TARGET,
    )


def _batch_of(batch: int, whole: Sequence[float], bare: Sequence[float]) -> Figure:
    return Figure(
        f"p99_of_batch_of_{batch}",
        1e3 * float(np.quantile(whole, 0.99)),
        1e3 * float(np.quantile(bare, 0.99)),
        "ms",
        "from a batch that is full to its detections",
    )


def _beyond(
    settings: ModelSettings, detector: Detector, looks: Sequence[Look], rounds: int, clock: Clock
) -> list[Figure]:
    """Of a look: time and processor time that are not the session's, and what is copied."""
    if on_gpu(detector.provider):
        ours = detector
        session = bare_session(settings, detector.provider, threads=0)
        ready = [np.stack([look.picture for look in looks])]
        how = f"on {detector.provider}, in batches of {len(looks)}"
        moved = looks[0].picture.nbytes + session.run(None, {"pictures": ready[0][:1]})[0].nbytes
    else:
        ours = Detector(settings.model_copy(update={"threads": 1}))
        session = bare_session(settings, ours.provider, threads=1)
        ready = [look.picture[None].copy() for look in looks]
        how, moved = "on one thread", 0

    def bare() -> None:
        for one in ready:
            session.run(None, {"pictures": one})

    whole_cpu_s: list[float] = []
    bare_cpu_s: list[float] = []
    whole_s, bare_s = turns(
        partial(_noting, partial(ours, looks), whole_cpu_s),
        partial(_noting, bare, bare_cpu_s),
        rounds=rounds,
        clock=clock,
    )
    return [
        _more("outside_the_session", whole_s, bare_s, len(looks), how, OUTSIDE_TARGET_MS),
        _more("processor_outside", whole_cpu_s, bare_cpu_s, len(looks), f"{how}, processor time"),
        Figure(
            "copied_to_the_device",
            moved / 1024,
            None,
            "KiB a look",
            "pictures there and boxes back; a CPU reads them where they are",
        ),
    ]


def _noting(work: Callable[[], object], into: list[float]) -> None:
    """Do it, and note the processor seconds of the whole process meanwhile."""
    began_s = time.process_time()
    work()
    into.append(time.process_time() - began_s)


def _more(
    name: str,
    whole: Sequence[float],
    bare: Sequence[float],
    looks: int,
    how: str,
    target: float | None = None,
) -> Figure:
    # Pairs of neighbouring turns: what the machine does meanwhile weighs on both.
    ms = 1e3 * median(ours - theirs for ours, theirs in zip(whole, bare, strict=True)) / looks
    means = f"more than the bare session takes for a look, {how}"
    return Figure(name, ms, None, "ms a look", means, target, of_ratio=False)
