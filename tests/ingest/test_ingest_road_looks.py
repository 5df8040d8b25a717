"""Road looks: windows cut out of the decoded picture, in turn, at the right place and cost."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clock import ManualClock, SystemClock
from pipeline.ingest import Ingest, Source
from pipeline.ingest.pictures import Cutter, Scaler, bgr_of
from pipeline.ingest.road_looks import RoadLooks
from pipeline.ingest.windows import Window
from pipeline.settings import IngestSettings
from pipeline.town import Camera

SIZE = (160, 96)
SOURCE = (480, 288)
LEFT, MIDDLE, RIGHT = (Window(x, 64, 160, 96) for x in (0, 160, 320))


def frame_of(pixel_format="yuv420p", color_range=None, source=SOURCE):
    """Brightness rises to the right, and in steps downwards: every place is known by it."""
    y, x = np.mgrid[0 : source[1], 0 : source[0]]
    grey = (40 + x // 4 + 40 * (y // 96)).astype(np.uint8)
    rgb = np.repeat(grey[..., None], 3, axis=-1)
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixel_format)
    if color_range is not None:
        frame.color_range = color_range
    return frame


FORMATS = ["yuv420p", "yuvj420p", "nv12", "yuv422p", "yuv420p10le", "bgr24", "gray"]


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize("color_range", [None, 1, 2])
@pytest.mark.parametrize("window", [MIDDLE, Window(40, 20, 320, 192)])
def test_a_window_is_that_part_of_the_picture(pixel_format, color_range, window):
    frame = frame_of(pixel_format, color_range)
    region, picture = Cutter(SIZE).picture(frame, window)
    whole = bgr_of(frame)[window.y :][: window.height, window.x :][:, : window.width]
    again = av.VideoFrame.from_ndarray(np.ascontiguousarray(whole), format="bgr24")
    wanted = Scaler(SIZE).picture(again)
    assert np.abs(picture[:96].astype(int) - wanted[:96]).mean() < 2.5
    assert picture.shape == (144, 160)
    assert region == (
        window.x,
        window.y,
        window.x + window.width,
        window.y + window.height,
    )


def test_at_native_resolution_not_a_pixel_is_changed():
    frame = frame_of()
    whole = np.frombuffer(memoryview(frame.planes[0]), np.uint8)
    whole = whole.reshape(-1, frame.planes[0].line_size)
    _, picture = Cutter(SIZE).picture(frame, MIDDLE)
    np.testing.assert_array_equal(picture[:96], whole[64:160, 160:320])


def test_cutting_copies_nothing_and_leaves_the_frame_as_it_was():
    frame = frame_of()
    before = frame.to_ndarray()
    part = Cutter(SIZE).part(frame, MIDDLE)
    assert part.planes[0].line_size == frame.planes[0].line_size
    np.testing.assert_array_equal(frame.to_ndarray(), before)


def road_looks(windows=(LEFT, MIDDLE, RIGHT), interval_s=9.0):
    return RoadLooks(lambda _source: windows, SIZE, interval_s)


def turns(looks, times, frame=None):
    """For each time the left edges of the windows cut then."""
    frame = frame or frame_of()
    return [[region[0] for region, _ in looks.due(frame, at)] for at in times]


def test_windows_come_in_turn_spread_over_the_interval():
    seen = turns(road_looks(), range(19))
    assert [(at, edges) for at, edges in enumerate(seen) if edges] == [
        (0, [0]),
        (3, [160]),
        (6, [320]),
        (9, [0]),
        (12, [160]),
        (15, [320]),
        (18, [0]),
    ]


def test_pictures_far_apart_show_every_window_that_is_due():
    assert turns(road_looks(), [0, 10, 20, 30])[1:] == [[0, 160, 320]] * 3


def test_a_picture_that_comes_a_little_early_is_on_time_and_the_round_keeps_its_pace():
    seen = turns(road_looks((LEFT,), 10.0), [0, 9.1, 20.0, 29.5, 31.0])
    assert seen == [[0], [0], [0], [0], []]


def test_after_a_time_that_goes_back_the_round_begins_anew():
    seen = turns(road_looks((LEFT,), 10.0), [1000, 1010, 3, 4, 13])
    assert seen == [[0], [0], [0], [], [0]]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(0.02, 25), min_size=1, max_size=60),
    st.integers(1, 4),
    st.floats(1, 20),
)
def test_however_pictures_come_no_window_waits_longer_than_its_interval_and_a_gap(
    gaps, count, interval_s
):
    windows = [Window(2 * at, 0, 160, 96) for at in range(count)]
    looks = road_looks(windows, interval_s)
    times = np.cumsum([0, *gaps])
    seen = turns(looks, times)
    for window in windows:
        cut_at = [at for at, edges in zip(times, seen, strict=True) if window.x in edges]
        waits = np.diff([0.0, *cut_at, times[-1]])
        assert (waits <= 2 * interval_s + max(gaps) + 1e-6).all()
        assert len(cut_at) <= times[-1] / interval_s / 0.9 + 2


def test_a_source_that_changes_its_size_is_planned_anew():
    asked = []

    def plan(source):
        asked.append(source)
        return [Window(0, 0, 160, 96)]

    looks = RoadLooks(plan, SIZE, 10.0)
    cuts = [
        len(looks.due(frame_of(source=source), 0.0))
        for source in (SOURCE, SOURCE, (640, 384), SOURCE)
    ]
    assert cuts == [1, 0, 1, 1]
    assert asked == [SOURCE, (640, 384), SOURCE]


def looks_of(clip, **road):
    camera = Camera("c1", "东街", str(clip), lon=113.5, lat=34.78)
    settings = IngestSettings(road_looks=road)
    with closing(Source.of(camera, settings, size=SIZE, clock=ManualClock())) as source:
        return list(source.looks())


@pytest.fixture(scope="module")
def clip(make_clip):
    return make_clip(size=SOURCE)


def test_a_sources_road_looks_follow_the_whole_look_of_their_picture(clip):
    looks = looks_of(clip, interval_s=3.0)
    road = [look for look in looks if look.purpose == "road"]
    assert road
    assert {look.region for look in road} != {looks[0].region}
    for at, look in enumerate(looks):
        if look.purpose == "road":
            earlier = [one for one in looks[:at] if one.purpose == "whole"]
            assert look.captured_at == earlier[-1].captured_at
            assert look.source_size == earlier[-1].source_size == SOURCE
            x1, y1, x2, y2 = look.region
            assert 0 <= x1 < x2 <= SOURCE[0]
            assert 0 <= y1 < y2 <= SOURCE[1]
            assert look.scale == (x2 - x1) / SIZE[0]


def test_road_looks_change_nothing_about_the_whole_ones(clip):
    with_road = [look for look in looks_of(clip) if look.purpose == "whole"]
    without = looks_of(clip, most=0)
    assert {look.purpose for look in without} == {"whole"}
    assert len(with_road) == len(without)
    for one, other in zip(with_road, without, strict=True):
        assert one.captured_at == other.captured_at
        np.testing.assert_array_equal(one.picture, other.picture)


def test_the_same_clip_gives_the_same_road_looks(clip):
    first, second = looks_of(clip), looks_of(clip)
    assert [(one.captured_at, one.region) for one in first] == [
        (one.captured_at, one.region) for one in second
    ]


def test_a_source_no_larger_than_the_model_has_none(make_clip):
    looks = looks_of(make_clip(size=(160, 96)))
    assert {look.purpose for look in looks} == {"whole"}


def write_still(path, seconds=3, fps=5):
    """A clip in which every picture is exactly the same."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *SOURCE, "yuv420p"
        stream.options = {"preset": "veryfast", "qp": "0"}
        for number in range(seconds * fps):
            frame = frame_of()
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_a_repeated_picture_gives_no_road_look_either(tmp_path, eventually):
    clip = write_still(tmp_path / "still.mp4")
    camera = Camera("c1", "东街", str(clip), lon=113.5, lat=34.78)
    settings = IngestSettings(interval_s=0.2, road_looks={"interval_s": 0.2})
    looks = []
    with Ingest([camera], settings, size=SIZE, clock=SystemClock(), deliver=looks.append) as ingest:
        eventually(lambda: ingest.statuses()["c1"].state == "disabled")
        counted = ingest.statuses()["c1"].looks
    assert {look.captured_at for look in looks} == {looks[0].captured_at}, "the first alone"
    assert [look.purpose for look in looks][:2] == ["whole", "road"]
    assert counted == 1, "whole looks count"


def test_a_source_without_a_camera_has_none(clip):
    source = Source("c1", str(clip), IngestSettings(), size=SIZE, clock=SystemClock())
    with closing(source):
        assert {look.purpose for look in source.looks()} == {"whole"}
