"""What the scripts must know to end a case that was fed back: see ``lua/closing.lua``."""

from __future__ import annotations

from typing import Any

from pipeline.tickets.codec import dump
from pipeline.tickets.transitions import TRANSITIONS

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
