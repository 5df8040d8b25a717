"""Incidents and reports as they come to the desk: filed, or as later news of what was filed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import DeskError, UnknownTicketError
from pipeline.tickets.archive.past import Filed
from pipeline.tickets.cases import case_of
from pipeline.tickets.closing import checks
from pipeline.tickets.codec import dump, evidence_to_json, number
from pipeline.tickets.finding import Finding, of_incident, of_report
from pipeline.tickets.ticket import Filing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.clock import Clock
    from pipeline.hazards.incident import Incident
    from pipeline.tickets.archive import Past
    from pipeline.tickets.ground import DeskTown
    from pipeline.tickets.report import Report
    from pipeline.tickets.scripts import Scripts
    from pipeline.tickets.ticket import EvidenceRef

# An error radius counts for merging only up to this: a place that is hardly known must not swallow
# the cases of a whole district.
MOST_RADIUS_M = 150.0

_REOPEN_AFTER_S = 60.0  # the last look at a hazard may be under way when its ticket is closed


class Intake:
    """Its methods are the desk's of the same names."""

    def __init__(
        self,
        scripts: Scripts,
        town: DeskTown,
        clock: Clock,
        cool_down_s: float,
        past: Past | None = None,
    ) -> None:
        self._scripts = scripts
        self._town = town
        self._clock = clock
        self._cool_down_s = cool_down_s
        self._past = past

    def file(self, incident: Incident, evidence: EvidenceRef | None) -> Filing:
        return self._filed(self.file_call(incident, evidence))

    def file_report(self, report: Report) -> Filing:
        return self._filed(self.report_call(report))

    def update(self, incident: Incident) -> str:
        call = self.update_call(incident)
        while (ticket_id := self._scripts.intake("updating", [call])[0]) is None:
            if self._past is None or not self._past.bring_back(incident.incident_id):
                raise UnknownTicketError(f"incident {incident.incident_id} was never filed")
        return str(ticket_id)

    def file_call(self, incident: Incident, evidence: EvidenceRef | None) -> dict[str, object]:
        """What the script ``file`` is told, but for the ``mark`` of ``filed_before``."""
        return self._call("file", _name(incident), lambda: of_incident(incident), evidence)

    def report_call(self, report: Report) -> dict[str, object]:
        """Likewise."""
        first, name = next(iter(report.pictures), None), f"report {report.report_id}"
        return self._call("file", name, lambda: of_report(report, self._town), first)

    def update_call(self, incident: Incident) -> dict[str, object]:
        """What the script ``update`` is told."""
        call = self._call("update", _name(incident), lambda: of_incident(incident), None)
        return call | {"cleared": incident.cleared_at is not None}

    def filed_before(self, call: Mapping[str, object]) -> Filed:
        """What the archive knows of it, which is asked only where it may know something."""
        if self._past is None:
            return Filed()
        age_s = self._clock.now() - float(str(call["confirmed_at"]))
        return self._past.filed(str(call["incident_id"]), age_s)

    def _filed(self, call: Mapping[str, object]) -> Filing:
        while True:
            before = self.filed_before(call)
            if before.ticket_id is not None:
                return Filing(before.ticket_id, created=False, merged=False, duplicate=True)
            ((ticket_id, outcome),) = self._scripts.intake("filing", [{**call, **before.mark}])
            if outcome != "moved":  # nothing went to the archive since we looked there
                break
        return Filing(
            ticket_id,
            created=outcome == "created",
            merged=outcome == "merged",
            duplicate=outcome == "duplicate",
        )

    def _call(
        self, act: str, name: str, finding: Callable[[], Finding], evidence: EvidenceRef | None
    ) -> dict[str, object]:
        try:
            return {"act": act} | self._finding_call(finding(), evidence)
        except ValueError as error:  # pydantic's ValidationError is one
            what = " ".join(str(error).split())
            raise DeskError(f"{name} can't be filed: {what}") from None

    def _finding_call(self, found: Finding, evidence: EvidenceRef | None) -> dict[str, object]:
        now = self._clock.now()
        case = case_of(found, evidence, self._town, now)
        return (
            checks(now)
            | case.call(self._town, now)
            | {
                "incident_id": found.finding_id,
                "incident": found.json,
                "source": found.source,
                "added": found.added,
                "reopen_after_s": number(_REOPEN_AFTER_S),
                "evidence": evidence_to_json(evidence),
                "confirmed_at": number(found.found_at),
                "last_seen_at": number(found.last_seen_at),
                "cool_down_s": number(self._cool_down_s),
                "duty_radius_m": number(case.duty.radius_m),
                "most_radius_m": number(MOST_RADIUS_M),
                # A step of the desk itself; its action and state are put in front by the script.
                "step": dump({"at": now, "by": "desk", "note": "", "facts": dict(found.facts)}),
            }
        )


def _name(incident: Incident) -> str:
    return f"incident {incident.incident_id}"
