"""What the desk must know of an incident or a report to make it a ticket, or part of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.tickets.codec import incident_to_json, report_to_json
from pipeline.tickets.ground import Ground, ground_of
from pipeline.town.local import LocalFrame
from pipeline.town.place import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.hazards.incident import Hazard, Incident, Severity, Unit
    from pipeline.tickets.ground import DeskTown
    from pipeline.tickets.report import Report
    from pipeline.tickets.ticket import Source

_WHOLE: Unit = (0.0, 0.0, 1.0, 1.0)
_FOUND = {
    "video": ("视频智能发现", "found by camera"),
    "resident": ("居民上报", "reported by a resident"),
    "staff": ("人工上报", "reported by staff"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One incident or report. ``placed`` is False where nobody has said where it is.

    ``added`` is the step by which it joins a ticket; ``facts`` stand in its steps.
    """

    finding_id: str
    source: Source
    hazard: Hazard
    kind: str | None
    place: Place
    placed: bool
    address: str
    severity: Severity
    found_at: float
    last_seen_at: float
    camera_id: str
    box: Unit
    score: float
    model: str | None
    added: str
    facts: Mapping[str, str]
    json: str

    @property
    def found(self) -> tuple[str, str]:
        """How it was found, in Chinese and English."""
        return _FOUND[self.source]


def of_incident(incident: Incident) -> Finding:
    """Raises ValueError for one that can't be kept as JSON."""
    kind, model = incident.trail.get("kind"), incident.trail.get("model")
    return Finding(
        finding_id=incident.incident_id,
        source="video",
        hazard=incident.hazard,
        kind=kind if isinstance(kind, str) else None,
        place=incident.place,
        placed=True,
        address="",
        severity=incident.severity,
        found_at=incident.confirmed_at,
        last_seen_at=incident.last_seen_at,
        camera_id=incident.camera_id,
        box=incident.box,
        score=incident.score,
        model=model if isinstance(model, str) else None,
        added="add_incident",
        facts={
            "incident_id": incident.incident_id,
            "camera_id": incident.camera_id,
            "hazard": incident.hazard,
        },
        json=incident_to_json(incident),
    )


def of_report(report: Report, town: DeskTown) -> Finding:
    """Without a place it stands for the whole town, and meets no other."""
    facts = {"report_id": report.report_id, "source": report.source, "hazard": report.hazard}
    if report.camera_id:
        facts["camera_id"] = report.camera_id
    if report.source == "staff":
        facts["reported_by"] = report.by
    return Finding(
        finding_id=report.report_id,
        source=report.source,
        hazard=report.hazard,
        kind=report.kind,
        place=report.place or _whole_town(town),
        placed=report.place is not None,
        address=report.address,
        severity="notice",  # the duty's counts
        found_at=report.reported_at,
        last_seen_at=report.reported_at,
        camera_id=report.camera_id or "",
        box=report.box or _WHOLE,
        score=1.0,
        model=None,
        added="add_report",
        facts=facts,
        json=report_to_json(report),
    )


def ground_for(finding: Finding, town: DeskTown) -> Ground:
    """Whose it is. Without a place: the first level's, which must find out where it is."""
    if finding.placed:
        return ground_of(town, finding.place)
    top = town.grids.top
    address = f"{top.name}（位置待核实 place not known）{finding.address}"
    return Ground(top.code, top.name, near_grids=(), micro_code=None, address=address)


def _whole_town(town: DeskTown) -> Place:
    shape: Any = town.grids.top.shape
    west, south, east, north = shape.bounds
    frame = LocalFrame((west + east) / 2, (south + north) / 2)
    x_m, y_m = frame.xy(east, north)
    return Place(frame.lon, frame.lat, (x_m**2 + y_m**2) ** 0.5, "reported")
