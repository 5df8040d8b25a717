"""What looks of one purpose have seen at one place, over time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

MOST_LOOKS = 1000
"""Looks that are remembered: the longest dwell of the defaults (180 s) at five looks a second."""
LEAST_LOOKS = 3
"""Positive looks without which nothing is confirmed, however long the dwell."""
SURE_LOOKS = 6
"""Positive looks for what is known by its place alone: where looks are far apart, as with many
cameras to a detector, in three of them it may be another one like it each time."""
FADED = 0.2
"""Mean score of the last looks below which an unconfirmed case is dropped."""
FADE_S = 6.0
LOST_S = 60.0
"""A place that has been hidden, or not looked at, for this long has nothing to say any more."""
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
class History:
    """The looks of one purpose that could see the place.

    ``free_looks`` in a row found it free, up to now, the first of them at ``free_since``.
    """

    seen: deque[Seen] = field(default_factory=lambda: deque(maxlen=MOST_LOOKS))
    saw: bool = False
    """Whether any of them saw something there: if not, it is not one to ask if it is gone."""
    free_looks: int = 0
    free_since: float | None = None

    def add(self, seen: Seen) -> None:
        """Remember a look. Two windows of one picture are one look: the better one counts."""
        again = bool(self.seen) and self.seen[-1].at == seen.at
        if again:
            if seen.score <= self.seen[-1].score:
                return
            self.seen.pop()
        self.seen.append(seen)
        self.saw |= bool(seen.rules)
        if seen.score >= GONE:
            self.doubt_free()
            return
        self.free_looks += not again
        if self.free_since is None:
            self.free_since = seen.at

    def doubt_free(self) -> None:
        """The run of free looks begins anew."""
        self.free_looks, self.free_since = 0, None

    def recent(self, since: float) -> list[Seen]:
        """Where looks are far apart, too few fall into a window of seconds to judge by."""
        recent = [entry for entry in self.seen if entry.at >= since - 1e-6]
        return recent if len(recent) >= LEAST_LOOKS else list(self.seen)[-LEAST_LOOKS:]

    def mean(self, since: float) -> float:
        """Mean score of the looks since then, of the last LEAST_LOOKS at least."""
        recent = self.recent(since)
        return float(np.mean([entry.score for entry in recent])) if recent else 0.0

    def looks(self, rule: str) -> int:
        return sum(rule in entry.rules for entry in self.seen)

    def silent(self, at: float) -> bool:
        """True if none of its looks could see the place for long."""
        return not self.seen or at - self.seen[-1].at > LOST_S

    def fades(self, at: float, started_at: float) -> bool:
        """True if it gives no more reason to believe in anything there."""
        if not self.saw or self.silent(at):
            return True
        looked_at = self.seen[-1].at  # time in which the place was hidden proves nothing
        return looked_at - started_at >= FADE_S and self.mean(looked_at - FADE_S) < FADED
