"""Proof that a key frame is whole.

The processor's decoder of H.264 says so itself. That of H.265 needs all of its bytes, and no more:
a slice is a chain of arithmetic coding that ends exactly where its bytes end. After a loss the
decoder reads on through what comes and finishes the picture somewhere else: short of the end, so
that the last bytes don't matter, or beyond it, so that what follows them does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import av
import numpy as np

from pipeline.ingest.decoding import KEY_DECODERS

if TYPE_CHECKING:
    from av import Packet, VideoFrame, VideoStream
    from av.video.plane import VideoPlane
    from numpy.typing import NDArray

    from pipeline.ingest.decoding import Codec

_START_CODE = re.compile(b"\x00\x00\x01")
_FILLING = re.compile(rb"(\x00\x00\x03|\x00)*\Z")  # encoders of constant rate end with it
_JUNK = b"\xa5\x3c" * 64
_CUT = 24  # bytes: enough for the last block of any street, little of the picture


def proven_whole(codec: Codec, packet: Packet[VideoStream]) -> bool | None:
    """Whether this key frame's picture hangs on all its bytes and on nothing else.

    None when it can't be told: of an H.265 picture in several slices, or hardly any bytes.
    """
    data = bytes(packet)
    if codec.name == "h264":
        return _flawless(codec, data)
    slices = [m.end() for m in _START_CODE.finditer(data) if _is_slice(data, m.end())]
    if len(slices) != 1:
        return None
    filling = _FILLING.search(data)
    end = filling.start() if filling else len(data)
    if end - slices[0] <= 2 * _CUT:
        return None
    try:
        picture = _decoded(codec, data)
        longer = _decoded(codec, data[:end] + _JUNK)
        shorter = _decoded(codec, data[: end - _CUT])
    except (av.FFmpegError, ValueError):
        return False
    return _same(picture, longer) and not _same(picture, shorter)


def _flawless(codec: Codec, data: bytes) -> bool:
    try:
        picture = _decoded(codec, data)
    except (av.FFmpegError, ValueError):
        return False
    return picture is not None and not picture.is_corrupt


def _is_slice(data: bytes, at: int) -> bool:
    return at < len(data) and (data[at] >> 1 & 63) < 32


def _decoded(codec: Codec, data: bytes) -> VideoFrame | None:
    packet: Packet[VideoStream] = av.Packet(data)  # type: ignore[assignment] # it has no stream
    with KEY_DECODERS.lent(codec) as decoder:
        frames = decoder.decode(packet) + decoder.drain()
    return frames[0] if frames else None


def _same(one: VideoFrame | None, other: VideoFrame | None) -> bool:
    if one is None or other is None or (one.width, one.height) != (other.width, other.height):
        return False
    return all(
        np.array_equal(_bytes_of(a), _bytes_of(b))
        for a, b in zip(one.planes, other.planes, strict=True)
    )


def _bytes_of(plane: VideoPlane) -> NDArray[np.uint8]:
    return np.frombuffer(memoryview(plane), np.uint8)
