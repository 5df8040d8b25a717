"""The head counter that comes with the program, on rendered streets and on real crowds."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pipeline.detect import HeadCounter, count_people, head_counter, look_at
from pipeline.settings import HeadSettings
from pipeline.shipped import shipped

SHARED = Path(__file__).parents[3] / "shared"
CROWDS = SHARED / "data" / "crowd_points"
MALL = SHARED / "footage" / "mall_people.mp4"


@pytest.fixture(scope="module")
def counter():
    counter = head_counter(HeadSettings())
    assert isinstance(counter, HeadCounter)
    return counter


def frames(path, every_s):
    """Pictures BGR uint8 (H, W, 3) of a clip, so many seconds apart."""
    with av.open(str(path)) as container:
        step = max(1, round(float(container.streams.video[0].average_rate) * every_s))
        return [
            frame.to_ndarray(format="bgr24")
            for at, frame in enumerate(container.decode(video=0))
            if at % step == 0
        ]


def test_it_is_the_one_on_its_card(counter):
    content = shipped("models/heads-n.onnx").read_bytes()
    assert counter.card.sha256 == hashlib.sha256(content).hexdigest()
    assert counter.card.name == "heads-n"
    assert counter.card.licence == "AGPL-3.0"
    assert len(content) < 25e6
    assert counter.card.scores


def test_nobody_is_seen_in_a_plain_picture_nor_in_noise(counter):
    assert counter(np.full((720, 1280, 3), 128, np.uint8)).total == pytest.approx(0, abs=0.2)
    noise = np.random.default_rng(0).integers(0, 255, (360, 640, 3), np.uint8)
    assert counter(noise).total == pytest.approx(0, abs=1)


def test_hardly_anybody_is_seen_on_quiet_streets_and_a_crowd_where_people_gather(counter):
    clips = shipped("pipeline/rehearsal/clips")
    quiet = [counter(one).total for one in frames(clips / "quiet_street.mp4", 15)]
    crowd = counter(frames(clips / "gathering.mp4", 10)[-1]).total
    assert np.mean(quiet) < 4
    assert crowd > 25


def test_the_same_picture_larger_has_about_as_many_people(counter):
    crowd = frames(shipped("pipeline/rehearsal/clips/gathering.mp4"), 10)[-1]
    larger = cv2.resize(crowd, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    assert counter(larger).total == pytest.approx(counter(crowd).total, rel=0.25)


@pytest.mark.footage
@pytest.mark.skipif(not CROWDS.is_dir(), reason="no real crowds on this machine")
def test_dense_crowds_are_counted_to_about_a_seventh(counter, detector):
    points = json.loads((CROWDS / "points.json").read_text())
    off = []
    for number in range(20, 401, 20):  # of the part that no training sees
        picture = cv2.imread(str(CROWDS / "images" / f"img_{number}.jpg"))
        (seen,) = detector([look_at(picture, detector.size)])
        off.append(
            count_people(seen, detector.card, counter(picture)) - len(points[f"img_{number}.jpg"])
        )
    assert np.abs(off).mean() < 18


@pytest.mark.footage
@pytest.mark.skipif(not MALL.exists(), reason="no real footage on this machine")
def test_people_in_a_mall_are_counted_by_the_same_rule(counter, detector):
    with MALL.with_name("mall_people_counts.csv").open() as file:
        counts = [int(row["count"]) for row in csv.DictReader(file)]
    off = []
    for picture, count in zip(frames(MALL, 10), counts[::20], strict=True):
        (seen,) = detector([look_at(picture, detector.size)])
        off.append(count_people(seen, detector.card, counter(picture)) - count)
    assert np.abs(off).mean() < 5
