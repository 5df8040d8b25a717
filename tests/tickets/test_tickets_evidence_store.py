"""Evidence is written whole or not at all, read only with a record, and no name leads out."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from evidence_help import BLOCKAGE, NAME, READER, jpeg
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from ticket_town import NOON

from pipeline.clock import ManualClock
from pipeline.errors import EvidenceError, UnknownEvidenceError
from pipeline.settings import EvidenceSettings
from pipeline.tickets import EvidenceStore
from pipeline.tickets.store import Item, folder, media_type_of
from pipeline.tickets.store.names import is_name

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = EvidenceSettings(min_free_mb=0)
CLIP = NAME.replace("plain.jpg", "clip.mp4")


@pytest.fixture
def store(tmp_path, clock):
    store = EvidenceStore(tmp_path, SETTINGS, clock)
    yield store
    store.close()


def files_in(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file() and "sqlite" not in file.name]


def test_what_was_kept_is_read_again_and_the_read_stands_in_the_record(store, clock):
    store.keep({NAME: jpeg()}, BLOCKAGE)
    clock.move_to(NOON + 60)
    content = store.read(NAME, READER)
    assert (content.data, content.media_type) == (jpeg(), "image/jpeg")
    (link,) = store.ledger.reads([BLOCKAGE.owner])
    assert link.said["at"] == NOON + 60
    assert (link.said["who"], link.said["from"], link.said["way"]) == (
        "李四",
        "10.0.0.7",
        "console",
    )
    assert link.said["name"] == NAME
    assert store.ledger.reads(["somebody-else"]) == []


def test_every_read_is_a_row_of_its_own_among_threads_and_stores(store, tmp_path, clock):
    store.keep({NAME: jpeg()}, BLOCKAGE)
    other = EvidenceStore(tmp_path, SETTINGS, clock)
    threads = [
        threading.Thread(target=lambda one=one: [one.read(NAME, READER) for _ in range(5)])
        for one in (store, store, other, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert [link.number for link in store.ledger.reads()] == list(range(1, 21))
    assert store.ledger.verify()["reads"].broken == ""


def test_a_read_that_cannot_be_recorded_gives_nothing(store, monkeypatch):
    store.keep({NAME: jpeg()}, BLOCKAGE)

    def full(_said):
        raise EvidenceError("disk full")

    monkeypatch.setattr(store.ledger, "note_read", full)
    with pytest.raises(EvidenceError, match="disk full"):
        store.read(NAME, READER)


def test_a_changed_file_is_not_given_out_as_evidence(store):
    store.keep({NAME: jpeg()}, BLOCKAGE)
    (store.folder.root / NAME).write_bytes(jpeg(2))
    with pytest.raises(EvidenceError, match="not what was kept"):
        store.read(NAME, READER)
    assert store.ledger.reads() == []


def test_the_end_of_a_name_alone_says_what_it_is():
    assert media_type_of(NAME) == "image/jpeg"
    assert media_type_of(CLIP) == "video/mp4"


@pytest.mark.parametrize(
    "name",
    [
        "../secret.jpg",
        "2026/11/23/../../../secret-plain.jpg",
        "/etc/passwd",
        "2026/11/23/a-plain.html",
        "2026/11/23/a-plain.jpg\n",
        "2026/11/23/.new-x-plain.jpg",
        "２０２６/11/23/a-plain.jpg",
        "2026/11/23/a-plain.jpg/..",
        "",
        "2026\\11\\23\\a-plain.jpg",
    ],
)
def test_no_other_name_reaches_the_disk(store, tmp_path, name):
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    with pytest.raises(UnknownEvidenceError):
        store.read(name, READER)
    with pytest.raises(EvidenceError):
        store.keep({name: b"x"}, BLOCKAGE)
    assert files_in(tmp_path) == [tmp_path / "secret.jpg"]
    assert store.ledger.items() == []


@given(name=st.text("0123456789/.-ab\\%\0", max_size=40) | st.from_regex(r"[0-9/]{11}.*-a\.jpg"))
def test_what_counts_as_a_name_has_no_step_up_in_it(name):
    if is_name(name):
        assert ".." not in name.split("/")
        assert not name.startswith("/")
        assert len(name.split("/")) == 4


def test_a_link_in_the_store_leads_nowhere(store, tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    path = store.folder.root / NAME
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(UnknownEvidenceError):
        store.read(NAME, READER)
    (store.folder.root / "2025").symlink_to(tmp_path)
    assert list(store.folder.names()) == []


def test_a_full_disk_takes_neither_a_part_nor_a_record_and_the_operator_is_told(
    store, tmp_path, monkeypatch
):
    write, calls = folder._write, []

    def fills_up(path, content):
        calls.append(path)
        if len(calls) == 2:
            path.write_bytes(content[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, content)

    monkeypatch.setattr(folder, "_write", fills_up)
    with capture_logs() as logs, pytest.raises(EvidenceError, match="No space left"):
        store.keep({NAME: jpeg(), CLIP: b"clip"}, BLOCKAGE)
    assert files_in(tmp_path) == []
    assert store.ledger.items() == []
    assert "No space left" in store.trouble
    assert [one["event"] for one in logs] == ["evidence.trouble"]
    with capture_logs() as logs:
        store.keep({NAME: jpeg(), CLIP: b"clip"}, BLOCKAGE)
    assert store.trouble == ""
    assert [one["event"] for one in logs] == ["evidence.goes_on"]
    assert len(files_in(tmp_path)) == 2


def test_files_without_a_place_in_the_ledger_are_taken_back(store, tmp_path, monkeypatch):
    def full(_items):
        raise EvidenceError("disk full")

    monkeypatch.setattr(store.ledger, "add", full)
    with pytest.raises(EvidenceError, match="disk full"):
        store.keep({NAME: jpeg(), CLIP: b"clip"}, BLOCKAGE)
    assert files_in(tmp_path) == []


def test_a_full_disk_of_its_own_is_survived_by_the_ledger_too(tmp_path, clock):
    """SQLite's own limit stands in for a disk: the file may not grow by one more page."""
    store = EvidenceStore(tmp_path, SETTINGS, clock)
    store.keep({NAME: jpeg()}, BLOCKAGE)
    db = store.ledger._database._db
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")

    def fill() -> None:
        for number in range(2000):
            store.keep({f"2026/11/23/x{number}-plain.jpg": b"x"}, BLOCKAGE)

    with pytest.raises(EvidenceError, match="full"):
        fill()
    kept = {item.name for item in store.ledger.items()}
    assert {name for name, _ in store.folder.names()} == kept
    store.close()


