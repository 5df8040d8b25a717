"""The transition table and the limits: what a ticket may do, and by when it must."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DeskError
from pipeline.tickets.limits import due_at
from pipeline.tickets.transitions import (
    ACTIONS,
    LEVEL_OF,
    STATES,
    TRANSITIONS,
    WAITING,
    next_state,
)
from pipeline.town.duties import Limit
from pipeline.town.holidays import Holidays

DAYS = Holidays()
CHINA = timezone(timedelta(hours=8))


def local(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=CHINA).timestamp()


@pytest.mark.parametrize(
    "start, limit, due",
    [
        ("2026-11-23 23:30", "1h", "2026-11-24 00:30"),
        ("2026-11-28 10:00", "7d", "2026-12-05 10:00"),
        ("2026-11-23 09:00", "2wh", "2026-11-23 11:00"),
        ("2026-11-23 08:30", "3.5wh", "2026-11-23 12:00"),
        ("2026-11-23 11:00", "2wh", "2026-11-23 15:00"),  # over lunch
        ("2026-11-23 17:00", "2wh", "2026-11-24 09:30"),  # over night
        ("2026-11-27 17:30", "1wh", "2026-11-30 09:00"),  # over the weekend
        ("2026-11-29 03:00", "1wd", "2026-11-30 18:00"),  # from a Sunday
        ("2026-11-23 08:30", "1wd", "2026-11-23 18:00"),
        ("2026-11-23 14:00", "3wd", "2026-11-26 12:00"),
    ],
)
def test_a_limit_ends_when_its_time_is_used_up(start: str, limit: str, due: str):
    assert due_at(local(start), Limit.parse(limit), Holidays()) == local(due)


@pytest.mark.parametrize(
    "start, limit, due",
    [
        ("2026-09-30 17:00", "2wh", "2026-10-08 09:30"),  # over the National Day week
        ("2026-10-09 17:00", "2wh", "2026-10-10 09:30"),  # into a Saturday that makes up for it
        ("2026-02-14 08:30", "1wd", "2026-02-14 18:00"),  # a Saturday worked before the New Year
        ("2026-10-01 09:00", "24h", "2026-10-02 09:00"),  # the clock knows no holidays
    ],
)
def test_working_time_stands_on_holidays_and_runs_on_weekends_that_make_up_for_them(
    start: str, limit: str, due: str
):
    assert due_at(local(start), Limit.parse(limit), Holidays()) == local(due)


@given(
    start=st.floats(0, 4e9),
    first=st.integers(1, 200),
    more=st.integers(0, 100),
)
def test_working_time_is_never_shorter_than_the_clock_and_adds_up(start, first, more):
    sooner = due_at(start, Limit(first, "wh"), DAYS)
    assert sooner - start >= first * 3600 - 1e-3
    at_once = due_at(start, Limit(first + more, "wh"), DAYS)
    if more:
        assert due_at(sooner, Limit(more, "wh"), DAYS) == pytest.approx(at_once, abs=1e-3)


def test_every_state_is_reached_and_left_unless_it_is_an_end():
    reached = {"detected"}
    while True:
        more = reached | {after for (before, _), after in TRANSITIONS.items() if before in reached}
        if more == reached:
            break
        reached = more
    assert reached == set(STATES)
    left = {before for before, _ in TRANSITIONS}
    assert set(STATES) - left == {"rejected", "merged"}
    assert {action for _, action in TRANSITIONS} == set(ACTIONS)


def test_only_open_cases_wait():
    assert all(LEVEL_OF[state] == "open" for state in WAITING)


@given(st.sampled_from(STATES), st.sampled_from(ACTIONS))
def test_what_is_not_in_the_table_is_refused_by_name(state, action):
    if (state, action) in TRANSITIONS:
        assert next_state(state, action) in STATES
    else:
        with pytest.raises(DeskError, match=f"is {state} can't take {action}; allowed: "):
            next_state(state, action)
