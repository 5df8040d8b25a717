import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest.pictures import Scaler, bgr_of, content_size, region_of

SIDES = st.integers(2, 4000)
MODEL_SIDES = st.sampled_from([32, 288, 384, 512, 640])


def grey_frame(width, height, luma, pixel_format="yuv420p"):
    frame = av.VideoFrame(width, height, pixel_format)
    for plane, value in zip(frame.planes, (luma, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


@given(SIDES, SIDES, MODEL_SIDES, MODEL_SIDES)
def test_the_region_maps_the_content_to_the_whole_source(width, height, model_w, model_h):
    source, size = (width, height), (model_w, model_h)
    region = region_of(source, size)
    scale = region[2] / model_w
    assert region[3] / model_h == pytest.approx(scale)  # one scale in both directions
    content = content_size(source, size)
    assert region[2] >= width * 0.999
    assert region[3] >= height * 0.999
    assert content[0] % 2 == content[1] % 2 == 0
    for side, original in zip(content, source, strict=True):
        assert abs(side * scale - original) <= max(2 * scale, 1)


@settings(max_examples=25, deadline=None)
@given(st.integers(16, 700), st.integers(16, 700))
def test_content_stands_at_the_top_left_and_the_rest_is_grey(width, height):
    size = (320, 192)
    picture = Scaler(size).picture(grey_frame(width, height, 200))
    content_w, content_h = content_size((width, height), size)
    luma = picture[:192]
    assert picture.shape == (288, 320)
    assert picture.dtype == np.uint8
    assert np.abs(luma[:content_h, :content_w].astype(int) - 200).max() <= 1
    assert (luma[content_h:] == 114).all()
    assert (luma[:, content_w:] == 114).all()
    assert np.abs(picture[192:].astype(int) - 128).max() <= 1


def test_full_range_becomes_limited_range():
    scaler = Scaler((320, 180))
    white = scaler.picture(grey_frame(320, 180, 255, "yuvj420p"))
    black = scaler.picture(grey_frame(320, 180, 0, "yuvj420p"))
    assert abs(int(white[90, 160]) - 235) <= 1
    assert abs(int(black[90, 160]) - 16) <= 1


def test_a_tagged_full_range_is_believed_too():
    frame = grey_frame(320, 180, 255)
    frame.color_range = 2
    assert abs(int(Scaler((320, 180)).picture(frame)[90, 160]) - 235) <= 1


def test_full_size_pictures_keep_size_and_brightness():
    picture = bgr_of(grey_frame(321, 181, 235))
    assert picture.shape == (181, 321, 3)
    assert picture.min() >= 254


def test_an_odd_model_size_is_refused():
    with pytest.raises(ValueError, match="even"):
        Scaler((641, 384))


def test_one_scaler_follows_a_camera_that_changes_its_resolution():
    scaler = Scaler((320, 192))
    for width, height in ((640, 360), (704, 576), (1920, 1080), (640, 360)):
        assert scaler.picture(grey_frame(width, height, 60))[0, 0] in (59, 60, 61)
