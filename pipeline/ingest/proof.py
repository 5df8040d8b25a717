"""Proof that a key frame is whole.

The processor's decoder of H.264 says so itself. That of H.265 needs all of its bytes, and no more:
a slice is a chain of arithmetic coding that ends exactly where its bytes end. After a loss the
decoder reads on through what comes and finishes the picture somewhere else: short of the end, so
that the last bytes don't matter, or beyond it, so that what follows them does. Or it believes that
the slice is over, and leaves the rest of the picture as it was in memory.

So it is decoded again, with bytes behind the end and with others in place of the last ones. Both
are bytes that end a slice wherever they are read, and the memory holds the opposite of the picture:
what they cut off is seen, even where the street is a black bar that no other bytes would change.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import av
import numpy as np

from pipeline.ingest.decoding import KEY_DECODERS

if TYPE_CHECKING:
    from av import Packet, VideoFrame, VideoStream
    from av.video.plane import VideoPlane
    from numpy.typing import NDArray

    from pipeline.ingest.decoding import Codec, Decoder

_START_CODE = re.compile(b"\x00\x00\x01")
_FILLING = b"\x00\x00\x03"  # encoders of constant rate end with it
_ENDING = b"\xff" * 64
_LAST, _LAST_OF_FLAT = 4, 24  # bytes: enough for a street's end; for a black bar's
_TELLING = 512  # bytes of a slice: with fewer, it says the same of most blocks
_HEADER = 32  # bytes: those of a slice's header and its first blocks
# Each takes one decoding. What has more isn't told apart from what damage makes up.
_SLICES_AT_MOST = 16


class _Slice(NamedTuple):
    """Where the bytes of one slice lie in a packet, without what only fills it up."""

    begin: int
    end: int


def proven_whole(
    codec: Codec, packet: Packet[VideoStream], shown: VideoFrame | None = None
) -> bool | None:
    """Whether this key frame's picture hangs on all its bytes and on nothing else.

    None when it can't be told: of an H.265 picture with hardly any bytes in a slice, as a black one
    has, with very many slices, or one that ends in a flat bar.
    ``shown``: its picture as KEY_DECODERS decode it, if it is there.
    """
    data = bytes(packet)
    if codec.name == "h264":
        return _flawless(codec, data)
    slices = _slices(data)
    if not slices:
        return False
    with KEY_DECODERS.lent(codec) as decoder:
        whole = shown or _decoded(decoder, data)
        return _hangs_on_all(decoder, data, slices, whole) if whole else False


def _hangs_on_all(
    decoder: Decoder, data: bytes, slices: list[_Slice], whole: VideoFrame
) -> bool | None:
    begin = slices[0].begin + _HEADER
    _prepare(_decoded(decoder, data[:begin] + _ENDING), whole)
    longer = _decoded(decoder, _longer(data, slices))
    if longer is None or not _same(whole, longer):
        return False
    _prepare(longer, whole)
    del longer  # its memory is that of the next picture
    telling = [one for one in slices if one.end - one.begin > _TELLING]
    sure = True if 0 < len(telling) <= _SLICES_AT_MOST else None
    for one in telling[:_SLICES_AT_MOST]:
        matters = _last_bytes_matter(decoder, data, one, whole)
        if matters is False:
            return False
        sure = sure and matters
    return sure


def _last_bytes_matter(
    decoder: Decoder, data: bytes, one: _Slice, whole: VideoFrame
) -> bool | None:
    """None: some of the last ones do, but not the very last, as where the picture's end is flat."""
    for last, answer in ((_LAST, True), (_LAST_OF_FLAT, None)):
        other = _decoded(decoder, data[: one.end - last] + _ENDING + data[one.end :])
        same = other is not None and _same(whole, other)
        _prepare(other, whole)
        if not same:
            return answer
        del other
    return False


def _longer(data: bytes, slices: list[_Slice]) -> bytes:
    """With bytes after each slice that no whole one reads."""
    parts, at = [], 0
    for one in slices:
        parts += [data[at : one.end], _ENDING]
        at = one.end
    return b"".join([*parts, data[at:]])


def _flawless(codec: Codec, data: bytes) -> bool:
    with KEY_DECODERS.lent(codec) as decoder:
        picture = _decoded(decoder, data)
    return picture is not None and not picture.is_corrupt


def _slices(data: bytes) -> list[_Slice]:
    codes = [match.span() for match in _START_CODE.finditer(data)]
    ends = [begin for begin, _ in codes[1:]] + [len(data)]
    return [
        _Slice(begin, _unfilled(data, begin, end))
        for (_, begin), end in zip(codes, ends, strict=True)
        if begin < end and (data[begin] >> 1 & 63) < 32
    ]


def _unfilled(data: bytes, begin: int, end: int) -> int:
    """The end of the bytes that aren't filling: a slice's last one is never 0."""
    while data.endswith((b"\0", _FILLING), begin, end):
        end -= 1 if data[end - 1] == 0 else len(_FILLING)
    return end


def _decoded(decoder: Decoder, data: bytes) -> VideoFrame | None:
    packet: Packet[VideoStream] = av.Packet(data)  # type: ignore[assignment] # it has no stream
    try:
        frames = decoder.decode(packet) + decoder.drain()
    except (av.FFmpegError, ValueError):
        decoder.spent = True
        with suppress(av.FFmpegError, ValueError):
            decoder.drain()  # else the next packet's pictures begin with what is left of this one
        return None
    return frames[0] if frames else None


def _same(one: VideoFrame, other: VideoFrame | None) -> bool:
    return (
        other is not None
        and _kind(one) == _kind(other)
        and all(
            np.array_equal(_visible(one, a), _visible(other, b))
            for a, b in zip(one.planes, other.planes, strict=True)
        )
    )


def _prepare(frame: VideoFrame | None, whole: VideoFrame) -> None:
    """Of what is next decoded into this memory, no byte that isn't written is as in ``whole``."""
    if frame is None or _kind(frame) != _kind(whole):
        return
    for plane, shown in zip(frame.planes, whole.planes, strict=True):
        seen = _visible(whole, shown)
        lines = np.zeros((plane.buffer_size // plane.line_size, plane.line_size), np.uint8)
        lines[: len(seen), : seen.shape[1]] = ~seen
        plane.update(lines.tobytes())


def _kind(frame: VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name


def _visible(frame: VideoFrame, plane: VideoPlane) -> NDArray[np.uint8]:
    """The bytes of the picture's own pixels, (rows, bytes)."""
    lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    each = (frame.format.components[0].bits + 7) // 8
    return lines[:, : plane.width * each]
