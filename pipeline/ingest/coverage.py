"""Who was looked at when, and why not: counts per camera, purpose and minute.

"No ticket" is not "not looked at", so every look that was due is accounted for: done, or skipped
for one reason. Kept in memory until the ledger takes it (``drain``), once a minute.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal, get_args

from pipeline.ingest.look import PURPOSES, Purpose

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.clock import Clock
    from pipeline.ingest.look import Look
    from pipeline.ingest.state import CameraState, CameraStatus

Reason = Literal[
    "replaced",  # a newer look came before the detector had time for it
    "no_slot",  # no place for the picture: the detector is far behind
    "thinned",  # not even decoded, because the detector can't keep up
    "corrupt",  # the picture was damaged
    "frozen",  # states of the camera, see there
    "dark",
    "covered",
    "moved",
    "down",  # no picture came, whatever the state
    "stopped",  # it waited when the box was stopped or the camera taken out of the list
]
Outcome = Literal["done"] | Reason
REASONS: tuple[Reason, ...] = get_args(Reason)

# A minute's row is a list of numbers, one per field; the ledger writes fields by their number, so
# these never change and new reasons go to the end.
WIDTH = 16  # fields of one purpose
DONE, LONGEST_GAP, NEWEST = 0, 1, 2
"""Looks done, the longest gap that one of them ended and the second in the minute of the newest
one; the last two in tenths of a second."""
FIRST_REASON = 3
FIELDS = WIDTH * len(PURPOSES)
LARGEST = (LONGEST_GAP, NEWEST)
"""Fields of which the largest counts; of all others the sum."""
FIELD_OF: Mapping[tuple[Purpose, Reason], int] = {
    (purpose, reason): WIDTH * place + FIRST_REASON + number
    for place, purpose in enumerate(PURPOSES)
    for number, reason in enumerate(REASONS)
}
_FIRST_OF: Mapping[Purpose, int] = {
    purpose: WIDTH * place for place, purpose in enumerate(PURPOSES)
}

_REASON_OF: Mapping[CameraState, Reason] = {
    "frozen": "frozen",
    "dark": "dark",
    "covered": "covered",
    "moved": "moved",
}
_COUNTED = ("live", "disabled")
"""States in which nothing is missing: looks are counted one by one, or nobody wants any."""
_USUAL_SHARE = 0.2  # of the newest gap in what is usual
_LONGEST_WATCH_S = 60.0  # a supervisor that slept longer can't say what was missed meanwhile

Row = list[int]
Rows = dict[tuple[str, int], Row]
"""(camera_id, minute) -> row; minutes since 1970."""


class Coverage:
    """Counts looks; safe among threads.

    ``interval_s`` is how often a camera is to be looked at: that many looks are missed while it is
    down, or as many as it usually offers, if it offers fewer.
    """

    def __init__(self, interval_s: float, *, clock: Clock) -> None:
        self._clock = clock
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._rows: Rows = {}
        self._totals = [0] * FIELDS
        self._thins = False
        self._newest: dict[tuple[str, Purpose], float] = {}  # captured_at of the newest look done
        self._offered: dict[str, float] = {}  # captured_at of the newest whole look of each camera
        self._usual_s: dict[str, float] = {}  # between two of them
        self._missed: dict[str, float] = {}  # parts of looks
        self._corrupt: dict[str, int] = {}
        self._watched_at: float | None = None

    def done(self, look: Look) -> None:
        """The detector has looked at it."""
        at, first = look.captured_at, _FIRST_OF[look.purpose]
        with self._lock:
            if look.purpose == "whole":
                self._offer(look.camera_id, at)
            row = self._count(look.camera_id, at, first + DONE)
            row[first + NEWEST] = max(row[first + NEWEST], int(at % 60.0 * 10.0))
            slot = look.camera_id, look.purpose
            before = self._newest.get(slot, at)
            self._newest[slot] = max(before, at)
            # Another window of the same picture is no gap.
            row[first + LONGEST_GAP] = max(row[first + LONGEST_GAP], round((at - before) * 10.0))

    def skipped(
        self, camera_id: str, purpose: Purpose, reason: Reason, at: float, count: int = 1
    ) -> None:
        """Looks that were due at this time (steady) and never reached the detector."""
        with self._lock:
            if purpose == "whole" and reason == "replaced":
                self._offer(camera_id, at)
            self._count(camera_id, at, FIELD_OF[purpose, reason], count)

    def thin(self, *, thins: bool) -> None:
        """Whether readers leave pictures out because the detector can't keep up.

        Then what a camera offers less than usual is ``thinned``.
        """
        with self._lock:
            self._thins = thins

    def watch(self, statuses: Iterable[CameraStatus]) -> None:
        """Count what cameras that are down miss, and damaged pictures; every few seconds."""
        now = self._clock.steady()
        with self._lock:
            before, self._watched_at = self._watched_at, now
            passed_s = 0.0 if before is None else min(max(0.0, now - before), _LONGEST_WATCH_S)
            for status in statuses:
                self._watch_one(status, now, passed_s)

    def drain(self) -> Rows:
        """What was counted since the last time; whoever takes it has to keep it."""
        with self._lock:
            rows, self._rows = self._rows, {}
        return rows

    def totals(self) -> dict[tuple[Purpose, Outcome], int]:
        """All looks of all cameras since the start, by what became of them."""
        with self._lock:
            totals = list(self._totals)
        found: dict[tuple[Purpose, Outcome], int] = {
            (purpose, "done"): totals[first + DONE] for purpose, first in _FIRST_OF.items()
        }
        return found | {key: totals[field] for key, field in FIELD_OF.items()}

    def keep(self, camera_ids: Iterable[str]) -> None:
        """Forget what is usual of all other cameras; what was counted of them stays."""
        kept = set(camera_ids)
        with self._lock:
            self._newest = {key: at for key, at in self._newest.items() if key[0] in kept}
            for known in (self._offered, self._usual_s, self._missed, self._corrupt):
                for camera_id in known.keys() - kept:
                    del known[camera_id]

    def _offer(self, camera_id: str, at: float) -> None:
        """A whole look came from the reader, whatever becomes of it."""
        before = self._offered.get(camera_id)
        if before is not None and at <= before:
            return
        self._offered[camera_id] = at
        if before is None:
            return
        gap_s = at - before
        usual_s = self._usual_s.get(camera_id, gap_s)
        if not self._thins:
            self._usual_s[camera_id] = usual_s + _USUAL_SHARE * (gap_s - usual_s)
            return
        self._usual_s[camera_id] = usual_s = min(usual_s, gap_s)
        thinned = round(gap_s / max(usual_s, self._interval_s)) - 1
        if thinned > 0:
            self._count(camera_id, at, FIELD_OF["whole", "thinned"], thinned)

    def _watch_one(self, status: CameraStatus, now: float, passed_s: float) -> None:
        camera_id = status.camera_id
        damaged = status.corrupt - self._corrupt.get(camera_id, 0)
        self._corrupt[camera_id] = status.corrupt
        if damaged > 0:  # a worker that was replaced counts from zero again
            self._count(camera_id, now, FIELD_OF["whole", "corrupt"], damaged)
        if status.state in _COUNTED:
            self._missed.pop(camera_id, None)
            return
        self._offered.pop(camera_id, None)  # the gap that ends when it is back isn't usual
        usual_s = max(self._interval_s, self._usual_s.get(camera_id, 0.0))
        missed = self._missed.get(camera_id, 0.0) + passed_s / usual_s
        whole = int(missed)
        self._missed[camera_id] = missed - whole
        if whole:
            reason = _REASON_OF.get(status.state, "down")
            self._count(camera_id, now, FIELD_OF["whole", reason], whole)

    def _count(self, camera_id: str, at: float, field: int, count: int = 1) -> Row:
        key = camera_id, int(at // 60.0)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = [0] * FIELDS
        row[field] += count
        self._totals[field] += count
        return row
