"""Samples: boxes stay on their things whatever is done to the picture."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import DataError
from scripts.train import camera_look
from scripts.train.folders import Picture
from scripts.train.pictures import GREY, Sampler, place, read_picture

SIZE = (320, 192)
RED = (0, 0, 255)


@pytest.fixture
def pictures(tmp_path):
    """Grey pictures of several sizes, each with a red thing and its box."""
    made = []
    for number, (wide, high) in enumerate([(640, 360), (320, 240), (200, 300), (64, 48)]):
        bgr = np.full((high, wide, 3), 90, np.uint8)
        box = np.float32([0.3, 0.4, 0.6, 0.8])
        x0, y0, x1, y1 = (box * [wide, high, wide, high]).round().astype(int)
        bgr[y0:y1, x0:x1] = RED
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), bgr)
        box = np.float32([[x0 / wide, y0 / high, x1 / wide, y1 / high]])
        made.append(Picture(path, box, np.int16([6]), "train", "detrac_sub", ""))
    return made


def red(rgb):
    """(H, W) where a sample without changes of colour shows the red thing."""
    return (rgb[0] > 160) & (rgb[2] < 90)


def test_boxes_stay_on_things_through_mosaic_zoom_and_flip(pictures, monkeypatch):
    monkeypatch.setattr(camera_look, "CHANGES", ())
    sampler = Sampler(pictures, SIZE, seed=1, paster=None)
    boxes = hidden = seen = 0
    for number in range(120):
        sample = sampler.sample(number, mosaic=True)
        shown = red(sample.rgb)
        for x0, y0, x1, y1 in sample.boxes:
            inner = shown[int(np.ceil(y0)) : int(y1), int(np.ceil(x0)) : int(x1)]
            assert inner.mean() > 0.75 or inner.size < 150
            boxes += 1
        seen += shown.sum()
        for x0, y0, x1, y1 in sample.boxes.astype(int):
            shown[max(0, y0 - 3) : y1 + 4, max(0, x0 - 3) : x1 + 4] = False
        hidden += shown.sum()
    assert boxes > 100
    assert hidden < 0.1 * seen  # little remains of what lost its box at an edge


def test_samples_have_the_shape_and_types_the_network_takes(pictures):
    sample = Sampler(pictures, SIZE, seed=1, paster=None).sample(5, mosaic=True)
    assert (sample.rgb.shape, sample.rgb.dtype) == ((3, 192, 320), np.uint8)
    assert (sample.boxes.dtype, sample.classes.dtype) == (np.float32, np.int16)
    assert sample.rgb.flags.c_contiguous


def test_a_sample_depends_on_its_number_and_the_seed_alone(pictures):
    one, other = (Sampler(pictures, SIZE, seed=3, paster=None) for _ in range(2))
    other.sample(0, mosaic=True)
    a, b = one.sample(7, mosaic=True), other.sample(7, mosaic=True)
    assert (a.rgb == b.rgb).all()
    assert (a.boxes == b.boxes).all()
    assert (a.rgb != one.sample(8, mosaic=True).rgb).any()


def test_some_pictures_stand_as_the_running_model_gets_them(pictures, monkeypatch):
    monkeypatch.setattr(camera_look, "CHANGES", ())
    sampler = Sampler(pictures[:1], SIZE, seed=1, paster=None)
    plain = [sampler.sample(number, mosaic=False) for number in range(60)]
    fitted = np.float32([96, 72, 192, 144])  # 640x360 fits 320x192 as 320x180
    flipped = np.float32([128, 72, 224, 144])
    hits = [
        any(np.allclose(one.boxes, box, atol=0.6) for box in (fitted, flipped))
        for one in plain
        if len(one.boxes)
    ]
    assert sum(hits) >= 6


def test_pasting_is_asked_for_on_street_pictures_only(pictures):
    calls = []

    def paster(bgr, boxes, classes, rng):
        calls.append(bgr.shape)
        assert boxes.max() <= 1
        return bgr, np.vstack([boxes, np.float32([[0, 0, 1, 1]])]), np.append(classes, np.int16(7))

    sampler = Sampler(pictures, SIZE, seed=1, paster=paster)
    samples = [sampler.sample(number, mosaic=False) for number in range(40)]
    assert 5 < len(calls) < 25
    assert sum(7 in one.classes for one in samples) >= len(calls) // 2
    crowd = [Picture(p.path, p.boxes, p.classes, "train", "shanghaitech_b", "") for p in pictures]
    calls.clear()
    Sampler(crowd, SIZE, seed=1, paster=paster).sample(1, mosaic=True)
    assert not calls


def test_a_thing_cut_off_by_the_edge_is_dropped_or_cut():
    bgr = np.zeros((100, 100, 3), np.uint8)
    boxes = np.float32([[0, 0, 40, 40], [60, 0, 100, 40], [30, 30, 70, 70]])
    scene = bgr, boxes, np.int16([1, 2, 3])
    _, kept, classes = place(scene, 1.0, (-30.0, 0.0), (60, 60))
    assert list(classes) == [2, 3]  # a quarter of the first is left
    assert kept.tolist() == [[30, 0, 60, 40], [0, 30, 40, 60]]


def test_what_no_picture_covers_is_grey():
    scene = np.zeros((20, 20, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int16)
    placed = place(scene, 1.0, (0.0, 0.0), (64, 32))[0]
    assert (placed[:, 21:] == GREY).all()
    assert (placed[:20, :19] == 0).all()


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_every_change_of_look_keeps_size_and_type(seed):
    rng = np.random.default_rng(seed)
    bgr = rng.integers(0, 256, (48, 64, 3), np.uint8)
    for _, step in camera_look.CHANGES:
        before = bgr.copy()
        changed = step(bgr, rng)
        assert (changed.shape, changed.dtype) == (bgr.shape, np.uint8)
        assert (bgr == before).all()


def test_nights_are_dark_and_infrared_is_grey():
    rng = np.random.default_rng(1)
    bgr = np.full((48, 64, 3), (180, 150, 120), np.uint8)
    assert np.mean([camera_look.night(bgr, rng).mean() for _ in range(10)]) < 75
    grey = camera_look.infrared(bgr, rng)
    assert (grey == grey[..., :1]).all()


def test_broken_pictures_are_named(tmp_path):
    whole = cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes()
    cases = {
        "empty": (b"", "is not a picture"),
        "text": (b"hello", "is not a picture"),
        "short": (whole[: len(whole) // 2], "picture is cut short"),
    }
    for name, (content, problem) in cases.items():
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(content)
        with pytest.raises(DataError, match=problem) as caught:
            read_picture(path)
        assert str(path) in str(caught.value)
    with pytest.raises(DataError, match="can't be read"):
        read_picture(tmp_path / "none.jpg")
