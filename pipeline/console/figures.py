"""Counts behind the indices, kept for a minute: many look at the same months, few change in one."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.tickets.archive.tables import day_of
from pipeline.tickets.indices import Indices, counts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pipeline.clock import Clock
    from pipeline.tickets import Desk
    from pipeline.tickets.indices import By

_KEEP_S = 60.0
_KEEP_MOST = 12  # spans of days


@dataclass(frozen=True, slots=True)
class Cell:
    """What was filed in one month (``2026-11``), of one grid, department and hazard."""

    month: str
    grid: str
    department: str
    hazard: str
    counts: Counter[str]


class Figures:
    """Thread-safe; who asks while somebody's figures are being counted waits for those."""

    def __init__(self, desk: Desk, clock: Clock, file_within_s: float) -> None:
        self._desk = desk
        self._clock = clock
        self._file_within_s = file_within_s
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], tuple[float, list[Cell]]] = {}

    def cells(self, days: tuple[str, str]) -> list[Cell]:
        """Of the tickets filed from one local day to another (``20261123``), both included.

        Raises DeskUnavailableError.
        """
        with self._lock:
            now = self._clock.monotonic()
            at, cells = self._kept.get(days, (-_KEEP_S, []))
            if days not in self._kept or now - at >= _KEEP_S:
                cells = self._count(days)
                self._kept.pop(days, None)
                self._kept[days] = (now, cells)
                while len(self._kept) > _KEEP_MOST:
                    del self._kept[next(iter(self._kept))]
            return cells

    def _count(self, days: tuple[str, str]) -> list[Cell]:
        now = self._clock.now()
        found: dict[tuple[str, str, str, str], Counter[str]] = {}
        for ticket in self._desk.histories(*days):
            day = day_of(ticket.ticket_id)
            key = (f"{day[:4]}-{day[4:6]}", ticket.grid_code, ticket.department, ticket.hazard)
            counts = counts_of(ticket, now=now, file_within_s=self._file_within_s)
            found.setdefault(key, Counter()).update(counts)
        return [Cell(*key, counts) for key, counts in found.items()]


def grouped(cells: Iterable[Cell], by: By | None, within: Callable[[str], bool]) -> list[Indices]:
    """Of each group in order, from the grids (by code) that are ``within``."""
    groups: dict[str, Counter[str]] = {}
    for cell in cells:
        if within(cell.grid):
            group = "" if by is None else getattr(cell, by)
            groups.setdefault(group, Counter()).update(cell.counts)
    return [Indices(group, counts) for group, counts in sorted(groups.items())]
