"""Data folders are read strictly: what is wrong is named by file, line, found and allowed."""

import csv
import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import DataError
from scripts.train.classes import FIRST_NAMES, IDS
from scripts.train.folders import read_folder, read_labels


@pytest.fixture
def folder(tmp_path):
    """Two pictures to train on and one to check with."""
    write(tmp_path, "train", "acc_1", "6 0.5 0.5 0.2 0.1\n2 0.1 0.1 0.2 0.2\n")
    write(tmp_path, "train", "acc_2", "")
    write(tmp_path, "val", "acc_3", "7 0.5 0.5 1 1\n")
    index(tmp_path, [("train", "acc_1"), ("train", "acc_2"), ("val", "acc_3")])
    return tmp_path


def write(root, split, name, labels):
    for part in ("images", "labels"):
        (root / split / part).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(root / split / "images" / f"{name}.jpg"), np.zeros((8, 8, 3), np.uint8))
    (root / split / "labels" / f"{name}.txt").write_text(labels)


def index(root, rows, columns=("split", "name", "source", "group", "light")):
    with (root / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows((*row, "cctv", "g1", "day")[: len(columns)] for row in rows)


def fault(root):
    with pytest.raises(DataError) as caught:
        read_folder(root)
    return str(caught.value)


def test_pictures_come_in_the_order_of_the_index_with_their_notes(folder):
    first, second, third = read_folder(folder)
    assert [one.name for one in (first, second, third)] == ["acc_1", "acc_2", "acc_3"]
    assert (first.split, first.source, first.group) == ("train", "cctv", "g1")
    assert first.notes == {"light": "day"}
    assert first.boxes == pytest.approx(np.array([[0.4, 0.45, 0.6, 0.55], [0, 0, 0.2, 0.2]]))
    assert first.boxes.dtype == np.float32
    assert list(first.classes) == [IDS["cavity"], IDS["car"]]
    assert second.boxes.shape == (0, 4)


def test_a_picture_without_its_row_is_not_yet_part_of_the_folder(folder):
    write(folder, "train", "acc_9", "")
    assert "acc_9" not in [one.name for one in read_folder(folder)]


def test_class_numbers_of_a_folder_are_read_by_its_own_list(folder):
    names = "person, debris, motorcycle, bus, truck, car, cavity, crash"
    (folder / "data.yaml").write_text(f"names: [{names}]\nunlabelled: [person, car]\n")
    first = read_folder(folder)[0]
    assert list(first.classes) == [IDS["cavity"], IDS["motorcycle"]]
    assert first.unlabelled == {IDS["person"], IDS["car"]}


def test_class_lists_may_be_numbered_as_yolo_does(folder):
    numbered = "".join(f"  {number}: {name}\n" for number, name in enumerate(FIRST_NAMES))
    (folder / "data.yaml").write_text("names:\n" + numbered)
    assert list(read_folder(folder)[0].classes) == [IDS["cavity"], IDS["car"]]


def test_truth_is_joined_by_name(folder):
    line = {"name": "acc_1", "objects": [{"class": "cavity", "distance_m": 12.5}]}
    (folder / "train" / "truth.jsonl").write_text(json.dumps(line) + "\n")
    assert read_folder(folder)[0].notes["truth"] == line
    assert "truth" not in read_folder(folder)[1].notes


def test_a_folder_that_is_not_there(tmp_path):
    assert "is not a data folder" in fault(tmp_path / "nowhere")


def test_a_folder_without_index(folder):
    (folder / "index.csv").unlink()
    assert "index.csv: is missing" in fault(folder)


def test_an_index_without_rows(folder):
    index(folder, [])
    assert "lists no picture" in fault(folder)


def test_an_index_without_groups(folder):
    index(folder, [("train", "acc_1")], columns=("split", "name", "source"))
    assert "lacks columns" in fault(folder)


def test_an_index_with_a_short_row(folder):
    with (folder / "index.csv").open("a") as file:
        file.write("train,acc_4\n")
    assert "line 5: has more or fewer fields" in fault(folder)


def test_an_index_with_another_split(folder):
    index(folder, [("train", "acc_1"), ("test", "acc_2")])
    assert "line 3: unknown split; found test; allowed: train, val" in fault(folder)


def test_an_index_that_lists_a_picture_twice(folder):
    index(folder, [("train", "acc_1"), ("train", "acc_1")])
    assert "line 3: lists a picture twice; found acc_1" in fault(folder)


def test_a_picture_that_is_not_there(folder):
    (folder / "train" / "images" / "acc_2.jpg").unlink()
    assert "line 3: names a picture that is not there; found train/images/acc_2" in fault(folder)


def test_a_folder_without_pictures(folder):
    for path in (folder / "val" / "images").iterdir():
        path.unlink()
    (folder / "val" / "images").rmdir()
    assert "val/images: is missing" in fault(folder)


def test_a_picture_without_labels(folder):
    (folder / "train" / "labels" / "acc_2.txt").unlink()
    assert "acc_2.txt: is missing" in fault(folder)


@pytest.mark.parametrize(
    "line,problem",
    [
        ("8 0.5 0.5 0.1 0.1", "class is out of range; found 8 0.5 0.5 0.1 0.1; allowed: 0 to 7"),
        ("-1 0.5 0.5 0.1 0.1", "class is out of range"),
        ("0 0.5 0.5 0.1", "is not a label"),
        ("0 0.5 0.5 0.1 0.1 0.9", "is not a label"),
        ("car 0.5 0.5 0.1 0.1", "is not a label"),
        ("0 0.5 0.5 0.1 wide", "is not a label"),
        ("0 320 180 20 20", "box is not inside the picture"),
        ("0 0.5 0.5 0 0.1", "box is not inside the picture"),
        ("0 0.5 0.5 nan 0.1", "box is not inside the picture"),
        ("0 0.99 0.5 0.1 0.1", "box is not inside the picture"),
    ],
)
def test_a_wrong_label(folder, line, problem):
    (folder / "train" / "labels" / "acc_1.txt").write_text(f"2 0.1 0.1 0.2 0.2\n\n{line}\n")
    assert f"acc_1.txt, line 3: {problem}" in fault(folder)


@pytest.mark.parametrize(
    "content,problem",
    [
        ("names: [person, cavty]", "names: unknown class; found cavty"),
        ("names: [person, cavty]", "(did you mean cavity?)"),
        ("names: [person, person]", "names a class twice"),
        ("names: person", "is not a list of classes"),
        ("names: {1: person}", "is not a list of classes"),
        ("unlabelled: [people]", "unlabelled: unknown class"),
        ("- person", "is not a mapping"),
        ("names: [", "can't be read as YAML"),
    ],
)
def test_a_wrong_class_list(folder, content, problem):
    (folder / "data.yaml").write_text(content)
    assert problem in fault(folder)


def test_a_wrong_line_of_truth(folder):
    (folder / "train" / "truth.jsonl").write_text('{"name": "acc_1"}\n{"objects": []}\n')
    assert "truth.jsonl, line 2: is not a line of truth" in fault(folder)


parts = st.floats(0.001, 0.999)


@settings(deadline=None)
@given(boxes=st.lists(st.tuples(st.integers(0, 7), parts, parts, parts, parts), max_size=8))
def test_whatever_boxes_inside_the_picture_are_read_back(boxes, tmp_path_factory):
    path = tmp_path_factory.mktemp("labels") / "one.txt"
    corners = [(n, min(a, c), min(b, d), max(a, c), max(b, d)) for n, a, b, c, d in boxes]
    corners = [one for one in corners if one[3] - one[1] > 1e-4 and one[4] - one[2] > 1e-4]
    path.write_text(
        "".join(f"{n} {(a + c) / 2} {(b + d) / 2} {c - a} {d - b}\n" for n, a, b, c, d in corners)
    )
    found, classes = read_labels(path, tuple(range(8)))
    assert list(classes) == [one[0] for one in corners]
    assert found == pytest.approx(np.array([one[1:] for one in corners]).reshape(-1, 4), abs=1e-5)


@settings(deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_is_read_or_refused(text, tmp_path_factory):
    path = tmp_path_factory.mktemp("labels") / "one.txt"
    path.write_text(text, encoding="utf-8")
    try:
        boxes, classes = read_labels(path, tuple(range(8)))
    except DataError as error:
        said = str(error)
    else:
        said = f"one.txt, line {len(boxes)}"
        assert len(boxes) == len(classes)
        assert ((boxes >= 0) & (boxes <= 1)).all()
    assert "one.txt, line " in said
