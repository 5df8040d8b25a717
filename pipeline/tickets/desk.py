"""The one place where tickets are filed, merged and moved, atomically, in Redis.

The scripts in ``lua/`` decide; what they need to know about the town is put into their call here.
"""

from __future__ import annotations

import math
import uuid
from dataclasses import asdict
from datetime import timedelta
from functools import cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pipeline.errors import DeskError, UnknownTicketError
from pipeline.hazards import family_of
from pipeline.tickets.alarms import ALARMS, Alarm, AlarmName, times_of
from pipeline.tickets.codec import dump, evidence_to_json, incident_to_json
from pipeline.tickets.evidence_desk import EvidenceDesk
from pipeline.tickets.ground import DeskTown, Ground, check_code, ground_of
from pipeline.tickets.keys import Keys
from pipeline.tickets.limits import due_after_pause, due_at
from pipeline.tickets.reading import QueueTail, Reader
from pipeline.tickets.redis_errors import mapped
from pipeline.tickets.ticket import EvidenceRef, Filing, Ticket
from pipeline.tickets.transitions import (
    LEVEL_OF,
    TRANSITIONS,
    WAITING,
    Action,
    next_state,
)
from pipeline.tickets.wire import (
    EvidencePart,
    GridPart,
    PlacePart,
    TicketBody,
    TicketMessage,
    at,
    at_json,
)

if TYPE_CHECKING:
    from redis import Redis

    from pipeline.clock import Clock
    from pipeline.hazards.incident import Incident
    from pipeline.town.duties import Duty
    from pipeline.town.holidays import Holidays

# Of one family the later is the graver; hazards that are alone in theirs don't stand here.
_GRAVITY = ("road_damage", "road_collapse")

# An error radius counts for merging only up to this: a place that is hardly known must not swallow
# the cases of a whole district.
MOST_RADIUS_M = 150.0

_ALARMS_AT_ONCE = 200  # a script holds Redis up for as long as it runs
_REOPEN_AFTER_S = 60.0  # the last look at a hazard may be under way when its ticket is closed
_NUMBER_PREFIX = "YL"  # Yulong
_CHINA = timedelta(hours=8)  # a ticket's number carries the local date
_SEVERITIES = ("notice", "warning", "emergency")
_SEARCH_SLACK_M = 2.0  # Redis' index rounds places to 0.6 m; the script decides on exact ones


