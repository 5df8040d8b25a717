"""Following a queue: everything that enters it from now on, once, and nothing is taken."""

from __future__ import annotations

import threading

import pytest
from ticket_town import incident

from pipeline.errors import UnknownGridError

WEST, EAST = "410182102001001", "410182102001002"


def test_what_was_there_before_is_not_told_and_what_comes_is_told_once_in_order(desk):
    desk.file(incident(1, east_m=-900))
    tail = desk.follow_queue(WEST)
    assert tail.read(0.01) == []
    later = [desk.file(incident(n, east_m=-900 + 100 * n)).ticket_id for n in (2, 3)]
    assert [message.ticket_id for message in tail.read(1)] == later
    assert tail.read(0.01) == []


def test_it_takes_nothing_and_hears_nothing_of_other_grids(desk):
    tail = desk.follow_queue(WEST)
    desk.file(incident(1, east_m=-300))
    desk.file(incident(2, east_m=300))
    assert [message.grid.code for message in tail.read(1)] == [WEST]
    assert len(desk.read_queue(WEST)) == 1


def test_it_waits_for_the_first_one(desk):
    tail, found = desk.follow_queue(EAST), []
    waiter = threading.Thread(target=lambda: found.extend(tail.read(20)))
    waiter.start()
    ticket_id = desk.file(incident()).ticket_id
    waiter.join(20)
    assert [message.ticket_id for message in found] == [ticket_id]


def test_a_grid_without_a_queue_is_refused(desk):
    with pytest.raises(UnknownGridError):
        desk.follow_queue("nowhere")