def test_a_deletion_says_what_was_deleted_when_and_by_which_rule(store, clock):
    store.keep({NAME: jpeg()}, BLOCKAGE)
    (item,) = store.ledger.items()
    clock.move_to(NOON + 100)
    store.delete(item, "blockage/crash: 90 days")
    (link,) = store.ledger.deletions()
    assert link.said["name"] == NAME
    assert link.said["sha256"] == item.sha256
    assert link.said["at"] == NOON + 100
    assert link.said["rule"] == "blockage/crash: 90 days"
    assert link.said["found"] == "as kept"
    assert not (store.folder.root / NAME).exists()
    with pytest.raises(UnknownEvidenceError, match="was deleted: blockage/crash: 90 days"):
        store.read(NAME, READER)


def test_a_deletion_tells_when_the_file_was_no_longer_what_had_been_kept(store):
    store.keep({NAME: jpeg(), CLIP: b"clip"}, BLOCKAGE)
    (store.folder.root / NAME).write_bytes(b"other")
    (store.folder.root / CLIP).unlink()
    for item in store.ledger.items():
        store.delete(item, "rule")
    found = {link.said["name"]: link.said["found"] for link in store.ledger.deletions()}
    assert found == {NAME: "changed", CLIP: "missing"}


def with_deletions(store, count: int) -> None:
    for number in range(count):
        store.keep({f"2026/11/23/x{number}-plain.jpg": b"%d" % number}, BLOCKAGE)
    for item in store.ledger.items():
        store.delete(item, "rule")


def test_records_of_deletions_refuse_to_be_changed_or_deleted(store, tmp_path):
    with_deletions(store, 3)
    with sqlite3.connect(tmp_path / "evidence.sqlite") as db:
        for statement in (
            "UPDATE deletions SET said = '{}' WHERE number = 2",
            "DELETE FROM deletions WHERE number = 3",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="only be added"):
                db.execute(statement)
    db.close()


@pytest.mark.parametrize(
    "statement, broken",
    [
        ("UPDATE deletions SET said = replace(said, 'x1', 'y1') WHERE number = 2", "row 2 is not"),
        ("UPDATE deletions SET hash = 'aa' WHERE number = 1", "row 1 is not"),
        ("DELETE FROM deletions WHERE number = 2", "row 2 is missing"),
        ("DELETE FROM deletions WHERE number = 1", "row 1 is missing"),
    ],
)
def test_whoever_forces_a_change_is_found_out(store, tmp_path, statement, broken):
    with_deletions(store, 3)
    assert store.ledger.verify()["deletions"].broken == ""
    with sqlite3.connect(tmp_path / "evidence.sqlite") as db:
        db.execute("DROP TRIGGER deletions_unchanged")
        db.execute("DROP TRIGGER deletions_kept")
        db.execute(statement)
    db.close()
    assert broken in store.ledger.verify()["deletions"].broken


