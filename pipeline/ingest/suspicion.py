"""What the pictures of a camera have hinted at, so that a worker's end doesn't forget it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ViewFault = Literal["live", "covered", "moved"]
Pending = tuple[ViewFault, float]
"""A state and for how many seconds it must last."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """In how many looks a condition has held without a break, and since when (Unix seconds)."""

    count: int = 0
    since_at: float = 0.0

    def again(self, at: float) -> Lasting:
        """It holds in one more look, captured then."""
        return Lasting(self.count + 1, self.since_at if self.count else at)

    def lasts(self, at: float, looks: int, seconds: float) -> bool:
        return self.count >= looks and at - self.since_at >= seconds


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Faults that have begun to show in the looks of one camera, whether they count yet or not.

    ``content`` is a checksum of the newest look, ``same`` how long pictures have had it. ``dark``:
    how long they have been black. ``view`` is what the view counts as. It changes to ``pending``
    when that has held for so many seconds; ``lasting`` is how long it has. ``stray`` is what the
    newest look says against that, and when.
    """

    content: int | None = None
    same: Lasting = Lasting()
    dark: Lasting = Lasting()
    view: ViewFault = "live"
    pending: Pending | None = None
    lasting: Lasting = Lasting()
    stray: tuple[Pending, float] | None = None
