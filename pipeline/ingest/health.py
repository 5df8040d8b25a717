"""What the pictures themselves say about a camera: frozen, dark, covered or moved, if it lasts.

A picture that is repeated, black, or not of the camera's own view says nothing about the street
from the first one on: whoever took it for a look would see a hazard stay, or go, that nobody can
see.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.ingest.pictures import content_size
from pipeline.ingest.suspicion import Lasting, Suspicion
from pipeline.ingest.view_files import ViewFile
from pipeline.ingest.view_watch import ViewWatch
from pipeline.ingest.viewprint import COLUMNS, ROWS

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.ingest.look import Look
    from pipeline.ingest.state import CameraState
    from pipeline.ingest.suspicion import Pending, ViewFault
    from pipeline.ingest.view_watch import Kind, Sight
    from pipeline.ingest.viewprint import Match

# Mean luma in limited range, where black is 16: a street at night with one lamp is above 30.
_DARK_BELOW, _LIGHT_FROM = 22.0, 28.0
# A sensor's noise changes every row; a quarter of them is enough to tell a repeated picture.
_ROW_STEP = 4
_LOOKS_AT_LEAST = 3
# A lorry may stand before most of the picture, and fog may take most of it, for some minutes.
_PARTLY_S = 600.0
# A picture that is neither the view nor clearly another one: after so long it is another one.
_ODD_S = 120.0
# Without any past, a wall of fog looks like a bag over the lens: give it time.
_FLAT_S = 60.0
# Chroma of infrared pictures is 128 all over, but for what compression leaves.
_GREY_BELOW = 1.5

_FAULTS: dict[Kind, ViewFault] = {
    "home": "live",
    "moved": "moved",
    "away": "moved",
    "odd": "moved",
    "bare": "covered",
    "partly": "covered",
    "flat": "covered",
}
_BLIND: frozenset[Kind] = frozenset({"moved", "away", "bare"})
"""What tells nothing about the street from the first picture on."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``live``, ``frozen``, ``dark``, ``covered`` or ``moved``, and why, Chinese first.

    ``telling`` false: the picture is black, the same as the one before, or doesn't show the
    camera's view. Such a picture may come from a camera that still counts as live; a live camera's
    others are telling.
    """

    state: CameraState
    why: str
    telling: bool


class PictureHealth:
    """Judges the looks of one camera. A fault counts after ``after_s`` seconds and three looks.

    ``folder`` is where the camera's view is kept over a restart; without one it is learnt anew.
    ``before`` is what whoever judged the camera until now had in mind.
    """

    def __init__(
        self, after_s: float, folder: Path | None = None, before: Suspicion | None = None
    ) -> None:
        self._after_s = after_s
        self._folder = folder
        before = before or Suspicion()
        self._content = before.content
        self._same, self._dark = before.same, before.dark
        self._watch: ViewWatch | None = None
        self._view = _ViewState(after_s, before)

    def suspicion(self) -> Suspicion | None:
        """What a successor has to know to go on where this one ends; None while all is well."""
        if self._same.count <= 1 and self._dark.count == 0 and self._view.undisturbed:
            return None
        return Suspicion(
            self._content,
            self._same,
            self._dark,
            self._view.state,
            self._view.pending,
            self._view.lasting,
            self._view.stray,
        )

    def judge(self, look: Look) -> Verdict:
        """Looks must come in order of time, every one of them, and all of one camera."""
        at = look.captured_at
        width, height = content_size(look.source_size, _size_of(look))
        luma = look.picture[:height:_ROW_STEP, :width]
        content = zlib.crc32(luma.tobytes())
        self._same = (self._same if content == self._content else Lasting()).again(at)
        self._content = content
        limit = _LIGHT_FROM if self._dark.count else _DARK_BELOW
        self._dark = self._dark.again(at) if luma.mean() < limit else Lasting()
        telling = self._same.count == 1 and self._dark.count == 0
        if telling:
            self._judge_view(look, width, height)
        telling = telling and self._view.telling
        if self._same.lasts(at, _LOOKS_AT_LEAST, self._after_s):
            why = "画面静止不变，请重启摄像机 / the picture never changes; restart the camera"
            return Verdict("frozen", why, telling)
        if self._dark.lasts(at, _LOOKS_AT_LEAST, self._after_s):
            why = "画面全黑，请检查镜头和补光 / the picture is black; check lens and lamp"
            return Verdict("dark", why, telling)
        return Verdict(self._view.state, self._view.why, telling)

    def _judge_view(self, look: Look, width: int, height: int) -> None:
        at = look.captured_at
        if self._watch is None:
            file = None if self._folder is None else ViewFile(self._folder, look.camera_id)
            self._watch = ViewWatch(file)
        if self._watch.accepted(at):
            self._view = _ViewState(self._after_s)
        sight = self._watch.see(at, look.picture[:height, :width], grey=_is_grey(look))
        self._view.take(at, sight, touring=self._watch.touring(at))


class _ViewState:
    """``live``, ``covered`` or ``moved``: what lasts of the sights, and why."""

    def __init__(self, after_s: float, before: Suspicion | None = None) -> None:
        self.why = ""
        self.telling = True
        self._hold_s: dict[Kind, float] = {
            "home": after_s / 2,
            "partly": max(_PARTLY_S, after_s),
            "odd": max(_ODD_S, after_s),
            "flat": max(_FLAT_S, 3 * after_s),
        }
        self._after_s = after_s
        before = before or Suspicion()
        self.state = before.view
        self.pending: Pending = before.pending or self._pending_of("home")
        self.lasting = before.lasting
        self.stray = before.stray

    @property
    def undisturbed(self) -> bool:
        """It is live, and nothing says otherwise."""
        return self.state == self.pending[0] == "live" and self.stray is None

    def take(self, at: float, sight: Sight, *, touring: bool) -> None:
        self._wait_for(at, self._pending_of(sight.kind), undecided=sight.kind == "odd")
        self.lasting = self.lasting.again(at)
        if self.lasting.lasts(at, _LOOKS_AT_LEAST, self.pending[1]):
            self.state = self.pending[0]
        if touring:
            self.state, self.why = "moved", _TOURING
        elif self.state == "live":
            self.why = ""
        elif self.state == _FAULTS[sight.kind]:
            self.why = _why(sight)
        self.telling = self.state == "live" and sight.kind not in _BLIND

    def _wait_for(self, at: float, pending: Pending, *, undecided: bool) -> None:
        """Start the clock of what this look says, unless it is a single look against the others."""
        if pending == self.pending:
            self.stray = None
        elif undecided and self.pending[0] != "live":
            return
        elif self.stray is None or self.stray[0] != pending:
            self.stray = pending, at
        else:
            self.pending, self.lasting = pending, Lasting().again(self.stray[1])
            self.stray = None

    def _pending_of(self, kind: Kind) -> Pending:
        return _FAULTS[kind], self._hold_s.get(kind, self._after_s)


_TOURING = (
    "镜头反复转离原画面（云台巡航？），请固定在一个预置位 / "
    "the view keeps changing (a preset tour?); keep the camera at one preset"
)
_WHYS: dict[Kind, str] = {
    "away": (
        "画面已不是原来的场景，请将镜头转回，或确认新画面 / "
        "the view is another one; turn the camera back or accept the new view"
    ),
    "bare": (
        "镜头被遮挡或完全模糊，请检查镜头 / the lens is covered or out of focus; check the lens"
    ),
    "partly": (
        "画面大半被遮挡或模糊，请清洁镜头 / most of it is covered or blurred; clean the lens"
    ),
    "flat": "画面中看不到任何细节，请检查镜头 / nothing can be seen in the picture; check the lens",
}
_WHYS["odd"] = _WHYS["away"]


def _why(sight: Sight) -> str:
    return _moved_why(sight.match) if sight.match is not None else _WHYS[sight.kind]


def _moved_why(found: Match) -> str:
    """By how much and where to the content of the picture has moved."""
    right, down = (
        round(100 * pixels / side)
        for pixels, side in zip(found.shift, (COLUMNS, ROWS), strict=True)
    )
    zoom, turn = round(100 * (found.zoom - 1)), round(found.turn_deg)
    parts = [
        (f"{'右' if right > 0 else '左'}移 {abs(right)}%", _side(right, "right", "left")),
        (f"{'下' if down > 0 else '上'}移 {abs(down)}%", _side(down, "down", "up")),
        (f"{'放大' if zoom > 0 else '缩小'} {abs(zoom)}%", _side(zoom, "larger", "smaller")),
        (
            f"{'顺' if turn > 0 else '逆'}时针转 {abs(turn)}°",
            f"turned {abs(turn)}° {'' if turn > 0 else 'counter'}clockwise",
        ),
    ]
    said = [part for part, size in zip(parts, (right, down, zoom, turn), strict=True) if size]
    chinese = "、".join(part[0] for part in said) or "略有移动"
    english = ", ".join(part[1] for part in said) or "moved a little"
    return (
        f"画面内容{chinese}，请将镜头转回，或确认新画面 / "
        f"the picture has changed: {english}; turn the camera back or accept the new view"
    )


def _side(percent: int, positive: str, negative: str) -> str:
    return f"{abs(percent)}% {positive if percent > 0 else negative}"


def _is_grey(look: Look) -> bool:
    rows = _size_of(look)[1]
    chroma = look.picture[rows::_ROW_STEP, ::_ROW_STEP]
    return bool(np.abs(chroma.astype(np.int16) - 128).mean() < _GREY_BELOW)


def _size_of(look: Look) -> tuple[int, int]:
    rows, width = look.picture.shape
    return width, rows * 2 // 3
