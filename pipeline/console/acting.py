"""A step of a ticket taken by a user, the same from a page and from the API."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from pipeline.console import words
from pipeline.console.accounts import By
from pipeline.console.context import Refused
from pipeline.console.rules import STEPS, may
from pipeline.errors import (
    DeskError,
    DeskUnavailableError,
    EvidenceError,
    PictureError,
    ReportError,
)
from pipeline.tickets import read_upload
from pipeline.tickets.transitions import TRANSITIONS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.console.accounts import User
    from pipeline.console.claims import Claim
    from pipeline.console.context import Console
    from pipeline.console.words import Language
    from pipeline.tickets import Feedback, Ticket
    from pipeline.tickets.orders import Said
    from pipeline.tickets.transitions import Action

log = structlog.get_logger()

LONGEST_NOTE = 2000
_LONGEST_ACTION = 40
# Nothing is kept that isn't covered, and a step isn't taken without the photo that belongs to it.
_NOT_COVERED = (
    (
        "照片中的人脸和车牌暂时无法遮盖，照片没有保存，您的操作没有执行；您写的内容还在。"
        "请稍后再试，或不附照片提交。"
    ),
    (
        "Faces and plates in the photo can't be covered now: the photo was not kept and nothing "
        "was done. What you wrote is still here. Try again later, or send it without the photo."
    ),
)
_COMMAND_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


@dataclass(frozen=True, slots=True)
class Command:
    """What the user sent. ``command_id``: the same twice is done once; ``photo`` as it came.

    ``version``: the ticket's that the user saw; None: whichever it has. ``origin``: the address.
    ``claim``: when it was done, where that was before it could be sent.
    """

    action: str
    command_id: str
    note: str = ""
    photo: bytes | None = None
    version: int | None = None
    origin: str = ""
    claim: Claim | None = None


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

    Raises MovedAwayError where the ticket no longer stands as the user saw it, Refused (403, 404,
    422, and 503 when the photo can't be covered) for what may not be, and DeskUnavailableError.
    Whenever it raises, nothing was done; only with DeskUnavailableError nobody knows. Either way
    the audit hears of it.
    """
    result = "failed"
    try:
        moved = _act(console, user, ticket, command)
        result = "done"
    except (Refused, DeskError) as error:
        result = f"refused: {error}" if isinstance(error, Refused) else str(error)
        raise
    else:
        return moved
    finally:
        console.recorder.tell(
            By(user.name, command.origin),
            f"tickets {command.action}"[:_LONGEST_ACTION],
            ticket.ticket_id,
            result=result,
        )


def _act(console: Console, user: User, ticket: Ticket, command: Command) -> Ticket:
    action = _checked(command)
    picture = _read(console, command.photo) if command.photo else None
    if not may(user, ticket, action, console.desk.town.grids):
        if _taken_already(user, ticket, action):
            return ticket  # the second tap of two
        if _would_have_been_allowed(user, ticket, action, console):
            raise MovedAwayError(ticket, console.clock.now())
        raise Refused(403, ("您的角色不能这样做", "not for your role"))
    said: Said = {
        "by": user.name,
        "note": command.note,
        "command_id": command.command_id,
        "expected": command.version,
    }
    if command.claim is not None and command.claim.holds(ticket.filed_at):
        said["facts"] = command.claim.facts()
    try:
        return _take(console.feedback, ticket.ticket_id, action, picture, said)
    except DeskUnavailableError:
        raise
    except EvidenceError as error:
        log.warning("console.photo_not_kept", ticket=ticket.ticket_id, why=str(error))
        raise Refused(503, _NOT_COVERED) from None
    except ReportError as error:
        raise Refused(422, ("说明有误", str(error))) from None
    except DeskError:
        found = console.desk.ticket(ticket.ticket_id)
        if _taken_already(user, found, action):
            return found
        raise MovedAwayError(found, console.clock.now()) from None


def _take(
    feedback: Feedback,
    ticket_id: str,
    action: Action,
    picture: NDArray[np.uint8] | None,
    said: Said,
) -> Ticket:
    if action in ("close", "rework"):  # a person's word; the duty may ask for the camera's as well
        return feedback.checked(ticket_id, good=action == "close", picture=picture, **said)
    if action == "feed_back":
        return feedback.done(ticket_id, picture=picture, **said)
    return feedback.moved(ticket_id, action, picture=picture, **said)


def _read(console: Console, photo: bytes) -> NDArray[np.uint8]:
    """Raises Refused (422) for what is no photo, whatever it is called, or too large a one."""
    limits = console.photo_limits
    try:
        return read_upload(photo, limits)
    except PictureError as error:
        zh = (
            f"照片无法使用（支持 JPEG、PNG、WebP，最大 {limits.picture_mb} MB、"
            f"{limits.picture_mpx:g} 百万像素）"
        )
        raise Refused(422, (zh, str(error))) from None


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
