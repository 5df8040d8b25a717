"""A day of a camera as a strip: what was looked at, what was due and wasn't, the longest gap."""

from __future__ import annotations

import uuid

import pytest
from test_tickets_coverage import NOON, Box

from pipeline.clock import ManualClock
from pipeline.tickets.coverage_strip import strips

MINUTE, QUARTER = 60.0, 900.0


@pytest.fixture
def box(redis):
    return Box(redis, uuid.uuid4().hex[:12], ManualClock(NOON))


def strip_of(box, camera_id="a", start=NOON, count=4):
    (one,) = strips(box.ledger, [camera_id], start, start + count * QUARTER, count)
    return one


def test_looks_and_misses_stand_in_the_quarter_in_which_they_were_due(box):
    box.looks(NOON, NOON + QUARTER, step=5)
    box.coverage.skipped("a", "whole", "replaced", NOON + QUARTER + 1, 7)
    box.coverage.skipped("a", "road", "replaced", NOON + QUARTER + 1, 100)  # another purpose
    box.looks(NOON + 2 * QUARTER, NOON + 2 * QUARTER + 100, step=10)
    box.coverage.skipped("a", "whole", "no_slot", NOON + 2 * QUARTER + 1, 2)
    box.write(NOON + 3 * QUARTER)
    strip = strip_of(box)
    assert [(slot.done, slot.asked, slot.over) for slot in strip.slots] == [
        (180, 180, True),
        (0, 7, True),
        (10, 12, True),
        (0, 0, False),
    ]
    assert strip.slots[1].skipped == {"replaced": 7}
    assert (strip.done, strip.asked) == (190, 199)
    assert list(strip.skipped.items()) == [("replaced", 7), ("no_slot", 2)]
    assert strip.newest_at == NOON + 2 * QUARTER + 90


def test_the_longest_gap_is_that_between_looks_that_before_the_first_or_that_since_the_last(box):
    box.looks(NOON + 300, NOON + 600)
    box.looks(NOON + 1200, NOON + 1800)
    box.write(NOON + 1800)
    between = strip_of(box, count=2)
    assert between.longest_gap_s == pytest.approx(605, abs=0.2)
    assert between.gap_from == pytest.approx(NOON + 595, abs=0.2)
    before = strip_of(box, start=NOON - 1200, count=2)
    assert (before.longest_gap_s, before.gap_from) == (1500, NOON - 1200)
    box.write(NOON + 3600)  # the box runs on and sees nothing of it
    since = strip_of(box)
    assert since.longest_gap_s == pytest.approx(1805, abs=0.2)
    assert since.gap_from == pytest.approx(NOON + 1795, abs=0.2)


def test_a_short_gap_within_a_minute_is_known_too(box):
    box.looks(NOON, NOON + 600, step=1)
    box.looks(NOON + 642, NOON + 900, step=1)
    box.write(NOON + 900)
    assert strip_of(box, count=1).longest_gap_s == pytest.approx(43, abs=0.2)


def test_of_a_camera_that_nobody_ever_looked_at_the_whole_time_is_the_gap(box):
    box.looks(NOON, NOON + 1800)
    box.write(NOON + 1800)
    strip = strip_of(box, "unknown")
    assert (strip.done, strip.asked, strip.newest_at) == (0, 0, None)
    assert (strip.longest_gap_s, strip.gap_from) == (1800, NOON)


def test_a_time_that_has_not_begun_has_no_gap(box):
    box.looks(NOON, NOON + 60)
    box.write(NOON + 60)
    strip = strip_of(box, start=NOON + 3600)
    assert (strip.longest_gap_s, strip.gap_from) == (0.0, None)
    assert not any(slot.over for slot in strip.slots)


def test_many_cameras_are_read_in_their_order(box):
    names = [f"cam-{number}" for number in range(250)]
    for number, name in enumerate(names):
        box.looks(NOON, NOON + 10 + number % 3 * 5, 5, name)
    box.write(NOON + 60)
    found = strips(box.ledger, names[::-1], NOON, NOON + QUARTER, 1)
    assert [one.camera_id for one in found] == names[::-1]
    assert [one.done for one in found] == [2 + n % 3 for n in range(250)][::-1]


def test_what_is_kept_no_longer_is_known_to_be_forgotten(box):
    day = NOON // 86400 * 86400
    assert not box.ledger.forgets(day - 6 * 86400)
    assert not box.ledger.forgets(day - 7 * 86400)
    assert box.ledger.forgets(day - 8 * 86400)
