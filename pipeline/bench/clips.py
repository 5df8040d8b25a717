"""Footage made for benchmarks: moving shapes over noise, at the bitrate of a street camera."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_SHAPES, _GRAIN = 14, 3.0
_BITS_PER_PIXEL = 0.08  # 4 Mbit/s at 1080p25, as cameras are set


def make_clip(path: Path, size: tuple[int, int], *, fps: int, gop: int, seconds: float) -> None:
    """An H.264 clip of ``size`` (width, height), a key frame every ``gop`` frames."""
    width, height = size
    rng = np.random.default_rng(1)
    blocks = rng.integers(60, 190, (height // 12, width // 12, 3), np.uint8)
    street = np.asarray(cv2.resize(blocks, size), np.uint8)
    grain = rng.normal(0, _GRAIN, (8, height, width, 1)).astype(np.int16)
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, fps)
        stream.codec_context.gop_size = gop
        stream.bit_rate = int(width * height * fps * _BITS_PER_PIXEL)
        stream.options = {"preset": "veryfast", "sc_threshold": "0", "bf": "0"}
        for number in range(round(seconds * fps)):
            picture = _moving(street, number / fps)
            noisy = np.clip(picture + grain[number % len(grain)], 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(noisy, "bgr24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _moving(street: NDArray[np.uint8], at_s: float) -> NDArray[np.uint8]:
    """The street with shapes as large as vehicles that cross it."""
    picture = street.copy()
    height, width = picture.shape[:2]
    for shape in range(_SHAPES):
        x = int((shape * 0.37 + at_s * (0.05 + 0.01 * shape)) % 1 * width)
        y = int((0.1 + 0.8 * shape / _SHAPES) * height)
        colour = (40 + 15 * shape, 220 - 12 * shape, 90 + 10 * shape)
        cv2.rectangle(picture, (x, y), (x + width // 12, y + height // 18), colour, -1)
    return picture
