"""Pictures from one process to another without copying them through a pipe.

A ring is one piece of shared memory without a name (a memfd): it is gone when the last process
that holds it is, however that one ended. One process (a worker) takes slots and fills them, the
other (the daemon) looks at them and frees them. A byte per slot at the start of the memory says
which is taken (0: none), so that freeing is one store: it can't wait, fail, or get lost.

The first free slot is taken first, so that memory is spent only on as many as were ever waiting
at the same time; ``trim`` gives back what was spent in a rush.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
from typing import TYPE_CHECKING, Self

import numpy as np

from pipeline.errors import WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_PAGE = mmap.PAGESIZE


class FrameRing:
    """Fixed slots for I420 pictures of one size; safe among the threads of both processes.

    ``size`` is the model's (width, height).
    """

    def __init__(self, fd: int, size: tuple[int, int], slots: int) -> None:
        """Map what ``create`` made; takes over the descriptor. Raises WorkerError."""
        width, height = size
        self._shape = height * 3 // 2, width
        self._bytes = width * height * 3 // 2
        self._stride = _pages(self._bytes)
        self._first = _pages(slots)  # where the first picture begins
        self._slots = slots
        self._fd: int | None = fd
        self._lock = threading.Lock()
        # Per slot: 0 costs no memory, 2 was used since the last ``trim``, 1 not since then.
        self._warm = bytearray(slots)
        self._marks = bytearray(slots)
        try:
            self._memory = mmap.mmap(fd, self._first + slots * self._stride)
        except (OSError, ValueError) as error:  # ValueError: the memory is smaller than that
            os.close(fd)
            raise WorkerError(f"shared memory can't be mapped: {error}") from None

    @classmethod
    def create(cls, size: tuple[int, int], slots: int) -> Self:
        """New memory, all slots free. Raises WorkerError when the machine gives none."""
        width, height = size
        length = _pages(slots) + slots * _pages(width * height * 3 // 2)
        try:
            fd = os.memfd_create("gridwatch-pictures", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            os.ftruncate(fd, length)
            # A mapping that the other side could shorten would end this process by SIGBUS.
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        except OSError as error:
            raise WorkerError(f"no shared memory: {error.strerror}") from None
        return cls(fd, size, slots)

    @property
    def slots(self) -> int:
        return self._slots

    def fileno(self) -> int:
        """The descriptor that another process inherits; until ``close_fd``."""
        if self._fd is None:
            raise WorkerError("the descriptor has been closed")
        return self._fd

    def close_fd(self) -> None:
        """Let go of the descriptor; the memory stays until its last view is gone."""
        with self._lock:
            fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def put(self, picture: NDArray[np.uint8], *, spare: int = 0) -> int | None:
        """Copy a picture into the first free slot; None when no more than ``spare`` are free."""
        if picture.shape != self._shape or picture.dtype != np.uint8:
            raise ValueError(f"picture is {picture.shape} {picture.dtype}, not {self._shape} uint8")
        with self._lock:
            slot = self._memory.find(b"\0", 0, self._slots)
            if slot < 0 or (spare and self._slots - self.taken() <= spare):
                return None
            self._marks[slot] = self._marks[slot] % 255 + 1
            self._memory[slot] = self._marks[slot]
            self._warm[slot] = 2
        self._view(slot)[:] = picture
        return slot

    def waits(self, slot: int) -> Callable[[], bool]:
        """Tells of the picture just put there whether it is still needed; for who put it.

        Each picture in a slot has another mark than the one before, so that the next one there is
        not taken for it.
        """
        mark = self._marks[slot]
        return lambda: self._memory[slot] == mark

    def picture(self, slot: int) -> NDArray[np.uint8]:
        """What stands in a taken slot: uint8 I420 (H·3/2, W), read only, valid until it is freed.

        Raises WorkerError for a slot that isn't there or isn't taken.
        """
        if not (isinstance(slot, int) and 0 <= slot < self._slots and self._memory[slot]):
            raise WorkerError(f"no picture stands in slot {slot!r}")
        view = self._view(slot)
        view.flags.writeable = False
        return view

    def free(self, slot: int) -> None:
        """The slot may be used again; its picture must not be looked at any more."""
        with self._lock:  # also keeps the store behind whatever was read from the slot
            self._memory[slot] = 0

    def taken(self) -> int:
        """How many slots are in use."""
        return self._slots - self._memory[: self._slots].count(0)

    def trim(self) -> None:
        """Give back the memory of slots that weren't needed since this was last called.

        For the process that takes slots.
        """
        with self._lock:
            for slot, warm in enumerate(self._warm):
                if warm and not self._memory[slot]:
                    self._warm[slot] = warm - 1
                    if warm == 1:
                        start = self._first + slot * self._stride
                        self._memory.madvise(mmap.MADV_REMOVE, start, self._stride)

    def _view(self, slot: int) -> NDArray[np.uint8]:
        offset = self._first + slot * self._stride
        flat = np.frombuffer(self._memory, np.uint8, self._bytes, offset)
        return flat.reshape(self._shape)


def _pages(length: int) -> int:
    return -(-length // _PAGE) * _PAGE
