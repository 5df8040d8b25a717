"""False alarms, collapses found and thresholds, on cases that can be counted by hand."""

import numpy as np
import pytest

from pipeline.detect import Detections
from pipeline.errors import DataError
from scripts.train import alarms
from scripts.train.classes import IDS, NAMES
from scripts.train.folders import Picture


class Seen:
    """What precision.Seen offers, without pycocotools; pictures are 1000 x 1000."""

    def __init__(self, picture, found):
        self.picture, self.found = picture, found
        self.size, self.scale = (1000, 1000), 0.384

    @property
    def truth(self):
        return self.picture.boxes * 1000


def seen(tmp_path, true=(), found=(), truth=None, unlabelled=()):
    """``true``: (class, box), ``found``: (class, box, score), boxes in pixels."""
    boxes = np.array([box for _, box in true], np.float32).reshape(-1, 4) / 1000
    notes = {} if truth is None else {"truth": {"objects": truth}}
    picture = Picture(
        tmp_path / "p.jpg",
        boxes,
        np.array([IDS[name] for name, _ in true], np.int16),
        "val",
        "cctv" if truth is None else "rendered",
        "",
        notes,
        frozenset(IDS[name] for name in unlabelled),
    )
    return Seen(
        picture,
        Detections(
            np.array([box for _, box, _ in found], np.float32).reshape(-1, 4),
            np.array([score for *_, score in found], np.float32),
            np.array([IDS[name] for name, *_ in found], np.int16),
        ),
    )


A, B = (100, 100, 200, 200), (500, 500, 600, 600)


def hole(box=A, kind="round_sinkhole", size=(2.0, 1.5), distance=20.0, visible=1.0):
    return {
        "class": "cavity",
        "kind": kind,
        "box": list(box),
        "size_m": list(size),
        "distance_m": distance,
        "visible": visible,
    }


def test_overlap_is_intersection_over_union():
    boxes = np.float32([(0, 0, 10, 10), (5, 0, 15, 10), (20, 20, 30, 30)])
    assert alarms.overlap(boxes[:1], boxes) == pytest.approx(np.float32([[1, 1 / 3, 0]]))


def test_false_alarms_are_boxes_on_pictures_without_a_hazard(tmp_path):
    pictures = [
        seen(tmp_path, found=[("crash", A, 0.5), ("crash", B, 0.45), ("cavity", A, 0.2)]),
        seen(tmp_path, true=[("car", A)], found=[("crash", A, 0.3)]),
        seen(tmp_path, true=[("crash", A)], found=[("crash", B, 0.9)]),
        seen(tmp_path, found=[("crash", B, 0.9)], unlabelled=["crash"]),
    ]
    found = alarms.false_alarms(pictures, NAMES[:8], {"crash": 0.4, "cavity": 0.25})
    assert found == {
        "pictures": 2,
        "cavity": {"per_hundred": 0, "pictures": 0},
        "crash": {"per_hundred": 100, "pictures": 1},
    }


def test_a_hazard_threshold_leaves_one_false_box_in_a_hundred_pictures(tmp_path):
    quiet = [seen(tmp_path, found=[("crash", A, 0.5 + at / 1000)]) for at in range(100)]
    crashed = seen(tmp_path, true=[("crash", A)], found=[("crash", A, 0.9)])
    chosen = alarms.thresholds_for([*quiet, crashed], ["crash"])["crash"]
    assert chosen == pytest.approx(0.6, abs=0.005)


def test_quiet_pictures_alone_do_not_lower_a_hazard_threshold(tmp_path):
    pictures = [seen(tmp_path) for _ in range(200)]
    pictures.append(seen(tmp_path, true=[("crash", A), ("cavity", B)]))
    assert alarms.thresholds_for(pictures, ["crash", "cavity"]) == {"crash": 0.4, "cavity": 0.25}


def test_a_traffic_threshold_balances_precision_and_recall(tmp_path):
    right = seen(tmp_path, true=[("car", A)], found=[("car", A, 0.5), ("car", B, 0.3)])
    assert alarms.thresholds_for([right] * 3, ["car"]) == {"car": 0.5}


def test_a_second_box_on_one_car_is_wrong(tmp_path):
    twice = seen(tmp_path, true=[("car", A)], found=[("car", A, 0.5), ("car", A, 0.2)])
    assert alarms.thresholds_for([twice], ["car"]) == {"car": 0.5}


def test_boxes_of_a_class_nobody_labelled_do_not_count(tmp_path):
    right = seen(tmp_path, true=[("car", A)], found=[("car", A, 0.3)])
    crowd = seen(tmp_path, found=[("car", B, 0.5)], unlabelled=["car"])
    assert alarms.thresholds_for([right, crowd, crowd, crowd], ["car"]) == {"car": 0.3}


