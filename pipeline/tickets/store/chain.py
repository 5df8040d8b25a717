"""A table to which rows can only be added, and in which a changed or missing row shows.

Each row carries the SHA-256 of itself and of the hash before it; triggers refuse to change or
delete one. Whoever has noted the newest hash elsewhere can tell that none was cut off at the end.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping

_BEFORE_ALL = "0" * 64


@dataclass(frozen=True, slots=True)
class Link:
    """One row: its number from 1, what it says, and its hash."""

    number: int
    said: Mapping[str, Any]
    hash: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """``rows`` were checked up to the hash ``head``; ``broken``: what is wrong first, or empty."""

    rows: int
    head: str
    broken: str = ""


class Chain:
    """The rows of ``table``. ``indexed`` are fields by which rows are looked for.

    All methods work within the caller's transaction; ``append`` needs one that locks at once.
    """

    def __init__(self, table: str, *indexed: str) -> None:
        self._table = table
        self._indexed = indexed

    def schema(self) -> tuple[str, ...]:
        """The statements that make it."""
        table = self._table
        fixed = "BEGIN SELECT RAISE(ABORT, 'rows can only be added'); END"
        return (
            f"CREATE TABLE {table} (number INTEGER PRIMARY KEY, said TEXT, hash TEXT)",
            f"CREATE TRIGGER {table}_unchanged BEFORE UPDATE ON {table} {fixed}",
            f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} {fixed}",
            *(
                f"CREATE INDEX {table}_{field} ON {table} (json_extract(said, '$.{field}'))"
                for field in self._indexed
            ),
        )

    def append(self, db: sqlite3.Connection, said: Mapping[str, Any]) -> Link:
        """Add a row."""
        newest = db.execute(
            f"SELECT number, hash FROM {self._table} ORDER BY number DESC LIMIT 1"  # noqa: S608 - our own name
        ).fetchone()
        number, before = (newest[0] + 1, newest[1]) if newest else (1, _BEFORE_ALL)
        text = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        link = Link(number, said, _hash(before, number, text))
        db.execute(
            f"INSERT INTO {self._table} VALUES (?, ?, ?)",  # noqa: S608 - likewise
            (number, text, link.hash),
        )
        return link

    def rows(self, db: sqlite3.Connection, field: str = "", value: object = None) -> list[Link]:
        """All rows, or those that say this, oldest first. ``field`` is one of ``indexed``."""
        assert field in ("", *self._indexed)
        where = f"WHERE json_extract(said, '$.{field}') = ?" if field else ""
        found = db.execute(
            f"SELECT number, said, hash FROM {self._table} {where} ORDER BY number",  # noqa: S608 - likewise
            (value,) if field else (),
        )
        return [Link(number, json.loads(said), digest) for number, said, digest in found]

    def verify(self, db: sqlite3.Connection) -> Verdict:
        """Look whether every row is as it was written and none is missing before the newest."""
        before, count = _BEFORE_ALL, 0
        for number, said, digest in self._raw(db):
            count += 1
            if number != count:
                return Verdict(count - 1, before, f"row {count} is missing")
            if digest != _hash(before, number, said):
                return Verdict(count - 1, before, f"row {count} is not as it was written")
            before = digest
        return Verdict(count, before)

    def _raw(self, db: sqlite3.Connection) -> Iterator[tuple[int, str, str]]:
        yield from db.execute(
            f"SELECT number, said, hash FROM {self._table} ORDER BY number"  # noqa: S608 - likewise
        )


def _hash(before: str, number: int, said: str) -> str:
    return hashlib.sha256(f"{before}\n{number}\n{said}".encode()).hexdigest()
