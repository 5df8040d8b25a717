"""The daemon's end of one worker process: starts it, hears it, and gets rid of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import Future
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import structlog

import pipeline
from pipeline.errors import WorkerError
from pipeline.ingest.evidence import Kept
from pipeline.ingest.look import Look
from pipeline.ingest.ring import FrameRing
from pipeline.ingest.wire import Arrived, Beat, Begin, Channel, Fetch, Fetched, Stop

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from pipeline.clock import Clock
    from pipeline.settings import IngestSettings

    class Listener(Protocol):
        """Who is told what a worker says; called in its receiving thread, must never block."""

        def look(self, worker: WorkerProcess, look: Look, release: Callable[[], None]) -> None: ...

        def beat(self, worker: WorkerProcess, beat: Beat) -> None: ...

        def over(self, worker: WorkerProcess) -> None: ...


_COMMAND = (sys.executable, "-P", "-X", "faulthandler", "-m", "pipeline.ingest.worker")
_ARENAS = "2"  # a heap per core for hundreds of threads keeps memory that nobody uses

_log = structlog.get_logger(__name__)


class WorkerProcess:
    """One life of one worker, from its start to its last resource. Safe among threads.

    It must be started by a thread that lives as long as the process: the kernel ends a worker with
    the thread that started it.
    """

    def __init__(
        self,
        settings: IngestSettings,
        *,
        size: tuple[int, int],
        slots: int,
        clock: Clock,
        listener: Listener,
    ) -> None:
        """Start it. Raises WorkerError when the machine doesn't allow it."""
        self.began_at = clock.monotonic()
        self.heard_at: float | None = None
        """When the newest sign of life came (monotonic seconds); None before the first."""
        self.last_beat: Beat | None = None
        self._clock = clock
        self._listener = listener
        self._outgoing: SimpleQueue[Any] = SimpleQueue()
        self._asked: dict[int, Future[Kept | None]] = {}
        self._numbers = count()
        self._leased: set[int] = set()
        self._said = ""  # what was wrong with what it said
        self._over = threading.Event()
        self._ring = FrameRing.create(size, slots)
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            self._ring.close_fd()
            raise WorkerError(f"no socket: {error.strerror}") from None
        self._channel = Channel(ours, trusting=False)
        try:
            fds = theirs.fileno(), self._ring.fileno()
            self._process = _started(fds)
        except OSError as error:
            self._channel.close()
            raise WorkerError(f"can't be started: {error.strerror}") from None
        finally:
            theirs.close()
            self._ring.close_fd()
        offset_s = clock.steady() - clock.monotonic()
        self.send(Begin(settings, size, slots, fds[1], offset_s))
        self._threads = [
            threading.Thread(target=work, name=f"worker {self.pid} {name}", daemon=True)
            for name, work in (("receiver", self._receive), ("sender", self._send))
        ]
        try:
            for thread in self._threads:
                thread.start()
        except RuntimeError as error:
            self.kill()
            self._process.wait()
            self._channel.close()
            raise WorkerError(f"no more threads: {error}") from None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def slots_taken(self) -> int:
        """How many pictures wait or are being looked at."""
        return self._ring.taken()

    def send(self, message: object) -> None:
        """Say something; never blocks, and does nothing once the worker is gone."""
        self._outgoing.put(message)

    def fetch(self, camera_id: str, captured_at: float, timeout_s: float) -> Kept | None:
        """What the worker keeps of a moment; None when it doesn't, or doesn't answer in time."""
        number, answer = next(self._numbers), Future[Kept | None]()
        self._asked[number] = answer
        try:
            if self._over.is_set():
                return None
            self.send(Fetch(number, camera_id, captured_at))
            return answer.result(timeout_s)
        except TimeoutError:
            return None
        finally:
            del self._asked[number]

    def over(self) -> bool:
        """Whether it has ended, or can't be listened to any more."""
        return self._over.is_set() or self._process.poll() is not None

    def why(self) -> str:
        """How it ended, in words for a log."""
        code = self._process.poll()
        if self._said or code is None:
            return self._said or "it hung up"
        if code >= 0:
            return f"it ended with exit code {code}"
        return f"it was ended by {signal.Signals(-code).name}"

    def ask_to_stop(self, within_s: float) -> None:
        """Let it leave its cameras in order; it ends by itself, unless it hangs."""
        self.send(Stop(within_s))

    def kill(self) -> None:
        """End it at once, whatever it does; may be called again."""
        self._process.kill()
        self._channel.hang_up()

    def buried(self) -> bool:
        """Take back everything it used, once it is dead; to be asked again until it is true."""
        if self._process.poll() is None:
            return False
        self._channel.hang_up()
        self._outgoing.put(None)
        for thread in self._threads:
            thread.join(0.0)
        if any(thread.is_alive() for thread in self._threads):
            return False
        self._channel.close()
        return True

    def _send(self) -> None:
        try:
            while (message := self._outgoing.get()) is not None:
                self._channel.send(message)
        except OSError:  # it is gone; the receiver says so
            return

    def _receive(self) -> None:
        try:
            while (message := self._channel.receive()) is not None:
                self._take(message)
        except WorkerError as error:
            self._said = str(error)
        except Exception as error:  # noqa: BLE001 - our defect costs a worker, not the daemon
            _log.exception("worker_message_failed", worker=self.pid)
            self._said = f"a message that makes no sense: {type(error).__name__}"
        self._over.set()
        for answer in list(self._asked.values()):
            answer.set_result(None)
        self._listener.over(self)

    def _take(self, message: object) -> None:
        match message:
            case Arrived():
                self._take_look(message)
            case Beat():
                self.last_beat, self.heard_at = message, self._clock.monotonic()
                self._listener.beat(self, message)
            case Fetched(request, kept):
                answer = self._asked.get(request)
                if answer is not None and not answer.done():
                    answer.set_result(kept)
            case _:
                raise WorkerError(f"{type(message).__name__} is nothing that a worker says")

    def _take_look(self, arrived: Arrived) -> None:
        slot = arrived.slot
        if slot in self._leased:
            raise WorkerError(f"slot {slot} is still being looked at")
        look = Look(
            camera_id=arrived.camera_id,
            captured_at=arrived.captured_at,
            region=arrived.region,
            source_size=arrived.source_size,
            picture=self._ring.picture(slot),
            purpose=arrived.purpose,
        )
        self._leased.add(slot)
        lease = [slot]

        def release() -> None:
            try:
                lease.pop()  # one of several callers gets it
            except IndexError:
                return
            self._leased.discard(slot)
            self._ring.free(slot)

        self._listener.look(self, look, release)


def _started(fds: tuple[int, int]) -> subprocess.Popen[bytes]:
    # Settings go over the socket; from the environment it needs none, and no password in them.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GRIDWATCH_")}
    paths = [str(Path(pipeline.__file__).parents[1]), env.get("PYTHONPATH", "")]
    env["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    env.setdefault("MALLOC_ARENA_MAX", _ARENAS)
    return subprocess.Popen(  # noqa: S603 - our own module
        [*_COMMAND, str(fds[0])],
        pass_fds=fds,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
