"""Who was looked at when, and why not: counts per camera, purpose and minute.

"No ticket" is not "not looked at", so every look that was due is accounted for: done, or skipped
for one reason. Kept in memory until the ledger takes it (``drain``), once a minute.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal, get_args

from pipeline.ingest.look import Purpose

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
REASONS: tuple[Reason, ...] = get_args(Reason)
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)

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
    down, or as many as it usually gives, if it gives fewer.
    """

    def __init__(self, interval_s: float, *, clock: Clock) -> None:
        self._clock = clock
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._rows: Rows = {}
        self._newest: dict[tuple[str, Purpose], float] = {}  # captured_at of the newest look done
        self._usual_s: dict[str, float] = {}  # between two whole looks of a camera
        self._missed: dict[str, float] = {}  # parts of looks
        self._away: set[str] = set()  # since their newest look: that gap isn't usual
        self._corrupt: dict[str, int] = {}
        self._watched_at: float | None = None

    def done(self, look: Look) -> None:
        """The detector has looked at it."""
        at, first = look.captured_at, _FIRST_OF[look.purpose]
        with self._lock:
            row = self._row(look.camera_id, at)
            row[first + DONE] += 1
            row[first + NEWEST] = max(row[first + NEWEST], int(at % 60.0 * 10.0))
            slot = look.camera_id, look.purpose
            before = self._newest.get(slot)
            if before is None or at > before:
                self._newest[slot] = at
            if before is None or at <= before:  # another window of the same picture is no gap
                return
            gap_s = at - before
            row[first + LONGEST_GAP] = max(row[first + LONGEST_GAP], round(gap_s * 10.0))
            if look.purpose == "whole" and look.camera_id in self._away:
                self._away.remove(look.camera_id)
            elif look.purpose == "whole":
                usual_s = self._usual_s.get(look.camera_id, gap_s)
                self._usual_s[look.camera_id] = usual_s + _USUAL_SHARE * (gap_s - usual_s)

    def skipped(
        self, camera_id: str, purpose: Purpose, reason: Reason, at: float, count: int = 1
    ) -> None:
        """Looks that were due at this time (steady) and never reached the detector."""
        field = FIELD_OF[purpose, reason]
        with self._lock:
            self._row(camera_id, at)[field] += count

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

    def keep(self, camera_ids: Iterable[str]) -> None:
        """Forget what is usual of all other cameras; what was counted of them stays."""
        kept = set(camera_ids)
        with self._lock:
            self._newest = {key: at for key, at in self._newest.items() if key[0] in kept}
            self._away &= kept
            for known in (self._usual_s, self._missed, self._corrupt):
                for camera_id in known.keys() - kept:
                    del known[camera_id]

    def _watch_one(self, status: CameraStatus, now: float, passed_s: float) -> None:
        camera_id = status.camera_id
        damaged = status.corrupt - self._corrupt.get(camera_id, 0)
        self._corrupt[camera_id] = status.corrupt
        if damaged > 0:  # a worker that was replaced counts from zero again
            self._row(camera_id, now)[FIELD_OF["whole", "corrupt"]] += damaged
        if status.state in _COUNTED:
            self._missed.pop(camera_id, None)
            return
        self._away.add(camera_id)
        usual_s = max(self._interval_s, self._usual_s.get(camera_id, 0.0))
        missed = self._missed.get(camera_id, 0.0) + passed_s / usual_s
        whole = int(missed)
        self._missed[camera_id] = missed - whole
        if whole:
            reason = _REASON_OF.get(status.state, "down")
            self._row(camera_id, now)[FIELD_OF["whole", reason]] += whole

    def _row(self, camera_id: str, at: float) -> Row:
        key = camera_id, int(at // 60.0)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = [0] * FIELDS
        return row
