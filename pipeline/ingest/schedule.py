"""Whose turn it is: what stands between readers and the detector.

A slow detector must never slow a reader: putting never blocks. There is one slot per camera for its
whole look and one for each of its windows; a newer look replaces an older unread one. Taking goes
by deadline, the earliest first: when a slot was last looked at plus its interval. So of a detector
that can't keep up every camera gets its share, in proportion to its interval, and none starves:
once a look's deadline has passed, each other slot comes before it at most once, and once
``longest_gap_s`` has passed since the last look there, only what has waited longer does (a fifth
more than usual, where the detector can't keep to that).
"""

from __future__ import annotations

import heapq
import threading
from typing import TYPE_CHECKING, NamedTuple

import structlog

from pipeline.ingest.extra import ExtraLooks
from pipeline.ingest.look import PURPOSES, Purpose
from pipeline.ingest.pace import Pace
from pipeline.ingest.stretch import LEAD, Stretch
from pipeline.ingest.tallies import Capacity, Spread, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable

    from pipeline.clock import Clock
    from pipeline.ingest.coverage import Coverage, Reason
    from pipeline.ingest.look import Look
    from pipeline.ingest.tallies import LookCounts, SpreadCounts
    from pipeline.settings import IngestSettings

    Release = Callable[[], None]

FORGET_S = 3600.0
"""A slot that nothing came to for this long, as after a change of resolution, is given up."""
SWEEP_S = 60.0
_LATER_THAN_MOST = 1.2
_WAITS_SHARE = LEAD / (1.0 - LEAD)
"""Of a stretched interval: for so long a picture waits in the ordinary course of things."""

log = structlog.get_logger(__name__)


def _nothing() -> None:
    pass


class _Waiting(NamedTuple):
    look: Look
    release: Release


class _Slot:
    """Where the looks of one camera and purpose wait, one at a time; of road looks: one window."""

    __slots__ = (
        "camera_id",
        "due_at",
        "put_at",
        "put_gap_s",
        "seen",
        "seen_at",
        "since",
        "turn",
        "waiting",
    )

    def __init__(self, camera_id: str, now: float, turn: int) -> None:
        self.camera_id = camera_id
        self.turn = turn  # grows with every look: of equals that comes first which came before
        self.waiting: _Waiting | None = None
        self.seen = False  # whether the detector ever took a look of it
        self.seen_at = now  # when it last did, or when the slot came to be
        self.due_at = now  # when the next one should be taken
        self.since = now  # when the look that waits, or the first that it replaced, came
        self.put_at = now  # when the newest came
        self.put_gap_s = 0.0  # how long after the one before


