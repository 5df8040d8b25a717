"""A worker process: reads its cameras until told otherwise, or until its daemon is gone.

Started by the daemon as ``python -m pipeline.ingest.worker FD``; everything else comes over the
socket at that descriptor. It ends with the socket, and the kernel ends it with the daemon, however
that one ended. Signals that are meant for the daemon, such as Ctrl-C, it leaves to the daemon.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, assert_never

import structlog

from pipeline.clock import SystemClock
from pipeline.ingest.cameras import Ingest
from pipeline.ingest.device import DEVICE
from pipeline.ingest.pace import Pace
from pipeline.ingest.ring import FrameRing
from pipeline.ingest.wire import Arrived, Beat, Begin, Channel, Fetch, Fetched, Stop, Watch
from pipeline.telemetry import set_up_logs

if TYPE_CHECKING:
    from pipeline.ingest.look import Look, Purpose
    from pipeline.ingest.sampling import Waits
    from pipeline.ingest.state import CameraStatus

BEAT_S = 1.0
_TRIM_BEATS = 60
_WHOLE_SPARE = 32
"""Slots beside one per camera that road looks leave to whole ones: for those being looked at."""
_PR_SET_PDEATHSIG = 1
_OOM_SCORE = "300"  # when memory ends, better a worker than the daemon or Redis
# Hundreds of readers would leave two detector threads a hundredth of a full machine. What readers
# can't read at once waits in the kernel; a detector that waits costs a look. But the cameras of a
# lost worker must soon be back, so the new one steps back only after its first seconds.
_NICE = 5
_NICE_BEATS = 15

_log = structlog.get_logger(__name__)


class Worker:
    """Runs an Ingest and keeps the daemon informed. No thread of it waits for the daemon."""

    def __init__(self, begin: Begin, channel: Channel) -> None:
        self._channel = channel
        self._ring = FrameRing(begin.ring_fd, begin.size, begin.slots)
        self._clock = SystemClock(begin.steady_offset_s)
        if begin.settings.decoder == "nvdec":
            DEVICE.use("cuda", self._clock)
        self._ingest = Ingest(
            (),
            begin.settings,
            size=begin.size,
            clock=self._clock,
            deliver=self._deliver,
            views=begin.views,
        )
        # What it holds is bounded: arrivals by slots, answers by requests, beats to one.
        self._outgoing: SimpleQueue[Arrived | Fetched | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._list_version = 0
        self._spare = 0
        self._told: dict[str, CameraStatus] = {}
        self._no_slot: Counter[tuple[str, Purpose]] = Counter()
        self._beat_sent = threading.Event()

    def run(self) -> None:
        """Return when the daemon says so or is gone."""
        self._ingest.start()
        for name, work in (("sender", self._send), ("beat", self._beat)):
            threading.Thread(target=work, name=name, daemon=True).start()
        while (message := self._channel.receive()) is not None:
            match message:
                case Watch():
                    self._watch(message)
                case Pace():
                    self._ingest.pace(message)
                case Fetch(request, camera_id, captured_at):
                    kept = self._ingest.kept_at(camera_id, captured_at)
                    self._outgoing.put(Fetched(request, kept))
                case Stop(within_s):
                    self._ingest.stop(within_s)
                    return
                case _:
                    assert_never(message)

    def _watch(self, message: Watch) -> None:
        self._ingest.apply(message.cameras, message.suspicions)
        with self._lock:
            self._list_version = message.list_version
            self._spare = len(message.cameras) + _WHOLE_SPARE
            self._told = {}  # the daemon takes no word about the list before

    def _deliver(self, look: Look) -> Waits | None:
        spare = self._spare if look.purpose == "road" else 0
        slot = self._ring.put(look.picture, spare=spare)
        if slot is None:
            with self._lock:
                self._no_slot[look.camera_id, look.purpose] += 1
            return None
        waits = self._ring.waits(slot)
        left, top, right, bottom = map(float, look.region)
        width, height = map(int, look.source_size)
        self._outgoing.put(
            Arrived(
                slot=slot,
                camera_id=look.camera_id,
                captured_at=float(look.captured_at),
                region=(left, top, right, bottom),
                source_size=(width, height),
                purpose=look.purpose,
            )
        )
        return waits

    def _send(self) -> None:
        """The only thread that writes to the socket; None stands for a beat, made just now."""
        try:
            while True:
                message = self._outgoing.get()
                self._channel.send(self._sign_of_life() if message is None else message)
                if message is None:
                    self._beat_sent.set()
        except OSError:  # the daemon is gone, and soon this process
            return

    def _beat(self) -> None:
        count = 0
        while True:
            self._beat_sent.clear()
            self._outgoing.put(None)
            self._beat_sent.wait()  # a daemon that doesn't read finds one beat, not hundreds
            count += 1
            if count == _NICE_BEATS:
                _step_back()
            if count % _TRIM_BEATS == 0:
                self._give_back()
            self._clock.sleep(BEAT_S)

    def _give_back(self) -> None:
        """Memory that a rush needed, such as that of all cameras connecting at once."""
        self._ring.trim()
        with suppress(AttributeError):  # a C library without it
            ctypes.CDLL(None).malloc_trim(0)

    def _sign_of_life(self) -> Beat:
        with self._lock:
            statuses = self._ingest.statuses()
            changed = [s for camera_id, s in statuses.items() if self._told.get(camera_id) != s]
            self._told = statuses
            no_slot, self._no_slot = self._no_slot, Counter()
            return Beat(
                list_version=self._list_version,
                statuses=tuple(changed),
                no_slot=tuple((*key, n) for key, n in no_slot.items()),
                suspicions=self._ingest.suspicions(),
                rss_bytes=_rss_bytes(),
                fds=_entries("/proc/self/fd"),
                threads=_entries("/proc/self/task"),
            )


def _rss_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _entries(folder: str) -> int:
    return len(os.listdir(folder))  # noqa: PTH208 - each second; no paths are needed


def _step_back() -> None:
    """Leave the cores to others when they are wanted; for Linux that is a matter of each thread."""
    for thread in os.listdir("/proc/self/task"):  # noqa: PTH208 - names alone
        with suppress(OSError):  # it has ended, or a sandbox doesn't want it
            os.setpriority(os.PRIO_PROCESS, int(thread), _NICE)


def _tie_to_parent() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")
    except OSError:  # a sandbox that doesn't want it
        return


def main(descriptor: int) -> None:
    """The life of the process. Never returns: threads that hang in a camera can't hold it up."""
    code = 1
    try:
        _tie_to_parent()
        set_up_logs()
        channel = Channel(socket.socket(fileno=descriptor), of_worker=True)
        begin = channel.receive()
        if begin is not None:
            Worker(begin, channel).run()
        code = 0
    except Exception:  # noqa: BLE001 - whatever it was, the log has it and the daemon replaces us
        _log.exception("worker_failed")
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]))
