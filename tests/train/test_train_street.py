"""Putting a training together: whatever was given wrongly is said before the first step."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("pycocotools", reason="needs the train extra")
pytest.importorskip("ultralytics", reason="needs the train extra")

from pipeline.errors import DataError  # noqa: E402
from scripts.train import network  # noqa: E402 - needs torch
from scripts.train.classes import COCO_IDS, NAMES  # noqa: E402
from scripts.train.loop import Plan  # noqa: E402
from scripts.train.street import Job, prepare, set_up  # noqa: E402

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data(tmp_path):
    """Three pictures to train on and one that no training sees."""
    root = tmp_path / "data"
    rows = ["split,name,source,group"]
    for number in range(4):
        split = "val" if number == 3 else "train"
        for part in ("images", "labels"):
            (root / split / part).mkdir(parents=True, exist_ok=True)
        bgr = np.full((96, 128, 3), 60 + number, np.uint8)
        cv2.imwrite(str(root / split / "images" / f"own_{number}.jpg"), bgr)
        (root / split / "labels" / f"own_{number}.txt").write_text("2 0.5 0.5 0.2 0.2\n")
        rows.append(f"{split},own_{number},my camera,")
    (root / "index.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.pt"
    state = network.build_coco(len(COCO_IDS)).state_dict()
    torch.save({"names": tuple(COCO_IDS), "ema": state}, path)
    return path


@pytest.fixture
def job(tmp_path, data, weights):
    def make(**changed):
        plan = Plan(tmp_path / "run", weights, 2, None, 2, 1)
        asked = {
            "plan": plan,
            "data": (data,),
            "held_out": None,
            "start": weights,
            "size": (96, 64),
            "device": torch.device("cpu"),
            "resume": False,
            "sprites": None,
        }
        return Job(**(asked | changed))

    return make


def track(_what, pictures):
    return pictures


def test_one_call_trains_from_data_folders_to_a_checkpoint(job, tmp_path):
    said = []
    training, sampler, watch = prepare(job(), said.append, track)
    assert training.run(sampler, lambda _: None, watch)
    assert "3 pictures to train on, 1 kept from it" in said
    assert network.load(tmp_path / "run" / "last.pt").names == dict(enumerate(NAMES))
    assert (tmp_path / "run" / "start.pt").is_file()


def fault(asked):
    with pytest.raises(DataError) as caught:
        prepare(asked, lambda _: None, track)
    return str(caught.value)


def test_a_folder_that_holds_a_training_is_not_overwritten(job, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "last.pt").write_bytes(b"precious")
    assert "holds a training already; allowed: --resume or another folder" in fault(job())
    assert (tmp_path / "run" / "last.pt").read_bytes() == b"precious"


def test_there_must_be_something_to_resume(job):
    assert "last.pt: there is nothing to resume" in fault(job(resume=True))


def test_a_broken_picture_is_found_before_the_first_step(job, data):
    path = data / "train" / "images" / "own_1.jpg"
    path.write_bytes(path.read_bytes()[:200])
    assert "own_1.jpg: picture is cut short" in fault(job())


def test_something_must_be_left_to_train_on(job, tmp_path):
    held = tmp_path / "held.txt"
    held.write_text("own_0\nown_1\nown_2\n")
    assert "leave no picture to train on" in fault(job(held_out=held))


def test_start_weights_must_be_there(job, tmp_path):
    assert "none.pt: weights are missing" in fault(job(start=tmp_path / "none.pt"))


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(DataError, match="device can't be used; found warp9"):
        set_up("warp9", 1)


def test_a_mistake_ends_the_command_with_2_and_one_line(weights, tmp_path):
    command = [sys.executable, "-m", "scripts.train", "street", "--steps", "1"]
    command += ["--data", str(tmp_path / "nowhere"), "--start", str(weights)]
    ended = subprocess.run(
        [*command, "--out", str(tmp_path / "run"), "--device", "cpu"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 2
    assert "nowhere: is not a data folder" in ended.stderr
    assert "Traceback" not in ended.stderr
