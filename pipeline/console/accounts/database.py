"""The file of accounts: SQLite under data_dir, shared by the console and ``gridwatch users``."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.errors import AccountError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_VERSION = 2  # PRAGMA user_version of the file
_BUSY_S = 10.0  # a command may be writing while the console reads

# Secrets that are long and random are kept as a plain hash; passwords by argon2.
_SCHEMA = """
CREATE TABLE users (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    grids TEXT NOT NULL,
    password TEXT NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL
);
CREATE TABLE sessions (
    hash BLOB PRIMARY KEY,
    name TEXT NOT NULL REFERENCES users(name) ON DELETE CASCADE,
    began_at REAL NOT NULL,
    seen_at REAL NOT NULL
);
CREATE INDEX sessions_of ON sessions(name);
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL,
    name TEXT NOT NULL REFERENCES users(name) ON DELETE CASCADE,
    label TEXT NOT NULL,
    made_at REAL NOT NULL,
    ends_at REAL NOT NULL
);
CREATE TABLE attempts (key TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX attempts_of ON attempts(key, at);
"""
_STEPS = {
    1: """
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN issuer TEXT;
ALTER TABLE tokens ADD COLUMN used_at REAL;
CREATE TABLE token_uses (
    id TEXT NOT NULL REFERENCES tokens(id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (id, address)
);
CREATE TABLE identities (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    name TEXT NOT NULL REFERENCES users(name) ON DELETE CASCADE,
    PRIMARY KEY (issuer, subject)
);
CREATE TABLE journal (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    who TEXT NOT NULL,
    origin TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    result TEXT NOT NULL,
    details TEXT NOT NULL
)
"""
}
"""What brings a file of this version to the next."""


class Database:
    """One connection, used by one thread at a time. Raises AccountError where SQLite fails."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Hashes of passwords are nobody else's business; SQLite's side files take this mode.
            path.touch(mode=0o600)
            self._db = sqlite3.connect(
                path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._set_up()
        except (OSError, sqlite3.Error) as error:
            raise AccountError(f"{path}: the accounts can't be opened: {error}") from None

    def _set_up(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        with self.writing() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise AccountError(
                    f"{self._path}: accounts of version {version}, this gridwatch knows {_VERSION}"
                )
            for older in range(version, _VERSION):
                for statement in (_STEPS[older] if older else _SCHEMA).split(";"):
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._mapped():
            yield self._db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """All of the block or nothing, also beside other processes."""
        with self._lock, self._mapped():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise AccountError(f"{self._path}: {error}") from None

    def close(self) -> None:
        with self._lock:
            self._db.close()
