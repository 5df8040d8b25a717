"""What a second look may take back: what from near is plainly something else, and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hazard_street import (
    CAMERA,
    EVERYWHERE,
    NAMES,
    Street,
    analyst,
    heights,
    look,
    scene,
    seen,
    times,
)

from pipeline.detect import Seen
from pipeline.hazards.observation import Observation
from pipeline.hazards.refuting import refutes

PLACE = (140, 100, 170, 120)
ELSEWHERE = (20, 20, 50, 40)


def case(rule):
    return Observation("blockage", rule, heights(*PLACE), 0.9, 0.0, 10.0)


@pytest.mark.parametrize("rule", ["cavity", "object"])
@pytest.mark.parametrize("user", ["car", "truck", "person"])
def test_a_hole_or_thing_that_is_plainly_a_road_user_is_none(rule, user):
    assert refutes(case(rule), scene(0.0, (user, 0.9, PLACE)))


@pytest.mark.parametrize(
    "rows",
    [[], [("cavity", 0.1, PLACE)], [("cavity", 0.9, ELSEWHERE)], [("car", 0.4, PLACE)]],
    ids=["nothing", "hardly", "elsewhere", "something else"],
)
def test_a_hole_that_from_near_is_none_is_taken_back(rows):
    assert refutes(case("cavity"), scene(0.0, *rows))


@pytest.mark.parametrize("user", [[], [("car", 0.9, PLACE)]])
def test_a_hole_that_from_near_may_be_one_stays(user):
    assert not refutes(case("cavity"), scene(0.0, ("cavity", 0.15, PLACE), *user))


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("car", 0.4, PLACE)],  # loads and dark patches get such scores
        [("car", 0.9, ELSEWHERE)],
        [("car", 0.9, (155, 100, 185, 120))],  # beside it
        [("car", 0.9, PLACE), ("cavity", 0.3, PLACE)],
    ],
    ids=["nothing", "unsure", "elsewhere", "beside", "a hole as well"],
)
def test_everything_else_leaves_a_thing(rows):
    assert not refutes(case("object"), scene(0.0, *rows))


def test_a_vehicle_that_nobody_sees_from_near_is_none():
    assert refutes(case("vehicle"), scene(0.0, ("car", 0.9, ELSEWHERE)))
    assert not refutes(case("vehicle"), scene(0.0, ("truck", 0.15, PLACE)))


@pytest.mark.parametrize("rule", ["crash", "crowd"])
def test_crashes_and_crowds_are_left_as_they_are(rule):
    assert not refutes(case(rule), scene(0.0, ("car", 0.9, PLACE)))


def watched(again, end=14):
    """A hole seen by a camera whose second looks see what ``again`` tells."""
    street = Street()
    one = analyst(replace(CAMERA, zones=(EVERYWHERE,)))
    changes = []
    for at in times(0, end):
        picture = look(at, street.luma((PLACE, 40)))
        changes += one.update(picture, seen(("cavity", 0.9, PLACE)), None, again)
    return one, changes


def test_a_hazard_is_looked_at_again_once_before_it_is_told():
    asked = []

    def again(box):
        asked.append(box)
        return Seen(seen(("cavity", 0.9, PLACE)), NAMES)

    one, (change,) = watched(again)
    assert change.kind == "confirmed"
    assert asked == [pytest.approx(PLACE, abs=1.0)]
    assert one.refuted == 0


def test_a_hazard_that_is_taken_back_is_not_told_and_has_to_last_its_dwell_again():
    asked = []

    def again(box):
        asked.append(box)
        return Seen(seen(("car", 0.9, PLACE)), NAMES)

    one, changes = watched(again)
    assert changes == []
    assert one.refuted == len(asked) == 2  # in 14 seconds with a dwell of 6
    assert one.open_incidents() == []


def test_where_no_second_look_can_be_had_the_hazard_is_told():
    _, changes = watched(lambda _: None)
    assert [change.kind for change in changes] == ["confirmed"]
