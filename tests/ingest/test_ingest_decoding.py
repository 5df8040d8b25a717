import gc
import weakref

import av
import pytest

from pipeline.ingest.decoding import Codec, Decoder, KeyDecoders


def key_packets(clip):
    """(codec, key frames with their parameter sets in-band)."""
    with av.open(clip) as container:
        video = container.streams.video[0]
        codec = Codec("h264", video.codec_context.extradata)
        in_band = av.BitStreamFilterContext("h264_mp4toannexb", video)
        packets = [
            part
            for packet in container.demux(video)
            if packet.size
            for part in in_band.filter(packet)
        ]
    return codec, [packet for packet in packets if packet.is_keyframe]


@pytest.fixture(scope="module")
def keys(make_clip):
    return key_packets(make_clip(".ts"))


def test_a_decoder_is_lent_again_to_the_same_kind_of_camera_alone(keys):
    codec, _ = keys
    pool = KeyDecoders()
    with pool.lent(codec) as first, pool.lent(codec) as second:
        assert first is not second
    with pool.lent(codec) as again:
        assert again in (first, second)
    with pool.lent(Codec("h264", b"")) as other:
        assert other not in (first, second)


def test_a_decoder_that_failed_is_not_lent_again(keys):
    codec, _ = keys
    pool = KeyDecoders()
    with pytest.raises(av.error.InvalidDataError), pool.lent(codec) as broken:
        raise av.error.InvalidDataError(1, "broken")
    with pool.lent(codec) as decoder:
        assert decoder is not broken


def test_only_decoders_of_the_codecs_used_last_are_kept(keys):
    codec, _ = keys
    pool, others = KeyDecoders(), weakref.WeakSet()
    with pool.lent(codec) as common:
        pass
    for number in range(200):
        with pool.lent(Codec("h264", codec.extradata + bytes([number]))) as other:
            others.add(other)
        with pool.lent(codec) as again:
            assert again is common
    del other
    gc.collect()
    assert len(others) < 100


def test_a_camera_that_changes_its_resolution_spoils_no_decoder_for_the_others(keys, make_clip):
    codec, small = keys
    _, large = key_packets(make_clip(".ts", size=(640, 360)))
    pool = KeyDecoders()
    with pool.lent(codec) as decoder:
        assert [frame.width for frame in decoder.decode(small[0]) + decoder.drain()] == [320]
        assert [frame.width for frame in decoder.decode(large[0]) + decoder.drain()] == [640]
    with pool.lent(codec) as fresh:
        assert fresh is not decoder


def test_key_frames_of_reordered_streams_come_out_at_once(make_clip):
    codec, packets = key_packets(make_clip(".ts", fps=25, gop=50, bframes=3))
    decoder = Decoder(codec)
    for packet in packets:
        assert len(decoder.decode(packet) + decoder.drain()) == 1
