"""H.265 pictures are believed when they are proven or agree, for the decoder tells nothing."""

import re
from fractions import Fraction

import av
import numpy as np
import pytest

from pipeline.ingest import Look
from pipeline.ingest.agreement import Agreement
from pipeline.ingest.decoding import Codec
from pipeline.ingest.evidence import PacketGroup, frame_of_group
from pipeline.ingest.pictures import region_of
from pipeline.ingest.proof import proven_whole
from pipeline.ingest.proving import Proving
from pipeline.ingest.streams import FileStream

SIZE = (640, 384)


@pytest.fixture(scope="module")
def keys(make_clip):
    """(codec, the packets of key frames of some fragments each)."""
    stream = FileStream(make_clip(".ts", codec="hevc", size=(960, 540), fps=5, gop=1, seconds=2))
    packets = [bytes(arrival.packet) for arrival in stream.arrivals()]
    stream.close()
    return stream.codec, packets


def test_whole_key_frames_are_proven(keys):
    codec, packets = keys
    assert all(proven_whole(codec, av.Packet(data)) for data in packets)


def test_bytes_that_only_fill_up_take_nothing_from_the_proof(keys):
    codec, packets = keys
    filling = b"\0\0\3" * 40
    assert all(proven_whole(codec, av.Packet(data + filling)) for data in packets)


def test_key_frames_with_a_lost_fragment_are_not_proven(keys):
    codec, packets = keys
    for data in packets:
        for at in range(1398, len(data), 1398):
            assert not proven_whole(codec, av.Packet(data[:at] + data[at + 1398 :]))
        assert not proven_whole(codec, av.Packet(data[: len(data) * 2 // 3]))


@pytest.fixture(scope="module")
def sliced():
    """(codec, packets of key frames in four slices each)."""
    coder = av.CodecContext.create("libx265", "w")
    coder.width, coder.height, coder.pix_fmt = 640, 384, "yuv420p"
    coder.time_base, coder.framerate = Fraction(1, 5), 5
    told = "keyint=1:repeat-headers=1:slices=4:log-level=none"
    coder.options = {"preset": "veryfast", "x265-params": told}
    packets = []
    for seed in range(3):
        grey = np.random.default_rng(seed).integers(0, 255, (48, 80), np.uint8).repeat(8, 0)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(grey.repeat(8, 1)), format="gray")
        frame.pts = seed
        packets += coder.encode(frame.reformat(format="yuv420p"))
    packets += coder.encode(None)
    return Codec("hevc"), [bytes(packet) for packet in packets]


def slices_of(data):
    starts = [match.end() for match in re.finditer(b"\x00\x00\x01", data)]
    ends = [at - 3 for at in starts[1:]] + [len(data)]
    return [(a, b) for a, b in zip(starts, ends, strict=True) if data[a] >> 1 & 63 < 32]


def test_key_frames_in_slices_are_proven_slice_by_slice(sliced):
    codec, packets = sliced
    for data in packets:
        assert len(slices_of(data)) == 4
        assert proven_whole(codec, av.Packet(data))
        for begin, end in slices_of(data):
            middle = (begin + end) // 2
            assert not proven_whole(codec, av.Packet(data[:middle] + data[end:]))


def test_a_picture_for_evidence_is_not_shown_unless_its_key_frame_is_proven(keys):
    codec, (data, *_) = keys
    damaged = data[: len(data) * 2 // 3]
    assert frame_of_group(PacketGroup(codec, (data,), unproven=True)) is not None
    assert frame_of_group(PacketGroup(codec, (damaged,))) is not None
    assert frame_of_group(PacketGroup(codec, (damaged,), unproven=True)) is None


def look_of(luma):
    picture = np.full((576, 640), 128, np.uint8)
    picture[:360] = luma
    region = region_of((1920, 1080), SIZE)
    return Look("a", 0.0, region, (1920, 1080), picture)


def street(shade=90):
    return np.full((360, 640), shade, np.uint8)


def torn(seed, from_row=120):
    luma = street()
    noise = np.random.default_rng(seed).integers(0, 256, (24, 40))
    luma[from_row:] = np.kron(noise, np.ones((16, 16)))[from_row:360]
    return luma


def proven():
    return True


def disproven():
    return False


def unknown():
    return None


def test_a_proven_picture_is_believed_and_one_like_it_needs_no_proof():
    agreement = Agreement()
    assert agreement.believes(look_of(street()), 1, proven)
    assert agreement.believes(look_of(street(95)), 2, pytest.fail)


def test_torn_pictures_are_never_believed_however_many_come():
    agreement = Agreement()
    assert agreement.believes(look_of(street()), 1, proven)
    for group in range(2, 12):
        assert not agreement.believes(look_of(torn(group)), group, disproven)
    assert agreement.believes(look_of(street()), 12, pytest.fail)


@pytest.mark.parametrize("prove", [unknown, disproven])
def test_where_nothing_is_proven_two_that_agree_are_believed(prove):
    """The light was switched on, or nobody has seen this kind of encoder before."""
    agreement = Agreement()
    assert not agreement.believes(look_of(street()), 1, prove)
    assert agreement.believes(look_of(street()), 2, prove)
    assert not agreement.believes(look_of(street(200)), 3, prove)
    assert agreement.believes(look_of(street(200)), 4, prove)


def test_between_key_frames_nothing_is_believed_after_a_doubt():
    agreement = Agreement()
    assert agreement.believes(look_of(street()), 1, proven)
    assert agreement.believes(look_of(street(92)), 1, None)
    assert not agreement.believes(look_of(torn(1)), 1, None)
    assert not agreement.believes(look_of(street()), 1, None)
    assert agreement.believes(look_of(street()), 2, pytest.fail)


A, B = Codec("hevc", b"a"), Codec("hevc", b"b")


def test_only_key_frames_that_are_proven_are_looked_at():
    proving = Proving()
    told = [
        (look_of(street()), proven),
        (look_of(street()), disproven),
        (look_of(street()), proven),
    ]
    assert [proving.believes(look, A, prove) for look, prove in told] == [True, False, True]


def test_new_parameter_sets_are_believed_when_the_next_key_frame_has_them_too():
    proving = Proving()
    assert proving.believes(look_of(street()), A, proven)
    assert not proving.believes(look_of(street(150)), B, proven)  # perhaps the set is damaged
    assert proving.believes(look_of(street()), A, proven)
    assert not proving.believes(look_of(street(150)), B, proven)
    assert proving.believes(look_of(street(150)), B, proven)


def test_what_cannot_be_told_is_believed_where_it_shows_what_was_there_before():
    proving = Proving()
    assert proving.believes(look_of(street()), A, proven)
    assert proving.believes(look_of(street(92)), A, unknown)
    assert not proving.believes(look_of(torn(1)), A, unknown)
    assert proving.believes(look_of(street()), A, unknown)


def test_pictures_of_an_encoder_that_can_never_be_proven_are_believed_once_they_agree():
    proving = Proving()
    looks = [look_of(street(90 + at % 2)) for at in range(8)]
    assert [proving.believes(look, A, disproven) for look in looks] == [False] * 3 + [True] * 5
    assert not proving.believes(look_of(torn(1)), A, disproven)


def test_one_proof_ends_that_indulgence():
    proving = Proving()
    assert proving.believes(look_of(street()), A, proven)
    assert not any(proving.believes(look_of(street()), A, disproven) for _ in range(20))
