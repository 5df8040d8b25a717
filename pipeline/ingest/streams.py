"""Packets of one camera or file, opened and read with every lower error put into our words.

A ``Stream`` yields packets with a time for sampling (``at_s``, seconds on a scale that never
jumps) and the ``captured_at`` of the look they may become.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import unquote, urlsplit

import av

from pipeline.errors import FootageError, SourceError
from pipeline.ingest import faults
from pipeline.ingest.decoding import Codec
from pipeline.ingest.hangup import WATCHDOG, can_hang_up
from pipeline.ingest.naps import Naps
from pipeline.ingest.parameter_sets import ParameterSets
from pipeline.ingest.spacing import Spacing
from pipeline.ingest.tls import Trust

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Iterator

    from av import Packet, VideoStream
    from av.container import InputContainer

    from pipeline.clock import Clock
    from pipeline.errors import GridwatchError
    from pipeline.settings import IngestSettings
    from pipeline.town import Transport

# Containers that hold pictures themselves. Playlists and the like could name other files or hosts.
_FORMATS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,h264,hevc,m4v,mjpeg,ivf"
_WHITELIST = "rtsp,rtsps,rtp,tcp,tls"
_TRANSPORTS: dict[Transport, dict[str, str]] = {
    "tcp": {"rtsp_transport": "tcp", "protocol_whitelist": _WHITELIST},
    # filter_src: from others than the camera nothing is taken.
    "udp": {
        "rtsp_transport": "udp+tcp",
        "rtsp_flags": "filter_src",
        "protocol_whitelist": f"{_WHITELIST},udp",
    },
}
_ENDS_EARLY_S = 1.0  # a file may end this much before its header says
_SIGN_S = 1.0  # of what is drained, a packet this often is handed on, as a sign of life


@dataclass(frozen=True, slots=True)
class Arrival:
    """One packet. ``pts`` is never None. ``gap``: others seem to be lost before it."""

    packet: Packet[VideoStream]
    pts: int
    key: bool
    at_s: float
    captured_at: float
    gap: bool = False


class Wants(Protocol):
    """Which packets anybody would look at; what else a camera sends is only drained."""

    @property
    def keys_only(self) -> bool: ...

    def free_s(self, now: float) -> float:
        """For so long from now (monotonic) no packet is needed, as far as one can tell."""
        ...


@dataclass(frozen=True, slots=True)
class _AtOnce:
    keys_only: bool

    def free_s(self, now: float) -> float:  # noqa: ARG002 - never
        return 0.0


EVERYTHING, KEY_FRAMES = _AtOnce(keys_only=False), _AtOnce(keys_only=True)


class Stream(Protocol):
    """What Source reads from."""

    codec: Codec
    """What a decoder must be opened for, as of the newest key frame."""

    def arrivals(self, wants: Wants = EVERYTHING) -> Iterator[Arrival]:
        """Packets in the order of decoding."""
        ...

    def failure(self, error: Exception) -> GridwatchError:
        """What an error of the decoder means for this camera or file."""
        ...

    def close(self) -> None: ...


def is_camera(url: str) -> bool:
    """Whether this is a network address (and not a file)."""
    return "://" in url and not url.startswith("file://")


def path_of(url: str) -> Path:
    """The file a file URL or path names."""
    return Path(unquote(urlsplit(url).path) if url.startswith("file://") else url)


class _Demuxer:
    """The packets of one stream of an open container, and their orderly end.

    PyAV's demuxer is run to its end or closed before its container. One that was dropped at the
    empty packet that ends a stream leaked 37 KiB (measured, PyAV 18.1): a camera that reconnects
    for weeks would fill the memory.
    """

    def __init__(self, container: InputContainer, video: VideoStream) -> None:
        self._container = container
        self._packets = cast("Generator[Packet[VideoStream], None, None]", container.demux(video))

    def __iter__(self) -> Iterator[Packet[VideoStream]]:
        return (packet for packet in self._packets if packet.size)

    def close(self) -> None:
        self._packets.close()
        self._container.close()


class CameraStream:
    """A live camera over RTSP. Raises SourceError; the end of the stream is one.

    By UDP only H.264 is taken, whose decoder flags what a lost packet has spoilt; where a camera
    refuses UDP or sends H.265, TCP is used all the same.
    """

    def __init__(
        self,
        url: str,
        settings: IngestSettings,
        clock: Clock,
        transport: Transport | None = None,
        *,
        closed: threading.Event | None = None,
    ) -> None:
        """``transport``: other than the settings say. ``closed``: set when it is to be left."""
        faults.check_camera_url(url)
        self._url, self._clock, self._settings, self._closed = url, clock, settings, closed
        # rtsps encrypts what goes through its own connection, and nothing else.
        udp = (transport or settings.transport) == "udp" and url.startswith("rtsp:")
        self._open(_TRANSPORTS["udp" if udp else "tcp"])
        if udp and self.codec.name != "h264":
            self.close()
            udp = False
            self._open(_TRANSPORTS["tcp"])
        self._udp = udp

    def _open(self, transport_options: dict[str, str]) -> None:
        url, clock, settings = self._url, self._clock, self._settings
        limit_s, trust = settings.open_timeout_s, Trust.of(url, settings)
        options = {
            **transport_options,
            "timeout": str(round(max(limit_s, settings.read_timeout_s) * 1e6)),
            # The session description names the codec; probing would cost a second per camera.
            "probesize": "32",
            "analyzeduration": "0",
            **trust.options(url),
        }
        began = clock.monotonic()
        try:
            self._container: InputContainer = av.open(
                url,
                options=options,
                timeout=(limit_s, None if can_hang_up() else settings.read_timeout_s),
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            took_s = clock.monotonic() - began
            raise faults.opening_error(
                error, url, took_s=took_s, limit_s=limit_s, trust=trust
            ) from None
        videos = self._container.streams.video
        if not videos:
            self._container.close()
            raise faults.unsupported(
                url,
                "码流中没有视频，请核对通道",
                "there is no video in this stream; check the channel",
            )
        self._video = videos[0]
        context = self._video.codec_context
        try:
            # PyAV's stubs don't know that a codec without a decoder in FFmpeg has no context.
            faults.check_codec(getattr(context, "name", None), url)
        except SourceError:
            self._container.close()
            raise
        self._sets = ParameterSets(Codec(context.name, context.extradata or b""))
        self.codec = self._sets.codec
        self._demuxer = _Demuxer(self._container, self._video)

    @property
    def size(self) -> tuple[int, int] | None:
        """(width, height) of its pictures, as far as the stream has told."""
        context = self._video.codec_context
        return (context.width, context.height) if context.width and context.height else None

    def arrivals(self, wants: Wants = EVERYTHING) -> Iterator[Arrival]:
        """Packets, of those that nobody wants one now and then.

        Hundreds of threads do this for every packet, under Python's one lock.
        """
        clock, keys_only = self._clock, wants.keys_only
        heard_at, told_at, spacing = clock.monotonic(), 0.0, Spacing()
        with WATCHDOG.reading(self._settings.read_timeout_s, clock) as reading:
            # What waits at a port of UDP gets lost.
            naps = Naps(reading, clock, self._closed) if keys_only and not self._udp else None
            try:
                # Cameras repeat their times, jump, or have none; what matters is that each differs.
                for pts, packet in enumerate(reading.each(self._demuxer)):
                    heard_at, key = reading.came_at, packet.is_keyframe
                    if key or not keys_only or heard_at - told_at >= _SIGN_S:
                        told_at, gap = heard_at, spacing.gap(packet.pts)
                        packet.pts = pts
                        if key:
                            self.codec = self._sets.key(packet)
                        yield Arrival(packet, pts, key, heard_at, clock.steady(), gap)
                    if naps is not None:
                        naps.nap(wants.free_s(heard_at), packet.size)
                error: Exception | None = None
            except (av.FFmpegError, OSError, ValueError) as reason:
                error = reason
            silent_s = clock.monotonic() - heard_at
        if reading.hung_up:
            error = TimeoutError()
        raise faults.reading_error(error, self._url, silent_s=silent_s)

    def failure(self, error: Exception) -> SourceError:
        return faults.reading_error(error, self._url, silent_s=0)

    def close(self) -> None:
        self._demuxer.close()


class FileStream:
    """A recorded file; ``captured_at`` is seconds from its first picture. Raises FootageError.

    Raw H.264 carries no times: it is taken to have the rate its header names, else 25 a second.
    """

    def __init__(self, path: Path, *, start_s: float = 0.0) -> None:
        """``start_s``: begin at the last key frame at or before this time, where possible."""
        self._path = path
        self._first_pts: int | None = None
        self._open()
        if start_s > 0:
            self._seek(start_s)

    def _open(self) -> None:
        options = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
        try:
            self._container: InputContainer = av.open(f"file:{self._path}", options=options)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise faults.footage_error(error, self._path) from None
        videos = [stream for stream in self._container.streams.video if not _is_cover(stream)]
        if not videos:
            kinds = ", ".join(sorted({stream.type for stream in self._container.streams}))
            self._container.close()
            raise FootageError(
                "文件中没有视频 / there is no video in it",
                file=self._path,
                found=f"{kinds or 'no stream'} only",
                allowed=faults.VIDEO_FILES,
            )
        self._video = videos[0]
        context = self._video.codec_context
        self._sets = ParameterSets(Codec(context.name, context.extradata or b""))
        self.codec = self._sets.codec
        self._tick_s = float(self._video.time_base or 1 / 90_000)
        self._frame_ticks = round(1 / float(self._video.average_rate or 25) / self._tick_s) or 1
        self._demuxer = _Demuxer(self._container, self._video)

    def _seek(self, start_s: float) -> None:
        try:
            first = next(iter(self._demuxer))
            if first.pts is not None:
                self._first_pts = first.pts
                offset = first.pts + int(start_s / self._tick_s)
                self._container.seek(offset, stream=self._video)
                return
        except (av.FFmpegError, OSError, StopIteration):
            pass
        # Files without times (raw H.264) or without an index are read from their start.
        self.close()
        self._open()

    def arrivals(self, wants: Wants = EVERYTHING) -> Iterator[Arrival]:  # noqa: ARG002 - all of it
        """Packets; at the end FootageError if the file ends before its header says."""
        following: int | None = None
        end_s = 0.0
        try:
            for packet in self._demuxer:
                pts = packet.pts if packet.pts is not None else packet.dts
                if pts is None:
                    pts = 0 if following is None else following
                following = pts + self._frame_ticks
                packet.pts = pts
                if packet.is_keyframe:
                    self.codec = self._sets.key(packet)
                at_s = self.seconds(pts)
                end_s = max(end_s, at_s + self._frame_ticks * self._tick_s)
                yield Arrival(packet, pts, packet.is_keyframe, at_s, at_s)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise faults.footage_error(error, self._path) from None
        self._check_end(end_s)

    def seconds(self, pts: int) -> float:
        """Seconds from the first picture."""
        if self._first_pts is None:
            self._first_pts = pts
        return max(0.0, (pts - self._first_pts) * self._tick_s)

    def failure(self, error: Exception) -> FootageError:
        return faults.footage_error(error, self._path)

    def _check_end(self, end_s: float) -> None:
        if not self._video.duration:
            return
        should_s = self._video.duration * self._tick_s
        if end_s < should_s - max(_ENDS_EARLY_S, 0.02 * should_s):
            raise FootageError(
                "文件不完整，提前结束 / is incomplete: it ends early",
                file=self._path,
                found=f"{end_s:.1f} s of {should_s:.1f} s",
                allowed="a complete recording",
            )

    def close(self) -> None:
        self._demuxer.close()


def _is_cover(stream: VideoStream) -> bool:
    """Whether it is a still picture attached to music."""
    return bool(stream.disposition & stream.disposition.attached_pic)
