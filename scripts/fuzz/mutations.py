"""What lines, devices and attackers do to packets and replies. All drawn from a given Random."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    Mutation = Callable[[bytes, random.Random], bytes]

_FRAGMENT = 1398  # bytes of a picture in one RTP packet
_START = b"\x00\x00\x01"
_NUMBER = re.compile(rb"\d+")
_TOKENS = (
    b"",
    b"\x00",
    b"\r\n",
    b"\r\n\r\n",
    b"%s%n",
    b"A" * 9000,
    b"-1",
    b"4294967296",
    b"\xff" * 64,
)


def lose(data: bytes, rng: random.Random) -> bytes:
    """Some RTP packets of the picture never came."""
    first = rng.randrange(max(1, len(data) // _FRAGMENT + 1))
    return data[: first * _FRAGMENT] + data[(first + rng.choice((1, 1, 2, 5))) * _FRAGMENT :]


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(5, len(data))]


def swap(data: bytes, rng: random.Random) -> bytes:
    """Two RTP packets came in the wrong order."""
    at = rng.randrange(max(1, len(data) // _FRAGMENT)) * _FRAGMENT
    first, second = data[at : at + _FRAGMENT], data[at + _FRAGMENT : at + 2 * _FRAGMENT]
    return data[:at] + second + first + data[at + 2 * _FRAGMENT :]


def drop_unit(data: bytes, rng: random.Random) -> bytes:
    units = data.split(_START)
    if len(units) > 2:
        del units[rng.randrange(1, len(units))]
    return _START.join(units)


def flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 10, 100))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite(data: bytes, rng: random.Random) -> bytes:
    at, length = rng.randrange(len(data)), rng.choice((4, 10, 100, 1000))
    rest = data[at + length :]
    return data[:at] + rng.randbytes(min(length, len(data) - at)) + rest


def repeat(data: bytes, rng: random.Random) -> bytes:
    at, length = rng.randrange(len(data)), rng.choice((1, 50, 2000))
    return data[: at + length] + data[at:]


LOST: tuple[Mutation, ...] = (lose, cut, swap, drop_unit)
"""What a line does: packets are lost, late or come twice, never changed (they carry checksums)."""
BROKEN: tuple[Mutation, ...] = (flip, overwrite, repeat)
"""What only a broken or hostile device does."""


def reply(data: bytes, rng: random.Random) -> bytes:
    """A reply in RTSP or a session description, changed as text and as bytes."""
    for _ in range(rng.choice((1, 1, 2, 6))):
        lines = data.split(b"\r\n")
        at = rng.randrange(len(lines))
        match rng.randrange(8):
            case 0:
                data = flip(data or b"\0", rng)
            case 1:
                data = cut(data.ljust(6), rng)
            case 2:
                lines[at : at + 1] = [lines[at]] * rng.choice((0, 2, 500))
                data = b"\r\n".join(lines)
            case 3:
                huge = rng.choice((b"0", b"-1", b"65536", b"4294967297", b"9" * 40))
                data = _NUMBER.sub(lambda m, h=huge: h if rng.random() < 0.3 else m[0], data)  # type: ignore[misc]
            case 4:
                lines[at] = rng.choice(_TOKENS)
                data = b"\r\n".join(lines)
            case 5:
                place = rng.randrange(len(data) + 1)
                data = data[:place] + rng.choice(_TOKENS) + data[place:]
            case 6:
                rng.shuffle(lines)
                data = b"\r\n".join(lines)
            case _:
                data = overwrite(data.ljust(6), rng)
    return data
