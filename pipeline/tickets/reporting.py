"""How a report reaches the desk: from a resident's telephone, a command or the console.

Whoever gets an answer can rely on it: the desk has it, or, while Redis is away, this box's disk.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from pipeline.errors import DeskUnavailableError, EvidenceError
from pipeline.tickets.report import (
    MOST_TEXT,
    Report,
    check_box,
    check_hazard,
    clean_text,
    report_id_of,
)
from pipeline.town.ground import WIDESCREEN, place_of, plane_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.hazards.incident import Unit
    from pipeline.tickets.desk import Desk
    from pipeline.tickets.outbox import Outbox
    from pipeline.tickets.pictures import PictureKeeper
    from pipeline.tickets.ticket import Filing
    from pipeline.town.camera import Camera

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reported:
    """What became of a report. ``filing`` None: it waits on this box until Redis is back.

    ``unkept`` says for each picture that was not kept why.
    """

    report: Report
    filing: Filing | None
    unkept: tuple[str, ...] = ()


class ReportDesk:
    """Takes reports in. May be used by several threads. ``desk`` None: Redis can't be reached."""

    def __init__(self, desk: Desk | None, outbox: Outbox, pictures: PictureKeeper) -> None:
        self._desk = desk
        self._outbox = outbox
        self._pictures = pictures

    def take(self, report: Report, pictures: Sequence[NDArray[np.uint8]] = ()) -> Reported:
        """File the report with its pictures, BGR uint8 (H, W, 3) each.

        A picture that can't be covered or kept is left out, the report never is. The same
        ``report_id`` again changes nothing. Raises OutboxError when Redis is away and the disk
        takes nothing, and DeskError when the desk will never take it.
        """
        kept, unkept = [], []
        for number, picture in enumerate(pictures, 1):
            try:
                kept.append(self._pictures.of_report(report, number, picture))
            except EvidenceError as error:
                log.warning("report.picture_not_kept", report=report.report_id, why=str(error))
                unkept.append(str(error))
        report = replace(report, pictures=(*report.pictures, *kept))
        return Reported(report, self._file(report), tuple(unkept))

    def _file(self, report: Report) -> Filing | None:
        why = "Redis can't be reached"
        if self._desk is not None:
            try:
                return self._desk.file_report(report)
            except DeskUnavailableError as error:
                why = str(error)
        self._outbox.put_report(report)
        log.warning("report.waits", report=report.report_id, why=why)
        return None


def from_camera(
    camera: Camera,
    hazard: str,
    box: Unit,
    *,
    by: str,
    at: float,
    kind: str | None = None,
    note: str = "",
    aspect: float = WIDESCREEN,
) -> Report:
    """What one of the staff (``by``) marked in a camera's picture at ``at`` (Unix seconds).

    ``box`` is x1, y1, x2, y2 in 0..1 of the picture, ``aspect`` its width over height; the place is
    that of the box's foot on the camera's ground plane, as for an incident. Raises ReportError.
    """
    x1, _, x2, y2 = box = check_box(box)
    known = check_hazard(hazard, kind)
    return Report(
        report_id=report_id_of("staff", by, camera.camera_id, known, round(at * 1000), box),
        source="staff",
        by=clean_text(by, 100, "by"),
        hazard=known,
        kind=kind,
        place=place_of(camera, plane_of(camera, aspect), (x1 + x2) / 2, y2),
        address="",
        description=clean_text(note, MOST_TEXT, "note", lines=True),
        reported_at=at,
        camera_id=camera.camera_id,
        box=box,
    )
