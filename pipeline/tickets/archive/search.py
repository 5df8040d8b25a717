"""Searching the archive: each question goes by an index that already has the answer's order.

A planner that guesses wrong reads two million rows, so nothing is left to it: texts go by the
words, grids, hazards and states by the groups that exist, boxes by the cells that exist, and each
of those branches stops at as many as are wanted.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, union_all

from pipeline.errors import InputError
from pipeline.tickets.archive.tables import (
    cells,
    cells_within,
    first_key_of,
    groups,
    key_of,
    keys_of,
    tickets,
)
from pipeline.tickets.archive.words import words_asked
from pipeline.tickets.wire import at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Select

    from pipeline.tickets.archive.words import Words

_CHINA = timedelta(hours=8)  # the day in a ticket's number is the local one
_DAY = timedelta(days=1)
_PAGE_IN_BOX = 1000  # hits read first where few of them are where the box is
_MOST_HITS = 5000  # of one statement; SQLite allows 32,766 values


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for; what is None doesn't matter.

    ``number``: of a ticket, or the beginning of some. ``since`` and ``until`` bound when a ticket
    was first filed (Unix seconds). ``box``: west, south, east, north in degrees WGS-84. ``text``:
    part of the address or of a reason that somebody gave. ``before``: only tickets older than this
    number, for a next page.
    """

    number: str | None = None
    grid: str | None = None
    hazard: str | None = None
    state: str | None = None
    since: float | None = None
    until: float | None = None
    box: tuple[float, float, float, float] | None = None
    text: str | None = None
    before: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Found:
    """One line of an answer. Times are Unix seconds UTC, the place is WGS-84."""

    ticket_id: str
    hazard: str
    state: str
    grid: str
    department: str
    severity: str
    opened_at: float
    closed_at: float
    lon: float
    lat: float
    address: str
    reason: str


_COLUMNS = tuple(tickets.c[field.name] for field in fields(Found))


def found_in(db: Connection, words: Words, query: Query) -> list[Found]:
    """The newest that fit. Raises InputError for a text without a letter or a digit."""
    if query.text is not None:
        keys = _by_words(db, words, query)
    elif query.box is not None and query.grid is None:
        keys = _by_cells(db, query)
    else:
        keys = _by_groups(db, query)
    return [
        Found(*row)
        for start in range(0, len(keys), _MOST_HITS)
        for row in db.execute(_lines(keys[start : start + _MOST_HITS]))
    ]


def _lines(keys: Sequence[int]) -> Select[Any]:
    """What is told of these, newest first: only at the end are rows read, which are long."""
    newest_first = tickets.c.key.desc()
    return select(*_COLUMNS).where(tickets.c.key.in_(keys)).order_by(newest_first)


def _newest(query: Query, *own: ColumnElement[bool]) -> Select[Any]:
    fitting = select(tickets.c.key).where(*own, *_times(query), *_others(query))
    return fitting.order_by(tickets.c.key.desc())


def _by_words(db: Connection, words: Words, query: Query) -> list[int]:
    """Hits are taken newest first, page by page, until enough of them fit in all else.

    Of a page only those are read that lie in the box: a word that is used everywhere has hundreds
    of hits for each that lies in a small one.
    """
    named = (("grid", query.grid), ("hazard", query.hazard), ("state", query.state))
    marks, pairs = words_asked(
        query.text or "", {name: value for name, value in named if value is not None}
    )
    if not pairs:
        raise InputError(
            "nothing to look for", where="--text", found=repr(query.text), allowed="letters, digits"
        )
    hits = words.matching(marks, pairs).subquery("hits")
    hit = select(hits.c.key).where(*_times(query, hits.c.key)).order_by(hits.c.key.desc())
    newest = hit
    touched = None if query.box is None else _cells_of(db, query.box)
    found: list[int] = []
    page = query.limit if touched is None else _PAGE_IN_BOX
    while len(found) < query.limit:
        keys = db.execute(newest.limit(page)).scalars().all()
        inside = list(keys) if touched is None else _inside(db, query, keys, touched)
        if inside:
            found += db.execute(_newest(query, tickets.c.key.in_(inside))).scalars()
        if len(keys) < page:
            break
        newest = hit.where(hits.c.key < keys[-1])
        page = min(2 * page, _MOST_HITS)
    return found[: query.limit]


