"""What `gridwatch bench desk` measures, on a few filings."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from pipeline.bench import DeskSize, Figure, bench_desk
from pipeline.bench.desk import Bench
from pipeline.bench.desk_material import BENCH, MOST, Findings
from pipeline.clock import SystemClock
from pipeline.errors import BenchError
from pipeline.settings import RedisSettings
from pipeline.tickets import Archive, Query, open_redis
from pipeline.tickets.archive.tables import key_of


@pytest.fixture(scope="module")
def measured():
    said = []
    figures = bench_desk(
        DeskSize(filings=40, clients=1, batch=5, opened=100, archived=200),
        clock=SystemClock(),
        tell=lambda what, done, total: said.append((what, done, total)),
    )
    return {figure.name: figure for figure in figures}, said


def test_filings_stand_beside_bare_writes_of_the_same_run(measured):
    figures, said = measured
    for name in ("filings_one_by_one_per_s", "filings_per_s", "outbox_per_s"):
        assert 0 < figures[name].figure < figures[name].floor  # a filing is a write and more
    assert figures["filing_p50"].figure <= figures["filing_p99"].figure
    assert all(0 <= done <= total for _, done, total in said)


def test_open_tickets_take_memory_and_archived_ones_give_it_back(measured):
    figures, _ = measured
    assert 1 < figures["memory_per_open_ticket"].figure < 50
    left = figures["memory_per_archived_ticket"].figure
    assert left < 1024 * figures["memory_per_open_ticket"].figure / 4


def test_every_kind_of_search_is_timed(measured):
    figures, _ = measured
    searches = [name for name in figures if name.startswith("search_")]
    assert len(searches) == 15
    assert all(figures[name].figure > 0 for name in searches)


def test_the_archive_of_the_bench_is_what_archiving_would_have_written(tmp_path):
    file, clock = tmp_path / "archive.sqlite", SystemClock()
    with (
        open_redis(RedisSettings(), tmp_path, fsync=False) as redis,
        closing(Archive(None, file, BENCH)) as archive,
    ):
        said = []
        bench = Bench(
            redis, archive, clock, lambda *told: said.append(told), Findings(clock.now()), tmp_path
        )
        bench.whole_lives(1)
        bench.fill(300)
        there = archive.search(Query(limit=1000))
        assert len(there) == 300 + 20 + 1
        with closing(sqlite3.connect(file)) as db:
            db.row_factory = sqlite3.Row
            for one in there:
                packed = archive.ticket(one.ticket_id)
                for table, order, rows in (
                    ("tickets", "key", [packed.ticket_row()]),
                    ("steps", "number", packed.step_rows()),
                    ("incidents", "incident_id", packed.incident_rows()),
                ):
                    found = db.execute(
                        f"SELECT * FROM {table} WHERE key = ? ORDER BY {order}",
                        (key_of(one.ticket_id),),
                    )
                    assert [dict(row) for row in found] == rows
            assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        for one in there[-100:]:
            edge = 1e-9
            for query in (
                Query(text=one.reason, grid=one.grid),
                Query(text=one.address),
                Query(box=(one.lon - edge, one.lat - edge, one.lon + edge, one.lat + edge)),
                Query(grid=one.grid, hazard=one.hazard, state=one.state, limit=1000),
            ):
                assert one in archive.search(query)
        assert said[-1][1:] == (3, 4)  # the last of the indexes


def test_more_tickets_than_the_town_has_places_for_are_refused():
    with pytest.raises(BenchError, match=f"allowed: up to {MOST}"):
        Findings(0.0, taken=MOST - 5).take(6)
    assert len(Findings(0.0, taken=MOST - 5).take(5)) == 5


def test_a_rate_has_a_target_that_it_must_reach():
    def rate(value: float) -> Figure:
        return Figure("x", value, None, "1/s", "", 1000.0, of_ratio=False, at_least=True)

    assert rate(1000.0).met is True
    assert rate(999.9).met is False
