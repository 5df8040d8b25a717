from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest
from ticket_town import NOON, incident

from pipeline.clock import ManualClock, SystemClock
from pipeline.errors import OutboxError, UnknownTicketError
from pipeline.tickets import EvidenceRef, Outbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.tickets import Desk


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.sqlite", ManualClock(NOON)) as box:
        yield box


def spread(count: int) -> list:
    """Findings too far apart to be merged."""
    return [incident(number, east_m=60 * number - 1200) for number in range(count)]


def test_what_was_put_in_is_filed_in_that_order(outbox: Outbox, desk: Desk):
    found = spread(40)
    for one in found:
        outbox.put("file", one)
    assert outbox.backlog() == 40
    assert outbox.send(desk) == 40
    assert outbox.backlog() == 0
    filed = sorted(desk.tickets(limit=99), key=lambda ticket: ticket.ticket_id)
    assert [ticket.incidents[0].incident_id for ticket in filed] == [
        one.incident_id for one in found
    ]


def test_evidence_and_later_news_travel_with_it(outbox: Outbox, desk: Desk):
    found = incident()
    outbox.put("file", found, EvidenceRef("a.jpg", "b.jpg"))
    gone = incident(last_seen_at=NOON + 9, cleared_at=NOON + 30)
    outbox.put("update", gone)
    outbox.send(desk)
    (ticket,) = desk.tickets()
    assert ticket.evidence == (EvidenceRef("a.jpg", "b.jpg"),)
    assert ticket.incidents == (gone,)


def test_it_waits_on_disk_across_restarts(tmp_path: Path, desk: Desk):
    path = tmp_path / "outbox.sqlite"
    with Outbox(path, ManualClock(NOON)) as box:
        for one in spread(3):
            box.put("file", one)
    with Outbox(path, ManualClock(NOON)) as box:
        assert box.backlog() == 3
        assert box.send(desk) == 3


def test_an_entry_the_desk_refuses_is_set_aside_and_stops_nothing(outbox: Outbox, desk: Desk):
    first, bad, last = spread(3)
    outbox.put("file", first)
    outbox.put("update", bad)  # never filed
    outbox.put("file", incident(7, hazard="flood"))
    outbox.put("file", last)
    assert outbox.send(desk) == 2
    assert outbox.backlog() == 0
    never_filed, flood = outbox.refused()
    assert "was never filed" in never_filed.reason
    assert bad.incident_id in never_filed.incident_json
    assert "flood" in flood.reason


def test_an_entry_that_can_t_be_read_is_set_aside(tmp_path: Path, desk: Desk):
    path = tmp_path / "outbox.sqlite"
    with Outbox(path, ManualClock(NOON)) as box:
        box.put("file", incident(1))
        with sqlite3.connect(path) as other:
            other.execute("UPDATE waiting SET incident = '{}'")
        other.close()
        box.put("file", incident(2))
        assert box.send(desk) == 1
        assert [refused.incident_json for refused in box.refused()] == ["{}"]


def test_what_was_refused_is_sent_again_in_its_old_place(outbox: Outbox, desk: Desk):
    one, other, later = spread(3)
    outbox.put("update", one)
    outbox.put("update", other)
    outbox.send(desk)
    outbox.put("update", later)
    desk.file(one)
    desk.file(other)
    assert outbox.retry_refused() == 2
    assert (outbox.refused(), outbox.backlog()) == ([], 3)
    assert outbox.send(desk) == 2
    assert [later.incident_id in refused.incident_json for refused in outbox.refused()] == [True]
    assert outbox.retry_refused() == 1  # and as often as one likes
    assert outbox.send(desk) == 0
    assert len(outbox.refused()) == 1


