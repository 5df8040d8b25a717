"""Who is signed in: kept on the server, so that it can be ended from here."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

from pipeline.console.accounts.users import SELECT_USER, user_of

if TYPE_CHECKING:
    from pipeline.clock import Clock
    from pipeline.console.accounts.database import Database
    from pipeline.console.accounts.users import User

LONGEST_S = 14 * 86400.0  # then the password is asked for again, however busy the user was
_NOTE_S = 60.0  # that a session is in use is written down this often


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


class Sessions:
    """Secrets of browsers; only their hashes are kept.

    A session ends ``idle_s`` after its last request.
    """

    def __init__(self, db: Database, clock: Clock, *, idle_s: float) -> None:
        self._db = db
        self._clock = clock
        self._idle_s = idle_s

    def begin(self, name: str) -> str:
        """The secret of a new session."""
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        with self._db.writing() as db:
            db.execute(
                "DELETE FROM sessions WHERE seen_at < ? OR began_at < ?",
                (now - self._idle_s, now - LONGEST_S),
            )
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", (digest(secret), name, now, now))
        return secret

    def user(self, secret: str) -> User | None:
        """Whose session it is; None when it has ended or never was."""
        now, kept = self._clock.now(), digest(secret)
        with self._db.reading() as db:
            row = db.execute(
                f"SELECT {SELECT_USER}, seen_at FROM sessions JOIN users USING (name) "  # noqa: S608
                "WHERE hash = ? AND NOT disabled AND seen_at >= ? AND began_at >= ?",
                (kept, now - self._idle_s, now - LONGEST_S),
            ).fetchone()
        if row is None:
            return None
        if now - row[-1] > _NOTE_S:
            with self._db.writing() as db:
                db.execute("UPDATE sessions SET seen_at = ? WHERE hash = ?", (now, kept))
        return user_of(row[:-1])

    def count(self, name: str) -> int:
        """How many browsers are signed in as this user."""
        now = self._clock.now()
        with self._db.reading() as db:
            (count,) = db.execute(
                "SELECT count(*) FROM sessions WHERE name = ? AND seen_at >= ? AND began_at >= ?",
                (name, now - self._idle_s, now - LONGEST_S),
            ).fetchone()
        return int(count)

    def end(self, secret: str) -> None:
        with self._db.writing() as db:
            db.execute("DELETE FROM sessions WHERE hash = ?", (digest(secret),))

    def end_all(self, name: str) -> None:
        with self._db.writing() as db:
            db.execute("DELETE FROM sessions WHERE name = ?", (name,))
