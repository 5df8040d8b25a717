"""What `gridwatch bench detect` measures, on the shipped model and few rounds."""

from __future__ import annotations

import pytest

from pipeline.bench import bench_detect
from pipeline.bench.detect import BUCKETS
from pipeline.clock import SystemClock
from pipeline.errors import BenchError
from pipeline.rehearsal import CLIPS
from pipeline.settings import ModelSettings


def bench(footage, say=lambda _: None):
    return bench_detect(ModelSettings(), footage, rounds=3, clock=SystemClock(), say=say)


def test_every_size_of_batch_is_measured_beside_a_bare_session():
    said = []
    figures = {figure.name: figure for figure in bench(CLIPS / "quiet_street.mp4", said.append)}
    for batch in BUCKETS:
        look = figures[f"look_in_batch_of_{batch}"]
        assert look.figure > 0
        assert look.floor > 0
        assert look.target is not None
    assert figures["outside_the_session"].figure < 50
    assert len(said) == len(BUCKETS) + 1


def test_footage_with_too_few_looks_is_refused(make_clip):
    with pytest.raises(BenchError, match="too few pictures"):
        bench(make_clip(seconds=2))
