"""From a decoded frame, or a window of it, to a picture at model size, or a full-size one."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from av.filter import Graph
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from pipeline.ingest.lending import Pool

if TYPE_CHECKING:
    from av import VideoFrame
    from numpy.typing import NDArray

    from pipeline.ingest.windows import Window

    Region = tuple[float, float, float, float]

_GREY_Y, _GREY_UV = 114, 128
# Fast bilinear looks at two neighbours alone; from here on it would leave out whole columns.
_AREA_FROM_SHRINK = 2.0


def content_size(source: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) in the model picture that the source fills, scaled uniformly to fit.

    Even, because chroma has half the resolution. Sources smaller than the model are scaled up.
    """
    scale = min(size[0] / source[0], size[1] / source[1])
    width, height = (round(side * scale / 2) * 2 for side in source)
    return max(2, min(width, size[0])), max(2, min(height, size[1]))


def region_of(source: tuple[int, int], size: tuple[int, int]) -> Region:
    """The rectangle in source pixels that the whole model picture covers, padding included."""
    scale = min(size[0] / source[0], size[1] / source[1])
    return 0.0, 0.0, size[0] / scale, size[1] / scale


# Tables and lines of swscale, 1 MiB for a 1080p source: cameras of one kind share them.
_REFORMATTERS: Pool[tuple[object, ...], VideoReformatter] = Pool(
    lambda _: VideoReformatter(), lent_at_most=4, kinds_at_most=32
)


class Scaler:
    """Scales frames to the model's size."""

    def __init__(self, size: tuple[int, int]) -> None:
        width, height = size
        if width % 2 or height % 2:
            raise ValueError(f"model size must be even, found {width}×{height}")
        self._size = size

    def picture(self, frame: VideoFrame, shown: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """Uint8 I420 (H·3/2, W), limited range: content at the top left, the rest grey.

        ``shown``: (width, height) of the picture that the frame stands for, where it is another;
        small streams squeeze a wide view into 704×576.
        """
        source = frame.width, frame.height
        width, height = content_size(shown or source, self._size)
        shrinks = source[0] / width >= _AREA_FROM_SHRINK
        colours = _range_of(frame)
        with _REFORMATTERS.lent((source, width, height, frame.format.name, colours)) as reformatter:
            small = reformatter.reformat(
                frame,
                width,
                height,
                "yuv420p",
                interpolation=Interpolation.AREA if shrinks else Interpolation.FAST_BILINEAR,
                src_color_range=colours,
                dst_color_range=ColorRange.MPEG,
                threads=1,
            )
        return self._padded(small, width, height)

    def _padded(self, small: VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
        full_width, full_height = self._size
        luma = full_width * full_height
        buffer = np.empty(luma * 3 // 2, np.uint8)
        targets = (
            buffer[:luma].reshape(full_height, full_width),
            *buffer[luma:].reshape(2, full_height // 2, full_width // 2),
        )
        for target, plane, share, grey in zip(
            targets, small.planes, (1, 2, 2), (_GREY_Y, _GREY_UV, _GREY_UV), strict=True
        ):
            rows, columns = height // share, width // share
            lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            target[:rows, :columns] = lines[:rows, :columns]
            target[:rows, columns:] = grey
            target[rows:] = grey
        return buffer.reshape(full_height * 3 // 2, full_width)


class Cutter:
    """Windows of the frames of one stream, at model size. One thread only.

    All frames must have the same size.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._scaler = Scaler(size)
        self._graphs: dict[tuple[str, Window], Graph] = {}

    def picture(self, frame: VideoFrame, window: Window) -> tuple[Region, NDArray[np.uint8]]:
        """The rectangle in source pixels that the picture covers, and uint8 I420 (H·3/2, W)."""
        _, _, width, height = region_of((window.width, window.height), self._size)
        region = (window.x, window.y, window.x + width, window.y + height)
        return region, self._scaler.picture(self.part(frame, window))

    def part(self, frame: VideoFrame, window: Window) -> VideoFrame:
        """The window as a frame that shares the pixels of ``frame``: none is copied."""
        key = frame.format.name, window
        if key not in self._graphs:
            self._graphs[key] = _cropping(frame, window)
        graph = self._graphs[key]
        graph.vpush(frame)
        return graph.vpull()


def _cropping(frame: VideoFrame, window: Window) -> Graph:
    graph = Graph()
    graph.threads = 1  # it would start one for every core, for every window of every camera
    unit = Fraction(1, 1000)  # of times, which cropping has no use for
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=unit
    )
    crop = graph.add("crop", f"{window.width}:{window.height}:{window.x}:{window.y}")
    sink = graph.add("buffersink")
    source.link_to(crop)
    crop.link_to(sink)
    graph.configure()
    return graph


def bgr_of(frame: VideoFrame) -> NDArray[np.uint8]:
    """The frame at its own size: uint8 BGR (H, W, 3)."""
    full = VideoReformatter().reformat(
        frame, format="bgr24", src_color_range=_range_of(frame), threads=1
    )
    return np.ascontiguousarray(full.to_ndarray(), np.uint8)


def _range_of(frame: VideoFrame) -> ColorRange:
    full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    return ColorRange.JPEG if full else ColorRange.MPEG
