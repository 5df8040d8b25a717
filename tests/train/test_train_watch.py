"""The look at a network while it trains."""

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("pycocotools", reason="needs the train extra")
pytest.importorskip("ultralytics", reason="needs the train extra")

from scripts.train.classes import IDS  # noqa: E402 - needs torch
from scripts.train.folders import Picture  # noqa: E402
from scripts.train.watch import MOST_PICTURES, Watch, spread  # noqa: E402

BOXES = np.float32([[0.1, 0.2, 0.3, 0.6], [0.5, 0.5, 0.9, 0.9]])


class Sees(torch.nn.Module):
    """Sees the two true boxes of every picture, the second only if it is told to."""

    def __init__(self, *, both):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.both = both

    def forward(self, pictures):
        assert pictures.shape == (1, 3, 384, 640)
        rows = torch.zeros(1, 4, 6)
        size = torch.tensor([640, 360, 640, 360])  # a picture of 1280x720 in the input
        for at, (box, name) in enumerate(zip(BOXES, ("car", "cavity"), strict=True)):
            score = 0.9 if at == 0 or self.both else 0.0
            rows[0, at] = torch.tensor([*(torch.tensor(box) * size), score, IDS[name]])
        return rows


@pytest.fixture
def pictures(tmp_path):
    path = tmp_path / "one.jpg"
    cv2.imwrite(str(path), np.zeros((720, 1280, 3), np.uint8))
    classes = np.int16([IDS["car"], IDS["cavity"]])
    return [Picture(path, BOXES, classes, "val", "detrac", "") for _ in range(6)]


def test_what_is_seen_in_its_place_counts_and_what_is_missed_does_not(pictures):
    watch = Watch(pictures, (640, 384))
    assert watch(Sees(both=True)) == {"car": 1.0, "cavity": 1.0}
    assert watch(Sees(both=False))["cavity"] < 0.6


def test_nothing_to_look_at_gives_nothing():
    assert Watch([], (640, 384))(Sees(both=True)) == {}


def test_every_source_has_its_part_and_the_choice_is_always_the_same():
    def of(source, count):
        none = np.zeros((0, 4), np.float32), np.zeros(0, np.int16)
        return [Picture(Path(f"{source}_{i}.jpg"), *none, "val", source, "") for i in range(count)]

    pictures = of("accident", 500) + of("rendered", 30) + of("photo", 7)
    chosen = spread(pictures)
    count = {name: sum(one.source == name for one in chosen) for name in ("photo", "rendered")}
    assert len(chosen) == MOST_PICTURES
    assert count == {"photo": 7, "rendered": 30}
    assert [one.name for one in spread(pictures[::-1])] == [one.name for one in chosen]
