"""The desk as plain Python that fits in the head: what its tickets must be after any history.

Clocks are worked out by ``limits`` and ``alarms``, which have tables of their own; when they start,
stand, go on and end is said here anew.
"""

from __future__ import annotations

import math
from copy import copy, deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipeline.hazards import family_of
from pipeline.tickets.alarms import times_of
from pipeline.tickets.limits import due_after_pause, due_at
from pipeline.tickets.transitions import TRANSITIONS

if TYPE_CHECKING:
    from pipeline.hazards.incident import Incident

SEVERITIES = ("notice", "warning", "emergency")
WAITING = {"filed", "dispatched", "escalated", "returned"}
DONE = {"closed", "rejected", "merged"}
COOL_DOWN_S = 600.0


class Refused(Exception):  # noqa: N818 - an answer, no failure
    """Why: ``stale``, ``foreign`` or ``refused``."""


def distance_m(one, other):
    a, b = math.radians(one.lat), math.radians(other.lat)
    h = (
        math.sin((b - a) / 2) ** 2
        + math.cos(a) * math.cos(b) * math.sin(math.radians(other.lon - one.lon) / 2) ** 2
    )
    return 2 * 6371008.8 * math.asin(math.sqrt(h))


@dataclass
class Case:
    number: str
    hazard: str = ""
    kind: str | None = None
    rank: int = 0
    severity: str = "notice"
    place: object = None
    around: list = field(default_factory=list)
    grid: str = ""
    by_hand: bool = False
    map: str = ""
    state: str = ""
    filed_at: float = 0.0
    closed_at: float | None = None
    suspended_at: float | None = None
    merged_into: str | None = None
    due: dict = field(default_factory=dict)  # accept, handle: when
    runs: set = field(default_factory=set)  # which of them do
    alarm_at: dict = field(default_factory=dict)
    pending: set = field(default_factory=set)  # alarms that have not rung
    incidents: dict = field(default_factory=dict)
    fed_back_at: float | None = None
    still: bool = False
    commands: set = field(default_factory=set)
    made: dict = field(default_factory=dict)  # command -> ticket split off
    version: int = 0
    steps: list = field(default_factory=list)

    def step(self, now, action, by="desk", note=""):
        self.version += 1
        running = next((self.due[name] for name in ("accept", "handle") if name in self.runs), None)
        self.steps.append((now, action, self.state, by, note, self.version, running))

    def stop(self, *names):
        for name in names:
            self.runs.discard(name)
            self.pending -= {f"{name}_80", f"{name}_100"}

    @property
    def watchers(self):
        return tuple(code for code in self.around if code != self.grid)


