"""Key frames and what is between them: decoded as late and as little as the sampler allows."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pipeline.ingest.decoding import KEY_DECODERS, Decoder
from pipeline.ingest.sampling import Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from av import VideoFrame

    from pipeline.ingest.decoding import Codec
    from pipeline.ingest.streams import Arrival

# Packets held back for a look that isn't due yet; beyond this they are decoded to let go of them.
_HELD_BYTES = 16 << 20
_WANTED_AT_MOST = 64  # pictures that can be inside a decoder at once (H.264 and H.265 allow 16)


def key_picture(codec: Codec, arrival: Arrival) -> list[tuple[VideoFrame, Arrival]]:
    """The picture of a key frame alone, by a decoder that is lent for it; none if none comes."""
    with KEY_DECODERS.lent(codec) as decoder:
        frames = decoder.decode(arrival.packet) + decoder.drain()
    return [(frame, arrival) for frame in frames[:1]]


class GroupDecoder:
    """Decodes key frames and what is between them, as late and as little as the sampler allows."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._decoder: Decoder | None = None
        self._held: deque[Arrival] = deque()
        self._held_bytes = 0
        self._wanted: dict[int, Arrival] = {}

    def take(
        self, arrival: Arrival, step: Step, *, fresh: bool
    ) -> Iterator[tuple[VideoFrame, Arrival]]:
        """Hold a packet back or decode it. ``fresh``: a key frame starts without history."""
        if arrival.key and fresh:
            yield from self.end()
        if step is Step.DECODE:
            yield from self._decode_held()
            self._wanted[arrival.pts] = arrival
            yield from self._decode(arrival, needed=True)
        else:
            self._held.append(arrival)
            self._held_bytes += arrival.packet.size
            if self._held_bytes > _HELD_BYTES:
                yield from self._decode_held()

    def end(self) -> Iterator[tuple[VideoFrame, Arrival]]:
        """Pictures still inside the decoder; what was held back is not needed any more."""
        self._held.clear()
        self._held_bytes = 0
        if self._decoder is not None:
            yield from self._matched(self._decoder.drain())
        self._wanted.clear()

    def _decode_held(self) -> Iterator[tuple[VideoFrame, Arrival]]:
        self._held_bytes = 0
        while self._held:
            yield from self._decode(self._held.popleft(), needed=False)

    def _decode(self, arrival: Arrival, *, needed: bool) -> Iterator[tuple[VideoFrame, Arrival]]:
        if self._decoder is None:
            self._decoder = Decoder(self._codec)
        return self._matched(self._decoder.decode(arrival.packet, needed=needed))

    def _matched(self, frames: Iterable[VideoFrame]) -> Iterator[tuple[VideoFrame, Arrival]]:
        for frame in frames:
            arrival = None if frame.pts is None else self._wanted.pop(frame.pts, None)
            if arrival is not None:
                yield frame, arrival
        while len(self._wanted) > _WANTED_AT_MOST:
            del self._wanted[next(iter(self._wanted))]
