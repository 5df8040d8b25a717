"""Which parameter sets a stream uses now: those it was opened with until it brings others in band.

A camera that is set to another resolution may go on in the same session and say so in its key
frames alone. A decoder that is lent among cameras must know: the sets it holds decide what its
next packet means.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.ingest.decoding import Codec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av import Packet, VideoStream

_START_CODE = re.compile(b"\x00\x00\x01")
# By FFmpeg's name: (parameter sets in the order a decoder wants them, types that are no picture).
_H264_SETS, _H265_SETS = (7, 8), (32, 33, 34)


class ParameterSets:
    """Follows one stream. Only start-code streams change in band; others keep what they had."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        """What a decoder must be opened for to decode the newest key frame."""
        starts = codec.extradata.startswith((b"\x00\x00\x01", b"\x00\x00\x00\x01"))
        self._follows = codec.name in ("h264", "hevc") and (starts or not codec.extradata)
        self._sets = dict(self._sets_in(codec.extradata)) if self._follows else {}

    def key(self, packet: Packet[VideoStream]) -> Codec:
        """Take note of the sets that come with a key frame; returns ``codec`` as it is then."""
        if self._follows:
            brought = dict(self._sets_in(packet))
            if any(self._sets.get(kind) != units for kind, units in brought.items()):
                self._sets |= brought
                units = (self._sets.get(kind, b"") for kind in (*_H264_SETS, *_H265_SETS))
                self.codec = Codec(self.codec.name, b"".join(units))
        return self.codec

    def _sets_in(self, data: bytes | Packet[VideoStream]) -> Iterator[tuple[int, bytes]]:
        """(type, all sets of that type with their start codes) before the first slice."""
        view = memoryview(data)
        found: dict[int, bytes] = {}
        begins, kind = 0, -1
        for match in _START_CODE.finditer(view):
            self._note(found, kind, view[begins : match.start()])
            begins = match.end()
            kind = self._type_of(view[begins]) if begins < len(view) else -1
            if self._is_slice(kind):
                break
        else:
            self._note(found, kind, view[begins:])
        yield from found.items()

    def _note(self, found: dict[int, bytes], kind: int, unit: memoryview) -> None:
        if kind in (_H264_SETS if self.codec.name == "h264" else _H265_SETS):
            text = b"\x00\x00\x00\x01" + bytes(unit).rstrip(b"\x00")
            found[kind] = found.get(kind, b"") + text

    def _type_of(self, first: int) -> int:
        return first & 31 if self.codec.name == "h264" else first >> 1 & 63

    def _is_slice(self, kind: int) -> bool:
        return 1 <= kind <= 5 if self.codec.name == "h264" else 0 <= kind < 32