class Model:
    def __init__(self, town):
        self.town = town
        self.cases: dict[str, Case] = {}
        self.where: dict[str, str] = {}
        self.queues: dict[str, list[str]] = {}
        self.maps: list[str] = []
        self.sequence: dict[str, int] = {}

    def copy(self):
        """One that may go on without this one; the town is the same."""
        other = copy(self)
        for name in ("cases", "where", "queues", "maps", "sequence"):
            setattr(other, name, deepcopy(getattr(self, name)))
        return other

    # What the town says.

    def duty(self, found):
        return self.town.duties.of(found.hazard, found.trail.get("kind"))

    def rank(self, found):
        duty = self.duty(found)
        return 3 * (found.hazard == "road_collapse") + SEVERITIES.index(duty.severity)

    def severity(self, found):
        return max(found.severity, self.duty(found).severity, key=SEVERITIES.index)

    def around(self, place):
        return [grid.code for grid in self.town.grids.near(place)]

    @property
    def top(self):
        return self.town.grids.top.code

    # Queues.

    def leave(self, case):
        for queue in self.queues.values():
            if case.number in queue:
                queue.remove(case.number)

    def wait(self, case):
        if case.state in WAITING:
            code = case.grid if case.state == "dispatched" else self.top
            self.queues.setdefault(code, []).append(case.number)

    # Incidents.

    def file(self, found: Incident, now):
        if found.incident_id in self.where:
            return "duplicate", self.where[found.incident_id]
        near = [case for case in self.cases.values() if self.same(case, found, now)]
        if not near:
            case = self.new_case(now)
            self.keep(case, found)
            self.open_case(case, found, now, "file")
            return "created", case.number
        case = min(near, key=lambda one: (distance_m(one.place, found.place), one.number))
        self.keep(case, found)
        if case.state == "closed" and found.last_seen_at > case.closed_at:
            self.reopen(case, found, now)
        else:
            self.raise_severity(case, self.severity(found))
            self.take_better_place(case, found.place)
            case.step(now, "add_incident")
            self.take_graver(case, found, now)
            self.still_there(case, found, now)
        return "merged", case.number

    def same(self, case, found, now):
        if case.state == "merged" or family_of(case.hazard) != family_of(found.hazard):
            return False
        if case.closed_at is not None and (
            found.confirmed_at > case.closed_at + COOL_DOWN_S
            or now > case.closed_at + COOL_DOWN_S + 2 * 86400
        ):
            return False
        reach_m = max(
            self.duty(found).radius_m,
            math.hypot(min(case.place.radius_m, 150), min(found.place.radius_m, 150)),
        )
        return distance_m(case.place, found.place) <= reach_m

    def new_case(self, now):
        day = (datetime.fromtimestamp(now, UTC) + timedelta(hours=8)).strftime("%Y%m%d")
        self.sequence[day] = self.sequence.get(day, 0) + 1
        case = Case(f"YL{day}-{self.sequence[day]:06d}")
        self.cases[case.number] = case
        return case

    def keep(self, case, found):
        case.incidents[found.incident_id] = found
        self.where[found.incident_id] = case.number

    def start_clocks(self, case, now):
        duty = self.town.duties.of(case.hazard, case.kind)
        holidays = self.town.holidays
        case.filed_at = now
        case.due = {
            "accept": due_at(now, duty.accept_limit, holidays),
            "handle": due_at(now, duty.handle_limit, holidays),
        }
        case.runs = {"accept", "handle"}
        case.alarm_at = dict(times_of(now, duty, holidays))
        case.pending = set(case.alarm_at)

    def as_found(self, case, found):
        case.hazard, case.kind, case.rank = found.hazard, self.duty(found).kind, self.rank(found)
        case.severity = self.severity(found)
        case.place, case.around = found.place, self.around(found.place)

    def open_case(self, case, found, now, action, by="desk", note=""):
        self.as_found(case, found)
        case.grid, case.map = case.around[0], self.town.grids.version
        self.start_clocks(case, now)
        case.state = "filed"
        case.step(now, action, by, note)
        if self.duty(found).filing != "review":
            case.state = "dispatched"
            case.step(now, "dispatch", by, note)
        self.wait(case)

    def reopen(self, case, found, now):
        case.closed_at, case.by_hand = None, False
        self.forget_feedback(case)
        self.open_case(case, found, now, "reopen")

    def raise_severity(self, case, severity):
        if SEVERITIES.index(severity) > SEVERITIES.index(case.severity):
            case.severity = severity
            case.version += 1

    def take_better_place(self, case, place):
        if place.radius_m < case.place.radius_m:
            case.place, case.around = place, self.around(place)

    def take_graver(self, case, found, now, by="desk", note="", due=None, alarm_at=None):
        """``due`` and ``alarm_at``: those of a ticket that was merged; else as filed now."""
        if isinstance(found, Case):
            rank, hazard, kind = found.rank, found.hazard, found.kind
        else:
            rank, hazard, kind = self.rank(found), found.hazard, self.duty(found).kind
            fresh = Case("", hazard=hazard, kind=kind)
            self.start_clocks(fresh, now)
            due, alarm_at = fresh.due, fresh.alarm_at
        if rank <= case.rank:
            return
        case.rank, case.hazard, case.kind = rank, hazard, kind
        for name in ("accept", "handle"):
            if due[name] < case.due[name]:
                case.due[name] = due[name]
                for part in ("_80", "_100"):
                    case.alarm_at[name + part] = alarm_at[name + part]
        case.step(now, "regrade", by, note)
        if any(case.number in queue for queue in self.queues.values()):
            self.leave(case)
            self.wait(case)

    def update(self, found, now):
        case = self.cases[self.where[found.incident_id]]
        known = case.incidents[found.incident_id]
        was_cleared = known.cleared_at is not None
        if found.last_seen_at < known.last_seen_at or (was_cleared and found.cleared_at is None):
            return
        case.incidents[found.incident_id] = found
        self.raise_severity(case, self.severity(found))
        if found.cleared_at is not None:
            if not was_cleared:
                case.step(now, "see_cleared")
        elif case.state == "closed" and found.last_seen_at > case.closed_at + 60:
            self.reopen(case, found, now)
        elif case.closed_at is None:
            self.take_graver(case, found, now)
            self.still_there(case, found, now)

    def still_there(self, case, found, now):
        """Whoever checks what was fed back is told, once for each feedback."""
        if case.state == "fed_back" and found.last_seen_at > case.fed_back_at + 60:
            if not case.still:
                case.step(now, "see_still")
            case.still = True

    @staticmethod
    def forget_feedback(case):
        case.fed_back_at, case.still = None, False

    # Commands.

    def judge(self, case, action, expected, grids):
        holder = self.top if case.state in ("filed", "returned", "escalated") else case.grid
        if grids is not None and self.top not in grids and holder not in grids:
            raise Refused("foreign")
        if expected is not None and expected != case.version:
            raise Refused("stale")
        if (case.state, action) not in TRANSITIONS:
            raise Refused("refused")

    def move(self, number, action, now, *, by, note, command_id, expected, grids):
        case = self.cases[number]
        if command_id in case.commands:
            return
        self.judge(case, action, expected, grids)
        case.commands.add(command_id)
        self.leave(case)
        case.state = TRANSITIONS[case.state, action]
        self.forget_feedback(case)
        if action == "feed_back":
            case.fed_back_at = now
        if action == "reopen":
            case.closed_at = None
            self.start_clocks(case, now)
            case.step(now, "reopen", by, note)
            case.state, action = "dispatched", "dispatch"
        elif case.state == "accepted":
            case.stop("accept")
        elif case.state == "suspended":
            case.suspended_at = now
            case.stop("handle")
        elif action == "resume":
            self.resume(case, now)
        elif case.state in DONE:
            case.closed_at = now
            case.stop("accept", "handle")
        case.step(now, action, by, note)
        self.wait(case)

    def verify(self, number, now, *, good, by, note, command_id, expected, grids):
        """A person has looked, which is all that the duties of this town ask for."""
        case = self.cases[number]
        if command_id in case.commands:
            return
        self.judge(case, "verify" if good else "rework", expected, grids)
        case.commands.add(command_id)
        self.forget_feedback(case)
        if good:
            case.step(now, "verify", by, note)
            case.state, case.closed_at = "closed", now
            case.stop("accept", "handle")
            case.step(now, "close")
        else:
            case.state = "handling"
            case.step(now, "rework", by, note)

    def resume(self, case, now):
        duty = self.town.duties.of(case.hazard, case.kind)
        paused, case.suspended_at = case.suspended_at, None

        def moved(time):
            working = duty.handle_limit.working
            return due_after_pause(time, paused, now, self.town.holidays, working=working)

        times = {"handle_80": moved(case.alarm_at["handle_80"])}
        case.due["handle"] = times["handle_100"] = moved(case.due["handle"])
        case.runs.add("handle")
        for name, time in times.items():
            if time > paused:
                case.alarm_at[name] = time
                case.pending.add(name)

    def merge(self, number, into, now, *, by, note, command_id, expected, grids):
        one, other = self.cases[number], self.cases[into]
        if one is other or family_of(one.hazard) != family_of(other.hazard):
            raise Refused("refused")
        if command_id in one.commands:
            return
        self.judge(one, "merge", expected, grids)
        self.judge(other, "take_in", None, grids)
        one.commands.add(command_id)
        for found in one.incidents.values():
            self.keep(other, found)
        one.incidents = {}
        self.leave(one)
        one.state, one.merged_into, one.closed_at = "merged", into, now
        self.forget_feedback(one)
        one.stop("accept", "handle")
        one.step(now, "merge", by, note)
        self.raise_severity(other, one.severity)
        self.take_better_place(other, one.place)
        other.step(now, "take_in", by, note)
        self.take_graver(other, one, now, by, note, one.due, one.alarm_at)

    def split(self, number, names, now, *, by, note, command_id, expected, grids):
        case = self.cases[number]
        if command_id in case.made:
            return case.made[command_id]
        part = [found for name, found in case.incidents.items() if name in names]
        rest = [found for name, found in case.incidents.items() if name not in names]
        if len(part) != len(names) or not part or not rest:
            raise Refused("refused")
        self.judge(case, "split", expected, grids)
        new = self.new_case(now)
        case.made[command_id] = new.number
        for found in part:
            del case.incidents[found.incident_id]
            self.keep(new, found)
        grid, by_hand = case.grid, case.by_hand
        self.as_found(case, self.all_in_one(rest))
        case.grid, case.by_hand = grid, by_hand
        case.step(now, "split", by, note)
        if case.state in WAITING:
            self.leave(case)
            self.wait(case)
        self.open_case(new, self.all_in_one(part), now, "file", by, note)
        return new.number

    def all_in_one(self, incidents):
        """The gravest, at the best place, as severe as the most severe."""
        ordered = sorted(incidents, key=lambda one: (one.confirmed_at, one.incident_id))
        lead = max(ordered, key=self.rank)
        place = min(ordered, key=lambda one: one.place.radius_m).place
        severity = max(map(self.severity, ordered), key=SEVERITIES.index)
        return replace(lead, place=place, severity=severity)

    def reroute(self, number, grid, now, *, by, note, command_id, expected, grids):
        case = self.cases[number]
        if command_id in case.commands:
            return
        self.judge(case, "reroute", expected, grids)
        if case.grid == grid:
            raise Refused("refused")
        case.commands.add(command_id)
        self.give_to(case, grid, now, by, note, by_hand=True)

    def give_to(self, case, grid, now, by, note, *, by_hand):
        case.grid, case.by_hand, case.around = grid, by_hand, self.around(case.place)
        self.leave(case)
        case.state = TRANSITIONS[case.state, "reroute"]
        case.step(now, "reroute", by, note)
        self.wait(case)

    # What happens by itself.

    def follow_map(self, town, now):
        """The desk's town is another one from now on."""
        self.town = town
        version = town.grids.version
        if version in self.maps:
            if self.maps[-1] != version:
                return set()
        else:
            self.maps.append(version)
        rerouted = set()
        for case in sorted(self.cases.values(), key=lambda one: (one.filed_at, one.number)):
            if case.state in DONE or case.map == version:
                continue
            case.map = version
            owner = town.grids.owner(case.place).code
            if owner == case.grid or (case.by_hand and case.grid in town.grids):
                case.around = self.around(case.place)
            else:
                self.give_to(case, owner, now, "desk", "", by_hand=False)
                rerouted.add(case.number)
        return rerouted

    def tick(self, now):
        due = [
            (case.alarm_at[name], f"{name}|{case.number}", name, case)
            for case in self.cases.values()
            for name in case.pending
            if case.alarm_at[name] <= now
        ]
        rang = set()
        for _, _, name, case in sorted(due, key=lambda one: one[:2]):
            case.pending.discard(name)
            if name.startswith("accept") and case.state not in WAITING:
                continue
            up = False
            if name.endswith("80"):
                case.step(now, "remind")
            else:
                case.step(now, "overdue")
                up = (case.state, "escalate") in TRANSITIONS
                if up:
                    self.leave(case)
                    case.state = "escalated"
                    case.step(now, "escalate")
                    self.wait(case)
            rang.add((case.number, name, up))
        return rang
