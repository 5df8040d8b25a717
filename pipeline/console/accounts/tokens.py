"""Tokens by which programs use the API in a user's name: ``gw_<id>_<secret>``, shown once."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.console.accounts.sessions import digest
from pipeline.console.accounts.users import SELECT_USER, user_of
from pipeline.errors import AccountError

if TYPE_CHECKING:
    from pipeline.clock import Clock
    from pipeline.console.accounts.database import Database
    from pipeline.console.accounts.users import User

_MOST = 20  # of one user
_LONGEST_LABEL = 60


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token afterwards: its label and until when it holds (Unix seconds)."""

    token_id: str
    label: str
    made_at: float
    ends_at: float


class Tokens:
    """The tokens of all users. They are the user's: disabled or with a new password, they end."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def make(self, name: str, label: str, days: int) -> str:
        """A new token. Raises AccountError when there are too many or the label is no label."""
        label = label.strip()
        if not label or len(label) > _LONGEST_LABEL or not label.isprintable():
            raise AccountError(f"a token needs a label of 1 to {_LONGEST_LABEL} characters")
        now, token_id, secret = self._clock.now(), secrets.token_hex(4), secrets.token_urlsafe(32)
        with self._db.writing() as db:
            db.execute("DELETE FROM tokens WHERE ends_at <= ?", (now,))
            (count,) = db.execute("SELECT count(*) FROM tokens WHERE name = ?", (name,)).fetchone()
            if count >= _MOST:
                raise AccountError(f"{name} has {count} tokens; revoke one first")
            row = (token_id, digest(secret), name, label, now, now + days * 86400.0)
            db.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?)", row)
        return f"gw_{token_id}_{secret}"

    def user(self, text: str) -> User | None:
        """Whose token this is; None for one that is wrong, revoked or past its time."""
        prefix, _, rest = text.partition("_")
        token_id, _, secret = rest.partition("_")
        if prefix != "gw" or not secret:
            return None
        with self._db.reading() as db:
            row = db.execute(
                f"SELECT {SELECT_USER}, hash FROM tokens JOIN users USING (name) "  # noqa: S608
                "WHERE id = ? AND NOT disabled AND ends_at > ?",
                (token_id, self._clock.now()),
            ).fetchone()
        if row is None or not hmac.compare_digest(row[-1], digest(secret)):
            return None
        return user_of(row[:-1])

    def of(self, name: str) -> list[Token]:
        with self._db.reading() as db:
            rows = db.execute(
                "SELECT id, label, made_at, ends_at FROM tokens WHERE name = ? AND ends_at > ? "
                "ORDER BY made_at",
                (name, self._clock.now()),
            ).fetchall()
        return [Token(*row) for row in rows]

    def revoke(self, name: str, token_id: str) -> None:
        """End a token of this user; another's stays."""
        with self._db.writing() as db:
            db.execute("DELETE FROM tokens WHERE name = ? AND id = ?", (name, token_id))
