"""Pictures that people hand in: read with suspicion, covered, and kept without anything else.

Only the pixels are kept: a file's metadata (place, telephone, owner) goes no further. What can't be
covered is not kept.
"""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import structlog
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.errors import DeskError, DeskUnavailableError, EvidenceError, PictureError
from pipeline.tickets.drawing import boxed, time_text
from pipeline.tickets.evidence import Snapshot, as_it_is, files_of, snapshot_of
from pipeline.tickets.store import About, name_at
from pipeline.tickets.ticket import EvidenceRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from pipeline.detect import Detector
    from pipeline.hazards.incident import Unit
    from pipeline.settings import EvidenceSettings, ReportSettings
    from pipeline.tickets.evidence import Drawing
    from pipeline.tickets.report import Report
    from pipeline.tickets.store import EvidenceStore
    from pipeline.tickets.ticket import Ticket

    Looker = Callable[[NDArray[np.uint8]], Snapshot]

FORMATS = ("JPEG", "PNG", "WEBP")

_LEAST_PX = 32  # nothing can be seen in less
_COLOUR = (200, 120, 0)  # BGR, of the box that one of the staff drew

log = structlog.get_logger()


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


class PictureKeeper:
    """Keeps pictures that people hand in, covered, as evidence. May be used by several threads.

    A name stands for one picture for ever: handed in once more, as by a retry, it is not kept anew.
    """

    def __init__(self, look: Looker, store: EvidenceStore, settings: EvidenceSettings) -> None:
        self._look = look
        self.store = store
        self._settings = settings

    def of_report(self, report: Report, number: int, picture: NDArray[np.uint8]) -> EvidenceRef:
        """Keep a report's picture (BGR uint8 (H, W, 3)); ``number`` counts from 1.

        The first of a camera's picture is kept once more with the box that somebody drew in it.
        Raises EvidenceError, and has kept nothing then.
        """
        about = About(report.report_id, report.camera_id, report.hazard, report.kind)
        part = partial(name_at, report.report_id, report.reported_at)
        plain = part("plain" if number == 1 else f"plain{number}")
        if report.box is None or number > 1:
            self._keep(picture, {plain: as_it_is}, about)
            return EvidenceRef(annotated=plain, plain=plain)
        annotated = part("annotated")
        self._keep(
            picture, {annotated: partial(_marked, report, report.box), plain: as_it_is}, about
        )
        return EvidenceRef(annotated=annotated, plain=plain)

    @contextmanager
    def for_step(
        self, ticket: Ticket, what: str, command_id: str, picture: NDArray[np.uint8]
    ) -> Iterator[str]:
        """Keep a picture for a step of a ticket that is taken in this block; gives its name.

        Refused, the step leaves no picture behind, only the record that it was deleted. ``what``:
        letters for the name. Raises EvidenceError, and has kept nothing then.
        """
        # A command's name comes from outside; in a path stands its hash.
        part = what + hashlib.sha256(command_id.encode()).hexdigest()[:12]
        name = name_at(ticket.ticket_id, ticket.filed_at, part)
        about = About(ticket.ticket_id, None, ticket.hazard, ticket.kind)
        new = self._keep(picture, {name: as_it_is}, about)
        try:
            yield name
        except DeskUnavailableError:
            raise  # it may have been taken all the same, and its picture must be there then
        except DeskError:
            if new:
                self._discard(name)
            raise

    def _discard(self, name: str) -> None:
        try:
            item = self.store.ledger.item(name)
            if item is not None:
                self.store.delete(item, "its step was refused")
        except EvidenceError as error:  # it goes with the evidence of its ticket
            log.warning("evidence.not_discarded", name=name, reason=str(error))

    def _keep(
        self, picture: NDArray[np.uint8], drawings: Mapping[str, Drawing], about: About
    ) -> bool:
        """Whether it was kept now, and not before."""
        if all(self.store.ledger.item(name) is not None for name in drawings):
            return False
        try:
            taken = self._look(picture)
        except Exception as error:  # without a look nothing can be covered
            why = f"{type(error).__name__}: {error}"
            raise EvidenceError(f"nobody can be looked for: {why}") from error
        self.store.keep(files_of(taken, drawings, self._settings), about)
        return True


def _marked(report: Report, box: Unit, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    what, when = report.hazard.replace("_", " ").upper(), time_text(report.reported_at)
    return boxed(picture, box, _COLOUR, f"{what}  reported by staff  {report.camera_id}  {when}")


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
