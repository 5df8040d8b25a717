import pickle
import socket
import struct
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import WorkerError
from pipeline.ingest.decoding import Codec
from pipeline.ingest.evidence import FileMoment, PacketGroup
from pipeline.ingest.pace import Pace
from pipeline.ingest.state import CameraStatus
from pipeline.ingest.wire import LONGEST, Arrived, Beat, Begin, Channel, Fetched, Stop, Watch
from pipeline.settings import IngestSettings
from pipeline.town import Camera

STATUS = CameraStatus("c", "unreachable", 1.5, why="无应答 / no answer")
FROM_WORKERS = [
    Arrived(3, "c", 12.5, (0.0, 0.0, 640.0, 384.0), (1920, 1080), "whole"),
    Beat(7, (STATUS,), {("c", "road"): 4}, 1, 2, 3),
    Fetched(1, None),
    Fetched(2, PacketGroup(Codec("h264", b"\0\1"), (b"abc", b"d"))),
    Fetched(3, FileMoment(Path("/a/b.mp4"), 2.5)),
]
CAMERA = Camera("c", "郑上路", "rtsp://u:p@h/1", 113.4, 34.8)
FROM_DAEMON = [
    Begin(IngestSettings(), (640, 384), 10, 5, 1e9, Path("/data/views")),
    Watch(1, (CAMERA,)),
    Pace(1.5, {"c": 0.2}),
    Stop(2.5),
]


@pytest.fixture
def ends():
    """(worker's channel, daemon's channel, the worker's bare socket)."""
    ours, theirs = socket.socketpair()
    daemon, worker = Channel(ours, trusting=False), Channel(theirs, trusting=True)
    yield worker, daemon, theirs
    worker.close()
    daemon.close()


@pytest.mark.parametrize("message", FROM_WORKERS, ids=lambda message: type(message).__name__)
def test_what_a_worker_says_arrives(ends, message):
    worker, daemon, _ = ends
    worker.send(message)
    assert daemon.receive() == message


@pytest.mark.parametrize("message", FROM_DAEMON, ids=lambda message: type(message).__name__)
def test_what_the_daemon_says_arrives(ends, message):
    worker, daemon, _ = ends
    daemon.send(message)
    assert worker.receive() == message


class Evil:
    def __reduce__(self):
        return (open, ("/tmp/never", "w"))


@pytest.mark.parametrize(
    "message",
    [Evil(), Stop(2.5), Path, (Evil(),), Fetched(1, Evil())],
    ids=lambda m: type(m).__name__,
)
def test_a_worker_can_not_make_the_daemon_run_anything(ends, message):
    worker, daemon, _ = ends
    worker.send(message)
    with pytest.raises(WorkerError, match="nothing that a worker may send"):
        daemon.receive()


def framed(data):
    return struct.pack("!I", len(data)) + data


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!I", LONGEST + 1),
        framed(b""),
        framed(b"not a pickle"),
        framed(pickle.dumps(FROM_WORKERS[0])[:-9]),
    ],
    ids=["too long", "empty", "no pickle", "half a pickle"],
)
def test_garbage_is_refused(ends, data):
    _, daemon, bare = ends
    bare.sendall(data)
    with pytest.raises(WorkerError, match="message"):
        daemon.receive()


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(FROM_WORKERS) - 1), st.data())
def test_no_damage_to_a_message_does_more_than_being_refused(number, data):
    message = bytearray(pickle.dumps(FROM_WORKERS[number], protocol=5))
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    ours, theirs = socket.socketpair()
    daemon = Channel(ours, trusting=False)
    theirs.sendall(framed(bytes(message)))
    try:
        daemon.receive()
    except WorkerError:
        pass
    finally:
        theirs.close()
        daemon.close()


ARRIVED = FROM_WORKERS[0]


@pytest.mark.parametrize(
    "message",
    [
        replace(ARRIVED, slot="3"),
        replace(ARRIVED, captured_at=None),
        replace(ARRIVED, region=(1.0, 2.0)),
        replace(ARRIVED, source_size=("a", 2)),
        replace(ARRIVED, purpose="other"),
        replace(FROM_WORKERS[1], statuses=(ARRIVED,)),
        replace(FROM_WORKERS[1], statuses=(replace(STATUS, looks="many"),)),
        replace(FROM_WORKERS[1], no_slot={"c": 4}),
        Fetched(2, PacketGroup(Codec("h264", b""), ())),
        Fetched(2, PacketGroup(Codec("h264", b""), ("text",))),
        STATUS,
        None,
        17,
    ],
    ids=lambda message: type(message).__name__,
)
def test_values_of_a_wrong_kind_go_no_further(ends, message):
    worker, daemon, _ = ends
    worker.send(message)
    with pytest.raises(WorkerError, match="makes no sense"):
        daemon.receive()


@pytest.mark.parametrize("cut", [0, 2, 4, 20])
def test_an_end_that_dies_in_mid_message_is_an_end(ends, cut):
    _, daemon, bare = ends
    bare.sendall(framed(pickle.dumps(FROM_WORKERS[0]))[:cut])
    bare.shutdown(socket.SHUT_WR)
    assert daemon.receive() is None


def test_hanging_up_wakes_both_ends_and_whoever_sends(ends, eventually):
    worker, daemon, _ = ends
    heard = []

    def flood():
        try:
            while True:
                worker.send(b"x" * 100_000)  # nobody reads
        except OSError:
            heard.append("sender")

    threads = [
        threading.Thread(target=lambda: heard.append(worker.receive())),
        threading.Thread(target=flood),
    ]
    for thread in threads:
        thread.start()
    daemon.hang_up()
    for thread in threads:
        thread.join(30)
    assert sorted(heard, key=str) == [None, "sender"]
    daemon.hang_up()  # a second time does no harm
