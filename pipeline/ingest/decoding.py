"""Decoders that are lent out. A key frame needs no history, so one decoder serves many cameras.

An open 1080p decoder costs 10 MiB; cameras that decode key frames alone borrow one for a moment
from those opened for the same codec and parameter sets, so that there are only as many as decode
at the same time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import av

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from av import Packet, VideoCodecContext, VideoFrame, VideoStream

# Without the loop filter a key frame costs a third less and changes by 0.27 of 255 on average;
# pictures that others refer to keep it, since errors would add up.
_KEY_OPTIONS = {"skip_loop_filter": "all"}
_IDLE_AT_MOST = 4  # decoders per codec that wait to be lent; more are let go
# Cameras bring new parameter sets for as long as they are set up anew or replaced. To open another
# decoder adds 5 % to a 640×360 key frame, so that towns with more kinds of camera lose little.
_CODECS_AT_MOST = 64


@dataclass(frozen=True, slots=True)
class Codec:
    """What a decoder is opened for: FFmpeg's codec name and its parameter sets."""

    name: str
    extradata: bytes = b""


class Decoder:
    """One decoder, used by one thread at a time. Errors of FFmpeg pass through."""

    def __init__(self, codec: Codec, options: dict[str, str] | None = None) -> None:
        context = cast("VideoCodecContext", av.CodecContext.create(codec.name, "r"))
        context.extradata = codec.extradata or None
        context.thread_count = 1  # hundreds of cameras share the cores; threads would only wait
        context.options = options or {}
        self._context = context
        self._size: tuple[int, int] | None = None
        self.spent = False
        """Whether it may hold what isn't its codec's: pictures were damaged, or of two sizes."""

    def decode(self, packet: Packet[VideoStream], *, needed: bool = True) -> list[VideoFrame]:
        """Pictures that are ready after this packet.

        ``needed`` false: the packet matters only as a reference; if it isn't one it is skipped.
        """
        self._context.skip_frame = "DEFAULT" if needed else "NONREF"
        return self._noted(self._context.decode(packet))

    def drain(self) -> list[VideoFrame]:
        """Pictures still inside; afterwards the decoder is ready for a key frame."""
        frames = self._noted(self._context.decode(None))
        self._context.flush_buffers()
        return frames

    def decode_group(self, packets: Sequence[Packet[VideoStream]]) -> list[VideoFrame]:
        """A key frame, packets that follow it, and the picture of the last one: that's shown."""
        frames = [frame for packet in packets[:-1] for frame in self.decode(packet, needed=False)]
        return frames + self.decode(packets[-1]) + self.drain()

    def _noted(self, frames: list[VideoFrame]) -> list[VideoFrame]:
        for frame in frames:
            self._size = self._size or (frame.width, frame.height)
            self.spent |= frame.is_corrupt or (frame.width, frame.height) != self._size
        return frames


class KeyDecoders:
    """Decoders for single key frames, lent by codec and parameter sets.

    Only those of the codecs used last are kept, so that days of changing cameras cost no memory.
    """

    def __init__(self) -> None:
        self._idle: OrderedDict[Codec, list[Decoder]] = OrderedDict()  # last used at the end
        self._lock = threading.Lock()

    @contextmanager
    def lent(self, codec: Codec) -> Iterator[Decoder]:
        """A clean decoder for the time of the block."""
        with self._lock:
            idle = self._idle.get(codec)
            decoder = idle.pop() if idle else None
        decoder = decoder or Decoder(codec, _KEY_OPTIONS)
        yield decoder
        # Reached only without an error: a decoder that failed isn't lent again, and neither is one
        # that may now hold parameter sets of its own, true or made up by damage.
        with self._lock:
            idle = self._idle.setdefault(codec, [])
            if not decoder.spent and len(idle) < _IDLE_AT_MOST:
                idle.append(decoder)
            self._idle.move_to_end(codec)
            if len(self._idle) > _CODECS_AT_MOST:
                self._idle.popitem(last=False)


KEY_DECODERS = KeyDecoders()
"""Shared by all sources of this process."""
