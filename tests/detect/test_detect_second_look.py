"""A second look: the place in full size, cut out of the picture, boxes in pixels of the source."""

from __future__ import annotations

import numpy as np
import pytest
import spotter
from hypothesis import given
from hypothesis import strategies as st

from pipeline.detect import Detector, SecondLook, again_in, second_look
from pipeline.detect.second_look import AROUND, _part
from pipeline.errors import ModelError
from pipeline.settings import ModelSettings, SecondLookSettings

LARGE = (1280, 720)


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    return SecondLook(Detector(spotter.write(tmp_path_factory.mktemp("spotter"))))


def street(*dark, size=LARGE):
    """A grey picture with dark boxes."""
    picture = np.full((size[1], size[0], 3), 128, np.uint8)
    for x1, y1, x2, y2 in dark:
        picture[y1:y2, x1:x2] = 0
    return picture


def test_what_is_too_small_for_the_whole_look_is_seen_where_it_is(second):
    spot = (1000, 400, 1012, 406)
    seen, classes = second(street(spot), spot)
    assert classes[seen.classes[0]] == "cavity"
    x1, y1, x2, y2 = seen.boxes[0]
    assert spot[0] - 4 <= x1 < x2 <= spot[2] + 4
    assert spot[1] - 3 <= y1 < y2 <= spot[3] + 3


def test_what_is_elsewhere_is_not_seen(second):
    seen, _ = second(street((100, 100, 120, 110)), (1000, 400, 1012, 406))
    assert len(seen) == 0


def test_a_picture_no_larger_than_the_look_tells_nothing(second):
    assert second(street(size=spotter.SIZE), (20, 20, 30, 30)) is None
    assert second(street(), (0, 0, *LARGE)) is None


sides = st.integers(64, 4000)


@given(sides, sides, st.data())
def test_what_is_cut_out_lies_in_the_picture_and_holds_the_place(width, height, data):
    x1 = data.draw(st.floats(0, width - 2))
    y1 = data.draw(st.floats(0, height - 2))
    box = (
        x1,
        y1,
        data.draw(st.floats(x1 + 1, width)),
        data.draw(st.floats(y1 + 1, height)),
    )
    x, y, wide, high = _part(box, (width, height), (640, 384))
    assert not any(value % 2 for value in (x, y, wide, high))
    assert 0 <= x <= x + wide <= width
    assert 0 <= y <= y + high <= height
    fits = AROUND * (box[2] - box[0]) <= width - 4 and AROUND * (box[3] - box[1]) <= height - 4
    if fits:
        assert x <= box[0] + 2
        assert box[2] <= x + wide + 2
        assert y <= box[1] + 2
        assert box[3] <= y + high + 2


def test_without_a_kept_picture_there_is_no_second_look(second):
    assert again_in(None, street) is None
    assert again_in(second, lambda: None)((0, 0, 9, 9)) is None


def test_it_may_be_off_or_have_a_model_of_its_own(second, tmp_path):
    own = spotter.write(tmp_path)
    detector = second._detector
    assert second_look(SecondLookSettings(on=False), own, detector) is None
    assert second_look(SecondLookSettings(), own, detector)._detector is detector
    with_own = second_look(SecondLookSettings(model=own.path), ModelSettings(), detector)
    assert with_own._detector.path == own.path
    with pytest.raises(ModelError, match="not found"):
        second_look(SecondLookSettings(model=tmp_path / "none.onnx"), own, detector)
