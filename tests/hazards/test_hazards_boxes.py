"""Boxes: the small geometry on which every rule stands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.hazards.boxes import area, centre, covered, foot, grow, iou, overlap, size

_place = st.floats(-2, 2, allow_nan=False)
_side = st.floats(0.01, 2, allow_nan=False)
boxes = st.builds(
    lambda x, y, width, height: np.array([x, y, x + width, y + height]),
    _place,
    _place,
    _side,
    _side,
)
several = st.lists(boxes, min_size=1, max_size=6).map(np.array)


@given(several, several)
def test_iou_is_a_share_and_does_not_mind_the_order(a, b):
    ious = iou(a, b)
    assert ious.shape == (len(a), len(b))
    assert ((ious >= 0) & (ious <= 1 + 1e-9)).all()
    np.testing.assert_allclose(ious, iou(b, a).T)


@given(boxes)
def test_a_box_is_wholly_itself(box):
    assert iou(box[None], box[None])[0, 0] == pytest.approx(1)
    assert covered(box, box[None]) == pytest.approx(1)
    assert size(box) ** 2 == pytest.approx(area(box))


@given(several, several)
def test_what_two_boxes_share_is_no_more_than_either(a, b):
    shared = overlap(a, b)
    assert (shared <= np.minimum(area(a)[:, None], area(b)[None]) + 1e-9).all()
    assert (shared >= 0).all()


@given(boxes, several)
def test_covered_is_the_largest_single_share_not_the_sum(box, others):
    one_by_one = [covered(box, other[None]) for other in others]
    assert covered(box, others) == pytest.approx(max(one_by_one))


@given(boxes, st.floats(0.2, 5))
def test_growing_keeps_the_centre_and_scales_the_size(box, factor):
    grown = grow(box, factor)
    np.testing.assert_allclose(centre(grown), centre(box), atol=1e-9)
    assert size(grown) == pytest.approx(factor * size(box))


@given(boxes)
def test_the_foot_is_the_middle_of_the_lower_edge(box):
    assert foot(box)[0] == pytest.approx(centre(box)[0])
    assert foot(box)[1] == box[3]


def test_nothing_covers_a_box_when_there_is_nothing():
    assert covered(np.array([0.0, 0, 1, 1]), np.zeros((0, 4))) == 0


def test_boxes_that_only_touch_share_nothing():
    left, right = np.array([[0.0, 0, 1, 1]]), np.array([[1.0, 0, 2, 1]])
    assert overlap(left, right)[0, 0] == 0
    assert iou(left, right)[0, 0] == 0
