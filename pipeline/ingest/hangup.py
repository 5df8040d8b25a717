"""Ends reads of a camera that take too long, from outside: hangs up where the reader waits.

FFmpeg itself gives up a connection on which nothing comes, but a camera whose encoder has died may
go on sending reports, or a few bytes at a time, for ever. PyAV's own timeout would end such a read;
but FFmpeg then asks Python whenever it touches a socket, thousands of times a second, each time for
Python's one lock. That was 23 % of the ingest of 50 1080p cameras.

So one thread for all looks after those that read. The kernel says in which call a thread waits and
with what arguments; those of ``poll`` name the socket, which is then shut down.
"""

from __future__ import annotations

import fcntl
import os
import platform
import socket
import sys
import termios
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.clock import Clock

_Item = TypeVar("_Item")
_STEP_S = 0.25
# Numbers of poll and ppoll: in both the first argument is where the descriptors are.
_POLLS = {"x86_64": ("7", "271"), "aarch64": ("73",)}.get(platform.machine(), ())


@dataclass(eq=False, slots=True)
class Reading:
    """What one thread reads. ``hung_up``: it took longer than ``limit_s`` for one item."""

    limit_s: float
    clock: Clock
    thread_id: int = field(default_factory=threading.get_native_id)
    hung_up: bool = False
    came_at: float = 0.0
    """When the newest item came (monotonic seconds)."""
    _since: float | None = None
    _descriptor: int | None = None

    def each(self, items: Iterable[_Item]) -> Iterator[_Item]:
        """The items, each of which is waited for ``limit_s`` and not much longer."""
        source = iter(items)
        while True:
            self._since = self.clock.monotonic()
            try:
                item = next(source)
            except StopIteration:
                return
            finally:
                self._since = None
            self.came_at = self.clock.monotonic()
            yield item

    def queued(self) -> int:
        """Bytes that lie unread in the socket it waited at; -1 as long as that isn't known."""
        if self._descriptor is None:
            return -1
        try:
            count = fcntl.ioctl(self._descriptor, termios.FIONREAD, bytes(4))
        except OSError:
            return -1
        return int.from_bytes(count, sys.byteorder, signed=True)

    def make_room(self, size: int) -> None:
        """Let up to about half as many bytes wait in the socket, where its system allows it."""
        if self._descriptor is not None:
            with (
                suppress(OSError),
                socket.fromfd(self._descriptor, socket.AF_INET, socket.SOCK_STREAM) as connection,
            ):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)

    def check(self) -> None:
        """Hang up if it waits for too long; by any thread, again and again."""
        since = self._since
        if since is not None and self._descriptor is None:
            self._descriptor = _polled_by(self.thread_id)
        if since is not None and self.clock.monotonic() - since >= self.limit_s:
            before, self.hung_up = self.hung_up, True  # the reader asks as soon as it is freed
            if not hang_up(self.thread_id):
                self.hung_up = before


class Watchdog:
    """One thread that checks all readings of this process, while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readings: set[Reading] = set()
        self._idle = threading.Event()
        self._idle.set()

    @contextmanager
    def reading(self, limit_s: float, clock: Clock) -> Iterator[Reading]:
        """What the calling thread reads in this block is watched."""
        one = Reading(limit_s, clock)
        with self._lock:
            self._readings.add(one)
            if self._idle.is_set():
                self._idle.clear()
                threading.Thread(target=self._run, name="read watchdog", daemon=True).start()
        try:
            yield one
        finally:
            with self._lock:
                self._readings.discard(one)

    def _run(self) -> None:
        while not self._idle.wait(_STEP_S):
            with self._lock:
                readings = tuple(self._readings)
                if not readings:
                    self._idle.set()
            for one in readings:
                one.check()


WATCHDOG = Watchdog()
"""Shared by all streams of this process."""


def hang_up(thread_id: int) -> bool:
    """Shut down the socket at which a thread of this process waits now; False if at none."""
    descriptor = _polled_by(thread_id)
    if descriptor is None:
        return False
    try:
        with socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM) as connection:
            connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # closed meanwhile, or no connection
        return False
    return True


def can_hang_up() -> bool:
    """Whether this system tells where threads wait."""
    own = threading.get_native_id()
    return bool(_POLLS) and os.access(f"/proc/self/task/{own}/syscall", os.R_OK)


def _polled_by(thread_id: int) -> int | None:
    """The first descriptor of the poll in which the thread is."""
    try:
        call, *arguments = _syscall(thread_id).split()
        if call not in _POLLS:
            return None
        with Path("/proc/self/mem").open("rb", buffering=0) as memory:
            # Read as a file: an address that is no more is an error then, and no crash.
            data = os.pread(memory.fileno(), 4, int(arguments[0], 16))
    except OSError:
        return None
    return int.from_bytes(data, sys.byteorder, signed=True)


def _syscall(thread_id: int) -> str:
    return Path(f"/proc/self/task/{thread_id}/syscall").read_text(encoding="ascii")
