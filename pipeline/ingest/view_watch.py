"""Whether a camera still shows its view, look by look: at home, moved, covered, or hard to say.

Nothing here lasts or flickers: each picture is judged by itself against what is known of the view;
how long a fault must last is the health's business.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING, Literal

from pipeline.ingest.known_view import Print, light_of
from pipeline.ingest.viewprint import COLUMNS, glance, match, match_changed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.ingest.known_view import Light, Likeness
    from pipeline.ingest.view_files import ViewFile
    from pipeline.ingest.viewprint import Glance, Match

Kind = Literal["home", "moved", "away", "bare", "partly", "odd", "flat"]
"""``home``: the known view, whatever stands in it, or too new to tell. ``moved``: the known view,
elsewhere in the picture. ``away``: another view. ``bare``: nothing of the view and little of
anything else. ``partly``: most of it, or its sharpness, is gone. ``odd``: none of these for sure.
``flat``: nothing is known yet, and there is nothing to see."""

_EVERY_S, _CALM_EVERY_S = 1.0, 2.0
"""Looks closer than this are not judged again, the second while all is well."""
_MATCH_S, _AGAIN_S = 30.0, 3.0
"""The picture is laid on the print this often while all is well, and while it isn't; at once when
that changes."""
_DRIFT_S = 300.0
"""And on the print of long ago this often."""
_CALM = 0.8
"""All is well while a picture shows this share of the edges it usually shows. A zoom of 3 % leaves
0.4 to 0.7."""
MOVED_SHARE, BACK_SHARE = 0.015, 0.011
"""Share of the picture's width by which a corner must have moved, and may when it is back."""
_SURELY, _HARDLY, _CHANCE = 14.0, 6.0, 5.5
"""Heights of a match from which on it is the same view, and below which it is none; standard
deviations, less for views that never match higher. The same view has 14 by night, in fog or behind
a lorry; unrelated ones stay below the last by chance."""
_PEAK = 10.0
"""Height from which on a peak is the view's, wherever it is."""
_PLAIN = 0.4
"""Share of the usual height from which on nothing but a shift has happened."""
_BARE, _BLURRED = 0.25, 0.15
"""Shares of the usual contrast below which a strange picture counts as covered, a known one as
blurred."""
_PARTLY = 0.45
_FLAT_ENERGY, _LIT = 120.0, 40.0
"""A picture with less contrast than a clouded sky, in which there is light."""
_PATIENT_LOOKS = 30
"""A view that can't be known by then has too little in it; there is no hurry."""
_TURN_LOOKS = 3
_TOUR_TURNS, _TOUR_S, _TOUR_OVER_S = 3, 3600.0, 900.0
"""So many departures within an hour are a tour; it is over after a quarter of an hour at rest."""
_SAVE_S = 3600.0
_ASK_S = 5.0


@dataclass(frozen=True, slots=True)
class Sight:
    """What one picture says; ``match`` is by how much and where to it has ``moved``."""

    kind: Kind
    match: Match | None = None


