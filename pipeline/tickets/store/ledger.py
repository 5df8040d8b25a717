"""What evidence there is, what was deleted by which rule, and who has read what.

``data_dir/evidence.sqlite``. Deletions and reads are chains: rows that can only be added.
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from pipeline.tickets.store.chain import Chain, Link, Verdict
from pipeline.tickets.store.database import Database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pipeline.clock import Clock

Where = Literal["disk", "bucket"]

_DELETIONS = Chain("deletions", "name", "owner")
_READS = Chain("reads", "name", "owner")
_SCHEMA = (
    """CREATE TABLE objects (
        name TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        camera_id TEXT,
        hazard TEXT,
        kind TEXT,
        sha256 TEXT NOT NULL,
        size INTEGER NOT NULL,
        made_at REAL NOT NULL,
        place TEXT NOT NULL,
        ticket_id TEXT,
        closed_at REAL,
        held INTEGER NOT NULL DEFAULT 0,
        ending TEXT
    )""",
    "CREATE INDEX objects_owner ON objects (owner)",
    "CREATE INDEX objects_ticket ON objects (ticket_id)",
    "CREATE INDEX objects_waiting ON objects (made_at) WHERE place = 'disk'",
    *_DELETIONS.schema(),
    *_READS.schema(),
)


@dataclass(frozen=True, slots=True)
class Item:
    """One file of evidence. ``owner`` is its incident, report or ticket; times are Unix seconds.

    ``hazard`` and ``kind`` choose the duty by which it is kept; None where nobody knows.
    ``ticket_id``, ``closed_at`` and ``held`` are what the desk said at the last sweep.
    """

    name: str
    owner: str
    camera_id: str | None
    hazard: str | None
    kind: str | None
    sha256: str
    size: int
    made_at: float
    place: Where = "disk"
    ticket_id: str | None = None
    closed_at: float | None = None
    held: bool = False


# As they stand in Item.
_COLUMNS = ", ".join(field.name for field in fields(Item))
_MARKS = ", ".join("?" * len(fields(Item)))


class Ledger:
    """Raises EvidenceError when the file can't be opened, read or written."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._database = Database(path, _SCHEMA, clock)

    def close(self) -> None:
        self._database.close()

    def add(self, items: Iterable[Item]) -> None:
        """Enter new files; one of a name that is there takes its place."""
        with self._database.writing() as db:
            db.executemany(
                f"INSERT OR REPLACE INTO objects ({_COLUMNS}) VALUES ({_MARKS})",  # noqa: S608 - our own names
                [astuple(one) for one in items],
            )

    def item(self, name: str) -> Item | None:
        found = self._items("WHERE name = ?", name)
        return found[0] if found else None

    def items(
        self, *, owners: Iterable[str] | None = None, ticket_id: str | None = None
    ) -> list[Item]:
        """Everything, oldest first; or what belongs to these incidents or this ticket."""
        if owners is None and ticket_id is None:
            return self._items("ORDER BY made_at, name")
        wanted = list(owners or ())
        marks = ",".join("?" * len(wanted))
        where = f"WHERE owner IN ({marks}) OR ticket_id = ? ORDER BY made_at, name"
        return self._items(where, *wanted, ticket_id)

    def waiting(self, limit: int) -> list[Item]:
        """What is on this disk alone, oldest first."""
        where = "WHERE place = 'disk' AND ending IS NULL ORDER BY made_at, name LIMIT ?"
        return self._items(where, limit)

    def waiting_bytes(self) -> int:
        with self._database.reading() as db:
            found = db.execute("SELECT total(size) FROM objects WHERE place = 'disk'")
            return int(found.fetchone()[0])

    def placed(self, name: str) -> None:
        """It is in the bucket now."""
        with self._database.writing() as db:
            db.execute("UPDATE objects SET place = 'bucket' WHERE name = ?", (name,))

    def remember(self, items: Iterable[Item]) -> None:
        """What the desk said of their tickets."""
        rows = [
            (one.ticket_id, one.closed_at, one.held, one.hazard, one.kind, one.name)
            for one in items
        ]
        if rows:
            with self._database.writing() as db:
                db.executemany(
                    "UPDATE objects SET ticket_id=?, closed_at=?, held=?, hazard=?, kind=? "
                    "WHERE name=?",
                    rows,
                )

    def begin_deletion(self, name: str, rule: str, found: str) -> None:
        """What is begun is ended after a kill: a deletion and its record belong together.

        ``found``: what the file was before. Of several who begin it the first one's word counts.
        """
        ending = json.dumps({"rule": rule, "found": found})
        with self._database.writing() as db:
            db.execute(
                "UPDATE objects SET ending = ? WHERE name = ? AND ending IS NULL", (ending, name)
            )

    def begun(self) -> list[Item]:
        """Deletions that were begun and not ended."""
        return self._items("WHERE ending IS NOT NULL")

    def end_deletion(self, name: str, said: Mapping[str, Any]) -> None:
        """Record the deletion, once, whoever of several deletes it."""
        with self._database.writing() as db:
            row = db.execute("SELECT ending FROM objects WHERE name = ?", (name,)).fetchone()
            if row is not None and row[0] is not None:
                _DELETIONS.append(db, {**said, **json.loads(row[0])})
                db.execute("DELETE FROM objects WHERE name = ?", (name,))

    def note_read(self, said: Mapping[str, Any]) -> None:
        with self._database.writing() as db:
            _READS.append(db, said)

    def deletions(self, owners: Iterable[str] | None = None) -> list[Link]:
        """All deletions, or those of these incidents, oldest first."""
        return self._links(_DELETIONS, owners)

    def deletion_of(self, name: str) -> Link | None:
        with self._database.reading() as db:
            found = _DELETIONS.rows(db, "name", name)
        return found[-1] if found else None

    def reads(self, owners: Iterable[str] | None = None) -> list[Link]:
        """All reads, or those of these incidents' evidence, oldest first."""
        return self._links(_READS, owners)

    def verify(self) -> dict[str, Verdict]:
        """Whether the chains ``deletions`` and ``reads`` are whole."""
        with self._database.reading() as db:
            return {"deletions": _DELETIONS.verify(db), "reads": _READS.verify(db)}

    def _links(self, chain: Chain, owners: Iterable[str] | None) -> list[Link]:
        with self._database.reading() as db:
            if owners is None:
                return chain.rows(db)
            found = [link for owner in owners for link in chain.rows(db, "owner", owner)]
        return sorted(found, key=lambda link: link.number)

    def _items(self, where: str, *values: object) -> list[Item]:
        with self._database.reading() as db:
            rows: sqlite3.Cursor = db.execute(f"SELECT {_COLUMNS} FROM objects {where}", values)  # noqa: S608 - likewise
            return [_item(row) for row in rows]


def _item(row: tuple[Any, ...]) -> Item:
    values = *row[:-1], bool(row[-1])  # SQLite knows no booleans
    return Item(*values)
