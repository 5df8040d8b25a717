"""What comes many at a time is done as if each had come alone, in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redis import exceptions
from ticket_town import EAST, NOON, everything, incident, report

from pipeline.clock import ManualClock
from pipeline.errors import DeskError, DeskUnavailableError, UnknownTicketError
from pipeline.tickets import EvidenceRef, News, Outbox
from pipeline.tickets.delivery import AT_ONCE

if TYPE_CHECKING:
    from archive_town import Place

    from pipeline.tickets import Desk

PICTURES = EvidenceRef("a.jpg", "b.jpg")


def far_apart(count: int) -> list[News]:
    return [
        News("file", incident(number, hazard="blockage", east_m=30 * number + 30))
        for number in range(count)
    ]


def test_everything_that_a_box_sends_fits_into_one_delivery(desk: Desk):
    found = incident()
    outcomes = desk.deliver(
        [
            News("file", found, PICTURES),
            News("update", incident(last_seen_at=NOON + 9)),
            News("attach", found, EvidenceRef("a.jpg", "b.jpg", clip="c.mp4")),
            News("file", report(east_m=310)),
            News("file", incident(2, east_m=500)),
        ]
    )
    first, second = "YL20261123-000001", "YL20261123-000002"
    assert outcomes == [first, first, first, first, second]
    ticket = desk.ticket(first)
    assert ticket.incidents == (incident(last_seen_at=NOON + 9),)
    assert ticket.evidence[0].clip == "c.mp4"
    assert [one.report_id for one in ticket.reports] == [report().report_id]
    assert [message.ticket_id for message in desk.read_queue(EAST)] == [first, second]


def test_many_are_on_the_disk_after_a_few_exchanges(desk: Desk, redis):
    desk.deliver(far_apart(1))  # the script is known from now on
    redis.config_resetstat()
    outcomes = desk.deliver(far_apart(2 * AT_ONCE + 1))
    assert redis.info("commandstats")["cmdstat_evalsha"]["calls"] == 3
    assert outcomes == [f"YL20261123-{n:06d}" for n in range(1, 2 * AT_ONCE + 2)]
    assert [one.ticket_id for one in desk.read_queue(EAST)] == outcomes


def test_one_delivery_makes_what_filing_one_after_the_other_makes(new_desk):
    found = [
        incident(1, hazard="road_damage", east_m=0, radius_m=30, severity="notice"),
        incident(2, hazard="road_collapse", east_m=20, radius_m=3, severity="emergency"),
        incident(3, hazard="blockage", east_m=0, radius_m=150),
        incident(4, hazard="blockage", east_m=120, radius_m=4),
        incident(5, hazard="crowd", east_m=40, radius_m=10, severity="notice"),
        incident(6, hazard="road_damage", east_m=32, radius_m=3),
    ]
    at_once, one_by_one = new_desk(), new_desk()
    at_once.deliver([News("file", one) for one in found])
    for one in found:
        one_by_one.file(one)
    assert at_once.tickets() == one_by_one.tickets()
    assert at_once.waiting() == one_by_one.waiting()
    for code in at_once.waiting():
        assert at_once.read_queue(code) == one_by_one.read_queue(code)


def test_what_the_desk_will_not_take_is_answered_so_and_holds_up_nothing(desk: Desk):
    first, last = far_apart(2)
    never_filed, flood, buried, taken, too = desk.deliver(
        [
            News("update", incident(7)),
            News("file", incident(8, hazard="flood")),
            News("attach", incident(9), PICTURES),
            first,
            last,
        ]
    )
    assert isinstance(never_filed, UnknownTicketError)
    assert "flood" in str(flood)
    assert isinstance(buried, UnknownTicketError)
    assert (taken, too) == ("YL20261123-000001", "YL20261123-000002")


def test_what_redis_itself_refuses_holds_up_nothing(desk: Desk, redis):
    redis.set(desk._keys.reported, "no sorted set")
    first, last = far_apart(2)
    taken, refused, too = desk.deliver([first, News("file", report(east_m=500)), last])
    assert isinstance(refused, DeskError)
    assert "WRONGTYPE" in str(refused)
    assert [one.incidents[0] for one in map(desk.ticket, (taken, too))] == [
        first.finding,
        last.finding,
    ]


def test_an_answer_that_is_lost_may_be_asked_for_again(desk: Desk, redis, monkeypatch):
    news = [*far_apart(5), News("update", incident(0, hazard="blockage", east_m=30))]
    execute = redis.execute_command

    def cut(*args, **options):
        execute(*args, **options)
        raise exceptions.ConnectionError("cut before the answer came")

    with monkeypatch.context() as patched:
        patched.setattr(redis, "execute_command", cut)
        with pytest.raises(DeskUnavailableError):
            desk.deliver(news)
    kept = everything(redis, desk)
    assert desk.deliver(news) == [f"YL20261123-{n:06d}" for n in (1, 2, 3, 4, 5, 1)]
    assert everything(redis, desk) == kept


def test_news_of_what_was_archived_brings_it_back_in_the_midst_of_others(place: Place):
    ticket_id = place.closed()
    place.later(8)
    assert place.archivist.round().tickets == 1
    now = place.clock.now()
    outcomes = place.desk.deliver(
        [
            News("file", incident(1, east_m=600)),
            News("file", incident()),  # filed long ago
            News("update", incident(last_seen_at=now)),
            News("file", incident(2, east_m=900)),
        ]
    )
    day = "YL20261201"
    assert outcomes == [f"{day}-000001", ticket_id, ticket_id, f"{day}-000002"]
    assert place.desk.ticket(ticket_id).state == "dispatched"


def test_what_came_after_a_cut_waits_behind_what_came_before_it(tmp_path, desk: Desk):
    news = far_apart(3 * AT_ONCE)
    delivered = []

    class Cut:
        def deliver(self, some):
            if delivered:
                raise DeskUnavailableError("away")
            delivered.append(some)
            return desk.deliver(some)

    with Outbox(tmp_path / "outbox.sqlite", ManualClock(NOON)) as outbox:
        for one in news:
            outbox.put("file", one.finding)
        with pytest.raises(DeskUnavailableError):
            outbox.send(Cut())
        assert outbox.backlog() == 2 * AT_ONCE
        assert outbox.send(desk) == 2 * AT_ONCE
    queued = [message.incident_id for message in desk.read_queue(EAST)]
    assert queued == [one.finding.incident_id for one in news]
