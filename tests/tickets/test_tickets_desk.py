from __future__ import annotations

import multiprocessing
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from ticket_town import NOON, file_often, incident

from pipeline.errors import DeskError, UnknownGridError, UnknownTicketError
from pipeline.tickets import EvidenceRef

if TYPE_CHECKING:
    from redis import Redis

    from pipeline.clock import ManualClock
    from pipeline.tickets import Desk

WEST, EAST, TOWN = "410182102001001", "410182102001002", "410182102"


def test_an_incident_becomes_a_ticket_in_the_queue_of_the_grid_it_lies_in(desk: Desk):
    filing = desk.file(incident(east_m=-300))
    assert (filing.created, filing.merged, filing.duplicate) == (True, False, False)
    (message,) = desk.read_queue(WEST)
    assert message.ticket_id == filing.ticket_id
    assert (message.grid.code, message.hazard, message.state) == (
        WEST,
        "road_collapse",
        "dispatched",
    )
    assert desk.read_queue(EAST) == []
    assert desk.waiting() == {WEST: 1}


def test_a_ticket_carries_what_the_duty_and_the_town_say(desk: Desk):
    ticket = desk.ticket(desk.file(incident()).ticket_id)
    assert re.fullmatch(r"YL20261123-\d{6}", ticket.ticket_id)
    assert (ticket.event_code, ticket.name_zh) == ("04-01", "路面塌陷")
    assert ticket.address == "豫龙镇东村二网格"
    assert ticket.accept_due_at == NOON + 1 + 3600
    assert ticket.handle_due_at == NOON + 1 + 24 * 3600
    assert [step.action for step in ticket.steps] == ["file", "dispatch"]
    assert ticket.incidents == (incident(),)
    assert ticket.open


def test_the_same_incident_again_changes_nothing(desk: Desk, clock: ManualClock):
    first = desk.file(incident())
    before = desk.ticket(first.ticket_id)
    clock.move_to(NOON + 100)
    again = desk.file(incident(), EvidenceRef("late.jpg", "late.jpg"))
    assert (again.ticket_id, again.duplicate) == (first.ticket_id, True)
    assert desk.ticket(first.ticket_id) == before


def test_two_cameras_that_see_one_hole_make_one_ticket(desk: Desk):
    first = desk.file(incident(1, camera="cam-1", radius_m=9), EvidenceRef("a.jpg", "b.jpg"))
    better = incident(2, camera="cam-2", east_m=306, radius_m=2, severity="emergency", at=NOON + 5)
    second = desk.file(better, EvidenceRef("c.jpg", "d.jpg"))
    assert second.ticket_id == first.ticket_id
    assert second.merged
    ticket = desk.ticket(first.ticket_id)
    assert (ticket.count, ticket.camera_ids) == (2, ("cam-1", "cam-2"))
    assert ticket.place == better.place
    assert ticket.severity == "emergency"
    assert [picture.plain for picture in ticket.evidence] == ["b.jpg", "d.jpg"]
    assert len(desk.read_queue(EAST)) == 1


def test_a_worse_place_does_not_replace_a_better_one(desk: Desk):
    good = incident(1, radius_m=2)
    filing = desk.file(good)
    desk.file(incident(2, east_m=310, radius_m=8))
    assert desk.ticket(filing.ticket_id).place == good.place


def test_a_hole_that_turns_out_to_be_a_collapse_gets_the_collapse_s_limits(desk: Desk):
    filing = desk.file(incident(1, hazard="road_damage"))
    desk.file(incident(2, hazard="road_collapse", camera="cam-2"))
    ticket = desk.ticket(filing.ticket_id)
    assert (ticket.hazard, ticket.event_code) == ("road_collapse", "04-01")
    assert ticket.handle_due_at == NOON + 1 + 24 * 3600
    assert [step.action for step in ticket.steps][2:] == ["add_incident", "regrade"]


