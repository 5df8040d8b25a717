"""What every command of a person says: who, why, on what it was decided, on whose behalf.

And how the desk refuses one: each reason is an error of its own that says what is so instead.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, NotRequired, Required, TypedDict

from pipeline.errors import DeskError, ForeignGridError, StaleTicketError, UnknownTicketError
from pipeline.tickets.codec import dump, number
from pipeline.tickets.ground import check_code
from pipeline.tickets.ticket import Step
from pipeline.tickets.transitions import AT_THE_TOP, DONE, WAITING, Action, after, next_state

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

    from pipeline.tickets.ground import DeskTown

_NUMBER = re.compile(r"[A-Za-z0-9-]{1,40}")
_MOST_LETTERS = {"by": 100, "note": 2000, "command_id": 200}


class Said(TypedDict, total=False):
    """The keywords that every command takes.

    ``by``: who gives it. ``note``: why. ``command_id``: the same one twice is carried out once.
    ``expected``: the ticket's version on which it was decided; when it has another by now, the
    command is refused. ``grids``: codes of the grids on whose behalf it is given; a ticket that
    none of them, nor a grid below one of them, has in hand is refused. None: the desk's own people.
    ``facts`` stand in the step.
    """

    by: Required[str]
    note: NotRequired[str]
    command_id: NotRequired[str]
    expected: NotRequired[int | None]
    grids: NotRequired[Collection[str] | None]
    facts: NotRequired[Mapping[str, str] | None]


@dataclass(frozen=True, slots=True)
class Order:
    """A command as it was said, checked."""

    by: str
    note: str
    command_id: str
    expected: int | None
    permits: frozenset[str] | None
    facts: Mapping[str, str]

    @classmethod
    def of(cls, said: Said, town: DeskTown) -> Order:
        """Raises DeskError for words that can't be kept, and UnknownGridError."""
        for name, most in _MOST_LETTERS.items():
            _check_words(name, str(said.get(name, "")), most)
        if not said["by"].strip():
            raise DeskError("a command must say who gives it; by is empty")
        grids = said.get("grids")
        return cls(
            said["by"],
            said.get("note", ""),
            said.get("command_id") or uuid.uuid4().hex,
            said.get("expected"),
            None if grids is None else _permits(grids, town),
            dict(said.get("facts") or {}),
        )

    def call(self, ticket_id: str, action: Action, town: DeskTown, now: float) -> dict[str, Any]:
        """What the scripts of all commands need to know."""
        check_number(ticket_id)
        return {
            "ticket_id": ticket_id,
            "action": action,
            "command_id": self.command_id,
            "expected": None if self.expected is None else str(self.expected),
            "permits": None if self.permits is None else dict.fromkeys(sorted(self.permits), True),
            "step": self.step(now, {}),
            **table_of(action, town, now),
        }

    def step(self, now: float, facts: Mapping[str, str] | None) -> str:
        """Its line in the history; None: the script puts the facts in front."""
        line: dict[str, object] = {"at": now, "by": self.by, "note": self.note}
        return dump(line if facts is None else line | {"facts": {**self.facts, **facts}})


def table_of(action: Action, town: DeskTown, now: float) -> dict[str, Any]:
    """What the table of transitions says of an action, and who is at the top."""
    return {
        "after": after(action),
        "done": dict.fromkeys(sorted(DONE), True),
        "waiting": dict.fromkeys(sorted(WAITING), True),
        "at_the_top": dict.fromkeys(sorted(AT_THE_TOP), True),
        "first_level": town.grids.top.code,
        "now": number(now),
    }


def check_number(ticket_id: str) -> None:
    """Raises UnknownTicketError for what can be no ticket's number."""
    if not _NUMBER.fullmatch(ticket_id):
        raise UnknownTicketError(f"there is no ticket {ticket_id[:60]!r}")


def raise_refusal(answer: Sequence[Any], action: Action) -> None:
    """The error for a script's answer; none for one that isn't a refusal."""
    outcome, ticket_id, *more = answer
    if outcome == "unknown":
        raise UnknownTicketError(f"there is no ticket {ticket_id}")
    if outcome == "foreign":
        state, holder = more
        raise ForeignGridError(
            f"{ticket_id} is {state} and in the hands of grid {holder}: only that grid, or one "
            f"above it, may {action} it"
        )
    if outcome == "stale":
        _raise_stale(ticket_id, *more)
    if outcome == "same":
        raise DeskError(f"{ticket_id} is grid {more[1]}'s already")
    if outcome == "refused":
        state, merged_into = more
        try:
            next_state(state, action)  # says what is allowed instead
        except DeskError as error:
            led = f", see {merged_into}" if merged_into else ""
            raise DeskError(f"{ticket_id}: {error}{led}") from None


def _raise_stale(ticket_id: str, state: Any, version: str, texts: Sequence[str]) -> None:
    raise StaleTicketError(
        ticket_id, state, int(version), tuple(Step(**json.loads(text)) for text in texts)
    )


def _permits(grids: Collection[str], town: DeskTown) -> frozenset[str] | None:
    """These grids and all below them; None for the first level, which may do everything."""
    for code in grids:
        check_code(town, code)
    permitted = set(grids)
    if town.grids.top.code in permitted:
        return None
    while more := {grid.code for grid in town.grids if grid.parent in permitted} - permitted:
        permitted |= more
    return frozenset(permitted)


def _check_words(name: str, text: str, most: int) -> None:
    if len(text) > most:
        raise DeskError(f"{name} is too long: {len(text)} letters; allowed: {most}")
    if any(not letter.isprintable() and letter not in "\n\t" for letter in text):
        raise DeskError(f"{name} holds letters that can't be printed: {text[:60]!r}")
