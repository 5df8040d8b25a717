"""What a finding would be as a case of its own: its fields, its message, its limits.

The scripts decide what becomes of it; this is what they need to know about the town.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from dataclasses import fields as fields_of
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from pipeline.hazards import family_of
from pipeline.tickets.alarms import times_of
from pipeline.tickets.codec import dump, number
from pipeline.tickets.finding import Finding, ground_for
from pipeline.tickets.ground import Ground
from pipeline.tickets.limits import due_at
from pipeline.tickets.wire import EvidencePart, GridPart, PlacePart, TicketBody, at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.tickets.ground import DeskTown
    from pipeline.tickets.ticket import EvidenceRef
    from pipeline.town.duties import Duty
    from pipeline.town.holidays import Holidays
    from pipeline.town.place import Place

# Of one family the later is the graver; hazards that are alone in theirs don't stand here.
_GRAVITY = ("road_damage", "road_collapse")
_SEVERITIES = ("notice", "warning", "emergency")
MOST_LAT = 85.0  # Redis' index of places ends there
MOST_ERROR_M = 1e6  # whoever knows less than that knows nothing
# What of a case goes by where it is.
_PLACE_FIELDS = ("lon", "lat", "radius_m", "method", "grid", "ground")
_PLACE_PARTS = ("place", "address", "grid", "near_grids", "watchers", "micro_grid")
# What of a duty and of the ground stays with a ticket.
_DUTY = ("kind", "event_code", "name_zh", "name_en", "department", "emergency")
_GROUND = tuple(field.name for field in fields_of(Ground))
_NUMBER_PREFIX = "YL"  # Yulong
_CHINA = timedelta(hours=8)  # a ticket's number carries the local date


@dataclass(frozen=True, slots=True)
class Case:
    """``ticket`` and ``alarms`` as Redis keeps them, ``message`` field by field as JSON text.

    ``review``: a person looks first. ``around``: the grids within the place's error radius, its
    owner first. ``unplaced``: nobody has said where it is.
    """

    duty: Duty
    review: bool
    ticket: dict[str, str]
    message: dict[str, str]
    alarms: dict[str, str]
    around: list[str]
    unplaced: bool

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
            "around": self.around,
            "unplaced": self.unplaced or None,
        }


def case_of(found: Finding, evidence: EvidenceRef | None, town: DeskTown, now: float) -> Case:
    """The case of this finding, filed at ``now``; ValueError where JSON can't say it."""
    _check_place(found.place)
    duty = town.duties.of(found.hazard, found.kind)
    ground = ground_for(found, town)
    ticket = _fields(found, duty, ground, now, town.holidays) | {"map": town.grids.version}
    body = _body(found, evidence, duty, ground, ticket).model_dump(mode="json")
    return Case(
        duty,
        duty.filing == "review" or not found.placed,
        ticket,
        {name: dump(value) for name, value in body.items()},
        {name: number(time) for name, time in times_of(now, duty, town.holidays).items()},
        [ground.grid_code, *ground.near_grids],
        not found.placed,
    )


def case_of_all(findings: Sequence[Finding], town: DeskTown, now: float) -> tuple[Finding, Case]:
    """The one that leads them, and their case: the gravest, at the best place, most severe.

    At least one, all of one family.
    """
    cases = {one.finding_id: case_of(one, None, town, now) for one in findings}
    lead = max(findings, key=lambda one: (int(cases[one.finding_id].ticket["rank"]), -one.found_at))
    best = min(findings, key=lambda one: (not one.placed, one.place.radius_m, one.found_at))
    gravest = max(cases.values(), key=lambda case: _SEVERITIES.index(case.ticket["severity"]))
    case, there = cases[lead.finding_id], cases[best.finding_id]
    return lead, replace(
        case,
        review=case.duty.filing == "review" or there.unplaced,
        ticket=case.ticket
        | {name: there.ticket[name] for name in _PLACE_FIELDS}
        | {"severity": gravest.ticket["severity"]},
        message=case.message
        | {name: there.message[name] for name in _PLACE_PARTS}
        | {"severity": gravest.message["severity"]},
        around=there.around,
        unplaced=there.unplaced,
    )


def _check_place(place: Place) -> None:
    """Before anything is asked of the map: not a number is nowhere, and huge ones are far away."""
    for name, least, most in (
        ("lon", -180.0, 180.0),
        ("lat", -MOST_LAT, MOST_LAT),
        ("radius_m", 0.0, MOST_ERROR_M),
    ):
        value = getattr(place, name)
        if not least <= value <= most:  # NaN is in no range
            raise ValueError(f"place.{name} is {value}; allowed: {least:g} to {most:g}")


def _rank(duty: Duty) -> int:
    """How grave a case is within its family: by hazard, then by what the duty says of its kind."""
    gravity = _GRAVITY.index(duty.hazard) if duty.hazard in _GRAVITY else 0
    return len(_SEVERITIES) * gravity + _SEVERITIES.index(duty.severity)


def _fields(
    found: Finding, duty: Duty, ground: Ground, now: float, holidays: Holidays
) -> dict[str, str]:
    """The fields of a new ticket; numbers as text, so that Redis keeps what Python wrote."""
    place = found.place
    return {
        "source": found.source,
        "hazard": found.hazard,
        "verify": duty.verify,
        "rank": str(_rank(duty)),
        "severity": max(found.severity, duty.severity, key=_SEVERITIES.index),
        "duty": _duty_json(duty),
        "ground": dump({name: getattr(ground, name) for name in _GROUND}),
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


@lru_cache(256)
def _duty_json(duty: Duty) -> str:
    return dump({name: getattr(duty, name) for name in _DUTY})


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
        emergency=duty.emergency,
        severity=fields["severity"],
        place=PlacePart(lon=place.lon, lat=place.lat, radius_m=place.radius_m, method=place.method),
        address=ground.address,
        grid=GridPart(code=ground.grid_code, name=ground.grid_name),
        near_grids=list(ground.near_grids),
        watchers=list(ground.near_grids),
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