def test_a_collapse_is_not_hidden_behind_the_entry_of_a_pothole(desk: Desk, redis: Redis):
    pothole = incident(1, hazard="road_damage", severity="notice", radius_m=9)
    filing = desk.file(pothole, EvidenceRef("a.jpg", "b.jpg"))
    collapse = incident(2, camera="cam-2", severity="emergency", at=NOON + 5)
    desk.file(collapse, EvidenceRef("c.jpg", "d.jpg"))
    (message,) = desk.read_queue(EAST)
    assert (message.ticket_id, message.count) == (filing.ticket_id, 2)
    assert (message.hazard, message.event_code, message.name_zh, message.severity) == (
        "road_collapse",
        "04-01",
        "路面塌陷",
        "emergency",
    )
    assert (message.incident_id, message.camera_id) == (collapse.incident_id, "cam-2")
    assert message.evidence.plain == "d.jpg"
    assert message.place.radius_m == 3
    assert message.handle_due_at.timestamp() == NOON + 1 + 24 * 3600
    assert (message.detected_at.timestamp(), message.grid.code) == (NOON, EAST)
    assert desk.waiting() == {EAST: 1}
    assert redis.xlen(f"{{{desk._keys.prefix}}}:queue:{EAST}") == 1


def test_whoever_took_a_pothole_on_is_told_of_the_collapse(desk: Desk, redis: Redis):
    desk.file(incident(1, hazard="road_damage"))
    queue = f"{{{desk._keys.prefix}}}:queue:{EAST}"
    ((_, [(entry, _)]),) = redis.xreadgroup("grid", "dispatcher", {queue: ">"})
    redis.xack(queue, "grid", entry)
    assert desk.read_queue(EAST) == []
    desk.file(incident(2, camera="cam-2"))
    ((_, entries),) = redis.xreadgroup("grid", "dispatcher", {queue: ">"})
    assert ["road_collapse" in fields["json"] for _, fields in entries] == [True]
    assert desk.waiting() == {EAST: 1}


def test_a_regraded_incident_filed_again_and_again_makes_no_further_entry(desk: Desk, redis: Redis):
    desk.file(incident(1, hazard="road_damage"))
    for _ in range(1000):
        desk.file(incident(2, camera="cam-2"))
    entry = redis.xrevrange(f"{{{desk._keys.prefix}}}:queue:{EAST}")
    assert len(entry) == 1
    assert len(desk.read_queue(EAST)) == 1


@pytest.mark.parametrize("graver_first", [True, False])
def test_what_is_passed_up_tells_the_case_as_it_has_become(desk: Desk, *, graver_first: bool):
    pothole = incident(1, hazard="road_damage", severity="notice", radius_m=9)
    filing = desk.file(pothole)
    moves = [
        lambda: desk.move(filing.ticket_id, "accept", by="李四"),
        lambda: desk.file(incident(2, severity="emergency", radius_m=2, east_m=304)),
    ]
    for move in reversed(moves) if graver_first else moves:
        move()
    desk.move(filing.ticket_id, "escalate", by="李四")
    assert desk.read_queue(EAST) == []
    (message,) = desk.read_queue(TOWN)
    ticket = desk.ticket(filing.ticket_id)
    assert (message.state, message.hazard, message.event_code, message.severity, message.count) == (
        "escalated",
        ticket.hazard,
        ticket.event_code,
        "emergency",
        2,
    )
    assert message.place.radius_m == ticket.place.radius_m == 2
    assert message.place.lon == ticket.place.lon
    assert message.handle_due_at.timestamp() == ticket.handle_due_at


def test_a_better_place_is_told_to_whoever_gets_the_case_next(desk: Desk, redis: Redis):
    filing = desk.file(incident(1, radius_m=9))
    before = redis.xrange(f"{{{desk._keys.prefix}}}:queue:{EAST}")
    better = incident(2, east_m=304, radius_m=2)
    desk.file(better)
    assert redis.xrange(f"{{{desk._keys.prefix}}}:queue:{EAST}") == before
    desk.move(filing.ticket_id, "escalate", by="李四")
    (message,) = desk.read_queue(TOWN)
    assert (message.place.lon, message.place.radius_m) == (better.place.lon, 2)
    assert message.incident_id == incident(1, radius_m=9).incident_id


