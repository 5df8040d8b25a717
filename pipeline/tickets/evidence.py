"""The two pictures of an incident, written only with heads, car windows and plates covered.

Whatever goes wrong ends in EvidenceError and without a picture; the ticket goes on without one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import structlog

from pipeline.detect import look_at
from pipeline.errors import EvidenceError
from pipeline.tickets.privacy import blur_privacy
from pipeline.tickets.ticket import EvidenceRef

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pipeline.detect import Detector
    from pipeline.hazards.incident import Incident, Unit
    from pipeline.settings import EvidenceSettings
    from pipeline.tickets.outbox import Outbox

PRIVACY_SCORE = 0.1  # people and vehicles count from this score on when they are to be covered

_FIRST_CLOCK_TIME = 1e8  # earlier than any camera: seconds from the start of recorded footage
_CHINA = timezone(timedelta(hours=8))
_COLOURS = {"notice": (0, 200, 255), "warning": (0, 128, 255), "emergency": (40, 40, 230)}  # BGR
_WHITE = (240, 240, 240)
_FONT = cv2.FONT_HERSHEY_SIMPLEX  # knows no Chinese; the page says it beside the picture

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A picture and everything that was seen in it from PRIVACY_SCORE on.

    ``picture`` is BGR uint8 (H, W, 3), ``boxes_px`` (N, 4) xyxy in its pixels. ``boxes_px`` None:
    the whole picture was not looked at, so nothing of it may be written.
    """

    picture: NDArray[np.uint8]
    boxes_px: NDArray[np.float32] | None
    class_names: Sequence[str]


def snapshot_of(picture: NDArray[np.uint8], detector: Detector) -> Snapshot:
    """Look at a full picture (BGR, (H, W, 3)) anew: covered must be what is in this very one."""
    (seen,) = detector([look_at(picture, detector.size)])
    seen = seen[seen.scores >= PRIVACY_SCORE]
    classes = detector.card.classes
    return Snapshot(picture, seen.boxes, [classes[index] for index in seen.classes])


class Filer:
    """Puts incidents into the outbox, with their pictures where these can be had."""

    def __init__(self, outbox: Outbox, settings: EvidenceSettings, data_dir: Path) -> None:
        self._outbox = outbox
        self._settings = settings
        self._data_dir = data_dir

    def file(self, incident: Incident, snapshot: Callable[[], Snapshot | None]) -> None:
        """Keep a new incident. ``snapshot`` may give None or fail: then it has no picture.

        Raises OutboxError.
        """
        self._outbox.put("file", incident, self._evidence(incident, snapshot))

    def update(self, incident: Incident) -> None:
        """Keep later news of an incident. Raises OutboxError."""
        self._outbox.put("update", incident)

    def _evidence(
        self, incident: Incident, snapshot: Callable[[], Snapshot | None]
    ) -> EvidenceRef | None:
        try:
            taken = snapshot()
            if taken is None:
                return None
            return write_evidence(
                taken.picture,
                taken.boxes_px,
                taken.class_names,
                incident=incident,
                settings=self._settings,
                data_dir=self._data_dir,
            )
        except Exception as error:  # noqa: BLE001 - no picture is worth losing a ticket
            log.warning("evidence.missing", incident_id=incident.incident_id, reason=str(error))
            return None


def write_evidence(
    picture: NDArray[np.uint8],
    boxes_px: NDArray[np.float32] | None,
    class_names: Sequence[str],
    *,
    incident: Incident,
    settings: EvidenceSettings,
    data_dir: Path,
) -> EvidenceRef:
    """Write both pictures under ``data_dir/evidence/YYYY/MM/DD`` (UTC) and say where.

    ``picture`` is BGR (H, W, 3); ``boxes_px`` (N, 4) xyxy with ``class_names`` (N) is everything
    seen in the whole picture from PRIVACY_SCORE on. Raises EvidenceError, and has written nothing
    then: no boxes, not enough free disk, or anything else that fails.
    """
    names = names_of(incident.incident_id, incident.confirmed_at, ("annotated", "plain"))
    write_covered(
        Snapshot(picture, boxes_px, class_names),
        names,
        lambda plain: (annotated(plain, incident), plain),
        settings=settings,
        data_dir=data_dir,
    )
    return EvidenceRef(annotated=names[0], plain=names[1])


