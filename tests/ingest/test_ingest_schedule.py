"""Whose turn it is, that nobody starves, and that every look is accounted for."""

from __future__ import annotations

import itertools
import math
import threading
import time

import numpy as np
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clock import ManualClock, SystemClock
from pipeline.ingest import Coverage, Look, LookSchedule
from pipeline.ingest.extra import ExtraLooks
from pipeline.ingest.schedule import FORGET_S, SWEEP_S
from pipeline.settings import IngestSettings

PICTURE = np.zeros((6, 4), np.uint8)
PATIENCE_S = 30.0


class Box:
    """A schedule, and what was released of what was put into it."""

    def __init__(self, clock=None, coverage=None, **changes):
        self.clock = clock or ManualClock(1000.0)
        self.settings = IngestSettings.model_validate(changes)
        self.schedule = LookSchedule(self.settings, clock=self.clock, coverage=coverage)
        self.puts = []
        self.released = []

    def put(self, camera_id, purpose="whole", window=0, at=None):
        at = self.clock.steady() if at is None else at
        look = Look(camera_id, at, (window, 0, window + 4, 4), (40, 40), PICTURE, purpose)
        self.puts.append(look)
        self.schedule.put(look, lambda: self.released.append(look))
        return look

    def take(self, max_n=1):
        return self.schedule.take(max_n, 0)

    def names(self, max_n=1):
        return [look.camera_id for look in self.take(max_n)]

    def look_at(self, camera_id, **kind):
        """As if the detector had just looked at it."""
        self.put(camera_id, **kind)
        (look,) = self.take()
        self.schedule.done(look)

    def pass_s(self, seconds):
        self.clock.sleep(seconds)


def slot_of(look):
    return look.camera_id, look.purpose, look.region if look.purpose == "road" else None


def test_a_newer_look_replaces_an_unread_one_which_is_released_and_counted():
    box = Box()
    first, second = box.put("a"), box.put("a")
    assert box.released == [first]
    assert box.take(8) == [second]
    assert box.schedule.counts().replaced == 1
    assert box.released == [first]
    box.schedule.done(second)
    assert box.released == [first, second]


def test_the_earliest_deadline_comes_first_not_the_first_to_come():
    box = Box(interval_s=1)
    for name in "abc":
        box.look_at(name)
        box.pass_s(0.1)
    box.pass_s(2)
    for name in "cab":
        box.put(name)
    assert box.names(8) == ["a", "b", "c"]


def test_a_camera_never_looked_at_is_due_when_it_comes():
    box = Box(interval_s=1)
    box.look_at("old")
    box.pass_s(0.5)
    box.put("old")
    box.put("new")
    assert box.names(2) == ["new", "old"]


def test_a_busy_camera_doesnt_push_another_back():
    box = Box()
    box.put("slow")
    for _ in range(50):
        box.put("busy")
    assert box.names() == ["slow"]


def test_windows_have_slots_and_intervals_of_their_own():
    box = Box(interval_s=1, road_looks={"interval_s": 10})
    for window in (0, 8):
        box.look_at("a", purpose="road", window=window)
    box.look_at("a")
    box.pass_s(2)
    box.put("a", purpose="road", window=0)
    box.put("a", purpose="road", window=8)
    box.put("a")
    assert [look.purpose for look in box.take(1)] == ["whole"]
    assert [look.region[0] for look in box.take(8)] == [0, 8]
    assert box.schedule.counts("road").put == 4


def test_of_one_batch_whole_looks_stand_in_front():
    box = Box()
    box.put("a", purpose="road")
    box.put("b", purpose="road")
    box.put("a")
    assert [look.purpose for look in box.take(8)] == ["whole", "road", "road"]


def test_what_nobody_saw_for_the_longest_gap_goes_before_all_else():
    box = Box(interval_s=1, road_looks={"interval_s": 20}, schedule={"longest_gap_s": 15})
    box.look_at("far", purpose="road")
    box.pass_s(14)
    box.look_at("near")
    box.pass_s(2)  # near is due since one second, the window since one as well
    box.put("near")
    box.put("far", purpose="road")
    assert box.names() == ["far"]


def test_a_camera_that_was_away_is_first_when_it_is_back():
    box = Box(interval_s=1)
    for name in ("away", "there"):
        box.look_at(name)
    for _ in range(100):
        box.pass_s(1)
        box.look_at("there")
    box.pass_s(5)
    box.put("there")
    box.put("away")
    assert box.names() == ["away"]