class Desk:
    """Files incidents as tickets.

    ``cool_down_s``: a ticket done this shortly before an incident still takes it in; one that was
    closed is opened again. Every method raises DeskUnavailableError when Redis is away, read-only
    or out of memory: the same call may be made again, and changes nothing twice.
    """

    def __init__(
        self,
        redis: Redis,
        town: DeskTown,
        *,
        clock: Clock,
        prefix: str = "gridwatch",
        cool_down_s: float = 600.0,
    ) -> None:
        self.town = town
        self._clock = clock
        self._cool_down_s = cool_down_s
        self._keys = Keys(prefix)
        self._reader = Reader(redis, self._keys)
        self.evidence = EvidenceDesk(redis, self._keys, clock)
        self._file: Any = redis.register_script(_script("common", "case", "file"))
        self._update: Any = redis.register_script(_script("common", "case", "update"))
        self._tick: Any = redis.register_script(_script("common", "tick"))
        self._move: Any = redis.register_script(_script("common", "move"))

    def file(self, incident: Incident, evidence: EvidenceRef | None = None) -> Filing:
        """Make a ticket of the incident, or part of one; filed again, it changes nothing."""
        ticket_id, outcome = self._run(self._file, "filing", self._call(incident, evidence))
        return Filing(
            ticket_id,
            created=outcome == "created",
            merged=outcome == "merged",
            duplicate=outcome == "duplicate",
        )

    def update(self, incident: Incident) -> str:
        """Later news of a filed incident: last seen, gone. Returns the ticket's number.

        That it is gone is a step and evidence; it closes nothing. That it is still seen a minute
        after its ticket was closed opens the ticket again, as found now; a rejected one stays
        rejected. Raises UnknownTicketError if the incident was never filed.
        """
        news = {
            "cleared": incident.cleared_at is not None,
            "reopen_after_s": _number(_REOPEN_AFTER_S),
        }
        ticket_id = self._run(self._update, "updating", self._call(incident) | news)
        if ticket_id is None:
            raise UnknownTicketError(f"incident {incident.incident_id} was never filed")
        return str(ticket_id)

    def move(
        self, ticket_id: str, action: Action, *, by: str, note: str = "", command_id: str = ""
    ) -> Ticket:
        """Take one step that the table allows; the same ``command_id`` twice is taken once.

        Raises UnknownTicketError, and DeskError where the table forbids it.
        """
        command_id = command_id or uuid.uuid4().hex
        while (moved := self._try_move(ticket_id, action, by, note, command_id)) is None:
            pass  # its clock was changed meanwhile: work it out anew
        return moved

    def _try_move(
        self, ticket_id: str, action: Action, by: str, note: str, command_id: str
    ) -> Ticket | None:
        now = self._clock.now()
        call: dict[str, object] = {
            "ticket_id": ticket_id,
            "command_id": command_id,
            "after": {
                before: after for (before, name), after in TRANSITIONS.items() if name == action
            },
            "done": {state: True for state, level in LEVEL_OF.items() if level == "done"},
            "first_level": self.town.grids.top.code,
            "now": _number(now),
            "action": action,
            "step": dump({"at": now, "by": by, "note": note, "facts": {}}),
        }
        if action == "resume":
            call |= self._resumed(self.ticket(ticket_id), now)
        outcome, state = self._run(self._move, f"moving {ticket_id}", call)
        if outcome == "changed":
            return None
        if outcome == "unknown":
            raise UnknownTicketError(f"there is no ticket {ticket_id}")
        if outcome == "refused":
            next_state(state, action)  # says what is allowed instead
        return self.ticket(ticket_id)

    def _resumed(self, ticket: Ticket, now: float) -> dict[str, object]:
        """What the clock for handling is set to after a suspension."""
        if ticket.suspended_at is None:
            return {}
        duty = self.town.duties.of(ticket.hazard, ticket.kind)
        paused = ticket.suspended_at
        after = partial(
            due_after_pause,
            paused=paused,
            resumed=now,
            holidays=self.town.holidays,
            working=duty.handle_limit.working,
        )
        due = after(ticket.handle_due_at)
        remind_at = ticket.remind_at
        alarms = {"handle_80": after(remind_at), "handle_100": due}
        # What rang before it was suspended doesn't ring again.
        left = {name: _number(time) for name, time in alarms.items() if time > paused}
        return {
            "resumed": {
                "suspended_at": _number(ticket.suspended_at),
                "was_due_at": _number(ticket.handle_due_at),
                "handle_due_at": _number(due),
                "message": dump(at_json(due)),
                "alarms": left,
            }
        }

    def tick(self) -> list[Alarm]:
        """Let ring what has come due: reminders, limits used up, tickets that go up for it.

        To be called every few seconds, by any number of boxes: each alarm rings once.
        """
        now = self._clock.now()
        step = {"at": now, "by": "desk", "note": ""}
        call = {
            "now": _number(now),
            "most": str(_ALARMS_AT_ONCE),
            "steps": {name: dump(step | {"facts": _facts_of(name)}) for name in ALARMS},
            "done": {state: True for state, level in LEVEL_OF.items() if level == "done"},
            "waiting": dict.fromkeys(sorted(WAITING), True),
            "escalates": {
                before: after for (before, name), after in TRANSITIONS.items() if name == "escalate"
            },
            "first_level": self.town.grids.top.code,
        }
        rang: list[Alarm] = []
        while True:
            due, found = self._run(self._tick, "letting alarms ring", call)
            rang += [Alarm(ticket_id, name, up == "1") for ticket_id, name, up in found]
            if int(due) < _ALARMS_AT_ONCE:
                return rang

    def read_queue(self, grid_code: str) -> list[TicketMessage]:
        """What waits for a grid, oldest first, as it entered the queue, without taking it.

        An entry waits until a consumer of the group ``grid`` has acknowledged it or the ticket has
        moved on. Raises UnknownGridError.
        """
        check_code(self.town, grid_code)
        return self._reader.queue(grid_code)

    def follow_queue(self, grid_code: str) -> QueueTail:
        """What enters a grid's queue from now on. Raises UnknownGridError."""
        check_code(self.town, grid_code)
        return QueueTail(self._reader, grid_code)

    def waiting(self) -> dict[str, int]:
        """Grid code -> how many tickets wait to be taken on; grids with none are left out."""
        return self._reader.waiting()

    def ticket(self, ticket_id: str) -> Ticket:
        """Raises UnknownTicketError."""
        return self._reader.ticket(ticket_id)

    def ticket_of(self, incident_id: str) -> Ticket:
        """The ticket that holds this incident. Raises UnknownTicketError."""
        return self._reader.ticket_of(incident_id)

    def tickets(
        self,
        *,
        state: str | None = None,
        grid: str | None = None,
        hazard: str | None = None,
        limit: int = 100,
    ) -> list[Ticket]:
        """The newest tickets, newest first. Raises UnknownGridError."""
        if grid is not None:
            check_code(self.town, grid)
        return self._reader.newest(state=state, grid=grid, hazard=hazard, limit=limit)

    def _run(self, script: Any, doing: str, call: dict[str, Any]) -> Any:
        given = {name: value for name, value in call.items() if value is not None}
        with mapped(doing):
            return script(keys=[self._keys.root], args=[dump(given)])

    def _call(self, incident: Incident, evidence: EvidenceRef | None = None) -> dict[str, Any]:
        try:
            return self._incident_call(incident, evidence)
        except ValueError as error:  # pydantic's ValidationError is one
            what = " ".join(str(error).split())
            raise DeskError(f"incident {incident.incident_id} can't be filed: {what}") from None

    def _incident_call(self, incident: Incident, evidence: EvidenceRef | None) -> dict[str, Any]:
        now = self._clock.now()
        kind = incident.trail.get("kind")
        duty = self.town.duties.of(incident.hazard, kind if isinstance(kind, str) else None)
        ground = ground_of(self.town, incident.place)
        fields = _fields(incident, duty, ground, now, self.town.holidays)
        body = _body(incident, evidence, duty, ground, fields).model_dump(mode="json")
        own_m = min(incident.place.radius_m, MOST_RADIUS_M)
        search_m = max(duty.radius_m, math.hypot(own_m, MOST_RADIUS_M)) + _SEARCH_SLACK_M
        return {
            "incident_id": incident.incident_id,
            "incident": incident_to_json(incident),
            "evidence": evidence_to_json(evidence),
            "family": family_of(incident.hazard),
            "confirmed_at": _number(incident.confirmed_at),
            "last_seen_at": _number(incident.last_seen_at),
            "now": _number(now),
            "alarms": {
                name: _number(time)
                for name, time in times_of(now, duty, self.town.holidays).items()
            },
            "cool_down_s": _number(self._cool_down_s),
            "duty_radius_m": _number(duty.radius_m),
            "most_radius_m": _number(MOST_RADIUS_M),
            "search_m": _number(search_m),
            "number_prefix": _NUMBER_PREFIX,
            "day": format(at(now) + _CHINA, "%Y%m%d"),
            "review_grid": self.town.grids.top.code if duty.filing == "review" else None,
            "ticket": fields,
            "message": {name: dump(value) for name, value in body.items()},
            "step": self._step(incident),
        }

    def _step(self, incident: Incident) -> str:
        """A step of the desk itself; its action and state are put in front by the script."""
        facts = {
            "incident_id": incident.incident_id,
            "camera_id": incident.camera_id,
            "hazard": incident.hazard,
        }
        return dump({"at": self._clock.now(), "by": "desk", "note": "", "facts": facts})


