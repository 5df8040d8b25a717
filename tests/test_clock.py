"""Clocks: the real one waits and can be woken, the other moves only when told to."""

from __future__ import annotations

import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from pipeline.clock import ManualClock, SystemClock


def test_the_system_clock_tells_the_time_and_waits():
    clock = SystemClock()
    assert abs(clock.now() - time.time()) < 5
    began = clock.monotonic()
    assert clock.sleep(0.02) is False
    assert clock.monotonic() - began >= 0.019


def test_the_steady_time_is_unix_time_that_does_not_jump_with_the_wall_clock(monkeypatch):
    clock = SystemClock()
    assert abs(clock.steady() - time.time()) < 5
    before = clock.steady()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert clock.now() == 0.0
    assert 0 <= clock.steady() - before < 5


def test_a_sleep_ends_as_soon_as_its_event_is_set():
    clock, event = SystemClock(), threading.Event()
    assert clock.sleep(0.01, until=event) is False
    event.set()
    began = clock.monotonic()
    assert clock.sleep(60, until=event) is True
    assert clock.monotonic() - began < 30


@given(st.lists(st.floats(0, 1e6), max_size=10), st.floats(0, 1e9))
def test_a_manual_clock_moves_by_its_sleeps_and_not_otherwise(sleeps, start):
    clock = ManualClock(start)
    wanted = start
    for seconds in sleeps:
        assert clock.sleep(seconds) is False
        wanted += seconds
        assert clock.now() == clock.monotonic() == wanted
    clock.move_to(5.0)
    assert clock.now() == 5.0


def test_a_manual_clock_says_if_it_was_woken():
    clock, event = ManualClock(), threading.Event()
    assert clock.sleep(1, until=event) is False
    event.set()
    assert clock.sleep(1, until=event) is True
