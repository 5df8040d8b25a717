"""Full-size pictures on demand: decoded again from what is kept compressed."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import av

from pipeline.errors import FootageError
from pipeline.ingest.decoding import Decoder
from pipeline.ingest.streams import FileStream

if TYPE_CHECKING:
    from pathlib import Path

    from av import Packet, VideoFrame, VideoStream

    from pipeline.ingest.decoding import Codec
    from pipeline.ingest.streams import Arrival

# About 10 s of 1080p key frames; with a decoder this keeps a camera near 3 MiB.
RING_BYTES = 3 << 19
_SAME_S = 1e-3


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
    """The newest packets of one camera, in whole groups, bounded in bytes. Safe among threads."""

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
            while self._size > self._limit and len(self._groups) > 1:
                self._size -= self._groups.popleft().size

    def frame_at(self, captured_at: float) -> VideoFrame | None:
        """The frame received then, else the nearest earlier one that is kept."""
        with self._lock:
            groups = [
                group for group in self._groups if group.packets[0][0] <= captured_at + _SAME_S
            ]
            if not groups:
                return None
            codec, packets = groups[-1].codec, list(groups[-1].packets)
        wanted = [
            _packet(data, pts)
            for pts, (at, data) in enumerate(packets)
            if at <= captured_at + _SAME_S
        ]
        try:
            frames = Decoder(codec).decode_group(wanted)
        except av.FFmpegError:
            return None
        exact = [frame for frame in frames if frame.pts == wanted[-1].pts]
        return next(reversed(exact or frames), None)


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
