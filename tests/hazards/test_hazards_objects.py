"""What lies on the carriageway: when a thing is a hazard, and when people know of it already."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hazard_street import (
    CAMERA,
    EVERYWHERE,
    Street,
    analyst,
    heights,
    look,
    moved,
    scene,
    seen,
    times,
)

from pipeline.hazards.background import NewThing
from pipeline.hazards.objects import objects
from pipeline.hazards.observation import Observation
from pipeline.hazards.road import holes
from pipeline.hazards.tracks import Track
from pipeline.hazards.traffic import Traffic
from pipeline.hazards.view import View
from pipeline.settings import BlockageSettings, RoadSettings
from pipeline.town import Zone

PLACE = (140, 100, 160, 115)
THING = NewThing(heights(*PLACE), 30.0, 55.0)
NAMED = (138, 98, 162, 117)
SETTINGS = BlockageSettings()
ROAD = View(replace(CAMERA, zones=(EVERYWHERE,)), 16 / 9)
UNZONED = View(CAMERA, 16 / 9)


def found(*rows, new=(THING,), standing=(), vehicles=(), view=ROAD, traffic=None):
    return objects(
        scene(40.0, *rows), new, standing, vehicles, traffic or Traffic(16 / 9), view, SETTINGS
    )


def named(*rows, **changes):
    """What is found where the background knows of nothing new."""
    return found(*rows, new=(), **changes)


def traffic_at(box):
    traffic = Traffic(16 / 9)
    for _ in range(2):
        track = Track()
        track.history.extend((at, heights(*moved(box, dx=40 * (at - 5)))) for at in times(0, 10))
        traffic.add(track, 0.35)
    return traffic


def cones(*lefts, bottom=120, score=0.6, side=8):
    return [("barrier", score, (x, bottom - side, x + side, bottom)) for x in lefts]


# --- things that came ------------------------------------------------------------------------


def test_a_new_thing_on_the_carriageway_is_evidence_since_it_came():
    (one,) = found()
    assert (one.hazard, one.rule, one.since) == ("blockage", "object", 30.0)
    assert (one.dwell_s, one.measures) == (SETTINGS.object_dwell_s, {"contrast": 55.0})
    assert one.score == pytest.approx(0.75, abs=0.01)


def test_without_zones_a_new_thing_counts_only_where_vehicles_drive():
    assert found(view=UNZONED) == []
    assert len(found(view=UNZONED, traffic=traffic_at(PLACE))) == 1


@pytest.mark.parametrize("name", ["person", "car", "bicycle", "barrier"])
def test_a_new_thing_that_a_road_user_or_a_barrier_explains_is_none(name):
    assert found((name, 0.3, NAMED)) == []
    assert len(found((name, 0.3, moved(NAMED, dx=100)))) == 1


def test_a_new_thing_that_a_standing_vehicle_explains_is_none():
    standing = Track(stood_since=20.0, stand_box=heights(*NAMED), arrived=True, score=0.9)
    assert found(standing=[standing]) == []


def test_a_new_thing_that_the_model_calls_a_hole_is_left_to_the_road():
    assert found(("cavity", 0.1, (139, 99, 162, 116))) == []


@pytest.mark.parametrize("name", ["debris", "fallen_tree"])
def test_a_new_thing_that_the_detector_names_is_surer_and_is_reported_once(name):
    (plain,) = found()
    for score in (0.09, 0.3, 0.6):
        (one,) = found((name, score, NAMED))
        assert set(one.parts) == {"new_here", name}
        assert one.since == THING.since
        assert one.score >= plain.score, "a weak name is no reason to doubt"
    assert one.score > 0.98


# --- things that the detector names ----------------------------------------------------------


def test_a_thing_that_was_there_before_the_first_look_is_known_by_its_name():
    (one,) = named(("debris", 0.7, NAMED))
    assert (one.rule, one.since, one.dwell_s) == ("object", 40.0, SETTINGS.object_dwell_s)
    assert set(one.parts) == {"debris"}
    assert one.score > 0.8
    (weak,) = named(("debris", 0.3, NAMED))
    assert weak.score < 0.5
    assert named(("debris", 0.05, NAMED)) == []


def test_named_things_beside_the_carriageway_are_no_hazard():
    left = Zone("carriageway", ((0, 0), (0.3, 0), (0.3, 1), (0, 1)))
    view = View(replace(CAMERA, zones=(left,)), 16 / 9)
    for name in ("debris", "fallen_tree"):
        assert named((name, 0.9, NAMED), view=view) == []


def test_without_zones_debris_must_lie_where_vehicles_drive_but_a_tree_may_lie_anywhere():
    assert named(("debris", 0.9, NAMED), view=UNZONED) == []
    assert len(named(("debris", 0.9, NAMED), view=UNZONED, traffic=traffic_at(PLACE))) == 1
    assert len(named(("fallen_tree", 0.9, NAMED), view=UNZONED)) == 1


def test_the_load_of_a_vehicle_is_not_debris_unless_the_vehicle_is_the_worse_guess():
    assert named(("debris", 0.5, NAMED), ("truck", 0.8, (120, 80, 170, 120))) == []
    assert len(named(("debris", 0.8, NAMED), ("car", 0.3, NAMED))) == 1


def test_a_hole_and_a_thing_at_one_place_are_what_the_better_score_says():
    hole = moved(NAMED, dx=1)
    assert named(("debris", 0.5, NAMED), ("cavity", 0.7, hole)) == []
    now = scene(40.0, ("debris", 0.7, NAMED), ("cavity", 0.5, hole))
    assert len(now.cavities) == 0
    assert len(named(("debris", 0.7, NAMED), ("cavity", 0.5, hole))) == 1


def test_what_lies_around_a_crash_is_its_debris():
    crash = Observation("blockage", "crash", heights(*moved(PLACE, dx=-40)), 0.9, 20.0, 20.0)
    assert named(("debris", 0.9, NAMED), vehicles=[crash]) == []
    assert len(named(("debris", 0.9, NAMED), vehicles=[replace(crash, rule="vehicle")])) == 1


# --- barriers --------------------------------------------------------------------------------


def test_cones_that_leave_a_way_past_are_no_hazard():
    assert named(*cones(140)) == []
    assert named(*cones(140, 160, 180, 200)) == []


def test_a_row_of_cones_across_the_carriageway_blocks_it():
    lane = Zone("carriageway", ((0.4, 0), (0.7, 0), (0.7, 1), (0.4, 1)))
    view = View(replace(CAMERA, zones=(lane,)), 16 / 9)
    (one,) = named(*cones(130, 155, 180, 205), view=view)
    assert (one.rule, set(one.parts)) == ("object", {"barrier"})
    assert one.score > 0.5
    assert named(*cones(130, 155), view=view) == [], "half of it is free"
    assert named(*cones(130, 205), view=view) == [], "a car fits between them"
    far_and_near = [*cones(130, 155, bottom=60), *cones(180, 205, bottom=120)]
    assert named(*far_and_near, view=view) == [], "these do not stand side by side"
    assert named(*cones(130, 155, 180, 205), view=UNZONED) == [], "nobody knows how wide it is"


def test_a_barrier_as_wide_as_the_lane_blocks_it():
    lane = Zone("carriageway", ((0.4, 0), (0.7, 0), (0.7, 1), (0.4, 1)))
    view = View(replace(CAMERA, zones=(lane,)), 16 / 9)
    assert len(named(("barrier", 0.8, (125, 90, 220, 110)), view=view)) == 1


def test_a_new_thing_among_barriers_is_known_to_who_set_them_up():
    (alone,) = found()
    (one_cone,) = found(*cones(125))
    assert one_cone.score == alone.score
    (among,) = found(*cones(120, 170))
    assert among.parts["among_barriers"] < 0
    assert among.score < 0.5
    (sure,) = found(("debris", 0.8, NAMED), *cones(120, 170))
    assert sure.score > 0.5, "what plainly lies there is a hazard all the same"


def test_a_tree_among_barriers_is_still_in_the_way():
    (tree,) = named(("fallen_tree", 0.6, NAMED), *cones(120, 170))
    assert "among_barriers" not in tree.parts


def test_cones_around_a_hole_do_not_silence_it():
    alone = scene(40.0, ("cavity", 0.6, NAMED))
    among = scene(40.0, ("cavity", 0.6, NAMED), *cones(120, 150, 170))
    scores = [holes(one, (), ROAD, RoadSettings())[0].score for one in (alone, among)]
    assert scores[0] == scores[1]


# --- over time -------------------------------------------------------------------------------


def changes(*rows, until=90.0, zones=(EVERYWHERE,), painted=()):
    """What an analyst reports who sees these rows and this picture from the first look on."""
    street, watcher = Street(), analyst(replace(CAMERA, zones=zones))
    reported = []
    for at in times(0.0, until, 1.0):
        reported += watcher.update(look(at, street.luma(*painted)), seen(*rows))
    return reported


def test_a_tree_that_lay_there_from_the_first_look_on_is_reported_after_the_dwell():
    (change,) = changes(("fallen_tree", 0.6, NAMED), painted=[(NAMED, 60)])
    incident = change.incident
    assert (change.kind, incident.hazard, incident.trail["kind"]) == (
        "confirmed",
        "blockage",
        "object",
    )
    assert incident.started_at == 0.0
    assert 60.0 <= incident.confirmed_at <= 62.0
    assert set(incident.trail["parts"]) == {"fallen_tree"}


@pytest.mark.parametrize("rows", [[("debris", 0.35, NAMED)], cones(140, 160), []])
def test_weak_debris_and_cones_are_never_reported(rows):
    assert changes(*rows, painted=[(box, 60) for _, _, box in rows]) == []


def test_a_model_that_knows_none_of_these_classes_finds_what_it_found():
    now = scene(40.0, ("car", 0.9, NAMED))
    assert len(now.lying) == len(now.barriers) == len(now.lying_names) == 0
