"""The last steps to a street camera's picture: barrel distortion, overlay text, compression."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO

import av
import cv2
import numpy as np

# Shares of H.264's quality scale that cheap street cameras use.
_CRF = (22, 38)


class Bend:
    """A little barrel distortion, the same for a picture and its map of things."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, int], *, flip: bool) -> None:
        height, width = shape
        strength = rng.uniform(0.0, 0.06) if rng.random() < 0.6 else 0.0
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        u, v = (x - width / 2) / (width / 2), (y - height / 2) / (width / 2)
        pull = (1 + strength * (u**2 + v**2)) / (1 + strength * 1.3)
        self._x, self._y = u * pull * width / 2 + width / 2, v * pull * width / 2 + height / 2
        if flip:
            self._x, self._y = self._x[:, ::-1].copy(), self._y[:, ::-1].copy()
        self._plain = strength == 0.0 and not flip

    def picture(self, picture: np.ndarray) -> np.ndarray:
        """Float or uint8 (h, w, 3)."""
        if self._plain:
            return picture
        return cv2.remap(picture, self._x, self._y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)

    def ids(self, ids: np.ndarray) -> np.ndarray:
        """The map of things, int32 (h, w)."""
        if self._plain:
            return ids
        moved = cv2.remap(ids.astype(np.float32), self._x, self._y, cv2.INTER_NEAREST)
        return moved.astype(np.int32)

    def point(self, x: float, y: float) -> tuple[int, int] | None:
        """The pixel where a point of the straight picture comes to be; None out of the picture."""
        far = (self._x - x) ** 2 + (self._y - y) ** 2
        row, column = np.unravel_index(int(far.argmin()), far.shape)
        return (int(column), int(row)) if far[row, column] < 2 else None


def overlay(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The date, time and name that many cameras write into the picture."""
    height, width = picture.shape[:2]
    shown, size = picture.copy(), float(rng.choice([0.35, 0.45, 0.6]))
    stamp = "20{:02d}-{:02d}-{:02d} {:02d}:{:02d}:{:02d}".format(
        *rng.integers((18, 1, 1, 0, 0, 0), (27, 13, 29, 24, 60, 60))
    )
    spots = [(8, 18), (width - 230, height - 8)] if rng.random() < 0.7 else [(width - 200, 18)]
    for text, spot in zip((stamp, f"CAM {rng.integers(1, 99):02d}"), spots, strict=False):
        for tone, thick in ((20, 2), (245, 1)):
            cv2.putText(
                shown, text, spot, cv2.FONT_HERSHEY_SIMPLEX, size, (tone,) * 3, thick, cv2.LINE_AA
            )
    return shown


def compress(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What is left after a camera's coder, uint8 (h, w, 3): H.264 mostly, else JPEG."""
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 90))]
        return cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR)
    return _h264(picture, int(rng.integers(*_CRF)))


def _h264(picture: np.ndarray, crf: int) -> np.ndarray:
    file = BytesIO()
    with av.open(file, "w", format="matroska") as box:
        stream = box.add_stream("libx264", rate=Fraction(5))
        stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "yuv420p"
        stream.options = {"crf": str(crf), "preset": "superfast", "x264-params": "threads=1"}
        box.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        box.mux(stream.encode())
    file.seek(0)
    with av.open(file) as box:
        return next(box.decode(video=0)).to_ndarray(format="bgr24")
