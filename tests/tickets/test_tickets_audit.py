"""Lines of the audit are only added, each in its place, and whoever changes one is found out."""

from __future__ import annotations

import multiprocessing
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from archive_town import Place
from redis import Redis
from ticket_town import NOON, small_town

from pipeline.clock import ManualClock
from pipeline.errors import ArchiveError
from pipeline.tickets import Archive


def said(place: Place, count: int, who: str = "王") -> None:
    for number in range(count):
        place.audit.record(
            "tickets accept", f"YL-{number}", who=who, origin="10.0.0.7", details={"备注": "好"}
        )


def test_a_line_says_who_when_from_where_what_and_what_came_of_it(place: Place):
    assert (
        place.audit.record(
            "evidence read", "a.jpg", who="李", origin="10.0.0.8", result="refused: not your grid"
        )
        == 1
    )
    (line,) = place.audit.lines()
    assert (line.who, line.origin, line.action, line.subject, line.result, line.at) == (
        "李", "10.0.0.8", "evidence read", "a.jpg", "refused: not your grid", NOON + 1,
    )  # fmt: skip


def test_lines_move_to_the_archive_and_the_chain_goes_on(place: Place):
    said(place, 7)
    assert place.archivist.round().audit == 7
    assert place.redis.xlen(place.keys.audit()) == 0
    said(place, 3, who="李")
    verdict = place.audit.verify()
    assert (verdict.lines, verdict.problem) == (10, None)
    assert [line.number for line in place.audit.lines(limit=4)] == [10, 9, 8, 7]
    assert [line.number for line in place.audit.lines(who="王", limit=2)] == [7, 6]
    assert [line.number for line in place.audit.lines(subject="YL-2")] == [10, 3]
    assert [line.number for line in place.audit.all()] == list(range(1, 11))


def test_ended_before_they_were_taken_out_no_line_is_told_twice(place: Place):
    said(place, 3)
    entries = place.redis.xrange(place.keys.audit())
    place.archivist.round()
    place.redis.delete(place.keys.audit())
    for name, fields in entries:  # as if they were still there
        place.redis.xadd(place.keys.audit(), fields, id=name)
    assert [line.number for line in place.audit.all()] == [1, 2, 3]
    assert place.audit.verify().problem is None
    place.archivist.round()
    assert place.archive.counts()["audit"] == 3


def test_after_redis_was_lost_it_goes_on_where_the_archive_ends(place: Place):
    said(place, 4)
    place.archivist.round()
    place.redis.delete(place.keys.audit(), place.keys.audit("head"))
    assert place.another().audit.record("x", "y", who="王", origin="here") == 5
    assert place.audit.verify().problem is None


def record_often(socket_path: str, prefix: str, file: str, who: str) -> None:
    with (
        Redis(unix_socket_path=socket_path, decode_responses=True) as redis,
        closing(Archive(None, Path(file), prefix)) as archive,
    ):
        said(Place(redis, small_town(), ManualClock(NOON), archive, prefix), 50, who)


@pytest.mark.parametrize("archive_url", [None], ids=["sqlite"])
def test_several_boxes_write_one_chain(place: Place, redis: Redis, tmp_path):
    context = multiprocessing.get_context("spawn")
    path = redis.connection_pool.connection_kwargs["path"]
    file = str(tmp_path / "archive.sqlite")
    boxes = [
        context.Process(target=record_often, args=(path, place.prefix, file, f"box-{n}"))
        for n in range(2)
    ]
    for box in boxes:
        box.start()
    for box in boxes:
        box.join(60)
        assert box.exitcode == 0
    assert place.audit.verify().lines == 100
    assert place.audit.verify().problem is None
    assert len(place.audit.lines(who="box-1", limit=999)) == 50


@pytest.mark.parametrize("change", ["UPDATE audit SET who = 'x'", "DELETE FROM audit"])
def test_the_database_itself_refuses_to_change_a_line(
    place: Place, archive_url, tmp_path, change: str
):
    said(place, 2)
    place.archivist.round()
    with pytest.raises((sqlite3.IntegrityError, psycopg.errors.RaiseException), match="append"):
        run(archive_url, tmp_path, change)
    assert place.audit.verify().problem is None


CHANGES = {
    "a changed line": "UPDATE audit SET content = replace(content, '10.0.0.7', '10.0.0.9') "
    "WHERE number = 3",
    "a line taken out": "DELETE FROM audit WHERE number = 3",
    "the last line taken out": "DELETE FROM audit WHERE number = 5",
}


@pytest.mark.parametrize("name", CHANGES)
def test_tampering_shows(place: Place, archive_url, tmp_path, name: str):
    said(place, 5)
    noted = place.audit.verify()
    place.archivist.round()
    place.archive.close()
    if archive_url is None:
        run(archive_url, tmp_path, "DROP TRIGGER audit_no_update")
        run(archive_url, tmp_path, "DROP TRIGGER audit_no_delete")
    else:
        run(archive_url, tmp_path, "DROP TRIGGER audit_no_change ON audit")
    run(archive_url, tmp_path, CHANGES[name])
    assert place.audit.verify().problem is not None
    assert place.audit.verify((noted.lines, noted.head)).problem is not None


def test_a_chain_made_anew_shows_beside_what_was_noted(place: Place):
    said(place, 3)
    noted = place.audit.verify()
    place.redis.delete(place.keys.audit(), place.keys.audit("head"))
    said(place.another(), 4, who="someone else")
    assert place.audit.verify().problem is None  # by itself it is whole
    problem = place.audit.verify((noted.lines, noted.head)).problem
    assert problem == "line 3 has another hash than was noted"


def test_a_line_that_is_another_in_the_archive_is_not_thrown_away(place: Place):
    said(place, 2)
    place.archivist.round()
    place.redis.delete(place.keys.audit(), place.keys.audit("head"))
    place.redis.xadd(place.keys.audit(), {
        "json": '{"number":2,"at":1,"who":"x","action":"a","subject":"s"}', "hash": "0" * 64,
    }, id="2-0")  # fmt: skip
    with pytest.raises(ArchiveError, match="line 2 of the audit"):
        place.archivist.round()
    assert place.redis.xlen(place.keys.audit()) == 1


def run(url: str | None, folder, statement: str) -> None:
    if url is None:
        with closing(sqlite3.connect(folder / "archive.sqlite")) as db, db:
            db.execute(statement)
    else:
        with psycopg.connect(url) as db:
            db.execute(statement)
