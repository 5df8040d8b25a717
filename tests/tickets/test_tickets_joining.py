"""Tickets that are one case are merged; incidents that are another case are split off."""

from __future__ import annotations

import pytest
from ticket_town import EAST, HOUR, NOON, TOWN, WEST, everything, incident

from pipeline.errors import DeskError, ForeignGridError, StaleTicketError
from pipeline.tickets import EvidenceRef

A, B = incident(1, east_m=300), incident(2, east_m=400, camera="cam-2")


@pytest.fixture
def two(desk):
    """Two holes 100 m apart: two tickets."""
    pictures = [EvidenceRef(f"{n}.jpg", f"{n}p.jpg") for n in "ab"]
    return tuple(
        desk.file(one, picture).ticket_id for one, picture in zip((A, B), pictures, strict=True)
    )


def test_a_merged_ticket_hands_everything_over_and_its_number_leads_to_the_other(desk, two):
    one, other = two
    carries_on = desk.merge(one, other, by="镇", note="同一处")
    assert carries_on.ticket_id == other
    assert carries_on.count == 2
    assert list(carries_on.incidents) in ([A, B], [B, A])
    assert len(carries_on.evidence) == 2
    gone = desk.ticket(one)
    assert (gone.state, gone.merged_into, gone.count, gone.incidents) == ("merged", other, 0, ())
    assert not gone.open
    assert desk.carries_on(one) == carries_on
    assert desk.ticket_of(A.incident_id) == carries_on
    assert gone.steps[-1].action == "merge"
    assert (gone.steps[-1].note, gone.steps[-1].facts) == ("同一处", {"into": other})
    assert carries_on.steps[-1].action == "take_in"
    assert carries_on.steps[-1].facts == {"from": one}
    assert [message.ticket_id for message in desk.read_queue(EAST)] == [other]
    assert desk.waiting() == {EAST: 1}


def test_what_was_merged_rings_no_more_and_finds_no_new_incidents(desk, clock, two):
    one, other = two
    desk.merge(one, other, by="镇")
    assert desk.file(incident(3, east_m=300, camera="cam-3")).ticket_id != one
    clock.move_to(NOON + 2 * HOUR)
    assert one not in {alarm.ticket_id for alarm in desk.tick()}


def test_later_news_reaches_the_ticket_that_carries_on(desk, two):
    desk.merge(*two, by="镇")
    assert desk.update(A) == two[1]
    assert desk.file(A).ticket_id == two[1]


def test_a_chain_of_merges_leads_to_its_end(desk, two):
    third = desk.file(incident(3, east_m=500)).ticket_id
    desk.merge(*two, by="镇")
    desk.merge(two[1], third, by="镇")
    assert desk.carries_on(two[0]).ticket_id == third
    assert desk.ticket(third).count == 3


def test_merging_a_graver_case_shortens_the_limits_and_tells_the_owner(desk, clock):
    pothole = desk.file(incident(1, hazard="road_damage", radius_m=9)).ticket_id
    clock.move_to(NOON + 100)
    collapse = desk.file(incident(2, east_m=400, radius_m=2, severity="emergency")).ticket_id
    graver = desk.ticket(collapse)
    ticket = desk.merge(collapse, pothole, by="镇")
    assert (ticket.hazard, ticket.event_code, ticket.severity) == (
        "road_collapse",
        "04-01",
        "emergency",
    )
    assert ticket.handle_due_at == graver.handle_due_at
    assert ticket.place == graver.place
    (message,) = desk.read_queue(EAST)
    assert (message.ticket_id, message.hazard, message.count) == (pothole, "road_collapse", 2)
    assert [step.action for step in ticket.steps[-2:]] == ["take_in", "regrade"]
    clock.move_to(graver.handle_due_at)
    rang = {alarm.name for alarm in desk.tick() if alarm.ticket_id == pothole}
    assert rang == {"accept_80", "accept_100", "handle_80", "handle_100"}


def test_merging_a_lesser_case_lengthens_nothing(desk):
    collapse = desk.file(incident(2, radius_m=9)).ticket_id
    before = desk.ticket(collapse)
    pothole = desk.file(incident(1, east_m=400, hazard="road_damage", radius_m=9)).ticket_id
    ticket = desk.merge(pothole, collapse, by="镇")
    assert (ticket.hazard, ticket.handle_due_at) == ("road_collapse", before.handle_due_at)
    assert ticket.place == before.place


def test_what_is_merged_by_a_command_sent_twice_is_merged_once(desk, two):
    first = desk.merge(*two, by="镇", command_id="m")
    assert desk.merge(*two, by="镇", command_id="m") == first


def test_merging_is_refused_whole(desk, redis, clock, two):
    one, other = two
    crowd = desk.file(incident(5, hazard="crowd", east_m=300)).ticket_id
    far = desk.file(incident(6, east_m=-400)).ticket_id
    desk.move(far, "accept", by="西")
    stands = desk.file(incident(7, east_m=700)).ticket_id
    for action in ("accept", "suspend"):
        desk.move(stands, action, by="东")
    done = desk.file(incident(8, east_m=900)).ticket_id
    for action in ("accept", "feed_back", "close"):
        desk.move(done, action, by="东")
    before = everything(redis, desk)
    cases = [
        (DeskError, "into itself", (one, one), {}),
        (DeskError, "different duties", (one, crowd), {}),
        (DeskError, "suspended can't take merge", (stands, other), {}),
        (DeskError, "suspended can't take take_in", (one, stands), {}),
        (DeskError, "closed can't take take_in", (one, done), {}),
        (DeskError, "closed can't take merge", (done, one), {}),
        (StaleTicketError, one, (one, other), {"expected": 1}),
        (StaleTicketError, other, (one, other), {"expected_into": 1}),
        (ForeignGridError, WEST, (one, far), {"grids": [EAST]}),
        (ForeignGridError, WEST, (far, one), {"grids": [EAST]}),
    ]
    for error, words, pair, said in cases:
        with pytest.raises(error, match=words):
            desk.merge(*pair, by="x", **said)
    assert everything(redis, desk) == before


