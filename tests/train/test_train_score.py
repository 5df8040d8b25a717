"""Scores of a model: precision counted by hand, slices kept apart, a report of it all."""

import csv
import json
import re

import cv2
import numpy as np
import onnx
import pytest
import spotter
from onnx import TensorProto, helper, numpy_helper

from pipeline.detect import Detections
from pipeline.errors import DataError
from scripts.train.classes import FIRST_NAMES, IDS
from scripts.train.folders import Picture
from scripts.train.predictor import Predictor

pytest.importorskip("pycocotools", reason="needs the train extra")

from scripts.train import report, score
from scripts.train.precision import Matched, Seen

A, B, C = (100, 100, 200, 200), (300, 100, 400, 200), (500, 100, 600, 200)
CAR = IDS["car"]


def seen(true=(), found=(), size=(640, 360)):
    """Cars: ``true`` boxes and ``found`` (box, score), in pixels."""
    picture = Picture(
        None,
        np.array(true, np.float32).reshape(-1, 4) / np.float32(size * 2),
        np.full(len(true), CAR, np.int16),
        "val",
        "cctv",
        "",
    )
    boxes = np.array([box for box, _ in found], np.float32).reshape(-1, 4)
    scores = np.array([score for _, score in found], np.float32)
    return Seen(picture, size, Detections(boxes, scores, np.full(len(found), CAR, np.int16)))


def precision(*pictures, class_id=CAR, members=None):
    members = range(len(pictures)) if members is None else members
    return Matched(pictures).precision(class_id, members)


def test_all_found_and_nothing_else_is_one():
    found = precision(seen([A, B], [(A, 0.9), (B, 0.8)]))
    assert (found.boxes, found.ap50, found.ap) == (2, pytest.approx(1), pytest.approx(1))


def test_a_false_box_above_the_second_hit_costs_a_sixth():
    # Recall 0 to 0.5 at precision 1 (51 of the 101 points), up to 1 at 2/3.
    found = precision(seen([A, B], [(A, 0.9), (C, 0.8), (B, 0.7)]))
    assert found.ap50 == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_what_is_missed_leaves_its_part_of_the_curve_empty():
    found = precision(seen([A, B], [(A, 0.9)]))
    assert found.ap50 == pytest.approx(51 / 101)
    assert found.curve == [1.0] * 51 + [0.0] * 50


def test_a_second_box_on_the_same_car_is_false():
    found = precision(seen([A, B], [(A, 0.9), (A, 0.8), (B, 0.7)]))
    assert found.ap50 == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_a_loose_box_counts_up_to_its_overlap():
    loose = (100, 100, 200, 168)  # IoU 0.68: right at 0.5, 0.55, 0.6 and 0.65
    found = precision(seen([A], [(loose, 0.9)]))
    assert (found.ap50, found.ap) == (pytest.approx(1), pytest.approx(0.4))


def test_a_false_box_in_another_picture_counts_only_where_that_is_scored():
    right, wrong = seen([A], [(A, 0.5)]), seen([], [(B, 0.9)])
    assert precision(right, wrong).ap50 == pytest.approx(0.5)
    assert precision(right, wrong, members=[0]).ap50 == pytest.approx(1)
    assert precision(wrong, right, members=[1]).ap50 == pytest.approx(1)


def test_sizes_are_those_in_the_look_not_in_the_file():
    # 30 px of 1280 are 15 px of 640: small; 100 px are 50 px: medium.
    wide = seen([(10, 10, 40, 40), A], [(A, 0.9)], size=(1280, 720))
    assert precision(wide).by_size == {"small": 0, "medium": pytest.approx(1), "large": None}


def test_a_class_that_is_nowhere_has_no_precision():
    found = precision(seen([A], [(A, 0.9)]), class_id=IDS["bus"])
    assert (found.boxes, found.ap50, found.ap, found.curve) == (0, None, None, None)


def test_no_boxes_at_all_can_be_scored():
    assert precision(seen([A])).ap50 == 0
    assert precision(seen()).ap50 is None


