"""The one table of who may do what. An endpoint that isn't in it is refused.

``own``: in the grids that are the user's, with all that lies in them; ``any``: in the whole town.
A user without grids owns the town.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipeline.console.accounts import ROLES
from pipeline.tickets.transitions import TRANSITIONS, Action, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.console.accounts import Role, User
    from pipeline.tickets import Ticket
    from pipeline.town import GridMap

Reach = Literal["own", "any"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Which roles may come, and how far; ``open``: everybody, signed in or not."""

    reach: Mapping[Role, Reach]
    open: bool = False


def _rule(**reach: Reach) -> Rule:
    return Rule({role: reach[role] for role in ROLES if role in reach})


_OPEN = Rule({}, open=True)
_SIGNED_IN = Rule(dict.fromkeys(ROLES, "any"))
_LOOK = _rule(member="own", head="own", command="any", operator="any", viewer="own", admin="any")
_ACT = _rule(member="own", head="own", command="any", admin="any")
_CARE = _rule(operator="any", admin="any")
_ADMIN = _rule(admin="any")
_TOWN = _rule(command="any", viewer="own", admin="any")

# By the name of the endpoint.
RULES: dict[str, Rule] = {
    "static": _OPEN,
    "sign_in_page": _OPEN,
    "sign_in": _OPEN,
    "oidc_begin": _OPEN,
    "oidc_back": _OPEN,
    "oidc_out": _OPEN,
    "language": _OPEN,
    "manifest": _OPEN,
    "service_worker": _OPEN,
    "offline_page": _OPEN,
    "home": _SIGNED_IN,
    "sign_out": _SIGNED_IN,
    "account_page": _SIGNED_IN,
    "change_password": _SIGNED_IN,
    "sign_out_everywhere": _SIGNED_IN,
    "make_token": _SIGNED_IN,
    "revoke_token": _SIGNED_IN,
    "queue_page": _LOOK,
    "ticket_page": _LOOK,
    "ticket_picture": _LOOK,
    "ticket_photo": _LOOK,
    "ticket_action": _ACT,
    "offline_hello": _SIGNED_IN,
    "offline_action": _ACT,
    "cameras_page": _LOOK,
    "camera_page": _LOOK,
    "zones_page": _LOOK,
    "save_zones": _CARE,
    "calibration_page": _LOOK,
    "check_calibration": _LOOK,
    "save_calibration": _CARE,
    "camera_picture": _LOOK,
    "patrol_page": _LOOK,
    "patrol_camera": _LOOK,
    "report_page": _ACT,
    "report_from_picture": _ACT,
    "coverage_page": _LOOK,
    "coverage_camera": _LOOK,
    "map_page": _LOOK,
    "command_page": _TOWN,
    "events": _LOOK,
    "indices_page": _LOOK,
    "indices_csv": _LOOK,
    "users_page": _ADMIN,
    "user_page": _ADMIN,
    "add_user": _ADMIN,
    "change_user": _ADMIN,
    "reset_user": _ADMIN,
    "disable_user": _ADMIN,
    "enable_user": _ADMIN,
    "end_user_sessions": _ADMIN,
    "end_user_token": _ADMIN,
    "duties_page": _SIGNED_IN,
    "duty_page": _ADMIN,
    "change_duty": _ADMIN,
    "remove_duty": _ADMIN,
    "audit_page": _rule(command="any", admin="any"),
    "audit_export": _ADMIN,
    "api_me": _SIGNED_IN,
    "api_document": _SIGNED_IN,
    "api_tickets": _LOOK,
    "api_ticket": _LOOK,
    "api_ticket_picture": _LOOK,
    "api_ticket_action": _ACT,
    "api_cameras": _LOOK,
    "api_grids": _LOOK,
}

# What each step of a ticket asks of who takes it; narrower than the endpoints.
STEPS: dict[Action, Rule] = {
    "dispatch": _rule(command="any", admin="any"),
    "accept": _ACT,
    "handle": _ACT,
    "feed_back": _ACT,
    "return": _ACT,
    "escalate": _ACT,
    "suspend": _rule(head="own", command="any", admin="any"),
    "resume": _rule(head="own", command="any", admin="any"),
    "close": _rule(head="own", command="any", admin="any"),
    "rework": _rule(head="own", command="any", admin="any"),
    "reject": _rule(command="any", admin="any"),
}

# Here the first level has the ticket, whoever's ground it lies on.
_OF_THE_FIRST_LEVEL: frozenset[State] = frozenset({"filed", "returned", "escalated"})


def reaches(rule: Rule, user: User, code: str | None, grids: GridMap) -> bool:
    """Whether the rule lets this user come to something of this grid; None: of no grid."""
    reach = rule.reach.get(user.role)
    if reach is None:
        return False
    return reach == "any" or code is None or user.owns(code, grids)


def sees(rule: Rule, user: User, ticket: Ticket, grids: GridMap) -> bool:
    """Whether the rule lets the user look at a ticket: its grid's, or a neighbour within reach."""
    return any(reaches(rule, user, code, grids) for code in (ticket.grid_code, *ticket.near_grids))


def may(user: User, ticket: Ticket, action: Action, grids: GridMap) -> bool:
    """Whether this user may take this step of this ticket, as it stands, if the table allows it."""
    rule = STEPS.get(action)
    if rule is None or not reaches(rule, user, ticket.grid_code, grids):
        return False
    return rule.reach[user.role] == "any" or ticket.state not in _OF_THE_FIRST_LEVEL


def steps_of(user: User, ticket: Ticket, grids: GridMap) -> tuple[Action, ...]:
    """What this user may do with the ticket now."""
    return tuple(
        action
        for action in STEPS
        if (ticket.state, action) in TRANSITIONS and may(user, ticket, action, grids)
    )
