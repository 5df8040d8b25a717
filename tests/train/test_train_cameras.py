"""Pictures are grouped by what stands still in them; whole cameras are kept from training."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import DataError
from scripts.train.cameras import TAKEN, UNSEEN, cameras_of, hold_out, likeness, outline, view_of
from scripts.train.classes import IDS
from scripts.train.folders import Picture

CLIP = "train__test{clip}_{frame}_jpg.rf.0.jpg"


def street(seed):
    """A grey street with edges of its own everywhere."""
    rng = np.random.default_rng(seed)
    scene = np.full((324, 576), 120, np.uint8)
    for _ in range(160):
        ends = rng.integers(0, (576, 324), (2, 2))
        cv2.line(scene, ends[0].tolist(), ends[1].tolist(), int(rng.integers(0, 255)), 2)
    return scene


def passing(scene, seed):
    """The same street with a car somewhere, a bit darker and noisy."""
    rng = np.random.default_rng(seed)
    frame = (scene * rng.uniform(0.7, 1.0)).astype(np.uint8)
    x, y = rng.integers(0, (440, 220))
    frame[y : y + 90, x : x + 120] = 230
    noise = rng.normal(0, 4, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


class Album:
    """Makes pictures on disk."""

    def __init__(self, folder):
        self.folder, self.pictures = folder, []

    def add(self, name, frame, split="train", classes=(), original="", group="", source="s"):
        path = self.folder / f"{name}.png"
        if frame is not None:
            cv2.imwrite(str(path), frame)
        boxes = np.tile(np.float32([0.4, 0.4, 0.6, 0.6]), (len(classes), 1))
        picture = Picture(
            path,
            boxes,
            np.array([IDS[one] for one in classes], np.int16),
            split,
            source,
            group,
            {"source_file_or_background": original},
        )
        self.pictures.append(picture)
        return picture

    def clip(self, first, number, seed, crashes=0, split="train", group=""):
        """Frames acc_FIRST... of one fixed camera, the first of them with a crash."""
        scene = street(seed)
        return [
            self.add(
                f"acc_{first + frame:05d}",
                passing(scene, 1000 * seed + frame),
                split,
                ("crash",) if frame < crashes else (),
                CLIP.format(clip=seed, frame=frame),
                group,
            )
            for frame in range(number)
        ]


@pytest.fixture
def album(tmp_path):
    return Album(tmp_path)


def test_frames_of_one_camera_are_alike_and_other_streets_are_not():
    frames = [passing(street(seed), frame) for seed in (1, 2, 3) for frame in range(3)]
    alike = likeness(np.stack([outline(frame) for frame in frames]))
    same = np.kron(np.eye(3), np.ones((3, 3))).astype(bool)
    assert alike[same].min() > 0.6
    assert alike[~same].max() < 0.5


def test_a_plain_road_proves_nothing():
    flat = np.stack([outline(np.full((324, 576), grey, np.uint8)) for grey in (80, 120)])
    assert likeness(flat)[0, 1] == 0


def test_a_camera_is_named_after_its_first_picture(album):
    album.clip(10, 3, seed=1)
    album.clip(20, 2, seed=2)
    cameras = cameras_of(album.pictures)
    assert set(list(cameras.values())[:3]) == {"acc_00010"}
    assert set(list(cameras.values())[3:]) == {"acc_00020"}


def test_a_shared_group_does_not_join_two_places(album):
    """The group column chains cameras that look alike from afar."""
    album.clip(10, 2, seed=1, group="7")
    album.clip(20, 2, seed=2, group="7")
    assert len(set(cameras_of(album.pictures).values())) == 2


def test_close_ups_from_the_web_go_by_their_group(album):
    for number in range(2):
        original = f"train__OIP-{number}-_jpeg.rf.0.jpg"
        album.add(f"acc_0000{number}", street(number), original=original, group="9")
    assert set(cameras_of(album.pictures).values()) == {"acc_00000"}
    assert view_of(album.pictures[0]) == "web"


def test_a_road_series_is_one_camera_whatever_it_shows(album):
    for number in range(3):
        album.add(f"det_MVI_1_img{number:05d}", street(number))
    assert set(cameras_of(album.pictures).values()) == {"det_MVI_1_img00000"}


def test_a_composite_belongs_to_the_camera_of_its_background(album):
    first, *_ = album.clip(10, 2, seed=1)
    pasted = album.add("cmp_tr_1", street(5), original=first.name)
    assert cameras_of(album.pictures)[pasted.name] == first.name
    assert view_of(pasted) == "fixed"


def test_unknown_sources_go_by_group_and_otherwise_stand_alone(album):
    for name, group in (("a", "g"), ("b", "g"), ("c", ""), ("d", "")):
        album.add(name, street(1), group=group, source="rendered")
    assert cameras_of(album.pictures) == {"a": "a", "b": "a", "c": "c", "d": "d"}


def test_a_val_picture_is_held_out_only_if_train_lacks_its_camera(album):
    album.clip(10, 30, seed=1)
    album.clip(50, 2, seed=1, split="val")
    album.clip(60, 2, seed=2, split="val")
    held = hold_out(album.pictures)
    assert held == {"acc_00060": UNSEEN, "acc_00061": UNSEEN}


def test_a_small_camera_of_val_is_taken_out_of_train_whole(album):
    album.clip(10, 4, seed=1, crashes=2)
    album.clip(50, 2, seed=1, split="val")
    pasted = album.add("cmp_tr_1", street(5), original="acc_00010")
    held = hold_out(album.pictures)
    assert set(held) == {one.name for one in album.pictures}
    assert set(held.values()) == {TAKEN}
    assert pasted.name in held


def test_no_camera_is_both_trained_on_and_held_out(album):
    for seed in range(1, 16):
        album.clip(20 * seed, 6, seed, crashes=5, split="val" if seed % 5 == 0 else "train")
    cameras, held = cameras_of(album.pictures), hold_out(album.pictures)
    out = {cameras[name] for name in held}
    trained = {cameras[one.name] for one in album.pictures if one.name not in held}
    assert not out & trained
    # Forty pictures of crashes are enough: eight cameras with five each.
    assert sum(held.get(one.name) == TAKEN for one in album.pictures) == 8 * 6


def test_the_choice_depends_on_names_not_on_their_order(album):
    for seed in range(1, 12):
        album.clip(20 * seed, 6, seed, crashes=5)
    assert hold_out(album.pictures) == hold_out(album.pictures[::-1])


@given(st.lists(st.integers(0, 10**12), unique=True, min_size=200, max_size=300))
@settings(max_examples=20, deadline=None)
def test_about_half_of_the_photos_are_held_out(tmp_path_factory, numbers):
    album = Album(tmp_path_factory.mktemp("coco"))
    pictures = [album.add(f"coco_{number:012d}", None) for number in numbers]
    assert 0.3 < len(hold_out(pictures)) / len(pictures) < 0.7


def test_every_fifth_crowd_is_held_out(album):
    for number in range(1, 11):
        album.add(f"shb_IMG_{number}", None)
    assert set(hold_out(album.pictures)) == {"shb_IMG_5", "shb_IMG_10"}


def test_blocks_of_a_survey_are_cameras_and_odd_names_stand_alone(album):
    for name in ("rdd_000001", "rdd_000059", "rdd_000060", "rdd_extra"):
        album.add(name, None)
    cameras = cameras_of(album.pictures)
    assert cameras["rdd_000059"] == "rdd_000001"
    assert len(set(cameras.values())) == 3


def test_a_broken_picture_is_named(album):
    album.clip(10, 2, seed=1)
    album.pictures[1].path.write_bytes(b"no picture")
    with pytest.raises(DataError, match="acc_00011"):
        hold_out(album.pictures)
