"""What the scripts must know to end a case that was fed back: see ``lua/closing.lua``."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from pipeline.errors import DeskError, UnknownTicketError
from pipeline.tickets.codec import dump
from pipeline.tickets.transitions import TRANSITIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

# What a camera has neither seen for so long, nor seen to be gone, it has lost sight of.
_HEARD_S = 3600.0


def checks(now: float) -> dict[str, Any]:
    """What decides whether a ticket that was fed back is closed; ``now`` is Unix seconds."""
    return {
        "checked": {
            action: after for (before, action), after in TRANSITIONS.items() if before == "fed_back"
        },
        "heard_after": repr(now - _HEARD_S),
        "desk_step": dump({"at": now, "by": "desk", "note": ""}),
    }


def verify_call(
    ticket_id: str, *, good: bool, step: Mapping[str, object], command_id: str, now: float
) -> dict[str, Any]:
    """The call of ``lua/verify.lua``; ``step`` has who, why and what belongs to it."""
    return checks(now) | {
        "ticket_id": ticket_id,
        "command_id": command_id or uuid.uuid4().hex,
        "good": good,
        "now": repr(now),
        "step": dump({"at": now, **step}),
    }


def check_verified(ticket_id: str, outcome: str, state: str) -> None:
    """Raises UnknownTicketError, and DeskError where there is nothing to verify."""
    if outcome == "unknown":
        raise UnknownTicketError(f"there is no ticket {ticket_id}")
    if outcome == "refused":
        raise DeskError(f"{ticket_id} is {state}; only what was fed back can be verified")
