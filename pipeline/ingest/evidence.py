"""Full-size pictures on demand: decoded again from what is kept compressed.

In two steps, so that they may happen in two processes: which packets show that moment
(``PacketRing.group_at``), and what they show (``frame_of_group``).
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - field types are looked at while running
from typing import TYPE_CHECKING

import av

from pipeline.errors import FootageError
from pipeline.ingest.decoding import Codec, Decoder
from pipeline.ingest.pictures import bgr_of
from pipeline.ingest.proof import proven_whole
from pipeline.ingest.streams import FileStream

if TYPE_CHECKING:
    import numpy as np
    from av import Packet, VideoFrame, VideoStream
    from numpy.typing import NDArray

    from pipeline.ingest.streams import Arrival

# About 7 s of 1080p key frames, longer than any look waits for its detection.
RING_BYTES = 1 << 20
_RING_S = 60.0
"""No look waits for its detection for so long; the newest two groups stay, however old."""
_SAME_S = 1e-3


@dataclass(frozen=True, slots=True)
class PacketGroup:
    """A key frame and what follows it up to the wanted picture, compressed; it can be pickled.

    ``packets`` are in the order of decoding. ``shown_size``: (width, height) the picture is brought
    to, where it stands for one of another stream. ``received_at``: when the picture's packet came.
    ``unproven``: its key frame must be proven whole before it is shown.
    """

    codec: Codec
    packets: tuple[bytes, ...]
    shown_size: tuple[int, int] | None = None
    received_at: float | None = None
    unproven: bool = False


@dataclass(frozen=True, slots=True)
class FileMoment:
    """A moment of a recorded file, in seconds from its first picture; it can be pickled."""

    path: Path
    at_s: float


Kept = PacketGroup | FileMoment


@dataclass(slots=True)
class _Group:
    """A key frame and what follows it: (captured_at, data) in the order of arrival."""

    codec: Codec
    packets: list[tuple[float, bytes]] = field(default_factory=list)
    size: int = 0

    def add(self, arrival: Arrival) -> int:
        data = bytes(arrival.packet)
        self.packets.append((arrival.captured_at, data))
        self.size += len(data)
        return len(data)


class PacketRing:
    """The newest packets of one camera, in whole groups, bounded in bytes and in time.

    Safe among threads.
    """

    def __init__(self, limit: int = RING_BYTES) -> None:
        self._limit = limit
        self._groups: deque[_Group] = deque()
        self._size = 0
        self._lock = threading.Lock()

    def add(self, codec: Codec, arrival: Arrival) -> None:
        """Keep a packet. A group too long for the ring is kept up to where it fits."""
        with self._lock:
            if arrival.key:
                self._groups.append(_Group(codec))
            elif not self._groups or self._groups[-1].size > self._limit:
                return
            self._size += self._groups[-1].add(arrival)
            while self._has_too_much(arrival.captured_at):
                self._size -= self._groups.popleft().size

    def group_at(self, captured_at: float) -> PacketGroup | None:
        """What is needed to decode the frame received then, else the nearest earlier one kept."""
        with self._lock:
            group = self._group(captured_at)
            if group is None:
                return None
            wanted = [one for one in group.packets if one[0] <= captured_at + _SAME_S]
            packets = tuple(data for _, data in wanted)
            return PacketGroup(group.codec, packets, received_at=wanted[-1][0])

    def received_at(self, captured_at: float) -> float | None:
        """When that frame was received."""
        with self._lock:
            group = self._group(captured_at)
            times = group.packets if group else ()
            return max((at for at, _ in times if at <= captured_at + _SAME_S), default=None)

    def _has_too_much(self, now: float) -> bool:
        if self._size > self._limit and len(self._groups) > 1:
            return True
        return len(self._groups) > 2 and self._groups[0].packets[0][0] < now - _RING_S

    def _group(self, captured_at: float) -> _Group | None:
        begun = (g for g in reversed(self._groups) if g.packets[0][0] <= captured_at + _SAME_S)
        return next(begun, None)


def frame_of_group(group: PacketGroup) -> VideoFrame | None:
    """The picture of the group's last packet, else the last whole one that can be decoded."""
    packets = [_packet(data, pts) for pts, data in enumerate(group.packets)]
    if group.unproven and proven_whole(group.codec, packets[0]) is False:
        return None
    try:
        frames = Decoder(group.codec).decode_group(packets)
    except (av.FFmpegError, ValueError):
        return None
    whole = [frame for frame in frames if not frame.is_corrupt]
    exact = [frame for frame in whole if frame.pts == packets[-1].pts]
    return next(reversed(exact or whole), None)


def picture_of(kept: Kept) -> NDArray[np.uint8] | None:
    """The picture at native resolution, uint8 BGR (H, W, 3); None when it can't be decoded."""
    match kept:
        case PacketGroup():
            frame = frame_of_group(kept)
            if frame is not None and kept.shown_size is not None:
                frame = frame.reformat(*kept.shown_size)
        case FileMoment(path, at_s):
            frame = frame_of_file(path, at_s)
    return None if frame is None else bgr_of(frame)


def _packet(data: bytes, pts: int) -> Packet[VideoStream]:
    packet: Packet[VideoStream] = av.Packet(data)  # type: ignore[assignment] # it has no stream
    packet.pts = pts
    return packet


def frame_of_file(path: Path, captured_at: float) -> VideoFrame | None:
    """The frame of a file shown at this many seconds, else the nearest earlier one."""
    for start_s in (captured_at, 0.0):
        frame = _frame_from(path, captured_at, start_s)
        if frame is not None:  # None: seeking went past it, as it may in some containers
            return frame
    return None


def _frame_from(path: Path, captured_at: float, start_s: float) -> VideoFrame | None:
    try:
        stream = FileStream(path, start_s=start_s)
    except FootageError:
        return None
    found: VideoFrame | None = None
    try:
        decoder = Decoder(stream.codec)
        for arrival in stream.arrivals():
            wanted = arrival.at_s >= captured_at - _SAME_S
            for frame in decoder.decode(arrival.packet, needed=wanted):
                at_s = stream.seconds(frame.pts or 0)
                if at_s > captured_at + _SAME_S:
                    return found
                found = frame
                if at_s >= captured_at - _SAME_S:
                    return found
        frames = [f for f in decoder.drain() if stream.seconds(f.pts or 0) <= captured_at + _SAME_S]
        return frames[-1] if frames else found
    except (FootageError, av.FFmpegError):  # damaged further on: what came before is good
        return found
    finally:
        stream.close()
