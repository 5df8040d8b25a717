"""The SQLite file of the evidence: opened when first used, safe among threads and processes."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from pipeline.errors import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipeline.clock import Clock

_VERSION = 1  # PRAGMA user_version of the file
_BUSY_S = 10.0  # another process with the same data_dir may be writing


class Database:
    """Transactions on one file with this ``schema``.

    Raises EvidenceError when it can't be opened, read or written; a file that is damaged is moved
    aside, never deleted, and the next transaction begins an empty one.
    """

    def __init__(self, path: Path, schema: Sequence[str], clock: Clock) -> None:
        self._path = path
        self._schema = schema
        self._clock = clock
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone among all processes; on the disk when it ends."""
        with self._transaction("BEGIN IMMEDIATE") as db:
            yield db

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One moment of the file."""
        with self._transaction("BEGIN") as db:
            yield db

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock:
                db = self._db = self._db or self._open()
                db.execute(begin)
                try:
                    yield db
                except BaseException:
                    db.rollback()
                    raise
                db.commit()
        except sqlite3.Error as error:
            raise EvidenceError(f"{self._path}: {error}; is the disk full or read-only?") from error

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(
                self._path, timeout=_BUSY_S, check_same_thread=False, isolation_level=None
            )
        except OSError as error:
            raise EvidenceError(f"{self._path.parent}: {error.strerror}") from None
        try:
            self._prepare(db)
        except (sqlite3.OperationalError, EvidenceError):
            db.close()
            raise
        except sqlite3.DatabaseError as error:
            db.close()
            raise EvidenceError(
                f"{self._path} is damaged ({error}) and was moved to {self._move_aside()}"
            ) from None
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        damage = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise sqlite3.DatabaseError(damage)
        # Two processes may open a new file at once: look and create under one write lock.
        db.execute("BEGIN IMMEDIATE")
        with db, closing(db.execute("PRAGMA user_version")) as found:
            version = int(found.fetchone()[0])
            if version == 0:
                for statement in self._schema:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {_VERSION}")
            elif version != _VERSION:
                raise EvidenceError(
                    f"{self._path} has layout {version}, this gridwatch knows {_VERSION}"
                )

    def _move_aside(self) -> Path:
        aside = self._path.with_name(f"{self._path.name}.damaged-{int(self._clock.now())}")
        for suffix in ("", "-wal", "-shm"):
            part = self._path.with_name(self._path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        return aside
