"""Detections of picture files: what is read, what is counted, what is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import tiny_model

from pipeline.detect import Detector, pictures_in, predict, time_per_look_ms
from pipeline.errors import FootageError

SIDE = tiny_model.SIDE


@pytest.fixture(scope="module")
def counting(tmp_path_factory):
    """Sees three persons, one of them faint and one fainter still, and a faint car."""
    rows = [
        [0, 0, 8, 16, 0.9, 0],
        [16, 0, 24, 16, 0.16, 0],
        [32, 0, 40, 16, 0.1, 0],
        [32, 32, 60, 60, 0.2, 2],
    ]
    folder = tmp_path_factory.mktemp("tiny")
    return Detector(tiny_model.write(folder, tiny_model.proto(rows)))


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "街.jpg"
    path.write_bytes(cv2.imencode(".jpg", np.full((SIDE * 2, SIDE * 2, 3), 90, np.uint8))[1])
    return path


def test_a_row_has_weak_boxes_too_and_says_which_are_over_the_cards_threshold(counting, picture):
    row = predict(picture, counting)
    sure, *weak = row["detections"]
    assert sure == {"class": "person", "score": 0.9, "sure": True, "box": [0.0, 0.0, 16.0, 32.0]}
    assert weak
    assert not any(one["sure"] for one in weak)
    assert row["people"] == 2


def test_boxes_below_the_least_score_are_left_out_but_their_people_counted(counting, picture):
    row = predict(picture, counting, min_score=0.5)
    assert [one["score"] for one in row["detections"]] == [0.9]
    assert row["people"] == 2


def test_the_shipped_model_finds_vehicles_in_a_street_picture(detector, street, tmp_path):
    path = tmp_path / "street.png"
    paths = []
    for index, one in enumerate(street):
        path = tmp_path / f"{index}.png"
        path.write_bytes(cv2.imencode(".png", one)[1])
        paths.append(path)
    rows = [predict(path, detector) for path in paths]
    assert [row["image"] for row in rows] == [str(path) for path in paths]
    assert {one["class"] for row in rows for one in row["detections"]} & {"car", "truck", "bus"}
    height, width = street[0].shape[:2]
    for row in rows:
        for one in row["detections"]:
            x1, y1, x2, y2 = one["box"]
            assert 0 <= x1 < x2 <= width
            assert 0 <= y1 < y2 <= height


@pytest.mark.parametrize("content", [b"", b"I am no picture", b"\xff\xd8\xff\xe0"])
def test_a_file_that_is_no_picture_is_refused_by_name(counting, tmp_path, content):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(FootageError) as caught:
        predict(path, counting)
    assert str(path) in str(caught.value)
    assert ".jpg" in str(caught.value)


def test_folders_are_searched_in_order_and_other_files_passed_over(tmp_path):
    for name in ("b.PNG", "a.jpg", "inner/c.webp", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    assert [path.name for path in pictures_in([tmp_path])] == ["a.jpg", "b.PNG", "c.webp"]
    assert pictures_in([tmp_path / "notes.txt"]) == [tmp_path / "notes.txt"]


def test_a_folder_without_pictures_and_what_is_not_there_are_refused(tmp_path):
    with pytest.raises(FootageError, match=r"no pictures.*\.jpg"):
        pictures_in([tmp_path])
    with pytest.raises(FootageError, match=r"nothing\.jpg.*not found"):
        pictures_in([tmp_path / "nothing.jpg"])


def test_a_figure_for_this_machine_is_milliseconds_a_look(detector):
    assert 1 < time_per_look_ms(detector, 2) < 5000
