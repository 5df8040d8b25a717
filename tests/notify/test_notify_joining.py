"""Who hears of it when tickets are merged, split or re-routed."""

from __future__ import annotations

import pytest
from capvalidator import check_schema
from lxml import etree
from ticket_town import EAST, NOON, WEST, incident, town_with

from pipeline.errors import DeskError
from pipeline.settings_notify import CapSettings
from pipeline.tickets import Desk
from pipeline.tickets.event_wire import event_of
from pipeline.tickets.notify.cap import CapWriter

CAP = {"cap": "urn:oasis:names:tc:emergency:cap:1.2"}


@pytest.fixture
def told(store):
    """The events that came since the last call."""
    return lambda: [event_of(text) for _, text in store.read(0)]


def alerts(events):
    return [
        (event.alert.type, event.ticket.ticket_id) for event in events if event.event == "emergency"
    ]


def queued(events):
    return [(event.grid, event.ticket.ticket_id) for event in events if event.event == "queued"]


def said(event):
    """What each of the two languages of the event's document tells to do."""
    data = CapWriter(CapSettings(), None).document(event)
    assert check_schema(data).passed
    root = etree.fromstring(data)
    names = ("responseType", "urgency", "certainty", "headline", "instruction")
    return [
        {name: info.findtext(f"cap:{name}", namespaces=CAP) for name in names}
        for info in root.iterfind("cap:info", CAP)
    ]


def read_by_the_office(redis, prefix):
    stream = f"{{{prefix}}}:queue:emergency"
    redis.xreadgroup("grid", "office", {stream: ">"})


@pytest.mark.parametrize("taken_on", [False, True])
def test_the_grid_that_a_person_gives_a_ticket_to_hears_of_it(desk, told, taken_on):
    ticket_id = desk.file(incident()).ticket_id
    if taken_on:
        desk.move(ticket_id, "accept", by="东")
    told()
    desk.reroute(ticket_id, WEST, by="镇", note="归西村")
    (event,) = told()
    assert (event.event, event.grid, event.ticket.grid.code) == ("queued", WEST, WEST)
    assert (event.step.by, event.step.note) == ("镇", "归西村")
    assert event.step.facts == {"from": EAST, "to": WEST}


def test_the_people_of_the_new_grid_get_the_message_and_others_do_not(
    desk, clock, new_notifier, settings, webhook, receiver, play
):
    ticket_id = desk.file(incident(hazard="road_damage")).ticket_id
    notifier = new_notifier(settings({"west": webhook(grids=[WEST])}))
    play(notifier)
    assert receiver.got == []
    desk.reroute(ticket_id, WEST, by="镇")
    play(notifier, seconds=60)
    (request,) = receiver.got
    assert ticket_id in request.json["text"]


def test_the_grid_that_a_new_map_gives_a_ticket_to_hears_of_it(desk, redis, prefix, clock, told):
    desk.follow_map()
    ticket_id = desk.file(incident(hazard="road_damage", east_m=300)).ticket_id
    told()
    moved = Desk(redis, town_with(500), clock=clock, prefix=prefix)
    assert moved.follow_map().rerouted == (ticket_id,)
    events = told()
    assert queued(events) == [(WEST, ticket_id)]
    assert len(events) == 1


def test_an_owner_that_stays_by_a_new_map_hears_nothing(desk, redis, prefix, clock, told):
    desk.follow_map()
    desk.file(incident(east_m=300))
    told()
    assert Desk(redis, town_with(100), clock=clock, prefix=prefix).follow_map().rerouted == ()
    assert told() == []


def test_an_emergency_that_another_ticket_takes_in_is_called_off_after_that_is_told(desk, told):
    pothole = desk.file(incident(1, hazard="road_damage")).ticket_id
    collapse = desk.file(incident(2, east_m=400)).ticket_id
    told()
    desk.merge(collapse, pothole, by="镇", note="同一处")
    events = told()
    assert alerts(events) == [("Alert", pothole), ("Cancel", collapse)]
    alert, cancel = events[-2:]
    assert alert.step.facts == {"from": collapse}
    assert cancel.step.facts == {"into": pothole}
    assert [event.event for event in events[:-2]] == ["regraded", "queued"]
    assert [one.ticket_id for one in desk.read_queue("emergency")] == [pothole]


def test_merged_into_an_emergency_that_the_office_knows_one_of_the_two_is_called_off(desk, told):
    one = desk.file(incident(1)).ticket_id
    other = desk.file(incident(2, east_m=400)).ticket_id
    told()
    desk.merge(one, other, by="镇")
    assert alerts(told()) == [("Cancel", one)]
    assert [entry.ticket_id for entry in desk.read_queue("emergency")] == [other]


