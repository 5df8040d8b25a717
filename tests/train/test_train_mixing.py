"""How often training sees each source, and what it never sees."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DataError
from scripts.train.classes import IDS
from scripts.train.folders import Picture
from scripts.train.mixing import (
    SOURCES,
    for_training,
    read_held_out,
    source_of,
    weights,
)


def picture(name, source, *classes, split="train"):
    numbers = np.array([IDS[one] for one in classes], np.int16)
    boxes = np.tile(np.float32([0.1, 0.1, 0.2, 0.2]), (len(numbers), 1))
    return Picture(Path(f"/data/{name}.jpg"), boxes, numbers, split, source, "")


def test_sources_share_the_samples_whatever_the_number_of_their_pictures():
    few = [picture(f"det_{i}", "detrac_sub") for i in range(3)]
    many = [picture(f"acc_{i}", "accident_cctv") for i in range(300)]
    chances = weights(few + many)
    ratio = SOURCES["detrac"].share / SOURCES["accident_cctv"].share
    assert chances.sum() == pytest.approx(1)
    assert chances[:3].sum() / chances[3:].sum() == pytest.approx(ratio)


def test_pictures_with_rare_things_are_drawn_more_often():
    plain, rare = weights(
        [picture("a", "detrac_sub", "car"), picture("b", "detrac_sub", "car", "bicycle")]
    )
    assert rare == pytest.approx(3 * plain)


def test_an_unknown_source_has_a_share_too():
    assert source_of(picture("x", "my own camera")) is SOURCES[""]


def test_validation_and_held_out_pictures_are_never_trained_on():
    pictures = [
        picture("a", "detrac_sub"),
        picture("b", "detrac_sub", split="val"),
        picture("c", "detrac_sub"),
    ]
    assert [one.name for one in for_training(pictures, frozenset({"c"}))] == ["a"]


def test_a_held_out_name_that_no_folder_has_is_refused(tmp_path):
    path = tmp_path / "heldout.txt"
    path.write_text("det_1\n\ndet_l\n")
    with pytest.raises(DataError, match="line 3: names a picture that no data folder has"):
        read_held_out(path, [picture("det_1", "detrac_sub")])
    path.write_text("det_1\n")
    assert read_held_out(path, [picture("det_1", "detrac_sub")]) == {"det_1"}
