from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingest.sampling import Sampler, Step

FPS = st.sampled_from([1, 5, 12, 25, 30])
GOPS = st.integers(1, 300)
INTERVALS = st.floats(0.05, 20)
COUNT = 400


def run(policy, interval_s, fps, gop):
    """(times kept, number of packets decoded) of a stream whose decoder has no delay."""
    sampler = Sampler(policy, interval_s)
    kept, decoded, held = [], 0, 0
    for number in range(COUNT):
        at_s, key = number / fps, number % gop == 0
        step = sampler.step(at_s, key=key)
        held = 0 if key else held
        if step is Step.HOLD:
            held += 1
        elif step is Step.DECODE:
            decoded, held = decoded + held + 1, 0
            if sampler.keep(at_s):
                kept.append(at_s)
    return kept, decoded


@given(st.sampled_from(["keys", "auto", "all"]), INTERVALS, FPS, GOPS)
def test_the_first_picture_is_never_lost_and_the_rate_never_exceeded(policy, interval_s, fps, gop):
    kept, _ = run(policy, interval_s, fps, gop)
    assert kept[0] == 0
    span_s = COUNT / fps
    assert len(kept) <= span_s / interval_s + 2
    assert kept == sorted(set(kept))


@given(INTERVALS, FPS, GOPS)
def test_all_and_auto_leave_no_gap_longer_than_two_intervals(interval_s, fps, gop):
    for policy in ("all", "auto"):
        kept, _ = run(policy, interval_s, fps, gop)
        ends = [*kept, (COUNT - 1) / fps]
        gaps = [later - earlier for earlier, later in pairwise(ends)]
        assert max(gaps) <= 2.2 * interval_s + 2 / fps


@given(INTERVALS, FPS, GOPS)
def test_keys_decodes_only_what_becomes_a_look(interval_s, fps, gop):
    kept, decoded = run("keys", interval_s, fps, gop)
    assert decoded == len(kept)
    assert all(round(at_s * fps) % gop == 0 for at_s in kept)


