"""H.264 and H.265, large pictures, and cameras that are set anew while they are watched."""

from itertools import islice

import av
import numpy as np
import pytest

from pipeline.clock import SystemClock
from pipeline.ingest import Source
from pipeline.ingest.decoding import Codec, KeyDecoders
from pipeline.ingest.parameter_sets import ParameterSets
from pipeline.ingest.streams import FileStream
from pipeline.rehearsal.city import CityCamera, running_city
from pipeline.settings import IngestSettings

SIZE = (640, 384)
SETTINGS = IngestSettings(interval_s=0.1)


def source_of(url, **more):
    return Source("a", str(url), SETTINGS, size=SIZE, clock=SystemClock(), **more)


def looks_of(source, count):
    looks = source.looks()
    taken = list(islice(looks, count))
    looks.close()
    return taken


def luma_of(bgr):
    """As a look at model size shows it: limited range, rows of the content alone."""
    width, height = SIZE[0], round(bgr.shape[0] * SIZE[0] / bgr.shape[1])
    frame = av.VideoFrame.from_ndarray(bgr, "bgr24").reformat(width, height, format="gray")
    return frame.to_ndarray() * (219 / 255) + 16


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("policy", ["keys", "auto"])
@pytest.mark.parametrize("suffix", [".mp4", ".ts"])
def test_both_codecs_give_looks_and_their_full_pictures(make_clip, codec, policy, suffix):
    clip = make_clip(suffix, codec=codec, size=(960, 540), fps=10, gop=5, seconds=2)
    with running_city({"c": clip}, {"a": CityCamera("c")}) as city:
        source = source_of(city.url("a"), policy=policy)
        for look in looks_of(source, 4):
            assert look.source_size == (960, 540)
            full = source.full_picture(look.captured_at)
            assert full.shape == (540, 960, 3)
            assert np.abs(luma_of(full) - look.picture[:360]).mean() < 4


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_four_megapixels_are_looked_at(make_clip, codec):
    clip = make_clip(codec=codec, size=(2560, 1440), fps=5, gop=2, seconds=1)
    with running_city({"c": clip}, {"a": CityCamera("c")}) as city:
        source = source_of(city.url("a"))
        look = looks_of(source, 1)[0]
        assert look.source_size == (2560, 1440)
        assert source.full_picture(look.captured_at).shape == (1440, 2560, 3)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("policy", ["keys", "auto", "all"])
def test_a_resolution_that_changes_in_the_stream_is_followed(tmp_path, write_ramps, codec, policy):
    """The session description still names the first size; only key frames tell of the others."""
    sizes = [(640, 360), (1280, 720), (704, 576)]
    clip = write_ramps(tmp_path / "clip.ts", sizes, codec, seconds=1.5)
    with running_city({"c": clip}, {"a": CityCamera("c", own_start=True)}) as city:
        source = source_of(city.url("a"), policy=policy)
        seen = {}
        for look in source.looks():
            full = source.full_picture(look.captured_at)
            assert full.shape == (*look.source_size[::-1], 3)
            width = round(look.source_size[0] / look.scale)
            luma = look.picture[100, 4 : width - 4].astype(int)
            assert (np.diff(luma) >= -3).all()  # a ramp, whole
            seen.setdefault(look.source_size, look)
            if set(seen) == set(sizes):
                break
    assert list(seen) == sizes


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_parameter_sets_in_band_say_what_a_decoder_must_be_opened_for(tmp_path, write_ramps, codec):
    clip = write_ramps(tmp_path / "clip.ts", [(320, 180), (640, 360)], codec)
    stream = FileStream(clip)
    found = [(stream.codec, bytes(a.packet), stream.codec) for a in stream.arrivals() if a.key]
    stream.close()
    codecs = list(dict.fromkeys(codec for codec, _, _ in found))
    sizes = set()
    for opened_for, data, _ in found:
        with KeyDecoders().lent(opened_for) as decoder:
            frames = decoder.decode(av.Packet(data)) + decoder.drain()
            assert not decoder.spent
        sizes.add((opened_for, frames[0].width))
    assert len(sizes) == 2
    assert len(codecs) >= 2


def test_the_sets_of_the_description_hold_until_others_come():
    sps, pps = b"\0\0\0\1\x67AAAA", b"\0\0\0\1\x68BB"
    sets = ParameterSets(Codec("h264", sps + pps))
    plain = av.Packet(b"\0\0\0\1\x65slice")
    assert sets.key(plain).extradata == sps + pps
    again = av.Packet(b"\0\0\1\x67AAAA\0\0\0\1\x68BB\0\0\0\1\x65slice")
    assert sets.key(again).extradata == sps + pps
    other = av.Packet(b"\0\0\0\1\x09\xf0\0\0\1\x67CCCC\0\0\0\1\x65\0\0\1\x68ZZ")
    assert sets.key(other).extradata == b"\0\0\0\1\x67CCCC" + pps
    assert sets.key(plain).extradata == b"\0\0\0\1\x67CCCC" + pps


@pytest.mark.parametrize("codec", [Codec("h264", b"\x01\x64rest"), Codec("mjpeg"), Codec("mpeg4")])
def test_other_kinds_of_stream_keep_what_they_were_opened_for(codec):
    sets = ParameterSets(codec)
    assert sets.key(av.Packet(b"\0\0\0\1\x67CCCC\0\0\0\1\x65slice")) == codec
