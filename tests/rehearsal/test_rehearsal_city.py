import asyncio
import socket
import time
from contextlib import closing, suppress
from itertools import pairwise

import av
import pytest

from pipeline.errors import FootageError
from pipeline.rehearsal import channel as channel_module
from pipeline.rehearsal import city as city_module
from pipeline.rehearsal.city import City, CityCamera, Fault, FaultKind, running_city
from pipeline.rehearsal.packets import prepare
from pipeline.rehearsal.rtsp import Login

OPTIONS = {"rtsp_transport": "tcp", "probesize": "32", "analyzeduration": "0"}


@pytest.fixture(scope="module")
def clip(make_clip):
    return make_clip(fps=25, gop=5, seconds=1)


@pytest.fixture
def city(clip):
    cameras = {
        "a": CityCamera("c"),
        "b": CityCamera("c", phase_s=0.5),
        "own": CityCamera("c", own_start=True),
        "once": CityCamera("c", own_start=True, loop=False),
        "basic": CityCamera("c", login=Login("u", "p w", "basic")),
        "digest": CityCamera("c", login=Login("u", "p/w")),
    }
    with running_city({"c": clip}, cameras) as running:
        yield running


def watch(url, count, **options):
    """(pts in seconds, key) of the first packets of a stream."""
    with av.open(url, options=OPTIONS | options, timeout=(3, 3)) as container:
        video = container.streams.video[0]
        found = []
        for packet in container.demux(video):
            if packet.size and packet.pts is not None:
                found.append((float(packet.pts * video.time_base), packet.is_keyframe))
            if len(found) == count:
                break
        return found


