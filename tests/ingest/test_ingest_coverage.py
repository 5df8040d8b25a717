"""Every look that was due is accounted for by camera, purpose and minute."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clock import ManualClock
from pipeline.ingest import CameraStatus, Coverage, Look
from pipeline.ingest.coverage import (
    DONE,
    FIELD_OF,
    FIELDS,
    FIRST_REASON,
    LONGEST_GAP,
    NEWEST,
    REASONS,
    WIDTH,
)

PICTURE = np.zeros((6, 4), np.uint8)
NINE = 9 * 3600.0
MINUTE = int(NINE // 60)


@pytest.fixture
def clock():
    return ManualClock(NINE)


@pytest.fixture
def coverage(clock):
    return Coverage(0.5, clock=clock)


def look(at, camera_id="a", purpose="whole"):
    return Look(camera_id, at, (0, 0, 4, 4), (4, 4), PICTURE, purpose)


def status(state, camera_id="a", corrupt=0):
    return CameraStatus(camera_id, state, NINE, corrupt=corrupt)


def reasons(row, purpose="whole"):
    """The reasons of a row that are not zero."""
    found = {reason: row[FIELD_OF[purpose, reason]] for reason in REASONS}
    return {reason: count for reason, count in found.items() if count}


def test_looks_are_counted_in_the_minute_of_their_picture(coverage):
    for at in (58, 59, 61, 62, 63):
        coverage.done(look(NINE + at))
    rows = coverage.drain()
    assert {key: row[DONE] for key, row in rows.items()} == {
        ("a", MINUTE): 2,
        ("a", MINUTE + 1): 3,
    }


def test_a_gap_belongs_to_the_minute_in_which_it_ends(coverage):
    for at in (0, 1, 1.5, 130, 131):
        coverage.done(look(NINE + at))
    rows = coverage.drain()
    assert rows["a", MINUTE][LONGEST_GAP] == 10
    assert rows["a", MINUTE + 2][LONGEST_GAP] == 1285
    assert rows["a", MINUTE + 2][NEWEST] == 110


def test_purposes_are_counted_apart_and_windows_of_one_picture_make_no_gap(coverage):
    coverage.done(look(NINE))
    for _ in range(3):
        coverage.done(look(NINE + 1, purpose="road"))
    coverage.done(look(NINE + 11, purpose="road"))
    row = coverage.drain()["a", MINUTE]
    assert (row[DONE], row[WIDTH + DONE], row[WIDTH + LONGEST_GAP]) == (1, 4, 100)


def test_what_was_taken_is_not_told_again(coverage):
    coverage.done(look(NINE))
    assert coverage.drain()
    assert coverage.drain() == {}


def test_each_reason_has_a_field_of_its_own():
    assert len(set(FIELD_OF.values())) == len(FIELD_OF) == 2 * len(REASONS)
    assert FIRST_REASON + len(REASONS) <= WIDTH
    assert max(FIELD_OF.values()) < FIELDS <= 32


def test_numbers_of_fields_never_change():
    """They are stored: days that were written by an earlier version are read by a later one."""
    assert FIELD_OF["whole", "replaced"] == 3
    assert FIELD_OF["whole", "down"] == 11
    assert FIELD_OF["road", "replaced"] == 19
    assert FIELD_OF["road", "stopped"] == 28


@pytest.mark.parametrize(
    "state, reason",
    [
        ("connecting", "down"),
        ("unreachable", "down"),
        ("stalled", "down"),
        ("unauthorised", "down"),
        ("frozen", "frozen"),
        ("dark", "dark"),
        ("covered", "covered"),
        ("moved", "moved"),
    ],
)
def test_a_camera_that_is_not_well_misses_the_looks_of_its_interval(coverage, clock, state, reason):
    for _ in range(16):
        coverage.watch([status(state)])
        clock.sleep(2)
    assert reasons(coverage.drain()["a", MINUTE]) == {reason: 60}


def test_of_a_camera_with_few_key_frames_only_those_are_missed(coverage, clock):
    for at in range(0, 300, 5):
        coverage.done(look(NINE + at))
    clock.sleep(300)
    coverage.drain()
    for _ in range(31):
        coverage.watch([status("unreachable")])
        clock.sleep(2)
    missed = [reasons(row).get("down", 0) for row in coverage.drain().values()]
    assert sum(missed) == 12


def test_the_gap_of_an_outage_is_not_what_is_usual(coverage, clock):
    for at in range(0, 60, 5):
        coverage.done(look(NINE + at))
    clock.sleep(60)
    coverage.watch([status("stalled")])
    for at in range(4000, 4060, 5):
        coverage.done(look(NINE + at))
    assert coverage._usual_s["a"] == pytest.approx(5)


def test_what_readers_leave_out_because_the_detector_is_slow_is_thinned(coverage):
    for at in range(0, 60, 5):
        coverage.done(look(NINE + at))
    coverage.thin(thins=True)
    for at in range(65, 125, 10):
        coverage.skipped("a", "whole", "replaced", NINE + at)
        coverage.done(look(NINE + at + 5))
    for at in range(130, 190, 15):
        coverage.done(look(NINE + at))
    coverage.thin(thins=False)
    for at in range(180, 210, 5):
        coverage.done(look(NINE + at))
    rows = coverage.drain()
    thinned = [reasons(row).get("thinned", 0) for row in rows.values()]
    assert sum(thinned) == 2 + 3 * 2  # at 60 and 125, then two of three up to 175
    assert coverage.totals()["whole", "thinned"] == 8


def test_a_camera_that_came_while_looks_are_thinned_is_judged_by_its_closest_pictures(coverage):
    coverage.thin(thins=True)
    for at in (0, 10, 15, 30):
        coverage.done(look(NINE + at))
    assert reasons(coverage.drain()["a", MINUTE]) == {"thinned": 2}


def test_a_camera_that_was_down_was_not_thinned(coverage, clock):
    coverage.thin(thins=True)
    for at in (0, 5, 10):
        coverage.done(look(NINE + at))
    coverage.watch([status("unreachable")])
    coverage.done(look(NINE + 50))
    assert reasons(coverage.drain()["a", MINUTE]) == {}


def test_totals_tell_what_became_of_all_looks_since_the_start(coverage):
    for camera_id in "ab":
        coverage.done(look(NINE, camera_id))
        coverage.done(look(NINE, camera_id, "road"))
        coverage.skipped(camera_id, "road", "no_slot", NINE, 3)
        coverage.drain()
    totals = coverage.totals()
    assert (totals["whole", "done"], totals["road", "done"], totals["road", "no_slot"]) == (2, 2, 6)
    assert sum(totals.values()) == 10


def test_nothing_is_missed_by_a_camera_that_is_well_or_switched_off(coverage, clock):
    for _ in range(10):
        coverage.watch([status("live"), status("disabled", "b")])
        clock.sleep(2)
    assert coverage.drain() == {}


def test_damaged_pictures_are_counted_once_and_after_a_worker_was_replaced_from_zero(coverage):
    for corrupt in (3, 3, 5, 0, 1):
        coverage.watch([status("live", corrupt=corrupt)])
    assert reasons(coverage.drain()["a", MINUTE]) == {"corrupt": 6}


def test_a_supervisor_that_slept_for_an_hour_claims_no_hour_of_misses(coverage, clock):
    coverage.watch([status("unreachable")])
    clock.sleep(3600)
    coverage.watch([status("unreachable")])
    (row,) = coverage.drain().values()
    assert reasons(row) == {"down": 120}


def test_a_camera_taken_out_of_the_list_leaves_its_counts_alone(coverage, clock):
    coverage.done(look(NINE))
    coverage.watch([status("frozen")])
    coverage.keep(["b"])
    assert ("a", MINUTE) in coverage.drain()
    coverage.done(look(NINE + 50))
    assert coverage.drain()["a", MINUTE][LONGEST_GAP] == 0


def test_many_threads_lose_no_count(coverage):
    def count():
        for number in range(2000):
            coverage.skipped("a", "whole", "replaced", NINE + number % 90)
            coverage.done(look(NINE + number % 90))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    taken = []
    while any(thread.is_alive() for thread in threads):
        taken += coverage.drain().values()
    taken += coverage.drain().values()
    assert sum(row[DONE] for row in taken) == 8000
    assert sum(row[FIELD_OF["whole", "replaced"]] for row in taken) == 8000


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.sampled_from(["whole", "road"]),
            st.sampled_from(["done", *REASONS]),
            st.floats(0, 300),
        ),
        max_size=100,
    )
)
@settings(max_examples=60, deadline=None)
def test_the_rows_add_up_to_what_happened(events):
    coverage = Coverage(0.5, clock=ManualClock(NINE))
    for camera_id, purpose, what, at in events:
        if what == "done":
            coverage.done(look(at, camera_id, purpose))
        else:
            coverage.skipped(camera_id, purpose, what, at)
    rows = coverage.drain()
    for camera_id, purpose, what, at in set(events):
        same = [one for one in events if one[:3] == (camera_id, purpose, what)]
        minute = int(at // 60)
        field = (0 if purpose == "whole" else WIDTH) if what == "done" else FIELD_OF[purpose, what]
        expected = sum(int(one[3] // 60) == minute for one in same)
        assert rows[camera_id, minute][field] == expected
