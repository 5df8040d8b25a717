"""How the coverage ledger writes a minute of a camera down: four bytes for each count.

Minute of the day, field and value in 11, 5 and 16 bits, little endian; fields are those of
``pipeline.ingest.coverage``. What is zero takes no room. Records stand in any order, and those of
one minute and field come together: counts add up, of gaps and times the largest counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipeline.ingest import PURPOSES
from pipeline.ingest.coverage import (
    DONE,
    FIELD_OF,
    FIELDS,
    LARGEST,
    LONGEST_GAP,
    NEWEST,
    WIDTH,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from pipeline.ingest import Purpose
    from pipeline.ingest.coverage import Reason, Rows

    Records = Iterable[tuple[int, bytes]]
    """Days, counted from 1970, and what was written of each."""

MINUTES = 1440
_MOST = 0xFFFF
_LARGEST = np.array([number % WIDTH in LARGEST for number in range(FIELDS)])


@dataclass(frozen=True, slots=True)
class Covered:
    """The looks of one purpose at a camera in one minute.

    ``skipped`` holds the reasons that occurred. ``longest_gap_s`` is the longest time between two
    looks that ended in this minute, 0 if none did; ``newest_at`` the time of its last look's
    picture (Unix seconds, to a tenth), None if there was no look.
    """

    done: int
    skipped: Mapping[Reason, int]
    longest_gap_s: float
    newest_at: float | None

    @property
    def asked(self) -> int:
        """How many looks were due."""
        return self.done + sum(self.skipped.values())


@dataclass(frozen=True, slots=True)
class Minute:
    """One camera in the minute that begins at ``at`` (Unix seconds UTC)."""

    at: float
    looks: Mapping[Purpose, Covered]


@dataclass(slots=True)
class Packed:
    """Records of one camera and day, and of how many minutes they are."""

    records: bytearray = field(default_factory=bytearray)
    minutes: int = 0


def packed(rows: Rows) -> dict[tuple[str, int], Packed]:
    """(camera_id, day since 1970) -> records; a count beyond 65,535 a minute is cut to that."""
    days: dict[tuple[str, int], Packed] = {}
    for (camera_id, minute), row in rows.items():
        day, of_day = divmod(minute, MINUTES)
        into = days.setdefault((camera_id, day), Packed())
        into.minutes += 1
        for number, value in enumerate(row):
            if value:
                record = of_day << 21 | number << 16 | min(value, _MOST)
                into.records += record.to_bytes(4, "little")
    return days


def unpacked(days: Records) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Minutes since 1970, ascending, int64 (N,), and their rows of fields, int64 (N, FIELDS)."""
    parts = [
        (np.frombuffer(records, "<u4", len(records) // 4).astype(np.int64), day * MINUTES)
        for day, records in days
    ]
    words = np.concatenate([np.zeros(0, np.int64), *(part for part, _ in parts)])
    first = np.concatenate([np.zeros(0, np.int64), *(np.full(len(p), at) for p, at in parts)])
    minutes, index = np.unique((words >> 21) + first, return_inverse=True)
    numbers, values = words >> 16 & 31, words & _MOST
    rows = np.zeros((len(minutes), FIELDS), np.int64)
    largest = _LARGEST[numbers]
    np.maximum.at(rows, (index[largest], numbers[largest]), values[largest])
    np.add.at(rows, (index[~largest], numbers[~largest]), values[~largest])
    return minutes, rows


def minutes_of(days: Records, from_at: float, to_at: float) -> Iterator[Minute]:
    """Those from the minute of ``from_at`` up to ``to_at``."""
    for minute, row in zip(*unpacked(days), strict=True):
        if from_at // 60 <= minute < to_at / 60:
            yield _minute(int(minute) * 60.0, row)


def _minute(at: float, row: NDArray[np.int64]) -> Minute:
    return Minute(
        at,
        {
            purpose: _covered(at, purpose, row[WIDTH * place : WIDTH * (place + 1)], row)
            for place, purpose in enumerate(PURPOSES)
        },
    )


def _covered(
    at: float, purpose: Purpose, own: NDArray[np.int64], row: NDArray[np.int64]
) -> Covered:
    skipped: dict[Reason, int] = {
        reason: int(row[number])
        for (of, reason), number in FIELD_OF.items()
        if of == purpose and row[number]
    }
    newest_at = at + int(own[NEWEST]) / 10 if own[DONE] else None
    return Covered(int(own[DONE]), skipped, int(own[LONGEST_GAP]) / 10, newest_at)
