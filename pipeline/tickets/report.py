"""What somebody says is there: a resident, or one of the staff.

A report lands at the same desk as what the cameras find, and becomes part of the same tickets.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipeline.errors import CoordinateError, ReportError
from pipeline.town.datum import to_wgs84
from pipeline.town.duties import HAZARDS, KINDS
from pipeline.town.place import Place

if TYPE_CHECKING:
    from pipeline.hazards.incident import Hazard, Unit
    from pipeline.tickets.ticket import EvidenceRef
    from pipeline.town.grids import GridMap

ReportSource = Literal["resident", "staff"]

MOST_TEXT = 4000  # characters of a description: as many as Open311 allows
MOST_ADDRESS = 200
OUTSIDE_M = 200.0  # on the other side of the border road is no mistake


@dataclass(frozen=True, slots=True)
class Report:
    """A hazard that a person reported.

    ``by`` is the account of one of the staff, or the name of the API key by which a resident's
    report came: of residents nothing is kept. ``place`` is None where only an ``address`` was
    given: a person must find it. ``camera_id`` and ``box`` (x1, y1, x2, y2 in 0..1 of the picture)
    are set when it was reported from a camera's picture. ``reported_at`` is Unix seconds UTC. The
    texts are what was written, never markup: whoever shows them escapes them.
    """

    report_id: str
    source: ReportSource
    by: str
    hazard: Hazard
    kind: str | None
    place: Place | None
    address: str
    description: str
    reported_at: float
    pictures: tuple[EvidenceRef, ...] = ()
    camera_id: str | None = None
    box: Unit | None = None


def report_id_of(*parts: object) -> str:
    """Name of a report, the same for every retry of what has the same ``parts``."""
    return "R" + hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:20]


def check_hazard(hazard: str, kind: str | None) -> Hazard:
    """The hazard; raises ReportError for one, or a kind of it, that nobody knows."""
    for known in HAZARDS:
        if known == hazard:
            if kind is not None and kind not in KINDS[known]:
                allowed = ", ".join(KINDS[known])
                raise ReportError("unknown kind", where=hazard, found=repr(kind), allowed=allowed)
            return known
    raise ReportError("unknown hazard", found=repr(hazard), allowed=", ".join(HAZARDS))


def check_box(box: Unit) -> Unit:
    """The box; raises ReportError for one that isn't inside the picture, or has no area."""
    x1, y1, x2, y2 = (float(value) for value in box)
    if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
        raise ReportError(
            "not a box in a picture",
            where="box",
            found=", ".join(f"{value:g}" for value in box),
            allowed="x1,y1,x2,y2 in 0..1 of the picture with x1 < x2 and y1 < y2",
        )
    return x1, y1, x2, y2


def reported_place(grids: GridMap, lon: float, lat: float, datum: str, radius_m: float) -> Place:
    """Where somebody says it is. Raises CoordinateError for a place that isn't in the town."""
    lon, lat = to_wgs84(lon, lat, datum)
    outside_m = grids.outside_m((lon, lat))
    if not outside_m <= OUTSIDE_M:
        raise CoordinateError(
            f"lies outside {grids.top.name}",
            found=f"lon={lon:.6f}, lat={lat:.6f}, {outside_m / 1000:.1f} km away",
            allowed="a place in the town, in WGS-84 unless another datum is named",
        )
    return Place(lon, lat, radius_m, "reported")


def clean_text(text: str, most: int, where: str, *, lines: bool = False) -> str:
    """The text without control characters, on one line unless ``lines``.

    Raises ReportError when it is longer than ``most`` characters. Markup in it stays text.
    """
    kept = "".join(
        char if char.isprintable() else "\n" if char == "\n" and lines else " "
        for char in text.replace("\r\n", "\n")
    ).strip()
    if len(kept) > most:
        raise ReportError(
            "is too long", where=where, found=f"{len(kept)} characters", allowed=f"up to {most}"
        )
    return kept
