"""Several looks at one picture: cut boxes go, a thing seen twice is there once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.detect import CLASSES, Detections, merged, uncut
from pipeline.ingest import Look

SOURCE = (1920, 1080)
PICTURE = np.zeros((576, 640), np.uint8)
WHOLE = Look("c", 0.0, (0, 0, 1920, 1152), SOURCE, PICTURE)
SMALL_PX = 24.0  # 72 px of the source
CAR, CAVITY, CRASH = (CLASSES.index(name) for name in ("car", "cavity", "crash"))


def window(x1, y1, x2, y2):
    return Look("c", 0.0, (x1, y1, x2, y2), SOURCE, PICTURE, "road")


MIDDLE, RIGHT = window(600, 300, 1240, 684), window(1100, 300, 1740, 684)


def of(*rows):
    """Detections of rows (class, score, box)."""
    if not rows:
        return Detections.empty()
    classes, scores, boxes = zip(*rows, strict=True)
    return Detections(
        np.array(boxes, np.float32), np.array(scores, np.float32), np.array(classes, np.int16)
    )


def rows(seen):
    return [
        (int(kind), round(float(score), 3), tuple(box.tolist()))
        for kind, score, box in zip(seen.classes, seen.scores, seen.boxes, strict=True)
    ]


def merge(whole, middle=(), right=()):
    looks, found = [WHOLE, MIDDLE, RIGHT], [of(*whole), of(*middle), of(*right)]
    return rows(merged(looks, found, CLASSES, small_px=SMALL_PX))


HOLE = (CAVITY, 0.6, (700, 400, 740, 412))


def test_a_small_thing_that_only_a_window_shows_is_added():
    assert merge([], [HOLE]) == [HOLE]


def test_what_the_whole_look_saw_stays_as_it_is():
    seen = [(CAR, 0.9, (100, 500, 400, 700)), (CAR, 0.3, (110, 510, 390, 690))]
    assert merge(seen) == seen, "even where it saw one thing twice"


def test_a_thing_seen_twice_is_there_once_as_the_surer_one():
    blurred = (CAVITY, 0.2, (697, 398, 742, 414))
    assert merge([blurred], [HOLE]) == [HOLE]
    assert merge([(CAVITY, 0.8, blurred[2])], [HOLE]) == [(CAVITY, 0.8, blurred[2])]
    in_both = (CAVITY, 0.5, (1150, 400, 1190, 412))
    assert merge([], [in_both], [(CAVITY, 0.7, in_both[2])]) == [(CAVITY, 0.7, in_both[2])]


def test_one_place_is_not_two_kinds_of_vehicle():
    truck = (CLASSES.index("truck"), 0.5, (700, 400, 740, 430))
    assert merge([(CAR, 0.7, (701, 401, 741, 431))], [truck]) == [(CAR, 0.7, (701, 401, 741, 431))]


def test_a_part_of_what_the_whole_look_sees_is_none_of_its_own():
    large = (CAVITY, 0.4, (650, 350, 800, 450))
    assert merge([large], [HOLE]) == [large]
    assert len(merge([(CAR, 0.4, large[2])], [HOLE])) == 2, "another class is another thing"


@pytest.mark.parametrize(
    "odd",
    [
        (CAVITY, 0.9, (700, 400, 900, 500)),  # large enough for the whole look
        (CRASH, 0.9, (700, 400, 760, 430)),  # judged by its surroundings
        (CAVITY, 0.9, (1210, 400, 1240, 412)),  # cut at the right
        (CAVITY, 0.9, (600, 400, 640, 412)),  # and at the left
        (CAVITY, 0.9, (700, 300, 740, 312)),  # and at the top
    ],
)
def test_what_a_window_is_no_judge_of_is_left_out(odd):
    assert merge([], [odd]) == []


def test_the_window_that_has_a_thing_whole_gives_it():
    whole = (CAVITY, 0.5, (1215, 400, 1255, 412))
    assert merge([], [(CAVITY, 0.9, (1215, 400, 1240, 412))], [whole]) == [whole]


def test_an_edge_of_the_picture_cuts_nothing():
    corner = window(1280, 0, 1920, 384)
    seen = of((CAVITY, 0.5, (1880, 0, 1920, 12)), (CAVITY, 0.5, (1500, 370, 1540, 384)))
    assert rows(uncut(corner, seen)) == [(CAVITY, 0.5, (1880, 0, 1920, 12))]
    assert rows(uncut(WHOLE, seen)) == rows(seen)


def test_nothing_seen_is_no_trouble():
    assert merge([]) == []


boxes = st.tuples(st.floats(0, 1800), st.floats(0, 1000), st.floats(4, 110), st.floats(4, 75)).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)
things = st.lists(
    st.tuples(st.sampled_from([CAR, CAVITY, CRASH]), st.floats(0.05, 1), boxes), max_size=12
)


@settings(max_examples=150, deadline=None)
@given(things, things, things)
def test_whatever_is_seen_nothing_is_made_up_and_the_surest_is_never_lost(whole, middle, right):
    found = [of(*whole), of(*middle), of(*right)]
    seen = merged([WHOLE, MIDDLE, RIGHT], found, CLASSES, small_px=SMALL_PX)
    everything = [row for part in found for row in rows(part)]
    for row in rows(seen):
        assert row in everything
    assert len(rows(seen)) <= len(everything)
    if whole:
        surest = max(float(score) for _, score, _ in rows(found[0]))
        assert max(float(score) for score in seen.scores) >= surest - 1e-3