def names_of(name: str, at: float, kinds: Sequence[str]) -> list[str]:
    """Where pictures of this moment (Unix seconds) are kept, relative to the evidence folder."""
    day = datetime.fromtimestamp(at, UTC).strftime("%Y/%m/%d")
    return [f"{day}/{name}-{kind}.jpg" for kind in kinds]


def write_covered(
    taken: Snapshot,
    names: Sequence[str],
    made_of: Callable[[NDArray[np.uint8]], Sequence[NDArray[np.uint8]]],
    *,
    settings: EvidenceSettings,
    data_dir: Path,
) -> None:
    """Write what ``made_of`` makes of the covered and scaled picture, one for each of ``names``.

    Raises EvidenceError as ``write_evidence`` does, and has written nothing then.
    """
    if taken.boxes_px is None:
        raise EvidenceError("nobody looked for people in the whole picture")
    folder = data_dir / "evidence"
    try:
        _check_space(data_dir, settings.min_free_mb)
        covered = blur_privacy(taken.picture, taken.boxes_px, taken.class_names)
        pictures = made_of(_scaled(covered, settings.longest_side_px))
        jpegs = [_jpeg(each, settings.jpeg_quality) for each in pictures]
        _write_all([folder / name for name in names], jpegs)
    except EvidenceError:
        raise
    except Exception as error:  # whatever it is: no picture, and the ticket goes on
        raise EvidenceError(f"{type(error).__name__}: {error}") from error


def annotated(picture: NDArray[np.uint8], incident: Incident) -> NDArray[np.uint8]:
    """A copy with the hazard's box and, in a strip below, what, where and when."""
    what = incident.hazard.replace("_", " ").upper()
    caption = (
        f"{what}  {incident.severity}  {incident.score:.0%}  {incident.camera_id}  "
        f"{when(incident.confirmed_at)}"
    )
    return boxed(picture, incident.box, _COLOURS[incident.severity], caption)


def boxed(
    picture: NDArray[np.uint8], box: Unit, colour: tuple[int, int, int], caption: str
) -> NDArray[np.uint8]:
    """A copy with a box (0..1) in this colour (BGR) and a caption in a strip below."""
    height, width = picture.shape[:2]
    unit = max(width, height) / 1000
    line = max(2, round(3 * unit))
    strip = max(20, round(36 * unit))
    drawn: NDArray[np.uint8] = cv2.copyMakeBorder(
        picture, 0, strip, 0, 0, cv2.BORDER_CONSTANT, value=(32, 32, 32)
    ).astype(np.uint8, copy=False)
    x1, y1, x2, y2 = box
    corners = (round(x1 * width), round(y1 * height)), (round(x2 * width), round(y2 * height))
    cv2.rectangle(drawn, *corners, (0, 0, 0), line + 2)  # seen on any ground
    cv2.rectangle(drawn, *corners, colour, line)
    caption = caption.encode("ascii", "replace").decode()
    scale = min(strip / 44, 0.95 * width / cv2.getTextSize(caption, _FONT, 1, 1)[0][0])
    at = (round(width * 0.02), height + round(strip * 0.68))
    cv2.putText(drawn, caption, at, _FONT, scale, _WHITE, max(1, round(scale * 2)), cv2.LINE_AA)
    return drawn


def when(at: float) -> str:
    """A time as captions show it."""
    if at < _FIRST_CLOCK_TIME:
        return f"{at:.1f} s"
    return datetime.fromtimestamp(at, _CHINA).strftime("%Y-%m-%d %H:%M:%S +08")


def _check_space(data_dir: Path, min_free_mb: int) -> None:
    data_dir.mkdir(parents=True, exist_ok=True)
    free_mb = shutil.disk_usage(data_dir).free // 1_000_000
    if free_mb < min_free_mb:
        raise EvidenceError(f"{free_mb} MB free in {data_dir}, kept for tickets: {min_free_mb} MB")


def _scaled(picture: NDArray[np.uint8], longest_px: int) -> NDArray[np.uint8]:
    factor = longest_px / max(picture.shape[:2])
    if factor >= 1:
        return picture
    size = (round(picture.shape[1] * factor), round(picture.shape[0] * factor))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise EvidenceError("the picture can't be encoded")
    return data.tobytes()


def _write_all(paths: list[Path], contents: list[bytes]) -> None:
    """All files or none: each is complete beside its place before the first one gets it."""
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=paths[0].parent, prefix=".new-") as aside:
        for path, content in zip(paths, contents, strict=True):
            with (Path(aside) / path.name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for path in paths:
            (Path(aside) / path.name).replace(path)
