"""Holes: what the model calls a cavity, weighed with what is new at its place."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hazard_street import CAMERA, POSE, heights, moved, scene

from pipeline.hazards.background import NewThing
from pipeline.hazards.road import LEAST_SCORE, holes
from pipeline.hazards.view import View
from pipeline.settings import RoadSettings
from pipeline.town import Zone

HOLE = (140, 110, 170, 125)
SMALL = (150, 150, 158, 154)
FLAT = View(CAMERA, 16 / 9)
POSED = View(replace(CAMERA, **POSE), 16 / 9)
NEW = NewThing(heights(*moved(HOLE, dx=2)), 7.0, 50.0)


def found(score, *others, box=HOLE, new=(), view=FLAT, at=20.0):
    return holes(scene(at, ("cavity", score, box), *others), new, view, RoadSettings())


def test_a_weak_cavity_alone_is_not_believed():
    (one,) = found(0.3)
    assert one.score < 0.5
    assert one.hazard == "road_damage"


def test_a_weak_cavity_where_something_is_new_is_believed_since_it_came():
    (one,) = found(0.3, new=[NEW])
    assert one.score > 0.5
    assert one.since == 7.0
    assert set(one.parts) == {"detector", "new_here"}


def test_a_strong_cavity_is_believed_even_if_it_was_always_there():
    (one,) = found(0.6)
    assert one.score > 0.5
    assert (one.hazard, one.since) == ("road_damage", 20.0)


def test_the_score_grows_with_the_models():
    scores = [found(score)[0].score for score in (0.1, 0.3, 0.5, 0.9)]
    assert scores == sorted(scores)
    assert len(set(scores)) == 4


def test_what_the_model_hardly_sees_is_no_evidence():
    assert found(LEAST_SCORE - 0.01, new=[NEW]) == []


def test_a_new_thing_elsewhere_adds_nothing():
    away = replace(NEW, box=heights(*moved(HOLE, dx=60)))
    (one,) = found(0.3, new=[away])
    assert set(one.parts) == {"detector"}


def test_on_known_ground_the_size_tells_a_collapse_from_damage():
    (large,) = found(0.6, view=POSED)
    (small,) = found(0.6, box=SMALL, view=POSED)
    assert large.hazard == "road_collapse"
    assert large.measures["area_m2"] >= RoadSettings().collapse_area_m2
    assert small.hazard == "road_damage"
    assert 0 < small.measures["area_m2"] < RoadSettings().collapse_area_m2
    assert 0 < small.measures["width_m"] < large.measures["width_m"]


def test_a_hole_that_opened_suddenly_is_a_collapse_whatever_its_size():
    (one,) = found(0.6, box=SMALL, view=POSED, new=[replace(NEW, box=heights(*SMALL))])
    assert one.hazard == "road_collapse"


def test_without_known_ground_nothing_is_measured():
    (one,) = found(0.6)
    assert one.measures == {}


@pytest.mark.parametrize("user", ["car", "person", "bicycle"])
def test_a_hole_under_a_road_user_is_its_shadow(user):
    assert found(0.9, (user, 0.5, (130, 80, 180, 130))) == []


def test_a_hole_as_large_as_the_road_is_none():
    assert found(0.9, box=(20, 90, 300, 170)) == []


def test_a_hole_beside_the_carriageway_is_none():
    left = Zone("carriageway", ((0, 0), (0.3, 0), (0.3, 1), (0, 1)))
    assert found(0.9, view=View(replace(CAMERA, zones=(left,)), 16 / 9)) == []
