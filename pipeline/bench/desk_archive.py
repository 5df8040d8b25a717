"""An archive of years for the bench, made in minutes: many tickets, each like one that was filed.

What archiving writes, row by row, but without waiting for the disk, and with the indexes made
at the end. A machine that fails meanwhile leaves a file of no use.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex

from pipeline.bench.desk_material import EAST, NORTH, SOUTH, WEST, WORDS, day_of, moment, yulong
from pipeline.tickets.archive import tables as t
from pipeline.tickets.archive.words import words_of
from pipeline.tickets.codec import dump

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Table

    from pipeline.bench.desk_material import Progress
    from pipeline.tickets.archive.packed import Packed
    from pipeline.town.grids import Grid

_DAYS = 1096
_PIECE = 5000  # tickets handed to SQLite at once
_HASH_BYTES = 64 << 20  # of words that are gathered before they are written
_TABLES = (t.tickets, t.steps, t.incidents)
_INDEXES = sorted(
    (index for table in _TABLES for index in table.indexes), key=lambda index: str(index.name)
)
_Rows = dict[str, list[dict[str, Any]]]


def fill(file: Path, model: Packed, count: int, tell: Progress) -> None:
    """Put so many tickets like ``model`` into the archive, over three years and the whole town.

    Nobody else may have ``file``, a SQLite archive, open meanwhile.
    """
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -262144"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("BEGIN")
        for index in _INDEXES:
            db.execute(f"DROP INDEX {index.name}")
        _set_hash(db, _HASH_BYTES)
        done = 0
        for rows in _pieces(model, count):
            tell("预置归档案卷 / filling the archive", done, count)
            _write(db, rows)
            done += len(rows["tickets"])
        _set_hash(db, 1 << 20)
        for step, index in enumerate(_INDEXES):
            tell(f"建索引 / indexing: {index.name}", step, len(_INDEXES))
            db.execute(str(CreateIndex(index).compile(dialect=sqlite.dialect())))
        db.execute("COMMIT")
        db.execute("PRAGMA journal_mode = WAL")


def _pieces(model: Packed, count: int) -> Iterator[_Rows]:
    mould, rng = _Mould(model), random.Random(6)  # noqa: S311 - a town, not a secret
    per_day = count // _DAYS + 1
    for first in range(0, count, _PIECE):
        rows: _Rows = {name: [] for name in (*(table.name for table in _TABLES), "words")}
        for position in range(first, min(first + _PIECE, count)):
            day, of_day = divmod(position, per_day)
            mould.add(rows, f"YL{day_of(day)}-{of_day + 1:06}", rng)
        yield rows


class _Mould:
    """The rows of a ticket with holes for what differs from one to the next."""

    def __init__(self, model: Packed) -> None:
        self._grids = [grid for grid in yulong().grids if grid.level == 3]
        self._department = json.loads(model.fields["duty"])["department"]
        self._severity = model.fields["severity"]
        self._rest = model.ticket_row()["rest"]
        ground = {
            **json.loads(model.fields["ground"]),
            "grid_code": _hole("grid"),
            "grid_name": _hole("grid_name"),
            "address": _hole("address"),
        }
        holes = ("state", "hazard", "grid", "lon", "lat", "filed_at", "closed_at")
        fields = {**model.fields, **{name: _hole(name) for name in holes}, "ground": dump(ground)}
        self._fields = _poured(dump(fields))
        steps = [json.loads(step) for step in model.steps]
        self._after_s = [step["at"] - steps[0]["at"] for step in steps]
        self._known = [{name: step[name] for name in ("action", "state", "by")} for step in steps]
        last = {name: _hole(name) for name in ("action", "state", "note")}
        self._steps = [
            _poured(dump({**step, **(last if step is steps[-1] else {}), "at": _hole(f"at{i}")}))
            for i, step in enumerate(steps)
        ]
        ((_, incident),) = model.hash("incidents").items()
        self._incident = _poured(
            dump({**json.loads(incident), "incident_id": _hole("incident_id")})
        )

    def add(self, rows: _Rows, ticket_id: str, rng: random.Random) -> None:
        """The rows of one ticket more, filed in the hour after eight of its day."""
        grid, key = rng.choice(self._grids), t.key_of(ticket_id)
        values = self._values(ticket_id, grid, rng)
        lon, lat = values["lon"], values["lat"]
        rows["tickets"].append(
            {
                **{name: values[name] for name in ("state", "hazard", "grid", "address")},
                "key": key,
                "ticket_id": ticket_id,
                "take": 1,
                "digest": values["incident_id"],
                "department": self._department,
                "severity": self._severity,
                "opened_at": values["at0"],
                "closed_at": values["closed_at"],
                "lon": lon,
                "lat": lat,
                "cell": t.cell_of(lon, lat),
                "reason": values["note"],
                "fields": self._fields % values,
                "rest": self._rest,
            }
        )
        for i, known in enumerate(self._known):
            content = self._steps[i] % values
            step = {"key": key, "number": i + 1, "at": values[f"at{i}"], **known}
            rows["steps"].append({**step, "content": content})
        rows["steps"][-1] |= {"action": values["action"], "state": values["state"]}
        rows["incidents"].append(
            {
                "key": key,
                "incident_id": values["incident_id"],
                "content": self._incident % values,
            }
        )
        marks = {name: values[name] for name in ("grid", "hazard", "state")}
        words = words_of((values["address"], values["note"]), marks)
        rows["words"].append({"key": key, "words": " ".join(words)})

    def _values(self, ticket_id: str, grid: Grid, rng: random.Random) -> dict[str, Any]:
        at, rejected = moment(ticket_id[2:10]) + rng.random() * 3600, rng.random() < 0.05
        return {
            **{f"at{i}": at + after_s for i, after_s in enumerate(self._after_s)},
            "state": "rejected" if rejected else "closed",
            "action": "reject" if rejected else "close",
            "note": f"{rng.choice(WORDS)}{rng.randrange(10_000)}",
            "hazard": rng.choice(("road_damage", "road_collapse", "blockage", "crowd")),
            "grid": grid.code,
            "grid_name": grid.name,
            "address": f"豫龙镇{grid.name}，科学大道{rng.randrange(9000)}号附近",
            "lon": rng.uniform(WEST, EAST),
            "lat": rng.uniform(SOUTH, NORTH),
            "filed_at": at,
            "closed_at": at + 3600,
            "incident_id": hashlib.sha256(ticket_id.encode()).hexdigest()[:20],
        }


def _hole(name: str) -> str:
    return f"\ue000{name}\ue001"


def _poured(text: str) -> str:
    """To be filled with ``%``: times of steps are numbers, all others text."""
    return re.sub('"\ue000(at\\d+)\ue001"|\ue000(\\w+)\ue001', _place, text.replace("%", "%%"))


def _place(found: re.Match[str]) -> str:
    return f"%({found[1] or found[2]})s"


def _write(db: sqlite3.Connection, rows: _Rows) -> None:
    for table in _TABLES:
        _insert(db, table, rows[table.name])
    db.executemany("INSERT INTO ticket_words (rowid, words) VALUES (:key, :words)", rows["words"])
    for table in (t.groups, t.cells):
        _insert(db, table, rows["tickets"], "OR IGNORE")


def _insert(
    db: sqlite3.Connection, table: Table, rows: list[dict[str, Any]], how: str = ""
) -> None:
    names = [column.name for column in table.columns]
    into = f"{table.name} ({', '.join(names)})"
    marks = ", ".join(f":{name}" for name in names)
    db.executemany(f"INSERT {how} INTO {into} VALUES ({marks})", rows)  # noqa: S608 - our own names


def _set_hash(db: sqlite3.Connection, size: int) -> None:
    db.execute("INSERT INTO ticket_words (ticket_words, rank) VALUES ('hashsize', ?)", (size,))
