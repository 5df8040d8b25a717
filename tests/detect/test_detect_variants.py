"""Which variant of a model the daemon runs."""

from __future__ import annotations

import json

import pytest
import structlog
from tiny_model import proto, write

from pipeline.detect import Detector, fastest
from pipeline.detect.variants import CLEARLY, int8_beside
from pipeline.settings import ModelSettings
from pipeline.shipped import shipped

ROWS = [[1.0, 2.0, 30.0, 40.0, 0.9, 0.0]]


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """Settings of a model with a variant beside it; tell how fast which one is."""
    settings = write(tmp_path, proto(ROWS))
    model = settings.path
    (tmp_path / "made").mkdir()
    variant = write(tmp_path / "made", proto([*ROWS, *ROWS]), name="tiny-int8", precision="int8")
    for made in (variant.path, variant.path.with_suffix(".json")):
        made.rename(int8_beside(model).with_suffix(made.suffix))
    speeds = {}
    monkeypatch.setattr(Detector, "_try_out", lambda self, _: speeds[self.card.precision])
    return settings, speeds


def test_the_variant_runs_where_it_is_clearly_faster(pair):
    settings, speeds = pair
    speeds |= {"fp32": 10.0, "int8": 10.0 * CLEARLY}
    assert fastest(settings).card.precision == "int8"


def test_the_named_model_runs_where_the_variant_gains_little(pair):
    settings, speeds = pair
    speeds |= {"fp32": 10.0, "int8": 11.0}
    assert fastest(settings).card.precision == "fp32"


def test_the_named_model_runs_when_the_settings_say_so(pair):
    settings, speeds = pair
    speeds |= {"fp32": 10.0, "int8": 100.0}
    assert fastest(settings.model_copy(update={"fastest": False})).card.precision == "fp32"


@pytest.mark.parametrize(
    "change, said",
    [
        ({"version": "v2"}, "version"),
        ({"sha256": "0" * 64}, "not the file that its card describes"),
        ({"thresholds": 7}, "thresholds"),
    ],
)
def test_a_variant_that_is_of_another_model_or_broken_is_left_out_and_said(pair, change, said):
    settings, speeds = pair
    speeds |= {"fp32": 10.0, "int8": 100.0}
    card = int8_beside(settings.path).with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | change))
    with structlog.testing.capture_logs() as logs:
        assert fastest(settings).card.precision == "fp32"
    assert [one["event"] for one in logs] == ["variant_left_out"]
    assert said in logs[0]["why"]


def test_a_model_without_a_variant_runs_as_it_is(tmp_path):
    detector = fastest(write(tmp_path, proto(ROWS)))
    assert detector.card.name == "tiny"
    assert detector.looks_per_s > 0


def test_the_shipped_variant_is_one_of_the_shipped_model():
    path = shipped("models/street-n.onnx")
    with structlog.testing.capture_logs() as logs:
        fastest(ModelSettings(path=path))
    assert [one["event"] for one in logs] == ["variant_chosen"]
