"""What a box brings to the desk, many at a time: all on the disk at once, each as if alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipeline.errors import DeskError, DeskUnavailableError, UnknownTicketError
from pipeline.tickets.evidence_desk import attach_call
from pipeline.tickets.report import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.hazards.incident import Incident
    from pipeline.tickets.evidence_desk import EvidenceDesk
    from pipeline.tickets.intake import Intake
    from pipeline.tickets.scripts import Scripts
    from pipeline.tickets.ticket import EvidenceRef

AT_ONCE = 16
"""So many are sent in one exchange: a script holds Redis up for as long as it runs."""


@dataclass(frozen=True, slots=True)
class News:
    """One thing that the desk is told.

    ``file``: a new incident or report; ``update``: later news of an incident; ``attach``: what came
    after its filing of ``evidence``.
    """

    act: Literal["file", "update", "attach"]
    finding: Incident | Report
    evidence: EvidenceRef | None = None


class Delivery:
    """Its method is the desk's of the same name."""

    def __init__(self, scripts: Scripts, intake: Intake, evidence: EvidenceDesk) -> None:
        self._scripts = scripts
        self._intake = intake
        self._evidence = evidence

    def deliver(self, news: Sequence[News]) -> list[str | Exception]:
        outcomes: list[str | Exception] = []
        while len(outcomes) < len(news):
            outcomes += self._first_of(news[len(outcomes) :][:AT_ONCE])
        return outcomes

    def _first_of(self, news: Sequence[News]) -> list[str | Exception]:
        """Outcomes of as many as one exchange can bring, of one at least."""
        calls: list[dict[str, object]] = []
        for one in news:
            call = self._call(one)
            if not isinstance(call, dict):
                if not calls:
                    return [call]
                break
            calls.append(call)
        try:
            answers = self._scripts.intake("delivering", calls)
        except DeskUnavailableError:
            raise
        except DeskError:  # because of one of them, and it isn't known of which
            return [self._alone(one) for one in news[: len(calls)]]
        outcomes: list[str | Exception] = []
        for one, answer in zip(news, answers, strict=False):
            ticket_id = answer[0] if isinstance(answer, list) else answer
            # Without one, the archive must be looked into, or it was never filed.
            outcomes.append(str(ticket_id) if ticket_id else self._alone(one))
        return outcomes

    def _call(self, one: News) -> dict[str, object] | str | Exception:
        """What the script is told, or what has come of it without one."""
        try:
            if one.act == "file":
                call = self._file_call(one)
                before = self._intake.filed_before(call)
                return before.ticket_id or {**call, **before.mark}
            incident = _incident(one)
            if one.act == "update":
                return self._intake.update_call(incident)
            assert one.evidence is not None
            return attach_call(incident.incident_id, one.evidence)
        except DeskUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - one that is bad must not stop the others
            return error

    def _file_call(self, one: News) -> dict[str, object]:
        if isinstance(one.finding, Report):
            return self._intake.report_call(one.finding)
        return self._intake.file_call(one.finding, one.evidence)

    def _alone(self, one: News) -> str | Exception:
        try:
            if isinstance(one.finding, Report):
                return self._intake.file_report(one.finding).ticket_id
            if one.act == "file":
                return self._intake.file(one.finding, one.evidence).ticket_id
            if one.act == "update":
                return self._intake.update(one.finding)
            assert one.evidence is not None
            return self._evidence.attach(one.finding.incident_id, one.evidence)
        except DeskUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - likewise
            return error


def _incident(one: News) -> Incident:
    if isinstance(one.finding, Report):
        raise UnknownTicketError(f"of report {one.finding.report_id} there can be no later news")
    return one.finding
