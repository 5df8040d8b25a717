"""How well the loop closes: the indices of 数字化城市管理, from tickets and their steps.

What each one counts, and where its definition comes from, stands in docs/indices.md. A ticket that
was merged into another is not counted: the other carries on.
"""

from __future__ import annotations

import calendar
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from pipeline.errors import InputError
from pipeline.tickets.archive.tables import day_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipeline.tickets.ticket import Step, Ticket

By = Literal["grid", "department", "hazard", "month"]
BYS: tuple[By, ...] = get_args(By)

Count = Literal[
    "filed",
    "voided",
    "decided",
    "decided_in_time",
    "dispatches",
    "returned",
    "due",
    "handled",
    "handled_in_time",
    "fed_back",
    "reworked",
]
COUNTS: tuple[Count, ...] = get_args(Count)

RATES: dict[str, tuple[str, Callable[[Mapping[str, int]], tuple[int, int]]]] = {
    "handled_in_time_rate": ("按时处置率", lambda n: (n["handled_in_time"], n["due"])),
    "handled_rate": ("处置率", lambda n: (n["handled"], n["due"])),
    "rework_rate": ("返工率", lambda n: (n["reworked"], n["fed_back"])),
    "filed_rightly_rate": ("准确立案率", lambda n: (n["filed"] - n["voided"], n["filed"])),
    "filed_in_time_rate": ("按时立案率", lambda n: (n["decided_in_time"], n["decided"])),
    "dispatched_rightly_rate": (
        "准确派遣率",
        lambda n: (max(0, n["dispatches"] - n["returned"]), n["dispatches"]),
    ),
}
"""Name -> Chinese name, and of which count it is a share of which."""

_OPENED = ("file", "reopen")
_DECISIONS = ("dispatch", "reject")
_HANDLED = ("fed_back", "closed")


@dataclass(frozen=True, slots=True)
class Indices:
    """Those of one group; ``group`` is empty where all are taken together."""

    group: str
    counts: Mapping[str, int]

    def rate(self, name: str) -> float | None:
        """0..1, or None where there is nothing that it could be a share of."""
        part, whole = RATES[name][1](self.counts)
        return part / whole if whole else None

    def row(self) -> dict[str, object]:
        """For machines: the counts and the rates by their names."""
        counts: dict[str, object] = {name: self.counts[name] for name in COUNTS}
        return {"group": self.group, **counts, **{name: self.rate(name) for name in RATES}}


def indices_of(
    tickets: Iterable[Ticket], by: By | None, *, now: float, file_within_s: float
) -> list[Indices]:
    """Of each group in order, as of ``now`` (Unix seconds)."""
    groups: dict[str, Counter[str]] = {}
    for ticket in tickets:
        counts = groups.setdefault(_group_of(ticket, by), Counter())
        counts.update(counts_of(ticket, now=now, file_within_s=file_within_s))
    return [Indices(group, counts) for group, counts in sorted(groups.items())]


def counts_of(ticket: Ticket, *, now: float, file_within_s: float) -> Counter[str]:
    """What one ticket adds to each count."""
    counts: Counter[str] = Counter()
    if ticket.state == "merged":
        return counts
    counts["filed"] = 1
    counts["voided"] = int(ticket.state == "rejected")
    steps = _since_opened(ticket)
    _count_decision(counts, ticket, steps, now, file_within_s)
    actions = Counter(step.action for step in ticket.steps)
    counts["dispatches"], counts["returned"] = actions["dispatch"], actions["return"]
    counts["fed_back"] = int(actions["feed_back"] > 0)
    counts["reworked"] = int(actions["rework"] > 0)
    if counts["voided"] or not actions["dispatch"]:
        return counts
    handled_at = _handled_at(ticket, steps)
    if handled_at is not None:
        counts["due"] = counts["handled"] = 1
        counts["handled_in_time"] = int(handled_at <= ticket.handle_due_at)
    elif ticket.suspended_at is None and ticket.handle_due_at <= now:
        counts["due"] = 1
    return counts


def days_of(month: str | None) -> tuple[str, str]:
    """First and last local day of ``2026-11``; of all times where there is none.

    Raises InputError.
    """
    if month is None:
        return "0", "9"
    found = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", month)
    if found is None or not int(found[1]):
        raise InputError("is no month", where="--month", found=month, allowed="e.g. 2026-11")
    last = calendar.monthrange(int(found[1]), int(found[2]))[1]
    return f"{found[1]}{found[2]}01", f"{found[1]}{found[2]}{last:02}"


def _group_of(ticket: Ticket, by: By | None) -> str:
    match by:
        case "grid":
            return ticket.grid_code
        case "department":
            return ticket.department
        case "hazard":
            return ticket.hazard
        case "month":
            day = day_of(ticket.ticket_id)
            return f"{day[:4]}-{day[4:6]}"
    return ""


def _since_opened(ticket: Ticket) -> tuple[Step, ...]:
    """Its steps since it was filed, or last opened again: its clocks count from there."""
    opened = [number for number, step in enumerate(ticket.steps) if step.action in _OPENED]
    return ticket.steps[opened[-1] :] if opened else ticket.steps


def _count_decision(
    counts: Counter[str],
    ticket: Ticket,
    steps: tuple[Step, ...],
    now: float,
    file_within_s: float,
) -> None:
    by = ticket.detected_at + file_within_s
    decided_at = next((step.at for step in steps if step.action in _DECISIONS), None)
    if decided_at is not None or now > by:
        counts["decided"] = 1
        counts["decided_in_time"] = int(decided_at is not None and decided_at <= by)


def _handled_at(ticket: Ticket, steps: tuple[Step, ...]) -> float | None:
    """When the feedback came that nobody has sent back."""
    if ticket.state not in _HANDLED:
        return None
    times = [step.at for step in steps if step.action == "feed_back"]
    return times[-1] if times else ticket.closed_at
