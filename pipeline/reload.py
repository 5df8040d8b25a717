"""Changes of the camera list and of the duties are taken over while we run; wrong ones are not.

The file is read every two seconds and acted on when it has stopped changing: editors that replace
it, copies over a slow line and half-written files all end in a content that stays. Its time and
size are not asked: both can stay the same, and reading a thousand rows costs a third of a
millisecond.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

import structlog

from pipeline.errors import InputError
from pipeline.town import load_duties

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.clock import Clock
    from pipeline.town import Camera, Duties

Content = TypeVar("Content")

POLL_S = 2.0
"""How often the file is read; a change is in force after at most two of these and its reading."""

log = structlog.get_logger()


class FileWatch(ABC, Generic[Content]):
    """Watches one file; ``run`` in a thread, or ``poll`` by hand.

    ``problem`` says why what the file holds is not in force, as its reader worded it; empty while
    it is. ``applied_at`` is when what is in force was taken over. ``digest`` is the SHA-256 of its
    file; empty until the file was looked at.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.problem = ""
        self.applied_at = clock.now()
        self.digest = ""
        self._path = path
        self._clock = clock
        self._judged: str | None = None  # what the file held when it was last judged
        self._seen: str | None = None  # what it held at the last poll

    def run(self, stop: threading.Event) -> None:
        """Poll until ``stop`` is set."""
        while not self._clock.sleep(POLL_S, until=stop):
            self.poll()

    def poll(self) -> None:
        """Look at the file once. Raises only what putting it in force raises."""
        found = self._hash()
        stays, self._seen = found == self._seen, found
        if not stays or found == self._judged:
            return
        try:
            content = self._read()
        except InputError as error:
            if self._hash() == found:  # else it changed while it was being read
                self._judged = found
                self.problem = str(error)
                self._refused(self.problem)
            return
        if self._hash() == found:
            self._judged = found
            self._take_over(content)
            self.problem, self.digest = "", found

    def _hash(self) -> str:
        """Of what the file holds, or why it can't be read."""
        try:
            return hashlib.sha256(self._path.read_bytes()).hexdigest()
        except OSError as error:
            return str(error)

    @abstractmethod
    def _read(self) -> Content:
        """Read and check the file; raises InputError."""

    @abstractmethod
    def _refused(self, why: str) -> None:
        """Say that the file's content is not taken over."""

    @abstractmethod
    def _take_over(self, content: Content) -> None:
        """Put it in force where it differs from what is; ``problem`` still is the one before."""


class CameraListWatch(FileWatch["tuple[Camera, ...]"]):
    """Watches the camera list."""

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
        super().__init__(path, clock)
        self._load = load
        self._apply = apply
        self._cameras = in_force

    def _read(self) -> tuple[Camera, ...]:
        return self._load()

    def _refused(self, why: str) -> None:
        log.error(
            "camera_list_refused", why=why, cameras=len(self._cameras), in_force="the one before"
        )

    def _take_over(self, content: tuple[Camera, ...]) -> None:
        before = {camera.camera_id: camera for camera in self._cameras}
        after = {camera.camera_id: camera for camera in content}
        changed = [name for name in before.keys() & after if before[name] != after[name]]
        if changed or before.keys() != after.keys():
            self._apply(content)
            self._cameras = content
            self.applied_at = self._clock.now()
            log.info(
                "camera_list_applied",
                cameras=len(content),
                added=_named(after.keys() - before.keys()),
                removed=_named(before.keys() - after.keys()),
                changed=_named(changed),
            )
        elif self.problem:
            log.info("camera_list_good_again", cameras=len(content))


class DutiesWatch(FileWatch["Duties"]):
    """Watches the list of duties, and puts it in force in whatever holds ``duties``.

    Tickets that are open keep their limits; what is filed or moved from then on goes by the new.
    """

    def __init__(self, path: Path, duties: Duties, *, clock: Clock) -> None:
        super().__init__(path, clock)
        self._duties = duties

    def _read(self) -> Duties:
        return load_duties(self._path)

    def _refused(self, why: str) -> None:
        log.error("duties_refused", why=why, in_force="the ones before")

    def _take_over(self, content: Duties) -> None:
        changed = self._duties.become(content)
        if changed:
            self.applied_at = self._clock.now()
            log.info("duties_applied", changed=changed)
        elif self.problem:
            log.info("duties_good_again")


def _named(camera_ids: set[str] | list[str]) -> list[str]:
    """Sorted, and only so many that a line of the log stays one."""
    most = 20
    names = sorted(camera_ids)
    return names if len(names) <= most else [*names[:most], f"and {len(names) - most} more"]
