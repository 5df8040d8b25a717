"""Which limit a ticket's lamp is about: the one that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ticket_town import HOUR, NOON, incident

from pipeline.console import cards

if TYPE_CHECKING:
    from pipeline.clock import ManualClock
    from pipeline.tickets import Desk


@pytest.fixture
def ticket_id(desk: Desk) -> str:
    return desk.file(incident()).ticket_id


def limit(desk: Desk, clock: ManualClock, ticket_id: str) -> tuple[str, str]:
    found = cards.deadline(desk.ticket(ticket_id), clock.now(), "en")
    return found.what, found.lamp


def test_until_somebody_accepts_it_is_the_limit_for_accepting(desk, clock, ticket_id):
    for used, lamp in ((0.79, "green"), (0.81, "yellow"), (1.01, "red")):
        clock.move_to(NOON + used * HOUR)
        assert limit(desk, clock, ticket_id) == ("accept by", lamp)
    desk.tick()
    assert desk.ticket(ticket_id).state == "escalated"
    assert limit(desk, clock, ticket_id) == ("accept by", "red"), "nobody has accepted it yet"


@pytest.mark.parametrize("passed_on", ["escalate", "return"])
def test_what_was_accepted_in_time_and_is_passed_on_is_not_late(desk, clock, ticket_id, passed_on):
    desk.move(ticket_id, "accept", by="李四")
    desk.move(ticket_id, passed_on, by="李四")
    clock.move_to(NOON + 2 * HOUR)
    assert limit(desk, clock, ticket_id) == ("handle by", "green")
    assert not cards.is_overdue(desk.ticket(ticket_id), clock.now())
    desk.move(ticket_id, "dispatch", by="镇")
    assert limit(desk, clock, ticket_id) == ("handle by", "green")
    clock.move_to(NOON + 25 * HOUR)
    assert cards.is_overdue(desk.ticket(ticket_id), clock.now())


def test_opened_again_it_has_both_limits_again(desk, clock, ticket_id):
    for action in ("accept", "feed_back", "close"):
        desk.move(ticket_id, action, by="李四")
    clock.move_to(NOON + 5 * HOUR)
    desk.move(ticket_id, "reopen", by="镇")
    assert limit(desk, clock, ticket_id) == ("accept by", "green")
