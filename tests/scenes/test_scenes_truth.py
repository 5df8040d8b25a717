"""Boxes of rendered things come from the pixels that really show them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.scenes import labels

SHAPE = (90, 160)
SQUARE = np.array([(20.0, 10.0), (60.0, 10.0), (60.0, 40.0), (20.0, 40.0)])


def test_a_box_is_tight_around_what_is_seen():
    ids = np.zeros(SHAPE, np.int32)
    ids[12:30, 25:50] = 7
    seen = labels.seen(ids, [7])
    assert seen.box == (25.0, 12.0, 50.0, 30.0)
    assert seen.pixels == 18 * 25


def test_what_is_hidden_is_not_in_the_box():
    ids = np.zeros(SHAPE, np.int32)
    ids[12:30, 25:50] = 7
    ids[12:30, 25:40] = 8  # somebody stands before its left part
    assert labels.seen(ids, [7]).box == (40.0, 12.0, 50.0, 30.0)
    assert labels.seen(ids, [9]) is None


def test_a_whole_is_boxed_with_its_parts():
    ids = np.zeros(SHAPE, np.int32)
    ids[10:20, 10:20], ids[30:40, 50:60] = 3, 4
    assert labels.seen(ids, [3, 4]).box == (10.0, 10.0, 60.0, 40.0)


def test_crumbs_outside_of_the_outline_do_not_widen_a_box():
    ids = np.zeros(SHAPE, np.int32)
    ids[15:35, 25:55], ids[70, 150] = 5, 5
    kept = labels.within(ids, {5: SQUARE})
    assert labels.seen(kept, [5]).box == (25.0, 15.0, 55.0, 35.0)


def test_things_without_an_outline_are_left_out():
    ids = np.full(SHAPE, 5, np.int32)
    assert not labels.within(ids, {6: SQUARE}).any()


def test_an_outline_beyond_the_picture_is_clipped():
    ids = np.full(SHAPE, 5, np.int32)
    kept = labels.within(ids, {5: SQUARE + np.array((130, 60))})
    assert labels.seen(kept, [5]).box[2:] == (160.0, 90.0)
    assert not labels.within(ids, {5: SQUARE + np.array((500, 0))}).any()


@given(st.floats(4, 40), st.floats(4, 30))
def test_a_silhouette_covers_about_the_area_of_its_faces(wide, high):
    corners = np.array([(30, 20), (30 + wide, 20), (30 + wide, 20 + high), (30, 20 + high)])
    triangles = corners[[[0, 1, 2], [0, 2, 3]]]
    covered = labels.silhouette(triangles, corners, SHAPE)
    assert covered == pytest.approx(wide * high, abs=2 * (wide + high) + 4)


def test_a_head_is_seen_as_far_as_its_own_pixels_show():
    ids = np.zeros(SHAPE, np.int32)
    ids[30:60, 40:60] = 4
    assert labels.around(ids, [4], (50, 40), 8) == 1.0
    assert labels.around(ids, [5], (50, 40), 8) == 0.0
    ids[30:60, 50:60] = 5  # somebody stands before its right half
    assert 0.3 < labels.around(ids, [4], (50, 40), 8) < 0.6
    assert labels.around(ids, [4], (-3, 40), 8) == 0.0
    ids[0:20, 0:20] = 6
    assert 0.3 < labels.around(ids, [6], (0, 10), 10) < 0.7  # half of it is out of the picture
    assert labels.around(ids, [6], (8, 8), 0.5) == 1.0  # smaller than a pixel
