"""What the archive keeps: tickets with all that belongs to them, and the audit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, delete, func, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.tickets.archive import tables as t
from pipeline.tickets.archive.database import Database
from pipeline.tickets.archive.packed import Packed, packed_from_rows
from pipeline.tickets.archive.search import Found, Query, found_in
from pipeline.tickets.archive.words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Table

    from pipeline.tickets.audit import Wanted

_PAGE = 500


class Archive:
    """The tickets and the audit that have left Redis.

    ``url``: of a PostgreSQL database, None: the SQLite file ``file``. ``town``: the desk's prefix.
    Nothing is opened before it is needed. Methods raise ArchiveUnavailableError when the database
    is away, and ArchiveError for one that is another town's.
    """

    def __init__(self, url: str | None, file: Path, town: str) -> None:
        self._base = Database(url, file, town)

    def close(self) -> None:
        self._base.close()

    @property
    def name(self) -> str:
        """The file or the URL, without a password."""
        return self._base.name

    @property
    def identity(self) -> str:
        return self._base.identity

    def write(self, batch: Sequence[Packed]) -> dict[str, str]:
        """Keep these tickets; on the disk when it returns. Again, it changes nothing.

        A snapshot never replaces a later one. Returns ticket number -> digest of what is kept now.
        """
        by_key = {one.key: one for one in batch}
        with self._base.writing() as db:
            known = {
                row.key: row
                for row in db.execute(select(t.tickets).where(t.tickets.c.key.in_(by_key)))
            }
            fresh = [
                one for key, one in by_key.items() if key not in known or known[key].take < one.take
            ]
            self._remove(db, [known[one.key] for one in fresh if one.key in known])
            self._insert(db, fresh)
        kept = {row.ticket_id: str(row.digest) for row in known.values()}
        return kept | {one.ticket_id: one.digest for one in fresh}

    def last_take(self) -> int:
        """The highest number of a snapshot that is kept; reads the whole archive."""
        with self._base.reading() as db:
            return int(db.execute(select(func.max(t.tickets.c.take))).scalar() or 0)

    def ticket(self, ticket_id: str) -> Packed | None:
        if not t.is_number(ticket_id):
            return None
        found = self.tickets([t.key_of(ticket_id)])
        return found[0] if found else None

    def ticket_of(self, incident_id: str) -> str | None:
        """The number of the ticket that holds this incident.

        Of several, one that was merged into another comes last.
        """
        merged = case((t.tickets.c.state == "merged", 1), else_=0)
        query = (
            select(t.tickets.c.ticket_id)
            .join(t.incidents, t.incidents.c.key == t.tickets.c.key)
            .where(t.incidents.c.incident_id == incident_id)
            .order_by(merged, t.tickets.c.key.desc())
            .limit(1)
        )
        with self._base.reading() as db:
            found = db.execute(query).scalar()
        return None if found is None else str(found)

    def tickets(self, keys: Sequence[int]) -> list[Packed]:
        """Whole tickets, newest first; keys that aren't there are left out."""
        with self._base.reading() as db:
            return [
                one
                for start in range(0, len(keys), _PAGE)
                for one in self._read(db, keys[start : start + _PAGE])
            ]

    def search(self, query: Query) -> list[Found]:
        """The newest that fit, newest first, at most ``query.limit``."""
        with self._base.reading() as db:
            return found_in(db, self._base.words, query)

    def histories(
        self, since_day: str, until_day: str
    ) -> Iterator[tuple[str, dict[str, str], list[str]]]:
        """Number, fields and steps (JSON) of tickets filed on these local days, both included."""
        low, high = (
            t.first_key_of(since_day),
            t.first_key_of(until_day.ljust(8, "9")) + t.first_key_of("1"),
        )
        while True:
            rows = self._page(low, high)
            if not rows:
                return
            keys = [row.key for row in rows]
            with self._base.reading() as db:
                steps = _by_key(db, t.steps, keys, t.steps.c.content, t.steps.c.number)
            for row in rows:
                yield row.ticket_id, json.loads(row.fields), steps.get(row.key, [])
            low = keys[-1] + 1

    def counts(self) -> dict[str, int]:
        """How many tickets (by their end) and lines of the audit are kept."""
        with self._base.reading() as db:
            states = db.execute(select(t.groups.c.state).distinct()).scalars().all()
            found = {
                state: db.execute(
                    select(func.count()).select_from(t.tickets).where(t.tickets.c.state == state)
                ).scalar_one()
                for state in sorted(states)
            }
            lines = db.execute(select(func.count()).select_from(t.audit)).scalar_one()
        return {**found, "audit": lines}

    def keep_audit(self, rows: Sequence[dict[str, Any]]) -> dict[int, str]:
        """Keep lines of the audit; returns number -> hash of what is kept under these numbers."""
        numbers = [row["number"] for row in rows]
        with self._base.writing() as db:
            self._add_missing(db, t.audit, list(rows))
            kept = db.execute(
                select(t.audit.c.number, t.audit.c.hash).where(t.audit.c.number.in_(numbers))
            )
            return {number: str(digest) for number, digest in kept}

    def last_audit(self) -> tuple[int, str] | None:
        """Number and hash of the newest line."""
        newest = select(t.audit.c.number, t.audit.c.hash).order_by(t.audit.c.number.desc()).limit(1)
        with self._base.reading() as db:
            row = db.execute(newest).first()
        return None if row is None else (row.number, row.hash)

    def audit(self, first: int = 1) -> Iterator[tuple[int, str, str]]:
        """Number, content (JSON) and hash of all lines from this number on, oldest first."""
        while True:
            page = (
                select(t.audit.c.number, t.audit.c.content, t.audit.c.hash)
                .where(t.audit.c.number >= first)
                .order_by(t.audit.c.number)
                .limit(_PAGE)
            )
            with self._base.reading() as db:
                rows = db.execute(page).all()
            yield from ((row.number, row.content, row.hash) for row in rows)
            if len(rows) < _PAGE:
                return
            first = rows[-1].number + 1

    def newest_audit(
        self, wanted: Wanted, *, below: int | None, limit: int
    ) -> list[tuple[int, str, str]]:
        """The same, newest first, of those that are wanted."""
        query = select(t.audit.c.number, t.audit.c.content, t.audit.c.hash)
        conditions = [
            getattr(t.audit.c, name) == value
            for name, value in (("who", wanted.who), ("subject", wanted.subject))
            if value is not None
        ]
        if below is not None:
            conditions.append(t.audit.c.number < below)
        if wanted.actions:
            action = t.audit.c.action
            conditions.append(
                or_(
                    *(
                        or_(action == one, action.startswith(f"{one} ", autoescape=True))
                        for one in wanted.actions
                    )
                )
            )
        if wanted.since is not None:
            conditions.append(t.audit.c.at >= wanted.since)
        if wanted.until is not None:
            conditions.append(t.audit.c.at < wanted.until)
        newest = query.where(*conditions).order_by(t.audit.c.number.desc()).limit(limit)
        with self._base.reading() as db:
            rows = db.execute(newest).all()
        return [(row.number, row.content, row.hash) for row in rows]

    def _page(self, low: int, high: int) -> Sequence[Any]:
        columns = (t.tickets.c.key, t.tickets.c.ticket_id, t.tickets.c.fields)
        query = select(*columns).where(t.tickets.c.key >= low, t.tickets.c.key < high)
        with self._base.reading() as db:
            return db.execute(query.order_by(t.tickets.c.key).limit(_PAGE)).all()

    def _read(self, db: Connection, keys: Sequence[int]) -> list[Packed]:
        newest_first = t.tickets.c.key.desc()
        rows = db.execute(select(t.tickets).where(t.tickets.c.key.in_(keys)).order_by(newest_first))
        steps = _by_key(db, t.steps, keys, t.steps.c.content, t.steps.c.number)
        found = _named(db, t.incidents, keys, t.incidents.c.incident_id)
        pictures = _named(db, t.evidence, keys, t.evidence.c.name)
        return [
            packed_from_rows(
                row, steps.get(row.key, []), found.get(row.key, {}), pictures.get(row.key, {})
            )
            for row in rows
        ]

    def _remove(self, db: Connection, rows: Sequence[Any]) -> None:
        if not rows:
            return
        keys = [row.key for row in rows]
        self._base.words.remove(db, [(row.key, _words(row)) for row in rows])
        for table in (*t.PARTS_OF_TICKETS, t.tickets):
            db.execute(delete(table).where(table.c.key.in_(keys)))

    def _insert(self, db: Connection, fresh: Sequence[Packed]) -> None:
        rows = [one.ticket_row() for one in fresh]
        if not rows:
            return
        db.execute(insert(t.tickets), rows)
        for table, found in (
            (t.steps, [row for one in fresh for row in one.step_rows()]),
            (t.incidents, [row for one in fresh for row in one.incident_rows()]),
            (t.evidence, [row for one in fresh for row in one.evidence_rows()]),
        ):
            if found:
                db.execute(insert(table), found)
        self._base.words.put(db, [(row["key"], _words(_Row(row))) for row in rows])
        groups = {(row["grid"], row["hazard"], row["state"]) for row in rows}
        names = ("grid", "hazard", "state")
        self._add_missing(db, t.groups, [dict(zip(names, one, strict=True)) for one in groups])
        self._add_missing(db, t.cells, [{"cell": cell} for cell in {row["cell"] for row in rows}])

    def _add_missing(self, db: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
        make: Any = sqlite.insert if self._base.sqlite else postgresql.insert
        db.execute(make(table).on_conflict_do_nothing(), rows)


class _Row:
    """A row that is about to be written, read like one that was."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)


def _words(row: Any) -> list[str]:
    marks = {"grid": row.grid, "hazard": row.hazard, "state": row.state}
    return words_of((row.address, row.reason), marks)


def _by_key(
    db: Connection, table: Table, keys: Iterable[int], column: Any, order: Any
) -> dict[int, list[str]]:
    rows = db.execute(
        select(table.c.key, column).where(table.c.key.in_(keys)).order_by(table.c.key, order)
    )
    found: dict[int, list[str]] = {}
    for key, text in rows:
        found.setdefault(key, []).append(text)
    return found


def _named(
    db: Connection, table: Table, keys: Iterable[int], name: Any
) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for key, called, text in db.execute(
        select(table.c.key, name, table.c.content).where(table.c.key.in_(keys))
    ):
        found.setdefault(key, {})[called] = text
    return found