@cache
def _script(*parts: str) -> str:
    folder = files("pipeline.tickets") / "lua"
    return "".join((folder / f"{part}.lua").read_text("utf-8") for part in parts)


def _number(value: float) -> str:
    """Exact text; numpy's scalars have another repr."""
    return repr(float(value))


def _rank(duty: Duty) -> int:
    """How grave a case is within its family: by hazard, then by what the duty says of its kind."""
    gravity = _GRAVITY.index(duty.hazard) if duty.hazard in _GRAVITY else 0
    return len(_SEVERITIES) * gravity + _SEVERITIES.index(duty.severity)


def _facts_of(name: AlarmName) -> dict[str, str]:
    """Which limit, and how much of it is used."""
    limit, _, percent = name.partition("_")
    return {"limit": limit, "used_percent": percent}


def _fields(
    incident: Incident, duty: Duty, ground: Ground, now: float, holidays: Holidays
) -> dict[str, str]:
    """The fields of a new ticket; numbers as text, so that Redis keeps what Python wrote."""
    place = incident.place
    called = ("kind", "event_code", "name_zh", "name_en", "department")
    return {
        "source": "video",
        "hazard": incident.hazard,
        "rank": str(_rank(duty)),
        "severity": max(incident.severity, duty.severity, key=_SEVERITIES.index),
        "duty": dump({name: getattr(duty, name) for name in called}),
        "ground": dump(asdict(ground)),
        "grid": ground.grid_code,
        "lon": _number(place.lon),
        "lat": _number(place.lat),
        "radius_m": _number(place.radius_m),
        "method": place.method,
        "detected_at": _number(incident.confirmed_at),
        "filed_at": _number(now),
        "accept_due_at": _number(due_at(now, duty.accept_limit, holidays)),
        "handle_due_at": _number(due_at(now, duty.handle_limit, holidays)),
    }


def _body(
    incident: Incident,
    evidence: EvidenceRef | None,
    duty: Duty,
    ground: Ground,
    fields: dict[str, str],
) -> TicketBody:
    """The queue's entry, but for the head, which only the script knows."""
    place = incident.place
    model = incident.trail.get("model")
    return TicketBody(
        source="video",
        hazard=incident.hazard,
        kind=duty.kind,
        event_code=duty.event_code,
        name_zh=duty.name_zh,
        name_en=duty.name_en,
        description_zh=f"视频智能发现{duty.name_zh}",
        description_en=f"{duty.name_en} found by camera",
        department=duty.department,
        severity=fields["severity"],
        place=PlacePart(lon=place.lon, lat=place.lat, radius_m=place.radius_m, method=place.method),
        address=ground.address,
        grid=GridPart(code=ground.grid_code, name=ground.grid_name),
        near_grids=list(ground.near_grids),
        micro_grid=ground.micro_code,
        camera_id=incident.camera_id,
        incident_id=incident.incident_id,
        box=incident.box,
        score=incident.score,
        model=model if isinstance(model, str) else None,
        detected_at=at(incident.confirmed_at),
        filed_at=at(float(fields["filed_at"])),
        accept_due_at=at(float(fields["accept_due_at"])),
        handle_due_at=at(float(fields["handle_due_at"])),
        evidence=None if evidence is None else EvidencePart(**asdict(evidence)),
    )
