"""Boxes and people in processes of their own, which may be killed with -9 in mid-command.

An actor is told a command and carries it out at a desk of its own. It may be told where to die:
before its script is sent, after that but before the answer is read, or before the answer is passed
on; or whoever runs it kills it after so many microseconds, wherever it is by then.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from multiprocessing.connection import Client, Listener
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

from redis import Redis, exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry
from ticket_town import working_town

from pipeline.clock import ManualClock
from pipeline.errors import DeskError, DeskUnavailableError, ForeignGridError, StaleTicketError
from pipeline.tickets import Desk, Step, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from pathlib import Path

TOWNS = [working_town(0), working_town(250)]
"""An order names one by its place: the border of the two grids lies elsewhere in it."""

Death = str | int | None
"""Where it dies: ``before``, ``sent`` or ``answered``, or microseconds after it was told."""

DEATHS = ("before", "sent", "answered")
_PATIENCE_S = 20.0
_NOBODYS = Step(0.0, "file", "filed", "desk", "", {})


class Died(Exception):  # noqa: N818 - an answer, no failure
    """The actor was killed; nobody knows what became of its command."""


class Mortal(Redis):
    """Kills its process at its next script where ``death`` says."""

    death: Death = None

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if args[0] != "EVALSHA" or self.death is None:
            return super().execute_command(*args, **options)
        if self.death == "sent":
            connection = self.connection_pool.get_connection()
            connection.send_command(*args)
        elif self.death == "answered":
            super().execute_command(*args, **options)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("nobody survives that")


def act(orders: Connection, socket_path: str, name: str) -> None:
    """What an actor does until it is told to end, or dies."""
    client = Mortal(
        unix_socket_path=socket_path,
        decode_responses=True,
        protocol=2,
        client_name=name,
        retry=Retry(NoBackoff(), 0),  # whether a lost answer is asked for again, the test says
    )
    clock = ManualClock()
    orders.send(os.getpid())
    while True:
        command, args, said, now, town, death = orders.recv()
        clock.move_to(now)
        client.death = death if isinstance(death, str) else None
        desk = Desk(client, TOWNS[town], clock=clock)
        try:
            answer = getattr(desk, command)(*args, **said)
        except DeskError as error:
            orders.send(("refused", type(error).__name__))
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            orders.send(("bug", repr(error)))
        else:
            # Of a ticket its number will do: whoever checks reads all of it.
            is_ticket = isinstance(answer, Ticket)
            orders.send(("ticket", answer.ticket_id) if is_ticket else ("done", answer))


def nursery(address: str, socket_path: str) -> None:
    """Forks an actor for every name that it reads: everything is loaded, so it takes no time."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are nobody's concern here
    for line in sys.stdin:
        if os.fork() == 0:
            with Client(address, "AF_UNIX") as orders, suppress(EOFError, OSError):
                act(orders, socket_path, line.strip())
            os._exit(0)


class Actor:
    """One of them, as seen by whoever tells it what to do."""

    def __init__(self, name: str, orders: Connection) -> None:
        self.name, self._orders = name, orders
        self._pid = orders.recv()

    def tell(
        self, command: str, args: tuple, said: dict, now: float, town: int, death: Death
    ) -> None:
        """Give it a command; ``answer`` says what came of it."""
        self._orders.send((command, args, said, now, town, death))
        if isinstance(death, int):
            self.wait(death)  # it may be anywhere by then: that is what is tried
            self.kill()

    def wait(self, microseconds: int) -> None:
        """Let it go on for so long."""
        time.sleep(microseconds / 1e6)

    def answer(self) -> Any:
        """What the command gave. Raises as the desk does, and Died."""
        try:
            if not self._orders.poll(_PATIENCE_S):
                raise AssertionError(f"{self.name} says nothing")
            outcome, value = self._orders.recv()
        except (EOFError, ConnectionResetError):
            raise Died from None
        assert outcome != "bug", value
        if outcome == "refused":
            error = _ERRORS[value]()
            raise error
        return SimpleNamespace(ticket_id=value) if outcome == "ticket" else value

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)

    def end(self) -> None:
        """Also where it has died already."""
        self.kill()
        self._orders.close()


class Cast:
    """Some actors, of whom a dead one is replaced; use as a context manager."""

    def __init__(self, count: int, folder: Path, socket_path: str) -> None:
        self.actors: list[Actor] = []
        self._count = count
        self._names = itertools.count(1)
        address = str(folder / "actors.sock")
        self._listener = Listener(address, "AF_UNIX")
        self._nursery = subprocess.Popen(
            [sys.executable, __file__, address, socket_path],
            stdin=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    def __enter__(self) -> Self:
        self.actors = [self._new() for _ in range(self._count)]
        return self

    def __exit__(self, *_: object) -> None:
        for actor in self.actors:
            actor.end()
        self._nursery.communicate()
        self._listener.close()

    def replace(self, place: int, server: Redis) -> None:
        """Once the server has taken in whatever the dead one had sent."""
        dead = self.actors[place]
        dead.end()
        forget(dead.name, server)
        self.actors[place] = self._new()

    def _new(self) -> Actor:
        assert self._nursery.stdin is not None
        name = f"actor-{next(self._names)}"
        self._nursery.stdin.write(f"{name}\n")
        self._nursery.stdin.flush()
        return Actor(name, self._listener.accept())


def forget(name: str, server: Redis) -> None:
    """Wait until the server has read all that a dead client had sent, and its end."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            if all(one["name"] != name for one in server.client_list()):
                return
        except (exceptions.ConnectionError, exceptions.BusyLoadingError):
            pass  # it was killed, too, and comes back
        assert time.monotonic() < deadline, f"{name} is still there"
        time.sleep(0.0005)


_ERRORS: dict[str, Callable[[], Exception]] = {
    "DeskError": lambda: DeskError("refused"),
    "DeskUnavailableError": lambda: DeskUnavailableError("away"),
    "ForeignGridError": lambda: ForeignGridError("foreign"),
    "StaleTicketError": lambda: StaleTicketError("", "filed", 0, (_NOBODYS,)),
}


if __name__ == "__main__":
    nursery(*sys.argv[1:])
