"""Whether pictures of a live stream are missing: a lost one leaves a gap in the camera's times."""

from __future__ import annotations

_GAP = 1.5  # of the usual distance
_USUAL_AFTER = 8  # distances from which one is usual


class Spacing:
    """Follows the times of one stream in the order of arrival, in ticks of any length.

    Streams whose pictures are reordered tell nothing: their times go back and forth.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._usual = 0.0
        self._count = 0
        self._reordered = False

    def gap(self, pts: int | None) -> bool:
        """Whether something seems to be missing before the picture of this time."""
        if pts is None:
            return False
        step = 0 if self._last is None else pts - self._last
        self._last = pts
        self._reordered |= step < 0
        if step <= 0:
            return False
        gap = not self._reordered and self._count >= _USUAL_AFTER and step > _GAP * self._usual
        self._count += 1
        self._usual += (step - self._usual) / min(self._count, _USUAL_AFTER)
        return gap
