"""How a day of a camera was looked at, drawn as a strip and said in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from pipeline.console import words
from pipeline.console.context import Refused
from pipeline.tickets.coverage_strip import Slot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pipeline.console.words import Language
    from pipeline.ingest.coverage import Reason
    from pipeline.tickets.coverage_strip import Strip

Mark = Literal["good", "part", "missed", "none", "ahead"]

SLOTS = 96  # quarters of an hour
GOOD_FROM = 0.9
"""Share of the looks asked for that were done, from which on a quarter counts as looked at."""
DAY_S = 86400.0
_CHINA = timezone(timedelta(hours=8))
# Drawn with another height each, so that nobody has to tell colours apart.
_HEIGHTS: Mapping[Mark, int] = {"good": 10, "part": 7, "missed": 4, "none": 1, "ahead": 0}


@dataclass(frozen=True, slots=True)
class Bar:
    """A run of equal slots: where it begins and how wide it is (in slots), what it says."""

    x: int
    width: int
    height: int
    mark: Mark


@dataclass(frozen=True, slots=True)
class Line:
    """One camera's day. ``says`` is what the strip shows, in words."""

    row: Mapping[str, Any]
    strip: Strip
    bars: Sequence[Bar]
    gap: str
    gap_from: str
    why: str
    says: str

    @property
    def never(self) -> bool:
        return self.strip.done == 0


def day_of(text: str, now: float) -> date:
    """The day somebody asks for, today without; not one that hasn't come. Raises Refused (422)."""
    today = datetime.fromtimestamp(now, _CHINA).date()
    try:
        day = date.fromisoformat(text) if text else today
        begin_of(day)
    except (ValueError, OverflowError):
        raise Refused(422, ("日期有误", "not a day; allowed: 2026-11-23")) from None
    return min(day, today)


def begin_of(day: date) -> float:
    """When a day begins in China (Unix seconds)."""
    return datetime(day.year, day.month, day.day, tzinfo=_CHINA).astimezone(UTC).timestamp()


def line_of(row: Mapping[str, Any], strip: Strip, language: Language) -> Line:
    gap = words.span(strip.longest_gap_s, language)
    gap_from = _time(strip.gap_from)
    why = "、".join(
        f"{words.name(words.SKIPPED, reason, language)} {count}"
        for reason, count in strip.skipped.items()
    )
    if not any(slot.over for slot in strip.slots):
        says = words.pick(("还没有开始", "it has not begun"), language)
    elif not strip.done:
        says = words.pick(("从未看过", "never looked at"), language)
    else:
        skipped = strip.asked - strip.done
        says = words.pick(
            (
                f"看了 {strip.done} 次，漏 {skipped} 次；最长空档 {gap}，自 {gap_from} 起",
                f"{strip.done} looks, {skipped} skipped; longest gap {gap}, from {gap_from}",
            ),
            language,
        )
    known = {"name": None, **row}
    return Line(known, strip, bars_of(strip.slots), gap, gap_from, why, says)


def by_need(lines: Sequence[Line]) -> list[Line]:
    """Those that nobody ever looked at first, then by their longest gap."""
    return sorted(
        lines,
        key=lambda line: (not line.never, -line.strip.longest_gap_s, line.row["camera_id"]),
    )


def mark_of(slot: Slot) -> Mark:
    if not slot.over:
        return "ahead"
    if not slot.asked:
        return "none"
    if not slot.done:
        return "missed"
    return "good" if slot.done >= GOOD_FROM * slot.asked else "part"


def bars_of(slots: Sequence[Slot]) -> list[Bar]:
    bars, at = [], 0
    for mark, run in groupby(slots, mark_of):
        width = len(list(run))
        bars.append(Bar(at, width, _HEIGHTS[mark], mark))
        at += width
    return bars


def hours_of(strip: Strip) -> list[Slot]:
    """The strip's quarters added up, hour by hour, as far as the day has come."""
    hours = []
    each = len(strip.slots) // 24
    for first in range(0, len(strip.slots), each):
        part = strip.slots[first : first + each]
        reasons: Counter[Reason] = Counter()
        for slot in part:
            reasons.update(slot.skipped)
        if part[0].over:
            done = sum(slot.done for slot in part)
            hours.append(Slot(part[0].at, done, reasons, over=True))
    return hours


def _time(unix_s: float | None) -> str:
    return "" if unix_s is None else datetime.fromtimestamp(unix_s, _CHINA).strftime("%H:%M")
