from contextlib import suppress

import av
import numpy as np
import pytest

from pipeline.clock import SystemClock
from pipeline.errors import FootageError
from pipeline.ingest import Source
from pipeline.ingest.pictures import Scaler
from pipeline.settings import IngestSettings

SIZE = (320, 192)


def source_of(path, **overrides):
    return Source("c", str(path), IngestSettings(), size=SIZE, clock=SystemClock(), **overrides)


def times(path, **overrides):
    return [round(look.captured_at, 3) for look in source_of(path, **overrides).looks()]


def fifths(count):
    return [number / 5 for number in range(count)]


def luma_of(bgr):
    frame = av.VideoFrame.from_ndarray(bgr, format="bgr24")
    return frame.reformat(format="gray").to_ndarray().astype(int)


def looks_until_error(source):
    looks = []
    with pytest.raises(FootageError) as caught:
        looks.extend(source.looks())
    return looks, str(caught.value)


def test_files_default_to_auto_at_the_interval_of_the_settings(tiny_clip, sparse_clip):
    for clip in (tiny_clip, sparse_clip):
        found = times(clip)
        assert found[:4] == [0.0, 0.6, 1.0, 1.6]
        assert len(found) == 20


def test_keys_gives_the_key_frames(tiny_clip, sparse_clip):
    assert times(tiny_clip, policy="keys") == [float(second) for second in range(10)]
    assert times(tiny_clip, policy="keys", interval_s=2) == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert times(sparse_clip, policy="keys") == [0.0]


def test_auto_with_a_long_interval_needs_key_frames_alone(tiny_clip):
    assert times(tiny_clip, policy="auto", interval_s=1) == [float(second) for second in range(10)]


def test_all_gives_every_picture(tiny_clip, sparse_clip):
    assert times(tiny_clip, policy="all", interval_s=0) == fifths(50)
    assert times(sparse_clip, policy="auto", interval_s=0) == fifths(50)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts", ".flv", ".h264"])
def test_times_count_from_the_first_picture_in_every_container(make_clip, suffix):
    # 25 a second, because raw H.264 doesn't say
    clip = make_clip(suffix, fps=25, seconds=2, gop=25)
    found = times(clip, policy="all", interval_s=0)
    assert found == pytest.approx([number / 25 for number in range(50)], abs=0.002)
    source = source_of(clip, policy="all", interval_s=0.7)
    for look in source.looks():
        full = source.full_picture(look.captured_at)
        assert np.abs(luma_of(full) * 219 / 255 + 16 - look.picture[:180]).mean() < 4


def test_reordered_pictures_come_in_order_with_their_own_times(make_clip):
    clip = make_clip(fps=25, gop=50, bframes=3)
    assert times(clip, policy="all", interval_s=0) == [number / 25 for number in range(250)]
    assert times(clip, policy="keys") == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert len(times(clip, policy="auto", interval_s=0.2)) in (50, 51)


