"""The cameras as the boxes last told them, and which of them somebody asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.clock import Clock

FRESH_S = 2.0
"""A wall asks for a dozen pictures at once; whose each camera is, is read once for them."""


class CameraRows:
    """``read`` gives one mapping per camera, see ``create_app``. May be used by several threads."""

    def __init__(self, read: Callable[[], Sequence[Mapping[str, Any]]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        # Never changed, only replaced.
        self._known: tuple[float, dict[str, Mapping[str, Any]]] | None = None

    def __call__(self) -> Sequence[Mapping[str, Any]]:
        """All of them, as they are now."""
        rows = self._read()
        self._known = self._clock.monotonic(), {row["camera_id"]: row for row in rows}
        return rows

    def recent(self) -> Sequence[Mapping[str, Any]]:
        """All of them as they were a moment ago."""
        return list(self._recent().values())

    def of(self, camera_id: str) -> Mapping[str, Any] | None:
        """One of them as it was a moment ago; None: there is no such camera."""
        known = self._recent()
        if camera_id not in known:
            self()
            known = self._recent()
        return known.get(camera_id)

    def _recent(self) -> Mapping[str, Mapping[str, Any]]:
        known = self._known
        if known is None or self._clock.monotonic() - known[0] > FRESH_S:
            self()
            known = self._known
        return {} if known is None else known[1]
