"""Cameras that send by UDP over a line that loses packets."""

import random
import re
import socket
import threading
import time
from contextlib import contextmanager, suppress
from itertools import islice

import numpy as np
import pytest

from pipeline.clock import SystemClock
from pipeline.errors import SourceError
from pipeline.ingest import Source
from pipeline.rehearsal.city import CityCamera, running_city
from pipeline.rehearsal.packets import prepare
from pipeline.settings import IngestSettings

SIZE = (640, 384)
UDP = IngestSettings(interval_s=0.05, transport="udp", open_timeout_s=10)
_FIELD = re.compile(r"^(CSeq|Transport): *(.*?)\r?$", re.IGNORECASE | re.MULTILINE)


class Camera:
    """One RTSP camera that sends as it is asked to, and loses a share of what it sends by UDP."""

    def __init__(self, clip, loss):
        self.clip, self.loss = prepare(clip), loss
        self.random = random.Random(7)
        self.transports, self.senders = [], []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtsp://127.0.0.1:{self.server.getsockname()[1]}/a"
        self.stopped = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with suppress(OSError):
            while True:
                viewer, _ = self.server.accept()
                threading.Thread(target=self.serve, args=(viewer,), daemon=True).start()

    def serve(self, viewer):
        send = None
        with viewer, suppress(OSError):
            while text := viewer.recv(8192).decode("latin-1"):
                method, told = text.split(" ", 1)[0], dict(_FIELD.findall(text))
                body, more = b"", "Session: 1\r\n"
                if method == "DESCRIBE":
                    body = self.clip.description()
                    more = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
                elif method == "SETUP":
                    send, transport = self.way(viewer, told["Transport"])
                    more += f"Transport: {transport}\r\n"
                head = f"RTSP/1.0 200 OK\r\nCSeq: {told.get('CSeq', 0)}\r\n{more}\r\n"
                viewer.sendall(head.encode() + body)
                if method == "PLAY":
                    threading.Thread(target=self.play, args=(send,), daemon=True).start()

    def way(self, viewer, asked):
        if "TCP" in asked:
            self.transports.append("tcp")
            return viewer.sendall, "RTP/AVP/TCP;unicast;interleaved=0-1"
        self.transports.append("udp")
        port = int(re.search(r"client_port=(\d+)", asked)[1])
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.senders.append(sender)
        sender.bind(("127.0.0.1", 0))
        mine = sender.getsockname()[1]

        def send(packet):
            if self.random.random() >= self.loss:
                sender.sendto(packet[4:], ("127.0.0.1", port))

        return send, f"RTP/AVP;unicast;client_port={port}-{port + 1};server_port={mine}-{mine + 1}"

    def play(self, send):
        began = time.monotonic()
        with suppress(OSError):
            for position in range(10_000):
                pause_s = began + self.clip.due_s(position) - time.monotonic()
                if self.stopped.wait(max(0, pause_s)):
                    return
                data = self.clip.data_at(position)
                while data:
                    size = 4 + int.from_bytes(data[2:4], "big")
                    send(data[:size])
                    data = data[size:]


@contextmanager
def camera_of(clip, loss=0.0):
    camera = Camera(clip, loss)
    try:
        yield camera
    finally:
        camera.stopped.set()
        for one in (camera.server, *camera.senders):
            one.close()


def source_of(url, settings=UDP, **more):
    return Source("a", str(url), settings, size=SIZE, clock=SystemClock(), **more)


def taken(source, count):
    looks = source.looks()
    found = list(islice(looks, count))
    looks.close()
    return found


def pictures_of(clip):
    whole = UDP.model_copy(update={"policy": "all"})
    return [look.picture[:360].astype(int) for look in source_of(clip, whole).looks()]


@pytest.mark.parametrize("policy", ["keys", "all"])
def test_what_lost_packets_have_spoilt_never_becomes_a_look(make_clip, policy):
    clip = make_clip(size=(960, 540), fps=10, gop=5, seconds=2)
    whole = pictures_of(clip)
    with camera_of(clip, loss=0.08) as camera:
        source = source_of(camera.url, policy=policy)
        for look in taken(source, 8):
            shown = look.picture[:360].astype(int)
            assert min(np.abs(shown - picture).mean() for picture in whole) < 4
        assert camera.transports == ["udp"]
        assert source.corrupt > 0 or policy == "keys"


def test_h265_is_fetched_by_tcp_since_its_damage_cannot_be_told(make_clip):
    clip = make_clip(codec="hevc", size=(960, 540), fps=10, gop=5, seconds=2)
    with camera_of(clip) as camera:
        assert taken(source_of(camera.url), 2)
        assert camera.transports == ["udp", "tcp"]


def test_a_camera_that_refuses_udp_is_asked_by_tcp(tiny_clip):
    with running_city({"c": tiny_clip}, {"a": CityCamera("c")}) as city:
        assert taken(source_of(city.url("a")), 2)


def test_a_camera_may_have_a_transport_of_its_own(tiny_clip):
    with camera_of(tiny_clip) as camera:
        assert taken(source_of(camera.url, IngestSettings(), transport="udp"), 1)
        assert taken(source_of(camera.url, UDP, transport="tcp"), 1)
        assert camera.transports == ["udp", "tcp"]


@pytest.mark.parametrize("codecs", [("h264", "hevc"), ("hevc", "h264")])
def test_a_camera_set_to_another_codec_in_mid_session_is_opened_anew(make_clip, codecs):
    """It goes on sending, in a session that was described for the other codec."""
    before, after = (make_clip(codec=codec, size=(960, 540), fps=10, gop=5) for codec in codecs)
    settings = IngestSettings(interval_s=0.05, stalled_after_s=2, read_timeout_s=20)
    with camera_of(before) as camera:
        source = source_of(camera.url, settings)
        looks = source.looks()
        next(looks)
        camera.clip = prepare(after)
        with pytest.raises(SourceError) as caught:
            list(looks)
        assert caught.value.state == "stalled"
        assert "encoder" in str(caught.value)
        assert taken(source, 2)
        assert source.full_picture(time.time()).shape == (540, 960, 3)
