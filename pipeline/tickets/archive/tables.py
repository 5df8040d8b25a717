"""The tables of the archive. Whoever reads them with other tools may rely on their names.

``key`` is a ticket's number as an integer (YL20261123-000123 -> 20261123000000123): numbers are
given in the order of filing, so the newest come first by it, on every index.
"""

from __future__ import annotations

import re

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

from pipeline.errors import ArchiveError

VERSION = "1"
CELL_DEG = 0.005
"""Side of a cell, about 500 m: a town has some hundred of them, a cell some thousand tickets."""

_NUMBER = re.compile(r"[A-Z]+(\d{8})-(\d{6,9})")
_PER_DAY = 10**9

metadata = MetaData()
_Key = BigInteger().with_variant(Integer, "sqlite")  # there it is the number of the row itself

about = Table("about", metadata, Column("name", Text, primary_key=True), Column("value", Text))

tickets = Table(
    "tickets",
    metadata,
    Column("key", _Key, primary_key=True, autoincrement=False),
    Column("ticket_id", Text, nullable=False),
    # Which snapshot this is: a later one replaces it, an earlier one never does.
    Column("take", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("hazard", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("grid", Text, nullable=False),
    Column("department", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("opened_at", Float(53), nullable=False),  # Unix seconds UTC, like all times
    Column("closed_at", Float(53), nullable=False),
    Column("lon", Float(53), nullable=False),  # WGS-84
    Column("lat", Float(53), nullable=False),
    Column("cell", BigInteger, nullable=False),
    Column("address", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("fields", Text, nullable=False),  # JSON object: the ticket as it stood in Redis
    Column("rest", Text, nullable=False),  # JSON: whatever else belonged to it there
)
# Each way of asking has an index that ends in the order of the answer, so that the newest are
# found without sorting what fits.
Index("tickets_grid", tickets.c.grid, tickets.c.hazard, tickets.c.state, tickets.c.key)
Index("tickets_hazard", tickets.c.hazard, tickets.c.state, tickets.c.key)
# What lies in a box is told by this index alone: a row for each ticket in a cell would be read.
Index(
    "tickets_place",
    tickets.c.cell,
    tickets.c.key,
    tickets.c.lon,
    tickets.c.lat,
    tickets.c.hazard,
    tickets.c.state,
    tickets.c.opened_at,
)
OLD_INDEXES = ("tickets_cell",)
"""Of archives that an earlier gridwatch made; each has been replaced by another."""

steps = Table(
    "steps",
    metadata,
    Column("key", _Key, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Float(53), nullable=False),
    Column("action", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("content", Text, nullable=False),  # JSON, the whole step
    sqlite_with_rowid=False,
)

incidents = Table(
    "incidents",
    metadata,
    Column("key", _Key, primary_key=True, autoincrement=False),
    Column("incident_id", Text, primary_key=True),
    Column("content", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index("incidents_id", incidents.c.incident_id)

evidence = Table(
    "evidence",
    metadata,
    Column("key", _Key, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("content", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What there is at all, so that a search knows where to look: a few thousand rows for a town.
groups = Table(
    "ticket_groups",
    metadata,
    Column("grid", Text, primary_key=True),
    Column("hazard", Text, primary_key=True),
    Column("state", Text, primary_key=True),
    sqlite_with_rowid=False,
)
cells = Table(
    "ticket_cells",
    metadata,
    Column("cell", _Key, primary_key=True, autoincrement=False),
)

audit = Table(
    "audit",
    metadata,
    Column("number", _Key, primary_key=True, autoincrement=False),
    Column("at", Float(53), nullable=False),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("content", Text, nullable=False),  # JSON, what the hash is made of
    Column("hash", Text, nullable=False),
)
Index("audit_subject", audit.c.subject, audit.c.number)
Index("audit_who", audit.c.who, audit.c.number)

PARTS_OF_TICKETS = (steps, incidents, evidence)


def is_number(ticket_id: str) -> bool:
    return _NUMBER.fullmatch(ticket_id) is not None


def key_of(ticket_id: str) -> int:
    """Raises ArchiveError for what is no ticket number."""
    found = _NUMBER.fullmatch(ticket_id)
    if found is None:
        raise ArchiveError(f"{ticket_id[:60]!r} is no ticket number such as YL20261123-000123")
    return int(found[1]) * _PER_DAY + int(found[2])


def day_of(ticket_id: str) -> str:
    """The local day in a ticket's number, ``20261123``."""
    return str(key_of(ticket_id) // _PER_DAY)


def keys_of(number: str) -> tuple[int, int]:
    """The keys, both included, of a number or of the beginning of some (``YL202611``).

    Raises ArchiveError for what no number begins with.
    """
    if is_number(number):
        return key_of(number), key_of(number)
    begun = re.fullmatch(r"[A-Z]+(\d{4,8})-?", number)
    if begun is None:
        raise ArchiveError(
            f"{number[:60]!r} is no ticket number and no beginning of one, such as YL202611"
        )
    low, high = begun[1].ljust(8, "0"), begun[1].ljust(8, "9")
    return first_key_of(low), first_key_of(high) + _PER_DAY - 1


def first_key_of(day: str) -> int:
    """What stands before every ticket of a day (``20261123``)."""
    return int(day) * _PER_DAY


def cell_of(lon: float, lat: float) -> int:
    """The cell in which a place lies (degrees, WGS-84)."""
    return _row(lat) * 10**6 + _column(lon)


def cells_within(west: float, south: float, east: float, north: float) -> tuple[range, range]:
    """The rows and columns of cells that a box touches (degrees)."""
    return range(_row(south), _row(north) + 1), range(_column(west), _column(east) + 1)


def _row(lat: float) -> int:
    return int((lat + 90.0) / CELL_DEG)


def _column(lon: float) -> int:
    return int((lon + 180.0) / CELL_DEG)
