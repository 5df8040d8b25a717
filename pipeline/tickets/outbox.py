"""Incidents and reports wait here, on local disk, until the desk has acknowledged them.

Nothing leaves the box that isn't in this SQLite file first, and nothing leaves the file that Redis
has not acknowledged. A process killed in between sends some of it again, which the desk ignores.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import structlog

from pipeline.errors import DeskUnavailableError, OutboxError
from pipeline.tickets.codec import (
    evidence_from_json,
    evidence_to_json,
    incident_from_json,
    incident_to_json,
    report_from_json,
    report_to_json,
)
from pipeline.tickets.delivery import AT_ONCE, News

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipeline.clock import Clock
    from pipeline.hazards.incident import Incident
    from pipeline.tickets.desk import Desk
    from pipeline.tickets.report import Report
    from pipeline.tickets.ticket import EvidenceRef

    _Row = tuple[int, str, str, str | None]  # id, kind, incident or report, evidence

Kind = Literal["file", "update", "evidence"]

_VERSION = 1  # PRAGMA user_version of the file
# Entries sent before they are removed together; as many are sent again after kill -9.
_BATCH = 4 * AT_ONCE
_IDLE_S = 0.5  # how soon a drain that waits for entries notices that it shall stop
_BUSY_S = 10.0  # another process with the same data_dir may be writing

_SCHEMA = """
CREATE TABLE waiting (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    incident TEXT NOT NULL,
    evidence TEXT,
    put_at REAL NOT NULL
);
CREATE TABLE refused (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    incident TEXT NOT NULL,
    evidence TEXT,
    put_at REAL NOT NULL,
    refused_at REAL NOT NULL,
    reason TEXT NOT NULL
);
"""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that the desk will not take, kept for a person to look at."""

    incident_json: str
    reason: str
    refused_at: float


