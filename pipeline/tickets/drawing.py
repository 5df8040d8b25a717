"""How evidence looks: boxes and captions, the size, JPEG."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pipeline.errors import EvidenceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.hazards.incident import Incident, Unit

_FIRST_CLOCK_TIME = 1e8  # earlier than any camera: seconds from the start of recorded footage
_CHINA = timezone(timedelta(hours=8))
_COLOURS = {"notice": (0, 200, 255), "warning": (0, 128, 255), "emergency": (40, 40, 230)}  # BGR
_WHITE = (240, 240, 240)
_DARK = (32, 32, 32)
_FONT = cv2.FONT_HERSHEY_SIMPLEX  # knows no Chinese; the page says it beside the picture
_LEAST_SHARE = (
    0.35  # of the picture's sides that a cut-out shows at least: where it is must be seen
)
_AROUND = 3.0  # a cut-out is so many times as wide and high as the hazard


def annotated(picture: NDArray[np.uint8], incident: Incident) -> NDArray[np.uint8]:
    """A copy with the hazard's box and, in a strip below, what, where and when."""
    what = incident.hazard.replace("_", " ").upper()
    when = time_text(incident.confirmed_at)
    caption = f"{what}  {incident.severity}  {incident.score:.0%}  {incident.camera_id}  {when}"
    return boxed(picture, incident.box, _COLOURS[incident.severity], caption)


def boxed(
    picture: NDArray[np.uint8], box: Unit, colour: tuple[int, int, int], caption: str
) -> NDArray[np.uint8]:
    """A copy with a box (0..1) in this colour (BGR) and a caption in a strip below."""
    height, width = picture.shape[:2]
    line = max(2, round(3 * max(width, height) / 1000))
    drawn = captioned(picture, caption)
    x1, y1, x2, y2 = box
    corners = (round(x1 * width), round(y1 * height)), (round(x2 * width), round(y2 * height))
    cv2.rectangle(drawn, *corners, (0, 0, 0), line + 2)  # seen on any ground
    cv2.rectangle(drawn, *corners, colour, line)
    return drawn


def captioned(picture: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    """A copy with a strip below that says this; what isn't ASCII becomes ``?``."""
    height, width = picture.shape[:2]
    strip = max(20, round(36 * max(width, height) / 1000))
    drawn: NDArray[np.uint8] = cv2.copyMakeBorder(
        picture, 0, strip, 0, 0, cv2.BORDER_CONSTANT, value=_DARK
    ).astype(np.uint8, copy=False)
    caption = text.encode("ascii", "replace").decode()
    scale = min(strip / 44, 0.95 * width / cv2.getTextSize(caption, _FONT, 1, 1)[0][0])
    at = (round(width * 0.02), height + round(strip * 0.68))
    cv2.putText(drawn, caption, at, _FONT, scale, _WHITE, max(1, round(scale * 2)), cv2.LINE_AA)
    return drawn


def side_by_side(
    before: tuple[NDArray[np.uint8], str], after: tuple[NDArray[np.uint8], str], box: Unit
) -> NDArray[np.uint8]:
    """The same part of two pictures around ``box`` (0..1), each over its caption.

    The second takes the size of the first where a camera has changed its resolution.
    """
    first = _cut_out(before[0], box)
    height, width = first.shape[:2]
    second = cv2.resize(_cut_out(after[0], box), (width, height), interpolation=cv2.INTER_AREA)
    halves = captioned(first, before[1]), captioned(second.astype(np.uint8), after[1])
    gap = np.full((halves[0].shape[0], max(4, width // 100), 3), 255, np.uint8)
    return np.hstack((halves[0], gap, halves[1]))


def time_text(at: float) -> str:
    """Local time; seconds where footage has no date."""
    if at < _FIRST_CLOCK_TIME:
        return f"{at:.1f} s"
    return datetime.fromtimestamp(at, _CHINA).strftime("%Y-%m-%d %H:%M:%S +08")


def scaled(picture: NDArray[np.uint8], longest_px: int) -> NDArray[np.uint8]:
    """The picture, smaller where its longer side is longer than this."""
    factor = longest_px / max(picture.shape[:2])
    if factor >= 1:
        return picture
    size = (round(picture.shape[1] * factor), round(picture.shape[0] * factor))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    """Raises EvidenceError."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise EvidenceError("the picture can't be encoded")
    return data.tobytes()


def _cut_out(picture: NDArray[np.uint8], box: Unit) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    left, right = _span(box[0], box[2], width)
    top, bottom = _span(box[1], box[3], height)
    return picture[top:bottom, left:right]


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    """From where to where a side is shown, in pixels, moved so that it lies in the picture."""
    share = min(1.0, max(_AROUND * (high - low), _LEAST_SHARE))
    start = min(max(0.0, (low + high - share) / 2), 1.0 - share)
    first = min(round(start * size), size - 1)
    return first, max(first + 1, round((start + share) * size))
