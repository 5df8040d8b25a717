"""From evidence to belief: one case per place, confirmed and cleared with hysteresis.

A look in which nothing is seen counts as zero, a look in which something stands in front of the
place doesn't count at all. Looks of another purpose see more or less and come more or less often:
each has a history of its own, any of which may confirm, and all that ever saw it must clear.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.hazards.boxes import centre, iou, size
from pipeline.hazards.history import History, Seen
from pipeline.hazards.incident import family_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.hazards.boxes import Box
    from pipeline.hazards.incident import Hazard
    from pipeline.hazards.observation import Observation
    from pipeline.ingest import Purpose
    from pipeline.settings import HazardSettings

GRAVER: dict[Hazard, Hazard] = {"road_damage": "road_collapse"}
"""What a confirmed hazard may grow into; it is then reported again as that."""
REACH = {"road": 1.0, "blockage": 1.6, "crowd": 1e9}
"""Own sizes within which evidence belongs to the same case; a crowd is one per camera."""
SCENE_REACH = 4.0
SCENE_S = 15.0
"""What comes to lie on the road this close (in sizes) and this soon around another blockage is
part of the same event: debris, the second vehicle."""

RIPENS_S = 20.0
"""This long before and after the end of its dwell more looks decide about a case, and surer."""


def _histories() -> dict[Purpose, History]:
    return {"whole": History(), "road": History()}


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
    by: dict[Purpose, History] = field(default_factory=_histories)
    obstructed: int = 0
    confirmed_at: float | None = None
    last_seen_at: float = 0.0
    hazard: Hazard | None = None  # fixed when confirmed, until it has grown
    grown: Case | None = None
    stale: bool = False

    @property
    def started_at(self) -> float:
        """Since when there is evidence: any at first, then of the kind that was confirmed."""
        if self.confirmed_at is None:
            return min(self.began.values())
        return self.began[self.best.rule]

    @property
    def purpose(self) -> Purpose:
        """Which looks see the place best."""
        means = {purpose: one.mean(self.started_at) for purpose, one in self.by.items()}
        return max(self.by, key=lambda purpose: means[purpose])

    @property
    def asks_road_looks(self) -> bool:
        """Whether a road look that sees nothing at the place says anything about it."""
        return self.family == "road" or self.by["road"].saw

    @property
    def seen(self) -> Sequence[Seen]:
        """The looks of that purpose."""
        return self.by[self.purpose].seen

    @property
    def free_since(self) -> float | None:
        """Since when the last of those that saw it has found it free; None if none does."""
        since = (history.free_since for history in self.by.values() if history.saw)
        return max((at for at in since if at is not None), default=None)

    def mean(self, since: float) -> float:
        """Mean score of the looks since then, by the purpose that sees it best."""
        return max(history.mean(since) for history in self.by.values())

    def ripe(self, at: float, settings: HazardSettings, purpose: Purpose) -> Observation | None:
        """The evidence to believe now, if any: of several kinds, the one with the least dwell."""
        history = self.by[purpose]
        if not history.seen or history.seen[-1].at != at or not history.seen[-1].rules:
            return None  # the look at hand sees nothing
        kinds = sorted(self.kinds.values(), key=lambda one: one.dwell_s)
        return next((one for one in kinds if self._held(one, at, settings, history)), None)

    def _held(
        self, kind: Observation, at: float, settings: HazardSettings, history: History
    ) -> bool:
        """True if this kind lasted its dwell, in most looks that saw something, and is strong."""
        since = at - max(kind.dwell_s, 1.0)
        positive = [entry.rules for entry in history.recent(since) if entry.rules]
        return (
            at - self.began[kind.rule] >= kind.dwell_s - 1e-6
            and history.looks(kind.rule) >= kind.least_looks
            and 2 * sum(kind.rule in rules for rules in positive) >= len(positive)
            and history.mean(since) >= settings.confirm_score
        )

    def outdone(self, purpose: Purpose, at: float) -> bool:
        """True if looks that measure finer than those of this purpose see something there too."""
        return purpose == "whole" and not self.by["road"].fades(at, self.started_at)

    def take(self, found: Sequence[Observation], purpose: Purpose, at: float) -> None:
        """Remember the observations of a look, strongest first; the finer boxes are kept."""
        for one in found:
            self.began[one.rule] = min(one.since, self.began.get(one.rule, one.since))
        kinds = {one.rule: one for one in reversed(found)}
        if self.outdone(purpose, at):
            self.kinds = kinds | self.kinds
            return
        self.best = found[0]
        self.kinds |= kinds

    def become(self, grown: Case) -> None:
        """Stand for the graver hazard from now on; what was seen stays."""
        self.best, self.hazard, self.confirmed_at = grown.best, grown.hazard, grown.confirmed_at
        self.kinds, self.began, self.grown = grown.kinds, grown.began, None

    def doubt_free(self) -> None:
        """All runs of free looks begin anew."""
        for history in self.by.values():
            history.doubt_free()

    def ripening(self, at: float, settings: HazardSettings) -> int:
        """How many looks saw it, if it may soon be confirmed or turn out to be nothing; else 0."""
        if self.confirmed_at is not None:
            return self.grown.ripening(at, settings) if self.grown is not None else 0
        if self.mean(self.started_at) < settings.confirm_score / 2:
            return 0
        return max((self._soon_ripe(kind, at) for kind in self.kinds.values()), default=0)

    def _soon_ripe(self, kind: Observation, at: float) -> int:
        """Its looks around the end of its dwell, and after it for as long as some are missing."""
        overdue_s = at - self.began[kind.rule] - kind.dwell_s
        looks = max(history.looks(kind.rule) for history in self.by.values())
        soon = overdue_s >= -RIPENS_S and (overdue_s <= RIPENS_S or looks < kind.least_looks)
        return looks if soon else 0

    def fades(self, at: float) -> bool:
        """True if no history believes in it any more; one that alone doesn't is forgotten."""
        for purpose, history in self.by.items():
            if history.saw and history.fades(at, self.started_at):
                self.by[purpose] = History()
        return not any(history.saw for history in self.by.values())

    def clears(self, at: float, settings: HazardSettings) -> bool:
        """True if all that saw it, and can still see the place, have found it free for long."""
        asked = [one for one in self.by.values() if one.saw and not one.silent(at)]
        return bool(asked) and all(
            one.free_since is not None
            and at - one.free_since >= settings.clear_s
            and one.free_looks >= settings.clear_looks
            for one in asked
        )


