"""Everything about accounts behind one door."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pipeline.console.accounts import passwords
from pipeline.console.accounts.attempts import Attempts
from pipeline.console.accounts.database import Database
from pipeline.console.accounts.identities import Identities
from pipeline.console.accounts.journal import By, Journal
from pipeline.console.accounts.sessions import Sessions
from pipeline.console.accounts.tokens import Tokens
from pipeline.console.accounts.users import User, Users, checked_name
from pipeline.errors import AccountError, ProviderError, SignInError, TooManyAttemptsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.clock import Clock
    from pipeline.console.accounts.identities import Vouched

SESSION_IDLE_S = 12 * 3600.0  # a shift


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user and, for a browser, the token that must come with whatever changes something."""

    user: User
    csrf: str | None


class Accounts:
    """Users, sessions and tokens in one SQLite file; thread-safe.

    Raises AccountError when the file can't be used.
    """

    def __init__(self, path: Path, clock: Clock, *, session_idle_s: float = SESSION_IDLE_S) -> None:
        self._db = Database(path)
        self.journal = Journal(self._db, clock)
        self.users = Users(self._db, clock, self.journal)
        self.sessions = Sessions(self._db, clock, self.journal, idle_s=session_idle_s)
        self.tokens = Tokens(self._db, clock, self.journal)
        self.identities = Identities(self._db, self.users, self.journal)
        self._attempts = Attempts(self._db, clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def sign_in(self, name: str, password: str, *, address: str, agent: str = "") -> str:
        """The secret of a new session.

        Raises SignInError, the same for a wrong name, a wrong password and a disabled account, and
        TooManyAttemptsError.
        """
        user = self._proved(name, password, address)
        return self.sessions.begin(user.name, address=address, agent=agent)

    def sign_in_vouched(
        self, vouched: Callable[[], Vouched], *, issuer: str, address: str, agent: str = ""
    ) -> str:
        """The secret of a new session of whomever a provider of identities vouches for.

        Raises what ``vouched`` raises, SignInError, AccountError and TooManyAttemptsError; that the
        provider is away is no attempt.
        """
        key = f"oidc {address}"
        self._attempts.count(key, address)
        try:
            who = vouched()
            user = self.identities.admit(who, address)
        except ProviderError:
            self._attempts.succeeded(key, address)
            raise
        except AccountError as error:
            self.journal.add(
                By("", address), "sign-in", "", result=f"refused: {error}", issuer=issuer
            )
            raise
        self._attempts.succeeded(key, address)
        return self.sessions.begin(user.name, address=address, agent=agent, issuer=issuer)

    def change_password(self, name: str, old: str, new: str, *, address: str) -> None:
        """By the user; ends all sessions and tokens. Raises as ``sign_in``, and AccountError."""
        user = self._proved(name, old, address)
        by = By(user.name, address)
        self.users.set_password(user.name, new, by=by, action="password change")

    def _proved(self, name: str, password: str, address: str) -> User:
        try:
            name = checked_name(name)
        except AccountError:
            name = ""  # nobody's, refused after as long a time
        try:
            self._attempts.count(name, address)
        except TooManyAttemptsError as error:
            if self._attempts.refused_first(name, address):
                self._note_refusal(name, address, f"refused: {error}")
            raise
        known = self.users.with_password(name)
        right = passwords.fits(known[1] if known else None, password)
        if known is None or not right or known[0].disabled:
            why = "wrong password" if not right else "disabled"
            self._note_refusal(name, address, f"refused: {why if known else 'no such user'}")
            raise SignInError("wrong name or password")
        self._attempts.succeeded(name, address)
        user, kept = known
        if passwords.outdated(kept):
            self.users.keep_hash(user.name, kept, passwords.hash_of(password, user.name))
        return user

    def _note_refusal(self, name: str, address: str, why: str) -> None:
        """Without what was typed where it is no user's name: it may have been the password."""
        known = name if self.users.find(name) else ""
        self.journal.add(By(known, address), "sign-in", known, result=why)

    def of_session(self, secret: str) -> SignedIn | None:
        user = self.sessions.user(secret)
        return None if user is None else SignedIn(user, csrf_of(secret))

    def of_token(self, text: str, *, address: str = "") -> SignedIn | None:
        user = self.tokens.user(text, address)
        return None if user is None else SignedIn(user, None)


def csrf_of(secret: str) -> str:
    """What a page of this session puts into its forms; the session's secret can't be told by it."""
    return hashlib.sha256(b"form " + secret.encode()).hexdigest()
