"""Evidence goes when its time is over and not before, with a record, and nothing is orphaned."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import numpy as np
import pytest
from evidence_help import READER, jpeg, noise
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from structlog.testing import capture_logs
from test_tickets_evidence_store import killed
from ticket_town import NOON, duty, incident, report, small_town

from pipeline.errors import DeskUnavailableError, EvidenceError, UnknownEvidenceError
from pipeline.settings import EvidenceSettings
from pipeline.tickets import (
    Desk,
    EvidenceStore,
    Feedback,
    Filer,
    Keeper,
    Outbox,
    PictureKeeper,
    Snapshot,
    Sweep,
)
from pipeline.tickets.evidence import about
from pipeline.tickets.store import name_of
from pipeline.tickets.store.keeper import FIRST_SWEEP_S
from pipeline.town.duties import Duties

DAY = 86400.0
SETTINGS = EvidenceSettings(min_free_mb=0)


@pytest.fixture
def duties():
    """Crashes are kept for 10 days, everything else for 90."""
    listed = [*small_town().duties]
    crash = duty("blockage", "04-X1", "交通事故占道", 20, kind="crash")
    others = [one for one in listed if one.kind != "crash"]
    return Duties([*others, replace(crash, evidence_days=10)])


@pytest.fixture
def store(tmp_path, clock):
    store = EvidenceStore(tmp_path, SETTINGS, clock)
    yield store
    store.close()


@pytest.fixture
def sweep(store, desk, duties, clock):
    return Sweep(store, desk.evidence, duties, clock)


def filed(store, desk, found) -> str:
    """Its ticket's number; it has one picture."""
    store.keep({name_of(found, "plain"): jpeg()}, about(found))
    return desk.file(found).ticket_id


def close(desk, ticket_id: str) -> None:
    for action in ("accept", "handle", "feed_back", "close"):
        desk.move(ticket_id, action, by="李四")


def crash(number: int = 0, **more):
    found = incident(number, hazard="blockage", **more)
    return replace(found, trail={"kind": "crash"})


def test_evidence_is_kept_for_its_dutys_days_after_the_closing(store, desk, sweep, clock):
    found = crash()
    ticket_id = filed(store, desk, found)
    clock.move_to(NOON + 5 * DAY)
    close(desk, ticket_id)
    clock.move_to(NOON + 15 * DAY - 60)
    assert sweep.run().deleted == []
    clock.move_to(NOON + 15 * DAY + 60)
    assert sweep.run().deleted == [name_of(found, "plain")]
    (link,) = store.ledger.deletions()
    assert link.said["ticket_id"] == ticket_id
    assert link.said["rule"] == "blockage/crash: 10 days after its ticket was done"
    assert link.said["found"] == "as kept"
    assert list(store.folder.names()) == []
    assert sweep.run().deleted == []
    assert len(store.ledger.deletions()) == 1


def test_a_duty_that_says_nothing_keeps_evidence_for_ninety_days(store, desk, sweep, clock):
    close(desk, filed(store, desk, incident()))
    clock.move_to(NOON + 90 * DAY - 60)
    assert sweep.run().deleted == []
    clock.move_to(NOON + 90 * DAY + 60)
    assert len(sweep.run().deleted) == 1


def test_as_long_as_a_ticket_is_open_its_evidence_stays(store, desk, sweep, clock):
    filed(store, desk, crash())
    clock.move_to(NOON + 1000 * DAY)
    (due,) = sweep.dues()
    assert (due.delete_at, due.rule) == (None, "its ticket is open")
    assert sweep.run().deleted == []


def test_a_ticket_on_hold_keeps_its_evidence_until_it_is_released(store, desk, sweep, clock):
    ticket_id = filed(store, desk, crash())
    close(desk, ticket_id)
    assert desk.evidence.hold(ticket_id, by="王五", note="诉讼")
    assert not desk.evidence.hold(ticket_id, by="赵六")
    clock.move_to(NOON + 1000 * DAY)
    assert sweep.run().deleted == []
    assert desk.evidence.holds()[ticket_id].by == "王五"
    assert desk.evidence.release(ticket_id, by="王五")
    assert not desk.evidence.release(ticket_id, by="王五")
    assert len(sweep.run().deleted) == 1
    steps = [(one.action, one.by) for one in desk.ticket(ticket_id).steps[-2:]]
    assert steps == [("hold_evidence", "王五"), ("release_evidence", "王五")]


