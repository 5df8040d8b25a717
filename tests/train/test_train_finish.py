"""The end of a training: the best average is chosen, and models arrive that passed their checks."""

from __future__ import annotations

import json

import pytest
import tiny_street

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("pycocotools", reason="needs the train extra")
pytest.importorskip("ultralytics", reason="needs the train extra")

import tiny_network  # noqa: E402 - needs torch

from pipeline.detect import load_card  # noqa: E402
from pipeline.errors import DataError  # noqa: E402
from scripts.train import finish as finishing  # noqa: E402
from scripts.train import network, quantize  # noqa: E402
from scripts.train.card import note_run  # noqa: E402
from scripts.train.finish import Delivery, choose, finish  # noqa: E402

SIZE = (128, 128)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    tiny_network.save(folder / "last.pt", seed=1)
    tiny_network.save(folder / "start.pt", seed=2)
    note_run(folder, "no steps", {"rendered": 1})
    (folder / "log.jsonl").write_text('{"step": 0, "AP50 car": 0.5}\n{"step": 10, "loss": 2.0}\n')
    return folder


@pytest.fixture
def wanted(tmp_path):
    data = tiny_street.data_folder(tmp_path / "data", count=6)
    return Delivery(tmp_path / "models" / "street-n.onnx", "v1", (SIZE,), (data,))


def bias(path):
    return network.load(path).traffic.one2one_cv3[0][-1].bias[0].item()


def with_bias(path, value):
    content = torch.load(path)
    for name in content["ema"]:
        if name.endswith("one2one_cv3.0.2.bias"):
            content["ema"][name].fill_(value)
    torch.save(content, path)


class Judge:
    """Stands for a look at pictures: likes a network the more, the nearer its bias is to 0.7."""

    def __init__(self, *_):
        pass

    def __call__(self, trained):
        return {"car": 1 - abs(0.7 - trained.traffic.one2one_cv3[0][-1].bias[0].item())}


def test_the_share_of_the_training_that_does_best_is_kept(run, wanted, monkeypatch):
    with_bias(run / "last.pt", 1.0)
    with_bias(run / "start.pt", 0.0)
    monkeypatch.setattr(finishing, "Watch", Judge)
    lines = list(choose(run, wanted))
    assert len(lines) == len(finishing.SHARES)
    assert "70% of the training: mean AP50 1.000" in lines[2]
    assert bias(run / "best.pt") == pytest.approx(0.7)
    assert not (run / "tried.pt").exists()


def test_without_pictures_that_no_training_sees_nothing_is_chosen(run, wanted):
    index = wanted.data[0] / "index.csv"
    lines = index.read_text().splitlines()
    index.write_text("\n".join(one for one in lines if not one.startswith("val")) + "\n")
    with pytest.raises(DataError, match="no picture to choose on"):
        list(choose(run, wanted))
    assert not (run / "best.pt").exists()


def test_what_a_model_needs_is_missed_before_anything_is_tried(run, wanted):
    (run / "run.json").unlink()
    with pytest.raises(DataError, match=r"run\.json"):
        next(finish(run, wanted))


def test_an_int8_variant_that_fails_leaves_the_other_models_in_place(run, wanted, monkeypatch):
    def score(model, _data, out, **_):
        assert model == run / "best.pt"
        (out / "score.json").write_text(json.dumps({"size": SIZE, "thresholds": {}, "scores": {}}))

    monkeypatch.setattr(finishing, "score", score)  # has tests of its own, at full size
    monkeypatch.setattr(quantize, "FOUND", 1.1)
    lines = list(finish(run, wanted))
    assert lines[-1].startswith("no int8 variant: ")
    assert "loses too much in 8 bits" in lines[-1]
    there = sorted(path.name for path in wanted.out.parent.iterdir())
    assert there == ["street-n.json", "street-n.onnx"]
    assert "no steps; averaged: 100% of it" in load_card(wanted.out).training
