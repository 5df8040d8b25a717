"""From evidence to belief: one case per place, confirmed and cleared with hysteresis.

A look in which nothing is seen counts as zero, a look in which something stands in front of the
place doesn't count at all.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.hazards.boxes import centre, iou, size
from pipeline.hazards.incident import family_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.hazards.boxes import Box
    from pipeline.hazards.incident import Hazard
    from pipeline.hazards.observation import Observation
    from pipeline.settings import HazardSettings

GRAVER: dict[Hazard, Hazard] = {"road_damage": "road_collapse"}
"""What a confirmed hazard may grow into; it is then reported again as that."""
MOST_LOOKS = 1000
"""Looks that a case remembers: the longest dwell of the defaults (180 s) at five looks a second."""
LEAST_LOOKS = 3
"""Positive looks without which nothing is confirmed, however long the dwell."""
REACH = {"road": 1.0, "blockage": 1.6, "crowd": 1e9}
"""Own sizes within which evidence belongs to the same case; a crowd is one per camera."""
SCENE_REACH = 4.0
SCENE_S = 15.0
"""What comes to lie on the road this close (in sizes) and this soon around another blockage is
part of the same event: debris, the second vehicle."""
FADED = 0.2
"""Mean score of the last looks below which an unconfirmed case is dropped."""
FADE_S = 6.0
LOST_S = 60.0
"""An unconfirmed place that has been hidden for this long is forgotten."""
GONE = 0.25
"""A look with less than this counts as free."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One line of a case's trail: the rules that saw something, and the strongest score."""

    at: float
    score: float
    rules: tuple[str, ...]

    @property
    def rule(self) -> str | None:
        """The rule of the strongest evidence; None for a look that saw nothing there."""
        return self.rules[0] if self.rules else None


@dataclass(eq=False, slots=True)
class Case:
    """One place with evidence of one hazard family.

    ``kinds`` and ``began`` know for each rule the strongest observation of the last look that saw
    evidence of it, and since when there is any. ``best`` is the one of the last look that saw
    anything; once confirmed, the one that was believed. ``grown`` collects evidence that a
    confirmed hazard has become a graver one.
    ``stale``: the background that it was seen against is forgotten, so its absence from a new one
    proves nothing: it may be part of that.
    """

    family: str
    best: Observation
    kinds: dict[str, Observation] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    seen: deque[Seen] = field(default_factory=lambda: deque(maxlen=MOST_LOOKS))
    obstructed: int = 0
    confirmed_at: float | None = None
    last_seen_at: float = 0.0
    hazard: Hazard | None = None  # fixed when confirmed, until it has grown
    grown: Case | None = None
    stale: bool = False
    free_looks: int = 0  # looks in a row that found the place free, up to now
    free_since: float | None = None  # the first of them

    @property
    def started_at(self) -> float:
        """Since when there is evidence: any at first, then of the kind that was confirmed."""
        if self.confirmed_at is None:
            return min(self.began.values())
        return self.began[self.best.rule]

    def mean(self, since: float) -> float:
        """Mean score of the looks since then, of the last LEAST_LOOKS at least."""
        recent = self._recent(since)
        return float(np.mean([entry.score for entry in recent])) if recent else 0.0

    def _recent(self, since: float) -> list[Seen]:
        """Where looks are far apart, too few fall into a window of seconds to judge by."""
        recent = [entry for entry in self.seen if entry.at >= since - 1e-6]
        return recent if len(recent) >= LEAST_LOOKS else list(self.seen)[-LEAST_LOOKS:]

    def looks(self, rule: str) -> int:
        return sum(rule in entry.rules for entry in self.seen)

    def ripe(self, at: float, settings: HazardSettings) -> Observation | None:
        """The evidence to believe now, if any: of several kinds, the one with the least dwell."""
        if not self.seen[-1].rules:
            return None
        kinds = sorted(self.kinds.values(), key=lambda one: one.dwell_s)
        return next((one for one in kinds if self._held(one, at, settings)), None)

    def _held(self, kind: Observation, at: float, settings: HazardSettings) -> bool:
        """True if this kind lasted its dwell, in most looks that saw something, and is strong."""
        since = at - max(kind.dwell_s, 1.0)
        positive = [entry.rules for entry in self._recent(since) if entry.rules]
        return (
            at - self.began[kind.rule] >= kind.dwell_s - 1e-6
            and self.looks(kind.rule) >= LEAST_LOOKS
            and 2 * sum(kind.rule in rules for rules in positive) >= len(positive)
            and self.mean(since) >= settings.confirm_score
        )

    def take(self, found: Sequence[Observation]) -> None:
        """Remember the observations of a look, strongest first."""
        self.best = found[0]
        for one in found:
            self.began[one.rule] = min(one.since, self.began.get(one.rule, one.since))
        self.kinds |= {one.rule: one for one in reversed(found)}

    def become(self, grown: Case) -> None:
        """Stand for the graver hazard from now on; what was seen stays."""
        self.best, self.hazard, self.confirmed_at = grown.best, grown.hazard, grown.confirmed_at
        self.kinds, self.began, self.grown = grown.kinds, grown.began, None

    def add(self, seen: Seen) -> None:
        self.seen.append(seen)
        if seen.score >= GONE:
            self.doubt_free()
            return
        self.free_looks += 1
        if self.free_since is None:
            self.free_since = seen.at

    def doubt_free(self) -> None:
        """The run of free looks begins anew."""
        self.free_looks, self.free_since = 0, None


