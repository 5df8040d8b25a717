"""A step of a ticket taken by a user, the same from a page and from the API."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.console import words
from pipeline.console.context import Refused
from pipeline.console.photos import facts_with, photo_from
from pipeline.console.rules import STEPS, may
from pipeline.errors import DeskError, DeskUnavailableError
from pipeline.tickets.transitions import TRANSITIONS

if TYPE_CHECKING:
    from pipeline.console.accounts import User
    from pipeline.console.context import Console
    from pipeline.console.words import Language
    from pipeline.tickets import Desk, Ticket
    from pipeline.tickets.transitions import Action

LONGEST_NOTE = 2000
_COMMAND_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


@dataclass(frozen=True, slots=True)
class Command:
    """What the user sent. ``command_id``: the same twice is done once; ``photo`` as it came."""

    action: str
    command_id: str
    note: str = ""
    photo: bytes | None = None


class MovedAwayError(Refused):
    """The ticket is no longer where the user saw it; says where it is and who moved it."""

    def __init__(self, ticket: Ticket, now: float) -> None:
        self.ticket = ticket
        zh, en = (_said(ticket, now, language) for language in words.LANGUAGES)
        moved = f"The ticket has changed: it is now {en[0]} ({en[1]} by {en[2]}, {en[3]})."
        super().__init__(
            409,
            (
                f"案卷已有变化：现在是“{zh[0]}”（{zh[1]}，{zh[2]}，{zh[3]}）。您的操作没有执行。",
                f"{moved} Nothing was done.",
            ),
        )


def _said(ticket: Ticket, now: float, language: Language) -> tuple[str, str, str, str]:
    """How it stands now; what was done last, by whom and when."""
    last = ticket.steps[-1]
    return (
        words.name(words.STATES, ticket.state, language),
        words.name(words.STEPS, last.action, language),
        last.by,
        words.moment(last.at, now, language),
    )


def act(console: Console, user: User, ticket: Ticket, command: Command) -> Ticket:
    """Take the step and give the ticket after it.

    Raises MovedAwayError where the ticket no longer stands where the user saw it, Refused (403,
    404, 422) for what may not be, and DeskUnavailableError.
    """
    action = _checked(command)
    photo = None if not command.photo else photo_from(command.photo, console.uploads)
    if not may(user, ticket, action, console.desk.town.grids):
        if _taken_already(user, ticket, action):
            return ticket  # the second tap of two
        if _would_have_been_allowed(user, ticket, action, console):
            raise MovedAwayError(ticket, console.clock.now())
        raise Refused(403, ("您的角色不能这样做", "not for your role"))
    try:
        with facts_with(console, ticket, action, command.command_id, photo) as facts:
            return _take(console.desk, ticket.ticket_id, action, user.name, command, facts)
    except DeskUnavailableError:
        raise
    except DeskError:
        found = console.desk.ticket(ticket.ticket_id)
        if _taken_already(user, found, action):
            return found
        raise MovedAwayError(found, console.clock.now()) from None


def _take(
    desk: Desk, ticket_id: str, action: Action, by: str, command: Command, facts: dict[str, str]
) -> Ticket:
    note, command_id = command.note.strip(), command.command_id
    if action in ("close", "rework"):  # a person's word; the duty may ask for the camera's as well
        return desk.verify(
            ticket_id,
            good=action == "close",
            by=by,
            note=note,
            command_id=command_id,
            facts=facts,
        )
    return desk.move(ticket_id, action, by=by, note=note, command_id=command_id, facts=facts)


def _checked(command: Command) -> Action:
    action = next((one for one in STEPS if one == command.action), None)
    if action is None:
        raise Refused(404, ("没有这个操作", "there is no such step"))
    if not _COMMAND_ID.fullmatch(command.command_id):
        raise Refused(422, ("请求不完整，请刷新后再试", "command_id: 8 to 64 letters and digits"))
    if len(command.note) > LONGEST_NOTE:
        raise Refused(
            422, (f"说明最多 {LONGEST_NOTE} 字", f"a note has {LONGEST_NOTE} characters at most")
        )
    if action in words.REASON_NEEDED and not command.note.strip():
        raise Refused(422, ("请写明原因", "a reason is needed"))
    return action


def _taken_already(user: User, ticket: Ticket, action: Action) -> bool:
    """Whether the newest step is this very one, taken by this very user."""
    last = ticket.steps[-1]
    return (last.by, last.action) == (user.name, action)


def _would_have_been_allowed(user: User, ticket: Ticket, action: Action, console: Console) -> bool:
    """Whether the user's role may take this step while the ticket stands somewhere else."""
    return any(
        may(user, replace(ticket, state=state), action, console.desk.town.grids)
        for state, name in TRANSITIONS
        if name == action
    )
