"""What a worker process and the daemon say to each other, over a socket that both inherit.

Nothing stands in arguments, the environment or a file: camera URLs hold passwords. A message is
its length and its data. The daemon sends pickles, and is believed. What a worker says is JSON that
is checked field by field: a camera that takes over a decoder would have got a worker, and must not
get the daemon with it.
"""

from __future__ import annotations

import pickle
import socket
import struct
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - field types are looked at while running
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pipeline.errors import WorkerError
from pipeline.ingest.evidence import Kept  # noqa: TC001 - likewise
from pipeline.ingest.look import Purpose  # noqa: TC001
from pipeline.ingest.state import CameraStatus  # noqa: TC001
from pipeline.ingest.suspicion import Suspicion  # noqa: TC001

if TYPE_CHECKING:
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

    ``no_slot``: (camera_id, purpose, how many) looks that found no free slot since the last one.
    ``suspicions``: what its cameras are suspected of now. ``list_version`` is that of the newest
    ``Watch`` the worker has applied.
    """

    list_version: int
    statuses: tuple[CameraStatus, ...]
    no_slot: tuple[tuple[str, Purpose, int], ...]
    suspicions: dict[str, Suspicion]
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
    """All cameras of this worker; those that it reads already keep their connection.

    ``suspicions``: what the worker before it suspected them of.
    """

    list_version: int
    cameras: tuple[Camera, ...]
    suspicions: dict[str, Suspicion]


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


_FromWorker = tuple[Arrived | Beat | Fetched]
_FROM_WORKER: TypeAdapter[_FromWorker] = TypeAdapter(
    _FromWorker,
    config=ConfigDict(
        strict=True, allow_inf_nan=False, ser_json_bytes="base64", val_json_bytes="base64"
    ),
)


class Channel:
    """One end of the socket, the worker's or the daemon's.

    One thread may send while another receives.
    """

    def __init__(self, end: socket.socket, *, of_worker: bool) -> None:
        self._socket = end
        self._incoming = end.makefile("rb")
        self._of_worker = of_worker

    def send(self, message: Any) -> None:
        """Blocks while the other end doesn't read. Raises OSError when it is gone."""
        if self._of_worker:
            data = _FROM_WORKER.dump_json((message,))
        else:
            data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        self._socket.sendall(_LENGTH.pack(len(data)) + data)

    def receive(self) -> Any:
        """The next message; None when the other end is gone.

        Raises WorkerError for what is no message of a worker.
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
        if len(data) < length:
            return None
        if self._of_worker:
            return pickle.loads(data)  # noqa: S301 - from the process that started this one
        try:
            return _FROM_WORKER.validate_json(data)[0]
        except ValidationError as error:
            fault = error.errors(include_input=False, include_url=False)[0]
            raise WorkerError(f"a message that makes no sense: {fault['msg']}") from None

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
