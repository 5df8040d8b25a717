"""The head counter's network: its loss, its training that resumes, and its way into ONNX."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("ultralytics", reason="needs the train extra")

from ultralytics.nn.tasks import DetectionModel  # noqa: E402 - needs the extra

from pipeline.detect import HeadCounter  # noqa: E402
from pipeline.errors import DataError, ModelError  # noqa: E402
from scripts.train.card import note_run  # noqa: E402
from scripts.train.heads import export as exporting  # noqa: E402
from scripts.train.heads.crops import pools_of  # noqa: E402
from scripts.train.heads.data import HeadPicture  # noqa: E402
from scripts.train.heads.loop import Plan, train  # noqa: E402
from scripts.train.heads.loss import TOTAL, bayesian_loss  # noqa: E402
from scripts.train.heads.network import HeadNet  # noqa: E402

HEADS = [torch.tensor([[84.0, 44.0, 0.0], [204.0, 100.0, 0.0]])]


def density(*people):
    cells = torch.zeros(1, 20, 40)
    for row, column, number in people:
        cells[0, row, column] = number
    return cells


def test_the_loss_wants_one_person_at_every_head_and_none_elsewhere():
    right = density((5, 10, 1), (12, 25, 1))
    assert float(bayesian_loss(right, HEADS, [True])) == pytest.approx(0, abs=0.02)
    two = (1 + TOTAL) * 2
    assert float(bayesian_loss(density(), HEADS, [True])) == pytest.approx(two, abs=0.03)
    assert float(bayesian_loss(right, [torch.zeros(0, 3)], [True])) == pytest.approx(two)
    assert float(bayesian_loss(density(), [torch.zeros(0, 3)], [True])) == 0


def test_people_in_the_background_are_forgiven_where_boxes_leave_people_out():
    more = density((5, 10, 1), (12, 25, 1), (15, 2, 9))
    assert float(bayesian_loss(more, HEADS, [True])) == pytest.approx((1 + TOTAL) * 9, abs=0.05)
    assert float(bayesian_loss(more, HEADS, [False])) == pytest.approx(np.log(10), abs=0.05)


def test_the_head_of_somebody_near_may_be_some_way_off():
    shifted = density((8, 10, 1))
    near, far = (torch.tensor([[84.0, 44.0, width]]) for width in (120.0, 0.0))
    assert bayesian_loss(shifted, [near], [True]) < 0.5 < bayesian_loss(shifted, [far], [True])


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Weights as ultralytics keeps them, but random."""
    path = tmp_path_factory.mktemp("start") / "start.pt"
    torch.manual_seed(0)
    network = DetectionModel("yolo26n.yaml", verbose=False)
    torch.save({"names": list(network.names.values()), "ema": network.state_dict()}, path)
    return path


@pytest.fixture
def pools(tmp_path):
    path = tmp_path / "one.png"
    path.write_bytes(cv2.imencode(".png", np.full((300, 400, 3), 90, np.uint8))[1])
    heads = np.array([[0.5, 0.5, 0.0]], np.float32)
    return pools_of([HeadPicture(path, heads, "lightly_coco", complete=True)])


def test_a_training_goes_on_where_it_stopped_and_becomes_a_model(pools, start, tmp_path):
    plan = Plan(steps=2, batch=2, workers=0)
    weights = train(pools, start, tmp_path / "run", plan)
    assert train(pools, start, tmp_path / "run", plan) == weights
    assert len((tmp_path / "run" / "log.csv").read_text().splitlines()) == 2
    with pytest.raises(DataError, match="another training"):
        train(pools, start, tmp_path / "run", Plan(steps=3, batch=2, workers=0))

    model = tmp_path / "heads-x.onnx"
    with pytest.raises(DataError, match=r"run\.json"):
        exporting.card_of(weights.parent, model.stem, "v1")
    note_run(weights.parent, plan.text(), {"lightly_coco": 1})
    exporting.export(weights, model, exporting.card_of(weights.parent, model.stem, "v1"))
    counter = HeadCounter(model, 1)
    assert counter.card.name == "heads-x"
    assert counter(np.full((90, 160, 3), 90, np.uint8)).total >= 0


def test_a_training_may_start_from_a_head_counter(tmp_path):
    torch.manual_seed(1)
    before = HeadNet().state_dict()
    torch.save(before, tmp_path / "before.pt")
    net = HeadNet()
    net.start_from(tmp_path / "before.pt")
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())


def test_a_model_that_counts_differently_is_not_written(tmp_path, monkeypatch):
    weights, model = tmp_path / "weights.pt", tmp_path / "heads-x.onnx"
    torch.save(HeadNet().state_dict(), weights)
    monkeypatch.setattr(exporting, "_AGREE", -1.0)
    with pytest.raises(ModelError, match="differ"):
        exporting.export(weights, model, {})
    assert not model.exists()
    assert not model.with_suffix(".json").exists()


def test_weights_of_something_else_are_refused(tmp_path):
    path = tmp_path / "other.pt"
    torch.save({"layer": torch.zeros(3)}, path)
    with pytest.raises(DataError, match="no trained head counter"):
        exporting.load(path)
    with pytest.raises(DataError):
        HeadNet().start_from(path)
