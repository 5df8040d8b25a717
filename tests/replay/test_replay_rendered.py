"""The rendered clips: each planted hazard is found where and when it was planted, nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.rehearsal.stage import CLIPS, DEMO_HAZARDS, load_clips
from pipeline.replay import Clip, load_truth, replay, score
from pipeline.settings import HazardSettings
from pipeline.town import Camera, Place, distance_m

EVENTS = load_truth(CLIPS / "truth.jsonl")


def clip_of(at, street):
    """The clip as a camera in its exact pose, far from the others, looking north."""
    camera = Camera(
        street.name,
        street.name,
        str(street.path),
        lon=113.0 + at * 0.1,
        lat=34.0,
        height_m=street.height_m,
        pitch_deg=street.pitch_deg,
        heading_deg=0.0,
        hfov_deg=street.hfov_deg,
        zones=street.zones,
        interval_s=1.0,
    )
    return Clip(street.path, camera, placed=True)


@pytest.fixture(scope="module")
def played(detector, settings):
    clips = [clip_of(at, street) for at, street in enumerate(load_clips())]
    demo = settings.model_copy(update={"hazards": HazardSettings(**DEMO_HAZARDS)})
    return {one.clip.camera.camera_id: one for one in replay(clips, detector, demo)}


def test_every_planted_hazard_is_found_and_nothing_else(played):
    incidents = [incident for one in played.values() for incident in one.incidents]
    figures = score(incidents, EVENTS, {name: one.watched_s for name, one in played.items()})
    assert figures["missed"] == figures["false_alarms"] == figures["doubled"] == []
    assert figures["overall"]["kind_errors"] == 0
    assert all(abs(row["start_error_s"]) < 4 for row in figures["matches"])


def test_every_hazard_lies_where_it_was_planted(played):
    for street in load_clips():
        camera = played[street.name].clip.camera
        for planted, found in zip(street.hazards, played[street.name].incidents, strict=True):
            north, east = planted.ahead_m / 110_922, planted.right_m / 92_400  # degrees at 34° N
            truth = Place(camera.lon + east, camera.lat + north, 0.0, "reported")
            reach = 8.0 if found.hazard == "crowd" else 4.0  # the middle, not the foot, is told
            assert distance_m(truth, found.place) < reach + found.place.radius_m
            assert found.place == replace(found.place, method="pose")