def test_a_crash_is_not_left_under_what_was_filed_as_a_parked_car(desk: Desk):
    filing = desk.file(incident(1, hazard="blockage"))
    assert desk.ticket(filing.ticket_id).kind is None
    crash = incident(2, hazard="blockage", trail={"kind": "crash", "model": "street-n"})
    assert desk.file(crash).ticket_id == filing.ticket_id
    ticket = desk.ticket(filing.ticket_id)
    assert (ticket.kind, ticket.event_code, ticket.severity) == ("crash", "04-X1", "emergency")


def test_a_collapse_does_not_become_damage(desk: Desk):
    filing = desk.file(incident(1, hazard="road_collapse"))
    desk.file(incident(2, hazard="road_damage"))
    assert desk.ticket(filing.ticket_id).hazard == "road_collapse"


def test_different_hazards_at_one_place_are_different_tickets(desk: Desk):
    assert desk.file(incident(1)).created
    assert desk.file(incident(2, hazard="blockage")).created


def test_a_hopeless_place_does_not_swallow_the_district(desk: Desk):
    desk.file(incident(1, radius_m=5000))
    assert desk.file(incident(2, camera="cam-2", east_m=700, radius_m=5000)).created


def test_near_the_border_the_other_grid_is_named(desk: Desk):
    ticket = desk.ticket(desk.file(incident(east_m=2, radius_m=10)).ticket_id)
    assert (ticket.grid_code, ticket.near_grids) == (EAST, (WEST,))


def test_a_hazard_under_review_waits_at_the_first_level_until_it_is_dispatched(desk: Desk):
    filing = desk.file(incident(hazard="crowd"))
    (message,) = desk.read_queue(TOWN)
    assert (message.state, message.grid.code) == ("filed", EAST)
    assert desk.read_queue(EAST) == []
    desk.move(filing.ticket_id, "dispatch", by="command")
    assert desk.read_queue(TOWN) == []
    (message,) = desk.read_queue(EAST)
    assert (message.ticket_id, message.state) == (filing.ticket_id, "dispatched")
    assert desk.waiting() == {EAST: 1}


def test_an_accepted_ticket_no_longer_waits(desk: Desk):
    filing = desk.file(incident())
    ticket = desk.move(filing.ticket_id, "accept", by="李四", note="马上到")
    assert ticket.state == "accepted"
    assert desk.read_queue(EAST) == []
    assert desk.waiting() == {}
    assert (ticket.steps[-1].by, ticket.steps[-1].note) == ("李四", "马上到")


def test_a_command_sent_twice_is_carried_out_once(desk: Desk):
    filing = desk.file(incident())
    for _ in range(2):
        desk.move(filing.ticket_id, "accept", by="李四", command_id="c1")
    steps = desk.ticket(filing.ticket_id).steps
    assert [step.action for step in steps] == ["file", "dispatch", "accept"]


def test_what_the_table_does_not_know_is_refused_with_what_is_allowed(desk: Desk):
    filing = desk.file(incident())
    before = desk.ticket(filing.ticket_id)
    with pytest.raises(DeskError, match=r"is dispatched can't take close; allowed: accept"):
        desk.move(filing.ticket_id, "close", by="李四")
    assert desk.ticket(filing.ticket_id) == before


def test_a_ticket_that_is_passed_up_waits_at_the_first_level(desk: Desk):
    filing = desk.file(incident())
    desk.move(filing.ticket_id, "escalate", by="李四")
    assert [message.state for message in desk.read_queue(TOWN)] == ["escalated"]


