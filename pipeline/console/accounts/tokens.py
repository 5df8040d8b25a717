"""Tokens by which programs use the API in a user's name: ``gw_<id>_<secret>``, shown once."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.console.accounts.journal import UNKNOWN, By
from pipeline.console.accounts.sessions import digest
from pipeline.console.accounts.users import SELECT_USER, user_of
from pipeline.errors import AccountError

if TYPE_CHECKING:
    from pipeline.clock import Clock
    from pipeline.console.accounts.database import Database
    from pipeline.console.accounts.journal import Journal
    from pipeline.console.accounts.users import User

_MOST = 20  # of one user
_LONGEST_LABEL = 60
_USED_S = 60.0  # that a token is in use is written down this often
_NOTE_S = 86400.0  # and that it is from this address, once a day
_REMEMBERED = 10_000  # tokens and addresses


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token afterwards: its label and until when it holds (Unix seconds)."""

    token_id: str
    label: str
    made_at: float
    ends_at: float
    used_at: float | None


class Tokens:
    """The tokens of all users. They are the user's: disabled or with a new password, they end."""

    def __init__(self, db: Database, clock: Clock, journal: Journal) -> None:
        self._db = db
        self._clock = clock
        self._journal = journal
        self._used: dict[tuple[str, str], float] = {}  # token and address -> written down at

    def make(self, name: str, label: str, days: int, *, by: By = UNKNOWN) -> str:
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
            db.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, NULL)", row)
            self._journal.note(db, by, "tokens make", name, token=token_id, label=label)
        return f"gw_{token_id}_{secret}"

    def user(self, text: str, address: str = "") -> User | None:
        """Whose token this is; None for one that is wrong, revoked or past its time.

        That it is used is noted, for each address once a day.
        """
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
        user = user_of(row[:-1])
        now = self._clock.now()
        if now - self._used.get((token_id, address), -_USED_S) >= _USED_S:
            self._note_use(user, token_id, address, now)
        return user

    def _note_use(self, user: User, token_id: str, address: str, now: float) -> None:
        with self._db.writing() as db:
            db.execute("UPDATE tokens SET used_at = ? WHERE id = ?", (now, token_id))
            noted = db.execute(
                "INSERT INTO token_uses SELECT id, ?, ? FROM tokens WHERE id = ? "
                "ON CONFLICT DO UPDATE SET at = excluded.at WHERE excluded.at - at >= ?",
                (address, now, token_id, _NOTE_S),
            )
            if noted.rowcount:
                self._journal.note(
                    db, By(user.name, address), "tokens use", user.name, token=token_id
                )
        if len(self._used) >= _REMEMBERED:
            self._used.clear()
        self._used[token_id, address] = now

    def of(self, name: str) -> list[Token]:
        with self._db.reading() as db:
            rows = db.execute(
                "SELECT id, label, made_at, ends_at, used_at FROM tokens "
                "WHERE name = ? AND ends_at > ? ORDER BY made_at",
                (name, self._clock.now()),
            ).fetchall()
        return [Token(*row) for row in rows]

    def revoke(self, name: str, token_id: str, *, by: By = UNKNOWN) -> None:
        """End a token of this user; another's stays."""
        with self._db.writing() as db:
            ended = db.execute("DELETE FROM tokens WHERE name = ? AND id = ?", (name, token_id))
            if ended.rowcount:
                self._journal.note(db, by, "tokens revoke", name, token=token_id)
