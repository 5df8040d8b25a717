"""Changes of the camera list are taken over while the daemon runs; a wrong list is not.

The file is read every two seconds and acted on when it has stopped changing: editors that replace
it, copies over a slow line and half-written files all end in a content that stays. Its time and
size are not asked: both can stay the same, and reading a thousand rows costs a third of a
millisecond.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import structlog

from pipeline.errors import InputError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.clock import Clock
    from pipeline.town import Camera

POLL_S = 2.0
"""How often the file is read; a change is in force after at most two of these and its reading."""

log = structlog.get_logger()


class CameraListWatch:
    """Watches one camera list; ``run`` in a thread, or ``poll`` by hand.

    ``problem`` says why the list in the file is not in force, as its reader worded it; empty while
    it is. ``applied_at`` is when the one in force was taken over. ``digest`` is the SHA-256 of its
    file; empty until the file was looked at.
    """

    def __init__(
        self,
        path: Path,
        load: Callable[[], tuple[Camera, ...]],
        apply: Callable[[tuple[Camera, ...]], None],
        *,
        clock: Clock,
        in_force: tuple[Camera, ...],
    ) -> None:
        """``load`` reads and checks the list, raising InputError; ``apply`` puts it in force.

        ``in_force``: the list the daemon began with. A file that changed since it was read is taken
        over at the first chance.
        """
        self.problem = ""
        self.applied_at = clock.now()
        self.digest = ""
        self._path = path
        self._load = load
        self._apply = apply
        self._clock = clock
        self._cameras = in_force
        self._judged: str | None = None  # what the file held when it was last judged
        self._seen: str | None = None  # what it held at the last poll

    def run(self, stop: threading.Event) -> None:
        """Poll until ``stop`` is set."""
        while not self._clock.sleep(POLL_S, until=stop):
            self.poll()

    def poll(self) -> None:
        """Look at the file once. Raises only what ``apply`` raises."""
        found = self._content()
        stays, self._seen = found == self._seen, found
        if not stays or found == self._judged:
            return
        try:
            cameras = self._load()
        except InputError as error:
            if self._content() == found:  # else it changed while it was being read
                self._judged = found
                self._refuse(str(error))
            return
        if self._content() == found:
            self._judged = found
            self._take_over(cameras)

    def _content(self) -> str:
        """A hash of the file, or why it can't be read."""
        try:
            return hashlib.sha256(self._path.read_bytes()).hexdigest()
        except OSError as error:
            return str(error)

    def _refuse(self, why: str) -> None:
        self.problem = why
        log.error(
            "camera_list_refused", why=why, cameras=len(self._cameras), in_force="the one before"
        )

    def _take_over(self, cameras: tuple[Camera, ...]) -> None:
        before = {camera.camera_id: camera for camera in self._cameras}
        after = {camera.camera_id: camera for camera in cameras}
        changed = [name for name in before.keys() & after if before[name] != after[name]]
        if changed or before.keys() != after.keys():
            self._apply(cameras)
            self._cameras = cameras
            self.applied_at = self._clock.now()
            log.info(
                "camera_list_applied",
                cameras=len(cameras),
                added=_named(after.keys() - before.keys()),
                removed=_named(before.keys() - after.keys()),
                changed=_named(changed),
            )
        elif self.problem:
            log.info("camera_list_good_again", cameras=len(cameras))
        self.problem = ""
        self.digest = self._judged or ""


def _named(camera_ids: set[str] | list[str]) -> list[str]:
    """Sorted, and only so many that a line of the log stays one."""
    most = 20
    names = sorted(camera_ids)
    return names if len(names) <= most else [*names[:most], f"and {len(names) - most} more"]
