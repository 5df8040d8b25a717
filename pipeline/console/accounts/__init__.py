"""Who may come in: users with a role and grids, their sessions, and tokens for programs."""

from pipeline.console.accounts.accounts import Accounts, SignedIn
from pipeline.console.accounts.identities import Vouched
from pipeline.console.accounts.journal import By, Journal, Note
from pipeline.console.accounts.passwords import made_up_password
from pipeline.console.accounts.sessions import Session
from pipeline.console.accounts.tokens import Token
from pipeline.console.accounts.users import ROLES, Role, User

__all__ = [
    "ROLES",
    "Accounts",
    "By",
    "Journal",
    "Note",
    "Role",
    "Session",
    "SignedIn",
    "Token",
    "User",
    "Vouched",
    "made_up_password",
]
