"""The folder that stills are written to: whole pictures only, and it goes on after a stop."""

from __future__ import annotations

import errno
import json

import cv2
import numpy as np
import pytest

from scripts.scenes import folder as scenes_folder
from scripts.scenes.folder import Folder, FolderError, Still, label
from scripts.train.folders import read_folder

CAMERA = {"x": 5.0, "height_m": 6.0, "pitch_deg": 24.0, "yaw_deg": 9.0, "hfov_deg": 80.0}


def still(name, boxes=(("cavity", (64.0, 36.0, 128.0, 72.0)),)):
    objects = [{"class": kind, "box": list(box)} for kind, box in boxes]
    truth = {
        "name": name,
        "seed": 1,
        "street": 0,
        "kind": "village",
        "light": "sun",
        "weather": "dry",
        "camera": CAMERA,
        "objects": [*objects, {"class": "none", "box": [0, 0, 9, 9]}],
    }
    picture = np.full((360, 640, 3), 90, np.uint8)
    return Still(name, picture, boxes, truth)


def test_a_label_holds_middle_and_size_as_shares_of_the_picture():
    assert label("cavity", (64, 36, 128, 72), 640, 360) == "6 0.15000 0.15000 0.10000 0.10000"


def test_what_is_written_is_read_by_the_training(tmp_path):
    Folder(tmp_path, "train").add(still("one"))
    Folder(tmp_path, "val").add(still("two", ()))
    first, second = read_folder(tmp_path)
    assert (first.name, first.split, first.source) == ("one", "train", "rendered")
    np.testing.assert_allclose(first.boxes, [[0.1, 0.1, 0.2, 0.2]], atol=1e-5)
    assert first.classes.tolist() == [6]
    assert first.notes["light"] == "sun"
    assert first.notes["classes"] == "cavity"
    assert (second.split, len(second.boxes)) == ("val", 0)
    assert first.group != second.group
    assert cv2.imread(str(first.path)).shape == (360, 640, 3)


def test_a_folder_knows_what_it_holds_when_opened_again(tmp_path):
    folder = Folder(tmp_path, "train")
    folder.add(still("one"))
    folder.add(still("two"))
    assert Folder(tmp_path, "train").done == {"one", "two"}
    assert Folder(tmp_path, "val").done == set()


def test_a_line_cut_short_by_a_stop_is_made_again(tmp_path):
    folder = Folder(tmp_path, "train")
    folder.add(still("one"))
    truth = tmp_path / "train" / "truth.jsonl"
    truth.write_text(truth.read_text() + '{"name": "two", "se')
    again = Folder(tmp_path, "train")
    assert again.done == {"one"}
    again.add(still("two"))
    assert [json.loads(line)["name"] for line in truth.read_text().splitlines()] == ["one", "two"]


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_an_index_cut_short_by_a_stop_is_mended(tmp_path, cut):
    folder = Folder(tmp_path, "train")
    folder.add(still("one"))
    folder.add(still("two"))
    index = tmp_path / "index.csv"
    whole = index.read_text()
    index.write_text(whole[:-cut])
    Folder(tmp_path, "train")
    assert index.read_text() == whole


def test_a_full_disk_is_named_and_leaves_no_half_picture(tmp_path, monkeypatch):
    folder = Folder(tmp_path, "train")

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(scenes_folder.os, "fsync", full)
    with pytest.raises(FolderError, match="disk is full"):
        folder.add(still("one"))
    assert list((tmp_path / "train" / "images").iterdir()) == []
    assert "one" not in folder.done


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="file"):
        Folder(tmp_path / "file", "train")
