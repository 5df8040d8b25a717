"""How NAL units travel as RTP payloads: H.264 (RFC 6184) and H.265 (RFC 7798)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_LARGEST = 1400  # bytes; fits an Ethernet frame, as cameras send it
_H264_FU_A, _H265_FU = 28, 49


class PayloadKind(Protocol):
    """One codec's way. ``set_types`` are the NAL types of its parameter sets, in order."""

    name: str
    set_types: tuple[int, ...]

    def type_of(self, unit: bytes) -> int:
        """The type of a NAL unit."""
        ...

    def payloads(self, unit: bytes) -> Iterator[bytes]:
        """One NAL unit whole, or cut into fragments."""
        ...

    def format_line(self, sets: Sequence[bytes]) -> str:
        """The parameters of the session description's fmtp line."""
        ...


class H264:
    name = "H264"
    set_types: tuple[int, ...] = (7, 8)  # SPS, PPS

    def type_of(self, unit: bytes) -> int:
        return unit[0] & 31

    def payloads(self, unit: bytes) -> Iterator[bytes]:
        indicator = bytes([unit[0] & 0xE0 | _H264_FU_A])
        return _fragments(unit, 1, indicator, unit[0] & 31)

    def format_line(self, sets: Sequence[bytes]) -> str:
        profile = sets[0][1:4].hex()
        told = ",".join(_text(unit) for unit in sets)
        return f"packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={told}"


class H265:
    name = "H265"
    set_types: tuple[int, ...] = (32, 33, 34)  # VPS, SPS, PPS

    def type_of(self, unit: bytes) -> int:
        return unit[0] >> 1 & 63

    def payloads(self, unit: bytes) -> Iterator[bytes]:
        header = bytes([unit[0] & 0x81 | _H265_FU << 1, unit[1]])
        return _fragments(unit, 2, header, self.type_of(unit))

    def format_line(self, sets: Sequence[bytes]) -> str:
        names = ("sprop-vps", "sprop-sps", "sprop-pps")
        return ";".join(f"{name}={_text(unit)}" for name, unit in zip(names, sets, strict=True))


PAYLOAD_KINDS: Mapping[str, PayloadKind] = {"h264": H264(), "hevc": H265()}
"""By FFmpeg's name of the codec."""


def _fragments(unit: bytes, header_size: int, header: bytes, kind: int) -> Iterator[bytes]:
    """The unit whole, or behind ``header`` and a byte that says of which type and which part."""
    if len(unit) <= _LARGEST:
        yield unit
        return
    step = _LARGEST - len(header) - 1
    for start in range(header_size, len(unit), step):
        first, last = start == header_size, start + step >= len(unit)
        yield header + bytes([first << 7 | last << 6 | kind]) + unit[start : start + step]


def _text(unit: bytes) -> str:
    return base64.b64encode(unit).decode()