def test_taking_waits_for_the_first_look_only():
    box = Box(SystemClock())
    threading.Timer(0.1, box.put, ["a"]).start()
    assert box.schedule.take(8, PATIENCE_S)


def test_taking_fills_the_batch_and_waits_no_longer_once_it_is_full():
    box = Box(SystemClock())
    box.put("a")
    timer = threading.Timer(0.1, lambda: [box.put("b"), box.put("c")])
    timer.start()
    began = time.monotonic()
    assert len(box.schedule.take(3, 0, fill_s=PATIENCE_S)) == 3
    assert time.monotonic() - began < PATIENCE_S
    timer.join()


def test_taking_ends_empty_after_its_time():
    assert Box(SystemClock()).schedule.take(8, 0.05) == []


def test_closing_wakes_who_waits_and_drops_what_waits():
    box = Box(SystemClock())
    held = box.put("held")
    box.take()
    waiting = box.put("a")
    box.schedule.close()
    assert box.schedule.take(8, PATIENCE_S) == []
    late = box.put("b")
    assert box.released == [waiting, late]
    box.schedule.done(held)
    counts = box.schedule.counts()
    assert (counts.put, counts.done, counts.stopped, counts.waiting) == (3, 1, 2, 0)


def test_closing_wakes_a_taker_that_waits():
    box = Box(SystemClock())
    threading.Timer(0.1, box.schedule.close).start()
    began = time.monotonic()
    assert box.schedule.take(8, PATIENCE_S) == []
    assert time.monotonic() - began < PATIENCE_S


def test_the_looks_of_a_camera_taken_out_of_the_list_are_dropped():
    box = Box()
    for name in "abc":
        box.put(name)
    box.put("b", purpose="road")
    box.schedule.keep({"a", "c"})
    assert [look.camera_id for look in box.released] == ["b", "b"]
    assert box.names(8) == ["a", "c"]
    assert box.schedule.counts("road").stopped == 1


def test_extra_looks_come_at_their_own_interval_and_end():
    box = Box(interval_s=10)
    for name in "ab":
        box.look_at(name)
    box.schedule.extra("b", 0.25, until=box.clock.steady() + 60)
    assert box.schedule.pace().extra == {"b": 0.25}
    box.pass_s(1)
    box.put("a")
    box.put("b")
    assert box.names(2) == ["b", "a"]
    box.pass_s(60)
    assert box.schedule.pace().extra == {}


def test_extra_looks_take_no_more_than_their_share_of_what_the_detector_can_do():
    box = Box(schedule={"extra_share": 0.25})
    for number in range(10):  # ten looks a second
        box.put(str(number))
        (look,) = box.take()
        box.pass_s(0.1)
        box.schedule.done(look)
    box.take()
    assert box.schedule.capacity == pytest.approx(10)
    for name, lasts_s in zip("abcdef", (10, 10, 60, 60, 60, 60), strict=True):
        box.schedule.extra(name, 1.0, until=box.clock.steady() + lasts_s)
    assert list(box.schedule.pace().extra) == ["a", "b"]
    box.pass_s(20)  # what isn't asked for any more makes room for who has waited
    assert list(box.schedule.pace().extra) == ["c", "d"]


def grant(looks, now):
    """Two cameras of those that ask can have them."""
    looks.grant(float(now), looks_per_s=10, put_gap_s=lambda _: 0.0)
    return sorted(looks.granted)


