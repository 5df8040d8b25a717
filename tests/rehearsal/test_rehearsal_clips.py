"""The demo clips are sound video, and what is written about them agrees with the picture."""

from __future__ import annotations

import json
from math import dist, pi
from pathlib import Path

import av
import pytest
from shapely import Polygon, box

from pipeline.replay import load_truth
from pipeline.town import GroundPlane

CLIPS = Path(__file__).parents[2] / "pipeline" / "rehearsal" / "clips"
CAMERAS = json.loads((CLIPS / "cameras.json").read_text(encoding="utf-8"))
TRUTH = load_truth(CLIPS / "truth.jsonl")
NAMES = sorted(CAMERAS)
HAZARDS = [(name, hazard) for name in NAMES for hazard in CAMERAS[name]["hazards"]]


def plane(name):
    pose = CAMERAS[name]
    aspect = pose["width"] / pose["height"]
    return GroundPlane.from_pose(
        113.5, 34.8, pose["height_m"], pose["pitch_deg"], 0.0, pose["hfov_deg"], aspect
    )


def hazard_of(name):
    return next(hazard for clip, hazard in HAZARDS if clip == name)


def test_every_clip_has_a_camera_and_every_camera_a_clip():
    assert sorted(path.stem for path in CLIPS.glob("*.mp4")) == NAMES


def test_all_clips_together_stay_small():
    assert sum(path.stat().st_size for path in CLIPS.glob("*.mp4")) < 12e6


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_decodes_to_its_end_as_stated(name):
    stated = CAMERAS[name]
    with av.open(str(CLIPS / f"{name}.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == stated["fps"]
        frames = list(container.decode(stream))
    assert not any(frame.is_corrupt for frame in frames)
    assert {(f.width, f.height) for f in frames} == {(stated["width"], stated["height"])}
    ticks = [round(frame.time * stated["fps"]) for frame in frames]
    assert ticks == list(range(stated["seconds"] * stated["fps"]))


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_has_a_key_frame_every_second_and_no_frame_out_of_order(name):
    with av.open(str(CLIPS / f"{name}.mp4")) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
    keys = [index for index, packet in enumerate(packets) if packet.is_keyframe]
    assert keys == list(range(0, len(packets), CAMERAS[name]["fps"]))
    assert all(packet.pts == packet.dts for packet in packets)


@pytest.mark.parametrize("event", TRUTH, ids=lambda event: event.camera_id)
def test_a_truth_line_agrees_with_the_camera(event):
    hazard = hazard_of(event.camera_id)
    assert (event.hazard, event.start_s) == (hazard["hazard"], hazard["start_s"])
    assert list(event.box) == hazard["box"]
    assert event.end_s is None


def test_every_hazard_is_shown_and_the_quiet_clips_have_none():
    assert {event.hazard for event in TRUTH} == {"road_collapse", "blockage", "crowd"}
    assert set(NAMES) - {event.camera_id for event in TRUTH} == {
        "night_quiet",
        "quiet_street",
    }


@pytest.mark.parametrize("name", NAMES)
def test_plain_traffic_comes_first_and_the_hazard_stays_long(name):
    for hazard in CAMERAS[name]["hazards"]:
        assert 5 <= hazard["start_s"] <= CAMERAS[name]["seconds"] - 20


@pytest.mark.parametrize("name", NAMES)
def test_zones_lie_in_the_picture_and_apart(name):
    zones = CAMERAS[name]["zones"]
    shapes = [Polygon(points) for points in (*zones["carriageway"], *zones["footway"])]
    assert len(shapes) >= 2
    for index, shape in enumerate(shapes):
        assert shape.is_valid
        assert box(0, 0, 1, 1).buffer(1e-6).covers(shape)
        assert all(shape.intersection(other).area < 1e-6 for other in shapes[index + 1 :])


@pytest.mark.parametrize("name,hazard", HAZARDS, ids=lambda v: v if type(v) is str else "")
def test_a_hazard_stands_in_the_zone_it_belongs_to(name, hazard):
    zones = CAMERAS[name]["zones"]["footway" if hazard["hazard"] == "crowd" else "carriageway"]
    x1, y1, x2, y2 = hazard["box"]
    foot = box(x1, y2 - (y2 - y1) / 4, x2, y2)
    share = max(Polygon(zone).intersection(foot).area for zone in zones) / foot.area
    assert share > 0.5


def test_the_ground_plane_puts_the_hole_where_it_was_dug():
    hole = hazard_of("collapse")
    x1, y1, x2, y2 = hole["box"]
    near, far = (plane("collapse").ground_xy((x1 + x2) / 2, v) for v in (y2, y1))
    middle = ((near[0] + far[0]) / 2, (near[1] + far[1]) / 2)
    assert dist(middle, (hole["right_m"], hole["ahead_m"])) < 0.3


def test_the_ground_plane_measures_the_hole_as_it_was_dug():
    hole = hazard_of("collapse")
    width, area = plane("collapse").size_m(tuple(hole["box"]))
    across, along = hole["size_m"]
    assert width == pytest.approx(across, rel=0.1)
    assert area == pytest.approx(pi / 4 * across * along, rel=0.2)


@pytest.mark.parametrize("name,hazard", HAZARDS, ids=lambda v: v if type(v) is str else "")
def test_the_foot_of_every_hazard_is_within_reach_of_its_middle(name, hazard):
    x1, _, x2, y2 = hazard["box"]
    foot = plane(name).ground_xy((x1 + x2) / 2, y2)
    half_depth = 5.0 if hazard["hazard"] == "crowd" else 3.5
    assert dist(foot, (hazard["right_m"], hazard["ahead_m"])) < half_depth