def test_a_hold_that_comes_while_a_sweep_runs_still_counts(store, desk, sweep, clock, monkeypatch):
    tickets = {filed(store, desk, crash(number, east_m=300.0 * number)) for number in (1, 2)}
    for ticket_id in tickets:
        close(desk, ticket_id)
    clock.move_to(NOON + 30 * DAY)
    delete = store.delete

    def holding(item, rule):
        for other in tickets - {item.ticket_id}:
            desk.evidence.hold(other, by="王五")
        delete(item, rule)

    monkeypatch.setattr(store, "delete", holding)
    swept = sweep.run()
    assert len(swept.deleted) == 1
    (item,) = store.ledger.items()
    assert list(desk.evidence.holds()) == [item.ticket_id]


def test_a_ticket_that_was_opened_again_keeps_what_it_had(store, desk, sweep, clock):
    found = crash()
    ticket_id = filed(store, desk, found)
    close(desk, ticket_id)
    sweep.run()
    desk.update(replace(found, last_seen_at=NOON + 200))
    assert desk.ticket(ticket_id).open
    clock.move_to(NOON + 30 * DAY)
    assert sweep.run().deleted == []


def test_evidence_without_a_ticket_goes_after_its_days_too(store, sweep, clock):
    found = crash()
    store.keep({name_of(found, "plain"): jpeg()}, about(found))
    clock.move_to(NOON + 10 * DAY + 60)
    assert len(sweep.run().deleted) == 1
    assert store.ledger.deletions()[0].said["rule"] == "blockage/crash: 10 days after it was made"


def test_a_ticket_that_has_left_redis_is_remembered(store, desk, sweep, clock, new_desk, duties):
    """The archive takes closed tickets out of Redis; what was known of them still counts."""
    ticket_id = filed(store, desk, crash())
    clock.move_to(NOON + 5 * DAY)
    close(desk, ticket_id)
    sweep.run()
    empty = Sweep(store, new_desk().evidence, duties, clock)
    clock.move_to(NOON + 15 * DAY - 60)
    assert empty.run().deleted == []
    clock.move_to(NOON + 15 * DAY + 60)
    assert len(empty.run().deleted) == 1
    assert store.ledger.deletions()[0].said["ticket_id"] == ticket_id


def test_a_ticket_seen_open_and_then_gone_is_kept_from_when_it_was_missed(
    store, desk, sweep, clock, new_desk, duties
):
    filed(store, desk, crash())
    sweep.run()
    clock.move_to(NOON + 100 * DAY)
    empty = Sweep(store, new_desk().evidence, duties, clock)
    assert empty.run().deleted == []
    clock.move_to(NOON + 110 * DAY + 60)
    assert len(empty.run().deleted) == 1


def test_without_redis_nothing_is_deleted(store, tmp_path, duties, clock):
    found = crash()
    store.keep({name_of(found, "plain"): jpeg()}, about(found))
    far = Redis(unix_socket_path=str(tmp_path / "nobody.sock"), retry=Retry(NoBackoff(), 0))
    away = Sweep(store, Desk(far, small_town(), clock=clock).evidence, duties, clock)
    clock.move_to(NOON + 1000 * DAY)
    with pytest.raises(DeskUnavailableError):
        away.run()
    assert len(store.ledger.items()) == 1


def test_a_kill_between_picture_and_record_leaves_nothing_for_ever(tmp_path, store, sweep, clock):
    killed(tmp_path, "before record")
    ((name, _),) = store.folder.names()
    os.utime(store.folder.root / name, (NOON, NOON))
    clock.move_to(NOON + 300)
    assert sweep.run().adopted == []  # a writer may still be about it
    clock.move_to(NOON + 3600)
    assert sweep.run().adopted == [name]
    (item,) = store.ledger.items()
    assert item.made_at == NOON
    clock.move_to(NOON + 91 * DAY)
    assert sweep.run().deleted == [name]
    assert store.ledger.deletions()[0].said["found"] == "as kept"
    assert list(store.folder.names()) == []


def test_what_a_killed_writer_left_half_written_is_cleared_away(store, sweep, clock):
    half = store.folder.root / ".new-abc"
    half.mkdir(parents=True)
    (half / "0").write_bytes(b"half a pict")
    os.utime(half, (NOON, NOON))
    clock.move_to(NOON + 3600)
    sweep.run()
    assert not half.exists()


@pytest.mark.parametrize("where", ["before erasing", "after erasing"])
def test_a_killed_deletion_is_ended_by_the_next_sweep(tmp_path, store, sweep, where):
    killed(tmp_path, where)
    assert len(sweep.run().deleted) == 1
    assert len(store.ledger.deletions()) == 1
    assert store.ledger.items() == []
    assert list(store.folder.names()) == []