def close(desk: Desk, ticket_id: str) -> None:
    for action in ("accept", "feed_back", "close"):
        desk.move(ticket_id, action, by="李四")  # type: ignore[arg-type]


def test_a_hazard_that_comes_back_soon_after_closing_opens_its_ticket_again(
    desk: Desk, clock: ManualClock
):
    filing = desk.file(incident(1))
    close(desk, filing.ticket_id)
    assert not desk.ticket(filing.ticket_id).open
    clock.move_to(NOON + 300)
    again = desk.file(incident(2, at=NOON + 300))
    assert (again.ticket_id, again.merged) == (filing.ticket_id, True)
    ticket = desk.ticket(filing.ticket_id)
    assert (ticket.state, ticket.count, ticket.closed_at) == ("dispatched", 2, None)
    assert ticket.accept_due_at == NOON + 300 + 3600
    (message,) = desk.read_queue(EAST)
    assert (message.ticket_id, message.count) == (filing.ticket_id, 2)
    assert [step.action for step in ticket.steps[-2:]] == ["reopen", "dispatch"]


def test_a_hazard_that_comes_back_later_is_a_new_case(desk: Desk, clock: ManualClock):
    filing = desk.file(incident(1))
    close(desk, filing.ticket_id)
    clock.move_to(NOON + 700)
    assert desk.file(incident(2, at=NOON + 700)).created


def test_what_was_seen_before_the_closing_and_arrives_late_opens_nothing(
    desk: Desk, clock: ManualClock
):
    clock.move_to(NOON + 60)
    filing = desk.file(incident(1))
    close(desk, filing.ticket_id)
    clock.move_to(NOON + 5000)
    assert desk.file(incident(2, camera="cam-2", at=NOON + 30)).merged
    assert desk.ticket(filing.ticket_id).state == "closed"


def test_a_false_alarm_is_not_filed_again_at_once(desk: Desk):
    filing = desk.file(incident(1, hazard="crowd"))
    desk.move(filing.ticket_id, "reject", by="command", note="市集")
    assert desk.file(incident(2, hazard="crowd", at=NOON + 60)).ticket_id == filing.ticket_id
    assert desk.ticket(filing.ticket_id).state == "rejected"
    assert desk.read_queue(TOWN) == []


def test_that_a_hazard_is_gone_is_a_step_but_closes_nothing(desk: Desk):
    found = incident()
    filing = desk.file(found)
    gone = replace(found, last_seen_at=NOON + 50, cleared_at=NOON + 90)
    for _ in range(2):
        assert desk.update(gone) == filing.ticket_id
    ticket = desk.ticket(filing.ticket_id)
    assert (ticket.state, ticket.cleared_at) == ("dispatched", NOON + 90)
    assert [step.action for step in ticket.steps] == ["file", "dispatch", "see_cleared"]


def test_an_incident_a_restart_left_behind_does_not_keep_the_case_from_being_clear(desk: Desk):
    left_behind = incident(1)
    again = incident(2, hazard="road_damage", at=NOON + 100)
    other = incident(3, camera="cam-2", at=NOON + 100)
    for found in (left_behind, again, other):
        ticket_id = desk.file(found).ticket_id
    desk.update(replace(again, cleared_at=NOON + 200))
    assert desk.ticket(ticket_id).cleared_at is None  # the other camera still sees it
    desk.update(replace(other, cleared_at=NOON + 190))
    assert desk.ticket(ticket_id).cleared_at == NOON + 200


def test_two_holes_that_one_camera_sees_side_by_side_must_both_be_gone(desk: Desk):
    one, other = incident(1), incident(2, east_m=303, at=NOON + 20)
    ticket_id = desk.file(one).ticket_id
    desk.file(other)
    desk.update(replace(one, last_seen_at=NOON + 180))
    desk.update(replace(other, cleared_at=NOON + 200))
    assert desk.ticket(ticket_id).cleared_at is None