class LookSchedule:
    """Slots that readers put into and the detector takes from; safe among threads.

    One thread takes. Every look is an object of its own; each one that was taken is given back with
    ``done``. ``release`` of a look is called once, outside of any lock, when its picture isn't
    needed any more: it is done, was replaced, or was dropped at the end. Times are those of
    ``clock.steady()``.
    """

    def __init__(
        self, settings: IngestSettings, *, clock: Clock, coverage: Coverage | None = None
    ) -> None:
        now = clock.steady()
        self._clock = clock
        self._coverage = coverage
        self._settings = settings.schedule
        self._intervals_s: dict[Purpose, float] = {
            "whole": settings.interval_s,
            "road": settings.road_looks.interval_s,
        }
        self._changed = threading.Condition()
        self._closed = False
        self._slots: dict[Hashable, _Slot] = {}
        # Heaps of the slots in which a look waits. What is no longer so is passed over.
        self._by_due: list[tuple[float, int, _Slot]] = []
        self._by_seen: list[tuple[float, int, _Slot]] = []
        self._turn = 0
        self._waiting = 0
        self._wanted = 1  # looks that the taker waits for
        self._in_hand: dict[Look, Release] = {}
        self._tallies = {purpose: Tally() for purpose in PURPOSES}
        self._gaps = {purpose: Spread() for purpose in PURPOSES}
        self._lateness = Spread()
        self._work = Capacity()
        self._stretch = Stretch(settings.interval_s, settings.schedule.longest_gap_s, now)
        self._thinning_since: float | None = None
        self._extra = ExtraLooks(settings.schedule.extra_share)
        self._swept_at = now

    def put(self, look: Look, release: Release = _nothing) -> None:
        """Offer a look; never blocks. A slot in which one waits already keeps its turn."""
        reason: Reason = "replaced"
        dropped: _Waiting | None = _Waiting(look, release)
        with self._changed:
            tally = self._tallies[look.purpose]
            tally.put += 1
            if self._closed:
                reason = "stopped"
                tally.stopped += 1
            else:
                dropped = self._place(look, release)
                tally.replaced += dropped is not None
        if dropped is not None:
            self._drop(dropped, reason)

    def take(self, max_n: int, timeout_s: float, *, fill_s: float = 0.0) -> list[Look]:
        """Up to ``max_n`` looks by their deadlines, whole looks in front of road looks.

        Waits up to ``timeout_s`` for a first one, then up to ``fill_s`` for as many as are wanted.
        Empty after that time, or once closed.
        """
        with self._changed:
            self._work.rests(self._clock.steady())
            self._wait_for(1, timeout_s)
            if self._waiting:
                self._wait_for(max_n, fill_s)
            now = self._clock.steady()
            taken = [self._take_one(now) for _ in range(min(max_n, self._waiting))]
            self._work.begins(now, len(taken))
        return sorted(taken, key=_by_purpose)

    def done(self, look: Look) -> None:
        """A look that was taken has been judged; its picture is not read any more."""
        with self._changed:
            release = self._in_hand.pop(look)
            self._tallies[look.purpose].done += 1
        if self._coverage is not None:
            self._coverage.done(look)
        release()

    def extra(self, camera_id: str, interval_s: float, until: float, *, looks: int = 1) -> None:
        """Look at this camera more often: something there is unconfirmed.

        ``looks`` speak for it. Granted as far as all such cameras together take ``extra_share`` of
        what the detector can do, at least to one of them; see ``ExtraLooks.grant``. It holds at
        least until the next look can be expected, which asks again or says that it is ``enough``.
        """
        with self._changed:
            now = self._clock.steady()
            next_look_at = now + _LATER_THAN_MOST * self._stretch.gap_s
            if self._extra.ask(camera_id, interval_s, max(until, next_look_at), looks):
                self._grant(now)

    def enough(self, camera_id: str) -> None:
        """Nothing is unconfirmed there any more: others may be looked at more often."""
        with self._changed:
            if self._extra.enough(camera_id):
                self._grant(self._clock.steady())

    def expect(self, cameras: int, looks_per_s: float) -> None:
        """Before the first look: what there will be to do, and what the detector can do."""
        with self._changed:
            self._stretch.expect(cameras, looks_per_s)

    def pace(self) -> Pace:
        """What readers should know; to be asked every second or so. Says so when it thins."""
        with self._changed:
            now = self._clock.steady()
            self._sweep(now)
            self._grant(now)
            stretch = self._stretch.update(now)
            pace = Pace(round(stretch, 3), dict(self._extra.granted))
            began = self._thinning_since
            if self._stretch.thins != (began is not None):
                self._thinning_since = now if began is None else None
            every_s, usual_s = round(self._stretch.gap_s, 2), self._intervals_s["whole"]
            ended = self._thinning_since is None
        if self._coverage is not None:
            self._coverage.thin(thins=pace.stretch > 1.0)
        if began is None and not ended:
            log.warning(
                "thinning",
                why="检测跟不上, 各摄像机均匀减少 / the detector can't keep up, all cameras alike",
                looks_every_s=every_s,
                interval_s=usual_s,
            )
        elif began is not None and ended:
            log.info("thinning_over", lasted_s=round(now - began, 1), looks_every_s=every_s)
        return pace

    def keep(self, camera_ids: Collection[str]) -> None:
        """Forget all other cameras; their looks that wait are dropped."""
        with self._changed:
            gone = [key for key, slot in self._slots.items() if slot.camera_id not in camera_ids]
            dropped = self._stop([self._slots.pop(key) for key in gone])
            self._extra.keep(camera_ids)
        for one in dropped:
            self._drop(one, "stopped")

    def close(self) -> None:
        """Drop what waits, wake who waits for it, and take nothing more."""
        with self._changed:
            self._closed = True
            dropped = self._stop(self._slots.values())
            self._changed.notify_all()
        for one in dropped:
            self._drop(one, "stopped")

    def counts(self, purpose: Purpose = "whole") -> LookCounts:
        """All looks of this purpose since the start."""
        with self._changed:
            return self._tallies[purpose].counts()

    def gaps(self, purpose: Purpose = "whole") -> SpreadCounts:
        """Seconds between two looks of one camera (of one window) as they were taken."""
        with self._changed:
            return self._gaps[purpose].counts()

    def lateness(self) -> SpreadCounts:
        """Seconds that looks waited beyond their deadline."""
        with self._changed:
            return self._lateness.counts()

    @property
    def stretch(self) -> float:
        """By how much intervals are stretched now; 1 while the detector keeps up."""
        return self._stretch.factor

    @property
    def capacity(self) -> float | None:
        """Looks per second that the detector can do, by what it did lately; None at first."""
        return self._work.per_s

    def _place(self, look: Look, release: Release) -> _Waiting | None:
        """Put it into its slot; returns the one that it replaced."""
        now, purpose, camera_id = self._clock.steady(), look.purpose, look.camera_id
        key = camera_id if purpose == "whole" else (camera_id, look.region)
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = _Slot(camera_id, now, self._next_turn())
        slot.put_gap_s, slot.put_at = now - slot.put_at, now
        replaced, slot.waiting = slot.waiting, _Waiting(look, release)
        if replaced is not None:
            return replaced
        slot.since = now
        slot.due_at = self._due_at(slot, purpose, now)
        heapq.heappush(self._by_due, (slot.due_at, slot.turn, slot))
        heapq.heappush(self._by_seen, (slot.seen_at, slot.turn, slot))
        self._waiting += 1
        if self._waiting >= self._wanted:
            self._changed.notify()
        return None

    def _due_at(self, slot: _Slot, purpose: Purpose, now: float) -> float:
        """The deadline of a picture that comes now."""
        if not slot.seen:
            return now
        if slot.camera_id in self._extra.granted:
            # In front of all that is late: their share is bounded, and what waits as long as
            # everything else is no extra look.
            return float("-inf")
        stretched_s = self._intervals_s[purpose] * self._stretch.factor
        interval_s = min(stretched_s, self._settings.longest_gap_s)
        # What comes early was asked for: the next picture is only made once this one is looked at.
        return min(slot.seen_at + interval_s, now + _WAITS_SHARE * interval_s)

    def _wait_for(self, wanted: int, timeout_s: float) -> None:
        self._wanted = wanted
        self._changed.wait_for(lambda: self._waiting >= wanted or self._closed, timeout_s)

    def _take_one(self, now: float) -> Look:
        for heap in (self._by_seen, self._by_due):
            while _is_past(heap[0]):
                heapq.heappop(heap)
        unseen = self._by_seen[0]
        if unseen[0] + self._longest_gap_s() <= now:
            slot = heapq.heappop(self._by_seen)[2]
        else:
            slot = heapq.heappop(self._by_due)[2]
        self._note(slot, now)
        waiting = self._empty(slot)
        assert waiting is not None
        slot.seen, slot.seen_at, slot.turn = True, now, self._next_turn()
        self._tallies[waiting.look.purpose].taken += 1
        self._in_hand[waiting.look] = waiting.release
        return waiting.look

    def _longest_gap_s(self) -> float:
        """Where the detector can't keep to the longest gap, what is later than most goes first.

        Else everything would be late, and extra looks would never have a turn.
        """
        return max(self._settings.longest_gap_s, _LATER_THAN_MOST * self._stretch.gap_s)

    def _note(self, slot: _Slot, now: float) -> None:
        """Take down how long ago the last look was, and how late this one is."""
        assert slot.waiting is not None
        purpose = slot.waiting.look.purpose
        self._lateness.add(max(0.0, now - max(slot.due_at, slot.since)))
        waited_s = now - slot.since
        if slot.seen:
            self._gaps[purpose].add(now - slot.seen_at)
        if purpose == "whole" and slot.camera_id not in self._extra.granted:
            self._stretch.taken(now - slot.seen_at if slot.seen else None, waited_s)

    def _next_turn(self) -> int:
        self._turn += 1
        return self._turn

    def _empty(self, slot: _Slot) -> _Waiting | None:
        waiting, slot.waiting = slot.waiting, None
        self._waiting -= waiting is not None
        return waiting

    def _grant(self, now: float) -> None:
        for camera_id in self._extra.grant(now, self._work.per_s, self._put_gap_s):
            slot = self._slots.get(camera_id)
            if slot is not None and slot.waiting is not None:
                slot.due_at = self._due_at(slot, "whole", now)
                heapq.heappush(self._by_due, (slot.due_at, slot.turn, slot))

    def _put_gap_s(self, camera_id: str) -> float:
        slot = self._slots.get(camera_id)
        return slot.put_gap_s if slot else 0.0

    def _sweep(self, now: float) -> None:
        if now - self._swept_at < SWEEP_S:
            return
        self._swept_at = now
        self._slots = {
            key: slot
            for key, slot in self._slots.items()
            if slot.waiting is not None or now - slot.put_at < FORGET_S
        }

    def _stop(self, slots: Iterable[_Slot]) -> list[_Waiting]:
        """Empty these slots; returns what waited in them."""
        dropped = [one for slot in slots if (one := self._empty(slot)) is not None]
        for one in dropped:
            self._tallies[one.look.purpose].stopped += 1
        return dropped

    def _drop(self, waiting: _Waiting, reason: Reason) -> None:
        look, release = waiting
        if self._coverage is not None:
            self._coverage.skipped(look.camera_id, look.purpose, reason, look.captured_at)
        release()


def _is_past(entry: tuple[float, int, _Slot]) -> bool:
    """Whether the look that it stood for has been taken or dropped."""
    _, turn, slot = entry
    return slot.waiting is None or slot.turn != turn


def _by_purpose(look: Look) -> bool:
    return look.purpose != "whole"
