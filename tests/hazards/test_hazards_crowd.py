"""Crowds: how many people there are, and how close they stand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hazard_street import CAMERA, POSE, analyst, look, scene, seen, times
from hypothesis import given
from hypothesis import strategies as st

from pipeline.hazards.crowd import crowds
from pipeline.hazards.view import View
from pipeline.settings import CrowdSettings
from pipeline.town import Zone

FLAT = View(CAMERA, 16 / 9)
POSED = View(replace(CAMERA, **POSE), 16 / 9)


def people(count, score=0.5, gap=9, left=20, top=60):
    """Rows of people who do not cover each other."""
    return [
        ("person", score, (x, y, x + 6, y + 14))
        for x, y in (
            (left + gap * (index % 30), top + 20 * (index // 30)) for index in range(count)
        )
    ]


def found(rows, view=FLAT, **settings):
    return crowds(scene(5.0, *rows), view, CrowdSettings(**settings))


def test_everybody_is_counted():
    (one,) = found(people(40))
    assert one.measures == {"people": 40.0}
    assert one.score > 0.9


def test_half_as_many_as_make_a_crowd_are_none():
    assert found(people(15)) == []


def test_exactly_as_many_as_make_a_crowd_are_as_likely_as_not():
    (one,) = found(people(30))
    assert one.score == pytest.approx(0.5)


@given(st.integers(2, 60), st.floats(5, 100))
def test_one_more_person_never_makes_a_crowd_less_likely(count, threshold):
    fewer, more = (found(people(n), people=threshold) for n in (count, count + 1))
    assert (fewer[0].score if fewer else 0) <= (more[0].score if more else 0)


def test_faint_persons_count_but_the_faintest_do_not():
    assert found(people(40, score=0.16))
    assert not found(people(40, score=0.1))


def test_a_person_seen_twice_is_counted_once():
    (one,) = found([*people(35), *people(35, score=0.4)])
    assert one.measures["people"] == 35


def test_people_outside_the_zones_are_not_counted():
    footway = Zone("footway", ((0, 0), (0.5, 0), (0.5, 1), (0, 1)))
    view = View(replace(CAMERA, zones=(footway,)), 16 / 9)
    (one,) = found(people(60), view, people=10)
    assert 20 <= one.measures["people"] <= 40


def test_few_people_close_together_are_a_crowd_where_the_ground_is_known():
    tight = people(16, gap=2, left=150, top=100)
    (one,) = found(tight, POSED, people_per_m2=0.4)
    assert one.measures["people_per_m2"] > 0.4
    assert one.score > 0.5
    loose = people(16, gap=18, left=10, top=100)
    (sparse,) = found(loose, POSED, people_per_m2=0.01)
    assert sparse.measures["people_per_m2"] < one.measures["people_per_m2"]


def test_nobody_and_one_person_are_no_crowd():
    assert found([]) == []
    assert found(people(1), people=0.5) == []


def changes(counts, step=0.5, **settings):
    watching = analyst(crowd={"people": 30, "dwell_s": 10}, clear_s=10, **settings)
    street = scene(0.0).luma
    return [
        (at, change.kind)
        for at, count in zip(times(0, len(counts) * step, step), counts, strict=True)
        for change in watching.update(look(at, street), seen(*people(count)))
    ]


def test_a_crowd_that_holds_its_dwell_is_reported_and_cleared_when_it_left():
    assert changes([36] * 40 + [4] * 60) == [(10.0, "confirmed"), (30.0, "cleared")]


def test_a_crowd_that_only_passes_is_not_reported():
    assert changes([36] * 12 + [4] * 60) == []


def test_a_crowd_that_swings_around_the_threshold_is_reported_once():
    assert changes([32, 34, 31, 29] * 40) == [(10.0, "confirmed")]


def test_a_little_below_the_threshold_neither_reports_nor_clears():
    assert changes([28] * 100) == []
    assert changes([36] * 40 + [29] * 100) == [(10.0, "confirmed")]
