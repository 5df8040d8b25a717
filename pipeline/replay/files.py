"""What a replay leaves in its folder; the same replay leaves the same bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pipeline.hazards import Incident
    from pipeline.replay.run import Played
    from pipeline.tickets import EvidenceRef, Ticket


def write_incidents(path: Path, played: Iterable[Played]) -> None:
    """incidents.jsonl; a place is null where nobody knows where the camera stands."""
    rows = [
        _incident_row(incident, one.evidence.get(incident.incident_id), placed=one.clip.placed)
        for one in played
        for incident in one.incidents
    ]
    rows.sort(key=lambda row: (row["camera_id"], row["confirmed_s"], row["incident_id"]))
    _write_lines(path, rows)


def write_tickets(path: Path, tickets: Iterable[Ticket], placed: dict[str, bool]) -> None:
    """tickets.jsonl; ``placed``: camera_id -> whether anybody knows where it stands."""
    _write_lines(path, [_ticket_row(ticket, placed=placed) for ticket in tickets])


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")


def _incident_row(
    incident: Incident, evidence: EvidenceRef | None, *, placed: bool
) -> dict[str, Any]:
    place = incident.place
    cleared = incident.cleared_at
    return {
        "incident_id": incident.incident_id,
        "camera_id": incident.camera_id,
        "hazard": incident.hazard,
        "started_s": round(incident.started_at, 3),
        "confirmed_s": round(incident.confirmed_at, 3),
        "last_seen_s": round(incident.last_seen_at, 3),
        "cleared_s": None if cleared is None else round(cleared, 3),
        "score": incident.score,
        "box": [round(side, 4) for side in incident.box],
        "lon": round(place.lon, 7) if placed else None,
        "lat": round(place.lat, 7) if placed else None,
        "radius_m": round(place.radius_m, 1) if placed else None,
        "severity": incident.severity,
        "measures": dict(incident.measures),
        "picture": None if evidence is None else f"evidence/{evidence.annotated}",
        "trail": dict(incident.trail),
    }


def _ticket_row(ticket: Ticket, *, placed: dict[str, bool]) -> dict[str, Any]:
    known = any(placed.get(camera_id, False) for camera_id in ticket.camera_ids)
    return {
        "ticket_id": ticket.ticket_id,
        "hazard": ticket.hazard,
        "event_code": ticket.event_code,
        "severity": ticket.severity,
        "state": ticket.state,
        "grid": ticket.grid_code if known else None,
        "camera_ids": list(ticket.camera_ids),
        "incident_ids": [incident.incident_id for incident in ticket.incidents],
        "lon": round(ticket.place.lon, 7) if known else None,
        "lat": round(ticket.place.lat, 7) if known else None,
        "radius_m": round(ticket.place.radius_m, 1) if known else None,
        "detected_s": round(ticket.detected_at, 3),
    }
