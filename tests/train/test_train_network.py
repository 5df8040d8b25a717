"""Where the street network starts, and what its teacher and its loss make of a picture."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("ultralytics", reason="needs the train extra")

from pipeline.errors import DataError  # noqa: E402
from scripts.train import network  # noqa: E402 - needs torch
from scripts.train.classes import COCO_IDS, IDS, NAMES  # noqa: E402
from scripts.train.folders import Picture  # noqa: E402
from scripts.train.losses import Labels, StreetLoss  # noqa: E402
from scripts.train.network import Weights  # noqa: E402
from scripts.train.teacher import Teacher, pseudo_label  # noqa: E402

EVERYDAY = (*COCO_IDS, "suitcase", "potted plant", "fire hydrant")
ROWS = "model.23.one2one_cv3.1.2"


@pytest.fixture(scope="module")
def everyday():
    torch.manual_seed(1)
    return Weights(Path("coco.pt"), network.build(EVERYDAY).state_dict(), EVERYDAY)


@pytest.fixture(scope="module")
def street():
    torch.manual_seed(2)
    return Weights(Path("v0.pt"), network.build(NAMES[:8]).state_dict(), NAMES[:8])


def rows(state, name):
    return state[f"{ROWS}.{name}"]


def test_what_both_know_is_the_mean_of_both(everyday, street):
    state = network.start(everyday, street).state_dict()
    one, two = (w.state["model.0.conv.weight"] for w in (everyday, street))
    assert torch.allclose(state["model.0.conv.weight"], (one + two) / 2)
    truck = rows(everyday.state, "weight")[EVERYDAY.index("truck")]
    theirs = rows(street.state, "weight")[IDS["truck"]]
    assert torch.allclose(rows(state, "weight")[IDS["truck"]], (truck + theirs) / 2)


def test_what_one_knows_is_taken_and_what_none_knows_is_lent_and_silent(everyday, street):
    state = network.start(everyday, street).state_dict()
    cavity = IDS["cavity"]
    assert torch.equal(rows(state, "weight")[cavity], rows(street.state, "weight")[cavity])
    lender, debris = EVERYDAY.index("suitcase"), IDS["debris"]
    assert torch.equal(rows(state, "weight")[debris], rows(everyday.state, "weight")[lender])
    quieter = rows(everyday.state, "bias")[lender] - rows(state, "bias")[debris]
    assert float(quieter) == pytest.approx(3)


def test_a_street_network_starts_from_itself(everyday, street):
    first = network.start(everyday, street).state_dict()
    again = network.start(Weights(Path("last.pt"), first, NAMES)).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_a_class_that_nobody_knows_or_lends_is_refused(street):
    with pytest.raises(DataError, match="found debris"):
        network.start(street)


def test_missing_or_foreign_weights_are_named(tmp_path):
    with pytest.raises(DataError, match=r"none.pt: weights are missing"):
        network.read_weights(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(DataError, match=r"text.pt: is not a checkpoint"):
        network.read_weights(tmp_path / "text.pt")
    torch.save({"weights": 1}, tmp_path / "other.pt")
    with pytest.raises(DataError, match="doesn't hold the weights of a YOLO26n"):
        network.read_weights(tmp_path / "other.pt")
    torch.save({"names": NAMES, "ema": {"a": torch.zeros(1)}}, tmp_path / "small.pt")
    with pytest.raises(DataError, match="doesn't hold the weights of a YOLO26n"):
        network.load(tmp_path / "small.pt")
    with pytest.raises(DataError, match="doesn't hold the weights of a YOLO26n"):
        network.start(network.read_weights(tmp_path / "small.pt"))


def test_raw_predictions_are_those_of_the_network_itself():
    net = network.build().eval()
    pictures = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        theirs = net(pictures)[1]
        many, one = network.raw(net, pictures)
    for mine, name in ((many, "one2many"), (one, "one2one")):
        assert torch.equal(mine["boxes"], theirs[name]["boxes"])
        assert torch.equal(mine["scores"], theirs[name]["scores"])


def test_the_one_to_one_head_teaches_the_body():
    net = network.build().train()
    network.raw(net, torch.rand(2, 3, 64, 64))[1]["scores"].sum().backward()
    assert float(net.model[0].conv.weight.grad.abs().sum()) > 0


def test_labels_are_padded_picture_by_picture():
    boxes = torch.arange(12).float().view(3, 4)
    labels = Labels.pad(torch.tensor([2, 0, 2]), boxes, torch.tensor([6, 1, 7]), 4)
    assert labels.real[..., 0].tolist() == [[1, 0], [0, 0], [1, 1], [0, 0]]
    assert labels.classes[2, :, 0].tolist() == [6, 7]
    assert torch.equal(labels.boxes[2], boxes[[0, 2]])
    none = Labels.pad(torch.zeros(0, dtype=torch.long), boxes[:0], torch.zeros(0), 2)
    assert none.boxes.shape == (2, 0, 4)


class Said(Teacher):
    """A teacher with a fixed opinion instead of a network."""

    def __init__(self, scores, boxes):
        self.device = torch.device("cpu")
        self._said = scores, boxes

    def see(self, pictures):
        return *(part.expand(len(pictures), -1, -1) for part in self._said), []


@pytest.fixture
def said():
    """Over five anchors: a sure car, the same as a truck, a faint person, nothing, a sure bus."""
    scores = torch.zeros(1, 5, len(NAMES))
    for anchor, name, score in ((0, "car", 0.9), (1, "truck", 0.5), (2, "person", 0.2)):
        scores[0, anchor, IDS[name]] = score
    scores[0, 4, IDS["bus"]] = 0.8
    boxes = torch.tensor(
        [[10, 10, 50, 40], [11, 10, 50, 40], [60, 10, 70, 40], [0, 0, 9, 9], [80, 10, 120, 60]]
    )
    return Said(scores, boxes.float()[None])


def test_the_teacher_adds_what_it_is_sure_of_once_and_hints_at_the_rest(said):
    labels = Labels.pad(
        torch.tensor([0, 0]),
        torch.tensor([[80.0, 12, 120, 60], [10, 10, 50, 40]]),
        torch.tensor([IDS["truck"], IDS["crash"]]),
        1,
    )
    taught = said.teach(torch.zeros(1, 3, 64, 128), labels)
    found = taught.labels.classes[0, taught.labels.real[0, :, 0] > 0, 0].tolist()
    # The bus lies on a truck's label, which wins; a crash's label does not hide its cars.
    assert sorted(found) == sorted([IDS["truck"], IDS["crash"], IDS["car"]])
    assert taught.scores[0, 2, IDS["person"]] == pytest.approx(0.2)
    assert int((taught.scores > 0).sum()) == 1


def test_unlabelled_traffic_is_labelled_and_true_boxes_win(said, tmp_path):
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "one.png"
    cv2.imwrite(str(path), np.zeros((736, 1280, 3), np.uint8))
    size = np.float32([1280, 736, 1280, 736])
    true = np.float32([[80, 10, 120, 60], [500, 500, 600, 600]]) / size
    classes = np.int16([IDS["truck"], IDS["cavity"]])
    unlabelled = frozenset({IDS["car"], IDS["bus"], IDS["crash"]})
    picture = Picture(path, true, classes, "train", "", "", {}, unlabelled)
    done = pseudo_label(picture, said)
    assert done.classes.tolist() == [IDS["truck"], IDS["cavity"], IDS["car"]]
    assert done.boxes[2] * size == pytest.approx(np.float32([10, 10, 50, 40]), abs=0.01)
    assert done.unlabelled == {IDS["crash"]}


def test_a_teacher_must_know_everyday_things(tmp_path):
    path = tmp_path / "one.pt"
    torch.save({"names": ("person", "cavity"), "ema": network.build(("a", "b")).state_dict()}, path)
    with pytest.raises(DataError, match=r"doesn't know everyday classes.*bicycle"):
        Teacher(path, torch.device("cpu"))


def test_a_few_steps_on_one_picture_lower_the_loss():
    torch.manual_seed(3)
    net = network.build().train()
    loss = StreetLoss(torch.device("cpu"))
    pictures = torch.rand(2, 3, 64, 96)
    labels = Labels.pad(
        torch.tensor([0, 1]),
        torch.tensor([[8.0, 8, 40, 40], [30, 20, 80, 60]]),
        torch.tensor([IDS["car"], IDS["cavity"]]),
        2,
    )
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    losses = []
    for _ in range(12):
        parts = loss(*network.raw(net, pictures), labels, None)
        total = sum(parts.values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(float(total.detach()))
    assert min(losses[-3:]) < 0.8 * losses[0]
