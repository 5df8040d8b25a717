"""Training the head counter: what is read, how crops are made, what the loss wants."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from pipeline.errors import DataError
from scripts.scenes.folder import Folder, Still
from scripts.train.heads.crops import SIZE, mixed, pools_of, training_crop
from scripts.train.heads.data import HeadPicture, read_data, read_points
from scripts.train.heads.score import of_boxes, of_clip, of_points, of_rendered


def write_picture(path, width=400, height=300, dots=()):
    picture = np.full((height, width, 3), 40, np.uint8)
    for x, y in dots:
        cv2.circle(picture, (round(x), round(y)), 6, (255, 255, 255), -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", picture)[1])


@pytest.fixture
def pointed(tmp_path):
    points = {f"img_{i}.png": [[100, 60], [300, 240], [20.5 * i, 10]] for i in range(1, 11)}
    for name, dots in points.items():
        write_picture(tmp_path / "images" / name, dots=dots)
    (tmp_path / "points.json").write_text(json.dumps(points))
    return tmp_path


@pytest.fixture
def boxed(tmp_path):
    rows = ["split,name,source,group"]
    labels = {"train": "0 0.5 0.5 0.1 0.6\n2 0.2 0.2 0.1 0.1\n", "val": "0 0.3 0.3 0.1 0.2\n"}
    for split, text in labels.items():
        write_picture(tmp_path / split / "images" / f"{split}1.png")
        (tmp_path / split / "labels").mkdir()
        (tmp_path / split / "labels" / f"{split}1.txt").write_text(text)
        rows.append(f"{split},{split}1,lightly_coco,")
    (tmp_path / "index.csv").write_text("\n".join(rows))
    return tmp_path


def test_every_fifth_picture_with_points_is_held_back_and_every_tenth_is_for_choosing(pointed):
    parts = read_points(pointed)
    names = {part: [one.path.stem for one in pictures] for part, pictures in parts.items()}
    assert names["val"] == ["img_5", "img_10"]
    assert names["choose"] == ["img_1"]
    assert len(names["train"]) == 7
    assert parts["train"][0].heads[0].tolist() == pytest.approx([0.25, 0.2, 0])
    assert [count for _, count in of_points(pointed)] == [3, 3]
    assert [count for _, count in of_points(pointed, "choose")] == [3]


@pytest.mark.parametrize(
    "content, problem",
    [
        ("{", "can't be read"),
        ("[]", "names no pictures"),
        ('{"img_1.png": [[1, "a"]]}', "list of points"),
        ('{"img_1.png": [[1, 2, 3]]}', "list of points"),
        ('{"img_1.png": [[100, 900]]}', "outside"),
        ('{"img_99.png": [[1, 2]]}', "not a picture"),
    ],
)
def test_wrong_points_are_refused(pointed, content, problem):
    (pointed / "points.json").write_text(content)
    with pytest.raises(DataError, match=problem):
        read_points(pointed)


def test_the_head_is_at_the_top_of_a_persons_box(boxed):
    (one,) = read_data(boxed)
    assert not one.complete
    ((x, y, width),) = one.heads
    assert x == pytest.approx(0.5)
    assert 0.2 < y < 0.3
    assert 0 < width < 0.1
    assert [count for _, count in of_boxes(boxed, 1, 10)] == [1]
    assert list(of_boxes(boxed, 0, 0)) == []


def rendered(root, split, people):
    camera = {"x": 5.0, "height_m": 6.0, "pitch_deg": 24.0, "yaw_deg": 9.0, "hfov_deg": 80.0}
    objects = [{"class": "person", "box": [0, 0, 9, 9], **one} for one in people]
    truth = {"name": f"{split}1", "seed": 1, "street": 0, "kind": "hall", "light": "sun"}
    truth |= {"weather": "dry", "camera": camera, "objects": objects}
    boxes = [("person", (0.0, 0.0, 9.0, 9.0)) for _ in people]
    Folder(root, split).add(Still(f"{split}1", np.full((80, 160, 3), 90, np.uint8), boxes, truth))


def test_heads_seen_in_rendered_pictures_are_marked_and_no_others(tmp_path):
    seen = {"head": [40, 19], "head_px": 8.0, "head_seen": 0.6}
    hidden, outside = seen | {"head_seen": 0.1}, seen | {"head": None, "head_seen": 0.0}
    rendered(tmp_path, "train", [seen, hidden, outside])
    rendered(tmp_path, "val", [seen, seen])
    (one,) = read_data(tmp_path)
    assert one.complete
    assert one.heads.tolist() == [pytest.approx([40.5 / 160, 19.5 / 80, 8 / 160])]
    assert [count for _, count in of_rendered(tmp_path)] == [2]


def test_rendered_pictures_without_heads_in_their_truth_have_boxes(tmp_path):
    rendered(tmp_path, "train", [{"head": [40, 19]}])
    (one,) = read_data(tmp_path)
    assert not one.complete
    assert len(one.heads) == 1


def test_heads_stay_on_what_they_mark_through_every_change(pointed):
    draw = mixed(pools_of(read_points(pointed)["train"]), np.random.default_rng(0))
    heads, bright, complete = 0, 0, True
    for seed in range(40):
        picture, found, whole = training_crop(draw, np.random.default_rng(seed))
        assert picture.shape == (SIZE[1], SIZE[0], 3)
        complete &= whole
        middle = np.median(picture)
        for x, y, _ in found:
            patch = picture[
                max(0, round(y) - 2) : round(y) + 3, max(0, round(x) - 2) : round(x) + 3
            ]
            heads += 1
            bright += int(patch.max() > middle + 25)
    assert complete
    assert heads > 40
    assert bright > 0.95 * heads


def test_crops_of_a_seed_are_always_the_same(pointed):
    pictures = read_points(pointed)["train"]

    def crop():
        rng = np.random.default_rng(7)
        return training_crop(mixed(pools_of(pictures), rng), rng)

    first, second = crop(), crop()
    assert (first[0] == second[0]).all()
    assert (first[1] == second[1]).all()


def test_a_crop_with_boxes_in_it_is_not_complete(pointed, boxed):
    pictures = [HeadPicture(one.path, one.heads, "", complete=False) for one in read_data(boxed)]
    draw = mixed(pools_of(pictures), np.random.default_rng(0))
    assert not any(training_crop(draw, np.random.default_rng(seed))[2] for seed in range(5))


def test_a_clip_is_scored_on_the_pictures_that_were_counted(tmp_path):
    clip = tmp_path / "square.avi"
    video = cv2.VideoWriter(str(clip), cv2.VideoWriter_fourcc(*"MJPG"), 2, (64, 48))
    for grey in (10, 60, 110, 160):
        video.write(np.full((48, 64, 3), grey, np.uint8))
    video.release()
    counts = tmp_path / "square_counts.csv"
    with pytest.raises(DataError, match="counts"):
        list(of_clip(clip))
    counts.write_text("frame,count\n0,3\n2,5\n")
    found = [(round(float(picture.mean()), -1), count) for picture, count in of_clip(clip)]
    assert found == [(10, 3), (110, 5)]
    counts.write_text("frame,count\n9,3\n")
    with pytest.raises(DataError, match="ends before"):
        list(of_clip(clip))
