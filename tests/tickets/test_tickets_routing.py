"""Whose ticket it is: at borders, by a person's word, and when the grid map changes."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from shapely.geometry import box
from ticket_town import (
    EAST,
    HOUR,
    LAT,
    LON,
    NOON,
    TOWN,
    WEST,
    everything,
    grid,
    incident,
    small_town,
    town_with,
)

from pipeline.errors import DeskError, ForeignGridError, UnknownGridError
from pipeline.tickets import Desk
from pipeline.town.grids import GridMap


@pytest.fixture
def desk_of(redis, desk, clock):
    """Another desk on the same keys, with another map."""
    return lambda town: Desk(redis, town, clock=clock, prefix=desk._keys.prefix)


def test_a_place_near_the_border_has_one_owner_and_the_neighbour_watches(desk):
    at_border = desk.ticket(desk.file(incident(1, east_m=2, radius_m=10)).ticket_id)
    inside = desk.ticket(desk.file(incident(2, east_m=300)).ticket_id)
    assert (at_border.grid_code, at_border.watchers) == (EAST, (WEST,))
    assert inside.watchers == ()
    (first, second) = desk.read_queue(EAST)
    assert (first.watchers, second.watchers) == ([WEST], [])
    assert desk.tickets(watcher=WEST) == [at_border]
    assert desk.tickets(watcher=EAST) == []
    assert desk.read_queue(WEST) == []


def test_a_better_place_changes_who_watches_but_not_the_owner(desk):
    ticket_id = desk.file(incident(1, east_m=2, radius_m=10)).ticket_id
    desk.file(incident(2, east_m=-6, radius_m=3))
    ticket = desk.ticket(ticket_id)
    assert (ticket.grid_code, ticket.watchers) == (EAST, (WEST,))
    desk.file(incident(3, east_m=6, radius_m=1))
    assert desk.ticket(ticket_id).watchers == ()
    assert desk.tickets(watcher=WEST) == []


def test_a_ticket_given_to_another_grid_keeps_its_clocks_and_waits_there(desk, clock):
    before = desk.ticket(desk.file(incident(1, east_m=5)).ticket_id)
    clock.move_to(NOON + 600)
    ticket = desk.reroute(before.ticket_id, WEST, by="镇", note="路归西村")
    assert (ticket.grid_code, ticket.grid_name) == (WEST, "西村一网格")
    assert (ticket.accept_due_at, ticket.handle_due_at, ticket.filed_at) == (
        before.accept_due_at,
        before.handle_due_at,
        before.filed_at,
    )
    assert ticket.state == "dispatched"
    assert ticket.watchers == (EAST,)  # its ground, still
    assert desk.waiting() == {WEST: 1}
    (message,) = desk.read_queue(WEST)
    assert (message.grid.code, message.grid.name) == (WEST, "西村一网格")
    assert desk.read_queue(EAST) == []
    assert [one.ticket_id for one in desk.tickets(grid=WEST)] == [ticket.ticket_id]
    assert desk.tickets(grid=EAST) == []
    assert desk.tickets(watcher=EAST) == [ticket]
    step = ticket.steps[-1]
    assert (step.action, step.by, step.note, step.due_at) == (
        "reroute",
        "镇",
        "路归西村",
        before.accept_due_at,
    )
    assert step.facts == {"from": EAST, "to": WEST}


@pytest.mark.parametrize(
    "steps, after, waits",
    [
        ((), "dispatched", {WEST: 1}),
        (("accept",), "dispatched", {WEST: 1}),
        (("accept", "handle"), "dispatched", {WEST: 1}),
        (("return",), "dispatched", {WEST: 1}),
        (("escalate",), "escalated", {TOWN: 1}),
        (("accept", "suspend"), "suspended", {}),
        (("accept", "feed_back"), "fed_back", {}),
    ],
)
def test_a_new_owner_takes_it_on_from_wherever_it_stands(desk, steps, after, waits):
    ticket_id = desk.file(incident()).ticket_id
    for step in steps:
        desk.move(ticket_id, step, by="a")
    ticket = desk.reroute(ticket_id, WEST, by="镇")
    assert (ticket.state, ticket.grid_code) == (after, WEST)
    assert desk.waiting() == waits


def test_re_routing_is_refused_whole(desk, redis):
    ticket_id = desk.file(incident()).ticket_id
    before = everything(redis, desk)
    cases = [
        (UnknownGridError, "nowhere", "nowhere", {}),
        (DeskError, "grid 410182102001002's already", EAST, {}),
        (ForeignGridError, EAST, WEST, {"grids": [WEST]}),
        (DeskError, "has changed", WEST, {"expected": 7}),
    ]
    for error, words, code, said in cases:
        with pytest.raises(error, match=words):
            desk.reroute(ticket_id, code, by="x", **said)
    assert everything(redis, desk) == before


def test_re_routing_sent_twice_happens_once(desk):
    ticket_id = desk.file(incident()).ticket_id
    first = desk.reroute(ticket_id, WEST, by="镇", command_id="r")
    assert desk.reroute(ticket_id, WEST, by="镇", command_id="r") == first


def test_a_changed_map_hands_open_tickets_to_their_new_owner_once(desk, desk_of, clock):
    assert desk.follow_map().rerouted == ()
    moves = desk.file(incident(1, east_m=300)).ticket_id
    stays = desk.file(incident(2, east_m=900)).ticket_id
    done = desk.file(incident(3, east_m=100)).ticket_id
    for action in ("accept", "feed_back", "close"):
        desk.move(done, action, by="a")
    before = desk.ticket(moves)
    clock.move_to(NOON + 900)
    changed = desk_of(town_with(500))
    assert changed.follow_map().rerouted == (moves,)
    assert changed.follow_map().rerouted == ()
    ticket = changed.ticket(moves)
    assert (ticket.grid_code, ticket.state) == (WEST, "dispatched")
    assert ticket.handle_due_at == before.handle_due_at
    assert (ticket.steps[-1].action, ticket.steps[-1].by) == ("reroute", "desk")
    assert ticket.steps[-1].facts == {
        "from": EAST,
        "to": WEST,
        "from_map": desk.town.grids.version,
        "to_map": changed.town.grids.version,
    }
    assert ticket.map_version == changed.ticket(stays).map_version == changed.town.grids.version
    assert changed.ticket(stays).grid_code == EAST
    assert changed.ticket(stays).steps == desk.ticket(stays).steps
    assert len(changed.ticket(stays).steps) == 2
    assert changed.ticket(done).grid_code == EAST
    assert changed.waiting() == {WEST: 1, EAST: 1}


def test_a_box_that_still_has_the_old_map_hands_nothing_back(desk, desk_of):
    desk.follow_map()
    ticket_id = desk.file(incident(1)).ticket_id
    changed = desk_of(town_with(500))
    changed.follow_map()
    assert desk.follow_map().superseded_by == changed.town.grids.version
    assert desk.ticket(ticket_id).grid_code == WEST
    late = desk.file(incident(2, east_m=400)).ticket_id  # filed by the old map
    assert changed.follow_map().rerouted == (late,)


def test_a_person_may_put_an_older_map_in_force_again(desk, desk_of):
    desk.follow_map()
    ticket_id = desk.file(incident(1)).ticket_id
    desk_of(town_with(500)).follow_map()
    assert desk.follow_map(put_in_force=True).rerouted == (ticket_id,)
    assert desk.ticket(ticket_id).grid_code == EAST


def test_a_changed_map_leaves_an_owner_that_a_person_chose(desk, desk_of):
    desk.follow_map()
    ticket_id = desk.file(incident(1)).ticket_id
    desk.reroute(ticket_id, WEST, by="镇")
    assert desk_of(town_with(30)).follow_map().rerouted == ()
    assert desk.ticket(ticket_id).grid_code == WEST


def test_a_grid_that_is_new_on_the_map_gets_what_lies_in_it(desk, desk_of):
    desk.follow_map()
    ticket_id = desk.file(incident(1)).ticket_id
    square = box(LON, LAT - 0.01, LON + 0.01, LAT + 0.01)
    special = replace(grid("410182102900001", "专属网格", 3, TOWN, 0, 0.01), kind="dedicated")
    changed = desk_of(town_with(0, replace(special, shape=square)))
    assert changed.follow_map().rerouted == (ticket_id,)
    assert changed.ticket(ticket_id).grid_name == "专属网格"
    assert [one.grid.name for one in changed.read_queue("410182102900001")] == ["专属网格"]


def test_many_boxes_that_see_the_new_map_at_once_re_route_each_ticket_once(desk, desk_of):
    desk.follow_map()
    names = [desk.file(incident(n, east_m=50 + 20 * n)).ticket_id for n in range(20)]
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(desk_of(town_with(2000)).follow_map()))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(name for one in found for name in one.rerouted) == sorted(names)
    for name in names:
        actions = [step.action for step in desk.ticket(name).steps]
        assert actions == ["file", "dispatch", "reroute"]
    assert desk.waiting() == {WEST: 20}


def test_tickets_filed_before_maps_had_versions_are_found_too(desk, desk_of, redis):
    ticket_id = desk.file(incident(1)).ticket_id
    prefix = f"{{{desk._keys.prefix}}}"
    redis.hdel(f"{prefix}:ticket:{ticket_id}", "map", "watchers", "version")
    redis.delete(f"{prefix}:filed_maps", f"{prefix}:map:{desk.town.grids.version}")
    changed = desk_of(town_with(500))
    assert changed.follow_map().rerouted == (ticket_id,)
    assert changed.ticket(ticket_id).steps[-1].facts["from_map"] == "unknown"


def test_the_version_of_a_map_goes_by_what_it_says_not_by_its_order():
    grids = list(small_town().grids)
    assert GridMap(grids).version == GridMap(reversed(grids)).version
    assert GridMap(grids).version != town_with(1).grids.version
    renamed = [replace(one, name=one.name + "甲") for one in grids]
    assert GridMap(grids).version != GridMap(renamed).version


def test_suspended_time_stays_suspended_when_a_new_map_gives_it_away(desk, desk_of, clock):
    desk.follow_map()
    ticket_id = desk.file(incident(1)).ticket_id
    for action in ("accept", "suspend"):
        desk.move(ticket_id, action, by="a")
    desk_of(town_with(500)).follow_map()
    clock.move_to(NOON + 10 * HOUR)
    resumed = desk.move(ticket_id, "resume", by="a")
    assert resumed.handle_due_at == NOON + 1 + 24 * HOUR + 10 * HOUR - 1