def test_a_file_that_somebody_else_removed_is_missed_and_recorded(store, desk, sweep, clock):
    found = incident()
    filed(store, desk, found)
    (store.folder.root / name_of(found, "plain")).unlink()
    clock.move_to(NOON + 3600)
    with capture_logs() as logs:
        assert sweep.run().missing == [name_of(found, "plain")]
    assert "evidence.missing_file" in [one["event"] for one in logs]
    assert store.ledger.deletions()[0].said["found"] == "missing"


def test_several_sweeps_at_once_delete_and_record_everything_once(store, desk, sweep, clock):
    for number in range(12):
        close(desk, filed(store, desk, crash(number, east_m=60.0 * number)))
    clock.move_to(NOON + 30 * DAY)
    threads = [threading.Thread(target=sweep.run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [link.said["name"] for link in store.ledger.deletions()]
    assert len(names) == len(set(names)) == 12
    assert store.ledger.verify()["deletions"].broken == ""


def test_the_keeper_sweeps_by_itself_and_tells_what_keeps_it_from_it(
    store, desk, sweep, clock, monkeypatch
):
    close(desk, filed(store, desk, crash()))
    keeper, stop = Keeper(store, sweep, clock), threading.Event()
    clock.move_to(NOON + 30 * DAY)
    monkeypatch.setattr(sweep, "run", lambda: (_ for _ in ()).throw(DeskUnavailableError("away")))
    keeper.round(stop)
    assert store.trouble == "away"
    assert len(store.ledger.items()) == 1
    monkeypatch.undo()
    keeper.round(stop)
    assert len(store.ledger.items()) == 1  # not at once again
    clock.move_to(clock.now() + 3600)
    keeper.round(stop)
    assert store.trouble == ""
    assert store.ledger.items() == []


def test_the_keeper_waits_with_its_first_sweep_and_ends_when_told(store, sweep, clock):
    stop, beats = threading.Event(), []

    def beat():
        beats.append(clock.now())
        if len(beats) > FIRST_SWEEP_S:
            stop.set()

    Keeper(store, sweep, clock).run(stop, beat)
    assert stop.is_set()


def test_a_filers_pictures_stand_in_the_ledger_and_a_full_ledger_costs_no_ticket(
    tmp_path, store, desk, clock, monkeypatch
):
    nobody = Snapshot(np.zeros((90, 160, 3), np.uint8), np.zeros((0, 4), np.float32), [])
    with Outbox(tmp_path / "outbox.sqlite", clock) as outbox:
        filer = Filer(outbox, SETTINGS, tmp_path, store=store)
        filer.file(incident(1), lambda: nobody)
        assert len(store.ledger.items()) == 2

        def full(_items):
            raise EvidenceError("disk full")

        monkeypatch.setattr(store.ledger, "add", full)
        filer.file(incident(2, east_m=600.0), lambda: nobody)
        outbox.send(desk)
    with_picture, without = sorted(desk.tickets(), key=lambda one: -len(one.evidence))
    assert len(with_picture.evidence) == 1
    assert without.evidence == ()
    assert store.trouble == "disk full"


def test_nobody_reads_what_the_sweep_deleted(store, desk, sweep, clock):
    found = crash()
    close(desk, filed(store, desk, found))
    clock.move_to(NOON + 30 * DAY)
    sweep.run()
    with pytest.raises(UnknownEvidenceError, match="was deleted: blockage/crash: 10 days"):
        store.read(name_of(found, "plain"), READER)


def test_pictures_of_reports_and_of_feedback_go_with_their_ticket(store, sweep, desk, clock):
    """Not while it is open or held; then as long after its end as its duty says."""
    said = report(hazard="blockage", kind="crash")
    pictures = PictureKeeper(lambda seen: Snapshot(seen, np.zeros((0, 4)), []), store, SETTINGS)
    picture = noise()
    first = pictures.of_report(said, 1, picture)
    ticket = desk.ticket(desk.file_report(replace(said, pictures=(first,))).ticket_id)
    desk.move(ticket.ticket_id, "accept", by="李四")
    done = Feedback(desk, pictures).done(ticket.ticket_id, by="李四", picture=picture)
    names = sorted([first.plain, done.steps[-1].facts["picture"]])
    clock.move_to(clock.now() + 100 * DAY)
    assert sweep.run().deleted == []
    assert {item.ticket_id for item in store.ledger.items()} == {ticket.ticket_id}
    desk.move(ticket.ticket_id, "close", by="李四")
    desk.evidence.hold(ticket.ticket_id, by="李四")
    clock.move_to(clock.now() + 10 * DAY)
    assert sweep.run().deleted == []
    desk.evidence.release(ticket.ticket_id, by="李四")
    assert sorted(sweep.run().deleted) == names
    assert {link.said["found"] for link in store.ledger.deletions()} == {"as kept"}
