"""The desk against a model of it that fits on a page."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ticket_town import NOON, incident, small_town

from pipeline.tickets import News
from pipeline.tickets.intake import MOST_RADIUS_M

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.clock import ManualClock
    from pipeline.hazards.incident import Incident
    from pipeline.tickets import Desk

COOL_DOWN_S = 600.0
SEVERITIES = ("notice", "warning", "emergency")
RADIUS_M = {duty.hazard: duty.radius_m for duty in small_town().duties}


@dataclass
class Case:
    number: int
    hazard: str
    severity: str
    place: object
    state: str
    closed_at: float | None = None
    incidents: set[str] = field(default_factory=set)


def distance_m(one, other) -> float:
    a, b = math.radians(one.lat), math.radians(other.lat)
    h = (
        math.sin((b - a) / 2) ** 2
        + math.cos(a) * math.cos(b) * math.sin(math.radians(other.lon - one.lon) / 2) ** 2
    )
    return 2 * 6371008.8 * math.asin(math.sqrt(h))


class Model:
    def __init__(self) -> None:
        self.cases: list[Case] = []

    def file(self, found: Incident) -> tuple[int, str]:
        for case in self.cases:
            if found.incident_id in case.incidents:
                return case.number, "duplicate"
        near = [case for case in self.cases if self.same(case, found)]
        if not near:
            self.cases.append(self.new(len(self.cases) + 1, found))
            return len(self.cases), "created"
        case = min(near, key=lambda one: (distance_m(one.place, found.place), one.number))
        if case.state == "closed" and found.last_seen_at > case.closed_at:
            again = self.new(case.number, found)
            self.cases[case.number - 1] = replace(again, incidents=again.incidents | case.incidents)
        else:
            self.merge(case, found)
        return case.number, "merged"

    def new(self, number: int, found: Incident) -> Case:
        state = "filed" if found.hazard == "crowd" else "dispatched"
        ids = {found.incident_id}
        return Case(number, found.hazard, found.severity, found.place, state, incidents=ids)

    def merge(self, case: Case, found: Incident) -> None:
        case.incidents.add(found.incident_id)
        case.severity = max(case.severity, found.severity, key=SEVERITIES.index)
        if found.place.radius_m < case.place.radius_m:
            case.place = found.place
        if found.hazard == "road_collapse":
            case.hazard = "road_collapse"

    def same(self, case: Case, found: Incident) -> bool:
        if case.hazard.split("_")[0] != found.hazard.split("_")[0]:
            return False
        if case.closed_at is not None and found.confirmed_at > case.closed_at + COOL_DOWN_S:
            return False
        errors_m = (min(p.radius_m, MOST_RADIUS_M) for p in (case.place, found.place))
        reach_m = max(RADIUS_M[found.hazard], math.hypot(*errors_m))
        return distance_m(case.place, found.place) <= reach_m

    def close(self, index: int, now: float) -> int | None:
        closable = [case for case in self.cases if case.state == "dispatched"]
        if not closable:
            return None
        case = closable[index % len(closable)]
        case.state, case.closed_at = "closed", now
        return case.number


metres = st.floats(0, 120).map(lambda value: round(value, 3))
# Of a pose, of a camera that knows little, and just on either side of where the index is parted.
radii = st.one_of(st.floats(0.5, 300), st.sampled_from((3.0, 12.0, 12.1, 40.0, 40.1, 150.0, 151.0)))
findings = st.builds(
    dict,
    number=st.integers(0, 30),
    camera=st.sampled_from(("cam-1", "cam-2")),
    hazard=st.sampled_from(sorted(RADIUS_M)),
    east_m=metres,
    north_m=metres,
    radius_m=radii,
    severity=st.sampled_from(SEVERITIES),
)
closings = st.integers(0, 50)
waits = st.floats(0.001, 500)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    script=st.lists(
        st.tuples(waits, st.one_of(st.lists(findings, min_size=1, max_size=6), findings, closings)),
        max_size=25,
    )
)
def test_merging_agrees_with_the_model(
    new_desk: Callable[[], Desk], clock: ManualClock, script: list
):
    desk, model, now = new_desk(), Model(), NOON
    for wait_s, what in script:
        now += wait_s
        clock.move_to(now)
        if isinstance(what, int):
            number = model.close(what, now)
            if number is not None:
                for action in ("accept", "feed_back", "close"):
                    desk.move(f"YL20261123-{number:06d}", action, by="x")
            continue
        if isinstance(what, list):
            some = [incident(at=now, **one) for one in what]
            numbers = [model.file(found)[0] for found in some]
            outcomes = desk.deliver([News("file", found) for found in some])
            assert outcomes == [f"YL20261123-{number:06d}" for number in numbers]
            continue
        found = incident(at=now, **what)
        filing = desk.file(found)
        number, outcome = model.file(found)
        assert filing.ticket_id.endswith(f"-{number:06d}")
        assert getattr(filing, outcome)
    tickets = sorted(desk.tickets(limit=1000), key=lambda one: one.ticket_id)
    assert len(tickets) == len(model.cases)
    for ticket, case in zip(tickets, model.cases, strict=True):
        assert {one.incident_id for one in ticket.incidents} == case.incidents
        assert (ticket.count, ticket.hazard, ticket.severity, ticket.place, ticket.state) == (
            len(case.incidents),
            case.hazard,
            case.severity,
            case.place,
            case.state,
        )
    waiting = sum(case.state != "closed" for case in model.cases)
    assert sum(desk.waiting().values()) == waiting
    queued = [m.ticket_id for code in desk.waiting() for m in desk.read_queue(code)]
    assert len(queued) == len(set(queued)) == waiting