def test_what_waits_meanwhile_stays_behind_what_was_refused(outbox: Outbox):
    first, second = incident(1), incident(2)
    outbox.put("update", first)
    outbox.put("file", second)
    taken: list[str] = []

    class Recorder:
        refuses = True

        def deliver(self, news):
            return [self.take(one) for one in news]

        def take(self, one):
            if one.act == "update" and self.refuses:
                return UnknownTicketError("not filed")
            taken.append(one.finding.incident_id)
            return "a ticket"

    recorder = Recorder()
    outbox.send(recorder)  # type: ignore[arg-type]
    outbox.put("file", third := incident(3))
    recorder.refuses = False
    outbox.retry_refused()
    outbox.send(recorder)  # type: ignore[arg-type]
    assert taken == [one.incident_id for one in (second, first, third)]


def test_what_json_can_t_say_is_refused_at_the_door(outbox: Outbox):
    with pytest.raises(OutboxError, match="can't be kept"):
        outbox.put("file", incident(measures={"area_m2": float("inf")}))
    assert outbox.backlog() == 0


def test_many_threads_may_put_while_one_drains(tmp_path: Path, desk: Desk):
    stop = threading.Event()
    with Outbox(tmp_path / "outbox.sqlite", SystemClock()) as box:
        drain = threading.Thread(target=box.drain, args=(desk, stop))
        drain.start()
        found = spread(40)
        threads = [
            threading.Thread(target=lambda part=part: [box.put("file", one) for one in part])
            for part in (found[::4], found[1::4], found[2::4], found[3::4])
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        while box.backlog():
            stop.wait(0.005)
        stop.set()
        drain.join()
    assert len(desk.tickets(limit=99)) == 40


def test_a_damaged_file_is_moved_aside_and_kept(tmp_path: Path):
    path = tmp_path / "outbox.sqlite"
    path.write_bytes(b"this was a database once" * 500)
    with pytest.raises(
        OutboxError, match=r"is damaged .* moved to .*damaged-1795406400.*Start again"
    ):
        Outbox(path, ManualClock(NOON))
    (aside,) = tmp_path.glob("*.damaged-*")
    assert aside.read_bytes().startswith(b"this was a database once")
    with Outbox(path, ManualClock(NOON)) as box:
        assert box.backlog() == 0


def test_a_file_with_a_damaged_page_is_noticed(tmp_path: Path):
    path = tmp_path / "outbox.sqlite"
    with Outbox(path, ManualClock(NOON)) as box:
        for one in spread(40):
            box.put("file", one)
    data = bytearray(path.read_bytes())
    data[4096:12288] = b"\x5a" * 8192
    path.write_bytes(data)
    with pytest.raises(OutboxError, match="is damaged"):
        Outbox(path, ManualClock(NOON))


def test_a_file_of_another_layout_is_left_alone(tmp_path: Path):
    path = tmp_path / "outbox.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 7")
        other.execute("CREATE TABLE future (a)")
    other.close()
    with pytest.raises(OutboxError, match="has layout 7, this gridwatch knows 1"):
        Outbox(path, ManualClock(NOON))
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("future",)]
    other.close()


def test_a_place_that_can_t_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutboxError, match=r"Not a directory|File exists"):
        Outbox(tmp_path / "file" / "outbox.sqlite", ManualClock(NOON))
    (tmp_path / "folder.sqlite").mkdir()
    with pytest.raises(OutboxError, match="may this user write there"):
        Outbox(tmp_path / "folder.sqlite", ManualClock(NOON))


def test_a_full_disk_is_an_outbox_error_and_loses_nothing_that_was_kept(tmp_path: Path):
    with Outbox(tmp_path / "outbox.sqlite", ManualClock(NOON)) as box:
        box.put("file", incident(1))
        pages = box._db.execute("PRAGMA page_count").fetchone()[0]
        box._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(OutboxError, match="disk"):
            box.put("file", incident(2, trail={"scores": [0.5] * 20_000}))
        kept = box.backlog()
        box._db.execute("PRAGMA max_page_count = 100000")
        box.put("file", incident(200))
        assert box.backlog() == kept + 1
