"""The daemon's end of one worker process: starts it, hears it, and gets rid of it."""

from __future__ import annotations

import math
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
from pipeline.ingest.wire import Arrived, Beat, Begin, Channel, Fetch, Fetched, Stop, Watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pipeline.clock import Clock
    from pipeline.ingest.suspicion import Suspicion
    from pipeline.settings import IngestSettings
    from pipeline.town import Camera

_COMMAND = (sys.executable, "-P", "-X", "faulthandler", "-m", "pipeline.ingest.worker")
_OF_WHICH_FOR_CAMERAS = 0.8  # share of the time it has to end
# Key frames are given back when let go of, instead of leaving holes.
_MMAP_FROM = str(128 << 10)
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
        views: Path | None,
        clock: Clock,
        deliver: Callable[[Look, Callable[[], None]], None],
        beat: Callable[[Beat], None],
    ) -> None:
        """Start it. Raises WorkerError when the machine doesn't allow it.

        ``deliver`` gets a look and what frees its slot, ``beat`` a sign of life, both about the
        cameras that it was told to watch last. They are called in a thread that hears the worker,
        and must never block.
        """
        self.began_at = clock.monotonic()
        self.heard_at: float | None = None
        """When the newest sign of life came (monotonic seconds); None before the first."""
        self.last_beat: Beat | None = None
        self._clock = clock
        self._deliver = deliver
        self._beat = beat
        self._list_version = 0
        self._watches: frozenset[str] = frozenset()
        self._outgoing: SimpleQueue[Any] = SimpleQueue()
        self._asked: dict[int, Future[Kept | None]] = {}
        self._numbers = count()
        self._leased: set[int] = set()
        self._complained = False
        self._missed_at = -math.inf  # when an answer didn't come in time
        self._said = ""  # what was wrong with what it said
        self._over = threading.Event()
        self._ring = FrameRing.create(size, slots)
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            self._ring.close_fd()
            raise WorkerError(f"no socket: {error.strerror}") from None
        self._channel = Channel(ours, of_worker=False)
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
        self.send(Begin(settings, size, slots, fds[1], offset_s, views))
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

    def watch(
        self, cameras: tuple[Camera, ...], suspicions: dict[str, Suspicion] | None = None
    ) -> None:
        """Have it watch these cameras, and no others.

        ``suspicions``: what the worker before it suspected them of.
        """
        self._watches = frozenset(camera.camera_id for camera in cameras)
        self._list_version += 1
        self.send(Watch(self._list_version, cameras, suspicions or {}))

    def fetch(self, camera_id: str, captured_at: float, timeout_s: float) -> Kept | None:
        """What the worker keeps of a moment; None when it doesn't, or doesn't answer in time.

        Once it didn't, it isn't asked again before it has given another sign of life.
        """
        if self.heard_at is None or self.heard_at <= self._missed_at:
            return None
        number, answer = next(self._numbers), Future[Kept | None]()
        self._asked[number] = answer
        try:
            if self._over.is_set():
                return None
            self.send(Fetch(number, camera_id, captured_at))
            return answer.result(timeout_s)
        except TimeoutError:
            self._missed_at = self._clock.monotonic()
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

    def dismiss(self, within_s: float) -> None:
        """Let it leave its cameras in order and end; it may hang. Its word counts no more."""
        self._watches = frozenset()
        self._list_version += 1
        self.send(Stop(within_s * _OF_WHICH_FOR_CAMERAS))

    def kill(self) -> None:
        """End it at once, whatever it does; may be called again."""
        self._watches = frozenset()
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

    def _take(self, message: object) -> None:
        match message:
            case Arrived():
                self._take_look(message)
            case Beat():
                self.heard_at, self.last_beat = self._clock.monotonic(), message
                if message.list_version == self._list_version:
                    self._beat(message)
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

        if look.camera_id not in self._watches:
            release()
            return
        try:
            self._deliver(look, release)
        except Exception:  # noqa: BLE001 - our defect loses a look, not all of this worker
            release()
            if not self._complained:  # once, not at every look
                self._complained = True
                _log.exception("look_not_taken", camera_id=look.camera_id)


def _started(fds: tuple[int, int]) -> subprocess.Popen[bytes]:
    # Settings go over the socket; from the environment it needs none, and no password in them.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GRIDWATCH_")}
    paths = [str(Path(pipeline.__file__).parents[1]), env.get("PYTHONPATH", "")]
    env["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    env.setdefault("MALLOC_ARENA_MAX", _ARENAS)
    env.setdefault("MALLOC_MMAP_THRESHOLD_", _MMAP_FROM)
    return subprocess.Popen(  # noqa: S603 - our own module
        [*_COMMAND, str(fds[0])],
        pass_fds=fds,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