def test_records_cut_off_at_the_end_show_by_the_head_that_was_noted(store, tmp_path):
    with_deletions(store, 3)
    noted = store.ledger.verify()["deletions"]
    with sqlite3.connect(tmp_path / "evidence.sqlite") as db:
        db.execute("DROP TRIGGER deletions_kept")
        db.execute("DELETE FROM deletions WHERE number = 3")
    db.close()
    after = store.ledger.verify()["deletions"]
    assert after.broken == ""
    assert (after.rows, after.head) != (noted.rows, noted.head)


def test_a_damaged_ledger_is_moved_aside_and_nothing_of_the_evidence_is_lost(store, tmp_path):
    store.keep({NAME: jpeg()}, BLOCKAGE)
    store.close()
    (tmp_path / "evidence.sqlite").write_bytes(b"no database " * 1000)
    with pytest.raises(EvidenceError, match="damaged"):
        store.ledger.items()
    assert list(tmp_path.glob("evidence.sqlite.damaged-*"))
    assert store.ledger.items() == []
    assert store.read(NAME, READER).data == jpeg()


KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline.clock import ManualClock
from pipeline.settings import EvidenceSettings
from pipeline.tickets import About, EvidenceStore

folder, name, where = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
store = EvidenceStore(folder, EvidenceSettings(min_free_mb=0), ManualClock(float(sys.argv[4])))
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
about = About(sys.argv[5], "cam-1", "blockage", "crash")
if where == "before record":
    store.ledger.add = die
    store.keep({name: b"picture"}, about)
store.keep({name: b"picture"}, about)
if where == "before erasing":
    store.folder.remove = die
if where == "after erasing":
    store.ledger.end_deletion = die
store.delete(store.ledger.item(name), "the rule")
"""


def killed(folder: Path, where: str) -> None:
    """A process with this store that is killed (-9) at this point."""
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, folder, NAME, where, str(NOON), BLOCKAGE.owner],
        check=False,
        env=os.environ,
    )
    assert ended.returncode == -signal.SIGKILL


@pytest.mark.parametrize("where", ["before erasing", "after erasing"])
def test_a_deletion_that_was_killed_is_ended_and_recorded_once(tmp_path, store, where):
    killed(tmp_path, where)
    assert store.ledger.deletions() == []
    (item,) = store.ledger.begun()
    for _ in range(2):  # two sweepers may find it
        store.end_deletion(item)
    (link,) = store.ledger.deletions()
    assert link.said["rule"] == "the rule"
    assert link.said["found"] == "as kept"
    assert files_in(tmp_path) == []
    assert store.ledger.items() == []


def test_a_writer_that_was_killed_leaves_a_file_but_no_record(tmp_path, store):
    """The sweep finds it; see there."""
    killed(tmp_path, "before record")
    assert [name for name, _ in store.folder.names()] == [NAME]
    assert store.ledger.items() == []


def test_items_say_where_they_are_and_by_what_they_are_kept(store):
    store.keep({NAME: b"12345"}, BLOCKAGE)
    item = store.ledger.item(NAME)
    assert item == Item(
        name=NAME,
        owner=BLOCKAGE.owner,
        camera_id="cam-1",
        hazard="blockage",
        kind="crash",
        sha256="5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5",
        size=5,
        made_at=NOON + 1,
    )


def test_the_last_disk_space_is_kept_for_tickets(tmp_path, clock):
    store = EvidenceStore(tmp_path, EvidenceSettings(min_free_mb=10**9), clock)
    with pytest.raises(EvidenceError, match="kept for tickets"):
        store.keep({NAME: jpeg()}, BLOCKAGE)
    assert files_in(tmp_path) == []
    store.close()


def test_a_folder_that_cannot_be_written_stops_nothing_until_something_is_kept(tmp_path):
    (tmp_path / "evidence").write_text("in the way")
    store = EvidenceStore(tmp_path, SETTINGS, ManualClock(NOON))
    with pytest.raises(EvidenceError):
        store.keep({NAME: jpeg()}, BLOCKAGE)
    assert store.trouble
    store.close()