class Outbox:
    """A queue on disk from one box to the desk; thread-safe, order kept.

    Raises OutboxError when the file can't be opened, read or written. A file that is damaged is
    moved aside, never deleted.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._fresh = threading.Event()
        self._away = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutboxError(f"{path.parent} can't be made: {error.strerror}") from None
        self._db = _open(path, clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def put(self, kind: Kind, incident: Incident, evidence: EvidenceRef | None = None) -> None:
        """Keep a new incident (``file``), later news of one (``update``) or more ``evidence``.

        It is on the disk when this returns; it never waits for Redis.
        """
        try:
            row = (kind, incident_to_json(incident), evidence_to_json(evidence), self._clock.now())
        except ValueError as error:
            raise OutboxError(f"incident {incident.incident_id} can't be kept: {error}") from error
        self._keep(row)

    def put_report(self, report: Report) -> None:
        """Keep a report; it is on the disk when this returns."""
        try:
            row = ("report", report_to_json(report), None, self._clock.now())
        except ValueError as error:
            raise OutboxError(f"report {report.report_id} can't be kept: {error}") from error
        self._keep(row)

    def has_report(self, report_id: str) -> bool:
        """Whether this report waits to be sent."""
        with self._using() as db:
            found = db.execute(
                "SELECT 1 FROM waiting WHERE kind = 'report' "
                "AND json_extract(incident, '$.report_id') = ?",
                (report_id,),
            )
            return found.fetchone() is not None

    def _keep(self, row: tuple[str, str, str | None, float]) -> None:
        with self._using() as db:
            db.execute(
                "INSERT INTO waiting (kind, incident, evidence, put_at) VALUES (?, ?, ?, ?)", row
            )
        self._fresh.set()

    def backlog(self) -> int:
        """How many entries wait to be sent."""
        with self._using() as db:
            return int(db.execute("SELECT count(*) FROM waiting").fetchone()[0])

    def refused(self) -> list[Refused]:
        """Entries that the desk will not take, oldest first."""
        with self._using() as db:
            rows = db.execute("SELECT incident, reason, refused_at FROM refused ORDER BY id")
            return [Refused(*row) for row in rows]

    def retry_refused(self) -> int:
        """Move everything that was refused back, in its old place of the order; returns how many.

        For when the reason has been put right: a duty that was missing, an incident filed since.
        """
        columns = "id, kind, incident, evidence, put_at"
        with self._using() as db:
            db.execute(f"INSERT INTO waiting ({columns}) SELECT {columns} FROM refused")  # noqa: S608 - our own names
            moved = db.execute("DELETE FROM refused").rowcount
        self._fresh.set()
        return moved

    def send(self, desk: Desk) -> int:
        """Send everything that waits, in order; returns how many the desk has taken.

        Many travel in one exchange. Raises DeskUnavailableError; what was not acknowledged stays,
        and all that came after it, so that nothing overtakes. An entry that the desk refuses for
        good is set aside with the reason and holds up nothing.
        """
        sent = 0
        while True:
            with self._using() as db:
                rows = db.execute(
                    "SELECT id, kind, incident, evidence FROM waiting ORDER BY id LIMIT ?",
                    (_BATCH,),
                ).fetchall()
            if not rows:
                return sent
            sent += self._send_batch(desk, rows)

    def drain(self, desk: Desk, stop: threading.Event, *, retry_s: float = 2.0) -> None:
        """Send until ``stop`` is set, trying again every ``retry_s`` while Redis is away.

        Never raises: failures of Redis and of the disk are logged and waited out.
        """
        while not stop.is_set():
            self._fresh.clear()
            try:
                self.send(desk)
            except (DeskUnavailableError, OutboxError) as error:
                self._note_away(error)
                self._clock.sleep(retry_s, until=stop)
                continue
            self._note_back()
            self._fresh.wait(_IDLE_S)

    def _send_batch(self, desk: Desk, rows: Sequence[_Row]) -> int:
        done: list[tuple[int]] = []
        refused: list[tuple[int, Exception]] = []
        try:
            for start in range(0, len(rows), AT_ONCE):
                for number, outcome in _send_some(desk, rows[start : start + AT_ONCE]):
                    if isinstance(outcome, Exception):
                        refused.append((number, outcome))
                    else:
                        done.append((number,))
        finally:
            with self._using() as db:
                for number, error in refused:
                    self._set_aside(db, number, f"{type(error).__name__}: {error}")
                db.executemany("DELETE FROM waiting WHERE id = ?", done)
        return len(done)

    def _set_aside(self, db: sqlite3.Connection, number: int, reason: str) -> None:
        log.error("outbox.refused", entry=number, reason=reason)
        db.execute(
            "INSERT INTO refused SELECT id, kind, incident, evidence, put_at, ?, ? "
            "FROM waiting WHERE id = ?",
            (self._clock.now(), reason, number),
        )
        db.execute("DELETE FROM waiting WHERE id = ?", (number,))

    def _note_away(self, error: DeskUnavailableError | OutboxError) -> None:
        if not self._away:
            self._away = True
            log.warning("outbox.waits", reason=str(error))

    def _note_back(self) -> None:
        if self._away:
            self._away = False
            log.info("outbox.goes_on")

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """One transaction; on the disk when it ends."""
        try:
            with self._lock, self._db:
                yield self._db
        except sqlite3.Error as error:
            raise OutboxError(f"{self._path}: {error}; is the disk full or read-only?") from error


def _send_some(desk: Desk, rows: Sequence[_Row]) -> list[tuple[int, str | Exception]]:
    """What became of each, by its number. Raises DeskUnavailableError, then of all or none."""
    news: dict[int, News] = {}
    outcomes: dict[int, str | Exception] = {}
    for number, kind, finding_json, evidence_json in rows:
        try:
            news[number] = _news_of(kind, finding_json, evidence_json)
        except Exception as error:  # noqa: BLE001 - one bad entry must not stop the rest
            outcomes[number] = error
    outcomes |= zip(news, desk.deliver(list(news.values())), strict=True)
    return sorted(outcomes.items(), key=lambda one: one[0])


def _news_of(kind: str, finding_json: str, evidence_json: str | None) -> News:
    if kind == "report":
        return News("file", report_from_json(finding_json))
    incident, evidence = incident_from_json(finding_json), evidence_from_json(evidence_json)
    if kind == "file":
        return News("file", incident, evidence)
    if kind == "evidence" and evidence is not None:
        return News("attach", incident, evidence)
    return News("update", incident)


def _open(path: Path, clock: Clock) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False)
    except sqlite3.Error as error:
        raise OutboxError(f"{path} can't be opened: {error}; may this user write there?") from None
    try:
        _prepare(db, path)
    except sqlite3.OperationalError as error:
        db.close()
        raise OutboxError(f"{path} can't be used: {error}; may this user write there?") from None
    except sqlite3.DatabaseError as error:
        db.close()
        aside = _move_aside(path, clock)
        raise OutboxError(
            f"{path} is damaged ({error}) and was moved to {aside}. Start again to go on with an "
            f'empty one; what can be saved of the old one: sqlite3 "{aside}" .recover'
        ) from None
    except OutboxError:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    damage = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if damage != "ok":
        raise sqlite3.DatabaseError(damage)
    # Two processes may open a new file at once: look and create under one write lock.
    db.execute("BEGIN IMMEDIATE")
    with db:
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version == 0 and not db.execute("SELECT 1 FROM sqlite_master").fetchone():
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {_VERSION}")
        elif version != _VERSION:
            raise OutboxError(
                f"{path} has layout {version}, this gridwatch knows {_VERSION}. Send what waits in "
                "it with the gridwatch that wrote it, or move it elsewhere to begin a new one"
            )


def _move_aside(path: Path, clock: Clock) -> Path:
    aside = path.with_name(f"{path.name}.damaged-{int(clock.now())}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside
