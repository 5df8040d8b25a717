"""A small storm of filings; the large one is ``python -m pipeline.rehearsal.storm``."""

from __future__ import annotations

from pipeline.rehearsal.storm import Plan, storm


def test_a_storm_loses_nothing_doubles_nothing_and_keeps_the_order(tmp_path):
    plan = Plan(processes=4, filings=1500, places=60, duplicates=0.2, seed=3)
    outcome = storm(plan, tmp_path)
    assert outcome.problems == []
    assert outcome.tickets == 60
    assert outcome.faults.get("cut", 0) >= 1


def test_the_plan_files_each_incident_at_least_once_and_so_many_again():
    plan = Plan(processes=3, filings=100, places=7, duplicates=0.2)
    filed = [number for box in range(3) for number in plan.of_box(box)]
    assert len(filed) == 100
    assert set(filed) == set(range(80))
