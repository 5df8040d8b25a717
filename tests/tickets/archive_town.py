"""A desk with an archive, and a PostgreSQL of its own where the machine has one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from ticket_town import NOON, incident, wait_until

from pipeline.tickets import Archive, Archivist, Audit, Desk
from pipeline.tickets.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from pipeline.clock import ManualClock

DAY_S = 86400.0
QUIET_S = 7 * DAY_S
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


class Place:
    """What belongs together: a Redis prefix, an archive, and whoever uses them."""

    def __init__(self, redis: Redis, town, clock: ManualClock, archive: Archive, prefix: str):
        self.redis, self.clock, self.archive, self.prefix = redis, clock, archive, prefix
        self.town = town
        self.keys = Keys(prefix)
        self.desk = Desk(redis, town, clock=clock, prefix=prefix, archive=archive)
        self.audit = Audit(redis, self.keys, archive, clock=clock)
        self.archivist = self.another_archivist()

    def another(self) -> Place:
        """As another process of the same town has it."""
        return Place(self.redis, self.town, self.clock, self.archive, self.prefix)

    def another_archivist(self) -> Archivist:
        return Archivist(self.redis, self.keys, self.archive, clock=self.clock, quiet_s=QUIET_S)

    def closed(self, number: int = 0, note: str = "", **more) -> str:
        """A ticket that lived its whole life just now."""
        ticket_id = self.desk.file(incident(number, **more)).ticket_id
        for action in ("accept", "feed_back", "close"):
            self.desk.move(ticket_id, action, by="王", note=note)
        return ticket_id

    def later(self, days: float) -> None:
        self.clock.move_to(self.clock.now() + days * DAY_S)

    def mentions(self, ticket_id: str) -> list[str]:
        """Every key of this town that holds the number, or is made of it."""
        found = []
        for key in self.redis.scan_iter(f"{{{self.prefix}}}:*"):
            kind = self.redis.type(key)
            if kind == "zset":
                members = self.redis.zrange(key, 0, -1)
            elif kind == "hash":
                members = [text for pair in self.redis.hgetall(key).items() for text in pair]
            elif kind == "stream":
                members = [fields["json"] for _, fields in self.redis.xrange(key)]
            else:
                members = []
            if ticket_id in key or any(ticket_id in member for member in members):
                found.append(key)
        return found


@contextmanager
def private_postgres() -> Iterator[str]:
    """URL of a server's administrator; it ends, and its data goes, with the block."""
    folder = Path(tempfile.mkdtemp(prefix="gridwatch-pg-"))
    as_other: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "nobody")
        as_other = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    data, programs = folder / "data", PROGRAMS[-1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    subprocess.run(
        [*as_other, programs / "initdb", "-D", data, "-U", "admin", "-A", "trust", "-E", "UTF8",
         "--no-locale", "--no-sync"],
        check=True, **quiet,
    )  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [*as_other, programs / "postgres", "-D", data, "-p", str(port), "-k", folder,
         "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"],
        **quiet,
    )  # fmt: skip
    url = f"postgresql://admin@127.0.0.1:{port}/postgres"

    def answers() -> bool:
        assert server.poll() is None, "PostgreSQL ended at once"
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        wait_until(answers, within_s=60)
        yield url
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def new_database(server_url: str) -> str:
    """URL of an empty database on this server."""
    name = f"town_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name}")
    return server_url.rsplit("/", 1)[0] + f"/{name}"


__all__ = ["DAY_S", "NOON", "PROGRAMS", "QUIET_S", "Place", "new_database", "private_postgres"]
