"""Who is looked at more often for now: cameras where something is unconfirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

TURN_S = 60.0
"""Where some have to wait, one that has had extra looks for so long goes to the end."""


class ExtraLooks:
    """Asked for and granted in the order of asking. Times are steady seconds; not thread-safe."""

    def __init__(self, share: float) -> None:
        """``share`` of what the detector can do goes to all of them together."""
        self.granted: dict[str, float] = {}
        """Their intervals in seconds, by camera_id."""
        self._share = share
        self._asked: dict[str, tuple[float, float]] = {}  # interval, until
        self._since: dict[str, float] = {}  # of those that are granted

    def ask(self, camera_id: str, interval_s: float, until: float) -> bool:
        """True if it had not asked yet."""
        new = camera_id not in self._asked
        self._asked[camera_id] = interval_s, until
        return new

    def grant(
        self, now: float, looks_per_s: float | None, put_gap_s: Callable[[str], float]
    ) -> None:
        """Decide anew who has them: as many as the share allows, at least one.

        ``looks_per_s`` that the detector can do; None: not known, so all have them. ``put_gap_s``:
        how far apart a camera's pictures come.
        """
        asked = {name: ask for name, ask in self._asked.items() if ask[1] > now}
        if len(asked) > len(self.granted):
            for camera_id, since in self._since.items():
                if now - since >= TURN_S and camera_id in asked:
                    asked[camera_id] = asked.pop(camera_id)
                    self._since[camera_id] = now
        self._asked = asked
        left = float("inf") if looks_per_s is None else looks_per_s * self._share
        self.granted = {}
        for camera_id, (interval_s, _) in asked.items():
            # Looks come no more often than key frames do.
            left -= 1.0 / max(interval_s, put_gap_s(camera_id))
            if left < 0 and self.granted:
                break
            self.granted[camera_id] = interval_s
        self._since = {camera_id: self._since.get(camera_id, now) for camera_id in self.granted}

    def keep(self, camera_ids: Collection[str]) -> None:
        """Forget all other cameras."""
        for camera_id in self._asked.keys() - set(camera_ids):
            del self._asked[camera_id]
