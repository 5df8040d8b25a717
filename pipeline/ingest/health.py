"""What the pictures themselves say about a camera: frozen or dark, and only if it lasts.

A picture that is repeated or black says nothing about the street from the first one on: whoever
took it for a look would see a hazard stay, or go, that nobody can see.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.ingest.pictures import content_size

if TYPE_CHECKING:
    from pipeline.ingest.look import Look
    from pipeline.ingest.state import CameraState

# Mean luma in limited range, where black is 16: a street at night with one lamp is above 30.
_DARK_BELOW, _LIGHT_FROM = 22.0, 28.0
# A sensor's noise changes every row; a quarter of them is enough to tell a repeated picture.
_ROW_STEP = 4
_LOOKS_AT_LEAST = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """``live``, ``frozen`` or ``dark``, and why, Chinese first.

    ``telling`` false: the picture is black or the same as the one before. Such a picture may come
    from a camera that still counts as live; a live camera's others are telling.
    """

    state: CameraState
    why: str
    telling: bool


class PictureHealth:
    """Judges the looks of one camera. A fault counts after ``after_s`` seconds and three looks."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._content: int | None = None
        self._same = _Lasting()
        self._dark = _Lasting()

    def judge(self, look: Look) -> Verdict:
        """Looks must come in order of time, every one of them."""
        width, height = content_size(look.source_size, _size_of(look))
        luma = look.picture[:height:_ROW_STEP, :width]
        content = zlib.crc32(luma.tobytes())
        frozen_s = self._same.lasts(look.captured_at, holds=content == self._content)
        self._content = content
        limit = _LIGHT_FROM if self._dark.count else _DARK_BELOW
        dark_s = self._dark.lasts(look.captured_at, holds=bool(luma.mean() < limit))
        telling = self._same.count == self._dark.count == 0
        if self._same.count >= _LOOKS_AT_LEAST and frozen_s >= self._after_s:
            why = "画面静止不变，请重启摄像机 / the picture never changes; restart the camera"
            return Verdict("frozen", why, telling)
        if self._dark.count >= _LOOKS_AT_LEAST and dark_s >= self._after_s:
            why = "画面全黑，请检查镜头和补光 / the picture is black; check lens and lamp"
            return Verdict("dark", why, telling)
        return Verdict("live", "", telling)


class _Lasting:
    """For how long a condition has held without a break, and in how many looks."""

    def __init__(self) -> None:
        self.count = 0
        self._since = 0.0

    def lasts(self, at: float, *, holds: bool) -> float:
        self.count = self.count + 1 if holds else 0
        if self.count <= 1:
            self._since = at
        return at - self._since


def _size_of(look: Look) -> tuple[int, int]:
    rows, width = look.picture.shape
    return width, rows * 2 // 3
