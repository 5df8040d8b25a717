"""The newest unread looks of every camera: what stands between readers and the detector.

A slow detector must never slow a reader, so there is one slot per camera for its whole look, one
for each of its windows, and putting never blocks: a newer look replaces an older unread one, and
the replaced one is counted as skipped. Whole looks come first: a detector that is too slow for all
of them skips road looks before anything else.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, get_args

from pipeline.ingest.look import Purpose

if TYPE_CHECKING:
    from collections.abc import Hashable

    from pipeline.ingest.look import Look

PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
"""In the order in which looks are taken."""


class LatestLooks:
    """Slots that readers put into and the batcher takes from; safe among threads."""

    def __init__(self) -> None:
        # Each in the order in which a camera, or a window of it, began to wait.
        self._slots: dict[Purpose, dict[Hashable, Look]] = {purpose: {} for purpose in PURPOSES}
        self._changed = threading.Condition()
        self._skipped: dict[Purpose, Counter[str]] = {purpose: Counter() for purpose in PURPOSES}
        self._closed = False

    def put(self, look: Look) -> None:
        """Offer a look; never blocks. A slot that already waits keeps its place in the queue."""
        slots = self._slots[look.purpose]
        slot = look.camera_id, look.region if look.purpose == "road" else None
        with self._changed:
            if slot in slots:
                self._skipped[look.purpose][look.camera_id] += 1
            slots[slot] = look
            self._changed.notify()

    def take(self, max_n: int, timeout_s: float) -> list[Look]:
        """Up to ``max_n`` looks, whole ones first, of these what has waited longest first.

        Returns as soon as there is at least one; empty after ``timeout_s`` or once closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: any(self._slots.values()) or self._closed, timeout_s)
            taken: list[Look] = []
            for slots in self._slots.values():
                taken += [slots.pop(slot) for slot in list(slots)[: max_n - len(taken)]]
            return taken

    def close(self) -> None:
        """Wake everybody who waits; what still stands in the slots can be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def skipped(self, purpose: Purpose = "whole") -> dict[str, int]:
        """How many looks of each camera were replaced before anybody took them."""
        with self._changed:
            return dict(self._skipped[purpose])
