"""The indices count what their definitions say, from live and archived tickets alike."""

from __future__ import annotations

import pytest
from archive_town import DAY_S, Place
from ticket_town import NOON, incident

from pipeline.errors import InputError
from pipeline.tickets.indices import RATES, days_of, indices_of

HOUR = 3600.0
WITHIN_S = 600.0


@pytest.fixture
def archive_url() -> None:
    """A file will do here."""


def of_all(place: Place, by=None):
    now = place.clock.now()
    return indices_of(place.desk.histories(), by, now=now, file_within_s=WITHIN_S)


def only(place: Place):
    (found,) = of_all(place)
    return {said: found.rate(name) for name, (said, _) in RATES.items()}


def test_handled_in_time_and_too_late_and_not_at_all(place: Place):
    in_time = place.desk.file(incident(1)).ticket_id
    late = place.desk.file(incident(2, east_m=500)).ticket_id
    place.desk.file(incident(3, east_m=700))
    place.desk.move(in_time, "accept", by="王")
    place.desk.move(in_time, "feed_back", by="王")
    place.clock.move_to(NOON + 25 * HOUR)
    place.desk.move(late, "accept", by="王")
    place.desk.move(late, "feed_back", by="王")
    rates = only(place)
    assert rates["按时处置率"] == pytest.approx(1 / 3)
    assert rates["处置率"] == pytest.approx(2 / 3)


def test_what_is_not_due_yet_counts_neither_way(place: Place):
    place.desk.file(incident(1))
    rates = only(place)
    assert rates["按时处置率"] is None
    assert rates["处置率"] is None


def test_while_a_ticket_is_suspended_it_is_not_due(place: Place):
    ticket_id = place.desk.file(incident(1)).ticket_id
    place.desk.move(ticket_id, "accept", by="王")
    place.desk.move(ticket_id, "suspend", by="王")
    place.clock.move_to(NOON + 100 * HOUR)
    assert only(place)["处置率"] is None


def test_what_was_sent_back_and_done_again_is_rework(place: Place):
    again = place.desk.file(incident(1)).ticket_id
    for action in ("accept", "feed_back", "rework"):
        place.desk.move(again, action, by="王")
    (found,) = of_all(place)
    assert found.counts["handled"] == 0  # it is at the handler's again
    place.desk.move(again, "feed_back", by="王")
    place.closed(2, east_m=500)
    rates = only(place)
    assert rates["返工率"] == pytest.approx(1 / 2)
    assert rates["处置率"] == 1.0


def test_rejected_tickets_were_wrongly_filed_and_need_no_handling(place: Place):
    wrong = place.desk.file(incident(1, hazard="crowd")).ticket_id
    place.desk.file(incident(2, east_m=500))
    place.desk.move(wrong, "reject", by="李", note="查无此事")
    place.clock.move_to(NOON + 25 * HOUR)
    (found,) = of_all(place)
    assert found.rate("filed_rightly_rate") == pytest.approx(1 / 2)
    assert found.counts["due"] == 1


def test_a_finding_is_filed_in_time_if_it_is_decided_on_in_time(place: Place):
    place.desk.file(incident(1))  # dispatched at once
    prompt = place.desk.file(incident(2, hazard="crowd", east_m=500)).ticket_id
    late = place.desk.file(incident(3, hazard="crowd", east_m=700)).ticket_id
    place.desk.file(incident(4, hazard="crowd", east_m=-500))
    assert only(place)["按时立案率"] == 1.0  # the others still have time
    place.desk.move(prompt, "dispatch", by="李")
    place.clock.move_to(NOON + WITHIN_S + 5)
    place.desk.move(late, "reject", by="李", note="查无此事")
    assert only(place)["按时立案率"] == pytest.approx(2 / 4)


def test_a_dispatch_that_came_back_was_wrong(place: Place):
    ticket_id = place.desk.file(incident(1)).ticket_id
    place.desk.move(ticket_id, "return", by="王")
    place.desk.move(ticket_id, "dispatch", by="李")
    assert only(place)["准确派遣率"] == pytest.approx(1 / 2)


def test_a_ticket_opened_again_is_judged_by_its_new_clock(place: Place):
    ticket_id = place.closed(1)
    place.clock.move_to(NOON + 40 * HOUR)
    place.desk.update(incident(1, last_seen_at=place.clock.now()))
    (found,) = of_all(place)
    assert (found.counts["due"], found.counts["handled"]) == (0, 0)
    place.clock.move_to(NOON + 70 * HOUR)
    (found,) = of_all(place)
    assert (found.counts["due"], found.counts["handled"]) == (1, 0)
    assert place.desk.ticket(ticket_id).open


def test_archived_tickets_count_as_before_and_once(place: Place):
    for number in range(4):
        place.closed(number, east_m=80 * number - 800)
    place.desk.file(incident(9, east_m=600))
    place.later(1.5)
    before = [one.row() for one in of_all(place, "grid")]
    (stale,) = place.archivist._snapshots([place.desk.tickets(state="closed")[0].ticket_id])
    place.archive.write([stale])  # in both places
    assert [one.row() for one in of_all(place, "grid")] == before
    place.later(8)
    assert place.archivist.round().tickets == 4
    assert [one.row() for one in of_all(place, "grid")] == before


def test_groups_are_by_grid_department_hazard_and_month(place: Place):
    place.closed(1)
    place.closed(2, east_m=-300, hazard="blockage")
    place.clock.move_to(NOON + 10 * DAY_S)
    place.closed(3, east_m=900, at=place.clock.now())
    names = {by: [one.group for one in of_all(place, by)] for by in ("grid", "hazard", "month")}
    assert names == {
        "grid": ["410182102001001", "410182102001002"],
        "hazard": ["blockage", "road_collapse"],
        "month": ["2026-11", "2026-12"],
    }
    assert [one.group for one in of_all(place, "department")] == ["城市管理"]
    december = place.desk.histories(*days_of("2026-12"))
    assert [ticket.ticket_id[:8] for ticket in december] == ["YL202612"]


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "0000-01", "November", ""])
def test_what_is_no_month_is_refused(month: str):
    with pytest.raises(InputError, match="--month"):
        days_of(month)