def test_a_ticket_closed_while_the_camera_still_sees_the_hazard_is_opened_again_once(
    desk: Desk, clock: ManualClock
):
    found = incident()
    filing = desk.file(found, EvidenceRef("a.jpg", "b.jpg"))
    desk.file(incident(2, camera="cam-2"))
    close(desk, filing.ticket_id)  # at NOON + 1
    desk.update(replace(found, last_seen_at=NOON + 61))
    assert desk.ticket(filing.ticket_id).state == "closed"  # a minute's grace
    clock.move_to(NOON + 900)
    still_there = replace(found, last_seen_at=NOON + 890)
    for _ in range(3):
        assert desk.update(still_there) == filing.ticket_id
    ticket = desk.ticket(filing.ticket_id)
    assert (ticket.state, ticket.count, ticket.closed_at) == ("dispatched", 2, None)
    assert ticket.accept_due_at == NOON + 900 + 3600
    assert [step.action for step in ticket.steps[-3:]] == ["close", "reopen", "dispatch"]
    assert ticket.steps[-2].facts == {
        "incident_id": found.incident_id,
        "camera_id": "cam-1",
        "hazard": "road_collapse",
    }
    (message,) = desk.read_queue(EAST)
    assert (message.ticket_id, message.evidence.plain) == (filing.ticket_id, "b.jpg")
    assert desk.waiting() == {EAST: 1}
    close(desk, filing.ticket_id)
    desk.update(still_there)
    assert desk.ticket(filing.ticket_id).state == "closed"


def test_what_is_gone_by_the_time_its_news_arrives_opens_nothing(desk: Desk):
    found = incident()
    filing = desk.file(found)
    close(desk, filing.ticket_id)
    desk.update(replace(found, last_seen_at=NOON + 200, cleared_at=NOON + 230))
    assert desk.ticket(filing.ticket_id).state == "closed"


def test_a_rejected_ticket_is_not_opened_by_the_incident_that_was_rejected(desk: Desk):
    found = incident(hazard="crowd")
    filing = desk.file(found)
    desk.move(filing.ticket_id, "reject", by="command", note="市集")
    desk.update(replace(found, last_seen_at=NOON + 900))
    assert desk.ticket(filing.ticket_id).state == "rejected"
    assert desk.waiting() == {}


def test_a_case_opened_again_by_the_lesser_incident_gets_as_grave_as_before(desk: Desk):
    pothole, collapse = incident(1, hazard="road_damage"), incident(2, camera="cam-2")
    filing = desk.file(pothole)
    desk.file(collapse)
    close(desk, filing.ticket_id)
    for found in (pothole, collapse, pothole):
        desk.update(replace(found, last_seen_at=NOON + 300))
    assert desk.ticket(filing.ticket_id).hazard == "road_collapse"
    assert [message.hazard for message in desk.read_queue(EAST)] == ["road_collapse"]


def test_older_news_of_an_incident_does_not_replace_newer(desk: Desk):
    found = incident()
    filing = desk.file(found)
    gone = replace(found, last_seen_at=NOON + 50, cleared_at=NOON + 90)
    desk.update(gone)
    desk.update(replace(found, last_seen_at=NOON + 20))
    desk.update(replace(found, last_seen_at=NOON + 50))
    assert desk.ticket(filing.ticket_id).incidents == (gone,)


def test_news_of_an_incident_that_was_never_filed_is_refused(desk: Desk):
    with pytest.raises(UnknownTicketError, match="was never filed"):
        desk.update(incident())


