"""Rehearsals for real, as small as they can be: a good one, and ones whose programs fail."""

import json
import os
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.rehearsal import processes
from pipeline.rehearsal.rehearse import command, rehearse
from pipeline.rehearsal.scenario import parse_scenario

TINY = {
    "cameras": 3,
    "seconds": 45,
    "cameras_per_host": 1,
    "clips": {"quiet": {"of": "quiet_street", "key_every_s": 1, "width": 320, "height": 180}},
    "groups": [
        {
            "name": "bad",
            "cameras": 1,
            "clips": ["quiet"],
            "faults": [{"way": "unauthorised", "at_s": 25, "for_s": 8}],
        },
        {"name": "steady", "clips": ["quiet"]},
    ],
    "settings": {"ingest": {"backoff_most_s": 2, "road_looks": {"most": 0}}},
    "limits": {
        "warm_up_s": 10,
        "live_within_s": None,
        "state_within_s": None,
        "back_within_s": 8,
        "unseen_keys": None,
        "stop_within_s": None,
    },
}


def lines_of(verdict):
    return {line.name: line for line in verdict.lines}


def test_a_small_rehearsal_sees_its_cameras_and_its_fault_and_leaves_nothing_behind(tmp_path):
    verdict = rehearse(parse_scenario(TINY, file="tiny"), tmp_path / "out")
    lines = lines_of(verdict)
    assert lines["ran"].passed, lines["ran"].told
    assert lines["live"].told.startswith("3 / 3")
    assert lines["looks"].passed
    assert lines["state unauthorised"].figure is not None, lines["state unauthorised"].told
    assert lines["left"].passed, lines["left"].told
    assert lines["outbox"].passed
    assert [text.partition(": ")[2].split()[0] for text in verdict.history] == ["unauthorised"] * 2
    written = json.loads((tmp_path / "out" / "verdict.json").read_text())
    assert written["lines"]
    assert (tmp_path / "out" / "curves.svg").read_text().startswith("<svg")


def test_a_daemon_that_does_not_start_fails_with_the_end_of_its_log(tmp_path):
    broken = TINY | {"settings": {"model": {"path": "nowhere.onnx"}}}
    lines = lines_of(rehearse(parse_scenario(broken, file="tiny"), tmp_path / "out"))
    assert not lines["ran"].passed
    assert "nowhere.onnx" in lines["ran"].told
    assert lines["left"].passed


def test_a_city_that_is_killed_fails_and_the_rest_is_still_told(tmp_path):
    def kill_the_city(record):
        if record.points and not record.notes:
            for use in processes.uses(os.getpid()):
                if "rehearsal.serve" in Path(f"/proc/{use.pid}/cmdline").read_text():
                    processes.kill(use.pid)

    scenario = parse_scenario(TINY, file="tiny")
    lines = lines_of(rehearse(scenario, tmp_path / "out", show=kill_the_city))
    assert not lines["ran"].passed
    assert "city" in lines["ran"].told
    assert lines["left"].passed


def test_wrong_settings_of_a_scenario_are_refused_before_anything_runs(tmp_path):
    wrong = TINY | {"settings": {"ingest": {"intervall_s": 1}}}
    with pytest.raises(InputError, match="interval_s"):
        rehearse(parse_scenario(wrong, file="tiny"), tmp_path / "out")


def test_a_folder_with_yesterdays_verdict_is_refused(tmp_path):
    (tmp_path / "verdict.json").write_text("{}")
    with pytest.raises(InputError, match="--out"):
        command("smoke", out=tmp_path)
