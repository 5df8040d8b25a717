"""The clock of a suspended ticket stands, by the wall or by working time, whoever resumes it."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ticket_town import NOON, incident

from pipeline.tickets.limits import due_after_pause, due_at, worked_s
from pipeline.town.duties import Limit
from pipeline.town.holidays import Holidays

HOUR = 3600.0
DAYS = Holidays()
CHINA = timezone(timedelta(hours=8))
times = st.floats(NOON - 40 * 86400, NOON + 40 * 86400)
spans = st.floats(0, 20 * 86400)


def local(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=CHINA).timestamp()


@pytest.fixture
def handled(desk, clock):
    """A ticket that is being handled since one o'clock; due after 24 hours."""
    ticket_id = desk.file(incident()).ticket_id
    clock.move_to(NOON + HOUR)
    desk.move(ticket_id, "accept", by="a")
    return desk.move(ticket_id, "handle", by="a")


def test_what_was_left_is_left_when_it_is_resumed(desk, clock, handled):
    clock.move_to(NOON + 2 * HOUR)
    suspended = desk.move(handled.ticket_id, "suspend", by="a", note="waits for a part")
    assert suspended.suspended_at == NOON + 2 * HOUR
    clock.move_to(NOON + 52 * HOUR)
    resumed = desk.move(handled.ticket_id, "resume", by="b")
    assert resumed.suspended_at is None
    assert resumed.handle_due_at == handled.handle_due_at + 50 * HOUR


def test_what_was_overdue_stays_overdue(desk, clock, handled):
    clock.move_to(NOON + 30 * HOUR)
    desk.move(handled.ticket_id, "suspend", by="a")
    clock.move_to(NOON + 90 * HOUR)
    assert desk.move(handled.ticket_id, "resume", by="a").handle_due_at == handled.handle_due_at


def test_the_next_message_tells_the_new_limit(desk, clock, handled):
    desk.move(handled.ticket_id, "suspend", by="a")
    clock.move_to(NOON + 11 * HOUR)
    resumed = desk.move(handled.ticket_id, "resume", by="a")
    desk.move(handled.ticket_id, "escalate", by="a")
    (message,) = desk.read_queue(desk.town.grids.top.code)
    assert message.handle_due_at.timestamp() == pytest.approx(resumed.handle_due_at, abs=1e-5)


def test_the_same_command_again_pauses_nothing_twice(desk, clock, handled):
    desk.move(handled.ticket_id, "suspend", by="a")
    clock.move_to(NOON + 11 * HOUR)
    first = desk.move(handled.ticket_id, "resume", by="a", command_id="once")
    clock.move_to(NOON + 21 * HOUR)
    assert desk.move(handled.ticket_id, "resume", by="a", command_id="once") == first


def test_of_many_who_resume_it_at_once_one_does(desk, clock, handled):
    desk.move(handled.ticket_id, "suspend", by="a")
    clock.move_to(NOON + 11 * HOUR)
    refused = []

    def resume():
        try:
            desk.move(handled.ticket_id, "resume", by="a")
        except Exception as error:  # noqa: BLE001 - looked at below
            refused.append(str(error))

    threads = [threading.Thread(target=resume) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 7
    assert all("can't take resume" in one for one in refused)
    assert desk.ticket(handled.ticket_id).handle_due_at == handled.handle_due_at + 10 * HOUR


def test_a_collapse_found_while_it_was_suspended_keeps_its_shorter_limit(desk, clock):
    pothole = desk.file(incident(1, hazard="road_damage")).ticket_id
    desk.move(pothole, "accept", by="a")
    desk.move(pothole, "suspend", by="a")
    clock.move_to(NOON + HOUR)
    desk.file(incident(2, camera="cam-2", at=NOON + HOUR))
    due = desk.ticket(pothole).handle_due_at
    clock.move_to(NOON + 3 * HOUR)
    assert desk.move(pothole, "resume", by="a").handle_due_at > due


def test_working_time_is_left_as_it_was():
    paused = local("2026-11-23 10:00")  # a Monday
    due = due_at(paused, Limit(4, "wh"), DAYS)
    resumed = local("2026-11-27 17:00")  # Friday: one hour is left of the week
    new = due_after_pause(due, paused, resumed, DAYS, working=True)
    assert new == local("2026-11-30 11:30")


@given(times, st.integers(1, 100), spans, spans)
def test_a_pause_takes_nothing_and_gives_nothing(start, hours, before, pause):
    due = due_at(start, Limit(hours, "wh"), DAYS)
    paused = min(start + before, due)
    new = due_after_pause(due, paused, paused + pause, DAYS, working=True)
    left = worked_s(paused, due, DAYS)
    assert worked_s(paused + pause, new, DAYS) == pytest.approx(left, abs=1e-2)
    assert new >= due - 1e-2
    wall = due_after_pause(due, paused, paused + pause, DAYS, working=False)
    assert wall - (paused + pause) == pytest.approx(due - paused, abs=1e-2) or due <= paused


@given(times, spans, spans)
def test_working_time_adds_up(start, first, second):
    middle, end = start + first, start + first + second
    whole = worked_s(start, end, DAYS)
    parts = worked_s(start, middle, DAYS) + worked_s(middle, end, DAYS)
    assert whole == pytest.approx(parts, abs=1e-2)
    assert 0 <= whole <= end - start + 1e-6
