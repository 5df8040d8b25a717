"""The list of duties (责任事项清单): who must do what about a hazard, and by when."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pipeline.errors import DutiesError
from pipeline.town.files import checked, read_yaml, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Hazard = Literal["road_collapse", "road_damage", "blockage", "crowd"]
Calendar = Literal["wall", "working"]
Filing = Literal["auto", "review"]
Severity = Literal["notice", "warning", "emergency"]
Verify = Literal["camera", "person", "both"]
Unit = Literal["min", "h", "d", "wh", "wd"]

HAZARDS: tuple[Hazard, ...] = get_args(Hazard)
# What the rules call the things they see: a kind beyond these would never get a ticket.
KINDS: dict[Hazard, tuple[str, ...]] = {
    "road_collapse": ("cavity",),
    "road_damage": ("cavity",),
    "blockage": ("crash", "vehicle", "object"),
    "crowd": ("crowd",),
}

EVIDENCE_DAYS = 90
"""Evidence is kept for so long after a ticket's closing where its duty says nothing else."""

_LIMIT = re.compile(r"(\d+(?:\.\d+)?)(min|h|d|wh|wd)")
_LIMIT_HELP = "a number and min, h, d (wall clock), wh or wd (working hours, days), e.g. 30min, 4wh"
_WALL_S = {"min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Limit:
    """How long something may take: ``24h`` by the wall clock, ``4wh`` or ``3wd`` of working time.

    How long a working day is, and which days are, is the calendar's business, not this value's.
    """

    amount: float
    unit: Unit

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Read ``4wh``; raises DutiesError."""
        match = _LIMIT.fullmatch(text.strip())
        if match is None or not 0 < float(match[1]) <= 10_000:
            raise DutiesError("not a time limit", found=repr(text), allowed=_LIMIT_HELP)
        unit: Any = match[2]
        return cls(float(match[1]), unit)

    @property
    def working(self) -> bool:
        """Whether only working time counts."""
        return self.unit in ("wh", "wd")

    @property
    def wall_s(self) -> float | None:
        """Seconds by the wall clock; None when only working time counts."""
        return None if self.working else self.amount * _WALL_S[self.unit]

    def __str__(self) -> str:
        return f"{self.amount:g}{self.unit}"


@dataclass(frozen=True, slots=True)
class Duty:
    """What is owed about one hazard, or about one ``kind`` of it (``blockage`` by a ``vehicle``).

    ``radius_m`` is how near two findings must be to be one case. ``filing`` is ``auto`` (a ticket
    at once) or ``review`` (a person looks first). ``calendar`` ``wall`` promises that both limits
    run by the wall clock. ``verify`` is who must see that it is gone before the case is closed.
    ``emergency``: the emergency office is told as well, at once and whatever ``filing`` says.
    ``evidence_days``: pictures are kept for so long after the closing.
    """

    hazard: Hazard
    kind: str | None
    event_code: str
    name_zh: str
    name_en: str
    department: str
    accept_limit: Limit
    handle_limit: Limit
    calendar: Calendar
    filing: Filing
    severity: Severity
    radius_m: float
    evidence_days: int = EVIDENCE_DAYS
    verify: Verify = "person"
    emergency: bool = False


class Duties:
    """The duty of every hazard and kind, as they are in force. Thread-safe."""

    def __init__(self, duties: Iterable[Duty]) -> None:
        self._duties: dict[tuple[str, str | None], Duty] = {
            (duty.hazard, duty.kind): duty for duty in duties
        }

    def of(self, hazard: str, kind: str | None = None) -> Duty:
        """The duty of the kind if the list has one of its own, else of the hazard."""
        duty = self._duties.get((hazard, kind)) or self._duties.get((hazard, None))
        if duty is None:
            raise DutiesError("unknown hazard", found=repr(hazard), allowed=", ".join(HAZARDS))
        return duty

    def own(self, hazard: str, kind: str | None = None) -> Duty | None:
        """The duty of this very hazard or kind, None where the list has none."""
        return self._duties.get((hazard, kind))

    def become(self, other: Duties) -> list[str]:
        """Hold the duties of another list from now on, for everybody who holds this one.

        Returns the names of those that differ (``blockage.crash``).
        """
        before, after = self._duties, other._duties
        self._duties = after  # in one step: whoever asks meanwhile gets the old or the new
        keys = [*before, *(key for key in after if key not in before)]
        return [
            hazard if kind is None else f"{hazard}.{kind}"
            for hazard, kind in keys
            if before.get((hazard, kind)) != after.get((hazard, kind))
        ]

    def __iter__(self) -> Iterator[Duty]:
        return iter(self._duties.values())

    def __len__(self) -> int:
        return len(self._duties)


def _one_line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("one line of text, not empty")
    return text.strip()


Words = Annotated[str, Field(max_length=120), AfterValidator(_one_line)]
Radius = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]


class _DutyWire(BaseModel):
    """One entry as it stands in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    event_code: Annotated[str, Field(pattern=r"^[0-9A-Za-z]+(-[0-9A-Za-z]+)*$", max_length=20)]
    name_zh: Words
    name_en: Words
    department: Words
    accept_limit: str
    handle_limit: str
    calendar: Calendar
    filing: Filing
    severity: Severity
    radius_m: Radius
    evidence_days: Annotated[int, Field(ge=1, le=3660)] = EVIDENCE_DAYS
    verify: Verify = "person"
    emergency: bool = False


def load_duties(path: Path) -> Duties:
    """Read duties.yaml: a mapping from every hazard to its duty, optionally with ``kinds``.

    A kind repeats only the fields in which it differs from its hazard. Raises DutiesError that
    names file, field, what was found and what is allowed.
    """
    return duties_of(read_yaml(path, DutiesError), path)


def duties_of(value: Any, path: Path) -> Duties:
    """The duties of what a YAML file holds; raises as ``load_duties``. ``path`` is only named."""
    listed = _mapping(value, path, "the top level", "a mapping from hazard to duty")
    for name in listed:
        if name not in HAZARDS:
            raise unknown("hazard", name, HAZARDS, DutiesError, file=path)
    missing = [hazard for hazard in HAZARDS if hazard not in listed]
    if missing:
        raise DutiesError(
            "hazards without a duty",
            file=path,
            found=f"nothing for {', '.join(missing)}",
            allowed=f"an entry for each of {', '.join(HAZARDS)}",
        )
    duties: list[Duty] = []
    for hazard in HAZARDS:
        entry = dict(_mapping(listed[hazard], path, hazard, "the fields of a duty"))
        where = f"{hazard}.kinds"
        kinds = _mapping(entry.pop("kinds", {}), path, where, "a mapping from kind to fields")
        duties.append(_duty(hazard, None, entry, path, hazard))
        for kind, changes in kinds.items():
            if kind not in KINDS[hazard]:
                raise unknown("kind", kind, KINDS[hazard], DutiesError, file=path, where=where)
            here = f"{where}.{kind}"
            changed = entry | dict(_mapping(changes, path, here, "the fields that differ"))
            duties.append(_duty(hazard, kind, changed, path, here))
    return Duties(duties)


def _mapping(value: Any, path: Path, where: str, allowed: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise DutiesError(
            "not a mapping", file=path, where=where, found=type(value).__name__, allowed=allowed
        )
    return value


def _duty(hazard: Hazard, kind: str | None, entry: dict[Any, Any], path: Path, where: str) -> Duty:
    code = entry.get("event_code")
    if type(code) in (int, float):  # YAML has dropped its zero by now: 0401 became 257
        raise DutiesError(
            "is read as a number",
            file=path,
            where=f"{where}.event_code",
            found=repr(code),
            allowed='letters, digits and -; put it in quotes: event_code: "0401"',
        )
    wire = checked(_DutyWire, entry, DutiesError, file=path, where=where)
    limits = {name: _limit(wire, name, path, where) for name in ("accept_limit", "handle_limit")}
    return Duty(hazard=hazard, kind=kind, **(wire.model_dump() | limits))


def _limit(wire: _DutyWire, name: str, path: Path, where: str) -> Limit:
    text = getattr(wire, name)
    place = f"{where}.{name}"
    try:
        limit = Limit.parse(text)
    except DutiesError as error:
        raise DutiesError(
            error.problem, file=path, where=place, found=error.found, allowed=error.allowed
        ) from None
    if limit.working and wire.calendar == "wall":
        raise DutiesError(
            "working time under calendar wall",
            file=path,
            where=place,
            found=text,
            allowed="min, h or d; or calendar: working",
        )
    return limit
