"""Reads that take too long are ended from outside, and only those."""

from __future__ import annotations

import socket
import threading

import pytest

from pipeline.clock import SystemClock
from pipeline.errors import SourceError
from pipeline.ingest.hangup import Watchdog, can_hang_up, hang_up
from pipeline.ingest.streams import CameraStream
from pipeline.rehearsal import CityCamera, Fault, FaultKind, running_city
from pipeline.settings import IngestSettings

pytestmark = pytest.mark.skipif(not can_hang_up(), reason="this system doesn't tell it")
QUICK = IngestSettings(open_timeout_s=10, read_timeout_s=1)


@pytest.fixture
def waiting():
    """A thread that polls a socket on which nothing comes: its id, and what it got in the end."""
    near, far = socket.socketpair()
    near.settimeout(30)
    got = []
    thread = threading.Thread(target=lambda: got.append(near.recv(1)))
    with near, far:
        thread.start()
        yield thread, got, far
        far.close()
        thread.join(10)


def test_a_thread_that_waits_at_a_socket_is_freed(waiting, eventually):
    thread, got, _ = waiting
    eventually(lambda: hang_up(thread.native_id))
    thread.join(10)
    assert got == [b""]


def test_a_thread_that_waits_for_something_else_is_left_alone():
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        assert not hang_up(thread.native_id)
    finally:
        over.set()
        thread.join()
    assert not hang_up(thread.native_id)  # neither one that has ended


def test_only_the_reading_that_waits_too_long_is_ended(eventually):
    watchdog, clock = Watchdog(), SystemClock()
    slow, slow_far = socket.socketpair()
    quick, quick_far = socket.socketpair()
    ends = {}

    def read(name, near, limit_s):
        near.settimeout(30)
        with watchdog.reading(limit_s, clock) as reading:
            for data in reading.each(iter(lambda: near.recv(1), b"")):
                assert data == b"x"
        ends[name] = reading.hung_up

    with slow, slow_far, quick, quick_far:
        threads = [
            threading.Thread(target=read, args=("slow", slow, 0.2)),
            threading.Thread(target=read, args=("quick", quick, 60)),
        ]
        for thread in threads:
            thread.start()
        eventually(lambda: "slow" in ends)
        quick_far.sendall(b"xx")
        quick_far.shutdown(socket.SHUT_WR)
        for thread in threads:
            thread.join(10)
    assert ends == {"slow": True, "quick": False}


def test_a_camera_that_sends_a_few_bytes_at_a_time_is_given_up_and_its_neighbour_is_not(
    make_clip,
):
    cameras = {
        "drips": CityCamera("quick", fault=Fault(FaultKind.TRICKLE, after_s=0.5)),
        "well": CityCamera("quick"),
    }
    with running_city({"quick": make_clip(gop=1, size=(1280, 720), seconds=3)}, cameras) as city:
        well = CameraStream(city.url("well"), QUICK, SystemClock())
        arrivals = well.arrivals()
        next(arrivals)
        drips = CameraStream(city.url("drips"), QUICK, SystemClock())
        with pytest.raises(SourceError) as caught:
            list(drips.arrivals())
        assert caught.value.state == "stalled"
        assert "nothing received" in caught.value.reason
        for _ in range(100):
            next(arrivals)
        arrivals.close()
        drips.close()
        well.close()
