import pickle
import socket
import struct
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import WorkerError
from pipeline.ingest.decoding import Codec
from pipeline.ingest.evidence import FileMoment, PacketGroup
from pipeline.ingest.pace import Pace
from pipeline.ingest.state import CameraStatus
from pipeline.ingest.suspicion import Lasting, Suspicion
from pipeline.ingest.wire import LONGEST, Arrived, Beat, Begin, Channel, Fetched, Stop, Watch
from pipeline.settings import IngestSettings
from pipeline.town import Camera

SUSPICION = Suspicion(7, Lasting(2, 1.5), pending=("moved", 10.0), stray=(("covered", 10.0), 3.0))
STATUS = CameraStatus("c", "unreachable", 1.5, why="无应答 / no answer")
FROM_WORKERS = [
    Arrived(3, "c", 12.5, (0.0, 0.0, 640.0, 384.0), (1920, 1080), "whole"),
    Beat(7, (STATUS,), (("c", "road", 4),), {"c": SUSPICION}, 1, 2, 3),
    Fetched(1, None),
    Fetched(2, PacketGroup(Codec("h264", b"\0\1"), (b"abc", b"d"))),
    Fetched(3, FileMoment(Path("/a/b.mp4"), 2.5)),
]
CAMERA = Camera("c", "郑上路", "rtsp://u:p@h/1", 113.4, 34.8)
FROM_DAEMON = [
    Begin(IngestSettings(), (640, 384), 10, 5, 1e9, Path("/data/views")),
    Watch(1, (CAMERA,), {"c": SUSPICION}),
    Pace(1.5, {"c": 0.2}),
    Stop(2.5),
]


@pytest.fixture
def ends():
    """(worker's channel, daemon's channel, the worker's bare socket)."""
    ours, theirs = socket.socketpair()
    daemon, worker = Channel(ours, of_worker=False), Channel(theirs, of_worker=True)
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


def framed(data):
    return struct.pack("!I", len(data)) + data


ARRIVED = (
    b'[{"slot":1,"camera_id":"c","captured_at":2.5,"region":[0,0,4,4],"source_size":[4,3],'
    b'"purpose":"whole"}]'
)
STATUS_TOLD = b'{"camera_id":"c","state":"live","since_at":2.5}'
BEAT = (
    b'[{"list_version":1,"statuses":[%s],"no_slot":[],"suspicions":{},'
    b'"rss_bytes":1,"fds":2,"threads":3}]'
)


@pytest.mark.parametrize("data", [ARRIVED, BEAT % STATUS_TOLD], ids=["arrived", "beat"])
def test_messages_as_they_are_written_here_are_good(ends, data):
    _, daemon, bare = ends
    bare.sendall(framed(data))
    assert daemon.receive() is not None


class Evil:
    def __reduce__(self):
        return (open, ("/tmp/never", "w"))


@pytest.mark.parametrize(
    "data",
    [
        framed(pickle.dumps(Evil())),
        framed(pickle.dumps(FROM_WORKERS[0])),
        struct.pack("!I", LONGEST + 1),
        framed(b""),
        framed(b"\xff\xfe"),
        framed(b"[" * 100_000),
        framed(b"[]"),
        framed(b"[17]"),
        framed(b"[null]"),
        framed(ARRIVED[:-9]),
        framed(ARRIVED.replace(b'"slot":1', b'"slot":"1"')),
        framed(ARRIVED.replace(b'"slot":1', b'"slot":1.5')),
        framed(ARRIVED.replace(b"2.5", b"NaN")),
        framed(ARRIVED.replace(b"2.5", b"1e999")),
        framed(ARRIVED.replace(b"[0,0,4,4]", b"[0,0]")),
        framed(ARRIVED.replace(b'"whole"', b'"other"')),
        framed(BEAT % STATUS_TOLD.replace(b"live", b"fine")),
        framed(BEAT % STATUS_TOLD.replace(b'"c"', b"{}")),
        framed(BEAT % ARRIVED),
        framed(b'[{"request":1,"kept":{"codec":{"name":"h264"},"packets":["not base 64!"]}}]'),
    ],
    ids=lambda data: data[4:50].decode(errors="replace"),
)
def test_whatever_else_a_worker_says_goes_no_further(ends, data):
    _, daemon, bare = ends
    sender = threading.Thread(target=bare.sendall, args=(data,))
    sender.start()
    with pytest.raises(WorkerError, match="message"):
        daemon.receive()
    sender.join()


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([ARRIVED, BEAT % STATUS_TOLD]), st.data())
def test_no_damage_to_a_message_does_more_than_being_refused(message, data):
    damaged = bytearray(message)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    ours, theirs = socket.socketpair()
    daemon = Channel(ours, of_worker=False)
    theirs.sendall(framed(bytes(damaged)))
    try:
        daemon.receive()
    except WorkerError:
        pass
    finally:
        theirs.close()
        daemon.close()


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
                worker.send(FROM_WORKERS[0])  # nobody reads
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
