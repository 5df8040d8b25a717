"""Crowds by counted heads: where boxes run together, heads say how many stand in the zone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hazard_street import CAMERA, HEIGHT, POSE, WIDTH, analyst, look, scene, seen, times

from pipeline.detect import HeadMap
from pipeline.hazards.crowd import HELD_S, counted_heads, crowds
from pipeline.hazards.view import View
from pipeline.settings import CrowdSettings
from pipeline.town import Zone

FLAT = View(CAMERA, WIDTH / HEIGHT)
LOWER_HALF = Zone("footway", ((0, 0.5), (1, 0.5), (1, 1), (0, 1)))
CELL = 4.0


def heads(people, at=(40, 60, 200, 90)):
    """So many people, spread evenly over the cells of a rectangle in pixels."""
    cells = np.zeros((round(HEIGHT / CELL), round(WIDTH / CELL)), np.float32)
    x1, y1, x2, y2 = (round(side / CELL) for side in at)
    cells[y1:y2, x1:x2] = people / ((y2 - y1) * (x2 - x1))
    return HeadMap(cells, CELL)


def persons(*boxes, score=0.5):
    return [("person", score, box) for box in boxes]


def row_of(count, y=60, tall=30):
    return persons(*((20 + 12 * i, y, 28 + 12 * i, y + tall) for i in range(count)))


def found(counted, *rows, view=FLAT, at=5.0, **settings):
    street = scene(5.0, *rows)
    held = counted_heads(street, counted, view, HEIGHT)
    return crowds(replace(street, at=at), view, CrowdSettings(**settings), held)


def test_heads_make_a_crowd_that_boxes_do_not_see():
    (one,) = found(heads(80), *row_of(10))
    assert one.measures["people"] == pytest.approx(80, abs=1)
    assert one.score > 0.9
    assert one.parts["people_by_boxes"] == 10
    assert crowds(scene(5.0, *row_of(10)), FLAT, CrowdSettings()) == []


def test_more_boxes_than_heads_count():
    (one,) = found(heads(5), *row_of(24), people=20)
    assert one.measures["people"] >= 24


def test_boxes_count_as_the_detectors_own_scores_say():
    few, many = (replace(heads(10), by_boxes=boxes) for boxes in (30.0, 40.0))
    (fewer,), (more,) = (found(one, *row_of(10), people=20) for one in (few, many))
    assert more.measures["people"] == fewer.measures["people"] + 5


def test_a_person_without_a_head_is_added_to_the_heads():
    beside = persons((250, 100, 280, 170))
    (alone,) = found(heads(40), *row_of(8))
    (more,) = found(heads(40), *row_of(8), *beside)
    assert more.measures["people"] == alone.measures["people"] + 1


def test_a_count_stands_for_a_while_and_not_for_ever():
    assert found(heads(80), *row_of(10), at=5.0 + HELD_S)
    assert found(heads(80), *row_of(10), at=5.1 + HELD_S) == []
    assert found(heads(80), *row_of(10), at=4.0) == []  # time has gone back


def test_people_belong_to_the_zone_their_feet_stand_in():
    view = View(replace(CAMERA, zones=(LOWER_HALF,)), WIDTH / HEIGHT)
    # Heads between rows 60 and 80 of 180: above the zone, as are the feet of people 8 px tall.
    assert found(heads(80, at=(40, 60, 200, 80)), *row_of(10, tall=8), view=view) == []
    (one,) = found(heads(80, at=(40, 60, 200, 80)), *row_of(10, tall=40), view=view)
    assert one.measures["people"] >= 75


def test_people_taller_near_the_camera_have_their_feet_further_down():
    far_and_near = persons(
        *((20 + 12 * i, 20, 25 + 12 * i, 30) for i in range(4)),
        *((20 + 30 * i, 90, 35 + 30 * i, 150) for i in range(4)),
    )
    held = counted_heads(scene(5.0, *far_and_near), heads(40, at=(0, 20, 320, 100)), FLAT, HEIGHT)
    cells = held.people.boxes[held.people.number < 1]
    top, tall = cells[:, 1], cells[:, 3] - cells[:, 1]
    assert tall[top < 0.15].max() < 0.1 < 0.3 < tall[top > 0.5].min()


def test_heads_standing_close_are_dense_where_the_ground_is_known():
    view = View(replace(CAMERA, **POSE), WIDTH / HEIGHT)
    where = (140, 80, 180, 100)
    (tight,) = found(heads(60, at=where), *row_of(8), view=view)
    (loose,) = found(heads(60, at=(10, 80, 310, 100)), *row_of(8), view=view)
    assert tight.measures["people_per_m2"] > 2 * loose.measures["people_per_m2"]


def test_a_crowd_seen_by_its_heads_now_and_then_is_reported_once():
    watching = analyst(crowd={"people": 30, "dwell_s": 10}, clear_s=10)
    street = scene(0.0).luma
    changes = []
    for at in times(0, 30, 0.5):
        counted = heads(60) if at % 5 == 0 else None
        changes += [
            (at, change.kind, change.incident.measures["people"])
            for change in watching.update(look(at, street), seen(*row_of(10)), counted)
        ]
    assert changes == [(10.0, "confirmed", pytest.approx(60, abs=1))]
