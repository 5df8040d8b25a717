"""Decoders that are lent out. A key frame needs no history, so one decoder serves many cameras.

An open 1080p decoder costs 10 MiB; cameras that decode key frames alone borrow one for a moment
from those opened for the same codec and parameter sets, so that there are only as many as decode
at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import av

from pipeline.ingest.lending import Pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from av import Packet, VideoCodecContext, VideoFrame, VideoStream
    from av.codec.hwaccel import HWAccel

# Without the loop filter a key frame costs a third less and changes by 0.27 of 255 on average;
# pictures that others refer to keep it, since errors would add up.
_KEY_OPTIONS = {"skip_loop_filter": "all"}
# The threads of a worker together need less than one core; where they come in a crowd, to have
# them wait costs nothing, and to open a decoder for each would cost 10 MiB at 1080p.
_LENT_AT_MOST = 4
# Each that waits keeps 10 MiB at 1080p. To open another adds 5 % to a 640×360 key frame, so that a
# worker with more kinds of camera loses little.
_CODECS_AT_MOST = 16


@dataclass(frozen=True, slots=True)
class Codec:
    """What a decoder is opened for: FFmpeg's codec name and its parameter sets."""

    name: str
    extradata: bytes = b""


class Decoder:
    """One decoder, used by one thread at a time. Errors of FFmpeg pass through.

    ``accelerator``: the device it decodes on, if not the processor; OSError when that isn't there.
    """

    def __init__(
        self,
        codec: Codec,
        options: dict[str, str] | None = None,
        accelerator: HWAccel | None = None,
    ) -> None:
        created = av.CodecContext.create(codec.name, "r", accelerator)
        context = cast("VideoCodecContext", created)
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


class KeyDecoders(Pool[Codec, Decoder]):
    """Decoders for single key frames, lent by codec and parameter sets.

    A decoder that failed isn't lent again, and neither is one that may now hold parameter sets of
    its own, true or made up by damage.
    """

    def __init__(self) -> None:
        super().__init__(
            lambda codec: Decoder(codec, _KEY_OPTIONS),
            fit=lambda decoder: not decoder.spent,
            lent_at_most=_LENT_AT_MOST,
            kinds_at_most=_CODECS_AT_MOST,
        )


KEY_DECODERS = KeyDecoders()
"""Shared by all sources of this process."""
