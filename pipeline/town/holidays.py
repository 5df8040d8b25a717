"""Which days are worked in China: public holidays, and weekend days that make up for them.

The State Council announces each year's days in the autumn before. They come with the package
``chinesecalendar``; a town that can't wait for its next version, or has days of its own, writes a
file:

    2027:
      holidays: [2027-01-01, 2027-02-05]    # on days that would be worked
      workdays: [2027-02-20]                # weekend days that are worked

A year in the file stands for itself alone. In a year that neither knows, Monday to Friday are
worked.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import chinese_calendar
import structlog
from pydantic import BaseModel, ConfigDict, model_validator

from pipeline.errors import HolidaysError
from pipeline.town.files import checked, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SATURDAY = 5

log = structlog.get_logger(__name__)


@lru_cache(4096)
def _announced(day: dt.date) -> bool | None:
    """None for a year whose days aren't known; each limit of each filing asks for some days."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return None


class Year(BaseModel):
    """The days of one year that are not as their weekday says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    holidays: frozenset[dt.date] = frozenset()
    workdays: frozenset[dt.date] = frozenset()

    @model_validator(mode="after")
    def _differ(self) -> Year:
        both = sorted(str(day) for day in self.holidays & self.workdays)
        if both:
            raise ValueError(f"both holidays and workdays: {', '.join(both)}")
        return self


class Holidays:
    """Knows of every day whether it is worked."""

    def __init__(self, years: Mapping[int, Year] | None = None) -> None:
        """``years``: those that a town has written down."""
        self._years = dict(years or {})
        self._unknown: set[int] = set()

    def known(self, year: int) -> bool:
        """Whether the days of this year were announced, as far as we know."""
        if year in self._years:
            return True
        try:
            chinese_calendar.is_workday(dt.date(year, 1, 1))
        except NotImplementedError:
            return False
        return True

    def worked(self, day: dt.date) -> bool:
        """Whether people work on this day; of an unknown year by its weekday, and says so once."""
        weekday = day.weekday() < _SATURDAY
        own = self._years.get(day.year)
        if own is not None:
            return day in own.workdays or (weekday and day not in own.holidays)
        announced = _announced(day)
        if announced is None:
            self._tell(day.year)
            return weekday
        return announced

    def _tell(self, year: int) -> None:
        if year not in self._unknown:
            self._unknown.add(year)
            log.warning(
                "holidays_unknown",
                year=year,
                effect="working time is counted from Monday to Friday",
                remedy="name a file with that year as town.holidays, or update chinesecalendar",
            )


def load_holidays(path: Path) -> Holidays:
    """Read a town's own days; raises HolidaysError that names file, field and what is allowed."""
    values: Any = read_yaml(path, HolidaysError)
    if not isinstance(values, dict) or not values:
        raise HolidaysError(
            "is no table of holidays",
            file=path,
            found=type(values).__name__,
            allowed="a mapping from year to holidays and workdays",
        )
    return Holidays({_year(year, path): _days(year, days, path) for year, days in values.items()})


def _year(year: object, path: Path) -> int:
    if not isinstance(year, int) or isinstance(year, bool) or not 2000 <= year <= 2200:
        raise HolidaysError("is no year", file=path, found=repr(year), allowed="e.g. 2027")
    return year


def _days(year: int, days: Any, path: Path) -> Year:
    found = checked(Year, days, HolidaysError, file=path, where=str(year))
    for day in sorted(found.holidays | found.workdays):
        if day.year != year:
            raise HolidaysError(
                "is a day of another year",
                file=path,
                where=str(year),
                found=str(day),
                allowed=f"days of {year}",
            )
    return found
