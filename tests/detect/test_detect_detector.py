"""From pictures to boxes: colours, batches and the pixels of the source."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import tiny_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.detect import FLOOR, Detections, Detector, look_at
from pipeline.detect.still import looks_at
from pipeline.ingest.pictures import content_size
from pipeline.settings import RoadLookSettings

SIDE = tiny_model.SIDE


def test_a_batch_of_mixed_looks_gives_each_what_it_gets_alone(detector, street):
    """Cameras of several sizes, whole looks and road looks; scores within a millionth."""
    sizes = [(1280, 720), (640, 360), (704, 576), (1920, 1080), (300, 400)]
    looks = [
        look
        for picture, size in zip(street, sizes, strict=False)
        for look in looks_at(cv2.resize(picture, size), detector.size, RoadLookSettings())
    ]
    assert {look.purpose for look in looks} == {"whole", "road"}
    together = detector(looks)
    assert sum(map(len, together)) > len(looks)
    for look, batched in zip(looks, together, strict=True):
        (alone,) = detector([look])
        np.testing.assert_array_equal(alone.classes, batched.classes)
        np.testing.assert_allclose(alone.scores, batched.scores, atol=1e-6)
        np.testing.assert_allclose(alone.boxes, batched.boxes, atol=1e-3)


def test_no_looks_are_no_detections(detector):
    assert detector([]) == []


def test_vehicles_are_seen_on_a_street(detector, street):
    seen = detector([look_at(picture, detector.size) for picture in street])
    names = {detector.card.classes[i] for one in seen for i in one[one.scores > 0.4].classes}
    assert names & {"car", "truck", "bus"}


# --- source pixels ---------------------------------------------------------------------------

_sides = st.integers(16, 2000)


@pytest.fixture(scope="module")
def middle(tmp_path_factory):
    """A detector that sees one thing, in the first quarter of the model's picture, always."""
    rows = [[0, 0, SIDE / 4, SIDE / 4, 0.9, 1], [0, 0, SIDE, SIDE, 0.5, 0]]
    folder = tmp_path_factory.mktemp("tiny")
    return Detector(tiny_model.write(folder, tiny_model.proto(rows)))


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60, deadline=None)
@given(_sides, _sides)
def test_boxes_are_in_source_pixels_and_clipped_whatever_the_size(middle, width, height):
    look = look_at(np.zeros((height, width, 3), np.uint8), (SIDE, SIDE))
    (seen,) = middle([look])
    scale = max(width, height) / SIDE
    quarter = SIDE / 4 * scale
    np.testing.assert_allclose(
        seen.boxes,
        [[0, 0, min(quarter, width), min(quarter, height)], [0, 0, width, height]],
        rtol=1e-5,
        atol=1e-3,
    )
    assert content_size((width, height), (SIDE, SIDE))[0] <= SIDE


def test_a_box_wholly_in_the_padding_is_dropped(tmp_path):
    rows = [[0, SIDE / 2 + 4, SIDE, SIDE, 0.9, 0]]
    detector = Detector(tiny_model.write(tmp_path, tiny_model.proto(rows)))
    wide = look_at(np.zeros((SIDE // 2, SIDE, 3), np.uint8), (SIDE, SIDE))
    assert len(detector([wide])[0]) == 0


def test_scores_below_the_floor_are_dropped_and_at_the_floor_kept(tmp_path):
    rows = [[0, 0, 9, 9, score, 0] for score in (FLOOR - 0.001, FLOOR + 1e-6, 0.9)]
    detector = Detector(tiny_model.write(tmp_path, tiny_model.proto(rows)))
    (seen,) = detector([look_at(np.zeros((64, 64, 3), np.uint8), (SIDE, SIDE))])
    assert seen.scores == pytest.approx([FLOOR, 0.9], abs=1e-5)


def test_detections_have_the_promised_types_and_are_picked_by_a_mask(detector, street):
    (seen,) = detector([look_at(street[0], detector.size)])
    assert (seen.boxes.dtype, seen.scores.dtype, seen.classes.dtype) == (
        np.float32,
        np.float32,
        np.int16,
    )
    assert seen.boxes.shape == (len(seen), 4)
    picked = seen[seen.scores >= np.median(seen.scores)]
    assert 0 < len(picked) <= len(seen)
    assert len(Detections.empty()) == 0
