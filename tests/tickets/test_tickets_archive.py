"""What is done goes to the archive, whole, and at no moment is in neither place."""

from __future__ import annotations

import multiprocessing
import threading
from contextlib import closing
from pathlib import Path

import pytest
from archive_town import DAY_S, QUIET_S, Place
from redis import Redis
from sqlalchemy import inspect, text
from ticket_town import NOON, incident, small_town

from pipeline.clock import ManualClock
from pipeline.errors import (
    ArchiveError,
    ArchiveUnavailableError,
    DeskError,
    SettingsError,
    UnknownTicketError,
)
from pipeline.tickets import Archive, EvidenceRef, Query, Report


def test_a_ticket_moves_whole_and_leaves_nothing_behind(place: Place):
    found = incident(1)
    ticket_id = place.desk.file(found, EvidenceRef("a.jpg", "b.jpg")).ticket_id
    place.desk.file(incident(2, camera="cam-2"))
    for action in ("accept", "suspend", "resume", "feed_back", "rework", "feed_back", "close"):
        place.desk.move(ticket_id, action, by="王", note=f"备注 {action}")
    before = place.desk.ticket(ticket_id)
    place.later(8)
    assert place.archivist.round().tickets == 1
    assert place.mentions(ticket_id) == []
    assert place.desk.ticket(ticket_id) == before
    assert place.desk.ticket_of(found.incident_id) == before
    assert place.desk.tickets() == []
    assert place.desk.tickets(archived=True, state="closed") == [before]


def test_what_is_open_or_lately_done_or_still_seen_stays(place: Place):
    opened = place.desk.file(incident(1)).ticket_id
    still_seen = place.closed(2, east_m=500)
    place.later(8)
    place.desk.update(incident(2, east_m=500, last_seen_at=NOON + 5, cleared_at=NOON + 7 * DAY_S))
    lately = place.closed(3, east_m=700, at=place.clock.now())
    rejected = place.desk.file(incident(4, east_m=-300, hazard="crowd", at=NOON)).ticket_id
    place.desk.move(rejected, "reject", by="李", note="误报")
    assert place.archivist.round().tickets == 1  # heard of last when it was closed
    assert {ticket.ticket_id for ticket in place.desk.tickets()} == {opened, lately, rejected}
    assert place.desk.ticket(still_seen).state == "closed"


def test_a_rejected_one_that_a_camera_still_sees_stays(place: Place):
    ticket_id = place.desk.file(incident(1, hazard="crowd")).ticket_id
    place.desk.move(ticket_id, "reject", by="李", note="查无此事")
    place.later(30)
    seen_at = place.clock.now() - DAY_S
    place.desk.update(incident(1, hazard="crowd", last_seen_at=seen_at))
    assert place.archivist.round().tickets == 0
    place.later(8)
    assert place.archivist.round().tickets == 1


