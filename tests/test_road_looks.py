"""A hole too small for whole looks is found in windows: from clip to ticket, live and replayed."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
import pytest
import spotter
import yaml

from pipeline.clock import SystemClock
from pipeline.daemon import Daemon
from pipeline.detect import Detector, predict
from pipeline.ingest import plan_windows
from pipeline.replay import gather, replay
from pipeline.settings import RoadLookSettings
from pipeline.settings_file import load_settings
from pipeline.shipped import shipped
from pipeline.tickets import open_desk
from pipeline.town import Zone, load_cameras, load_town, write_cameras

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.settings import Settings

SOURCE = (640, 360)
HOLE = (294, 116, 316, 124)
"""25 m away, in pixels of the source; 5.5 × 2 px of a whole look."""
LANE = Zone("carriageway", ((0.45, 0.1), (0.55, 0.1), (0.9, 1.0), (0.0, 1.0)))
CAMERA_ID = "YL-0001"
SECONDS, FPS = 5, 5
ROAD = {"interval_s": 0.8, "seen_px": 6, "hole_m": 2.0}


def street(rng, ground, hole):
    picture = ground.copy()
    if hole is not None:
        x1, y1, x2, y2 = hole
        # Deepest in the middle: else its darkest spot would be wherever the noise puts it.
        rim = np.maximum(
            np.abs(np.linspace(-1, 1, x2 - x1)), np.abs(np.linspace(-1, 1, y2 - y1))[:, None]
        )
        picture[y1:y2, x1:x2] = 12 + 30 * rim
    picture = picture + rng.normal(0, 3, picture.shape)
    return np.repeat(picture.clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def write_street(path, hole):
    rng = np.random.default_rng(7)
    grain = rng.normal(0, 20, SOURCE[::-1]).astype(np.float32)
    ground = 125 + cv2.GaussianBlur(grain, (0, 0), 2)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = *SOURCE, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "16", "x264-params": f"keyint={FPS}"}
        for number in range(SECONDS * FPS):
            frame = av.VideoFrame.from_ndarray(street(rng, ground, hole), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return Detector(spotter.write(tmp_path_factory.mktemp("spotter")))


@pytest.fixture(scope="module")
def town_of(tmp_path_factory):
    """Settings of a town with one camera, and the clip that it shows."""

    def make(hole=HOLE, **road) -> tuple[Settings, Path]:
        folder = tmp_path_factory.mktemp("town")
        clip = write_street(folder / f"{CAMERA_ID}.mp4", hole)
        first = load_cameras(shipped("configs/yulong/cameras.csv"))[0]
        camera = replace(
            first,
            url=str(clip),
            height_m=6.0,
            pitch_deg=22.0,
            hfov_deg=78.0,
            zones=(LANE,),
            ground_points=None,
        )
        assert camera.camera_id == CAMERA_ID
        write_cameras(folder / "cameras.csv", [camera])
        values = {
            "town": {
                "cameras": "cameras.csv",
                "grids": str(shipped("configs/yulong/grids.geojson")),
                "duties": str(shipped("configs/yulong/duties.yaml")),
            },
            "data_dir": "data",
            "ingest": {"interval_s": 0.4, "road_looks": {**ROAD, **road}},
            "hazards": {"road": {"dwell_s": 1.5}},
        }
        file = folder / "settings.yaml"
        file.write_text(yaml.safe_dump(values), "utf-8")
        return load_settings(file), clip

    return make


@pytest.fixture(scope="module")
def town(town_of):
    return town_of()


def played(town, detector):
    settings, clip = town
    (one,) = replay(gather(clip, load_town(settings.town)), detector, settings)
    assert one.problem is None
    return one


def lies_in_hole(box):
    """True if the spot (0..1) is a part of the painted hole, to two pixels of the source."""
    low, high = np.array(box).reshape(2, 2) * SOURCE
    return (low >= np.array(HOLE[:2]) - 2).all() and (high <= np.array(HOLE[2:]) + 2).all()


def live(town, detector, eventually):
    """What the desk has after the daemon has watched the clip as a camera, and its counts."""
    settings, _ = town
    clock = SystemClock()
    with open_desk(settings, clock) as opened:
        with Daemon(settings, detector, opened, clock=clock) as daemon:
            eventually(lambda: daemon.statuses()[CAMERA_ID].state == "disabled", 30)
            looks = daemon.statuses()[CAMERA_ID].looks
            eventually(lambda: daemon.counts.looks + daemon.skipped() == looks)
            eventually(lambda: daemon.backlog() == 0)
            counts, skipped = daemon.counts, daemon.skipped("road")
        return opened.desk.tickets(), counts, skipped


def test_a_hole_only_windows_show_becomes_an_incident_in_the_right_place(town, detector):
    (incident,) = played(town, detector).incidents
    assert incident.hazard in ("road_damage", "road_collapse")
    assert incident.trail["purpose"] == "road"
    assert lies_in_hole(incident.box)
    assert incident.place.method == "pose"


def test_without_windows_it_is_not_found(town_of, detector):
    assert played(town_of(most=0), detector).incidents == []


def test_the_same_street_without_the_hole_gives_nothing(town_of, detector):
    assert played(town_of(hole=None), detector).incidents == []


def test_the_daemon_sees_what_the_replay_sees(town, detector, eventually):
    (wanted,) = played(town, detector).incidents
    (ticket,), counts, skipped = live(town, detector, eventually)
    (incident,) = ticket.incidents
    assert incident.hazard == wanted.hazard
    assert incident.trail["purpose"] == "road"
    assert lies_in_hole(incident.box)
    assert ticket.evidence
    assert counts.road_looks + skipped > 3


def test_a_detector_too_slow_for_all_looks_says_how_many_it_left_out(
    town, detector, eventually, monkeypatch
):
    settings, clip = town
    slow = settings.model_copy(update={"model": settings.model.model_copy(update={"batch": 1})})
    look_again = Detector.__call__

    def takes_its_time(self, looks):
        SystemClock().sleep(0.3)
        return look_again(self, looks)

    monkeypatch.setattr(Detector, "__call__", takes_its_time)
    _, counts, skipped = live((slow, clip), detector, eventually)
    assert skipped > 0
    assert counts.looks > 0
    assert counts.road_looks > 0


def still(tmp_path, hole, size=SOURCE):
    rng = np.random.default_rng(3)
    picture = street(rng, np.full(SOURCE[::-1], 125.0), hole)
    path = tmp_path / "street.png"
    path.write_bytes(cv2.imencode(".png", cv2.resize(picture, size))[1])
    return path


def test_a_still_picture_much_larger_than_the_model_is_looked_at_through_windows(
    tmp_path, detector
):
    road = RoadLookSettings(seen_px=6, hole_m=2.0)
    windows = plan_windows(None, SOURCE, spotter.SIZE, road).windows
    x, y = windows[0].x + 40, windows[0].y + 30
    path = still(tmp_path, (x, y, x + 22, y + 8))
    (found,) = predict(path, detector, road)["detections"]
    assert found["class"] == "cavity"
    x1, y1, x2, y2 = found["box"]
    assert x - 2 <= (x1 + x2) / 2 <= x + 24
    assert y - 2 <= (y1 + y2) / 2 <= y + 10
    assert predict(path, detector, RoadLookSettings(most=0))["detections"] == []


def test_a_row_of_a_still_picture_can_be_written(tmp_path, detector):
    assert json.loads(json.dumps(predict(still(tmp_path, None), detector)))["detections"] == []