class ViewWatch:
    """Watches the view of one camera. ``file`` keeps it over a restart."""

    def __init__(self, file: ViewFile | None = None) -> None:
        self._file = file
        self._prints: dict[Light, Print] = {} if file is None else file.load()
        self._young: tuple[Light, Print] | None = None
        self._sight = Sight("home")
        self._seen_at: float | None = None
        self._matched_at: float | None = None
        self._saved_at: float | None = None
        self._asked_at: float | None = None
        self._drift_at: float | None = None
        self._calm = True
        self._elsewhere = 0
        self._turns: deque[float] = deque(maxlen=_TOUR_TURNS)

    def accept(self) -> None:
        """What the camera shows now is right: forget the old view and learn this one."""
        self._prints, self._young = {}, None
        self._sight = Sight("home")
        self._matched_at = self._saved_at = None
        self._elsewhere = 0
        self._turns.clear()

    def touring(self, at: float) -> bool:
        """True for a camera that keeps leaving its view."""
        turns = [turn for turn in self._turns if 0 <= at - turn <= _TOUR_S]
        return len(turns) == _TOUR_TURNS and at - turns[-1] <= _TOUR_OVER_S

    def accepted(self, at: float) -> bool:
        """Whether the operator has just accepted the view; then it is learnt anew."""
        if self._file is None or _recent(self._asked_at, at, _ASK_S):
            return False
        self._asked_at = at
        if not self._file.take_acceptance():
            return False
        self.accept()
        return True

    def see(self, at: float, luma: NDArray[np.uint8], *, grey: bool) -> Sight:
        """Judge one picture: uint8 luma (H, W) without padding. ``grey``: it has no colour."""
        well = self._sight.kind == "home" and self._calm and self._prints
        if _recent(self._seen_at, at, 0.9 * (_CALM_EVERY_S if well else _EVERY_S)):
            return self._sight
        self._seen_at = at
        now = glance(luma)
        light = light_of(now, grey=grey)
        self._sight = self._judge(at, now, light) if self._prints else self._meet(at, now, light)
        self._count_turns(at)
        return self._sight

    def _meet(self, at: float, now: Glance, light: Light) -> Sight:
        """Nothing is known yet: learn, and begin again when the camera is being turned."""
        if now.energy.mean() < _FLAT_ENERGY:
            return Sight("flat" if now.luma.mean() > _LIT else "home")
        if self._young is None:
            self._young = light, Print.of(at, now)
            return Sight("home")
        light, young = self._young
        if young.looks > _PATIENT_LOOKS and _recent(self._matched_at, at, _MATCH_S):
            return Sight("home")
        self._matched_at = at
        found = match(young.edges, now.edges)
        if young.looks >= _TURN_LOOKS and (_off(found, MOVED_SHARE) or found.here < _HARDLY):
            self._elsewhere += 1
        else:
            self._elsewhere = 0
            young.matched(found.here)
            young.learn(at, now)
        if self._elsewhere >= _TURN_LOOKS:
            self._elsewhere = 0
            self._turns.append(at)
            self._young = light, Print.of(at, now)
        elif young.known:
            self._prints[light] = young
            self._young = None
            self._save(at)
        return Sight("home")

    def _judge(self, at: float, now: Glance, light: Light) -> Sight:
        own = self._prints.get(light)
        first = own if own is not None and own.known else self._best_known()
        likeness = first.likeness(now)
        calm = likeness.kept >= _CALM * first.usually_kept
        pause_s = _MATCH_S if calm and self._sight.kind == "home" else _AGAIN_S
        if calm == self._calm and _recent(self._matched_at, at, pause_s * 0.9):
            sight = self._sight
        else:
            self._matched_at, self._calm = at, calm
            sight = self._compare(at, now, first, likeness)
        if sight.kind == "home":
            first.kept(likeness.kept)
            self._learn(at, now, light)
        return sight

    def _compare(self, at: float, now: Glance, first: Print, likeness: Likeness) -> Sight:
        """By the print of this light, and unless that shows the view, by the others."""
        found = match(first.edges, now.edges)
        sight = self._verdict(first, likeness, found)
        if sight.kind == "home":
            first.matched(found.here)
            return self._drifted(at, now, first)
        if sight.kind == "partly" or (sight.kind == "moved" and found.peak >= _PLAIN * first.usual):
            return sight
        for other in self._prints.values():
            if other is first or not other.known:
                continue
            found = match(other.edges, now.edges)
            second = self._verdict(other, other.likeness(now), found)
            if second.kind in ("home", "moved"):
                return second
        return self._explained(sight, first, now)

    def _explained(self, sight: Sight, known: Print, now: Glance) -> Sight:
        """Whether a larger zoom or turn says more of what is moved or strange."""
        if sight.kind == "bare" or sight.kind == self._sight.kind == "away":
            return sight
        changed = match_changed(known.edges, now.edges)
        if changed is None or not _off(changed, self._limit):
            return sight
        better = sight.match is None or changed.peak > sight.match.peak
        return Sight("moved", changed) if better else sight

    def _verdict(self, known: Print, likeness: Likeness, found: Match) -> Sight:
        if _off(found, self._limit):
            return Sight("moved", found)
        if found.here >= max(_CHANCE, min(_SURELY, 0.4 * known.usual)):
            return Sight("partly" if likeness.lost >= _PARTLY else "home")
        if found.here >= min(_HARDLY, 0.33 * known.usual):
            return Sight("partly" if likeness.energy < _BLURRED else "odd")
        return Sight("bare" if likeness.energy < _BARE else "away")

    @property
    def _limit(self) -> float:
        return BACK_SHARE if self._sight.kind == "moved" else MOVED_SHARE

    def _drifted(self, at: float, now: Glance, known: Print) -> Sight:
        """At home by what was learnt lately: is it by what was learnt long ago, too."""
        anchor = known.anchored
        if anchor is None or _recent(self._drift_at, at, _DRIFT_S):
            return Sight("home")
        found = match(anchor, now.edges)
        if _off(found, self._limit):
            return Sight("moved", found)
        self._drift_at = at
        if found.here < _SURELY:
            known.drop_anchor()  # another season: long ago says nothing any more
        return Sight("home")

    def _learn(self, at: float, now: Glance, light: Light) -> None:
        own = self._prints.get(light)
        if own is None:
            self._prints[light] = Print.of(at, now)
            return
        was_known = own.known
        if not was_known:
            own.matched(match(own.edges, now.edges).here)
        own.learn(at, now)
        if own.known and (not was_known or not _recent(self._saved_at, at, _SAVE_S)):
            self._save(at)

    def _best_known(self) -> Print:
        return max(self._prints.values(), key=lambda known: (known.known, known.looks))

    def _count_turns(self, at: float) -> None:
        """Coming home from elsewhere ends a turn."""
        if not self._prints:
            return
        if self._sight.kind in ("moved", "away"):
            self._elsewhere += 1
        elif self._sight.kind == "home":
            if self._elsewhere >= _TURN_LOOKS:
                self._turns.append(at)
            self._elsewhere = 0

    def _save(self, at: float) -> None:
        self._saved_at = at
        if self._file is not None:
            self._file.save({light: one for light, one in self._prints.items() if one.known})


def _off(found: Match, limit: float) -> bool:
    """Whether the view is seen, clearly, at another place of the picture."""
    if found.peak < _PEAK:
        return False
    if found.corner_px is not None:
        return found.corner_px >= limit * COLUMNS
    return found.peak > 1.5 * found.here and hypot(*found.shift) >= limit * COLUMNS


def _recent(then: float | None, at: float, within_s: float) -> bool:
    """Whether ``then`` is less than that long ago; never after time has begun anew."""
    return then is not None and 0 <= at - then < within_s