def _by_cells(db: Connection, query: Query) -> list[int]:
    """Cell after cell, each only for what is newer than the worst that would still be told."""
    assert query.box is not None
    fitting = [tickets.c.cell == bindparam("at"), tickets.c.key > bindparam("newer_than")]
    newest = _newest(query, *fitting).limit(query.limit)
    keys: list[int] = []
    for cell in _cells_of(db, query.box):
        worst = keys[-1] if len(keys) == query.limit else 0
        found = db.execute(newest, {"at": cell, "newer_than": worst}).scalars()
        keys = heapq.nlargest(query.limit, [*keys, *found])
    return keys


def _cells_of(db: Connection, box: tuple[float, float, float, float]) -> list[int]:
    """The cells with any ticket that the box touches."""
    rows, columns = cells_within(*box)
    there = db.execute(select(cells.c.cell)).scalars()
    return [cell for cell in there if cell // 10**6 in rows and cell % 10**6 in columns]


def _inside(db: Connection, query: Query, keys: Sequence[int], touched: list[int]) -> list[int]:
    """Those of the keys, newest first, that fit in all that the index of these cells tells."""
    if not keys:
        return []
    there = select(tickets.c.key).where(
        tickets.c.cell.in_(touched), tickets.c.key.between(keys[-1], keys[0]), *_others(query)
    )
    fitting = set(db.execute(there).scalars())
    return [key for key in keys if key in fitting]


def _by_groups(db: Connection, query: Query) -> list[int]:
    """Every column of an index up to the order is fixed, so that it needn't be sorted."""
    branches = [_newest(query)]
    if query.grid or query.hazard or query.state:
        branches = [_newest(query, *fixed) for fixed in _groups_of(db, query)]  # a dozen at most
    if not branches:
        return []
    parts = [select(branch.limit(query.limit).subquery()) for branch in branches]
    return heapq.nlargest(query.limit, db.execute(union_all(*parts)).scalars())


def _groups_of(db: Connection, query: Query) -> Iterator[list[ColumnElement[bool]]]:
    columns = [groups.c.hazard, groups.c.state]
    if query.grid is not None:
        columns.insert(0, groups.c.grid)
    asked = {"grid": query.grid, "hazard": query.hazard, "state": query.state}
    fixed = [groups.c[name] == value for name, value in asked.items() if value is not None]
    for group in db.execute(select(*columns).where(*fixed).distinct()).mappings():
        yield [tickets.c[name] == value for name, value in group.items()]


def _times(query: Query, key: Any = tickets.c.key) -> list[ColumnElement[bool]]:
    """Bounds of the order itself: by the day in the number, with a day to spare."""
    found = []
    if query.since is not None:
        found.append(key >= first_key_of(format(at(query.since) + _CHINA - _DAY, "%Y%m%d")))
    if query.until is not None:
        found.append(key < first_key_of(format(at(query.until) + _CHINA + 2 * _DAY, "%Y%m%d")))
    if query.number is not None:
        low, high = keys_of(query.number)
        found.append(key.between(low, high))
    if query.before is not None:
        found.append(key < key_of(query.before))
    return found


def _others(query: Query) -> list[ColumnElement[bool]]:
    """The exact conditions; those of an index are said once more, which costs nothing."""
    found = [
        column == value
        for column, value in (
            (tickets.c.grid, query.grid),
            (tickets.c.hazard, query.hazard),
            (tickets.c.state, query.state),
        )
        if value is not None
    ]
    if query.since is not None:
        found.append(tickets.c.opened_at >= query.since)
    if query.until is not None:
        found.append(tickets.c.opened_at <= query.until)
    if query.box is not None:
        west, south, east, north = query.box
        found += [tickets.c.lon.between(west, east), tickets.c.lat.between(south, north)]
    return found
