"""Heads are counted where they are, when it is worth it, by a model that is what its card says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import tiny_heads
import tiny_model
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from pipeline.detect import (
    CLASSES,
    Detections,
    Detector,
    HeadCounter,
    HeadMap,
    HeadRhythm,
    ModelCard,
    head_counter,
    people_in_boxes,
    people_of,
    predict,
)
from pipeline.errors import ModelError
from pipeline.ingest import Look
from pipeline.settings import HeadSettings


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    return HeadCounter(tiny_heads.write(tmp_path_factory.mktemp("h"), tiny_heads.proto()), 1)


def dark(width, height):
    return np.zeros((height, width, 3), np.uint8)


def refused(folder, model, **card):
    path = tiny_heads.write(folder, model, **card)
    with pytest.raises(ModelError) as caught:
        HeadCounter(path, 1)
    assert str(path.with_suffix("")) in str(caught.value)
    return str(caught.value)


def test_people_are_counted_in_the_cell_they_are_in(counter):
    picture = dark(320, 160)
    picture[40:48, 80:88] = 255
    heads = counter(picture)
    xy, number = heads.places()
    assert heads.total == pytest.approx(1, abs=0.02)
    assert xy.tolist() == [[84.0, 44.0]]
    assert number.sum() == pytest.approx(heads.total)


@pytest.mark.parametrize("size", [(640, 480), (320, 160), (100, 76), (1280, 640), (40, 160)])
def test_places_are_in_pixels_of_the_picture_whatever_its_size(counter, size):
    width, height = size
    picture = dark(width, height)
    cv2.circle(picture, (width // 4, height // 2), max(2, height // 20), (255,) * 3, -1)
    xy, number = counter(picture).places()
    where = np.average(xy, axis=0, weights=number)
    assert where == pytest.approx([width // 4, height // 2], abs=counter(picture).cell)


def test_what_the_picture_is_padded_with_is_nobody(counter):
    for width, height in ((304, 144), (320, 168), (296, 320)):
        heads = counter(dark(width, height))
        assert heads.total == 0
        assert heads.people.shape == tuple(round(side / heads.cell) for side in (height, width))


def test_small_pictures_are_enlarged_no_more_than_the_card_says(counter):
    assert counter(dark(160, 80)).cell == tiny_heads.CELL / 2
    assert counter(dark(80, 40)).cell == tiny_heads.CELL / 2
    assert counter(dark(640, 320)).cell == tiny_heads.CELL * 2


def test_a_box_with_a_head_in_its_upper_half_is_counted_already():
    people = np.zeros((20, 40), np.float32)
    people[5, 10] = 1.0
    heads = HeadMap(people, 8.0)
    boxes = np.array([[70, 38, 100, 120], [70, 0, 100, 46], [200, 40, 220, 100], [60, -90, 99, 60]])
    assert heads.without_head(boxes).tolist() == [0.0, 1.0, 1.0, 1.0]
    assert heads.without_head(np.zeros((0, 4))).shape == (0,)


@given(
    st.lists(st.tuples(*[st.floats(-50, 400)] * 4), max_size=8),
    st.lists(st.integers(0, 799), max_size=30),
)
def test_boxes_add_between_nobody_and_one_person_each(boxes, cells):
    people = np.zeros(800, np.float32)
    people[cells] = 0.5
    corners = np.array(boxes, np.float64).reshape(-1, 2, 2)
    ordered = np.concatenate([corners.min(1), corners.max(1)], axis=1)
    added = HeadMap(people.reshape(20, 40), 8.0).without_head(ordered)
    assert added.shape == (len(boxes),)
    assert ((added >= 0) & (added <= 1)).all()


@given(st.floats(0, 500), st.integers(0, 300))
def test_the_number_of_people_lies_between_heads_and_boxes(heads, boxes):
    people = people_of(heads, boxes)
    assert min(heads, boxes) - 1e-6 <= people <= max(heads, boxes) + 1e-6
    if heads >= 60:
        assert people == heads


def seen(count, score=0.5, name="person"):
    boxes = np.array([(10 * i, 0, 10 * i + 5, 9) for i in range(count)], np.float32).reshape(-1, 4)
    return Detections(
        boxes, np.full(count, score, np.float32), np.full(count, CLASSES.index(name), np.int16)
    )


def card(**thresholds):
    """Of a detector."""
    values = tiny_model.card_of(b"")
    return ModelCard.model_validate(values | {"thresholds": values["thresholds"] | thresholds})


def look(at=0.0, camera="c1", purpose="whole"):
    return Look(camera, at, (0, 0, 320, 160), (320, 160), np.zeros((240, 320), np.uint8), purpose)


@pytest.fixture
def rhythm(counter):
    return HeadRhythm(counter, HeadSettings(from_people=4, interval_s=5), card())


def counts(rhythm, looks):
    return [rhythm(one, of, lambda: dark(320, 160)) is not None for one, of in looks]


def test_heads_are_counted_from_so_many_boxes_of_people_on(rhythm):
    few = [seen(4), seen(9, 0.1), seen(9, name="car")]
    assert counts(rhythm, [(look(), of) for of in few]) == [False] * 3
    assert counts(rhythm, [(look(), seen(8, 0.2))]) == [True]


def test_a_count_of_heads_tells_what_the_boxes_of_the_same_look_say(rhythm):
    heads = rhythm(look(), seen(6), lambda: dark(320, 160))
    assert heads.by_boxes == people_in_boxes(np.full(6, 0.5), 0.25)
    assert rhythm.models.startswith(card().label + " + tiny-heads-")


def test_a_detector_that_is_surer_of_itself_does_not_see_more_people():
    scores = np.array([0.05, 0.2, 0.3, 0.6, 0.8])
    assert people_in_boxes(scores, 0.25) == pytest.approx(people_in_boxes(scores / 2, 0.125))
    assert people_in_boxes(scores, 0.4) < people_in_boxes(scores, 0.25)
    assert people_in_boxes(np.zeros(0), 0.25) == 0


@given(st.lists(st.floats(0, 1), max_size=20), st.floats(0.05, 0.9))
def test_boxes_are_at_most_a_person_each_and_surer_ones_more(scores, threshold):
    each = [people_in_boxes(np.array([score]), threshold) for score in sorted(scores)]
    assert all(0 <= one <= 1 for one in each)
    assert each == sorted(each)
    assert people_in_boxes(np.array(scores), threshold) == pytest.approx(sum(each))


def test_heads_of_a_camera_are_counted_no_more_often_than_set(rhythm):
    of = seen(6)
    looks = [(look(at), of) for at in (0, 2, 4.9, 5, 7, 3)]
    assert counts(rhythm, looks) == [True, False, False, True, False, True]
    assert counts(rhythm, [(look(3, "c2"), of), (look(3.5), of)]) == [True, False]


def test_windows_of_the_road_and_looks_no_longer_kept_give_no_count(rhythm):
    assert counts(rhythm, [(look(purpose="road"), seen(6))]) == [False]
    assert rhythm(look(), seen(6), lambda: None) is None
    assert counts(rhythm, [(look(0.5), seen(6))]) == [True]


def test_without_a_model_boxes_count_alone_and_the_log_says_so(tmp_path):
    for path in (None, tmp_path / "none.onnx"):
        with capture_logs() as lines:
            settings = HeadSettings(path=path)
            missing = head_counter(settings)
        assert missing is None
        assert [line["event"] for line in lines] == ["no_head_counter"]
        alone = HeadRhythm(missing, settings, card())
        assert alone(look(), seen(50), lambda: 1 / 0) is None
        assert alone.models == card().label


def test_a_model_that_is_not_what_its_card_says_is_refused(tmp_path):
    good = tiny_heads.proto()
    assert "sha256" in refused(tmp_path, good, sha256="0" * 64)
    assert "kind" in refused(tmp_path, good, kind="detector")
    assert "cell_px" in refused(tmp_path, good, cell_px=0)
    assert "unknown field" in refused(tmp_path, good, classes=["person"])
    assert "usable counts" in refused(tmp_path, good, cell_px=16)
    assert "usable counts" in refused(tmp_path, tiny_heads.proto(gain=-1.0))
    assert "usable counts" in refused(tmp_path, tiny_heads.proto(gain=float("nan")))
    assert "wrong input" in refused(tmp_path, tiny_heads.proto(input_name="images"))
    assert "wrong input" in refused(tmp_path, tiny_model.proto([[0] * 6]))
    assert "onnxruntime" in refused(tmp_path, b"no model")


def test_a_detector_cannot_be_the_head_counter_nor_the_other_way_round(tmp_path):
    heads = tiny_heads.write(tmp_path, tiny_heads.proto())
    detector = tiny_model.write(tmp_path, tiny_model.proto([[0] * 6]))
    with pytest.raises(ModelError, match="unknown field"):
        HeadCounter(detector.path, 1)
    with pytest.raises(ModelError, match="unknown field"):
        Detector(detector.model_copy(update={"path": heads}))


def test_predicted_people_are_the_mean_of_heads_and_boxes_where_few_are_seen(counter, tmp_path):
    rows = [[0, 0, 16, 32, 0.9, 0], [32, 0, 48, 32, 0.9, 0], [48, 32, 60, 60, 0.3, 0]]
    detector = Detector(tiny_model.write(tmp_path, tiny_model.proto(rows)))
    picture = dark(64, 64)
    picture[8:16, 0:16] = picture[56:64, 24:32] = 255  # heads in the first box and in no box
    path = tmp_path / "picture.png"
    path.write_bytes(cv2.imencode(".png", picture)[1])
    # Enlarged twice: each bright square of 8 pixels is four cells with one person each. The
    # second box has no head, so there are 13 by heads, and 2.7 by boxes.
    assert predict(path, detector, counter=counter)["people"] == 8
    assert predict(path, detector)["people"] == 3