def test_an_office_that_has_read_of_it_finds_in_its_queue_that_it_was_merged(desk, redis, prefix):
    one = desk.file(incident(1)).ticket_id
    other = desk.file(incident(2, east_m=400)).ticket_id
    read_by_the_office(redis, prefix)
    desk.merge(one, other, by="镇")
    found = [(entry.ticket_id, entry.state, entry.count) for entry in desk.read_queue("emergency")]
    assert found == [(other, "dispatched", 1), (one, "merged", 1)]


def test_called_off_for_another_ticket_is_no_all_clear_and_names_it(desk, told):
    one = desk.file(incident(1)).ticket_id
    other = desk.file(incident(2, east_m=400)).ticket_id
    desk.merge(one, other, by="镇")
    zh, en = said(told()[-1])
    for info in (zh, en):
        assert (info["responseType"], info["urgency"]) == ("Monitor", "Unknown")
        assert info["certainty"] == "Unknown"
        assert other in info["headline"]
        assert other in info["instruction"]


def test_the_message_to_people_names_the_ticket_that_carries_on(
    desk, new_notifier, settings, webhook, receiver, play
):
    one = desk.file(incident(1)).ticket_id
    other = desk.file(incident(2, east_m=400)).ticket_id
    notifier = new_notifier(settings({"office": webhook(role="emergency")}))
    play(notifier)
    before = len(receiver.got)
    desk.merge(one, other, by="镇")
    play(notifier)
    (request,) = receiver.got[before:]
    assert f"转入案卷 Carried on by: {other}" in request.json["text"].splitlines()


def test_what_is_split_off_is_queued_and_told_like_a_new_case(desk, told):
    pothole, collapse = incident(1, hazard="road_damage"), incident(2, camera="cam-2")
    old = desk.file(pothole).ticket_id
    desk.file(collapse)
    told()
    new = desk.split(old, [pothole.incident_id], by="镇").ticket_id
    events = told()
    assert queued(events) == [(EAST, old), (EAST, new)]
    assert alerts(events) == [], "the office's case is what it was"


def test_an_emergency_that_is_split_off_leaves_nothing_for_the_office_in_the_old_ticket(
    desk, clock, redis, prefix, told
):
    pothole, collapse = incident(1, hazard="road_damage"), incident(2, camera="cam-2")
    old = desk.file(pothole).ticket_id
    desk.file(collapse)
    read_by_the_office(redis, prefix)
    told()
    new = desk.split(old, [collapse.incident_id], by="镇").ticket_id
    events = told()
    assert alerts(events) == [("Alert", new), ("Cancel", old)]
    cancel = events[-1]
    assert (cancel.alert.over, cancel.step.facts["into"]) == (True, new)
    assert all(info["responseType"] == "Monitor" for info in said(cancel))
    assert [(one.ticket_id, one.emergency) for one in desk.read_queue("emergency")] == [
        (new, True),
        (old, False),
    ]
    clock.move_to(NOON + 60)
    for action in ("accept", "feed_back", "close"):
        desk.move(old, action, by="东")
    assert alerts(told()) == [], "a pothole is done, which is nothing to the office"


def test_what_was_split_and_turns_out_to_be_an_emergency_after_all_is_an_alert_again(desk, told):
    pothole, collapse = incident(1, hazard="road_damage"), incident(2, camera="cam-2")
    old = desk.file(pothole).ticket_id
    desk.file(collapse)
    new = desk.split(old, [collapse.incident_id], by="镇").ticket_id
    told()
    desk.merge(new, old, by="镇")
    assert alerts(told()) == [("Alert", old), ("Cancel", new)]


def test_a_merge_that_is_refused_tells_nobody(desk, told):
    collapse = desk.file(incident(1)).ticket_id
    crowd = desk.file(incident(2, hazard="crowd")).ticket_id
    told()
    with pytest.raises(DeskError, match="different duties"):
        desk.merge(collapse, crowd, by="镇")
    assert told() == []


def test_a_command_sent_twice_is_told_once(desk, told):
    one = desk.file(incident(1)).ticket_id
    other = desk.file(incident(2, east_m=400)).ticket_id
    told()
    for _ in range(2):
        desk.merge(one, other, by="镇", command_id="m")
        desk.reroute(other, WEST, by="镇", command_id="r")
    events = told()
    assert alerts(events) == [("Cancel", one)]
    assert queued(events) == [(WEST, other)]
