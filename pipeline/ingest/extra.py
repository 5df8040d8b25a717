"""Who is looked at more often for now: cameras where something is unconfirmed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

TURN_S = 60.0
"""Where some have to wait, one that has had extra looks for so long lets all others go first."""


@dataclass(slots=True)
class _Wish:
    """``order``: of asking first. ``turns``: so many it has had. ``since``: of the one it has."""

    order: int
    interval_s: float
    until: float
    looks: int
    turns: int = 0
    since: float | None = None


class ExtraLooks:
    """Asked for and granted. Times are steady seconds; not thread-safe."""

    def __init__(self, share: float) -> None:
        """``share`` of what the detector can do goes to all of them together."""
        self.granted: dict[str, float] = {}
        """Their intervals in seconds, by camera_id."""
        self._share = share
        self._wishes: dict[str, _Wish] = {}
        self._orders = count()

    def ask(self, camera_id: str, interval_s: float, until: float, looks: int) -> bool:
        """True if it had not asked yet. ``looks``: so many speak for what is unconfirmed."""
        wish = self._wishes.get(camera_id)
        if wish is None:
            self._wishes[camera_id] = _Wish(next(self._orders), interval_s, until, looks)
            return True
        wish.interval_s, wish.until, wish.looks = interval_s, until, looks
        return False

    def enough(self, camera_id: str) -> bool:
        """Nothing is unconfirmed there any more. True if it had asked."""
        return self._wishes.pop(camera_id, None) is not None

    def grant(
        self, now: float, looks_per_s: float | None, put_gap_s: Callable[[str], float]
    ) -> list[str]:
        """Decide anew who has them, as many as the share allows, at least one; returns who is new.

        Who had fewer turns comes first; then what more looks speak for: what was seen twice from
        afar in time is mostly two things, what was seen five times hardly ever. ``looks_per_s``
        that the detector can do; None: not known, so all have them. ``put_gap_s``: how far apart a
        camera's pictures come.
        """
        self._wishes = {name: wish for name, wish in self._wishes.items() if wish.until > now}
        if len(self._wishes) > len(self.granted):
            for wish in self._wishes.values():
                if wish.since is not None and now - wish.since >= TURN_S:
                    wish.turns, wish.since = wish.turns + 1, None
        before = self.granted
        self.granted = {}
        left = float("inf") if looks_per_s is None else looks_per_s * self._share
        for camera_id, wish in sorted(self._wishes.items(), key=_rank):
            # Looks come no more often than key frames do.
            left -= 1.0 / max(wish.interval_s, put_gap_s(camera_id))
            if left < 0 and self.granted:
                break
            self.granted[camera_id] = wish.interval_s
        for camera_id, wish in self._wishes.items():
            if camera_id not in self.granted:
                wish.since = None
            elif wish.since is None:
                wish.since = now
        return [camera_id for camera_id in self.granted if camera_id not in before]

    def keep(self, camera_ids: Collection[str]) -> None:
        """Forget all other cameras."""
        for camera_id in self._wishes.keys() - set(camera_ids):
            del self._wishes[camera_id]


def _rank(one: tuple[str, _Wish]) -> tuple[int, bool, int, int]:
    wish = one[1]
    return wish.turns, wish.since is None, -wish.looks, wish.order