def test_the_same_file_gives_the_same_looks_every_time(sparse_clip):
    first, second = (list(source_of(sparse_clip).looks()) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert a.captured_at == b.captured_at
        assert (a.picture == b.picture).all()


def test_looks_say_what_they_show(tiny_clip):
    look = next(source_of(tiny_clip).looks())
    assert look.camera_id == "c"
    assert look.source_size == (320, 180)
    assert look.region == (0.0, 0.0, 320.0, 192.0)
    assert look.picture.shape == (288, 320)
    assert (look.picture[180:192] == 114).all()


@pytest.mark.parametrize("kind", [{}, {"gop": 50}, {"fps": 25, "gop": 50, "bframes": 3}])
def test_the_full_picture_of_any_look_is_that_very_picture(make_clip, kind):
    source = source_of(make_clip(**kind))
    for look in list(source.looks())[::6]:
        full = source.full_picture(look.captured_at)
        assert full.shape == (180, 320, 3)
        assert full.dtype == np.uint8
        assert np.abs(luma_of(full) * 219 / 255 + 16 - look.picture[:180]).mean() < 4


def test_between_two_pictures_the_earlier_one_is_given(sparse_clip):
    source = source_of(sparse_clip)
    between, earlier = source.full_picture(3.3), source.full_picture(3.2)
    assert (between == earlier).all()


def test_after_the_end_the_last_picture_is_given(tiny_clip):
    source = source_of(tiny_clip)
    assert (source.full_picture(99.0) == source.full_picture(9.8)).all()


def test_a_missing_file_is_named(tmp_path):
    _, text = looks_until_error(source_of(tmp_path / "none.mp4"))
    assert "none.mp4" in text
    assert "no such file" in text


def test_a_directory_is_no_footage(tmp_path):
    assert "a directory" in looks_until_error(source_of(tmp_path))[1]


def test_an_empty_file_is_said_to_be_empty(tmp_path):
    (tmp_path / "zero.mp4").touch()
    _, text = looks_until_error(source_of(tmp_path / "zero.mp4"))
    assert "0 bytes" in text


def test_text_named_like_a_video_is_no_video(tmp_path):
    (tmp_path / "notes.mp4").write_text("meeting at nine\n" * 200)
    assert "not a video" in looks_until_error(source_of(tmp_path / "notes.mp4"))[1]


def test_a_playlist_cannot_make_us_open_other_files(tmp_path, tiny_clip):
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile '{tiny_clip}'\n")
    (tmp_path / "hls.mp4").write_text(f"#EXTM3U\n#EXTINF:10,\n{tiny_clip}\n#EXT-X-ENDLIST\n")
    for name in ("list.mp4", "hls.mp4"):
        assert looks_until_error(source_of(tmp_path / name))[0] == []


def test_sound_alone_is_no_footage(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert "audio only" in looks_until_error(source_of(path))[1]


def test_a_truncated_file_gives_what_is_there_and_then_says_so(make_clip, tmp_path):
    whole = make_clip(movflags="+faststart").read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    looks, text = looks_until_error(source_of(cut, policy="all", interval_s=0))
    assert 15 < len(looks) < 40
    assert "cut.mp4" in text
    assert "of 10.0 s" in text or "damaged" in text


def test_a_file_cut_off_before_its_index_is_said_to_be_incomplete(make_clip, tmp_path):
    whole = make_clip().read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    looks, text = looks_until_error(source_of(tmp_path / "cut.mp4"))
    assert looks == []
    assert "incomplete" in text


def test_damaged_pictures_never_become_looks(make_clip, tmp_path):
    data = bytearray(make_clip(".ts", seconds=20).read_bytes())
    random = np.random.default_rng(4)
    for place in random.integers(4000, len(data), 400):
        data[place] ^= 0xFF
    path = tmp_path / "damaged.ts"
    path.write_bytes(data)
    source = source_of(path, policy="all", interval_s=0)
    looks = []
    with suppress(FootageError):  # its end may be missing
        looks.extend(source.looks())
    assert source.corrupt > 0
    assert len(looks) + source.corrupt <= 110


def test_pictures_that_cannot_be_scaled_are_left_out_like_damaged_ones(tiny_clip, monkeypatch):
    scale = Scaler.picture

    def fails_in_the_middle(self, frame, shown):
        if 20 <= frame.pts * frame.time_base * 5 < 30:
            raise av.error.ArgumentError(22, "no such conversion")
        return scale(self, frame)

    monkeypatch.setattr(Scaler, "picture", fails_in_the_middle)
    source = source_of(tiny_clip, policy="all", interval_s=0)
    assert len(list(source.looks())) == 40
    assert source.corrupt == 10


def test_footage_of_which_nothing_can_be_scaled_is_said_to_hold_no_picture(tiny_clip, monkeypatch):
    def fails(self, frame, shown):
        raise av.error.ArgumentError(22, "no such conversion")

    monkeypatch.setattr(Scaler, "picture", fails)
    looks, text = looks_until_error(source_of(tiny_clip))
    assert looks == []
    assert "no picture in it can be decoded" in text


def test_a_closed_source_ends(tiny_clip):
    source = source_of(tiny_clip)
    looks = source.looks()
    next(looks)
    source.close()
    assert len(list(looks)) <= 1