def test_cameras_that_wait_for_extra_looks_take_turns_of_a_minute():
    looks = ExtraLooks(0.2)
    for now in range(0, 240, 10):
        for name in "abcd":
            looks.ask(name, 1.0, now + 30, looks=1)
        assert grant(looks, now) == (["a", "b"] if now // 60 % 2 == 0 else ["c", "d"])


def test_extra_looks_go_first_to_what_most_looks_speak_for():
    looks = ExtraLooks(0.2)
    for name, seen in (("a", 2), ("b", 2), ("c", 5), ("d", 2), ("e", 4)):
        looks.ask(name, 1.0, 1000.0, looks=seen)
    assert grant(looks, 0) == ["c", "e"]
    looks.ask("d", 1.0, 1000.0, looks=9)
    assert grant(looks, 10) == ["c", "e"]  # who has them keeps them for a turn
    assert grant(looks, 60) == ["a", "d"]


def test_a_camera_that_has_seen_enough_makes_room_at_once():
    box = Box(schedule={"extra_share": 0.25})
    box.put("x")
    box.take()
    box.pass_s(60)
    box.take()
    for name in "ab":
        box.schedule.extra(name, 0.25, until=box.clock.steady() + 60)
    assert list(box.schedule.pace().extra) == ["a"]
    box.schedule.enough("a")
    assert list(box.schedule.pace().extra) == ["b"]
    box.schedule.enough("b")
    assert box.schedule.pace().extra == {}


def test_a_picture_that_waits_comes_at_once_when_its_camera_gets_extra_looks():
    box = Box(interval_s=10)
    for name in "abc":
        box.look_at(name)
        box.pass_s(0.1)
    for name in "abc":
        box.put(name)
    box.schedule.extra("c", 0.25, until=box.clock.steady() + 60)
    assert box.names(3) == ["c", "a", "b"]


def test_a_wish_for_extra_looks_holds_until_the_next_look_can_be_expected():
    box = Box(interval_s=0.5)
    for _ in range(4):  # a look every 20 s is all that the detector does
        box.put("a")
        box.take()
        box.pass_s(20)
    box.schedule.extra("a", 0.25, until=box.clock.steady() + 1)
    box.pass_s(15)
    assert box.schedule.pace().extra == {"a": 0.25}
    box.pass_s(60)
    assert box.schedule.pace().extra == {}


def test_a_camera_takes_no_more_of_that_share_than_its_key_frames_allow():
    box = Box(schedule={"extra_share": 0.25})
    for _ in range(3):  # one look a second, of cameras with a key frame every five
        for name in "abcde":
            box.put(name)
            box.take()
            box.pass_s(1.0)
    box.take()
    assert box.schedule.capacity == pytest.approx(1)
    for name in "abc":
        box.schedule.extra(name, 0.25, until=box.clock.steady() + 60)
    assert list(box.schedule.pace().extra) == ["a"]  # 0.2 of 0.25 looks a second


def test_one_camera_gets_extra_looks_however_slow_the_detector():
    box = Box()
    box.put("a")
    box.take()
    box.pass_s(60)
    box.take()
    for name in "ab":
        box.schedule.extra(name, 0.25, until=box.clock.steady() + 60)
    assert list(box.schedule.pace().extra) == ["a"]


def test_an_extra_look_waits_for_nothing_that_is_only_late():
    box = Box(interval_s=1)
    for name in "abc":
        box.look_at(name)
    box.put("a")
    box.put("b")
    box.pass_s(20)
    box.schedule.extra("c", 0.25, until=box.clock.steady() + 60)
    box.put("c")
    assert box.names(3) == ["c", "a", "b"]


def test_slots_that_nothing_comes_to_any_more_are_given_up():
    box = Box()
    for window in range(20):
        box.look_at("a", purpose="road", window=window)
    box.pass_s(FORGET_S + SWEEP_S)
    box.put("a")
    box.schedule.pace()
    assert len(box.schedule._slots) == 1
    assert box.names() == ["a"]


def test_thinning_is_said_once_when_it_begins_and_once_when_it_ends():
    box = Box(interval_s=1)
    with structlog.testing.capture_logs() as told:
        for second in range(400):
            for name in "abcdef":
                box.put(name)
            for look in box.take(2 if second < 60 else 8):
                box.schedule.done(look)
            box.pass_s(1)
            box.schedule.pace()
    assert [line["event"] for line in told] == ["thinning", "thinning_over"]
    assert told[0]["interval_s"] == 1
    assert box.schedule.stretch == pytest.approx(1, abs=0.02)


def test_how_late_and_how_far_apart_looks_are_is_kept():
    box = Box(interval_s=1)
    box.look_at("a")
    box.pass_s(1)
    box.put("a")
    box.pass_s(3)
    box.take()
    gaps, lateness = box.schedule.gaps(), box.schedule.lateness()
    assert (gaps.total, sum(gaps.counts), gaps.most) == (4, 1, 4)
    assert lateness.most == 3
    assert gaps.counts[gaps.bounds.index(5.0)] == 1


def test_nothing_is_lost_between_many_readers_and_one_taker():
    box = Box(SystemClock())

    def read(name):
        for _ in range(200):
            box.put(name)

    readers = [threading.Thread(target=read, args=(f"c{n}",)) for n in range(8)]
    for reader in readers:
        reader.start()
    while any(reader.is_alive() for reader in readers):
        for look in box.schedule.take(3, 0.01):
            box.schedule.done(look)
    while more := box.take(3):
        for look in more:
            box.schedule.done(look)
    counts = box.schedule.counts()
    assert counts.put == counts.done + counts.replaced == 8 * 200
    assert len(box.released) == len(set(map(id, box.released))) == 8 * 200


# What must hold whatever comes when.

CAMERAS = "abcde"
puts = st.tuples(
    st.just("put"),
    st.sampled_from(CAMERAS),
    st.sampled_from(["whole", "whole", "road"]),
    st.sampled_from([0, 8]),
)
passing = st.tuples(st.just("pass"), st.sampled_from([0.0, 0.01, 0.4, 1.0, 7.0, 40.0]))
takes = st.tuples(st.just("take"), st.integers(1, 4))
others = st.one_of(
    st.tuples(st.just("extra"), st.sampled_from(CAMERAS)),
    st.tuples(st.just("keep"), st.sets(st.sampled_from(CAMERAS))),
    st.just(("pace",)),
    st.just(("done",)),
)
stories = st.lists(st.one_of(puts, puts, passing, takes, others), max_size=80)


def told(box, step, in_hand):
    """One step of a story; returns what was taken."""
    kind, *given = step
    if kind == "put":
        camera_id, purpose, window = given
        box.put(camera_id, purpose, window)
    elif kind == "pass":
        box.pass_s(*given)
    elif kind == "extra":
        box.schedule.extra(*given, 0.25, until=box.clock.steady() + 10)
    elif kind == "keep":
        box.schedule.keep(*given)
    elif kind == "pace":
        assert box.schedule.pace().stretch >= 1
    elif kind == "done" and in_hand:
        box.schedule.done(in_hand.pop())
    elif kind == "take":
        taken = box.take(*given)
        in_hand += taken
        return taken
    return []


@given(stories)
@settings(max_examples=150, deadline=None)
def test_every_look_is_done_waiting_or_skipped_and_released_exactly_once(story):
    coverage = Coverage(0.5, clock=ManualClock())
    box, in_hand = Box(coverage=coverage), []
    for step in story:
        told(box, step, in_hand)
        for purpose in ("whole", "road"):
            counts = box.schedule.counts(purpose)
            gone = counts.done + counts.replaced + counts.stopped
            assert counts.put == counts.waiting + counts.in_hand + gone
            assert counts.put == sum(look.purpose == purpose for look in box.puts)
            assert counts.in_hand == sum(look.purpose == purpose for look in in_hand)
        waiting = [slot_of(one) for one in box.puts if one not in box.released + in_hand]
        both = [box.schedule.counts(purpose).waiting for purpose in ("whole", "road")]
        assert sum(both) == len(waiting) == len(set(waiting))
    for look in in_hand:
        box.schedule.done(look)
    box.schedule.close()
    assert len(box.released) == len(box.puts)
    assert set(box.released) == set(box.puts)
    gone = [box.schedule.counts(purpose) for purpose in ("whole", "road")]
    counted = sum(count for row in coverage.drain().values() for count in counts_of(row))
    assert counted == sum(one.done + one.replaced + one.stopped for one in gone)


def counts_of(row):
    """Without the gap and the newest look's second."""
    return [count for field, count in enumerate(row) if field % 16 not in (1, 2)]


def deadline_of(box, slot, seen_at):
    """Of a picture that comes now to a slot that was looked at then."""
    if slot[0] in box.schedule._extra.granted:
        return float("-inf")
    interval_s = box.schedule._intervals_s[slot[1]] * box.schedule.stretch
    interval_s = min(interval_s, box.settings.schedule.longest_gap_s)
    return min(seen_at + interval_s, box.clock.steady() + interval_s / 3)


@given(stories)
@settings(max_examples=150, deadline=None)
def test_what_is_taken_is_what_waited_beyond_the_longest_gap_else_the_earliest_deadline(story):
    box, in_hand = Box(), []
    known = {}  # slot -> when it was seen or came to be, its turn, whether it was seen
    waiting = {}  # slot -> its deadline and turn
    turns = itertools.count()
    longest_gap_s = box.settings.schedule.longest_gap_s
    for step in story:
        if step[0] == "keep":
            for slot in [slot for slot in known if slot[0] not in step[1]]:
                del known[slot]
                waiting.pop(slot, None)
        granted = set(box.schedule._extra.granted)
        taken = told(box, step, in_hand)
        now = box.clock.steady()
        if step[0] == "put":
            slot = slot_of(box.puts[-1])
            since, turn, seen = known.setdefault(slot, (now, next(turns), False))
            waiting.setdefault(slot, (deadline_of(box, slot, since) if seen else now, turn))
        for camera_id in set(box.schedule._extra.granted) - granted:
            slot = camera_id, "whole", None
            if slot in waiting and known[slot][2]:
                waiting[slot] = float("-inf"), waiting[slot][1]
        for _ in taken:
            overdue = [slot for slot in waiting if known[slot][0] + longest_gap_s <= now]
            best = (
                min(overdue, key=lambda slot: known[slot][:2])
                if overdue
                else min(waiting, key=waiting.__getitem__)
            )
            assert best in map(slot_of, taken)
            del waiting[best]
            known[best] = now, next(turns), True


@given(
    st.integers(2, 12),
    st.lists(st.sampled_from([0.01, 0.1, 0.5]), min_size=60, max_size=120),
    st.integers(1, 4),
)
@settings(max_examples=60, deadline=None)
def test_under_overload_cameras_alike_get_the_same_number_of_looks(cameras, passed, most):
    box, seen = Box(), []
    for seconds in passed:
        for name in range(cameras):
            box.put(str(name))
        box.pass_s(seconds)
        seen += box.names(min(most, cameras))
    counts = [seen.count(str(name)) for name in range(cameras)]
    assert max(counts) - min(counts) <= 1
    # and evenly: between two of its looks every other camera has at most two
    places = [place for place, name in enumerate(seen) if name == "0"]
    assert all(b - a <= cameras + most for a, b in itertools.pairwise(places))


@given(stories, st.sampled_from([2.0, 30.0]))
@settings(max_examples=150, deadline=None)
def test_after_its_deadline_each_other_slot_comes_before_a_look_at_most_once(story, longest_gap_s):
    """Extra looks apart: their share is bounded otherwise."""
    box, in_hand = Box(schedule={"longest_gap_s": longest_gap_s}), []
    before = {}  # slot that waits beyond its deadline -> slots that were taken instead
    for step in story:
        extra = set(box.schedule._extra.granted)
        taken = told(box, step, in_hand)
        if step[0] == "keep":
            before.clear()
        now = box.clock.steady()
        for look in taken:
            before.pop(slot_of(look), None)
        for look in taken:
            for others in before.values():
                assert slot_of(look) not in others or look.camera_id in extra
                others.add(slot_of(look))
        for slot in box.schedule._slots.values():
            if slot.waiting is not None and slot.due_at <= now:
                before.setdefault(slot_of(slot.waiting.look), set())


@given(
    st.integers(1, 10),
    st.integers(0, 3),
    st.sampled_from([0.02, 0.1, 0.5]),
    st.sampled_from([2.0, 5.0, 30.0]),
    st.integers(1, 8),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_no_gap_exceeds_the_longest_by_more_than_one_round_of_all_slots(
    cameras, windows, look_s, longest_gap_s, batch, paced
):
    """However many looks there are and however slow the detector, while pictures come."""
    box = Box(schedule={"longest_gap_s": longest_gap_s}, road_looks={"interval_s": 10})
    slots = cameras * (1 + windows)
    round_s = (slots + 2 * batch) * look_s
    end = box.clock.steady() + 3 * longest_gap_s + 4 * round_s
    while box.clock.steady() < end:
        for camera in range(cameras):
            box.put(str(camera))
            for window in range(windows):
                box.put(str(camera), "road", 8 * window)
        taken = box.take(batch)
        box.pass_s(look_s * len(taken))
        for look in taken:
            box.schedule.done(look)
        if paced:
            box.schedule.pace()
    longest_s = max(box.schedule.gaps(purpose).most for purpose in ("whole", "road"))
    assert longest_s <= longest_gap_s + round_s
    assert math.isfinite(longest_s)