def _everywhere(_case: Case) -> bool:
    return True


class Cases:
    """All cases of one camera; ``update`` once per look."""

    def __init__(self, settings: HazardSettings) -> None:
        self._settings = settings
        self.open: list[Case] = []

    def update(
        self,
        at: float,
        observations: Iterable[Observation],
        hidden: Callable[[Case], bool],
        purpose: Purpose = "whole",
        covers: Callable[[Case], bool] = _everywhere,
    ) -> tuple[list[Case], list[Case]]:
        """Take in the observations of a look; ``hidden`` tells if it says nothing about a case.

        A look that doesn't show the place of a case (``covers``) is none for it. Returns the cases
        newly confirmed (one that has grown: again) and those newly cleared.
        """
        found: dict[int, list[Observation]] = {}
        for observation in sorted(observations, key=lambda one: -one.score):
            found.setdefault(id(self._case_of(observation, purpose, at)), []).append(observation)
        looked_at = [case for case in self.open if id(case) in found or covers(case)]
        for case in looked_at:
            here = found.get(id(case), [])
            self._extend(case, at, here, hidden, purpose)
            if case.hazard in GRAVER and not case.outdone(purpose, at):
                graver = [one for one in here if one.hazard == GRAVER[case.hazard]]
                self._extend_grown(case, at, graver, hidden, purpose)
        confirmed = [case for case in looked_at if self._confirms(case, at, purpose)]
        cleared = [
            case
            for case in self.open
            if case.confirmed_at is not None and case.clears(at, self._settings)
        ]
        self.open = [
            case
            for case in self.open
            if case not in cleared and (case.confirmed_at is not None or not case.fades(at))
        ]
        return confirmed, cleared

    def refute(self, case: Case) -> None:
        """It was nothing: all evidence of it is forgotten."""
        self.open.remove(case)

    def ripening(self, at: float) -> int:
        """Whether looks that come sooner are worth something: see ``Case.ripening``."""
        return max((case.ripening(at, self._settings) for case in self.open), default=0)

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

    def _case_of(self, observation: Observation, purpose: Purpose, at: float) -> Case:
        family = family_of(observation.hazard)
        near = [case for case in self.open if case.family == family and _same(case, observation)]
        if near:
            return min(near, key=lambda case: _far(case.best.box, observation.box))
        case = Case(family, observation)
        case.take([observation], purpose, at)
        self.open.append(case)
        return case

    def _extend(
        self,
        case: Case,
        at: float,
        found: list[Observation],
        hidden: Callable[[Case], bool],
        purpose: Purpose,
    ) -> None:
        if not found:
            if hidden(case):
                case.obstructed += 1
            else:
                case.by[purpose].add(Seen(at, 0.0, ()))
            return
        case.by[purpose].add(Seen(at, found[0].score, tuple(one.rule for one in found)))
        case.last_seen_at = max(at, case.last_seen_at)
        case.stale = case.stale and all(one.rule != "object" for one in found)
        if case.confirmed_at is not None:
            return  # what was reported stands: its name is made of kind and start
        case.take(found, purpose, at)

    def _extend_grown(
        self,
        case: Case,
        at: float,
        graver: list[Observation],
        hidden: Callable[[Case], bool],
        purpose: Purpose,
    ) -> None:
        if case.grown is None:
            if not graver:
                return
            case.grown = Case(case.family, graver[0])
        self._extend(case.grown, at, graver, hidden, purpose)
        if case.grown.fades(at):
            case.grown = None

    def _confirms(self, case: Case, at: float, purpose: Purpose) -> bool:
        if case.grown is not None and self._confirms(case.grown, at, purpose):
            case.become(case.grown)
            return True
        if case.confirmed_at is not None:
            return False
        ripe = case.ripe(at, self._settings, purpose)
        if ripe is None:
            return False
        case.best, case.hazard, case.confirmed_at = ripe, ripe.hazard, at
        return True


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
