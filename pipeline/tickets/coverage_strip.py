"""A stretch of time of one camera in equal slots: what was looked at in each, and what was not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.ingest.coverage import (
    DONE,
    FIELD_OF,
    LONGEST_GAP,
    NEWEST,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from pipeline.ingest.coverage import Reason
    from pipeline.tickets.coverage import CoverageLedger

_FIELDS: Mapping[Reason, int] = {
    reason: number for (purpose, reason), number in FIELD_OF.items() if purpose == "whole"
}


@dataclass(frozen=True, slots=True)
class Slot:
    """Whole looks that were due in the slot beginning at ``at`` (Unix seconds): done or skipped.

    ``over``: the slot had begun when the ledger was written last; else nothing is known yet.
    """

    at: float
    done: int
    skipped: Mapping[Reason, int]
    over: bool

    @property
    def asked(self) -> int:
        return self.done + sum(self.skipped.values())


@dataclass(frozen=True, slots=True)
class Strip:
    """``longest_gap_s`` is the longest time without a whole look, ``gap_from`` when it began.

    A gap's end is known to a minute. Nothing of the future counts; ``newest_at``: the newest look.
    """

    camera_id: str
    slots: Sequence[Slot]
    longest_gap_s: float
    gap_from: float | None
    newest_at: float | None

    @property
    def done(self) -> int:
        return sum(slot.done for slot in self.slots)

    @property
    def skipped(self) -> dict[Reason, int]:
        """Looks that were due and not taken, by reason, the most frequent first."""
        found = {
            reason: sum(slot.skipped.get(reason, 0) for slot in self.slots) for reason in _FIELDS
        }
        ordered = sorted(found.items(), key=lambda one: -one[1])
        return {reason: count for reason, count in ordered if count}

    @property
    def asked(self) -> int:
        return self.done + sum(self.skipped.values())


def strips(
    ledger: CoverageLedger, camera_ids: Iterable[str], from_at: float, to_at: float, count: int
) -> list[Strip]:
    """One strip of ``count`` slots for each camera. Raises DeskUnavailableError.

    ``from_at`` and the length of a slot must be whole minutes.
    """
    until = min(to_at, ledger.until())
    return [
        _strip(camera_id, minutes, rows, (from_at, to_at, until), count)
        for camera_id, minutes, rows in ledger.counted(camera_ids, from_at, to_at)
    ]


def _strip(
    camera_id: str,
    minutes: NDArray[np.int64],
    rows: NDArray[np.int64],
    times: tuple[float, float, float],
    count: int,
) -> Strip:
    from_at, to_at, until = times
    first, each = int(from_at // 60), int((to_at - from_at) // 60 // count)
    inside = (minutes >= first) & (minutes < first + each * count)
    minutes, rows = minutes[inside], rows[inside]
    sums = np.zeros((count, rows.shape[1]), np.int64)
    np.add.at(sums, (minutes - first) // each, rows)
    slots = [_slot(from_at + 60.0 * each * number, row, until) for number, row in enumerate(sums)]
    looked = rows[:, DONE] > 0
    newest = minutes[looked] * 60.0 + rows[looked, NEWEST] / 10
    gap_s, gap_from = _longest_gap(minutes[looked], newest, rows[looked, LONGEST_GAP], times)
    return Strip(camera_id, slots, gap_s, gap_from, float(newest[-1]) if len(newest) else None)


def _slot(at: float, row: NDArray[np.int64], until: float) -> Slot:
    skipped = {reason: int(row[number]) for reason, number in _FIELDS.items() if row[number]}
    return Slot(at, int(row[DONE]), skipped, over=at < until)


def _longest_gap(
    minutes: NDArray[np.int64],
    newest: NDArray[np.float64],
    counted: NDArray[np.int64],
    times: tuple[float, float, float],
) -> tuple[float, float | None]:
    """How long, and since when; (0, None) where the time has not begun yet.

    ``counted``: tenths of seconds of the longest gap that ended in a minute, as its box knew it;
    a gap of another box's, or one that began before ``from_at``, is only known by the minutes.
    """
    from_at, _, until = times
    if until <= from_at:
        return 0.0, None
    starts = np.concatenate(([from_at], newest))
    ends = np.concatenate((minutes * 60.0, [until]))
    lasted = np.maximum(ends - starts, 0.0)
    within = np.minimum(counted / 10, minutes * 60.0 + 60.0 - starts[:-1])
    lasted[:-1] = np.maximum(lasted[:-1], within)
    longest = int(np.argmax(lasted))
    return float(lasted[longest]), float(starts[longest])
