"""One camera from looks to incidents: each hazard is found, kept and cleared, with its reasons."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache

import cv2
import numpy as np
import pytest
import structlog
from hazard_street import (
    CAMERA,
    EVERYWHERE,
    NAMES,
    POSE,
    Street,
    analyst,
    look,
    moved,
    seen,
    times,
)

from pipeline.detect import Detections
from pipeline.hazards import incident_id_of
from pipeline.ingest import Look

ZONED = replace(CAMERA, zones=(EVERYWHERE,))
POSED = replace(ZONED, **POSE)
HOLE = (140, 110, 170, 125)
THING = (140, 100, 160, 115)
SPOT = (150, 90, 190, 120)
DWELLS = {"object_dwell_s": 8, "vehicle_dwell_s": 8, "crash_dwell_s": 4}

# A scene tells what is on the street at a time: painted boxes with their grey, detections.


def a_hole(at):
    if not 10 <= at < 25:
        return [], []
    return [(HOLE, 40)], [("cavity", 0.3, HOLE)]


def a_fallen_load(at):
    return ([(THING, 40)], []) if 10 <= at < 30 else ([], [])


def a_vehicle_that_stops(at):
    if not 10 <= at < 30:
        return [], []
    car = moved(SPOT, dx=min(0, (at - 14) * 40))
    return [(car, 200)], [("car", 0.8, car)]


def a_crash(at):
    """One has stopped at 12; another drives into it at 14."""
    if not 10 <= at < 40:
        return [], []
    hit = moved((192, 88, 232, 118), dx=max(0, (12 - at) * 40))
    hitting = moved((160, 90, 200, 120), dx=min(0, (at - 14) * 45))
    rows = [("car", 0.8, hit), ("car", 0.8, hitting)]
    if at >= 14:
        rows.append(("crash", 0.5, (155, 85, 235, 122)))
    return [(hit, 60), (hitting, 200)], rows


def a_crowd(at):
    if not 5 <= at < 40:
        return [], []
    spots = np.random.default_rng(1).uniform((90, 90), (210, 140), (40, 2))
    return [], [("person", 0.5, (x, y, x + 6, y + 14)) for x, y in spots]


def nothing(at):
    return [], []


def play(story, camera=ZONED, end=70, street=None, watching=None, **settings):
    settings = {"blockage": DWELLS, "crowd": {"dwell_s": 10}} | settings
    watching = watching or analyst(camera, **settings)
    street = street or Street()
    changes = []
    for at in times(0, end):
        painted, rows = story(at)
        changes += watching.update(look(at, street.luma(*painted)), seen(*rows))
    return changes


@cache
def told(story, camera=ZONED):
    """What a whole story gives; played once for all tests that only read it."""
    return tuple(play(story, camera))


STORIES = [
    (a_hole, "road_collapse", "cavity", 10, 25),
    (a_fallen_load, "blockage", "object", 10, 30),
    (a_vehicle_that_stops, "blockage", "vehicle", 14, 30),
    (a_crash, "blockage", "crash", 14, 40),
    (a_crowd, "crowd", "crowd", 5, 40),
]
stories = pytest.mark.parametrize(
    "story, hazard, rule, began, ended", STORIES, ids=[row[0].__name__ for row in STORIES]
)


@stories
def test_a_hazard_is_confirmed_once_after_its_dwell_and_cleared_when_it_is_gone(
    story, hazard, rule, began, ended
):
    confirmed, cleared = told(story)
    assert (confirmed.kind, cleared.kind) == ("confirmed", "cleared")
    incident = confirmed.incident
    assert (incident.hazard, incident.trail["kind"]) == (hazard, rule)
    assert incident.started_at == pytest.approx(began, abs=2.5)
    dwell_s = incident.trail["dwell_s"]
    assert dwell_s <= incident.confirmed_at - incident.started_at <= dwell_s + 4
    assert incident.cleared_at is None
    assert cleared.incident.cleared_at == pytest.approx(ended, abs=4)


@stories
def test_its_name_its_start_and_its_place_stay_what_they_were(story, hazard, rule, began, ended):
    confirmed, cleared = (change.incident for change in told(story))
    for field in ("incident_id", "hazard", "box", "place", "started_at", "confirmed_at", "score"):
        assert getattr(confirmed, field) == getattr(cleared, field)
    assert confirmed.incident_id == incident_id_of(
        "c1", hazard, confirmed.started_at, confirmed.box
    )


@stories
def test_the_trail_says_which_model_settings_rule_and_looks(story, hazard, rule, began, ended):
    incident = told(story)[0].incident
    assert incident.trail["model"] == "street-n-v0-ac2b"
    assert incident.trail["settings"] == "5e77"
    looks = incident.trail["looks"]
    assert [at for at, _, _ in looks] == sorted(at for at, _, _ in looks)
    assert looks[-1][0] == incident.confirmed_at
    assert rule in {name for _, _, name in looks}
    assert 0 < incident.score <= 1


@stories
def test_the_same_looks_give_the_same_incidents(story, hazard, rule, began, ended):
    again = play(story, end=told(story)[0].incident.confirmed_at + 1)
    assert [asdict(change.incident) for change in again] == [asdict(told(story)[0].incident)]


def test_a_street_where_nothing_happens_has_no_incidents():
    assert play(nothing, end=40) == []


def test_a_hole_that_was_always_there_is_weaker_evidence_than_one_that_opened():
    always = play(lambda _at: ([(HOLE, 40)], [("cavity", 0.3, HOLE)]), end=60)
    assert always == []


def test_a_hole_that_was_always_there_is_damage_when_the_model_is_sure():
    (change,) = play(lambda _at: ([(HOLE, 40)], [("cavity", 0.7, HOLE)]), end=30)
    assert change.incident.hazard == "road_damage"
    assert change.incident.severity == "notice"


def test_two_holes_that_are_there_from_the_first_look_have_names_of_their_own():
    second = moved(HOLE, dx=90)
    rows = [("cavity", 0.8, HOLE), ("cavity", 0.8, second)]
    first, other = play(lambda _at: ([(HOLE, 40), (second, 40)], rows), end=12)
    assert first.incident.started_at == other.incident.started_at
    assert first.incident.incident_id != other.incident.incident_id


def test_on_known_ground_a_hole_has_a_size_and_a_place():
    incident = play(a_hole, POSED, end=20)[0].incident
    assert incident.measures["area_m2"] > 0.5
    assert incident.place.method == "pose"
    assert incident.place.lat > CAMERA.lat, "the camera looks north"
    assert incident.severity == "emergency"
    assert told(a_hole)[0].incident.place.method == "camera"


def test_a_hole_that_grows_is_a_second_incident_at_the_same_place_and_both_are_cleared():
    small, large = (155, 115, 163, 119), HOLE

    def story(at):
        spot = small if at < 20 else large
        return ([(spot, 40)], [("cavity", 0.8, spot)]) if at < 40 else ([], [])

    damage, collapse, *cleared = play(story, POSED, end=80)
    assert [damage.kind, collapse.kind] == ["confirmed"] * 2
    damage, collapse = damage.incident, collapse.incident
    assert (damage.hazard, collapse.hazard) == ("road_damage", "road_collapse")
    assert damage.incident_id != collapse.incident_id
    assert 26 <= collapse.confirmed_at <= 30
    assert collapse.measures["area_m2"] > 0.5 > damage.measures["area_m2"]
    assert [(one.kind, one.incident.incident_id) for one in cleared] == [
        ("cleared", damage.incident_id),
        ("cleared", collapse.incident_id),
    ]
    assert cleared[0].incident.trail["parts"] == damage.trail["parts"]
    assert {one.incident.cleared_at for one in cleared} == {40.0}


@pytest.mark.parametrize("gap, severity", [(14, "notice"), (11, "warning"), (7, "emergency")])
def test_the_closer_people_stand_the_more_severe_the_crowd(gap, severity):
    rows = [
        ("person", 0.5, (x, y, x + 2, y + 3))
        for x, y in ((140 + gap * (i % 8), 130 + gap * (i // 8)) for i in range(60))
    ]
    (change,) = play(lambda _at: ([], rows), POSED, end=12)
    assert change.incident.severity == severity


def test_a_crash_is_more_severe_than_a_thing_on_the_road():
    assert told(a_crash)[0].incident.severity == "warning"
    assert told(a_fallen_load)[0].incident.severity == "notice"


def test_a_vehicle_that_goes_on_before_its_dwell_is_no_incident():
    assert play(a_vehicle_that_stops, blockage={**DWELLS, "vehicle_dwell_s": 30}, end=50) == []


def test_a_hole_that_a_lorry_stands_over_is_neither_confirmed_nor_cleared_meanwhile():
    lorry = (110, 70, 220, 140)

    def story(at):
        painted, rows = ([(HOLE, 40)], [("cavity", 0.6, HOLE)]) if at >= 10 else ([], [])
        if 20 <= at < 60:
            return [*painted, (lorry, 200)], [("truck", 0.9, lorry)]
        return painted, rows

    holes = [one for one in play(story, end=75) if one.incident.hazard == "road_collapse"]
    assert [change.kind for change in holes] == ["confirmed"]


def test_debris_that_looks_like_a_hole_is_no_hole():
    debris = (170, 124, 190, 134)

    def story(at):
        painted, rows = a_crash(at)
        if at >= 14:
            painted, rows = [*painted, (debris, 30)], [*rows, ("cavity", 0.4, debris)]
        return painted, rows

    assert {one.incident.hazard for one in play(story, end=32)} == {"blockage"}


def test_what_is_reported_as_a_hole_is_not_reported_as_a_thing_too():
    def story(at):
        painted, rows = a_hole(at)
        return painted, rows if at < 18 else []  # later the model overlooks it

    assert {one.incident.hazard for one in play(story, end=40)} == {"road_collapse"}


def test_only_what_is_confirmed_is_open():
    watching = analyst(ZONED)
    play(a_hole, watching=watching, end=12)
    assert watching.open_incidents() == []
    watching = analyst(ZONED)
    confirmed = play(a_hole, watching=watching, end=20)[0].incident
    (still,) = watching.open_incidents()
    assert still.incident_id == confirmed.incident_id
    assert still.last_seen_at > confirmed.last_seen_at


def test_boxes_are_shares_of_the_picture():
    x1, y1, x2, y2 = told(a_hole)[0].incident.box
    assert (x1, y1, x2, y2) == pytest.approx((140 / 320, 110 / 180, 170 / 320, 125 / 180), abs=0.02)


@pytest.mark.parametrize("contrast, offset", [(-1.0, 255), (-0.5, 150), (2.5, -215), (0.0, 16)])
def test_a_thing_that_other_light_makes_part_of_the_background_is_not_cleared(contrast, offset):
    """Infrared, other lamps, darkness: the thing lies there until 100 and is then taken away."""
    watching, street, changes = analyst(ZONED, blockage=DWELLS), Street(), []
    for at in times(0, 160):
        luma = street.luma(*([(THING, 220)] if 20 <= at < 100 else []))
        if at >= 60:
            luma = np.clip(luma * contrast + offset, 0, 255).astype(np.uint8)
        if at == 100:
            assert [change.kind for change in changes] == ["confirmed"]
        changes += watching.update(look(at, luma), seen())
    confirmed, *cleared = changes
    if contrast == 0:  # nobody can tell in the dark
        assert cleared == []
        assert len(watching.open_incidents()) == 1
    else:
        (change,) = cleared
        assert change.incident.incident_id == confirmed.incident.incident_id
        assert change.incident.cleared_at == pytest.approx(100, abs=10)


def test_a_vehicle_that_leaves_after_a_change_of_light_is_cleared():
    watching, street, changes = analyst(ZONED, blockage=DWELLS), Street(), []
    for at in times(0, 90):
        painted, rows = a_vehicle_that_stops(at) if at < 20 else ([(SPOT, 200)], [])
        if 20 <= at < 50:
            rows = [("car", 0.8, SPOT)]
        luma = street.luma(*(painted if at < 50 else []))
        changes += watching.update(look(at, luma if at < 35 else 255 - luma), seen(*rows))
    assert [change.kind for change in changes] == ["confirmed", "cleared"]


def square(at, luma):
    """The same view in a picture of 180×180, as a stream squeezed to another shape shows it."""
    picture = np.full((192 * 3 // 2, 320), 128, np.uint8)
    picture[:180, :180] = cv2.resize(luma, (180, 180))
    return Look("c1", at, (0.0, 0.0, 320.0, 192.0), (180, 180), picture)


def test_what_is_confirmed_outlives_a_change_of_the_pictures_shape_and_is_cleared_later():
    watching, street = analyst(ZONED), Street()
    (change,) = play(a_hole, watching=watching, street=street, end=20)
    narrow = (HOLE[0] * 180 / 320, HOLE[1], HOLE[2] * 180 / 320, HOLE[3])
    changes = []
    for at in times(20, 30):
        rows = seen(("cavity", 0.6, narrow))
        changes += watching.update(square(at, street.luma((HOLE, 40))), rows)
    assert changes == []
    (still,) = watching.open_incidents()
    assert (still.incident_id, still.box) == (change.incident.incident_id, change.incident.box)
    assert still.last_seen_at == 29.5
    for at in times(30, 60):
        changes += watching.update(square(at, street.luma()), seen())
    (cleared,) = changes
    assert (cleared.kind, cleared.incident.incident_id) == ("cleared", still.incident_id)
    assert cleared.incident.cleared_at == 30.0


def test_a_thing_that_still_lies_there_is_not_cleared_by_a_change_of_the_pictures_shape():
    watching, street = analyst(ZONED, blockage=DWELLS), Street()
    (change,) = play(a_fallen_load, watching=watching, street=street, end=25)
    for at in times(25, 60):
        assert watching.update(square(at, street.luma((THING, 40))), seen()) == []
    (still,) = watching.open_incidents()
    assert still.incident_id == change.incident.incident_id
    cleared = [
        one for at in times(60, 95) for one in watching.update(square(at, street.luma()), seen())
    ]
    assert [one.kind for one in cleared] == ["cleared"]


def test_a_change_of_the_pictures_shape_is_no_evidence():
    watching, street = analyst(ZONED), Street()
    play(a_hole, watching=watching, street=street, end=15)
    assert watching.update(square(15.0, street.luma((HOLE, 40))), seen()) == []
    assert watching.update(square(15.5, street.luma((HOLE, 40))), seen()) == []
    assert watching.open_incidents() == []


def test_a_pose_that_cannot_fit_the_picture_costs_the_ground_plane_alone():
    watching, street = analyst(POSED), Street()
    panorama = replace(look(0, street.luma()), source_size=(4096, 800))
    with structlog.testing.capture_logs() as logs:
        for at in times(0, 10):
            watching.update(replace(panorama, captured_at=at), seen(("cavity", 0.8, (0, 0, 9, 9))))
    (line,) = logs
    assert line["camera_id"] == "c1"
    assert "aspect" in line["why"]
    (incident,) = watching.open_incidents()
    assert incident.place.method == "camera"


def test_classes_that_the_rules_do_not_know_are_passed_by():
    watching = analyst(ZONED)
    watching._classes = ("debris", *watching._classes)
    rows = Detections(np.array([HOLE], np.float32), np.ones(1, np.float32), np.zeros(1, np.int16))
    street = Street()
    assert not [
        change for at in times(0, 20) for change in watching.update(look(at, street.luma()), rows)
    ]


@pytest.mark.parametrize("step", [0.2, 1.0, 2.0])
def test_a_hole_is_found_however_far_apart_the_looks_are(step):
    watching, street, changes = analyst(ZONED), Street(), []
    for at in times(0, 40, step):
        painted, rows = ([(HOLE, 40)], [("cavity", 0.35, HOLE)]) if at >= 20 else ([], [])
        changes += watching.update(look(at, street.luma(*painted)), seen(*rows))
    (change,) = changes
    assert change.incident.hazard == "road_collapse"
    assert change.incident.confirmed_at <= 32


def test_detections_of_another_model_are_read_by_its_classes_and_told_by_its_name():
    street, watching = Street(), analyst(ZONED)
    hole = seen(("cavity", 0.9, HOLE))
    changed = []
    for at in times(0, 12):
        if at == 4:
            watching.go_by(NAMES[::-1], "street-n-v1-0000")
        if at >= 4:
            hole = replace(hole, classes=np.array([NAMES[::-1].index("cavity")], np.int16))
        changed += watching.update(look(at, street.luma((HOLE, 40))), hole)
    (change,) = changed
    assert change.incident.hazard == "road_damage"
    assert change.incident.trail["model"] == "street-n-v1-0000"
