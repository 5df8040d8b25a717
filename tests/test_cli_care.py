"""Calibration and zones of a camera by command."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from pipeline import cli
from pipeline.clock import SystemClock
from pipeline.settings_file import load_settings
from pipeline.tickets import open_desk
from pipeline.town import GroundPlane, from_wgs84, load_cameras

YULONG = Path(__file__).parents[1] / "configs" / "yulong"
SPOTS = [(0.2, 0.55), (0.8, 0.6), (0.25, 0.9), (0.7, 0.95), (0.5, 0.7)]
ROAD = '[{"kind": "carriageway", "polygon": [[0.1, 0.4], [0.9, 0.4], [1, 1]]}]'


@pytest.fixture
def town(tmp_path, monkeypatch, capsys):
    """Three cameras of Yulong, and commands that are carried out there."""
    for name in ("grids.geojson", "duties.yaml"):
        shutil.copy(YULONG / name, tmp_path / name)
    rows = (YULONG / "cameras.csv").read_text("utf-8").splitlines()
    listed = tmp_path / "cameras.csv"
    listed.write_text("\n".join(rows[:4]) + "\n", "utf-8")
    settings = tmp_path / "settings.yaml"
    settings.write_text(yaml.safe_dump({"town": {}, "data_dir": "data"}), "utf-8")

    def call(*arguments):
        given = ["gridwatch", "cameras", *arguments, "-s", str(settings)]
        monkeypatch.setattr(sys, "argv", given)
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        return SimpleNamespace(code=end.value.code or 0, out=said.out, err=said.err)

    return SimpleNamespace(call=call, listed=listed, settings=settings)


def pairs(camera, datum="wgs84"):
    plane = GroundPlane.from_pose(camera.lon, camera.lat, 6.0, 15.0, 90.0, 80.0)
    for u, v in SPOTS:
        place = plane.place(u, v)
        lon, lat = from_wgs84(place.lon, place.lat, datum)
        yield from ("--point", f"{u},{v},{lon:.8f},{lat:.8f}")


def test_points_are_judged_first_and_kept_only_on_request(town):
    camera = load_cameras(town.listed)[0]
    before = town.listed.read_bytes()
    call = ("calibrate", camera.camera_id, *pairs(camera, "gcj02"), "--datum", "gcj02")
    judged = town.call(*call, "--json")
    assert judged.code == 0, judged.err
    said = json.loads(judged.out)
    assert said["error_m"] == 0
    assert [point["error_m"] for point in said["points"]] == [0] * 5
    assert town.listed.read_bytes() == before
    kept = town.call(*call, "--save")
    assert kept.code == 0, kept.err
    assert "已写入清单" in kept.out
    found = load_cameras(town.listed)[0].ground_points
    assert [(point.u, point.v) for point in found] == SPOTS
    again = town.call("calibrate", camera.camera_id, "--json")
    assert json.loads(again.out)["error_m"] == pytest.approx(0, abs=0.01)


def test_what_was_saved_by_command_stands_in_the_audit(town):
    camera = load_cameras(town.listed)[1]
    assert town.call("zones", camera.camera_id, "--set-to", ROAD, "--save").code == 0
    with open_desk(load_settings(town.settings), SystemClock()) as opened:
        (line,) = opened.audit.lines(subject=camera.camera_id)
    assert line.action == "cameras zones"
    assert line.details == {"before": [], "after": json.loads(ROAD)}
    assert json.loads(town.call("zones", camera.camera_id).out) == json.loads(ROAD)


@pytest.mark.parametrize(
    "arguments, why",
    [
        (("calibrate", "YL-9999"), "no such camera"),
        (("calibrate", "YL-0001"), "too few marked points"),
        (("calibrate", "YL-0001", "--point", "1,2,3"), "not a point"),
        (("calibrate", "YL-0001", "--point", "a,2,3,4"), "not a number"),
        (("calibrate", "YL-0001", "--point", "0,0,113,34", "--datum", "mars"), "unknown datum"),
        (("zones", "YL-0001", "--set-to", "[]x"), "is not JSON"),
        (("zones", "YL-0001", "--set-to", '[{"kind": "river", "polygon": []}]'), "unknown kind"),
    ],
)
def test_a_mistake_is_named_and_changes_nothing(town, arguments, why):
    before = town.listed.read_bytes()
    answer = town.call(*arguments, "--save")
    assert answer.code == 2
    assert why in answer.err
    assert "Traceback" not in answer.err
    assert town.listed.read_bytes() == before
