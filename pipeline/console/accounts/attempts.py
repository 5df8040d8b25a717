"""How often somebody may try a password: counted by account and by address, over restarts too."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipeline.errors import TooManyAttemptsError

if TYPE_CHECKING:
    from pipeline.clock import Clock
    from pipeline.console.accounts.database import Database

WINDOW_S = 15 * 60.0
# A person who mistypes needs a few; a village office shares one address.
MOST_BY_ACCOUNT = 8
MOST_BY_ADDRESS = 60


class Attempts:
    """An attempt is counted before the password is looked at, so that many at once gain nothing."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def count(self, name: str, address: str) -> None:
        """Count one. Raises TooManyAttemptsError that says when it may be tried again."""
        now = self._clock.now()
        limits = ((f"name {name}", MOST_BY_ACCOUNT), (f"address {address}", MOST_BY_ADDRESS))
        with self._db.writing() as db:
            db.execute("DELETE FROM attempts WHERE at <= ?", (now - WINDOW_S,))
            for key, most in limits:
                times = [
                    at
                    for (at,) in db.execute(
                        "SELECT at FROM attempts WHERE key = ? ORDER BY at", (key,)
                    )
                ]
                if len(times) >= most:
                    wait_s = times[len(times) - most] + WINDOW_S - now
                    raise TooManyAttemptsError(math.ceil(wait_s))
            db.executemany("INSERT INTO attempts VALUES (?, ?)", [(key, now) for key, _ in limits])

    def refused_first(self, name: str, address: str) -> bool:
        """Whether nobody was told yet, within this time, that this name must wait from there."""
        now, key = self._clock.now(), f"told {name} {address}"
        with self._db.writing() as db:
            if db.execute("SELECT 1 FROM attempts WHERE key = ?", (key,)).fetchone():
                return False
            db.execute("INSERT INTO attempts VALUES (?, ?)", (key, now))
        return True

    def succeeded(self, name: str, address: str) -> None:
        """It was the right password: what was counted for this account is forgotten."""
        with self._db.writing() as db:
            db.execute("DELETE FROM attempts WHERE key = ?", (f"name {name}",))
            db.execute(
                "DELETE FROM attempts WHERE rowid = "
                "(SELECT max(rowid) FROM attempts WHERE key = ?)",
                (f"address {address}",),
            )
