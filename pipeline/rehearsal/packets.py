"""A clip as RTP packets, made once: H.264 or H.265 split and framed for RTSP over TCP (RFC 2326).

Only sequence numbers and timestamps differ from round to round of the clip; they are patched
into a copy, so that serving a frame costs one copy and a few bytes.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import av

from pipeline.errors import FootageError
from pipeline.rehearsal.payloads import PAYLOAD_KINDS

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.rehearsal.payloads import PayloadKind

RTP_HZ = 90_000
PAYLOAD_TYPE = 96
_START_CODE = re.compile(b"\x00\x00\x00\x01|\x00\x00\x01")
_ALLOWED = "an H.264 or H.265 clip"
_HEADER = struct.Struct("!BBHBBHII")  # '$', channel, length, then the RTP header
_PATCHED = struct.Struct("!HI")  # sequence number and timestamp, at byte 6 of each packet


@dataclass(frozen=True, slots=True)
class ClipFrame:
    """One encoded picture, framed. ``due_s``: when it is sent, counted from the clip's start."""

    due_s: float
    timestamp: int
    key: bool
    data: bytes
    packet_starts: tuple[int, ...]
    first_sequence: int

    def bytes_at(self, sequence: int, timestamp: int) -> bytes:
        """The frame with its sequence numbers and timestamp moved on by these."""
        data = bytearray(self.data)
        sequence += self.first_sequence
        timestamp = (timestamp + self.timestamp) & 0xFFFFFFFF
        for number, start in enumerate(self.packet_starts):
            _PATCHED.pack_into(data, start + 6, (sequence + number) & 0xFFFF, timestamp)
        return bytes(data)


@dataclass(frozen=True, slots=True)
class ClipPackets:
    """All frames of a clip in the order of sending, and what the session description needs."""

    frames: tuple[ClipFrame, ...]
    duration_s: float
    packet_count: int
    kind: PayloadKind
    parameter_sets: tuple[bytes, ...]

    def position_at(self, elapsed_s: float) -> int:
        """Number of the first frame due at or after this time, counted over all rounds."""
        rounds, within_s = divmod(elapsed_s, self.duration_s)
        index = bisect_left(self.frames, within_s - 1e-9, key=lambda frame: frame.due_s)
        return int(rounds) * len(self.frames) + index

    def due_s(self, position: int) -> float:
        """When the frame at this position is due."""
        rounds, index = divmod(position, len(self.frames))
        return rounds * self.duration_s + self.frames[index].due_s

    def is_key(self, position: int) -> bool:
        return self.frames[position % len(self.frames)].key

    def data_at(self, position: int) -> bytes:
        """The frame ready to be written, its numbers continuous over the rounds."""
        rounds, index = divmod(position, len(self.frames))
        shift = round(rounds * self.duration_s * RTP_HZ)
        return self.frames[index].bytes_at(rounds * self.packet_count, shift)

    def description(self) -> bytes:
        """The session description (SDP) of a stream of this clip."""
        lines = (
            "v=0",
            "o=- 0 0 IN IP4 127.0.0.1",
            "s=gridwatch rehearsal",
            "c=IN IP4 0.0.0.0",
            "t=0 0",
            f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
            f"a=rtpmap:{PAYLOAD_TYPE} {self.kind.name}/{RTP_HZ}",
            f"a=fmtp:{PAYLOAD_TYPE} {self.kind.format_line(self.parameter_sets)}",
            "a=control:track1",
        )
        return ("\r\n".join(lines) + "\r\n").encode()


def prepare(path: Path) -> ClipPackets:
    """Read an H.264 or H.265 clip and frame it. Raises FootageError when it can't be served."""
    try:
        with av.open(f"file:{path}", options={"protocol_whitelist": "file"}) as container:
            return _prepare(container, path)
    except av.FFmpegError as error:
        raise FootageError(
            "cannot be served", file=path, found=error.strerror, allowed=_ALLOWED
        ) from None


def _prepare(container: av.container.InputContainer, path: Path) -> ClipPackets:
    videos = container.streams.video
    codec = videos[0].codec_context.name if videos else "no video"
    kind = PAYLOAD_KINDS.get(codec)
    if kind is None:
        raise FootageError("cannot be served", file=path, found=codec, allowed=_ALLOWED)
    stream = videos[0]
    assert stream.time_base is not None
    to_annex_b = av.BitStreamFilterContext(f"{codec}_mp4toannexb", stream)
    parameter_sets: dict[int, bytes] = {}
    frames: list[ClipFrame] = []
    end_s, packet_count, first_s = 0.0, 0, None
    for packet in container.demux(stream):
        if not packet.size or packet.dts is None or packet.pts is None:
            continue
        key, pts_s = packet.is_keyframe, float(packet.pts * stream.time_base)
        due_s = float(packet.dts * stream.time_base)
        first_s = due_s if first_s is None else first_s
        end_s = due_s - first_s + float((packet.duration or 0) * stream.time_base)
        units = [
            unit
            for part in to_annex_b.filter(packet)
            for unit in _START_CODE.split(bytes(part))
            if unit
        ]
        for unit in units:
            parameter_sets.setdefault(kind.type_of(unit), unit)
        data, starts = _framed(units, kind)
        timestamp = round((pts_s - first_s) * RTP_HZ)
        frames.append(ClipFrame(due_s - first_s, timestamp, key, data, starts, packet_count))
        packet_count += len(starts)
    if not frames or not frames[0].key or not set(kind.set_types) <= parameter_sets.keys():
        raise FootageError(
            "cannot be served", file=path, found="no key frame", allowed="a clip that begins whole"
        )
    longest_gap_s = max((b.due_s - a.due_s for a, b in pairwise(frames)), default=0.04)
    duration_s = end_s if end_s > frames[-1].due_s else frames[-1].due_s + longest_gap_s
    sets = tuple(parameter_sets[one] for one in kind.set_types)
    return ClipPackets(tuple(frames), duration_s, packet_count, kind, sets)


def _framed(units: list[bytes], kind: PayloadKind) -> tuple[bytes, tuple[int, ...]]:
    """The NAL units of one picture as interleaved RTP packets, and where each packet begins."""
    payloads = [payload for unit in units for payload in kind.payloads(unit)]
    data = bytearray()
    starts: list[int] = []
    for payload in payloads:
        last = len(starts) == len(payloads) - 1
        starts.append(len(data))
        marker = 0x80 if last else 0
        length = 12 + len(payload)
        data += _HEADER.pack(0x24, 0, length, 0x80, marker | PAYLOAD_TYPE, 0, 0, 0x67726964)
        data += payload
    return bytes(data), tuple(starts)
