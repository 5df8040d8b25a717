"""The database of the archive: opened, made where there is none, and its failures in our words."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, exc, select, text
from sqlalchemy.engine import make_url

from pipeline.errors import ArchiveError, ArchiveUnavailableError, SettingsError
from pipeline.tickets.archive.tables import OLD_INDEXES, VERSION, about, metadata, tickets
from pipeline.tickets.archive.words import PostgresWords, SqliteWords

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import URL, Connection, Engine

    from pipeline.tickets.archive.words import Words

_BUSY_MS = 10_000  # several processes of a box share the file
_CONNECT_S = 5
_LOCK = 0x67726964  # PostgreSQL's advisory locks are numbers; this one is ours
_URL_HELP = "postgresql://user:password@host[:port]/database, or null for a file in data_dir"

# Whoever may write may also damage: this makes it an act of will, and leaves a trace in the chain.
_FROZEN = {
    "sqlite": [
        f"CREATE TRIGGER IF NOT EXISTS audit_no_{what} BEFORE {what} ON audit "
        "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
        for what in ("update", "delete")
    ],
    "postgresql": [
        """CREATE OR REPLACE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$""",
        """CREATE OR REPLACE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit
        FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()""",
    ],
}


class Database:
    """Opened when it is first used, so that a desk works while its archive is away.

    Every method raises ArchiveUnavailableError when the database can't be reached or written.
    """

    def __init__(self, url: str | None, file: Path, town: str) -> None:
        """``town``: the prefix of the desk; an archive belongs to one. Raises SettingsError."""
        self._file = None if url else file
        self._url = _sqlite_url(file) if url is None else _checked(url)
        self._town = town
        self._engine: Engine | None = None
        self._identity: str | None = None
        self.words: Words = (
            SqliteWords() if self._url.get_backend_name() == "sqlite" else PostgresWords()
        )

    @property
    def name(self) -> str:
        """For people, without a password."""
        return str(self._file) if self._file else self._url.render_as_string(hide_password=True)

    @property
    def sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def identity(self) -> str:
        """Made with the database: tells one archive from another."""
        self._opened()
        assert self._identity is not None
        return self._identity

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view."""
        with self._mapped("reading"), self._opened().connect() as db:
            yield db

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, alone; on the disk when it ends."""
        with self._mapped("writing"), self._opened().execution_options(alone=True).begin() as db:
            if not self.sqlite:
                db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield db

    def _opened(self) -> Engine:
        if self._engine is None:
            engine = _engine(self._url)
            try:
                with self._mapped("opening"):
                    if self._file is not None:
                        self._file.parent.mkdir(parents=True, exist_ok=True)
                    self._identity = self._prepare(engine)
            except BaseException:
                engine.dispose()
                raise
            self._engine = engine
        return self._engine

    def _prepare(self, engine: Engine) -> str:
        with engine.execution_options(alone=True).begin() as db:
            if not self.sqlite:  # two boxes may make it at once
                db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            common = [one for one in metadata.sorted_tables if "only" not in one.info]
            metadata.create_all(db, tables=common)
            for index in sorted(tickets.indexes, key=lambda one: str(one.name)):
                index.create(db, checkfirst=True)  # an archive made earlier may not have it
            for name in OLD_INDEXES:
                db.execute(text(f"DROP INDEX IF EXISTS {name}"))
            self.words.create(db)
            for statement in _FROZEN[engine.dialect.name]:
                db.execute(text(statement))
            rows = db.execute(select(about.c.name, about.c.value))
            found = {row.name: str(row.value) for row in rows}
            if not found:
                found = {"version": VERSION, "id": uuid.uuid4().hex, "town": self._town}
                db.execute(
                    about.insert(),
                    [{"name": name, "value": value} for name, value in found.items()],
                )
        if found["version"] != VERSION:
            raise ArchiveError(
                f"the archive {self.name} has layout {found['version']}, this gridwatch knows "
                f"{VERSION}"
            )
        if found["town"] != self._town:
            raise ArchiveError(
                f"the archive {self.name} is that of redis.prefix {found['town']!r}, not "
                f"{self._town!r}: give each town a database of its own (tickets.archive.url)"
            )
        return found["id"]

    @contextmanager
    def _mapped(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError) as e:
            raise ArchiveUnavailableError(f"{doing} the archive {self.name}: {_why(e)}") from e
        except exc.SQLAlchemyError as e:
            raise ArchiveError(f"{doing} the archive {self.name}: {_why(e)}") from e
        except OSError as e:
            raise ArchiveUnavailableError(f"{doing} the archive {self.name}: {e.strerror}") from e


def _why(error: exc.SQLAlchemyError) -> str:
    """What the database said, without the statement and its values."""
    said = getattr(error, "orig", None) or error
    return " ".join(str(said).split())[:300]


def _sqlite_url(file: Path) -> URL:
    return make_url("sqlite://").set(database=str(file))


def _checked(url: str) -> URL:
    try:
        made = make_url(url)
    except (exc.ArgumentError, ValueError):
        made = None
    if made is None or made.get_backend_name() != "postgresql" or not made.database:
        # The URL may hold a password, so only its beginning is shown.
        raise SettingsError(
            "not a URL of a PostgreSQL database",
            where="tickets.archive.url",
            found=url.split(":", 1)[0][:20] + ":...",
            allowed=_URL_HELP,
        )
    try:
        import psycopg  # noqa: F401, PLC0415 - an extra
    except ImportError:
        raise SettingsError(
            "PostgreSQL needs psycopg",
            where="tickets.archive.url",
            found="gridwatch without it",
            allowed="gridwatch[postgres]",
        ) from None
    return made.set(drivername="postgresql+psycopg")


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        return create_engine(url, connect_args={"connect_timeout": _CONNECT_S}, pool_pre_ping=True)
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def _set_up(raw: Any, _: object) -> None:
        raw.isolation_level = None  # transactions are begun below
        for pragma in (
            f"busy_timeout = {_BUSY_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",  # what has left Redis must survive the loss of power
            "cache_size = -65536",
        ):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(db: Connection) -> None:
        alone = db.get_execution_options().get("alone")
        db.exec_driver_sql("BEGIN IMMEDIATE" if alone else "BEGIN")

    return engine