class Plain:
    """An RTSP client of few words, to say what a library never would."""

    def __init__(self, url, receive_buffer=None):
        self.url = url
        host, port = url.split("/")[2].split(":")
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(3)
        self.socket.connect((host, int(port)))
        self.sequence = 0

    def ask(self, method, url=None, **headers):
        self.sequence += 1
        lines = [f"{method} {url or self.url} RTSP/1.0", f"CSeq: {self.sequence}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return self.socket.recv(4096).decode("latin-1")

    def close(self):
        self.socket.close()


def test_the_stream_runs_on_over_the_end_of_the_clip_without_a_break(city):
    found = watch(city.url("own"), 35)  # the clip has 25 pictures
    times = [at for at, _ in found]
    steps = {round(later - earlier, 3) for earlier, later in pairwise(times)}
    assert steps == {0.04}
    keys = [number for number, (_, key) in enumerate(found) if key]
    assert {later - earlier for earlier, later in pairwise(keys)} == {5}


def test_pictures_come_in_real_time(city):
    began = time.monotonic()
    watch(city.url("own"), 30)
    assert time.monotonic() - began == pytest.approx(1.2, abs=0.3)


def test_every_picture_decodes_whole(city):
    with av.open(city.url("a"), options=OPTIONS, timeout=(3, 3)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            assert not frame.is_corrupt
            assert (frame.width, frame.height) == (320, 180)
            if number == 20:
                return


def test_reordered_pictures_survive(make_clip):
    clip = make_clip(fps=25, gop=25, bframes=3, seconds=1)
    with running_city({"c": clip}, {"a": CityCamera("c", own_start=True)}) as city:
        times = [at for at, _ in watch(city.url("a"), 30)]
    assert times != sorted(times)
    assert max(times) - min(times) == pytest.approx(29 / 25, abs=0.13)


@pytest.mark.parametrize("suffix", [".mp4", ".ts"])
@pytest.mark.parametrize("bframes", [0, 2])
def test_h265_is_served_whole(make_clip, suffix, bframes):
    # large enough for its key frames to be cut into fragments
    clip = make_clip(
        suffix, codec="hevc", fps=25, gop=5, seconds=1, size=(960, 540), bframes=bframes
    )
    clips, cameras = {"c": clip}, {"a": CityCamera("c", own_start=True)}
    with (
        running_city(clips, cameras) as city,
        closing(av.open(city.url("a"), options=OPTIONS)) as c,
    ):
        assert c.streams.video[0].codec_context.name == "hevc"
        frames = [frame for frame, _ in zip(c.decode(video=0), range(12), strict=False)]
    assert {(frame.width, frame.height) for frame in frames} == {(960, 540)}
    assert not any(frame.is_corrupt for frame in frames)


def test_a_stream_that_does_not_loop_ends_with_its_clip(city):
    assert len(watch(city.url("once"), 1000)) in (23, 24, 25)


@pytest.mark.parametrize("camera_id", ["basic", "digest"])
def test_logins_are_asked_for_and_checked(city, camera_id):
    url = city.url(camera_id)
    assert len(watch(url, 3)) == 3
    stranger = url.replace("u:p", "u:x")
    for wrong in (stranger, "rtsp://" + url.partition("@")[2]):
        with pytest.raises(av.error.HTTPUnauthorizedError):
            watch(wrong, 1)


def test_unknown_paths_are_not_found(city):
    with pytest.raises(av.error.HTTPNotFoundError):
        watch(city.url("a") + "x", 1)


def test_udp_is_refused(city):
    with closing(Plain(city.url("a"))) as client:
        assert " 461 " in client.ask("SETUP", Transport="RTP/AVP;unicast;client_port=5000-5001")


def test_the_protocol_is_spoken(city):
    with closing(Plain(city.url("a"))) as client:
        assert "DESCRIBE" in client.ask("OPTIONS")
        description = client.ask("DESCRIBE", Accept="application/sdp")
        assert "sprop-parameter-sets=" in description
        assert "H264/90000" in description
        client.socket.sendall(b"$\x01\x00\x04\x00\x00\x00\x00")  # RTCP between requests
        assert "CSeq: 3" in client.ask("GET_PARAMETER")
        assert " 501 " in client.ask("RECORD")
        assert " 200 " in client.ask("TEARDOWN")
        assert client.socket.recv(10) == b""


@pytest.mark.parametrize("nonsense", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\r\n\r\n"])
def test_nonsense_is_turned_away(city, nonsense):
    with closing(Plain(city.url("a"))) as client:
        client.socket.sendall(nonsense)
        assert b" 400 " in client.socket.recv(4096)


def test_viewers_of_one_camera_see_the_same_moment_and_phases_differ(city):
    """Sequence numbers and times of the common timeline are the same for everybody."""
    with closing(Plain(city.url("a"))) as one, closing(Plain(city.url("a"))) as two:
        stamps = []
        for client in (one, two):
            client.ask("SETUP", Transport="RTP/AVP/TCP;unicast;interleaved=0-1")
            client.ask("PLAY")
        for client in (one, two):
            data = client.socket.recv(16, socket.MSG_WAITALL)
            assert data[:2] == b"$\x00"
            stamps.append(int.from_bytes(data[8:12], "big"))
        assert abs(stamps[0] - stamps[1]) <= 90_000 * 0.3
    assert abs(city.elapsed_s() * 90_000 - stamps[0]) < 90_000


def test_hundreds_of_viewers_are_served_in_real_time(clip, eventually):
    cameras = {f"c{number}": CityCamera("c", phase_s=number / 25) for number in range(200)}
    with running_city({"c": clip}, cameras) as city:
        clients = [Plain(city.url(camera_id)) for camera_id in cameras]
        try:
            for client in clients:
                client.ask("SETUP", Transport="RTP/AVP/TCP;unicast;interleaved=0-1")
                client.ask("PLAY")
            eventually(lambda: all(city.viewers(camera_id) == 1 for camera_id in cameras))
            for client in clients:
                assert client.socket.recv(1)
        finally:
            for client in clients:
                client.close()
        eventually(lambda: not any(city.viewers(camera_id) for camera_id in cameras))


def test_a_slow_viewer_costs_bounded_memory_and_is_sent_away(make_clip, monkeypatch, eventually):
    clip = make_clip(fps=25, gop=1, seconds=1, size=(960, 540))
    monkeypatch.setattr(channel_module, "BUFFER_LIMIT", 20_000)
    monkeypatch.setattr(city_module, "_KERNEL_BUFFER", 4096)
    monkeypatch.setattr(channel_module, "PATIENCE_S", 0.5)
    with running_city({"c": clip}, {"a": CityCamera("c")}) as city:
        largest = max(len(frame.data) for frame in prepare(clip).frames)
        with closing(Plain(city.url("a"), receive_buffer=4096)) as client:
            client.ask("SETUP", Transport="RTP/AVP/TCP;unicast;interleaved=0-1")
            client.ask("PLAY")
            eventually(lambda: city.viewers("a") == 1)
            viewer = next(iter(city._viewers["a"]))
            sizes = []

            def gone():
                sizes.append(viewer.writer.transport.get_write_buffer_size())
                return city.viewers("a") == 0

            eventually(gone, 30)
        assert max(sizes) <= 20_000 + largest
        assert len(watch(city.url("a"), 5)) == 5  # the others never noticed


def test_faults_can_be_set_and_lifted_while_it_runs(city):
    assert watch(city.url("a"), 2)
    city.set_fault("a", Fault(FaultKind.NOT_FOUND))
    with pytest.raises(av.error.HTTPNotFoundError):
        watch(city.url("a"), 2)
    city.set_fault("a", None)
    assert watch(city.url("a"), 2)


def test_what_cannot_be_served_is_named(tmp_path):
    (tmp_path / "notes.mp4").write_text("no video")
    with pytest.raises(FootageError, match=r"notes\.mp4"):
        City({"c": tmp_path / "notes.mp4"}, {})


def test_it_runs_in_a_loop_of_the_callers_too(clip):
    async def serve():
        city = City({"c": clip}, {"a": CityCamera("c")})
        port = await city.start()
        assert city.url("a") == f"rtsp://127.0.0.1:{port}/a"
        found = await asyncio.to_thread(watch, city.url("a"), 3)
        await city.stop()
        return found

    assert len(asyncio.run(serve())) == 3


def pictures(url, count, within_s=20.0):
    """The first decoded pictures of a stream as grey arrays; as many as come in time."""
    found = []
    deadline = time.monotonic() + within_s
    with av.open(url, options=OPTIONS, timeout=(5, 5)) as container:
        for frame in container.decode(video=0):
            found.append(frame.to_ndarray(format="gray"))
            if len(found) == count or time.monotonic() > deadline:
                break
    return found


def test_a_camera_can_show_another_clip_and_return_to_its_own(make_clip, clip):
    other = make_clip(fps=25, gop=5, seconds=1, size=(160, 96))
    with running_city({"c": clip, "o": other}, {"a": CityCamera("c")}) as city:
        city.set_fault("a", Fault(FaultKind.SHOW, clip="o"))
        with av.open(city.url("a"), options=OPTIONS, timeout=(5, 5)) as container:
            shapes = []
            for frame in container.decode(video=0):
                shapes.append((frame.width, frame.height))
                if len(shapes) == 3:
                    city.set_fault("a", None)
                if shapes[-1] == (320, 180) or len(shapes) > 500:
                    break
    assert shapes[0] == (160, 96)
    assert shapes[-1] == (320, 180)


def test_garbage_keeps_its_packets_and_ends_in_the_same_connection(city, eventually):
    city.set_fault("a", Fault(FaultKind.GARBAGE))
    with closing(Plain(city.url("a"))) as client:
        client.ask("SETUP", Transport="RTP/AVP/TCP;unicast;interleaved=0-1")
        client.ask("PLAY")
        noisy = packet(client)
        city.set_fault("a", None)
        eventually(lambda: packet(client)[12] & 31 in (1, 5, 6, 7, 28), 10)
    assert noisy[0] == 0x80
    assert city.served()["a"].sessions == 1


def packet(client):
    """The next interleaved RTP packet."""
    head = client.socket.recv(4, socket.MSG_WAITALL)
    assert head[:1] == b"$"
    return client.socket.recv(int.from_bytes(head[2:], "big"), socket.MSG_WAITALL)


def test_a_trickle_is_a_few_bytes_at_a_time_and_ends_at_a_packet(city):
    city.set_fault("a", Fault(FaultKind.TRICKLE))
    with closing(Plain(city.url("a"))) as client:
        client.ask("SETUP", Transport="RTP/AVP/TCP;unicast;interleaved=0-1")
        client.ask("PLAY")
        assert len(client.socket.recv(4096)) < 200
        began = time.monotonic()
        city.set_fault("a", None)
        while time.monotonic() - began < 1.0:
            assert client.socket.recv(65536)


def test_a_flapping_camera_lives_for_a_moment_each_time(city):
    city.set_fault("a", Fault(FaultKind.CLOSE, after_s=0.5))
    for _ in range(2):
        assert 1 <= len(watch(city.url("a"), 1000)) < 100
    assert city.served()["a"].sessions == 2


def test_it_counts_what_it_has_sent(city):
    found = watch(city.url("own"), 20)
    served = city.served()["own"]
    assert served.frames >= 20
    assert served.keys >= sum(key for _, key in found)
    assert city.served()["a"].keys == 0
    assert city.late_s() >= 0.0


def test_a_host_can_be_switched_off_and_on_without_the_others_noticing(clip):
    cameras = {name: CityCamera("c", host=f"127.0.0.{at}") for at, name in enumerate("ab", 2)}
    with running_city({"c": clip}, cameras) as city:
        assert "127.0.0.2" in city.url("a")
        with closing(Plain(city.url("a"))) as one, closing(Plain(city.url("b"))) as other:
            assert "Public" in one.ask("OPTIONS")
            asyncio.run_coroutine_threadsafe(city.switch_off("127.0.0.2"), city._loop).result(5)
            with suppress(ConnectionResetError):
                assert one.socket.recv(4096) == b""
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.2", city._port))
            assert "Public" in other.ask("OPTIONS")
        asyncio.run_coroutine_threadsafe(city.switch_on("127.0.0.2"), city._loop).result(5)
        assert len(watch(city.url("a"), 3)) == 3
