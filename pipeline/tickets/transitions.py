"""The one table of what may happen to a ticket. Whatever isn't in it is refused.

    detected -> filed -> dispatched -> accepted -> handling -> fed_back -> closed

with the side states ``returned`` (wrong owner, waits for a new one), ``escalated`` (passed up to
the first level), ``suspended`` (the clocks stand), ``rejected`` (no hazard) and ``merged`` (another
ticket carries on). A suspended ticket neither merges nor takes another in: whose clock would run?
"""

from __future__ import annotations

from typing import Literal, get_args

from pipeline.errors import DeskError

State = Literal[
    "detected",
    "filed",
    "dispatched",
    "accepted",
    "handling",
    "fed_back",
    "closed",
    "returned",
    "escalated",
    "suspended",
    "rejected",
    "merged",
]
Action = Literal[
    "file",
    "dispatch",
    "accept",
    "handle",
    "feed_back",
    "rework",
    "verify",
    "close",
    "return",
    "escalate",
    "suspend",
    "resume",
    "reject",
    "merge",
    "take_in",
    "split",
    "reroute",
    "reopen",
]

STATES: tuple[State, ...] = get_args(State)
ACTIONS: tuple[Action, ...] = get_args(Action)

_RUNNING: tuple[State, ...] = (
    "filed",
    "dispatched",
    "accepted",
    "handling",
    "fed_back",
    "returned",
    "escalated",
)

TRANSITIONS: dict[tuple[State, Action], State] = {
    ("detected", "file"): "filed",
    ("filed", "dispatch"): "dispatched",
    ("filed", "reject"): "rejected",
    ("dispatched", "accept"): "accepted",
    ("accepted", "handle"): "handling",
    ("accepted", "feed_back"): "fed_back",
    ("handling", "feed_back"): "fed_back",
    ("fed_back", "rework"): "handling",
    ("fed_back", "verify"): "fed_back",  # closed, once every check that is asked for is done
    ("fed_back", "close"): "closed",
    ("returned", "dispatch"): "dispatched",
    ("returned", "reject"): "rejected",
    ("escalated", "accept"): "accepted",
    ("escalated", "dispatch"): "dispatched",
    ("suspended", "resume"): "handling",
    ("closed", "reopen"): "filed",
    **{(state, "return"): "returned" for state in ("dispatched", "accepted")},
    **{(state, "escalate"): "escalated" for state in ("dispatched", "accepted", "handling")},
    **{(state, "suspend"): "suspended" for state in ("accepted", "handling")},
    **{(state, "merge"): "merged" for state in _RUNNING},
    **{(state, "take_in"): state for state in _RUNNING},
    **{(state, "split"): state for state in (*_RUNNING, "suspended")},
    # Whoever gets it anew has to accept it; where nobody of the grid acts, it stays as it is.
    **{(state, "reroute"): state for state in ("filed", "fed_back", "escalated", "suspended")},
    **{
        (state, "reroute"): "dispatched"
        for state in ("dispatched", "accepted", "handling", "returned")
    },
}

# What a state means to those who must act: ``open`` somebody has to, ``done`` nobody any more.
LEVEL_OF: dict[State, Literal["open", "done"]] = {
    state: "done" if state in ("closed", "rejected", "merged") else "open" for state in STATES
}

DONE: frozenset[State] = frozenset(state for state in STATES if LEVEL_OF[state] == "done")

# In these states the first level has the case in hand; else the owner has.
AT_THE_TOP: frozenset[State] = frozenset({"filed", "returned", "escalated"})

# In these states the case waits for somebody to take it on: it stands in a grid's queue.
WAITING: frozenset[State] = AT_THE_TOP | {"dispatched"}


def after(action: Action) -> dict[State, State]:
    """The table's column of an action: the state before it -> the state after it."""
    return {before: end for (before, name), end in TRANSITIONS.items() if name == action}


def next_state(state: State, action: Action) -> State:
    """The state after ``action``; raises DeskError that names what is allowed instead."""
    end = TRANSITIONS.get((state, action))
    if end is None:
        allowed = ", ".join(name for before, name in TRANSITIONS if before == state) or "nothing"
        raise DeskError(f"a ticket that is {state} can't take {action}; allowed: {allowed}")
    return end
