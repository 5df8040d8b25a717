"""Scores: which incident found which event, and what the figures say."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.hazards import Incident
from pipeline.replay import TruthEvent, score
from pipeline.replay.score import match
from pipeline.town import Place

WATCHED = {"a": 100.0, "b": 100.0}


def event(start, end=None, camera="a", hazard="blockage", lon=None, lat=None):
    return TruthEvent(
        camera_id=camera, hazard=hazard, start_s=start, end_s=end, box=None, lon=lon, lat=lat
    )


def incident(start, cleared=None, camera="a", hazard="blockage", confirmed=None, name=None):
    return Incident(
        incident_id=name or f"{camera}-{hazard}-{start}",
        camera_id=camera,
        hazard=hazard,
        box=(0.1, 0.1, 0.2, 0.2),
        started_at=start,
        confirmed_at=start + 5 if confirmed is None else confirmed,
        last_seen_at=start + 6,
        cleared_at=cleared,
        place=Place(113.5, 34.78, 5.0, "pose"),
        score=0.9,
        severity="warning",
        measures={},
    )


def pairs(matching):
    return [(one.event.start_s, one.incident.started_at) for one in matching.matches]


def test_an_incident_in_the_time_of_an_event_finds_it():
    matching = match([incident(12)], [event(10)], WATCHED)
    assert pairs(matching) == [(10, 12)]
    assert matching.missed == matching.false_alarms == matching.doubled == ()


@pytest.mark.parametrize(
    "other",
    [
        incident(12, camera="b"),
        incident(12, hazard="crowd"),
        incident(50),
        incident(2, cleared=9),
    ],
    ids=["another camera", "another hazard", "after it", "before it"],
)
def test_anything_else_is_a_false_alarm_and_the_event_is_missed(other):
    matching = match([other], [event(10, 30)], WATCHED)
    assert not matching.matches
    assert matching.missed == (event(10, 30),)
    assert matching.false_alarms == (other,)


def test_of_two_incidents_the_one_that_shares_more_time_is_the_match_and_the_other_doubled():
    late, early = incident(40), incident(12)
    matching = match([late, early], [event(10)], WATCHED)
    assert pairs(matching) == [(10, 12)]
    assert matching.doubled == (late,)
    assert not matching.false_alarms


def test_one_incident_finds_one_event_alone():
    matching = match([incident(5)], [event(6, 20), event(30, 90)], WATCHED)
    assert pairs(matching) == [(30, 5)]
    assert matching.missed == (event(6, 20),)


def test_two_events_and_two_incidents_are_matched_one_to_one():
    matching = match([incident(10, 40), incident(50, 90)], [event(12, 38), event(55, 85)], WATCHED)
    assert pairs(matching) == [(12, 10), (55, 50)]


def test_an_incident_confirmed_at_the_last_look_still_counts():
    matching = match([incident(100.0, confirmed=100.0)], [event(90)], WATCHED)
    assert pairs(matching) == [(90, 100)]


def test_collapse_and_damage_match_with_the_wrong_kind_noted():
    figures = score(
        [incident(12, hazard="road_damage")], [event(10, hazard="road_collapse")], WATCHED
    )
    assert figures["overall"]["found"] == 1
    assert figures["overall"]["kind_errors"] == 1
    assert figures["hazards"]["road_collapse"]["found"] == 1
    assert figures["hazards"]["road_damage"]["false_alarms"] == 0
    (row,) = figures["matches"]
    assert (row["hazard"], row["found_as"]) == ("road_collapse", "road_damage")


def test_the_figures_are_those_computed_by_hand():
    incidents = [
        incident(13, confirmed=20, cleared=40),  # event at 10: 3 s late
        incident(66, confirmed=72),  # event at 60: 6 s late
        incident(80, confirmed=85),  # the same event again
        incident(5, camera="b"),  # nothing happened there
    ]
    events = [event(10, 45), event(60), event(30, hazard="crowd")]
    figures = score(incidents, events, WATCHED)["overall"]
    found, missed, false = 2, 1, 1
    assert (figures["events"], figures["found"], figures["missed"]) == (3, found, missed)
    assert figures["false_alarms"] == false
    assert figures["recall"] == pytest.approx(2 / 3)
    assert figures["precision"] == pytest.approx(2 / 3)
    f1 = 2 * found / (2 * found + missed + false)
    assert figures["f1"] == pytest.approx(f1)
    rmse = math.sqrt((3**2 + 6**2) / 2)
    assert figures["start_rmse_s"] == pytest.approx(rmse)
    assert figures["s4"] == pytest.approx(f1 * (1 - rmse / 300))
    assert figures["time_to_detect_median_s"] == pytest.approx((10 + 12) / 2)
    assert figures["time_to_detect_p95_s"] == pytest.approx(11.9)
    assert figures["duplicates_per_event"] == pytest.approx(1 / 2)
    assert figures["false_alarms_per_camera_day"] == pytest.approx(86400 / 200)
    assert figures["place_error_median_m"] is None


def test_starts_that_are_wrong_by_more_than_five_minutes_are_worth_nothing():
    figures = score([incident(400)], [event(0)], {"a": 1000.0})["overall"]
    assert figures["f1"] == 1
    assert figures["s4"] == 0


def test_events_of_clips_that_were_not_played_are_named_and_not_missed():
    figures = score([incident(12)], [event(10), event(10, camera="z")], WATCHED)
    assert figures["overall"]["missed"] == 0
    assert figures["not_played"] == ["z"]


def test_the_place_error_is_that_on_the_ground():
    truth = event(10, lon=113.5, lat=34.78 + 10 / 110940)
    figures = score([incident(12)], [truth], WATCHED)["overall"]
    assert figures["place_error_median_m"] == pytest.approx(10, rel=0.01)


def test_nothing_to_find_and_nothing_found_gives_no_figure_instead_of_a_wrong_one():
    figures = score([], [], WATCHED)["overall"]
    assert figures["events"] == figures["found"] == figures["false_alarms"] == 0
    for name in ("recall", "precision", "f1", "s4", "time_to_detect_median_s"):
        assert figures[name] is None
    assert score([], [], {})["overall"]["false_alarms_per_camera_day"] is None


def test_nothing_found_is_no_recall_and_all_false_is_no_precision():
    missed = score([], [event(10)], WATCHED)["overall"]
    assert (missed["recall"], missed["precision"], missed["missed"]) == (0, None, 1)
    false = score([incident(10)], [], WATCHED)["overall"]
    assert (false["recall"], false["precision"], false["false_alarms"]) == (None, 0, 1)


_spans = st.tuples(st.integers(0, 90), st.integers(1, 60), st.sampled_from("ab"))


@given(st.lists(_spans, max_size=6), st.lists(_spans, max_size=6))
def test_every_incident_and_every_event_is_counted_exactly_once(happened, reported):
    events = [event(start, start + long, camera) for start, long, camera in happened]
    incidents = [
        incident(start, start + long, camera, name=str(index))
        for index, (start, long, camera) in enumerate(reported)
    ]
    matching = match(incidents, events, WATCHED)
    used = [one.incident for one in matching.matches]
    names = [one.incident_id for one in (*used, *matching.false_alarms, *matching.doubled)]
    assert sorted(names) == sorted(one.incident_id for one in incidents)
    assert len(matching.matches) + len(matching.missed) == len(events)
    assert all(
        one.event.camera_id == one.incident.camera_id
        and one.incident.started_at < one.event.end_s
        and one.event.start_s < one.incident.cleared_at
        for one in matching.matches
    )
