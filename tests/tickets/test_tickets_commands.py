"""Commands of people: decided on a version, given once, on behalf of a grid, or refused whole."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from ticket_town import EAST, HOUR, NOON, TOWN, WEST, everything, incident

from pipeline.errors import (
    DeskError,
    ForeignGridError,
    StaleTicketError,
    UnknownGridError,
    UnknownTicketError,
)
from pipeline.town.place import Place


@pytest.fixture
def filed(desk):
    return desk.ticket(desk.file(incident()).ticket_id)


def test_every_change_raises_the_version_and_each_step_says_which_it_made(desk, filed):
    desk.file(incident(2, camera="cam-2", severity="emergency"))
    ticket = desk.move(filed.ticket_id, "accept", by="a")
    assert filed.version < ticket.version
    versions = [step.version for step in ticket.steps]
    assert versions == sorted(set(versions))
    assert versions[-1] == ticket.version


def test_that_a_hazard_is_still_seen_is_no_change_to_decide_on(desk, filed):
    desk.update(replace(filed.incidents[0], last_seen_at=NOON + 60))
    assert desk.ticket(filed.ticket_id).version == filed.version
    desk.update(replace(filed.incidents[0], last_seen_at=NOON + 70, severity="emergency"))
    assert desk.ticket(filed.ticket_id).version > filed.version


def test_what_waits_in_the_queue_tells_its_version(desk, filed):
    (message,) = desk.read_queue(EAST)
    assert message.version == filed.version == 2


def test_a_command_from_a_stale_screen_is_refused_and_says_who_was_faster(desk, redis, filed):
    desk.move(filed.ticket_id, "accept", by="李四")
    before = everything(redis, desk)
    with pytest.raises(StaleTicketError, match=r"is accepted by now.*by 李四") as caught:
        desk.move(filed.ticket_id, "escalate", by="王五", expected=filed.version)
    assert caught.value.version == filed.version + 1
    assert caught.value.steps[-1].by == "李四"
    assert everything(redis, desk) == before


def test_of_many_who_saw_the_same_version_one_gets_through(desk, filed):
    outcomes = []

    def accept():
        try:
            desk.move(filed.ticket_id, "accept", by="x", expected=filed.version)
            outcomes.append("done")
        except StaleTicketError:
            outcomes.append("stale")

    threads = [threading.Thread(target=accept) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done"] + 7 * ["stale"]


def test_a_command_sent_again_is_answered_even_when_its_version_is_stale_by_itself(desk, filed):
    said = {"by": "李四", "command_id": "c1", "expected": filed.version}
    first = desk.move(filed.ticket_id, "accept", **said)
    assert desk.move(filed.ticket_id, "accept", **said) == first


def test_somebody_else_s_grid_may_not_touch_it(desk, redis, filed):
    before = everything(redis, desk)
    with pytest.raises(ForeignGridError, match=EAST):
        desk.move(filed.ticket_id, "accept", by="西", grids=[WEST])
    with pytest.raises(UnknownGridError):
        desk.move(filed.ticket_id, "accept", by="西", grids=["nowhere"])
    assert everything(redis, desk) == before
    assert desk.move(filed.ticket_id, "accept", by="东", grids=[WEST, EAST]).state == "accepted"


def test_what_was_passed_up_is_the_first_level_s_until_it_comes_down_again(desk, filed):
    desk.move(filed.ticket_id, "escalate", by="东", grids=[EAST])
    with pytest.raises(ForeignGridError, match=TOWN):
        desk.move(filed.ticket_id, "accept", by="东", grids=[EAST])
    desk.move(filed.ticket_id, "dispatch", by="镇", grids=[TOWN])
    assert desk.move(filed.ticket_id, "accept", by="东", grids=[EAST]).state == "accepted"


def test_what_was_returned_waits_at_the_first_level(desk, filed):
    desk.move(filed.ticket_id, "return", by="东", note="不属本网格")
    assert desk.waiting() == {TOWN: 1}
    (message,) = desk.read_queue(TOWN)
    assert (message.state, message.ticket_id) == ("returned", filed.ticket_id)


def test_each_step_tells_the_limit_that_runs_from_then_on(desk, clock, filed):
    for action in ("accept", "suspend"):
        desk.move(filed.ticket_id, action, by="a")
    clock.move_to(NOON + HOUR)
    for action in ("resume", "feed_back", "close"):
        ticket = desk.move(filed.ticket_id, action, by="a", note="好了")
    limits = [(step.action, step.due_at) for step in ticket.steps]
    late = filed.handle_due_at + HOUR - 1
    assert limits == [
        ("file", filed.accept_due_at),
        ("dispatch", filed.accept_due_at),
        ("accept", filed.handle_due_at),
        ("suspend", None),
        ("resume", late),
        ("feed_back", late),
        ("close", None),
    ]


def test_a_person_who_opens_a_closed_ticket_again_starts_new_clocks(desk, clock, redis, filed):
    for action in ("accept", "feed_back", "close"):
        desk.move(filed.ticket_id, action, by="a")
    clock.move_to(NOON + 90 * HOUR)
    ticket = desk.move(filed.ticket_id, "reopen", by="镇", note="又塌了")
    assert (ticket.state, ticket.closed_at) == ("dispatched", None)
    assert ticket.accept_due_at == NOON + 91 * HOUR
    assert [step.action for step in ticket.steps[-2:]] == ["reopen", "dispatch"]
    (message,) = desk.read_queue(EAST)
    assert message.accept_due_at.timestamp() == ticket.accept_due_at
    clock.move_to(NOON + 91 * HOUR)
    assert [alarm.name for alarm in desk.tick()] == ["accept_80", "accept_100"]
    assert not desk.file(incident(3, at=NOON + 91 * HOUR)).created  # it is found by its place again


@pytest.mark.parametrize("note", ["", "  \n"])
def test_nothing_is_rejected_without_a_reason(desk, redis, note):
    ticket_id = desk.file(incident(hazard="crowd")).ticket_id
    before = everything(redis, desk)
    with pytest.raises(DeskError, match="reject needs a reason"):
        desk.move(ticket_id, "reject", by="镇", note=note)
    assert everything(redis, desk) == before
    assert desk.move(ticket_id, "reject", by="镇", note="庙会").state == "rejected"


@pytest.mark.parametrize(
    "said, words",
    [
        ({"by": " "}, "by is empty"),
        ({"by": "a", "note": "x" * 2001}, "2001 letters"),
        ({"by": "a\x1b[31m"}, "can't be printed"),
        ({"by": "a", "note": "\x00"}, "can't be printed"),
        ({"by": "a", "command_id": "c" * 201}, "201 letters"),
    ],
)
def test_words_that_can_t_be_kept_are_refused(desk, redis, filed, said, words):
    before = everything(redis, desk)
    with pytest.raises(DeskError, match=words):
        desk.move(filed.ticket_id, "accept", **said)
    assert everything(redis, desk) == before


@pytest.mark.parametrize("name", ["YL1:steps", "", "x" * 200, "YL20260101-000001", "../x", "案"])
def test_what_is_no_ticket_is_refused_by_every_command(desk, redis, filed, name):
    before = everything(redis, desk)
    calls = [
        lambda: desk.ticket(name),
        lambda: desk.carries_on(name),
        lambda: desk.move(name, "accept", by="a"),
        lambda: desk.move(name, "resume", by="a"),
        lambda: desk.merge(name, filed.ticket_id, by="a"),
        lambda: desk.merge(filed.ticket_id, name, by="a"),
        lambda: desk.split(name, ["x"], by="a"),
        lambda: desk.reroute(name, WEST, by="a"),
    ]
    for call in calls:
        with pytest.raises(UnknownTicketError, match="there is no ticket"):
            call()
    assert everything(redis, desk) == before


@pytest.mark.parametrize("action", ["merge", "take_in", "split", "reroute", "file"])
def test_a_step_that_needs_more_than_a_ticket_is_no_plain_move(desk, filed, action):
    with pytest.raises(DeskError, match="command of its own"):
        desk.move(filed.ticket_id, action, by="a")


@pytest.mark.parametrize(
    "place",
    [
        Place(1e9, 34.7, 3, "pose"),
        Place(113.4, 89.9, 3, "pose"),
        Place(113.4, -1e300, 3, "pose"),
        Place(float("nan"), 34.7, 3, "pose"),
        Place(113.4, float("inf"), 3, "pose"),
        Place(113.4, 34.7, float("inf"), "pose"),
        Place(113.4, 34.7, float("nan"), "pose"),
        Place(113.4, 34.7, -1, "pose"),
    ],
    ids=str,
)
def test_huge_and_impossible_places_are_refused_with_nothing_half_done(desk, redis, filed, place):
    before = everything(redis, desk)
    found = incident(7, place=place)
    for call in (desk.file, desk.update):
        with pytest.raises(DeskError, match=found.incident_id):
            call(found)
    assert everything(redis, desk) == before