@given(FPS, GOPS)
def test_auto_decodes_key_frames_alone_while_they_come_often_enough(fps, gop):
    interval_s = gop / fps
    kept, decoded = run("auto", interval_s, fps, gop)
    assert decoded == len(kept) == -(-COUNT // gop)


def test_auto_decodes_between_key_frames_that_are_too_far_apart():
    kept, decoded = run("auto", 1.0, 5, 100)
    assert kept == [float(second) for second in range(80)]
    assert decoded < COUNT  # the end of each group is never needed


@given(FPS, GOPS)
def test_an_interval_of_nothing_keeps_every_picture_the_policy_decodes(fps, gop):
    assert len(run("all", 0, fps, gop)[0]) == COUNT
    assert len(run("auto", 0, fps, gop)[0]) == COUNT
    assert len(run("keys", 0, fps, gop)[0]) == -(-COUNT // gop)


@given(st.lists(st.floats(-0.04, 0.04), min_size=50, max_size=50))
def test_jitter_of_receipt_loses_no_key_frame_that_comes_at_the_interval(jitter):
    sampler = Sampler("keys", 0.5)
    times = [number * 0.5 + late for number, late in enumerate(jitter)]
    kept = [at for at in times if sampler.step(at, key=True) is Step.DECODE and sampler.keep(at)]
    assert len(kept) >= 40


def test_a_clock_that_falls_back_does_not_silence_a_camera():
    sampler = Sampler("keys", 1.0)
    assert sampler.keep(1000.0)
    assert sampler.step(3.0, key=True) is Step.DECODE
    assert sampler.keep(3.0)
    assert not sampler.keep(3.5)
    assert sampler.keep(4.0)


def test_nothing_is_decoded_before_the_first_key_frame():
    assert Sampler("auto", 0.5).step(0.0, key=False) is Step.DROP
    assert Sampler("keys", 0.5).step(0.0, key=False) is Step.DROP


def test_an_interval_that_changes_counts_from_the_last_picture_that_was_kept():
    sampler = Sampler("all", 4.0)
    kept = []
    for second in range(40):
        if second == 17:
            sampler.set_interval(1.0)
        if second == 30:
            sampler.set_interval(5.0)
        if sampler.keep(float(second)):
            kept.append(second)
    assert kept == [0, 4, 8, 12, 16, *range(17, 30), 34, 39]


@pytest.mark.parametrize("told_at", [0.0, 30.0])
def test_cameras_told_together_to_look_less_often_are_soon_due_at_times_of_their_own(told_at):
    samplers = [Sampler("keys", 5.0, share) for share in np.random.default_rng(1).random(500)]
    kept = []
    for second in range(300):
        for number, sampler in enumerate(samplers):
            if second == told_at:
                sampler.set_interval(50.0)
            due = second % 5 == number % 5 and sampler.step(second, key=True) is Step.DECODE
            if due and sampler.keep(second):
                kept.append(second)
    per_second, _ = np.histogram([at for at in kept if at >= 100], bins=20, range=(100, 300))
    assert per_second.sum() == pytest.approx(200 * 500 / 50, rel=0.1)
    assert per_second.max() <= 1.5 * per_second.mean()


@given(st.floats(0, 1), st.floats(0.1, 40))
def test_a_camera_that_must_be_looked_at_more_often_is_so_at_once(share, interval_s):
    sampler = Sampler("keys", 40.0, share)
    sampler.step(0.0, key=True)
    sampler.keep(0.0)
    sampler.set_interval(60.0)
    sampler.set_interval(interval_s)
    assert sampler.step(interval_s, key=True) is Step.DECODE


class Offered:
    """A look that waits until the detector takes it."""

    def __init__(self, sampler, at_s):
        assert sampler.step(at_s, key=True) is Step.DECODE
        assert sampler.keep(at_s)
        self.waits = True
        sampler.offered(lambda: self.waits)


def keys_decoded(sampler, times):
    return [at for at in times if sampler.step(at, key=True) is Step.DECODE]


def test_nothing_is_decoded_while_the_last_look_waits():
    sampler = Sampler("keys", 5.0)
    Offered(sampler, 0.0)
    assert keys_decoded(sampler, range(1, 10)) == []


def test_the_next_picture_is_due_an_interval_after_the_last_one_was_taken():
    sampler = Sampler("keys", 8.0)
    look = Offered(sampler, 0.0)
    assert keys_decoded(sampler, range(1, 8)) == []
    look.waits = False
    (first, *_) = keys_decoded(sampler, range(8, 20))
    assert first == 7 + 8 - 1  # the last key frame before its turn


def test_a_look_taken_at_once_leaves_the_rhythm_as_it_is():
    sampler, kept = Sampler("keys", 5.0), []
    for second in range(30):
        if sampler.step(float(second), key=True) is Step.DECODE and sampler.keep(float(second)):
            kept.append(second)
            sampler.offered(iter([True, *[False] * 99]).__next__)
    assert kept == [0, 5, 10, 15, 20, 25]


def test_a_look_that_has_become_stale_is_replaced():
    sampler = Sampler("keys", 5.0)
    Offered(sampler, 0.0)
    (first, *_) = keys_decoded(sampler, range(1, 20))
    assert first == 10


def test_a_longer_interval_counts_from_when_the_last_look_was_taken():
    sampler = Sampler("keys", 5.0)
    look = Offered(sampler, 0.0)
    keys_decoded(sampler, range(1, 7))
    look.waits = False
    sampler.step(7.0, key=True)
    sampler.set_interval(40.0)
    (first, *_) = keys_decoded(sampler, range(8, 60))
    assert first > 40


def test_a_picture_that_is_wanted_soon_comes_though_the_last_one_waits_and_the_interval_is_long():
    sampler = Sampler("keys", 60.0)
    Offered(sampler, 0.0)
    sampler.hurry(5.0)
    sampler.set_interval(80.0)
    (first, *_) = keys_decoded(sampler, range(1, 60))
    assert 2 < first <= 5
    assert sampler.keep(float(first))
    assert keys_decoded(sampler, range(6, 60)) == []
