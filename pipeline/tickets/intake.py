"""Incidents as they come to the desk: filed, or as later news of what was filed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipeline.errors import DeskError, UnknownTicketError
from pipeline.tickets.cases import case_of
from pipeline.tickets.codec import dump, evidence_to_json, incident_to_json, number
from pipeline.tickets.ticket import Filing

if TYPE_CHECKING:
    from pipeline.clock import Clock
    from pipeline.hazards.incident import Incident
    from pipeline.tickets.ground import DeskTown
    from pipeline.tickets.scripts import Scripts
    from pipeline.tickets.ticket import EvidenceRef

# An error radius counts for merging only up to this: a place that is hardly known must not swallow
# the cases of a whole district.
MOST_RADIUS_M = 150.0

_REOPEN_AFTER_S = 60.0  # the last look at a hazard may be under way when its ticket is closed
_SEARCH_SLACK_M = 2.0  # Redis' index rounds places to 0.6 m; the script decides on exact ones


class Intake:
    """Its methods are the desk's of the same names."""

    def __init__(self, scripts: Scripts, town: DeskTown, clock: Clock, cool_down_s: float) -> None:
        self._scripts = scripts
        self._town = town
        self._clock = clock
        self._cool_down_s = cool_down_s

    def file(self, incident: Incident, evidence: EvidenceRef | None) -> Filing:
        ticket_id, outcome = self._scripts.run("file", "filing", self._call(incident, evidence))
        return Filing(
            ticket_id,
            created=outcome == "created",
            merged=outcome == "merged",
            duplicate=outcome == "duplicate",
        )

    def update(self, incident: Incident) -> str:
        news = {
            "cleared": incident.cleared_at is not None,
            "reopen_after_s": number(_REOPEN_AFTER_S),
        }
        ticket_id = self._scripts.run("update", "updating", self._call(incident, None) | news)
        if ticket_id is None:
            raise UnknownTicketError(f"incident {incident.incident_id} was never filed")
        return str(ticket_id)

    def _call(self, incident: Incident, evidence: EvidenceRef | None) -> dict[str, object]:
        try:
            return self._incident_call(incident, evidence)
        except ValueError as error:  # pydantic's ValidationError is one
            what = " ".join(str(error).split())
            raise DeskError(f"incident {incident.incident_id} can't be filed: {what}") from None

    def _incident_call(self, incident: Incident, evidence: EvidenceRef | None) -> dict[str, object]:
        now = self._clock.now()
        case = case_of(incident, evidence, self._town, now)
        own_m = min(incident.place.radius_m, MOST_RADIUS_M)
        search_m = max(case.duty.radius_m, math.hypot(own_m, MOST_RADIUS_M)) + _SEARCH_SLACK_M
        return case.call(self._town, now) | {
            "incident_id": incident.incident_id,
            "incident": incident_to_json(incident),
            "evidence": evidence_to_json(evidence),
            "confirmed_at": number(incident.confirmed_at),
            "last_seen_at": number(incident.last_seen_at),
            "cool_down_s": number(self._cool_down_s),
            "duty_radius_m": number(case.duty.radius_m),
            "most_radius_m": number(MOST_RADIUS_M),
            "search_m": number(search_m),
            "step": _step(incident, now),
        }


def _step(incident: Incident, now: float) -> str:
    """A step of the desk itself; its action and state are put in front by the script."""
    facts = {
        "incident_id": incident.incident_id,
        "camera_id": incident.camera_id,
        "hazard": incident.hazard,
    }
    return dump({"at": now, "by": "desk", "note": "", "facts": facts})
