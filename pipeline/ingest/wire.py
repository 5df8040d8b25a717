"""What a worker process and the daemon say to each other, over a socket that both inherit.

Nothing stands in arguments, the environment or a file: camera URLs hold passwords. A message is
its length and a pickle. What a worker says is unpickled with nothing but the classes named here:
a camera that takes over a decoder would have got a worker, and must not get the daemon with it.
"""

from __future__ import annotations

import io
import pickle
import socket
import struct
from collections.abc import Mapping  # noqa: TC003 - field types are looked at while running
from dataclasses import dataclass
from pathlib import Path, PosixPath
from typing import TYPE_CHECKING, Any, get_args

from pipeline.errors import WorkerError
from pipeline.ingest.decoding import Codec
from pipeline.ingest.evidence import FileMoment, PacketGroup
from pipeline.ingest.look import Purpose
from pipeline.ingest.state import CameraStatus

if TYPE_CHECKING:
    from pipeline.ingest.evidence import Kept
    from pipeline.settings import IngestSettings
    from pipeline.town import Camera

_LENGTH = struct.Struct("!I")
LONGEST = 64 << 20
"""Bytes of a message: a group of 10 s of 4 MP packets fits many times."""


# What a worker says.


@dataclass(frozen=True, slots=True)
class Arrived:
    """A look whose picture stands in a slot of the ring; the other fields are those of Look."""

    slot: int
    camera_id: str
    captured_at: float
    region: tuple[float, float, float, float]
    source_size: tuple[int, int]
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class Beat:
    """A sign of life. ``statuses``: those that changed since the last one.

    ``no_slot``: looks by (camera_id, purpose) that found no free slot since the last one.
    ``list_version`` is that of the newest ``Watch`` the worker has applied.
    """

    list_version: int
    statuses: tuple[CameraStatus, ...]
    no_slot: Mapping[tuple[str, Purpose], int]
    rss_bytes: int
    fds: int
    threads: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is kept of the moment that ``Fetch`` number ``request`` asked for."""

    request: int
    kept: Kept | None


# What the daemon says.


@dataclass(frozen=True, slots=True)
class Begin:
    """The first message. ``size`` and ``slots`` describe the ring at descriptor ``ring_fd``.

    ``views`` is the folder that keeps what cameras see over a restart (see Ingest).
    ``steady_offset_s``: see SystemClock; all processes must time their pictures alike.
    """

    settings: IngestSettings
    size: tuple[int, int]
    slots: int
    ring_fd: int
    steady_offset_s: float
    views: Path | None


@dataclass(frozen=True, slots=True)
class Watch:
    """All cameras of this worker; those that it reads already keep their connection."""

    list_version: int
    cameras: tuple[Camera, ...]


@dataclass(frozen=True, slots=True)
class Fetch:
    """Ask for what is kept of a moment of a camera."""

    request: int
    camera_id: str
    captured_at: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Leave all cameras in order, for so many seconds at most, then end."""

    within_s: float


_FROM_WORKERS = {
    (kind.__module__, kind.__qualname__): kind
    for kind in (
        Arrived,
        Beat,
        Fetched,
        CameraStatus,
        PacketGroup,
        FileMoment,
        Codec,
        PosixPath,
    )
}


_PURPOSES = get_args(Purpose)
_STATUS_KINDS: dict[str, Any] = {
    "camera_id": str,
    "state": str,
    "since_at": float,
    "why": str,
    "last_look_at": float | None,
    "looks": int,
    "corrupt": int,
    "pictures": int,
    "failures": int,
}


class _Unpickler(pickle.Unpickler):
    """Makes values of the classes a worker may send, and of no others."""

    def find_class(self, module: str, name: str) -> Any:
        found = _FROM_WORKERS.get((module, name))
        if found is None:
            raise WorkerError(f"{module}.{name} is nothing that a worker may send")
        return found


def _is_sound(message: object) -> bool:
    """Whether it is a message of a worker, with values of the right kinds in it."""
    match message:
        case Arrived(int(), str(), float(), (x1, y1, x2, y2), (int(), int()), purpose):
            return purpose in _PURPOSES and all(isinstance(v, float) for v in (x1, y1, x2, y2))
        case Beat(int(), tuple(statuses), dict(no_slot), int(), int(), int()):
            return all(map(_is_sound_status, statuses)) and all(
                map(_is_sound_drop, no_slot.items())
            )
        case Fetched(int(), None | FileMoment(PosixPath(), float())):
            return True
        case Fetched(int(), PacketGroup(Codec(str(), bytes()), tuple(packets))):
            return bool(packets) and all(isinstance(packet, bytes) for packet in packets)
    return False


def _is_sound_status(status: object) -> bool:
    return isinstance(status, CameraStatus) and all(
        isinstance(getattr(status, name), kinds) for name, kinds in _STATUS_KINDS.items()
    )


def _is_sound_drop(drop: object) -> bool:
    match drop:
        case ((str(), purpose), int()):
            return purpose in _PURPOSES
    return False


class Channel:
    """One end of the socket. One thread may send while another receives.

    ``trusting``: whether whoever is at the other end may send any value; a worker trusts its
    daemon.
    """

    def __init__(self, end: socket.socket, *, trusting: bool) -> None:
        self._socket = end
        self._incoming = end.makefile("rb")
        self._trusting = trusting

    def send(self, message: object) -> None:
        """Blocks while the other end doesn't read. Raises OSError when it is gone."""
        data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        self._socket.sendall(_LENGTH.pack(len(data)) + data)

    def receive(self) -> Any:
        """The next message; None when the other end is gone.

        Raises WorkerError for what is no message.
        """
        try:
            head = self._incoming.read(_LENGTH.size)
            if len(head) < _LENGTH.size:
                return None
            (length,) = _LENGTH.unpack(head)
            if length > LONGEST:
                raise WorkerError(f"a message of {length} bytes")
            data = self._incoming.read(length)
        except OSError:
            return None
        return self._value(data) if len(data) == length else None

    def _value(self, data: bytes) -> Any:
        if self._trusting:
            return pickle.loads(data)  # noqa: S301 - from the process that started this one
        try:
            message = _Unpickler(io.BytesIO(data)).load()
            sound = _is_sound(message)
        except WorkerError:
            raise
        except Exception as error:  # noqa: BLE001 - a broken pickle may raise anything
            raise WorkerError(f"a message that can't be read: {type(error).__name__}") from None
        if not sound:
            raise WorkerError(f"a message that makes no sense: {type(message).__name__}")
        return message

    def hang_up(self) -> None:
        """Wake whoever sends or receives at either end; may be called from any thread."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # the other end was quicker
            return

    def close(self) -> None:
        """Let go of the socket. Nobody may be sending or receiving."""
        self._incoming.close()
        self._socket.close()