def test_ended_between_writing_and_taking_out_it_is_in_both_and_moves_later(
    place: Place, monkeypatch
):
    ticket_id = place.closed()
    place.later(8)

    def end(_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(place.archivist, "_dropped", end)
        with pytest.raises(KeyboardInterrupt):
            place.archivist.round()
    assert place.archive.ticket(ticket_id) is not None
    assert place.redis.exists(place.keys.ticket(ticket_id))
    assert place.desk.ticket(ticket_id).state == "closed"
    assert [one.ticket_id for one in place.desk.tickets(archived=True)] == [ticket_id]
    assert place.another_archivist().round().tickets == 1
    assert place.mentions(ticket_id) == []


def test_what_changed_after_it_was_written_is_not_taken_out(place: Place, monkeypatch):
    ticket_id = place.closed()
    place.later(8)
    write = place.archive.write

    def write_and_hear_news(batch):
        kept = write(batch)
        place.desk.update(incident(0, cleared_at=NOON + 60))
        return kept

    with monkeypatch.context() as patched:
        patched.setattr(place.archive, "write", write_and_hear_news)
        assert place.archivist.round().tickets == 0
    assert place.desk.ticket(ticket_id).steps[-1].action == "see_cleared"
    assert place.desk.search(everything()) == []  # what the archive has of it is out of date
    assert place.archivist.round().tickets == 1
    assert place.desk.ticket(ticket_id).steps[-1].action == "see_cleared"


def test_an_earlier_snapshot_never_replaces_a_later_one(place: Place):
    ticket_id = place.closed()
    place.later(8)
    (early,) = place.archivist._snapshots([ticket_id])
    place.desk.update(incident(0, cleared_at=NOON + 60))
    place.archivist.round()
    (kept,) = place.archive.write([early]).values()
    assert kept != early.digest
    assert place.desk.ticket(ticket_id).steps[-1].action == "see_cleared"


def test_after_a_backup_was_put_back_nothing_is_taken_out_unwritten(place: Place):
    """Redis from before: its snapshots have lower numbers than those in the archive."""
    ticket_id = place.closed()
    place.later(8)
    place.archivist._snapshots([ticket_id])
    (newer,) = place.archivist._snapshots([ticket_id])
    place.archive.write([newer])
    place.desk.update(incident(0, cleared_at=NOON + 60))
    place.redis.delete(place.keys.archive("takes"))
    assert place.archivist.round().tickets == 0
    assert place.archivist.round().tickets == 1
    assert place.desk.ticket(ticket_id).steps[-1].action == "see_cleared"


def test_an_archived_incident_filed_again_is_a_duplicate(place: Place):
    ticket_id = place.closed()
    place.later(8)
    place.archivist.round()
    filing = place.desk.file(incident())
    assert (filing.ticket_id, filing.duplicate) == (ticket_id, True)
    assert place.desk.tickets() == []
    assert place.desk.file(incident(9, at=NOON)).created  # as old, but never filed


def test_it_is_a_duplicate_even_if_it_moves_while_it_is_filed(place: Place, monkeypatch):
    ticket_id = place.closed()
    place.later(8)
    past = place.desk._intake._past
    filed = past.filed

    def filed_then_moved(*asked):
        answer = filed(*asked)
        place.archivist.round()
        return answer

    monkeypatch.setattr(past, "filed", filed_then_moved)
    filing = place.desk.file(incident())
    assert (filing.ticket_id, filing.duplicate) == (ticket_id, True)


def test_a_residents_report_is_found_and_not_filed_twice_when_its_ticket_is_archived(place: Place):
    report = Report(
        report_id="R0123456789abcdef0123",
        source="resident",
        by="app",
        hazard="road_damage",
        kind=None,
        place=None,
        address="西村小学门口",
        description="有个坑",
        reported_at=NOON,
    )
    ticket_id = place.desk.file_report(report).ticket_id
    for action in ("dispatch", "accept", "feed_back"):  # nobody said where: a person finds out
        place.desk.move(ticket_id, action, by="王")
    place.desk.verify(ticket_id, good=True, by="李")
    before = place.desk.ticket(ticket_id)
    place.later(8)
    assert place.archivist.round().tickets == 1
    assert place.desk.ticket(ticket_id) == before
    assert place.desk.ticket_of(report.report_id) == before
    assert list(place.desk.reported(NOON - 1, NOON + 1)) == [(report, before)]
    filing = place.desk.file_report(report)
    assert (filing.ticket_id, filing.duplicate) == (ticket_id, True)
    with pytest.raises(DeskError, match="in the archive"):
        place.desk.verify(ticket_id, good=False, by="李")


def test_news_that_it_is_still_there_brings_it_back_and_opens_it(place: Place):
    ticket_id = place.closed()
    place.later(8)
    place.archivist.round()
    assert place.desk.update(incident(last_seen_at=place.clock.now())) == ticket_id
    ticket = place.desk.ticket(ticket_id)
    assert ticket.state == "dispatched"
    assert [step.action for step in ticket.steps][-2:] == ["reopen", "dispatch"]
    assert [message.ticket_id for message in place.desk.read_queue(ticket.grid_code)] == [ticket_id]
    assert place.desk.search(everything()) == []
    for action in ("accept", "feed_back", "close"):
        place.desk.move(ticket_id, action, by="王")
    place.later(8)
    assert place.archivist.round().tickets == 1
    assert len(place.desk.ticket(ticket_id).steps) == len(ticket.steps) + 3
    assert len(place.desk.search(everything())) == 1


def test_an_archived_ticket_takes_no_step(place: Place):
    ticket_id = place.closed()
    place.later(8)
    place.archivist.round()
    with pytest.raises(DeskError, match=f"{ticket_id} is in the archive"):
        place.desk.move(ticket_id, "reopen", by="王")
    with pytest.raises(UnknownTicketError):
        place.desk.move("YL20200101-000001", "accept", by="王")


def test_what_the_database_will_not_take_holds_up_nothing(place: Place):
    good, bad = place.closed(1), place.closed(2, east_m=600)
    place.redis.hset(place.keys.ticket(bad), "duty", "no JSON")
    place.later(8)
    assert place.archivist.round().tickets == 1
    assert place.mentions(good) == []
    assert place.redis.exists(place.keys.ticket(bad))


def test_archivists_without_a_lease_move_each_ticket_once(place: Place):
    moved = [place.closed(n, east_m=60 * n - 1200) for n in range(40)]
    place.later(8)
    place.archivist._claim()
    counts: list[int] = []

    def work() -> None:
        one = place.another_archivist()
        for start in range(0, len(moved), 4):
            moves = one._move(moved[start : start + 4])
            counts.append(moves)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == len(moved)
    assert all(len(place.desk.ticket(one).steps) == 5 for one in moved)
    assert place.archive.counts()["closed"] == len(moved)


def test_two_rounds_at_once_are_one(place: Place):
    lease = place.redis.lock(place.keys.archive("lease"), timeout=60)
    lease.acquire()
    assert place.archivist.round().busy
    lease.release()
    assert not place.archivist.round().busy


def archive_for_ever(socket_path: str, prefix: str, file: str, now: float) -> None:
    with (
        Redis(unix_socket_path=socket_path, decode_responses=True) as redis,
        closing(Archive(None, Path(file), prefix)) as archive,
    ):
        place = Place(redis, small_town(), ManualClock(now), archive, prefix)
        place.redis.delete(place.keys.archive("lease"))  # of whoever was killed
        place.redis.set(f"{prefix}:begun", 1)
        while True:
            place.archivist.round()


@pytest.mark.parametrize("archive_url", [None], ids=["sqlite"])
def test_killed_at_any_moment_every_ticket_is_found(place: Place, tmp_path, redis: Redis):
    all_of_them = [place.closed(n, east_m=40 * n - 1600, north_m=90) for n in range(80)]
    place.later(8)
    socket_path = redis.connection_pool.connection_kwargs["path"]
    file = str(tmp_path / "archive.sqlite")
    context = multiprocessing.get_context("spawn")
    for wait in (1, 41):
        process = context.Process(
            target=archive_for_ever,
            args=(socket_path, place.prefix, file, place.clock.now()),
            daemon=True,
        )
        process.start()
        reached = False
        while not reached:  # the kill falls into the batch after so many have moved
            assert process.is_alive()
            live = redis.zcard(place.keys.tickets)
            reached = len(all_of_them) - live >= wait
        process.kill()
        process.join()
        assert all(len(place.desk.ticket(one).steps) == 5 for one in all_of_them)
    place.redis.delete(place.keys.archive("lease"))
    place.archivist.round()
    assert redis.zcard(place.keys.tickets) == 0
    assert place.archive.counts()["closed"] == len(all_of_them)


def test_another_archive_than_the_towns_is_refused_and_said(place: Place, town, tmp_path):
    ticket_id = place.closed()
    place.later(8)
    place.archivist.round()
    with closing(Archive(None, tmp_path / "other.sqlite", place.prefix)) as archive:
        other = Place(place.redis, town, place.clock, archive, place.prefix)
        with pytest.raises(ArchiveError, match="another archive"):
            other.archivist.round()
        with pytest.raises(ArchiveUnavailableError, match=r"tickets\.archive\.url"):
            other.desk.ticket(ticket_id)
        with pytest.raises(ArchiveUnavailableError):
            other.desk.file(incident())
        assert other.desk.file(incident(7, at=place.clock.now())).created  # none of its business
        other.archivist.take_over()
        assert not other.archivist.round().busy


def test_an_archive_belongs_to_one_town(place: Place, archive_url, tmp_path):
    place.closed()
    place.later(8)
    place.archivist.round()
    with (
        closing(Archive(archive_url, tmp_path / "archive.sqlite", "another")) as archive,
        pytest.raises(ArchiveError, match="database of its own"),
    ):
        archive.counts()


def test_a_database_that_is_away_is_said_without_its_password_and_stops_nothing(
    redis: Redis, town, clock: ManualClock
):
    with closing(Archive("postgresql://town:geheim@127.0.0.1:1/x", None, "away")) as archive:
        place = Place(redis, town, clock, archive, "away")
        ticket_id = place.closed()
        clock.move_to(NOON + 2 * QUIET_S)
        with pytest.raises(ArchiveUnavailableError) as refused:
            place.archivist.round()
        assert "geheim" not in str(refused.value)
        assert place.desk.ticket(ticket_id).state == "closed"
        assert place.desk.file(incident()).duplicate  # nothing has been archived yet
        stop = threading.Event()
        waits = []
        clock.sleep = lambda seconds, *, until: waits.append(seconds) or stop.set()
        place.archivist.run(stop, 600.0)
        assert waits == [30.0]


@pytest.mark.parametrize("url", ["mysql://root:geheim@db/x", "nonsense", "postgresql://host"])
def test_a_url_of_anything_else_is_refused(url: str, tmp_path):
    with pytest.raises(SettingsError, match="PostgreSQL") as refused:
        Archive(url, tmp_path / "a.sqlite", "town")
    assert "geheim" not in str(refused.value)


def test_a_damaged_file_is_said(tmp_path):
    file = tmp_path / "archive.sqlite"
    file.write_bytes(b"this is no database" * 300)
    with (
        closing(Archive(None, file, "town")) as archive,
        pytest.raises(ArchiveError, match="not a"),
    ):
        archive.counts()


def everything():
    return Query()


def test_an_archive_made_earlier_gets_the_indexes_of_today(place: Place):
    ticket_id = place.closed()
    place.later(8)
    place.archivist.round()
    with place.archive._base.writing() as db:
        db.execute(text("DROP INDEX tickets_place"))
        db.execute(text("CREATE INDEX tickets_cell ON tickets (cell, key)"))
    place.archive.close()
    with place.archive._base.reading() as db:
        names = {index["name"] for index in inspect(db).get_indexes("tickets")}
    assert names == {"tickets_grid", "tickets_hazard", "tickets_place"}
    assert [one.ticket_id for one in place.desk.search(everything())] == [ticket_id]
