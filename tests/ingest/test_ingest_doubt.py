"""H.265 pictures are believed when they are proven or agree, for the decoder tells nothing."""

import av
import numpy as np
import pytest

from pipeline.ingest import Look
from pipeline.ingest.agreement import Agreement
from pipeline.ingest.pictures import region_of
from pipeline.ingest.proof import proven_whole
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


def test_of_a_picture_in_slices_it_cannot_be_told(keys):
    codec, packets = keys
    assert proven_whole(codec, av.Packet(packets[0] + b"\0\0\1\x02\x01slice")) is None


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