def test_a_merged_ticket_takes_no_further_step_and_says_where_to_look(desk, two):
    desk.merge(*two, by="镇")
    with pytest.raises(DeskError, match=f"merged can't take accept.*see {two[1]}"):
        desk.move(two[0], "accept", by="x")


@pytest.fixture
def mixed(desk, clock):
    """A pothole and, a step beside it, a collapse that came later: one ticket."""
    pothole = incident(1, hazard="road_damage", radius_m=9, severity="notice")
    ticket_id = desk.file(pothole, EvidenceRef("p.jpg", "pp.jpg")).ticket_id
    clock.move_to(NOON + 100)
    hole = incident(2, east_m=304, radius_m=2, camera="cam-2", at=NOON + 99, severity="emergency")
    desk.file(hole, EvidenceRef("h.jpg", "hp.jpg"))
    return desk.ticket(ticket_id), pothole, hole


def test_what_is_split_off_is_a_ticket_of_its_own_filed_now(desk, clock, mixed):
    ticket, _, hole = mixed
    clock.move_to(NOON + HOUR)
    new = desk.split(ticket.ticket_id, [hole.incident_id], by="镇", note="两处")
    assert new.ticket_id != ticket.ticket_id
    assert (new.hazard, new.severity, new.place) == ("road_collapse", "emergency", hole.place)
    assert (new.state, new.count, new.incidents) == ("dispatched", 1, (hole,))
    assert new.detected_at == hole.confirmed_at
    assert new.filed_at == NOON + HOUR
    assert new.accept_due_at == NOON + 2 * HOUR
    assert new.evidence == (EvidenceRef("h.jpg", "hp.jpg"),)
    assert (new.steps[0].by, new.steps[0].note) == ("镇", "两处")
    assert new.steps[0].facts["from"] == ticket.ticket_id
    assert desk.ticket_of(hole.incident_id) == new


def test_what_is_left_is_told_as_it_is_without_it_but_keeps_its_limits(desk, mixed):
    ticket, pothole, hole = mixed
    new = desk.split(ticket.ticket_id, [hole.incident_id], by="镇")
    left = desk.ticket(ticket.ticket_id)
    assert (left.hazard, left.severity, left.place) == ("road_damage", "notice", pothole.place)
    assert (left.count, left.incidents) == (1, (pothole,))
    assert left.handle_due_at == ticket.handle_due_at
    assert left.steps[-1].action == "split"
    assert left.steps[-1].facts == {"into": new.ticket_id, "incidents": hole.incident_id}
    messages = {message.ticket_id: message for message in desk.read_queue(EAST)}
    assert set(messages) == {left.ticket_id, new.ticket_id}
    old = messages[left.ticket_id]
    assert (old.hazard, old.incident_id, old.count) == ("road_damage", pothole.incident_id, 1)
    assert old.evidence.plain == "pp.jpg"
    assert messages[new.ticket_id].evidence.plain == "hp.jpg"


def test_a_split_sent_twice_makes_one_ticket(desk, mixed):
    ticket, _, hole = mixed
    made = {
        desk.split(ticket.ticket_id, [hole.incident_id], by="镇", command_id="s").ticket_id
        for _ in range(3)
    }
    assert len(made) == 1
    assert len(desk.tickets()) == 2


def test_splitting_off_nothing_all_or_what_is_elsewhere_is_refused_whole(desk, redis, mixed):
    ticket, pothole, hole = mixed
    before = everything(redis, desk)
    cases = [
        (DeskError, "0 were named", [], {}),
        (DeskError, "not all", [pothole.incident_id, hole.incident_id], {}),
        (DeskError, "no incident or report elsewhere", [hole.incident_id, "elsewhere"], {}),
        (StaleTicketError, "has changed", [hole.incident_id], {"expected": 1}),
        (ForeignGridError, EAST, [hole.incident_id], {"grids": [WEST]}),
    ]
    for error, words, names, said in cases:
        with pytest.raises(error, match=words):
            desk.split(ticket.ticket_id, names, by="x", **said)
    for action in ("accept", "feed_back", "close"):
        desk.move(ticket.ticket_id, action, by="x")
    with pytest.raises(DeskError, match="closed can't take split"):
        desk.split(ticket.ticket_id, [hole.incident_id], by="x")
    assert len(before) > 0
    assert len(desk.tickets()) == 1


def test_what_is_under_review_by_duty_is_looked_at_when_it_is_split_off(desk):
    first = incident(1, hazard="crowd")
    ticket_id = desk.file(first).ticket_id
    second = incident(2, hazard="crowd", east_m=330)
    assert desk.file(second).ticket_id == ticket_id
    assert desk.split(ticket_id, [second.incident_id], by="镇").state == "filed"
    assert desk.waiting() == {TOWN: 2}
