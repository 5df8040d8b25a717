"""Incidents, reports and evidence as JSON text: what the outbox and the desk keep.

Exact both ways for what JSON can tell apart: a tuple in a trail comes back as a list.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from pipeline.hazards.incident import Incident
from pipeline.tickets.report import Report
from pipeline.tickets.ticket import EvidenceRef
from pipeline.town.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterable


def _plain(value: Any) -> Any:
    """Numpy's scalars and arrays, which trails and measures may hold."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise ValueError(f"{type(value).__name__} can't be kept as JSON")


_ENCODER = json.JSONEncoder(  # made once: json.dumps would make one for each field of a message
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain
)
_PLACE = tuple(field.name for field in dataclasses.fields(Place))
_INCIDENT = tuple(field.name for field in dataclasses.fields(Incident))


def dump(value: object) -> str:
    """Compact JSON; what JSON can't say, NaN and infinity included, is a ValueError."""
    if value is None:  # an encoder would be set up for it
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    return _ENCODER.encode(value)


def number(value: float) -> str:
    """Exact text, which Redis keeps as it is; numpy's scalars have another repr."""
    return repr(float(value))


def incident_to_json(incident: Incident) -> str:
    """All fields of an incident, the trail included."""
    # dataclasses.asdict would copy every value; a town files a thousand of these a second.
    fields = {name: getattr(incident, name) for name in _INCIDENT}
    fields["place"] = {name: getattr(incident.place, name) for name in _PLACE}
    fields["measures"] = dict(incident.measures)
    fields["trail"] = dict(incident.trail)
    return dump(fields)


def incident_from_json(text: str) -> Incident:
    """The incident that :func:`incident_to_json` wrote."""
    return _incident(json.loads(text))


def report_to_json(report: Report) -> str:
    """All fields of a report."""
    return dump(dataclasses.asdict(report))


def report_from_json(text: str) -> Report:
    """The report that :func:`report_to_json` wrote."""
    return _report(json.loads(text))


def findings_from_json(texts: Iterable[str]) -> tuple[list[Incident], list[Report]]:
    """What a ticket is made of, told apart by the name that each carries."""
    found: list[dict[str, Any]] = [json.loads(text) for text in texts]
    return (
        [_incident(fields) for fields in found if "incident_id" in fields],
        [_report(fields) for fields in found if "report_id" in fields],
    )


def _incident(fields: dict[str, Any]) -> Incident:
    fields["place"] = Place(**fields["place"])
    fields["box"] = tuple(fields["box"])
    return Incident(**fields)


def _report(fields: dict[str, Any]) -> Report:
    fields["place"] = None if fields["place"] is None else Place(**fields["place"])
    fields["box"] = None if fields["box"] is None else tuple(fields["box"])
    fields["pictures"] = tuple(EvidenceRef(**picture) for picture in fields["pictures"])
    return Report(**fields)


def evidence_to_json(evidence: EvidenceRef | None) -> str | None:
    """The paths of what there is, or None."""
    if evidence is None:
        return None
    parts = dataclasses.asdict(evidence)
    return dump({name: path for name, path in parts.items() if path is not None})


def evidence_from_json(text: str | None) -> EvidenceRef | None:
    """The evidence that :func:`evidence_to_json` wrote."""
    return None if text is None else EvidenceRef(**json.loads(text))
