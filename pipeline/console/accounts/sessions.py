"""Who is signed in: kept on the server, so that it can be ended from here."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.console.accounts.journal import By
from pipeline.console.accounts.users import SELECT_USER, user_of

if TYPE_CHECKING:
    from pipeline.clock import Clock
    from pipeline.console.accounts.database import Database
    from pipeline.console.accounts.journal import Journal
    from pipeline.console.accounts.users import User

LONGEST_S = 14 * 86400.0  # then the password is asked for again, however busy the user was
_NOTE_S = 60.0  # that a session is in use is written down this often
_LONGEST_AGENT = 200  # characters of what a browser calls itself
_ID = 16  # hexadecimal digits of a hash: enough to tell one user's sessions apart


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of a session without its secret. Times are Unix seconds.

    ``issuer``: who vouched for the user, None where it was the password.
    """

    session_id: str
    began_at: float
    seen_at: float
    address: str
    agent: str
    issuer: str | None


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


class Sessions:
    """Secrets of browsers; only their hashes are kept.

    A session ends ``idle_s`` after its last request.
    """

    def __init__(self, db: Database, clock: Clock, journal: Journal, *, idle_s: float) -> None:
        self._db = db
        self._clock = clock
        self._journal = journal
        self._idle_s = idle_s

    def begin(
        self, name: str, *, address: str = "", agent: str = "", issuer: str | None = None
    ) -> str:
        """The secret of a new session."""
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        row = (digest(secret), name, now, now, address, agent[:_LONGEST_AGENT], issuer)
        with self._db.writing() as db:
            db.execute(
                "DELETE FROM sessions WHERE seen_at < ? OR began_at < ?",
                (now - self._idle_s, now - LONGEST_S),
            )
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            way = {"issuer": issuer} if issuer else {}
            self._journal.note(db, By(name, address), "sign-in", name, **way)
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

    def of(self, name: str) -> list[Session]:
        """Those of a user that hold, the one used last first."""
        now = self._clock.now()
        with self._db.reading() as db:
            rows = db.execute(
                "SELECT hash, began_at, seen_at, address, agent, issuer FROM sessions "
                "WHERE name = ? AND seen_at >= ? AND began_at >= ? ORDER BY seen_at DESC, hash",
                (name, now - self._idle_s, now - LONGEST_S),
            ).fetchall()
        return [Session(kept.hex()[:_ID], *rest) for kept, *rest in rows]

    def issuer(self, secret: str) -> str | None:
        """Who vouched for the user of this session; None where it was the password."""
        with self._db.reading() as db:
            row = db.execute(
                "SELECT issuer FROM sessions WHERE hash = ?", (digest(secret),)
            ).fetchone()
        return None if row is None else row[0]

    def end(self, secret: str, by: By | None = None) -> None:
        """End one; noted where somebody does it, not where a newer one takes its place."""
        with self._db.writing() as db:
            ended = db.execute("DELETE FROM sessions WHERE hash = ?", (digest(secret),)).rowcount
            if ended and by is not None:
                self._journal.note(db, by, "sign-out", by.who)

    def end_one(self, name: str, session_id: str, by: By) -> bool:
        """End a session of this user by what ``of`` calls it; whether there was one."""
        with self._db.writing() as db:
            ended = db.execute(
                "DELETE FROM sessions WHERE name = ? AND substr(lower(hex(hash)), 1, ?) = ?",
                (name, _ID, session_id),
            ).rowcount
            if ended:
                self._journal.note(db, by, "sessions end", name)
        return bool(ended)

    def end_all(self, name: str, by: By | None = None) -> None:
        with self._db.writing() as db:
            ended = db.execute("DELETE FROM sessions WHERE name = ?", (name,)).rowcount
            if by is not None:
                self._journal.note(db, by, "sessions end", name, ended=ended)
