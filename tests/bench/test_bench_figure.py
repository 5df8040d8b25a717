"""What a line of a benchmark says."""

import pytest

from pipeline.bench import Figure


def figure(value, floor, **more):
    return Figure("cpu", value, floor, "%", "what it means", **more)


def test_a_ratio_is_of_figure_and_floor():
    assert figure(3.0, 2.0).row()["ratio"] == 1.5


@pytest.mark.parametrize("floor", [None, 0.0])
def test_without_a_floor_there_is_no_ratio_and_no_verdict_on_it(floor):
    row = figure(3.0, floor, target=1.15).row()
    assert row["ratio"] is None
    assert row["met"] is None


@pytest.mark.parametrize("value, met", [(2.3, True), (2.31, False)])
def test_a_target_is_a_limit_of_the_ratio(value, met):
    assert figure(value, 2.0, target=1.15).met is met


@pytest.mark.parametrize("value, met", [(3.0, True), (3.1, False)])
def test_or_of_the_figure_itself(value, met):
    assert figure(value, 1.0, target=3.0, of_ratio=False).met is met


def test_what_has_no_target_is_only_shown():
    assert figure(3.0, 2.0).met is None
