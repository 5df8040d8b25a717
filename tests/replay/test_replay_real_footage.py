"""The whole way on real footage, where a machine has it: both crashes, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.replay import gather, load_truth, replay, score
from pipeline.settings_file import load_settings

FOOTAGE = Path(__file__).parents[3] / "shared" / "footage"
SHORT = ("crash_dwell_s=4", "vehicle_dwell_s=8", "object_dwell_s=8")

pytestmark = [
    pytest.mark.footage,
    pytest.mark.skipif(not FOOTAGE.is_dir(), reason="no real footage on this machine"),
]


def test_both_crashes_are_found_and_nothing_is_reported_that_did_not_happen(detector):
    settings = load_settings(None, [f"hazards.blockage.{one}" for one in SHORT])
    played = replay(gather(FOOTAGE), detector, settings)
    assert [one.problem for one in played] == [None] * 11
    incidents = [incident for one in played for incident in one.incidents]
    watched = {one.clip.camera.camera_id: one.watched_s for one in played}
    figures = score(incidents, load_truth(FOOTAGE / "truth.jsonl"), watched)
    assert {row["camera_id"] for row in figures["matches"]} == {"crash_junction", "crash_roadside"}
    assert figures["false_alarms"] == figures["doubled"] == figures["missed"] == []
    assert {incident.trail["kind"] for incident in incidents} == {"crash"}
    assert all(abs(row["start_error_s"]) < 2 for row in figures["matches"])
    assert all(row["detected_after_s"] < 8 for row in figures["matches"])
