"""One class for every place pictures come from: RTSP cameras and recorded files."""

from __future__ import annotations

import threading
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Self
from zlib import crc32

import av

from pipeline.errors import FootageError
from pipeline.ingest import faults
from pipeline.ingest.agreement import Agreement, agree
from pipeline.ingest.detail import DetailStream
from pipeline.ingest.device import DEVICE
from pipeline.ingest.evidence import FileMoment, PacketRing, frame_of_group, picture_of
from pipeline.ingest.groups import GroupDecoder, KeyPictures
from pipeline.ingest.look import Look
from pipeline.ingest.pictures import Scaler, region_of
from pipeline.ingest.proof import proven_whole
from pipeline.ingest.proving import Proving
from pipeline.ingest.road_looks import RoadLooks
from pipeline.ingest.sampling import Sampler, Step
from pipeline.ingest.streams import CameraStream, FileStream, is_camera, path_of
from pipeline.ingest.windows import plan_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from av import VideoFrame
    from numpy.typing import NDArray

    from pipeline.clock import Clock
    from pipeline.ingest.decoding import Codec
    from pipeline.ingest.detail import Way
    from pipeline.ingest.evidence import Kept, PacketGroup
    from pipeline.ingest.groups import Picture
    from pipeline.ingest.road_looks import Cut
    from pipeline.ingest.sampling import Waits
    from pipeline.ingest.streams import Arrival, Stream
    from pipeline.ingest.windows import Size, Window
    from pipeline.settings import IngestSettings
    from pipeline.town import Camera, Policy, Transport


