"""Key frames decoded on a GPU where the settings say so, and by the processor where it can't.

A device tells nothing of damage: its pictures are doubted like those of H.265 (see agreement).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import av
import structlog
from av.codec.hwaccel import HWAccel

from pipeline.ingest.decoding import Codec, Decoder
from pipeline.ingest.lending import Pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from av import Packet, VideoFrame, VideoStream

    from pipeline.clock import Clock

_LENT_AT_MOST = 4
_CODECS_AT_MOST = 16
_FAILURES = 3
"""In a row and of one kind of camera: one may be a damaged picture."""
_LEFT_ALONE_S = 60.0
"""Then the device is tried again: its memory may be free by then."""
_KINDS_KNOWN = 256

_FAILURES_OF_FFMPEG = (av.FFmpegError, OSError, NotImplementedError, ValueError)

_log = structlog.get_logger(__name__)


class Device:
    """The GPU of this process, if one is to be used; safe among threads."""

    def __init__(self, open_decoder: Callable[[Codec, str], Decoder] | None = None) -> None:
        self._open_decoder = open_decoder or _opened
        self._kind: str | None = None
        self._clock: Clock | None = None
        self._lock = threading.Lock()
        self._failures: dict[Codec, int] = {}
        self._not_before: dict[Codec, float] = {}
        self._pool = Pool[Codec, Decoder](
            self._make, lent_at_most=_LENT_AT_MOST, kinds_at_most=_CODECS_AT_MOST
        )

    def use(self, kind: str, clock: Clock) -> None:
        """Decode on this kind of device from now on; FFmpeg's name, such as ``cuda``."""
        self._kind, self._clock = kind, clock

    @property
    def in_use(self) -> bool:
        return self._kind is not None

    def key_frame(self, codec: Codec, packet: Packet[VideoStream]) -> list[VideoFrame] | None:
        """The picture of a key frame; None when the processor has to decode it."""
        if self._clock is None or self._clock.monotonic() < self._not_before.get(codec, 0.0):
            return None
        try:
            with self._pool.lent(codec) as decoder:
                frames = decoder.decode(packet) + decoder.drain()
        except _FAILURES_OF_FFMPEG as error:
            self._failed(codec, _reason(error), self._clock.monotonic())
            return None
        if not frames:
            self._failed(codec, "no picture", self._clock.monotonic())
            return None
        self._failures.pop(codec, None)
        return frames

    def _make(self, codec: Codec) -> Decoder:
        assert self._kind is not None
        try:
            return self._open_decoder(codec, self._kind)
        except _FAILURES_OF_FFMPEG:
            with self._lock:  # it isn't there, or not for such pictures: no need to try thrice
                self._failures[codec] = _FAILURES
            raise

    def _failed(self, codec: Codec, why: str, now: float) -> None:
        with self._lock:
            if len(self._failures) > _KINDS_KNOWN:  # cameras that change their parameters for ever
                self._failures.clear()
                self._not_before.clear()
            count = self._failures[codec] = self._failures.get(codec, 0) + 1
            if count < _FAILURES:
                return
            self._failures.pop(codec)
            known = codec in self._not_before
            self._not_before[codec] = now + _LEFT_ALONE_S
        if not known:
            _log.warning("device_left_alone", device=self._kind, codec=codec.name, why=why)


def _opened(codec: Codec, kind: str) -> Decoder:
    return Decoder(codec, accelerator=HWAccel(kind, allow_software_fallback=False))


def why_no_device(kind: str) -> str | None:
    """Why no decoder can be opened on this kind of device; None: it can."""
    try:
        _opened(Codec("h264"), kind)
    except _FAILURES_OF_FFMPEG as error:
        return _reason(error)
    return None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


DEVICE = Device()
"""That of this process."""
