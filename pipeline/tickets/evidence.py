"""The pictures of an incident, made only with heads, car windows and plates covered.

Whatever goes wrong ends in EvidenceError and without a picture; the ticket goes on without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from pipeline.clock import SystemClock
from pipeline.detect import look_at
from pipeline.errors import EvidenceError
from pipeline.tickets.drawing import annotated, jpeg, scaled
from pipeline.tickets.privacy import blur_privacy
from pipeline.tickets.store import About, EvidenceStore, name_of
from pipeline.tickets.store.folder import Folder
from pipeline.tickets.ticket import EvidenceRef

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.detect import Detector
    from pipeline.hazards.incident import Incident
    from pipeline.settings import EvidenceSettings
    from pipeline.tickets.filmer import Filmer
    from pipeline.tickets.outbox import Outbox

    Drawing = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

PRIVACY_SCORE = 0.1  # people and vehicles count from this score on when they are to be covered

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
    """Puts incidents into the outbox, with their pictures where these can be had.

    ``store`` keeps the pictures (default: ``data_dir/evidence`` alone); ``filmer`` makes, in a
    thread of its own, what comes after them.
    """

    def __init__(
        self,
        outbox: Outbox,
        settings: EvidenceSettings,
        data_dir: Path,
        *,
        store: EvidenceStore | None = None,
        filmer: Filmer | None = None,
    ) -> None:
        self._outbox = outbox
        self._settings = settings
        self._store = store or EvidenceStore(data_dir, settings, SystemClock())
        self._filmer = filmer

    def file(self, incident: Incident, snapshot: Callable[[], Snapshot | None]) -> None:
        """Keep a new incident. ``snapshot`` may give None or fail: then it has no picture.

        Raises OutboxError.
        """
        evidence = self._evidence(incident, snapshot)
        self._outbox.put("file", incident, evidence)
        if evidence is not None and self._filmer is not None:
            self._filmer.filed(incident, evidence)

    def update(self, incident: Incident) -> None:
        """Keep later news of an incident. Raises OutboxError."""
        self._outbox.put("update", incident)

    def cleared(self, incident: Incident, seen_at: float) -> None:
        """The look captured then shows that it is gone; see ``update``. Never waits."""
        self.update(incident)
        if self._filmer is not None:
            self._filmer.cleared(incident, seen_at)

    def _evidence(
        self, incident: Incident, snapshot: Callable[[], Snapshot | None]
    ) -> EvidenceRef | None:
        try:
            taken = snapshot()
            if taken is None:
                return None
            evidence, files = pictures_of(taken, incident, self._settings)
            self._store.keep(files, about(incident))
        except Exception as error:  # noqa: BLE001 - no picture is worth losing a ticket
            log.warning("evidence.missing", incident_id=incident.incident_id, reason=str(error))
            return None
        return evidence


def about(incident: Incident) -> About:
    """By what its evidence is kept."""
    kind = incident.trail.get("kind")
    return About(
        owner=incident.incident_id,
        camera_id=incident.camera_id,
        hazard=incident.hazard,
        kind=kind if isinstance(kind, str) else None,
    )


def covered(snapshot: Snapshot, longest_px: int) -> NDArray[np.uint8]:
    """The picture without heads, windows and plates, at most so large. Raises EvidenceError."""
    if snapshot.boxes_px is None:
        raise EvidenceError("nobody looked for people in the whole picture")
    picture = blur_privacy(snapshot.picture, snapshot.boxes_px, snapshot.class_names)
    return scaled(picture, longest_px)


def pictures_of(
    snapshot: Snapshot, incident: Incident, settings: EvidenceSettings
) -> tuple[EvidenceRef, dict[str, bytes]]:
    """Both pictures, as files by their names. Raises EvidenceError, whatever fails."""
    evidence = EvidenceRef(
        annotated=name_of(incident, "annotated"), plain=name_of(incident, "plain")
    )
    drawings = {
        evidence.annotated: lambda plain: annotated(plain, incident),
        evidence.plain: as_it_is,
    }
    return evidence, files_of(snapshot, drawings, settings)


def files_of(
    snapshot: Snapshot, drawings: Mapping[str, Drawing], settings: EvidenceSettings
) -> dict[str, bytes]:
    """JPEG by name: what each drawing makes of the covered and scaled picture.

    Raises EvidenceError, whatever fails.
    """
    try:
        plain = covered(snapshot, settings.longest_side_px)
        return {name: jpeg(draw(plain), settings.jpeg_quality) for name, draw in drawings.items()}
    except EvidenceError:
        raise
    except Exception as error:  # whatever it is: no picture, and the ticket goes on
        raise EvidenceError(f"{type(error).__name__}: {error}") from error


def as_it_is(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return picture


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
    then: no boxes, not enough free disk, or anything else that fails. For a replay: no ledger
    knows of them, nobody deletes them.
    """
    evidence, files = pictures_of(Snapshot(picture, boxes_px, class_names), incident, settings)
    folder = Folder(data_dir / "evidence")
    try:
        folder.need(settings.min_free_mb)
        folder.write(files)
    except OSError as error:
        raise EvidenceError(f"{folder.root}: {error.strerror or error}") from error
    return evidence
