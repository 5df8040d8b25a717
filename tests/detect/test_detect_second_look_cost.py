"""What a second look saves and what it costs: the same clip with it and without, side by side."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import spotter
import tiny_model
import yaml
from test_road_looks import CAMERA_ID, HOLE, LANE, write_street
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.detect import CLASSES, SecondLookCost
from pipeline.replay import Outcome, beside_json, outcome
from pipeline.shipped import shipped
from pipeline.show import beside
from pipeline.terminal import out
from pipeline.town import load_cameras, write_cameras

ROAD = {"interval_s": 0.8, "seen_px": 6, "hole_m": 2.0}


def town_in(folder):
    """Settings of a town with the one camera."""
    first = load_cameras(shipped("configs/yulong/cameras.csv"))[0]
    pose = {"height_m": 6.0, "pitch_deg": 22.0, "hfov_deg": 78.0, "ground_points": None}
    write_cameras(folder / "cameras.csv", [replace(first, zones=(LANE,), **pose)])
    return {
        "cameras": str(folder / "cameras.csv"),
        "grids": str(shipped("configs/yulong/grids.geojson")),
        "duties": str(shipped("configs/yulong/duties.yaml")),
    }


@pytest.fixture(scope="module")
def side_by_side(tmp_path_factory):
    """A dark patch that the larger model knows for a car: what is told with it and without."""
    folder = tmp_path_factory.mktemp("patch")
    clips = folder / "clips"
    clips.mkdir()
    write_street(clips / f"{CAMERA_ID}.mp4", HOLE)
    everywhere = [0, 0, tiny_model.SIDE, tiny_model.SIDE, 0.9, CLASSES.index("car")]
    larger = tiny_model.write(folder, tiny_model.proto([everywhere]))
    settings = {
        "model": {"path": str(spotter.write(folder).path), "threads": 1},
        "second_look": {"model": str(larger.path)},
        "heads": {"path": None},
        "ingest": {"interval_s": 0.4, "road_looks": ROAD},
        "hazards": {"road": {"dwell_s": 1.5}},
        "town": town_in(folder),
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    (folder / "truth.jsonl").write_text("")
    told = CliRunner().invoke(
        app,
        [
            *("replay", str(clips), "--truth", str(folder / "truth.jsonl")),
            *("--settings", str(folder / "settings.yaml"), "--out", str(folder / "out")),
            *("--beside", "second_look.on=false", "--json"),
        ],
    )
    assert told.exit_code == 0, told.output
    return json.loads(told.stdout), folder / "out"


def test_a_patch_that_is_a_car_from_near_is_a_false_alarm_less(side_by_side):
    told, _ = side_by_side
    this, other = told["this"], told["other"]
    assert (this["false_alarms"], other["false_alarms"]) == (0, 1)
    assert this["refuted"] >= 1
    assert other["refuted"] == other["second_looks"] == 0


def test_what_second_looks_took_of_the_detector_is_told(side_by_side):
    told, _ = side_by_side
    this = told["this"]
    assert this["second_looks"] == this["refuted"]
    assert 0 < this["second_share"] < 1
    assert this["ms_per_second_look"] > 0
    assert told["other"]["second_share"] == 0


def test_both_have_all_their_files_and_the_difference_one_of_its_own(side_by_side):
    told, folder = side_by_side
    for of in (folder, folder / "beside"):
        names = {path.name for path in of.iterdir()}
        assert names >= {"incidents.jsonl", "tickets.jsonl", "score.json", "report.html"}
    written = json.loads((folder / "beside.json").read_text())
    assert written["beside"] == ["second_look.on=false"]
    assert written["other"] == told["other"]


def played(**more):
    values = {
        "incidents": [1, 2],
        "looks": 100,
        "detect_s": 2.0,
        "refuted": 1,
        "second": SecondLookCost(looks=4, no_finer=3, detector_s=0.1),
    }
    return SimpleNamespace(**(values | more))


def test_costs_are_of_all_clips_together():
    two = outcome([played(), played(incidents=[])], None)
    assert (two.incidents, two.looks, two.refuted, two.no_finer) == (2, 200, 2, 6)
    assert two.ms_per_look == pytest.approx(20)
    assert two.ms_per_second_look == pytest.approx(25)
    assert two.second_ms_per_incident == pytest.approx(100)
    assert two.second_share == pytest.approx(0.2 / 4.2)


def test_where_nothing_was_looked_at_again_there_is_no_mean_and_no_truth_gives_no_counts():
    none = outcome([played(incidents=[], second=SecondLookCost())], None)
    assert none.ms_per_second_look is None
    assert none.second_ms_per_incident is None
    assert none.found is None


def test_the_table_names_both_and_every_figure():
    one = outcome([played()], None)
    with out.capture() as shown:
        out.print(beside(beside_json(one, one, ["second_look.on=false"])))
    assert shown.get().count("25.000") == 2
    assert len([*Outcome.__slots__]) - 1 == len(beside(beside_json(one, one, ["x=1"])).rows)
