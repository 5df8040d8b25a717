"""The newest unread look of every camera: what stands between readers and the detector.

A slow detector must never slow a reader, so there is one slot per camera and putting never
blocks: a newer look replaces an older unread one, and the replaced one is counted as skipped.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.ingest.look import Look


class LatestLooks:
    """Slots that readers put into and the batcher takes from; safe among threads."""

    def __init__(self) -> None:
        self._slots: dict[str, Look] = {}  # in the order in which cameras began to wait
        self._changed = threading.Condition()
        self._skipped: Counter[str] = Counter()
        self._closed = False

    def put(self, look: Look) -> None:
        """Offer a look; never blocks. A camera that already waits keeps its place in the queue."""
        with self._changed:
            if look.camera_id in self._slots:
                self._skipped[look.camera_id] += 1
            self._slots[look.camera_id] = look
            self._changed.notify()

    def take(self, max_n: int, timeout_s: float) -> list[Look]:
        """Up to ``max_n`` looks, one per camera, the camera that has waited longest first.

        Returns as soon as there is at least one; empty after ``timeout_s`` or once closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._slots or self._closed, timeout_s)
            camera_ids = list(self._slots)[:max_n]
            return [self._slots.pop(camera_id) for camera_id in camera_ids]

    def close(self) -> None:
        """Wake everybody who waits; what still stands in the slots can be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def skipped(self) -> dict[str, int]:
        """How many looks of each camera were replaced before anybody took them."""
        with self._changed:
            return dict(self._skipped)
