"""What a finding would be as a case of its own: its fields, its message, its limits.

The scripts decide what becomes of it; this is what they need to know about the town.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pipeline.hazards import family_of
from pipeline.tickets.alarms import times_of
from pipeline.tickets.codec import dump, number
from pipeline.tickets.finding import Finding, ground_for
from pipeline.tickets.limits import due_at
from pipeline.tickets.wire import EvidencePart, GridPart, PlacePart, TicketBody, at

if TYPE_CHECKING:
    from pipeline.tickets.ground import DeskTown, Ground
    from pipeline.tickets.ticket import EvidenceRef
    from pipeline.town.duties import Duty
    from pipeline.town.holidays import Holidays

# Of one family the later is the graver; hazards that are alone in theirs don't stand here.
_GRAVITY = ("road_damage", "road_collapse")
_SEVERITIES = ("notice", "warning", "emergency")
_NUMBER_PREFIX = "YL"  # Yulong
_CHINA = timedelta(hours=8)  # a ticket's number carries the local date


@dataclass(frozen=True, slots=True)
class Case:
    """``ticket`` and ``alarms`` as Redis keeps them, ``message`` field by field as JSON text."""

    duty: Duty
    review: bool
    ticket: dict[str, str]
    message: dict[str, str]
    alarms: dict[str, str]

    def call(self, town: DeskTown, now: float) -> dict[str, object]:
        """What a script needs to open it."""
        return {
            "now": number(now),
            "family": family_of(self.duty.hazard),
            "number_prefix": _NUMBER_PREFIX,
            "day": format(at(now) + _CHINA, "%Y%m%d"),
            "review_grid": town.grids.top.code if self.review else None,
            "ticket": self.ticket,
            "message": self.message,
            "alarms": self.alarms,
        }


def case_of(found: Finding, evidence: EvidenceRef | None, town: DeskTown, now: float) -> Case:
    """The case of this finding, filed at ``now``; ValueError where JSON can't say it."""
    duty = town.duties.of(found.hazard, found.kind)
    ground = ground_for(found, town)
    ticket = _fields(found, duty, ground, now, town.holidays)
    body = _body(found, evidence, duty, ground, ticket).model_dump(mode="json")
    return Case(
        duty,
        duty.filing == "review" or not found.placed,
        ticket,
        {name: dump(value) for name, value in body.items()},
        {name: number(time) for name, time in times_of(now, duty, town.holidays).items()},
    )


def _rank(duty: Duty) -> int:
    """How grave a case is within its family: by hazard, then by what the duty says of its kind."""
    gravity = _GRAVITY.index(duty.hazard) if duty.hazard in _GRAVITY else 0
    return len(_SEVERITIES) * gravity + _SEVERITIES.index(duty.severity)


def _fields(
    found: Finding, duty: Duty, ground: Ground, now: float, holidays: Holidays
) -> dict[str, str]:
    """The fields of a new ticket; numbers as text, so that Redis keeps what Python wrote."""
    place = found.place
    called = ("kind", "event_code", "name_zh", "name_en", "department")
    return {
        "source": found.source,
        "hazard": found.hazard,
        "verify": duty.verify,
        "rank": str(_rank(duty)),
        "severity": max(found.severity, duty.severity, key=_SEVERITIES.index),
        "duty": dump({name: getattr(duty, name) for name in called}),
        "ground": dump(asdict(ground)),
        "grid": ground.grid_code,
        "lon": number(place.lon),
        "lat": number(place.lat),
        "radius_m": number(place.radius_m),
        "method": place.method,
        "detected_at": number(found.found_at),
        "filed_at": number(now),
        "accept_due_at": number(due_at(now, duty.accept_limit, holidays)),
        "handle_due_at": number(due_at(now, duty.handle_limit, holidays)),
    }


def _body(
    found: Finding,
    evidence: EvidenceRef | None,
    duty: Duty,
    ground: Ground,
    fields: dict[str, str],
) -> TicketBody:
    """The queue's entry, but for the head, which only the script knows."""
    place = found.place
    found_zh, found_en = found.found
    return TicketBody(
        source=found.source,
        hazard=found.hazard,
        kind=duty.kind,
        event_code=duty.event_code,
        name_zh=duty.name_zh,
        name_en=duty.name_en,
        description_zh=f"{found_zh}{duty.name_zh}",
        description_en=f"{duty.name_en} {found_en}",
        department=duty.department,
        severity=fields["severity"],
        place=PlacePart(lon=place.lon, lat=place.lat, radius_m=place.radius_m, method=place.method),
        address=ground.address,
        grid=GridPart(code=ground.grid_code, name=ground.grid_name),
        near_grids=list(ground.near_grids),
        micro_grid=ground.micro_code,
        camera_id=found.camera_id,
        incident_id=found.finding_id,
        box=found.box,
        score=found.score,
        model=found.model,
        detected_at=at(found.found_at),
        filed_at=at(float(fields["filed_at"])),
        accept_due_at=at(float(fields["accept_due_at"])),
        handle_due_at=at(float(fields["handle_due_at"])),
        evidence=None if evidence is None else EvidencePart(**asdict(evidence)),
    )