class Source:
    """Looks of one camera or clip.

    ``url`` is ``rtsp://``, ``rtsps://`` or a file path. ``size`` is the model's (width, height).
    ``policy`` and ``interval_s`` override the settings; an interval of 0 keeps every picture the
    policy decodes. ``gate`` is held while the source is being opened. ``windows`` says for a source
    size which windows get road looks. ``detail``: the main stream of a camera of whose smaller one
    ``url`` is; road looks and full pictures come from it, and all looks speak of its pixels once
    its size is known. ``looks`` and what it yields belong to one thread; the rest
    may be used from any.
    """

    def __init__(
        self,
        camera_id: str,
        url: str,
        settings: IngestSettings,
        *,
        size: tuple[int, int],
        clock: Clock,
        policy: Policy | None = None,
        interval_s: float | None = None,
        gate: AbstractContextManager[object] | None = None,
        windows: Callable[[Size], Sequence[Window]] = lambda _source: (),
        transport: Transport | None = None,
        detail: DetailStream | None = None,
    ) -> None:
        self.camera_id = camera_id
        self.live = is_camera(url)
        self._url = url
        self._settings = settings
        self._size = size
        self._clock = clock
        chosen: Policy = policy or settings.policy or ("keys" if self.live else "auto")
        # How long a visit lasts is the reader's business; what is decoded in it are key frames.
        self._policy: Policy = "keys" if chosen == "visit" else chosen
        self._interval_s = settings.interval_s if interval_s is None else interval_s
        # Drawn by the camera's name, so that it is the same each time.
        self._share = crc32(camera_id.encode()) / 2**32 if self.live else 1.0
        self._sampler: Sampler | None = None
        self._gate = gate or nullcontext()
        self._windows = windows
        self._transport = transport
        self._detail = detail
        self._detail_used_at: float | None = None
        self._ring = PacketRing()
        self._agreement = Agreement()
        self._proving = Proving()
        self._closed = threading.Event()
        self._left = False
        self.corrupt = 0
        """Pictures that were damaged and left out, since the source was made."""
        self.key_frames = 0
        """Key frames that came, decoded or not, since the source was made."""
        self.heard_at: float | None = None
        """When the newest packet came (monotonic seconds); None before the first."""
        self.opened_at: float | None = None
        """When opening began (monotonic seconds); None while not open, or waiting at the gate."""
        self.whole_at = 0.0
        """When opening began or, since then, the newest picture came that was undamaged or that
        nobody had asked for (monotonic seconds)."""

    @classmethod
    def of(
        cls,
        camera: Camera,
        settings: IngestSettings,
        *,
        size: tuple[int, int],
        clock: Clock,
        gate: AbstractContextManager[object] | None = None,
        detail_way: Way | None = None,
    ) -> Source:
        """The source of a camera of the list: its own policy and interval, road looks by its view.

        The one way in, live and in replay, so that both look at the same. ``detail_way``: that to
        the main stream, for a camera with a ``sub_url``; None: it is taken from ``url`` alone.
        """
        detail = None
        if camera.sub_url is not None and detail_way is not None:
            detail = DetailStream(
                camera.camera_id,
                camera.url,
                settings,
                clock=clock,
                way=detail_way,
                transport=camera.transport,
            )
        return cls(
            camera.camera_id,
            camera.url if detail is None else camera.sub_url or "",
            settings,
            size=size,
            clock=clock,
            policy=camera.policy,
            interval_s=camera.interval_s,
            gate=gate,
            windows=lambda source: plan_windows(camera, source, size, settings.road_looks).windows,
            transport=camera.transport,
            detail=detail,
        )

    def looks(self) -> Generator[Look, None, None]:
        """Whole looks in the order of time, each followed by its road looks, until the file ends.

        Looks of one picture have the same ``captured_at``: the time of receipt (live) or seconds
        from the first picture (file). May be called again after a failure: it opens
        the camera anew. Raises SourceError when a camera can't deliver (the end of a live stream
        is a failure) and FootageError when a file is missing, empty, no video, or damaged: what
        can be decoded of it comes first.
        """
        if self._detail is not None:
            self._detail.start()
        try:
            stream = self._open()
            if stream is None:
                return
            with closing(stream):
                yield from self._kept(stream)
        finally:
            self.opened_at = None

    def full_picture(self, captured_at: float) -> NDArray[np.uint8] | None:
        """The picture of the look captured then at native resolution: uint8 BGR (H, W, 3).

        Decoded again from what is kept compressed; when that moment isn't kept, the nearest
        earlier one; None when everything kept is later. Live cameras keep a short ring; a file
        gives any moment. May be called from any thread.
        """
        kept = self.kept_at(captured_at)
        return None if kept is None else picture_of(kept)

    def kept_at(self, captured_at: float) -> Kept | None:
        """What ``picture_of`` makes that picture of, in this or another process."""
        if self._detail is not None and (group := self._main_group(self._detail, captured_at)):
            return group
        if self.live:
            group = self._ring.group_at(captured_at)
            size = None if self._detail is None else self._detail.size
            return replace(group, shown_size=size) if group and size else group
        return FileMoment(path_of(self._url), captured_at)

    @property
    def interval_s(self) -> float:
        """Looks are this far apart; may be set from any thread, also while they are read."""
        return self._interval_s

    @interval_s.setter
    def interval_s(self, interval_s: float) -> None:
        self._interval_s = interval_s
        if self._sampler is not None:
            self._sampler.set_interval(interval_s)

    def offered(self, waits: Waits | None) -> None:
        """What became of the newest whole look; see Sampler.offered."""
        if self._sampler is not None:
            self._sampler.offered(waits)

    def look_soon(self) -> None:
        """The next picture comes as soon as the settings say, whatever the interval is now."""
        if self._sampler is not None:
            self._sampler.hurry(self._settings.interval_s)

    def leave(self) -> None:
        """``looks`` ends after those of the newest picture; it may be called again later."""
        self._left = True

    def close(self) -> None:
        """``looks`` ends with the next packet and lets go of the camera or file."""
        self._closed.set()
        if self._detail is not None:
            self._detail.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> Stream | None:
        """None when the source was closed while it waited at the gate."""
        self.heard_at = None
        self._left = False
        with self._gate:
            if self._closed.is_set():
                return None
            self.opened_at = self.whole_at = self._clock.monotonic()
            if self.live:
                return CameraStream(
                    self._url, self._settings, self._clock, self._transport, closed=self._closed
                )
            return FileStream(path_of(self._url))

    def _kept(self, stream: Stream) -> Iterator[Look]:
        """Looks of the pictures that are due and undamaged."""
        scaler = Scaler(self._size)
        roads = RoadLooks(self._windows, self._size, self._settings.road_looks.interval_s)
        # Of what lies between key frames nothing can be proven.
        policy = "keys" if self._proves(stream.codec) else self._policy
        sampler = self._sampler = Sampler(policy, self._interval_s, self._share)
        # Of files everything arrives; their sudden changes are cuts.
        doubt = self.live and (stream.codec.name == "hevc" or DEVICE.in_use)
        seen = False
        try:
            for picture in self._decoded(stream, sampler):
                codec = stream.codec if doubt else None
                for look in self._looks_of(picture, sampler, scaler, roads, codec):
                    seen = True
                    yield look
                    del look
                # Seconds pass until the next one, and a full-size picture is megabytes.
                del picture
                if self._left:
                    return
        except (av.FFmpegError, OSError, ValueError) as error:
            raise stream.failure(error) from None
        if not seen and not self._closed.is_set():
            raise FootageError(
                "其中没有可解码的画面 / no picture in it can be decoded",
                file=path_of(self._url),
                found=f"{self.corrupt} damaged pictures",
            )

    def _looks_of(
        self,
        picture: Picture,
        sampler: Sampler,
        scaler: Scaler,
        roads: RoadLooks,
        doubted: Codec | None,
    ) -> Iterator[Look]:
        """The whole look of a picture and its road looks; none if it is damaged or not due.

        ``doubted``: its codec, where the decoder doesn't tell damage.
        """
        frame, at_s = picture.frame, picture.arrival.at_s
        if not picture.whole:
            self.corrupt += 1
            return
        if not sampler.keep(at_s):
            self.whole_at = self._clock.monotonic()
            return
        try:
            look = self._look(frame, picture.arrival, scaler)
            if doubted and not self._believes(look, picture, doubted):
                self.corrupt += 1
                return
            cuts = self._cuts(roads, scaler, frame, look, at_s)
        except (av.FFmpegError, OSError, ValueError):  # a size or format swscale can't take
            self.corrupt += 1
            return
        self.whole_at = self._clock.monotonic()
        yield look
        for region, cut in cuts:
            yield replace(look, region=region, picture=cut, purpose="road")

    def _believes(self, look: Look, picture: Picture, codec: Codec) -> bool:
        shown = picture.frame if picture.lent else None
        prove = partial(proven_whole, codec, picture.arrival.packet, shown)
        if self._proves(codec):
            return self._proving.believes(look, codec, prove)
        return self._agreement.believes(look, picture.group, prove if picture.arrival.key else None)

    def _proves(self, codec: Codec) -> bool:
        return self.live and codec.name == "hevc" and self._settings.h265 == "prove"

    def _main_group(self, detail: DetailStream, captured_at: float) -> PacketGroup | None:
        """The main stream's newest key frame at that moment; nobody has looked at it yet."""
        group = detail.group_at(captured_at)
        return group and replace(group, unproven=self._proves(group.codec))

    def _look(self, frame: VideoFrame, arrival: Arrival, scaler: Scaler) -> Look:
        shown = None if self._detail is None else self._detail.size
        source_size = shown or (frame.width, frame.height)
        return Look(
            camera_id=self.camera_id,
            captured_at=arrival.captured_at,
            region=region_of(source_size, self._size),
            source_size=source_size,
            picture=scaler.picture(frame, shown),
        )

    def _cuts(
        self, roads: RoadLooks, scaler: Scaler, frame: VideoFrame, whole: Look, at_s: float
    ) -> list[Cut]:
        """The windows that are due, of this picture or of the main stream's newest key frame."""
        if self._detail is None:
            return roads.due(frame, at_s)
        received_at = self._detail.received_at(whole.captured_at)
        if received_at == self._detail_used_at or not roads.any_due(at_s):
            return []
        group = self._main_group(self._detail, whole.captured_at)
        found = None if group is None else frame_of_group(group)
        if found is None or (found.width, found.height) != whole.source_size:
            return []
        self._detail_used_at = received_at
        if not agree(whole, replace(whole, picture=scaler.picture(found))):
            self.corrupt += 1  # or the street has just changed; there will be another
            return []
        return roads.due(found, at_s)

    def _decoded(self, stream: Stream, sampler: Sampler) -> Iterator[Picture]:
        keys_only = sampler.keys_only
        keys, group = KeyPictures(), GroupDecoder(stream.codec)
        for arrival in stream.arrivals(sampler):
            if self._closed.is_set():
                return
            self.heard_at = self._clock.monotonic()
            if self.live:
                self._check_wholeness(self.heard_at)
            self.key_frames += arrival.key
            step = sampler.step(arrival.at_s, key=arrival.key)
            if arrival.key and step is not Step.DECODE:
                self.whole_at = self.heard_at  # nobody asks for pictures: none is missing
            if self.live and not (keys_only and step is Step.DROP):
                self._ring.add(stream.codec, arrival)
            try:
                if step is Step.DECODE and keys_only:
                    yield from keys.take(stream.codec, arrival)
                elif step is not Step.DROP:
                    yield from group.take(arrival, step, fresh=not sampler.continuous)
            except av.FFmpegError as error:
                self._excuse(error)
        yield from group.end()

    def _excuse(self, error: av.FFmpegError) -> None:
        """Count a packet that can't be decoded as damaged, if it may be; else raise the error.

        Damage may look like a kind of stream nobody has seen, or like its end.
        """
        known = self.live and self.whole_at != self.opened_at
        if not known and not isinstance(error, av.error.InvalidDataError):
            raise error
        self.corrupt += 1

    def _check_wholeness(self, now: float) -> None:
        """Raise SourceError when nothing can be made of what comes: opening anew may help.

        A camera that was set to another codec may go on in a session that was opened for the old.
        """
        limit_s = max(self._settings.stalled_after_s, 2 * self._interval_s)
        if now - self.whole_at >= limit_s:
            raise faults.stalled(
                self._url,
                "有数据但无法解出画面，请检查编码设置",
                f"data comes but no picture could be decoded for {limit_s:.0f} s; "
                "check the camera's encoder",
            )
