"""What happens to accounts, noted in the same step; the audit takes the notes over from here.

So nothing changes without a note, and nobody waits for Redis to be let in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from pipeline.clock import Clock
    from pipeline.console.accounts.database import Database

_LONGEST = 200  # characters of what somebody typed
_MOST = 100_000  # while the audit is away for weeks the oldest go, and the gap is noted


@dataclass(frozen=True, slots=True)
class By:
    """Who does it, and from which address or machine."""

    who: str
    origin: str


UNKNOWN = By("", "")


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the audit. ``number`` only grows; ``at`` is Unix seconds."""

    number: int
    at: float
    who: str
    origin: str
    action: str
    subject: str
    result: str
    details: Mapping[str, Any]


class Journal:
    """The notes that the audit hasn't got yet."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def note(
        self,
        db: sqlite3.Connection,
        by: By,
        action: str,
        subject: str,
        *,
        result: str = "done",
        **details: object,
    ) -> None:
        """Write it down within a transaction of the caller's."""
        row = (
            self._clock.now(),
            by.who[:_LONGEST],
            by.origin[:_LONGEST],
            action,
            subject[:_LONGEST],
            result[:_LONGEST],
            json.dumps(details, ensure_ascii=False, sort_keys=True),
        )
        added = db.execute(
            "INSERT INTO journal (at, who, origin, action, subject, result, details) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        db.execute("DELETE FROM journal WHERE number <= ?", ((added.lastrowid or 0) - _MOST,))

    def add(
        self, by: By, action: str, subject: str, *, result: str = "done", **details: object
    ) -> None:
        """Write it down by itself."""
        with self._db.writing() as db:
            self.note(db, by, action, subject, result=result, **details)

    def waiting(self, limit: int = 100) -> list[Note]:
        """The oldest that the audit hasn't got."""
        with self._db.reading() as db:
            rows = db.execute("SELECT * FROM journal ORDER BY number LIMIT ?", (limit,)).fetchall()
        return [
            Note(number, at, who, origin, action, subject, result, json.loads(details))
            for number, at, who, origin, action, subject, result, details in rows
        ]

    def taken(self, number: int) -> None:
        """The audit has this one and all before it."""
        with self._db.writing() as db:
            db.execute("DELETE FROM journal WHERE number <= ?", (number,))
