"""Key frames on a GPU, and on the processor where there is none or it fails."""

import av
import pytest
from structlog.testing import capture_logs

from pipeline.clock import ManualClock
from pipeline.ingest.decoding import Codec, Decoder
from pipeline.ingest.device import Device
from pipeline.ingest.groups import KeyPictures
from pipeline.ingest.proof import proven_whole
from pipeline.ingest.streams import FileStream


@pytest.fixture(scope="module")
def keys(make_clip):
    """(codec, key frames as arrivals)."""
    stream = FileStream(make_clip(".ts", size=(320, 192), fps=5, gop=1, seconds=2))
    arrivals = list(stream.arrivals())
    stream.close()
    return stream.codec, arrivals


@pytest.fixture
def clock():
    return ManualClock(1000)


class Opening:
    """Opens decoders that are fed another codec's pictures, until told otherwise."""

    def __init__(self):
        self.pictures, self.wrong = 0, True

    def __call__(self, codec, kind):
        return Counted(Codec("hevc") if self.wrong else codec, self)


class Counted(Decoder):
    def __init__(self, codec, opening):
        super().__init__(codec)
        self.opening = opening

    def decode(self, packet, *, needed=True):
        self.opening.pictures += 1
        return super().decode(packet, needed=needed)


def test_without_the_setting_nothing_goes_to_a_device(keys):
    codec, [first, *_] = keys
    assert Device().key_frame(codec, first.packet) is None
    assert not Device().in_use


@pytest.mark.parametrize("kind", ["cuda", "vaapi"])
def test_where_no_device_answers_the_processor_decodes_and_the_log_says_why_once(
    keys, clock, kind, monkeypatch
):
    codec, arrivals = keys
    device = Device()
    device.use(kind, clock)
    monkeypatch.setattr("pipeline.ingest.groups.DEVICE", device)
    with capture_logs() as logs:
        shown = [picture for one in arrivals for picture in KeyPictures().take(codec, one)]
    if logs:
        assert [line["event"] for line in logs] == ["device_left_alone"]
        assert logs[0]["why"]
    assert len(shown) == len(arrivals)
    assert all(picture.whole for picture in shown)


def test_a_device_that_fails_three_times_is_left_alone_for_a_minute(keys, clock):
    codec, [first, *_] = keys
    opening = Opening()
    device = Device(opening)
    device.use("cuda", clock)
    with capture_logs() as logs:
        assert [device.key_frame(codec, first.packet) for _ in range(9)] == [None] * 9
        assert opening.pictures == 3
        clock.move_to(1061)
        assert [device.key_frame(codec, first.packet) for _ in range(9)] == [None] * 9
    assert opening.pictures == 6
    assert len(logs) == 1
    opening.wrong = False
    device = Device(opening)
    device.use("cuda", clock)
    clock.move_to(1122)
    [frame] = device.key_frame(codec, first.packet)
    assert (frame.width, frame.height) == (320, 192)


def test_one_kind_of_camera_that_a_device_cannot_decode_takes_it_from_no_other(keys, clock):
    codec, [first, *_] = keys
    device = Device(lambda codec, _: Decoder(codec))
    device.use("cuda", clock)
    hevc = Codec("hevc")
    assert [device.key_frame(hevc, first.packet) for _ in range(4)] == [None] * 4
    assert device.key_frame(codec, first.packet) is not None


def test_h264_that_a_device_cannot_vouch_for_is_proven_by_the_processor(keys):
    codec, arrivals = keys
    for arrival in arrivals:
        data = bytes(arrival.packet)
        assert proven_whole(codec, av.Packet(data))
        assert not proven_whole(codec, av.Packet(data[: len(data) * 2 // 3]))
