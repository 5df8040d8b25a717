"""Which packets are decoded and which pictures become looks. Knows nothing of video libraries.

``keys``: key frames alone, thinned to the interval. ``all``: everything is decoded, then thinned.
``auto``: like ``keys`` while key frames come at least once per interval; where the gap between
them is longer, packets are held back and decoded only when a look is due between them, so the
rest of a group after its last due look is never decoded.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.town import Policy

    Waits = Callable[[], bool]

# Receipt times jitter: a picture this share of the interval early is still on time. The schedule
# moves on by whole intervals, so the mean rate stays right.
_EARLY_SHARE = 0.1
# Time that falls back further than any reordering of pictures: the stream began anew.
_RESTART_S = 10.0
_UNEXPECTED_S = 0.5
# A look that the detector took within this time, or this share of the interval, did not wait.
_AT_ONCE_S, _AT_ONCE_SHARE = 0.5, 0.2
# One that has waited for so many intervals is replaced by a fresh one.
_STALE = 2.0


class Step(Enum):
    """What to do with a packet."""

    DROP = "never needed"
    HOLD = "needed only if a later packet of its group is decoded"
    DECODE = "decode now, after what is held"


class Sampler:
    """Decisions for one stream: ``step`` for every packet, ``keep`` for every decoded picture.

    Times are seconds on any one scale. An interval of 0 keeps everything the policy decodes.
    ``share`` (0 to 1), another one for each camera, is how much of a longer interval the first one
    after a change takes: cameras that connect together, or are told together to look less often,
    would else all be due in the same seconds for ever, with a detector that is flooded in those
    and has nothing to do in between.
    """

    def __init__(self, policy: Policy, interval_s: float, share: float = 1.0) -> None:
        self.continuous = policy == "all" or (policy == "auto" and interval_s == 0)
        self.keys_only = policy == "keys"
        self._interval_s = interval_s
        self._share = share
        self._due_at: float | None = None
        self._kept_at = 0.0
        self._counted_from = 0.0  # what the interval counts from: the last picture, or its turn
        self._waits: Waits | None = None
        self._hurry_s: float | None = None
        self._key_at: float | None = None
        self._key_gap_s = 0.0

    def set_interval(self, interval_s: float) -> None:
        """From now on; the next picture is due this long after the last one's turn, or earlier.

        May be called from any thread: at worst one picture more is kept, or one less.
        """
        longer_s = interval_s - self._interval_s
        self._interval_s = interval_s
        if self._due_at is not None and self._hurry_s is None:
            latest = self._counted_from + interval_s
            self._due_at = min(latest, self._due_at + max(0.0, longer_s) * self._share)

    def offered(self, waits: Waits | None) -> None:
        """Someone has the look of the picture kept last; ``waits`` tells whether it waits there.

        While it does, no other one is due, unless it has become stale; then the next one is due an
        interval after it was taken. None: nobody can tell, as if it had been taken at once.
        """
        self._waits = waits

    def hurry(self, interval_s: float) -> None:
        """The next picture is due so soon, whether or not the last one waits; once."""
        if self._due_at is not None:
            self._hurry_s = interval_s
            self._due_at = min(self._due_at, self._kept_at + interval_s)

    def step(self, at_s: float, *, key: bool) -> Step:
        """What to do with the packet whose picture is shown at this time."""
        if self.continuous:
            return Step.DECODE
        if key:
            self._key_gap_s = 0.0 if self._key_at is None else at_s - self._key_at
            self._key_at = at_s
            if self._is_due(at_s):
                return Step.DECODE
            return Step.DROP if self.keys_only else Step.HOLD
        # Pictures shown before their key frame refer to a group whose end may have been dropped.
        if self.keys_only or self._key_at is None or at_s < self._key_at:
            return Step.DROP
        # The last gap may have jittered; in this one no key frame came, that is sure.
        sparse = (
            self._key_gap_s > self._interval_s * (1 + _EARLY_SHARE)
            or at_s - self._key_at >= self._interval_s
        )
        return Step.DECODE if sparse and self._is_due(at_s) else Step.HOLD

    def free_s(self, now: float) -> float:
        """For so long from now no packet would be decoded, as far as one can tell.

        Once a picture is due it waits for a key frame, which may come earlier than the last ones
        did: then it would be noticed ``_UNEXPECTED_S`` late at most.
        """
        if not self.keys_only or self._due_at is None or self._key_at is None:
            return 0.0
        self._mind(now)
        due_s = self._due_at - self._early_s - now
        if due_s > 0:
            return due_s
        return min(self._key_at + self._key_gap_s * (1 - _EARLY_SHARE) - now, _UNEXPECTED_S)

    def keep(self, at_s: float) -> bool:
        """Whether the picture becomes a look; a True counts as taken."""
        if not self._is_due(at_s):
            return False
        if self._due_at is None:
            self._due_at = at_s + self._interval_s * self._share
        else:
            late = abs(at_s - self._due_at) >= self._interval_s
            self._due_at = (at_s if late else self._due_at) + self._interval_s
        self._kept_at = self._counted_from = at_s
        self._hurry_s = None
        return True

    def _mind(self, now: float) -> None:
        """Put off the next picture while the last one waits."""
        if self._waits is None or self._due_at is None or self._hurry_s is not None:
            return
        if not self._waits():
            self._waits = None
        elif now - self._kept_at > min(_AT_ONCE_S, _AT_ONCE_SHARE * self._interval_s):
            stale_at = self._kept_at + _STALE * self._interval_s
            self._counted_from = now
            # The last key frame before its turn is wanted, not the first one after it.
            due_s = max(0.0, self._interval_s - self._key_gap_s)
            self._due_at = max(self._due_at, min(now + due_s, stale_at))

    def _is_due(self, at_s: float) -> bool:
        self._mind(at_s)
        if self._due_at is None or self._interval_s == 0 or at_s < self._kept_at - _RESTART_S:
            return True
        return at_s >= self._due_at - self._early_s

    @property
    def _early_s(self) -> float:
        if self._hurry_s is not None:
            return self._hurry_s / 2  # the next key frame, however unevenly they come
        return _EARLY_SHARE * self._interval_s
