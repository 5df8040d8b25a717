"""What `gridwatch bench detect` measures, on the shipped model and few rounds."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.bench import bench_detect
from pipeline.bench.beside import _unlike, beside_ultralytics
from pipeline.bench.detect import BUCKETS
from pipeline.bench.material import pictures_of
from pipeline.clock import SystemClock
from pipeline.detect import Detections, Detector
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
    *_, its, ours = beside_ultralytics(
        Detector(ModelSettings()), weights, pictures, batches=(1,), rounds=3, clock=SystemClock()
    )
    assert its.met
    assert ours.met


def seen(*rows):
    """Rows: x, score, class; boxes of 10 by 10 pixels."""
    boxes = [[x, 0, x + 10, 10] for x, _, _ in rows]
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in rows], np.float32),
        np.array([name for *_, name in rows], np.int16),
    )


@pytest.mark.parametrize(
    "other, unlike",
    [
        ((0, 0.85, 2), 0),
        ((0.5, 0.9, 2), 0),
        ((4, 0.9, 2), 1),  # elsewhere
        ((0, 0.7, 2), 1),  # another score
        ((0, 0.9, 3), 1),  # another class
    ],
)
def test_a_detection_is_like_another_in_box_score_and_class(other, unlike):
    assert _unlike(seen((0, 0.9, 2), (50, 0.1, 2)), seen(other)) == (unlike, 1)


def test_what_only_one_of_the_two_sees_is_unlike_for_that_one():
    assert _unlike(seen((0, 0.9, 2)), seen()) == (1, 1)
    assert _unlike(seen(), seen((0, 0.9, 2))) == (0, 0)
