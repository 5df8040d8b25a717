"""Packets that nobody waits for lie in the socket for a while, and none of them is lost."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import pytest

from pipeline.clock import ManualClock, SystemClock
from pipeline.ingest.hangup import Reading, can_hang_up
from pipeline.ingest.naps import LONGEST_S, QUEUED_BYTES, SHORTEST_S, Naps
from pipeline.ingest.sampling import Sampler
from pipeline.ingest.streams import KEY_FRAMES, CameraStream
from pipeline.rehearsal import CityCamera, running_city
from pipeline.settings import IngestSettings

FOREVER = 1e9


class Camera(ManualClock):
    """While the clock goes on, it sends so many bytes a second to ``near``."""

    def __init__(self):
        super().__init__()
        self.near, self._far = socket.socketpair()
        self.near.setblocking(False)
        self._far.setblocking(False)
        self.bytes_per_s = 0
        self.naps = []

    def sleep(self, seconds, *, until=None):
        self.naps.append(seconds)
        self._far.send(bytes(int(seconds * self.bytes_per_s)) or b"x")
        return super().sleep(seconds, until=until)

    def read_all(self):
        with suppress(BlockingIOError):  # nothing has come
            self.near.recv(1 << 20)


@pytest.fixture
def camera():
    one = Camera()
    yield one
    one.near.close()
    one._far.close()


@pytest.fixture
def naps(camera):
    return Naps(Reading(10, camera, _descriptor=camera.near.fileno()), camera)


def take(naps, camera, times, *, free_s=FOREVER):
    for _ in range(times):
        naps.nap(free_s, 1000)
        camera.read_all()
    return camera.naps


def test_naps_grow_while_little_comes(naps, camera):
    camera.bytes_per_s = 20_000
    lengths = take(naps, camera, 20)
    assert lengths == sorted(lengths)
    assert lengths[-1] == LONGEST_S


def test_of_a_camera_that_sends_much_no_more_waits_than_the_kernel_takes_at_once(naps, camera):
    camera.bytes_per_s = 300_000
    lengths = take(naps, camera, 30)
    assert QUEUED_BYTES / 3 <= lengths[-1] * camera.bytes_per_s <= QUEUED_BYTES


def test_a_camera_that_begins_to_send_much_is_soon_read_more_often(naps, camera):
    camera.bytes_per_s = 1000
    take(naps, camera, 20)
    camera.bytes_per_s = 150_000
    lengths = take(naps, camera, 10)
    assert lengths[-1] * camera.bytes_per_s <= QUEUED_BYTES


def test_a_nap_ends_when_a_packet_may_be_wanted(naps, camera):
    camera.bytes_per_s = 1000
    assert take(naps, camera, 20, free_s=0.3)[-1] == 0.3


@pytest.mark.parametrize("free_s", [-5.0, 0.0, 0.9 * SHORTEST_S])
def test_no_nap_is_taken_when_a_packet_may_be_wanted_soon(naps, camera, free_s):
    assert take(naps, camera, 3, free_s=free_s) == []


def test_no_nap_is_taken_before_all_whole_packets_are_read(naps, camera):
    camera._far.send(bytes(1001))  # more than the beginning of a packet of 1000
    naps.nap(FOREVER, 1000)
    assert camera.naps == []


def test_no_nap_is_taken_while_nobody_knows_the_socket(camera):
    Naps(Reading(10, camera), camera).nap(FOREVER, 1000)
    assert camera.naps == []


def test_a_nap_ends_when_the_camera_is_to_be_left(camera):
    closed, clock = threading.Event(), SystemClock()
    naps = Naps(Reading(10, camera, _descriptor=camera.near.fileno()), clock, closed)
    closed.set()
    began = clock.monotonic()
    take(naps, camera, 20)
    assert clock.monotonic() - began < 20 * SHORTEST_S


@pytest.fixture
def quick_city(make_clip):
    """A camera of ten pictures a second with a key frame each second."""
    clip = make_clip(fps=10, gop=10, seconds=4)
    with running_city({"clip": clip}, {"c": CityCamera("clip")}) as city:
        yield city


def opened(city):
    return CameraStream(city.url("c"), IngestSettings(), SystemClock())


def test_of_a_camera_whose_key_frames_are_wanted_the_rest_is_left_out(quick_city):
    stream, keys, others = opened(quick_city), 0, 0
    for arrival in stream.arrivals(KEY_FRAMES):
        keys, others = keys + arrival.key, others + (not arrival.key)
        if keys == 6:
            break
    stream.close()
    assert others <= keys + 1  # signs of life, a second apart


@pytest.mark.skipif(not can_hang_up(), reason="this system doesn't tell at which socket it waits")
def test_naps_of_a_camera_that_nobody_looks_at_for_long_lose_no_key_frame(quick_city):
    clock = SystemClock()
    sampler, came = Sampler("keys", 60.0), []
    stream = opened(quick_city)
    for arrival in stream.arrivals(sampler):
        if arrival.key:
            sampler.step(arrival.at_s, key=True)
            sampler.keep(arrival.at_s)
            came.append(clock.monotonic())
        if len(came) == 6:
            break
    stream.close()
    assert came[-1] - came[0] == pytest.approx(5.0, abs=LONGEST_S + 0.5)