def save_model(path, rows):
    """A model that sees the same ``rows`` (x1 y1 x2 y2 score class) in every picture."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["rows"], ["detections"])],
        "fixed",
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["n", 48, 64])],
        [helper.make_tensor_value_info("detections", TensorProto.FLOAT, [1, None, None])],
        [numpy_helper.from_array(np.array([rows], np.float32), "rows")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"names": str(dict(enumerate(FIRST_NAMES)))})
    onnx.save(model, path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Three val streets: a crash, a quiet one, and a rendered one with a collapse and a bump."""
    root = tmp_path / "data"
    for part in ("images", "labels"):
        (root / "val" / part).mkdir(parents=True)
    rows = [("acc_00001", "cctv"), ("acc_00002", "cctv"), ("r1", "rendered")]
    labels = {"acc_00001": "7 0.25 0.25 0.5 0.5\n2 0.75 0.75 0.25 0.25\n", "acc_00002": ""}
    labels["r1"] = "6 0.25 0.25 0.5 0.5\n"
    rng = np.random.default_rng(0)
    for name, _ in rows:
        street = rng.integers(0, 255, (32, 64, 3), np.uint8)
        cv2.imwrite(str(root / "val" / "images" / f"{name}.jpg"), street)
        (root / "val" / "labels" / f"{name}.txt").write_text(labels[name])
    with (root / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("split", "name", "source", "group", "light"))
        writer.writerows(("val", *row, "", "dusk" if row[0] == "r1" else "") for row in rows)
    hole = {
        "class": "cavity",
        "kind": "sunken_slab",
        "box": [0, 0, 32, 16],
        "size_m": [2, 2],
        "distance_m": 12,
        "visible": 1,
    }
    bump = hole | {"class": "none", "kind": "bump", "box": [40, 16, 60, 30]}
    truth = {"name": "r1", "objects": [hole, bump]}
    (root / "val" / "truth.jsonl").write_text(json.dumps(truth) + "\n")
    return root


@pytest.fixture
def results(tmp_path, folder):
    """A model that sees a crash and a cavity in everything, beside one that sees nothing."""
    rows = [
        (0, 0, 32, 16, 0.9, IDS["crash"]),
        (0, 0, 32, 16, 0.7, IDS["cavity"]),
        (40, 16, 60, 30, 0.65, IDS["cavity"]),
    ]
    files = [
        save_model(tmp_path / "eager.onnx", rows),
        save_model(tmp_path / "blind.onnx", [(0, 0, 9, 9, 0, 0)]),
    ]
    material = score.gather([folder])
    steps = []
    made = [score.run(Predictor(file), material, lambda: steps.append(1)) for file in files]
    assert len(steps) == 6
    return made, files, material


def test_a_score_names_slices_alarms_collapses_and_thresholds(results, tmp_path):
    made, files, material = results
    score.write(made, files, material, tmp_path)
    content = json.loads((tmp_path / "score.json").read_text())
    eager, blind = content["models"]["eager"], content["models"]["blind"]
    crash = eager["slices"]["held_out/fixed"]["classes"]["crash"]
    assert (crash["boxes"], crash["ap50"], crash["labels_by"]) == (1, pytest.approx(1), ["hand"])
    assert blind["slices"]["held_out/fixed"]["classes"]["crash"]["ap50"] == 0
    assert eager["false_alarms"]["held_out"]["crash"] == {"per_hundred": 100, "pictures": 1}
    assert (eager["collapses"]["recall"], blind["collapses"]["recall"]) == (1, 0)
    assert eager["collapses"]["by_size"]["2-4 m"]["recall_on_card"] == 1
    assert set(content["thresholds"]) == set(FIRST_NAMES)
    assert content["scores"]["AP50, fixed cameras kept out of training"]["crash"] == 1
    assert content["data"][0] == {"folder": "data", "pictures": 3, "unseen": 3, "taken": 0}


def test_the_report_stands_alone_and_shows_hits_and_false_alarms(results, tmp_path):
    made, _, material = results
    lines = [{"step": step, "loss": 1 / step, "rate": 0.1} for step in range(1, 30)]
    report.write(tmp_path / "report.html", made, material, lines)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=.?(https?:)?//", page)
    assert "车祸 crash, 摄像头等 cameras and others: 命中 hits" in page
    assert "车祸 crash, 摄像头等 cameras and others: 误报 false alarms" in page
    assert "训练损失 training losses" in page
    assert "大小 size 2-4 m" in page
    assert "lie on: bump 1" in page
    assert page.count("data:image/jpeg;base64,") >= 3


def test_road_looks_find_what_is_too_small_for_the_whole_look(tmp_path):
    model = spotter.write(tmp_path).path
    bgr = np.full((1080, 1920, 3), 160, np.uint8)
    cv2.rectangle(bgr, (400, 700), (464, 728), (10, 10, 10), -1)  # 5 x 2 px of the whole look

    def sure(**how):
        found = Predictor(model, **how)(bgr)
        return found[found.scores > spotter.SCORE / 2]

    assert len(sure()) == 0
    (box,) = sure(road_looks=True).boxes
    assert 390 < box[0] < box[2] < 475
    assert 690 < box[1] < box[3] < 738


def test_a_folder_without_anything_to_score_is_named(folder):
    rows = (folder / "index.csv").read_text().splitlines()
    (folder / "val").rename(folder / "train")
    rendered = rows[-1].replace("val,", "train,")
    (folder / "index.csv").write_text(f"{rows[0]}\n{rendered}\n")
    with pytest.raises(DataError, match="no picture to score"):
        score.gather([folder])
