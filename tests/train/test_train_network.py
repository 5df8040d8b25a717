"""Where the street network starts, and what its teacher and its loss make of a picture."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("ultralytics", reason="needs the train extra")

from pipeline.errors import DataError  # noqa: E402
from scripts.train import network  # noqa: E402 - needs torch
from scripts.train.classes import COCO_IDS, HAZARDS, IDS, NAMES, TRAFFIC  # noqa: E402
from scripts.train.folders import Picture  # noqa: E402
from scripts.train.losses import Labels, StreetLoss  # noqa: E402
from scripts.train.network import Weights  # noqa: E402
from scripts.train.teacher import Taught, Teacher, pseudo_label  # noqa: E402

EVERYDAY = (*COCO_IDS, "suitcase")
TRAFFIC_ROWS, HAZARD_ROWS = (f"model.{number}.one2one_cv3.1.2" for number in (23, 24))


@pytest.fixture(scope="module")
def everyday():
    torch.manual_seed(1)
    state = network.build_coco(len(EVERYDAY)).state_dict()
    return Weights(Path("coco.pt"), state, EVERYDAY)


def test_body_and_traffic_head_start_as_they_were_taught_everyday_things(everyday):
    state = network.start(everyday).state_dict()
    for name in ("model.0.conv.weight", "model.23.one2one_cv2.0.0.conv.weight"):
        assert torch.equal(state[name], everyday.state[name])
    truck = everyday.state[f"{TRAFFIC_ROWS}.weight"][EVERYDAY.index("truck")]
    assert torch.equal(state[f"{TRAFFIC_ROWS}.weight"][IDS["truck"]], truck)


def test_the_hazard_head_starts_with_the_layers_of_the_other_and_silent(everyday):
    network_ = network.start(everyday).eval()
    state = network_.state_dict()
    layer = "one2one_cv3.0.0.1.conv.weight"
    assert torch.equal(state[f"model.24.{layer}"], everyday.state[f"model.23.{layer}"])
    assert not state[f"{HAZARD_ROWS}.weight"].any()
    with torch.no_grad():
        rows = network_(torch.rand(1, 3, 64, 96))[0]
    hazards = rows[rows[:, 5] >= IDS["cavity"]]
    assert len(hazards) == 100
    assert float(hazards[:, 4].max()) < 0.002


def test_a_street_network_starts_from_itself(everyday):
    first = network.start(everyday).state_dict()
    again = network.start(Weights(Path("last.pt"), first, NAMES)).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_weights_that_miss_an_everyday_class_are_refused(everyday):
    names = ("people", *EVERYDAY[1:])
    with pytest.raises(DataError, match="don't know everyday classes"):
        network.start(Weights(Path("v0.pt"), everyday.state, names))


def test_missing_or_foreign_weights_are_named(tmp_path):
    with pytest.raises(DataError, match=r"none.pt: weights are missing"):
        network.read_weights(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(DataError, match=r"text.pt: is not a checkpoint"):
        network.read_weights(tmp_path / "text.pt")
    torch.save({"weights": 1}, tmp_path / "other.pt")
    with pytest.raises(DataError, match="doesn't hold the weights of a street network"):
        network.read_weights(tmp_path / "other.pt")
    torch.save({"names": NAMES, "ema": {"a": torch.zeros(1)}}, tmp_path / "small.pt")
    with pytest.raises(DataError, match="doesn't hold the weights of a street network"):
        network.load(tmp_path / "small.pt")
    with pytest.raises(DataError, match="doesn't hold the weights of a street network"):
        network.start(network.read_weights(tmp_path / "small.pt"))


def test_the_traffic_head_sees_what_a_plain_network_with_its_weights_sees(everyday):
    plain = network.build_coco(len(EVERYDAY))
    plain.load_state_dict(everyday.state)
    plain.eval()
    street = network.start(everyday).eval()
    pictures = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        theirs = plain(pictures)[1]["one2one"]
        same = network.coco_one_to_one(plain, pictures)
        mine = street.see_traffic(street.feats(pictures))
    known = [EVERYDAY.index(name) for name in COCO_IDS]
    assert torch.equal(same["scores"], theirs["scores"])
    assert torch.equal(mine["boxes"], theirs["boxes"])
    assert torch.allclose(mine["scores"], theirs["scores"][:, known], atol=1e-5)


def test_fusing_changes_nothing_that_is_seen(everyday):
    street = network.start(everyday).eval()
    pictures = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        before = street(pictures)
        after = street.fuse()(pictures)
    assert torch.allclose(before[..., 4], after[..., 4], atol=1e-5)


def test_both_heads_teach_the_body():
    for see in (network.StreetNet.see_traffic, network.StreetNet.see_hazards):
        street = network.StreetNet()
        see(street, street.feats(torch.rand(2, 3, 64, 64)))["scores"].sum().backward()
        assert float(street.model[0].conv.weight.grad.abs().sum()) > 0


def test_labels_are_padded_picture_by_picture():
    boxes = torch.arange(12).float().view(3, 4)
    labels = Labels.pad(torch.tensor([2, 0, 2]), boxes, torch.tensor([6, 1, 7]), 4)
    assert labels.real[..., 0].tolist() == [[1, 0], [0, 0], [1, 1], [0, 0]]
    assert labels.classes[2, :, 0].tolist() == [6, 7]
    assert torch.equal(labels.boxes[2], boxes[[0, 2]])
    hazards = labels.of(HAZARDS)
    assert hazards.real[..., 0].tolist() == [[0, 0], [0, 0], [1, 1], [0, 0]]
    assert hazards.classes[2, :, 0].tolist() == [0, 1]
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
    scores = torch.zeros(1, 5, len(TRAFFIC))
    for anchor, name, score in ((0, "car", 0.9), (1, "truck", 0.5), (2, "person", 0.2)):
        scores[0, anchor, IDS[name]] = score
    scores[0, 4, IDS["bus"]] = 0.8
    boxes = torch.tensor(
        [[10, 10, 50, 40], [11, 10, 50, 40], [60, 10, 70, 40], [0, 0, 9, 9], [80, 10, 120, 60]]
    )
    return Said(scores, boxes.float()[None])


def test_the_teacher_answers_for_what_it_knows_and_labels_for_what_it_misses(said):
    labels = Labels.pad(
        torch.tensor([0, 0, 0, 0]),
        torch.tensor([[80.0, 12, 120, 60], [10, 10, 50, 40], [10, 11, 50, 40], [60, 50, 70, 60]]),
        torch.tensor([IDS[name] for name in ("truck", "crash", "car", "person")]),
        1,
    )
    taught = said.teach(torch.zeros(1, 3, 64, 128), labels)
    missed = taught.missed.classes[0, taught.missed.real[0, :, 0] > 0, 0].tolist()
    # It knows the car; it takes the truck for a bus, and that answer is struck out.
    assert missed == [IDS["truck"], IDS["person"]]
    assert not taught.scores[0, 4].any()
    assert taught.scores[0, 0, IDS["car"]] == pytest.approx(0.9)
    assert taught.scores[0, 2, IDS["person"]] == pytest.approx(0.2)


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
    torch.save({"names": ("person", "cavity"), "ema": network.build_coco(2).state_dict()}, path)
    with pytest.raises(DataError, match=r"doesn't know everyday classes.*bicycle"):
        Teacher(path, torch.device("cpu"))


def test_a_few_steps_on_one_picture_lower_the_loss():
    torch.manual_seed(3)
    net = network.StreetNet().train()
    loss = StreetLoss(torch.device("cpu"))
    pictures = torch.rand(2, 3, 64, 96)
    labels = Labels.pad(
        torch.tensor([0, 1]),
        torch.tensor([[8.0, 8, 40, 40], [30, 20, 80, 60]]),
        torch.tensor([IDS["car"], IDS["cavity"]]),
        2,
    )
    silent = torch.zeros(2, 126, len(TRAFFIC))
    feats = [torch.rand_like(one) for one in net.feats(pictures)]
    taught = Taught(labels.of(TRAFFIC), silent, torch.zeros(2, 126, 4), feats)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    losses = []
    for _ in range(12):
        parts = loss(net, pictures, labels, taught)
        total = sum(parts.values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(float(total.detach()))
    assert min(losses[-3:]) < 0.8 * losses[0]
