"""A ticket made ready to be shown: words, colours and the time that is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipeline.console import words
from pipeline.console.claims import claim_text
from pipeline.console.rules import steps_of
from pipeline.tickets.transitions import WAITING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.console.accounts import User
    from pipeline.console.words import Language
    from pipeline.tickets import Ticket
    from pipeline.tickets.transitions import Action
    from pipeline.town import GridMap

Lamp = Literal["green", "yellow", "red", "none"]

_YELLOW_FROM = 0.8  # of the limit; red when it is used up


@dataclass(frozen=True, slots=True)
class Deadline:
    """The limit that runs now: what for, when it ends, how it stands."""

    what: str
    at: str
    left: str
    lamp: Lamp


@dataclass(frozen=True, slots=True)
class Past:
    """One line of the history."""

    at: str
    what: str
    by: str
    note: str
    picture: int | None
    claim: str
    """The number of the step, where a picture came with it."""


@dataclass(frozen=True, slots=True)
class Card:
    """One ticket as a user sees it; ``steps`` are what this user may do with it now."""

    ticket: Ticket
    name: str
    state: str
    severity: str
    filed: str
    deadline: Deadline
    steps: tuple[Action, ...]
    history: tuple[Past, ...]

    @property
    def pictures(self) -> range:
        """Numbers of its evidence, the newest last."""
        return range(len(self.ticket.evidence))


def card(ticket: Ticket, user: User, grids: GridMap, now: float, language: Language) -> Card:
    """A ticket as this user sees it."""
    return Card(
        ticket=ticket,
        name=ticket.name_zh if language == "zh" else ticket.name_en,
        state=words.name(words.STATES, ticket.state, language),
        severity=words.name(words.SEVERITIES, ticket.severity, language),
        filed=words.moment(ticket.filed_at, now, language),
        deadline=deadline(ticket, now, language),
        steps=steps_of(user, ticket, grids),
        history=tuple(
            Past(
                words.moment(step.at, now, language),
                words.name(words.STEPS, step.action, language),
                step.facts.get("camera_id", step.by),
                step.note,
                number if "picture" in step.facts else None,
                claim_text(step.facts, now, language),
            )
            for number, step in reversed([*enumerate(ticket.steps)])
        ),
    )


@dataclass(frozen=True, slots=True)
class Pair:
    """Evidence of this number shows the place before and after; when each was seen."""

    number: int
    before: str
    after: str


def pairs_of(ticket: Ticket, now: float, language: Language) -> list[Pair]:
    """What can be compared, the newest first."""
    times = {
        one.incident_id: [
            words.moment(at, now, language) if at is not None else ""
            for at in (one.confirmed_at, one.cleared_at)
        ]
        for one in ticket.incidents
    }
    found = []
    for number, evidence in enumerate(ticket.evidence):
        if evidence.after is not None:
            # Its name begins with the incident's.
            name = evidence.after.rpartition("/")[2]
            seen = next((told for known, told in times.items() if name.startswith(known)), ["", ""])
            found.append(Pair(number, *seen))
    return found[::-1]


def photo_name(path: str) -> str:
    """What a photo in a history is called in addresses; ``path`` is below the evidence folder."""
    return path.rpartition("/")[2].removesuffix(".jpg")


def by_urgency(tickets: Iterable[Ticket]) -> list[Ticket]:
    """Emergencies first, then by what is due first; what stands still comes last."""
    return sorted(
        tickets,
        key=lambda one: (
            one.suspended_at is not None,
            one.severity != "emergency",
            _due_at(one),
            one.ticket_id,
        ),
    )


def is_overdue(ticket: Ticket, now: float) -> bool:
    return ticket.open and ticket.suspended_at is None and now >= _due_at(ticket)


def _accepting(ticket: Ticket) -> bool:
    """Whether the limit for accepting runs: not for what was accepted before it was passed on."""
    running = ticket.steps[-1].due_at if ticket.steps else None
    return ticket.state in WAITING and running in (None, ticket.accept_due_at)


def _due_at(ticket: Ticket) -> float:
    return ticket.accept_due_at if _accepting(ticket) else ticket.handle_due_at


def deadline(ticket: Ticket, now: float, language: Language) -> Deadline:
    """The limit that runs now."""
    due_at = _due_at(ticket)
    names = ("受理时限", "accept by") if _accepting(ticket) else ("处置时限", "handle by")
    what, at = words.pick(names, language), words.moment(due_at, now, language)
    if not ticket.open:
        return Deadline(what, at, "", "none")
    if ticket.suspended_at is not None:
        return Deadline(what, at, words.pick(("计时暂停", "clock stopped"), language), "none")
    used = (now - ticket.filed_at) / max(1.0, due_at - ticket.filed_at)
    lamp: Lamp = "red" if used >= 1 else "yellow" if used >= _YELLOW_FROM else "green"
    span = words.span(abs(due_at - now), language)
    left = (f"剩 {span}", f"{span} left") if now < due_at else (f"超时 {span}", f"{span} late")
    return Deadline(what, at, words.pick(left, language), lamp)
