"""Makes a clip of clean frames: a modest sensor's look, then H.264 as street cameras send it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np

from .camera import HEIGHT, WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CRF = 27  # about 1 MB a clip at this size and rate
NOISE, BLUR_PX, VIGNETTE = 1.5, 0.55, 0.12


class Sensor:
    """A small lens and a cheap sensor: soft, a little dark in the corners, a little noisy."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        x, y = np.meshgrid(np.linspace(-1, 1, WIDTH), np.linspace(-1, 1, HEIGHT))
        self._shade = (1 - VIGNETTE * (x**2 + y**2) / 2)[..., None].astype(np.float32)
        self._fixed = self._grain() * 0.5

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """uint8 (h, w, 3) BGR in and out."""
        soft = cv2.GaussianBlur(picture, (0, 0), BLUR_PX).astype(np.float32) * self._shade
        # Dark parts are noisier, as after a camera's gamma curve.
        gain = 1.4 - soft.mean(axis=2, keepdims=True) / 255
        noisy = soft + (self._grain() + self._fixed) * gain
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)

    def _grain(self) -> np.ndarray:
        grain = self._rng.normal(0, NOISE, (HEIGHT, WIDTH, 1)).astype(np.float32)
        return cv2.GaussianBlur(grain, (0, 0), 0.6)[..., None] * 1.6


def encode(frames: Iterable[Path], target: Path, *, fps: int, seed: int) -> None:
    """Write the frames (8-bit PNG) as H.264: a key frame a second, no B-frames."""
    sensor, part = Sensor(seed), target.with_suffix(".part.mp4")
    with av.open(str(part), "w", options={"movflags": "+faststart"}) as box:
        stream = box.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.gop_size, stream.max_b_frames = fps, 0
        stream.time_base = Fraction(1, fps)
        stream.options = {
            "crf": str(CRF),
            "preset": "veryslow",
            "profile": "high",
            "x264-params": f"keyint={fps}:min-keyint={fps}:scenecut=0:bframes=0:threads=1",
        }
        for index, path in enumerate(frames):
            picture = cv2.imread(str(path))
            if picture is None:
                raise OSError(f"{path}: not a picture")
            frame = av.VideoFrame.from_ndarray(sensor(picture), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            box.mux(stream.encode(frame))
        box.mux(stream.encode())
    part.replace(target)