def test_tickets_are_listed_newest_first_by_state_grid_and_hazard(desk: Desk, clock: ManualClock):
    filed = []
    for number in range(5):
        clock.move_to(NOON + number)
        east_m = -400 + 250 * number
        filed.append(desk.file(incident(number, hazard="blockage", east_m=east_m)).ticket_id)
    clock.move_to(NOON + 10)
    hole = desk.file(incident(9)).ticket_id
    desk.move(filed[0], "accept", by="李四")
    numbers = [ticket.ticket_id for ticket in desk.tickets()]
    assert numbers == [hole, *reversed(filed)]
    assert [t.ticket_id for t in desk.tickets(limit=2)] == [hole, filed[4]]
    assert [t.ticket_id for t in desk.tickets(state="accepted")] == [filed[0]]
    assert [t.ticket_id for t in desk.tickets(grid=WEST)] == [filed[1], filed[0]]
    assert [t.ticket_id for t in desk.tickets(grid=WEST, state="dispatched")] == [filed[1]]
    assert [t.ticket_id for t in desk.tickets(hazard="road_collapse")] == [hole]


def test_unknown_tickets_and_grids_are_named(desk: Desk):
    with pytest.raises(UnknownTicketError, match="YL20260101-000001"):
        desk.ticket("YL20260101-000001")
    with pytest.raises(UnknownTicketError, match="YL20260101-000001"):
        desk.move("YL20260101-000001", "accept", by="x")
    with pytest.raises(UnknownGridError, match="410182102001009"):
        desk.read_queue("410182102001009")
    with pytest.raises(UnknownGridError):
        desk.tickets(grid="nowhere")


def test_an_incident_with_impossible_values_is_refused_before_anything_is_written(
    desk: Desk, redis: Redis
):
    keys = redis.dbsize()
    for broken in (
        incident(score=1.5),
        incident(measures={"area_m2": float("nan")}),
        incident(trail={"rule": object()}),
    ):
        with pytest.raises(DeskError, match=broken.incident_id):
            desk.file(broken)
    assert redis.dbsize() == keys


def test_numbers_from_numpy_are_kept_exactly(desk: Desk):
    found = incident(score=np.float32(0.75), last_seen_at=np.float64(NOON + 1 / 3))
    ticket = desk.ticket(desk.file(found).ticket_id)
    assert ticket.incidents[0].last_seen_at == NOON + 1 / 3
    assert ticket.score == 0.75


def test_a_foreign_consumer_takes_and_acknowledges_without_us(desk: Desk, redis: Redis):
    for number in range(3):
        desk.file(incident(number, east_m=300 + 100 * number))
    queue = f"{{{desk._keys.prefix}}}:queue:{EAST}"
    ((_, entries),) = redis.xreadgroup("grid", "dispatcher", {queue: ">"}, count=2)
    assert len(desk.read_queue(EAST)) == 3  # taken, not yet acknowledged
    redis.xack(queue, "grid", entries[0][0])
    assert [m.incident_id for m in desk.read_queue(EAST)] == [
        incident(number, east_m=300 + 100 * number).incident_id for number in (1, 2)
    ]


def test_every_key_lies_in_one_slot_of_a_cluster(desk: Desk, redis: Redis):
    desk.file(incident())
    tag = f"{{{desk._keys.prefix}}}"
    keys = list(redis.scan_iter(f"*{desk._keys.prefix}*"))
    assert keys
    assert all(key.startswith(tag + ":") for key in keys)


def test_eight_processes_that_file_one_hole_a_thousand_times_make_one_ticket(
    desk: Desk, redis: Redis
):
    where = redis.connection_pool.connection_kwargs["path"]
    jobs = [(where, desk._keys.prefix, 125, f"box-{number}") for number in range(8)]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pipeline.tickets"])  # imported once, not eight times
    with context.Pool(8) as pool:
        answers = pool.starmap(file_often, jobs, chunksize=1)
        pool.close()
        pool.join()
    assert sum(map(len, answers)) == 8 * 126
    assert {ticket_id for answer in answers for ticket_id in answer} == {"YL20261123-000001"}
    (ticket,) = desk.tickets()
    assert ticket.count == len(ticket.incidents) == 9  # one incident of all, one of each
    assert len(desk.read_queue(EAST)) == 1
    assert redis.xlen(f"{{{desk._keys.prefix}}}:queue:{EAST}") == 1
