"""Key frames and what is between them: decoded as late and as little as the sampler allows."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av

from pipeline.ingest.decoding import KEY_DECODERS, Decoder
from pipeline.ingest.device import DEVICE
from pipeline.ingest.sampling import Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from av import VideoFrame

    from pipeline.ingest.decoding import Codec
    from pipeline.ingest.streams import Arrival

# Packets held back for a look that isn't due yet; beyond this they are decoded to let go of them.
_HELD_BYTES = 16 << 20
_WANTED_AT_MOST = 64  # pictures that can be inside a decoder at once (H.264 and H.265 allow 16)


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture and the packet it came in.

    ``whole`` false: it is damaged, or one that it refers to was damaged or lost. ``group`` numbers
    the key frame on which it hangs. ``lent``: one of KEY_DECODERS has decoded it.
    """

    frame: VideoFrame
    arrival: Arrival
    whole: bool
    group: int
    lent: bool = False


class KeyPictures:
    """Key frames alone, by decoders that are lent for a moment."""

    def __init__(self) -> None:
        self._group = 0

    def take(self, codec: Codec, arrival: Arrival) -> Iterator[Picture]:
        """The picture of a key frame; none when nothing comes. Raises InvalidDataError."""
        frames = DEVICE.key_frame(codec, arrival.packet)
        lent = frames is None
        if frames is None:
            with KEY_DECODERS.lent(codec) as decoder:
                frames = decoder.decode(arrival.packet) + decoder.drain()
        self._group += 1
        for frame in frames[:1]:
            yield Picture(frame, arrival, not frame.is_corrupt, self._group, lent)


class GroupDecoder:
    """Decodes key frames and what is between them, as late and as little as the sampler allows.

    What is damaged spoils all that refers to it, and the decoder flags only the damage itself: of a
    group nothing is whole from there on.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._decoder: Decoder | None = None
        self._held: deque[Arrival] = deque()
        self._held_bytes = 0
        self._wanted: dict[int, tuple[Arrival, int]] = {}
        self._group = 0
        self._spoilt = -1  # the newest group that is

    def take(self, arrival: Arrival, step: Step, *, fresh: bool) -> Iterator[Picture]:
        """Hold a packet back or decode it. ``fresh``: a key frame starts without history.

        Raises InvalidDataError for a packet that can't be decoded.
        """
        if arrival.key and fresh:
            yield from self.end()
        if step is Step.DECODE:
            yield from self._decode_held()
            yield from self._decode(arrival, needed=True)
        else:
            self._held.append(arrival)
            self._held_bytes += arrival.packet.size
            if self._held_bytes > _HELD_BYTES:
                yield from self._decode_held()

    def end(self) -> Iterator[Picture]:
        """Pictures still inside the decoder; what was held back is not needed any more."""
        self._held.clear()
        self._held_bytes = 0
        if self._decoder is not None:
            yield from self._matched(self._decoder.drain())
        self._wanted.clear()

    def _decode_held(self) -> Iterator[Picture]:
        self._held_bytes = 0
        while self._held:
            yield from self._decode(self._held.popleft(), needed=False)

    def _decode(self, arrival: Arrival, *, needed: bool) -> Iterator[Picture]:
        if arrival.key:
            self._group += 1
        elif arrival.gap:
            self._spoilt = self._group
        if needed:
            self._wanted[arrival.pts] = arrival, self._group
        if self._decoder is None:
            self._decoder = Decoder(self._codec)
        try:
            frames = self._decoder.decode(arrival.packet, needed=needed)
        except av.error.InvalidDataError:
            self._spoilt = self._group
            raise
        yield from self._matched(frames)

    def _matched(self, frames: Iterable[VideoFrame]) -> Iterator[Picture]:
        for frame in frames:
            wanted = None if frame.pts is None else self._wanted.pop(frame.pts, None)
            arrival, group = wanted or (None, self._group)
            if frame.is_corrupt:
                self._spoilt = group
            if arrival is not None:
                yield Picture(frame, arrival, group != self._spoilt, group)
        while len(self._wanted) > _WANTED_AT_MOST:
            del self._wanted[next(iter(self._wanted))]
