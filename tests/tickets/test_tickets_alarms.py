"""Reminders and limits that are used up: each rings once, and the ticket goes up."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ticket_town import NOON, incident

from pipeline.errors import DeskError
from pipeline.tickets.alarms import times_of
from pipeline.tickets.transitions import TRANSITIONS
from pipeline.town.duties import Limit
from pipeline.town.holidays import Holidays

if TYPE_CHECKING:
    from redis import Redis

    from pipeline.clock import ManualClock
    from pipeline.tickets import Desk

HOUR = 3600.0
EAST, TOP = "410182102001002", "410182"
FILED = NOON + 1


@pytest.fixture
def filed(desk):
    """A collapse that waits to be accepted within an hour and handled within a day."""
    return desk.file(incident()).ticket_id


def rung(desk, clock, until, step=600.0):
    """What rings up to then, looked at every ten minutes."""
    found = []
    while clock.now() < until:
        clock.move_to(min(until, clock.now() + step))
        found += [(alarm.name, alarm.escalated) for alarm in desk.tick()]
    return found


def test_nobody_accepts_it_so_it_is_reminded_and_goes_up_to_the_first_level(desk, clock, filed):
    assert rung(desk, clock, FILED + 0.79 * HOUR) == []
    assert rung(desk, clock, FILED + 0.99 * HOUR) == [("accept_80", False)]
    assert rung(desk, clock, FILED + 1.01 * HOUR) == [("accept_100", True)]
    ticket = desk.ticket(filed)
    assert ticket.state == "escalated"
    assert [step.action for step in ticket.steps][2:] == ["remind", "overdue", "escalate"]
    assert {step.by for step in ticket.steps[2:]} == {"desk"}
    assert ticket.steps[2].facts == {"limit": "accept", "used_percent": "80"}
    assert desk.read_queue(EAST) == []
    (message,) = desk.read_queue(desk.town.grids.top.code)
    assert (message.ticket_id, message.state) == (filed, "escalated")


def test_what_is_accepted_in_time_rings_only_for_its_handling(desk, clock, filed):
    desk.move(filed, "accept", by="a")
    assert rung(desk, clock, FILED + 19 * HOUR) == []
    assert rung(desk, clock, FILED + 20 * HOUR) == [("handle_80", False)]
    assert rung(desk, clock, FILED + 25 * HOUR) == [("handle_100", True)]
    assert desk.ticket(filed).state == "escalated"
    assert rung(desk, clock, FILED + 90 * HOUR) == []


def test_what_waits_to_be_verified_is_noted_as_late_but_stays_where_it_is(desk, clock, filed):
    desk.move(filed, "accept", by="a")
    desk.move(filed, "feed_back", by="a")
    assert rung(desk, clock, FILED + 25 * HOUR) == [("handle_80", False), ("handle_100", False)]
    assert desk.ticket(filed).state == "fed_back"


@pytest.mark.parametrize("end", ["close", "reject"])
def test_what_is_done_rings_no_more(desk, clock, end):
    ticket_id = desk.file(incident(hazard="crowd")).ticket_id  # looked at by a person first
    if end == "reject":
        desk.move(ticket_id, "reject", by="a", note="none")
    else:
        for action in ("dispatch", "accept", "feed_back", "close"):
            desk.move(ticket_id, action, by="a")
    assert rung(desk, clock, FILED + 400 * HOUR, HOUR) == []


def test_while_it_is_suspended_nothing_rings_and_later_as_much_later(desk, clock, filed):
    desk.move(filed, "accept", by="a")
    clock.move_to(FILED + 10 * HOUR)
    desk.move(filed, "suspend", by="a")
    assert rung(desk, clock, FILED + 110 * HOUR, HOUR) == []
    desk.move(filed, "resume", by="a")
    assert rung(desk, clock, FILED + 119 * HOUR) == []
    assert rung(desk, clock, FILED + 120 * HOUR) == [("handle_80", False)]
    assert rung(desk, clock, FILED + 125 * HOUR) == [("handle_100", True)]


def test_what_rang_before_it_was_suspended_does_not_ring_again(desk, clock, filed):
    desk.move(filed, "accept", by="a")
    assert rung(desk, clock, FILED + 20 * HOUR) == [("handle_80", False)]
    desk.move(filed, "suspend", by="a")
    clock.move_to(FILED + 50 * HOUR)
    desk.move(filed, "resume", by="a")
    assert rung(desk, clock, FILED + 60 * HOUR) == [("handle_100", True)]


def test_a_pothole_that_becomes_a_collapse_rings_by_the_collapse_s_limits(desk, clock):
    pothole = desk.file(incident(1, hazard="road_damage")).ticket_id
    desk.move(pothole, "accept", by="a")
    desk.file(incident(2, camera="cam-2"))
    due = desk.ticket(pothole).handle_due_at
    assert rung(desk, clock, due + 1) == [("handle_80", False), ("handle_100", True)]


def test_a_ticket_that_is_opened_again_has_its_alarms_again(desk, clock, filed):
    for action in ("accept", "feed_back", "close"):
        desk.move(filed, action, by="a")
    clock.move_to(FILED + 300)
    back = incident(2, at=FILED + 290)
    assert desk.file(back).ticket_id == filed
    assert rung(desk, clock, FILED + 300 + HOUR) == [("accept_80", False), ("accept_100", True)]


def test_at_the_end_of_working_time_four_fifths_are_of_working_time(desk):
    duty = desk.town.duties.of("road_damage")
    one = type(duty)(
        **{name: getattr(duty, name) for name in duty.__slots__} | {"handle_limit": Limit(10, "wh")}
    )
    times = times_of(NOON, one, Holidays())  # Monday: 4 h are left, then 3.5 before lunch
    assert times["handle_80"] == NOON + 26.5 * HOUR  # Tuesday 14:30
    assert times["handle_100"] > times["handle_80"]


def test_many_alarms_ring_in_one_call(desk, clock):
    tickets = {desk.file(incident(n, east_m=-900 + 40 * n)).ticket_id for n in range(45)}
    clock.move_to(FILED + 48 * HOUR)
    alarms = desk.tick()
    assert {alarm.ticket_id for alarm in alarms} == tickets
    assert len(alarms) == len(set(alarms))
    assert desk.tick() == []


actions = st.sampled_from(sorted({action for _, action in TRANSITIONS} - {"file", "reopen"}))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.tuples(actions, st.floats(0, 15 * HOUR)), max_size=12))
def test_whatever_happens_each_alarm_rings_at_most_once_and_never_early(
    desk: Desk, clock: ManualClock, redis: Redis, history
):
    redis.flushdb()
    clock.move_to(FILED)
    ticket_id = desk.file(incident()).ticket_id
    rang = []
    for action, passes_s in history:
        with suppress(DeskError):  # not from this state
            desk.move(ticket_id, action, by="a")
        clock.move_to(clock.now() + passes_s)
        ticket = desk.ticket(ticket_id)
        for alarm in desk.tick():
            rang.append(alarm.name)
            due = {"accept": ticket.accept_due_at, "handle": ticket.handle_due_at}[alarm.name[:6]]
            assert ticket.state != "suspended"
            assert ticket.open
            if alarm.name.endswith("100"):
                assert clock.now() >= due
            elif alarm.name == "handle_80":
                assert clock.now() >= ticket.remind_at
    assert len(rang) == len(set(rang))
