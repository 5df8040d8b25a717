"""A training can be stopped and goes on exactly; what stands in its way is said."""

import errno
import json
import os
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("ultralytics", reason="needs the train extra")

from pipeline.errors import DataError  # noqa: E402
from scripts.train import loop, network  # noqa: E402 - needs torch
from scripts.train.classes import COCO_IDS, NAMES  # noqa: E402
from scripts.train.folders import Picture  # noqa: E402
from scripts.train.loop import Plan, Training  # noqa: E402
from scripts.train.pictures import Sampler  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture
def pictures(tmp_path):
    made = []
    for number in range(6):
        bgr = np.full((96, 128, 3), 90, np.uint8)
        bgr[30:60, 40:90] = (0, 40 * number, 255)
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), bgr)
        box = np.float32([[40 / 128, 30 / 96, 90 / 128, 60 / 96]])
        made.append(Picture(path, box, np.int16([number % 3]), "train", "detrac_sub", ""))
    return made


@pytest.fixture
def teacher(tmp_path):
    torch.manual_seed(5)
    path = tmp_path / "teacher.pt"
    names = tuple(COCO_IDS)
    torch.save({"names": names, "ema": network.build_coco(len(names)).state_dict()}, path)
    return path


@pytest.fixture
def made(tmp_path, teacher, pictures):
    """Makes a training in a folder, with its samples and what it says."""

    def make(name, data="6 pictures"):
        torch.manual_seed(6)
        plan = Plan(tmp_path / name, teacher, steps=100, minutes=None, batch=2, seed=1)
        said = []
        training = Training(plan, network.StreetNet(), CPU, data, said.append)
        return training, Sampler(pictures, (96, 64), 1, None), said

    return make


def nothing(_network):
    return {}


def stop_at(step):
    def show(facts):
        if facts["step"] == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return show


def test_a_stopped_training_goes_on_as_if_nothing_had_been(made, tmp_path):
    whole, samples, _ = made("whole")
    assert not whole.run(samples, stop_at(4), nothing)
    half, samples, _ = made("half")
    assert not half.run(samples, stop_at(2), nothing)
    rest, samples, said = made("half", data="7 pictures")
    rest.resume()
    assert not rest.run(samples, stop_at(4), nothing)
    assert said[0] == "the data changed: before 6 pictures; now 7 pictures"
    assert said[1].startswith("resumed at step 2")
    one, two = (network.read_checkpoint(tmp_path / name / "last.pt") for name in ("whole", "half"))
    for part in ("network", "ema"):
        for name, value in one[part].items():
            assert torch.allclose(value.float(), two[part][name].float(), atol=1e-5), name
    assert network.read_weights(tmp_path / "half" / "last.pt").names == NAMES


def test_a_training_ends_where_it_was_planned_and_logs_its_losses(made, monkeypatch, tmp_path):
    training, samples, _ = made("short")
    training.plan = Plan(training.plan.out, training.plan.teacher, 3, None, 2, 1)
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    seen = []
    assert training.run(samples, seen.append, lambda _: {"person": 0.5})
    assert [one["step"] for one in seen] == [1, 2, 3]
    assert seen[-1]["progress"] == 1
    lines = (tmp_path / "short" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [0, 1, 2, 3, 3]
    assert json.loads(lines[1])["one_class"] > 0
    assert json.loads(lines[-1])["AP50 person"] == 0.5


def test_a_picture_that_breaks_while_training_is_named(made, pictures):
    training, samples, _ = made("broken")
    for picture in pictures:
        picture.path.write_bytes(b"gone")
    with pytest.raises(DataError, match=r"\.png: is not a picture"):
        training.run(samples, lambda _: None, nothing)


def test_a_full_disk_leaves_the_checkpoint_before_it_whole(made, monkeypatch, tmp_path):
    training, _, _ = made("full")
    training.save()
    before = (tmp_path / "full" / "last.pt").read_bytes()

    def full(_content, file):
        file.write(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(DataError, match=r"last.pt: can't be written; found .*No space left"):
        training.save()
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["last.pt"]
    assert (tmp_path / "full" / "last.pt").read_bytes() == before


def test_a_checkpoint_of_something_else_is_refused(made, tmp_path):
    training, _, _ = made("other")
    with pytest.raises(DataError, match="are missing"):
        training.resume()
    (tmp_path / "other").mkdir()
    torch.save({"names": NAMES, "ema": {}}, tmp_path / "other" / "last.pt")
    with pytest.raises(DataError, match="is not a checkpoint of this training"):
        training.resume()


def test_rates_fade_to_their_end():
    fades = [loop._fade(step / 1000) for step in range(1001)]
    assert fades[0] == pytest.approx(1)
    assert fades[-1] == pytest.approx(loop.LAST_RATE)
    assert fades == sorted(fades, reverse=True)


def test_the_hazard_head_learns_faster_and_sooner_than_the_rest(made):
    training, samples, _ = made("rates")
    training.run(samples, stop_at(1), nothing)
    body, _, hazards, _ = (group["lr"] for group in training._optimizer.param_groups)
    assert hazards > 20 * body > 0
    every = sum(len(group["params"]) for group in training._optimizer.param_groups)
    assert every == len(list(training._student.parameters()))


def test_time_or_steps_make_the_progress():
    assert Plan(Path(), Path(), 200, None, 16, 1).progress(50, 1e9) == 0.25
    assert Plan(Path(), Path(), None, 10, 16, 1).progress(50, 300) == 0.5
