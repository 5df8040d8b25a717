"""Pictures that people hand in: read with suspicion, covered, and written without anything else.

Only the pixels are kept: a file's metadata (place, telephone, owner) goes no further. What can't be
covered is not kept.
"""

from __future__ import annotations

import threading
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.errors import EvidenceError, PictureError
from pipeline.tickets.evidence import Snapshot, boxed, names_of, snapshot_of, when, write_covered
from pipeline.tickets.ticket import EvidenceRef

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.detect import Detector
    from pipeline.settings import EvidenceSettings, ReportSettings
    from pipeline.tickets.report import Report

    Looker = Callable[[NDArray[np.uint8]], Snapshot]

FORMATS = ("JPEG", "PNG", "WEBP")

_LEAST_PX = 32  # nothing can be seen in less
_COLOUR = (200, 120, 0)  # BGR, of the box that one of the staff drew


def read_upload(content: bytes, settings: ReportSettings) -> NDArray[np.uint8]:
    """The picture in these bytes, BGR uint8 (H, W, 3), upright.

    What it is, is told by its content, never by a name. Raises PictureError for what isn't a JPEG,
    PNG or WebP, is damaged, or has more bytes or pixels than ``settings`` allow; pixels are counted
    before any is decoded.
    """
    if len(content) > settings.picture_mb * 1_000_000:
        raise PictureError(
            "is too large",
            where="picture",
            found=f"{len(content) / 1e6:.1f} MB",
            allowed=f"up to {settings.picture_mb} MB",
        )
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            _check_size(image.size, settings.picture_mpx)
            # Decoded at a fraction where the format can: nothing larger is kept anyway.
            image.draft("RGB", (settings.longest_side_px,) * 2)
            rgb = np.asarray(_opaque(ImageOps.exif_transpose(image)), np.uint8)
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(
            "has too many pixels",
            where="picture",
            found=str(error),
            allowed=f"up to {settings.picture_mpx:g} million",
        ) from None
    except UnidentifiedImageError:
        raise PictureError(
            "is no picture", where="picture", found=_kind(content), allowed=", ".join(FORMATS)
        ) from None
    except Exception as error:  # noqa: BLE001 - a decoder fed with anything may raise anything
        raise PictureError(
            "is damaged",
            where="picture",
            found=" ".join(str(error).split())[:80],
            allowed=", ".join(FORMATS),
        ) from None
    return np.ascontiguousarray(rgb[..., ::-1])


class PrivacyLook:
    """Looks for people and vehicles in pictures, one at a time; the model is loaded at the first.

    Raises whatever loading or looking raises: then nothing can be covered.
    """

    def __init__(self, detector: Callable[[], Detector]) -> None:
        self._make = detector
        self._detector: Detector | None = None
        self._lock = threading.Lock()

    def __call__(self, picture: NDArray[np.uint8]) -> Snapshot:
        with self._lock:
            if self._detector is None:
                self._detector = self._make()
            return snapshot_of(picture, self._detector)


def keep_picture(
    picture: NDArray[np.uint8],
    look: Looker,
    name: str,
    at: float,
    *,
    settings: EvidenceSettings,
    data_dir: Path,
) -> EvidenceRef:
    """Write one covered picture under this name and day (``at``: Unix seconds) and say where.

    Raises EvidenceError, and has written nothing then.
    """
    (path,) = names_of(name, at, ["plain"])
    write_covered(
        _look(look, picture), [path], lambda plain: [plain], settings=settings, data_dir=data_dir
    )
    return EvidenceRef(annotated=path, plain=path)


def keep_camera_picture(
    picture: NDArray[np.uint8],
    look: Looker,
    report: Report,
    *,
    settings: EvidenceSettings,
    data_dir: Path,
) -> EvidenceRef:
    """Likewise the picture of a camera, and once more with the box that somebody drew in it."""
    if report.box is None:
        raise EvidenceError("a report without a box has no annotated picture")
    box = report.box
    what = report.hazard.replace("_", " ").upper()
    caption = f"{what}  reported by staff  {report.camera_id}  {when(report.reported_at)}"
    names = names_of(report.report_id, report.reported_at, ("annotated", "plain"))
    write_covered(
        _look(look, picture),
        names,
        lambda plain: (boxed(plain, box, _COLOUR, caption), plain),
        settings=settings,
        data_dir=data_dir,
    )
    return EvidenceRef(annotated=names[0], plain=names[1])


def _look(look: Looker, picture: NDArray[np.uint8]) -> Snapshot:
    try:
        return look(picture)
    except Exception as error:  # without a look nothing can be covered
        raise EvidenceError(f"nobody can be looked for: {type(error).__name__}: {error}") from error


def _check_size(size: tuple[int, int], most_mpx: float) -> None:
    width, height = size
    if width * height > most_mpx * 1_000_000:
        raise PictureError(
            "has too many pixels",
            where="picture",
            found=f"{width} x {height}",
            allowed=f"up to {most_mpx:g} million",
        )
    if min(size) < _LEAST_PX:
        raise PictureError(
            "is too small",
            where="picture",
            found=f"{width} x {height}",
            allowed=f"at least {_LEAST_PX} on each side",
        )


def _opaque(image: Image.Image) -> Image.Image:
    """In RGB, on white where something is transparent."""
    if "transparency" not in image.info and "A" not in image.getbands():
        return image.convert("RGB")
    over = image.convert("RGBA")
    ground = Image.new("RGBA", over.size, "white")
    return Image.alpha_composite(ground, over).convert("RGB")


def _kind(content: bytes) -> str:
    """What it begins with, for people."""
    return repr(content[:16]) if content else "nothing"