def test_a_collapse_is_found_where_a_box_lies_on_it(tmp_path):
    near = (100, 100, 200, 140)  # two fifths of the true box
    one = seen(tmp_path, [("cavity", A)], [("cavity", near, 0.7), ("cavity", B, 0.6)], [hole()])
    (found,) = alarms.holes_of(one)
    assert (found.score, found.labelled, found.is_collapse) == (pytest.approx(0.7), True, True)


@pytest.mark.parametrize(
    "other",
    [
        hole(kind="pothole"),
        hole(kind="missing_cover"),
        hole(size=(0.9, 0.6)),
        hole(distance=41.0),
    ],
)
def test_what_is_no_near_collapse_of_a_metre_does_not_count(tmp_path, other):
    found = alarms.collapses([seen(tmp_path, truth=[other])], 0.3)
    assert (found["all"]["holes"], found["recall"], found["by_size"]) == (0, None, {})


def test_a_hidden_hole_is_not_asked_for(tmp_path):
    assert alarms.holes_of(seen(tmp_path, truth=[hole(visible=0.1)])) == []


def test_recall_is_counted_at_the_score_that_keeps_false_boxes_rare(tmp_path):
    sure = seen(tmp_path, [("cavity", A)], [("cavity", A, 0.9)], [hole()])
    weak = seen(tmp_path, [("cavity", A)], [("cavity", A, 0.3)], [hole(distance=35.0)])
    loose = (90, 90, 260, 260)  # touches the hole: no false box, however loose
    double = seen(tmp_path, [("cavity", A)], [("cavity", loose, 0.95)], [hole()])
    empty = [seen(tmp_path, truth=[], found=[("cavity", B, 0.5)]) for _ in range(2)]
    still = [seen(tmp_path, truth=[]) for _ in range(95)]
    found = alarms.collapses([sure, weak, double, *empty, *still], 0.25)
    assert found["threshold"] == pytest.approx(0.5, abs=0.001)
    assert (found["all"]["holes"], found["recall"]) == (3, pytest.approx(2 / 3))
    assert (found["threshold_on_card"], found["per_hundred_on_card"]) == (0.25, 2)
    assert found["by_distance"]["20-40 m"]["holes"] == 3
    assert (found["all"]["recall_on_card"], found["all"]["recall_at_all"]) == (1, 1)
    assert found["by_kind"]["round_sinkhole"]["holes"] == 3


def test_collapses_are_counted_by_distance_and_size(tmp_path):
    def one(score, **facts):
        return seen(tmp_path, [("cavity", A)], [("cavity", A, score)], [hole(**facts)])

    pictures = [
        one(0.6, size=(1.0, 0.5), distance=9.9),
        one(0.2, size=(1.9, 0.5), distance=10.0),
        one(0.001, size=(2.0, 3.9), distance=39.9),
        one(0.6, size=(5.0, 3.9), distance=41.0),
    ]
    found = alarms.collapses(pictures, 0.3)

    def recalls(part):
        names = ("holes", "recall_on_card", "recall_at_all")
        return {band: tuple(row[name] for name in names) for band, row in found[part].items()}

    assert recalls("by_distance") == {
        "0-10 m": (1, 1, 1),
        "10-20 m": (1, 0, 1),
        "20-40 m": (1, 0, 0),
        "40-80 m": (1, 1, 1),
    }
    assert recalls("by_size") == {"1-2 m": (2, 0.5, 1), "2-4 m": (1, 0, 0)}


def test_what_is_taken_for_a_hole_is_named(tmp_path):
    patch = hole(box=B, kind="rough_patch") | {"class": "none"}
    found = [("cavity", B, 0.9), ("cavity", A, 0.8), ("cavity", A, 0.1), ("crash", B, 0.9)]
    counted = alarms.collapses([seen(tmp_path, found=found, truth=[patch])], 0.25)
    assert counted["taken_for_holes"] == {"rough_patch": 1, "nothing": 1}
    assert counted["per_hundred_on_card"] == 200


def test_what_nothing_was_found_on_is_missed_even_without_false_boxes(tmp_path):
    found = alarms.collapses([seen(tmp_path, [("cavity", A)], truth=[hole()])], 0.25)
    assert found["recall"] == 0


def test_real_pictures_say_nothing_of_rendered_collapses(tmp_path):
    assert alarms.collapses([seen(tmp_path)], 0.25) is None


def test_truth_that_lacks_a_fact_is_named(tmp_path):
    lacking = hole()
    del lacking["size_m"]
    with pytest.raises(DataError, match="size_m"):
        alarms.holes_of(seen(tmp_path, truth=[lacking]))