class Cases:
    """All cases of one camera; ``update`` once per look."""

    def __init__(self, settings: HazardSettings) -> None:
        self._settings = settings
        self.open: list[Case] = []

    def update(
        self, at: float, observations: Iterable[Observation], hidden: Callable[[Case], bool]
    ) -> tuple[list[Case], list[Case]]:
        """Take in the observations of a look; ``hidden`` tells if it says nothing about a case.

        Returns the cases newly confirmed (one that has grown: again) and those newly cleared.
        """
        found: dict[int, list[Observation]] = {}
        for observation in sorted(observations, key=lambda one: -one.score):
            found.setdefault(id(self._case_of(observation)), []).append(observation)
        for case in self.open:
            here = found.get(id(case), [])
            self._extend(case, at, here, hidden)
            if case.hazard in GRAVER:
                graver = [one for one in here if one.hazard == GRAVER[case.hazard]]
                self._extend_grown(case, at, graver, hidden)
        confirmed = [case for case in self.open if self._confirms(case, at)]
        cleared = [case for case in self.open if self._clears(case, at)]
        self.open = [
            case for case in self.open if case not in cleared and not self._fades(case, at)
        ]
        return confirmed, cleared

    def start_anew(self) -> None:
        """After an outage: nothing from before it confirms or clears a case together with now."""
        self.open = [case for case in self.open if case.confirmed_at is not None]
        for case in self.open:
            case.doubt_free()
            case.grown = None

    def lose_background(self) -> None:
        """The light or the camera changed: see ``Case.stale``."""
        for case in self.open:
            case.stale = True

    def stretch(self, factor: float) -> None:
        """The picture became ``factor`` as wide: move all places with it."""
        for case in self.open:
            box = case.best.box * np.array([factor, 1.0, factor, 1.0])
            case.best = replace(case.best, box=box)

    def _case_of(self, observation: Observation) -> Case:
        family = family_of(observation.hazard)
        near = [case for case in self.open if case.family == family and _same(case, observation)]
        if near:
            return min(near, key=lambda case: _far(case.best.box, observation.box))
        case = Case(family, observation)
        case.take([observation])
        self.open.append(case)
        return case

    def _extend(
        self, case: Case, at: float, found: list[Observation], hidden: Callable[[Case], bool]
    ) -> None:
        if not found:
            if hidden(case):
                case.obstructed += 1
            else:
                case.add(Seen(at, 0.0, ()))
            return
        case.add(Seen(at, found[0].score, tuple(one.rule for one in found)))
        case.last_seen_at = at
        case.stale = case.stale and all(one.rule != "object" for one in found)
        if case.confirmed_at is not None:
            return  # what was reported stands: its name is made of kind and start
        case.take(found)

    def _extend_grown(
        self, case: Case, at: float, graver: list[Observation], hidden: Callable[[Case], bool]
    ) -> None:
        if case.grown is None:
            if not graver:
                return
            case.grown = Case(case.family, graver[0])
        self._extend(case.grown, at, graver, hidden)
        if self._fades(case.grown, at):
            case.grown = None

    def _confirms(self, case: Case, at: float) -> bool:
        if case.grown is not None and self._confirms(case.grown, at):
            case.become(case.grown)
            return True
        ripe = None if case.confirmed_at is not None else case.ripe(at, self._settings)
        if ripe is None:
            return False
        case.best, case.hazard, case.confirmed_at = ripe, ripe.hazard, at
        return True

    def _clears(self, case: Case, at: float) -> bool:
        return (
            case.confirmed_at is not None
            and case.free_since is not None
            and at - case.free_since >= self._settings.clear_s
            and case.free_looks >= self._settings.clear_looks
        )

    @staticmethod
    def _fades(case: Case, at: float) -> bool:
        if case.confirmed_at is not None:
            return False
        looked_at = case.seen[-1].at  # time in which the place was hidden proves nothing
        if at - looked_at > LOST_S:
            return True
        return looked_at - case.started_at >= FADE_S and case.mean(looked_at - FADE_S) < FADED


def _far(a: Box, b: Box) -> float:
    """Distance of the centres in sizes of the larger one."""
    return float(np.hypot(*(centre(a) - centre(b)))) / max(size(a), size(b), 1e-6)


def _same(case: Case, observation: Observation) -> bool:
    box = case.best.box
    far = _far(box, observation.box)
    if far <= REACH[case.family] or iou(box[None], observation.box[None])[0, 0] > 0.1:
        return True
    together = abs(observation.since - case.started_at) <= SCENE_S
    return case.family == "blockage" and together and far <= SCENE_REACH
