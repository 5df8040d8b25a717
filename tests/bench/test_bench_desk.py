"""What `gridwatch bench desk` measures, on a few filings."""

from __future__ import annotations

import pytest

from pipeline.bench import DeskSize, Figure, bench_desk
from pipeline.clock import SystemClock


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


def test_a_rate_has_a_target_that_it_must_reach():
    def rate(value: float) -> Figure:
        return Figure("x", value, None, "1/s", "", 1000.0, of_ratio=False, at_least=True)

    assert rate(1000.0).met is True
    assert rate(999.9).met is False
