"""What `gridwatch bench detect` measures, on the shipped model and few rounds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipeline.bench import bench_detect
from pipeline.bench.beside import beside_ultralytics
from pipeline.bench.detect import BUCKETS
from pipeline.bench.material import pictures_of
from pipeline.clock import SystemClock
from pipeline.detect import Detector
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
    assert figures["processor_outside"].figure < 50
    assert figures["copied_to_the_device"].figure == 0  # a CPU reads pictures where they are
    assert len(said) == len(BUCKETS) + 1


def test_footage_with_too_few_looks_is_refused(make_clip):
    with pytest.raises(BenchError, match="too few pictures"):
        bench(make_clip(seconds=2))


def test_without_ultralytics_the_comparison_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ultralytics", None)
    with pytest.raises(BenchError, match=r"gridwatch\[train\]"):
        beside_ultralytics(
            None, tmp_path / "none.pt", [], batches=(), rounds=3, clock=SystemClock()
        )


def test_beside_ultralytics_the_same_weights_find_the_same():
    pytest.importorskip("ultralytics", reason="ultralytics is not installed")
    weights = Path(__file__).parents[3] / "shared" / "weights" / "street-n-v0.pt"
    if not weights.is_file():
        pytest.skip("needs the weights of the shipped model")
    pictures = pictures_of(CLIPS / "quiet_street.mp4", 16)
    *_, unlike = beside_ultralytics(
        Detector(ModelSettings()), weights, pictures, batches=(1,), rounds=3, clock=SystemClock()
    )
    assert unlike.met
