"""Days off and days that make up for them: those announced, and a town's own table."""

from __future__ import annotations

from datetime import date

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import HolidaysError
from pipeline.town import Holidays, load_holidays

UNKNOWN = 2190
"""A year that nobody has announced."""


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "holidays.yaml"
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.mark.parametrize(
    "day, worked",
    [
        (date(2026, 10, 1), False),
        (date(2026, 10, 10), True),  # a Saturday
        (date(2026, 10, 11), False),
        (date(2026, 10, 12), True),
        (date(2025, 1, 26), True),  # the Sunday before the New Year
        (date(2025, 1, 28), False),
    ],
)
def test_announced_days_are_known(day, worked):
    assert Holidays().worked(day) is worked


def test_of_an_unknown_year_weekdays_are_worked_and_that_is_told_once():
    days = Holidays()
    assert not days.known(UNKNOWN)
    with structlog.testing.capture_logs() as logs:
        worked = [days.worked(date(UNKNOWN, 3, 1 + n)) for n in range(14)]
    assert worked == [date(UNKNOWN, 3, 1 + n).weekday() < 5 for n in range(14)]
    assert [(one["event"], one["year"]) for one in logs] == [("holidays_unknown", UNKNOWN)]


def test_a_towns_own_table_stands_for_its_years_alone(table):
    days = load_holidays(table("2190:\n  holidays: [2190-03-01]\n  workdays: [2190-03-06]\n"))
    assert days.known(UNKNOWN)
    assert not days.worked(date(UNKNOWN, 3, 1))  # a Monday
    assert days.worked(date(UNKNOWN, 3, 6))  # a Saturday
    assert not days.worked(date(UNKNOWN, 3, 7))
    assert not days.worked(date(2026, 10, 1))


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "no table of holidays"),
        ("[]", "no table of holidays"),
        ("next: {holidays: []}", "is no year"),
        ("2027: {holiday: []}", "did you mean holidays"),
        ("2027: {holidays: [soon]}", "2027.holidays"),
        ("2027: {holidays: [2026-01-01]}", "another year"),
        ("2027: {holidays: [2027-01-01], workdays: [2027-01-01]}", "both holidays and workdays"),
        ("2027: {holidays: [", "is not YAML"),
    ],
)
def test_a_wrong_table_is_refused_with_file_field_and_what_is_allowed(table, text, said):
    with pytest.raises(HolidaysError) as refused:
        load_holidays(table(text))
    assert "holidays.yaml" in str(refused.value)
    assert said in str(refused.value)


@given(st.dates(date(1990, 1, 1), date(2200, 12, 31)))
def test_every_day_is_worked_or_not(day):
    assert Holidays().worked(day) in (True, False)
