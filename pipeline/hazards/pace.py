"""How often a camera is looked at, and when that broke off."""

from __future__ import annotations

from collections import deque
from statistics import median

OUTAGE_S = 30.0
OUTAGE_GAPS = 3.0
"""A gap longer than both OUTAGE_S and this many usual ones is one in which anything may have
happened."""
USUAL_OF = 5


class Pace:
    """Told the time of every look of one camera."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._gaps: deque[float] = deque(maxlen=USUAL_OF)

    def broke(self, at: float) -> bool:
        """True if what was seen before this look can't be counted together with it.

        That is after an outage, and when the clock was put back: times from before it are worth
        nothing then. An outage counts as a gap as well, so a camera that from now on is looked at
        less often is soon at its usual pace again.
        """
        if self._at is None:
            self._at = at
            return False
        gap, self._at = at - self._at, at
        if gap < 0:
            return True
        usual = median(self._gaps) if self._gaps else 0.0
        self._gaps.append(gap)
        return gap > max(OUTAGE_S, OUTAGE_GAPS * usual)
