"""The commands as a person meets them: what they print, and how they refuse."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from pipeline import cli
from pipeline.clock import ManualClock, SystemClock
from pipeline.hazards import Incident
from pipeline.ingest import CameraStatus, Coverage, Look, why_no_device
from pipeline.ingest.view_files import ViewFile
from pipeline.settings_file import load_settings
from pipeline.tickets import open_desk
from pipeline.town import Place

YULONG = Path(__file__).parents[1] / "configs" / "yulong"
MODEL = Path(__file__).parents[1] / "models" / "street-n.onnx"


class Answer:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def gridwatch(monkeypatch, capsys):
    def call(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["gridwatch", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "400")
        with pytest.raises(SystemExit) as end:
            cli.main()
        code = end.value.code
        captured = capsys.readouterr()
        return Answer(0 if code is None else int(code), captured.out, captured.err)

    return call


@pytest.fixture
def town(tmp_path):
    """Yulong's grid map with three cameras that are files, and its own settings."""
    for name in ("grids.geojson", "duties.yaml"):
        shutil.copy(YULONG / name, tmp_path / name)
    rows = (YULONG / "cameras.csv").read_text("utf-8").splitlines()
    (tmp_path / "cameras.csv").write_text("\n".join(rows[:4]) + "\n", "utf-8")
    settings = {"town": {}, "data_dir": "data", "model": {"path": str(MODEL)}}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    return tmp_path


def change(folder: Path, **values: object) -> None:
    file = folder / "settings.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text("utf-8")), **values}), "utf-8")


def refused(answer: Answer, *words: str) -> None:
    """Exit code 2, a message with these words, no traceback."""
    assert answer.code == 2, answer.err
    assert "Traceback" not in answer.err
    for word in words:
        assert word in answer.err


def test_doctor_finds_a_good_town_good(gridwatch, town):
    answer = gridwatch("doctor", "-s", town / "settings.yaml", "--json")
    findings = json.loads(answer.out)
    assert answer.code == 0
    assert {finding["check"] for finding in findings} == {
        "python", "settings", "model", "heads", "town", "redis", "camera list", "disk",
        "outbox", "holidays", "evidence", "decoder", "notify",
    }  # fmt: skip
    assert all(finding["good"] for finding in findings)


def test_doctor_goes_on_past_what_is_wrong_and_fails(gridwatch, town):
    (town / "grids.geojson").unlink()
    answer = gridwatch("doctor", "-s", town / "settings.yaml", "--json")
    good = {finding["check"]: finding["good"] for finding in json.loads(answer.out)}
    assert answer.code == 1
    assert not good["town"]
    assert good["model"]
    assert good["redis"]


def test_an_empty_queue_says_so(gridwatch, town):
    settings = town / "settings.yaml"
    code = "410182102030001"
    assert "没有待办" in gridwatch("queue", "read", code, "-s", settings).out
    assert json.loads(gridwatch("queue", "read", code, "-s", settings, "--json").out) == []
    assert json.loads(gridwatch("tickets", "list", "-s", settings, "--json").out) == []


def test_an_unknown_grid_or_ticket_is_a_failure_with_a_hint(gridwatch, town):
    settings = town / "settings.yaml"
    grid = gridwatch("queue", "read", "41018210203000X", "-s", settings)
    assert grid.code == 1
    assert "41018210203000" in grid.err
    ticket = gridwatch("tickets", "show", "YL20260101-000001", "-s", settings)
    assert ticket.code == 1
    assert "YL20260101-000001" in ticket.err


def test_the_camera_list_shows_no_credentials(gridwatch, town):
    file = town / "cameras.csv"
    secret = file.read_text("utf-8").replace("rtsp://", "rtsp://admin:geheim@")
    file.write_text(secret, "utf-8")
    answer = gridwatch("cameras", "list", "-s", town / "settings.yaml", "--json")
    assert answer.code == 0
    assert len(json.loads(answer.out)) == 3
    assert "geheim" not in answer.out + answer.err


def test_a_run_shows_no_credentials_whatever_is_wrong_with_the_cameras(gridwatch, town):
    file = town / "cameras.csv"
    head, *rows = (row.split(",") for row in file.read_text("utf-8").splitlines())

    def write(*addresses: str) -> None:
        for row, address in zip(rows, addresses, strict=False):
            row[2] = f"rtsp://{address}/ch1?token=streng"
        listed = [head, *rows[: len(addresses)]]
        file.write_text("\n".join(",".join(row) for row in listed) + "\n", "utf-8")

    write("admin:ge%23heim@127.0.0.1:9", "admin:geheim@nowhere.invalid")
    checked = gridwatch("cameras", "check", "-s", town / "settings.yaml", "--seconds", 60)
    assert "unreachable" in checked.out
    ran = gridwatch("run", "-s", town / "settings.yaml", "--seconds", 8)
    assert ran.code == 0, ran.err
    write("admin:ge#heim@127.0.0.1:99999")
    wrong = gridwatch("run", "-s", town / "settings.yaml")
    refused(wrong, "line 2")
    for text in (checked.out, checked.err, ran.out, ran.err, wrong.err):
        assert not [part for part in ("heim", "streng", "admin") if part in text]


def test_cameras_that_cannot_be_reached_say_why(gridwatch, town):
    rows = (town / "cameras.csv").read_text("utf-8").splitlines()
    fields = rows[1].split(",")
    fields[2] = "rtsp://127.0.0.1:9/nothing"
    (town / "cameras.csv").write_text("\n".join([rows[0], ",".join(fields)]) + "\n", "utf-8")
    answer = gridwatch("cameras", "check", "-s", town / "settings.yaml", "--json")
    (status,) = json.loads(answer.out)
    assert answer.code == 1
    assert status["state"] == "unreachable"
    assert status["why"]


def test_an_accepted_view_is_known_to_whoever_watches_the_camera(gridwatch, town):
    call = ("cameras", "accept-view", "-s", town / "settings.yaml")
    refused(gridwatch(*call, "YL-0002", "YL-9999"), "YL-9999")
    assert not ViewFile(town / "data" / "views", "YL-0002").take_acceptance()
    answer = gridwatch(*call, "YL-0002", "--json")
    assert json.loads(answer.out) == {"accepted": ["YL-0002"]}
    assert ViewFile(town / "data" / "views", "YL-0002").take_acceptance()
    assert not ViewFile(town / "data" / "views", "YL-0001").take_acceptance()


def test_an_import_keeps_the_good_rows_and_names_the_bad_ones(gridwatch, town):
    file = town / "cameras.csv"
    file.write_text(file.read_text("utf-8") + "BAD,坏,rtsp://h/1,200,95,wgs84,,,,\n", "utf-8")
    out = town / "clean.csv"
    answer = gridwatch("cameras", "import", file, "--out", out, "--json")
    report = json.loads(answer.out)
    assert answer.code == 1
    assert report["cameras"] == 3
    assert "5" in report["problems"][0]
    assert len(out.read_text("utf-8").splitlines()) == 4


def test_model_check_prints_card_and_figure(gridwatch):
    figure = json.loads(gridwatch("model", "check", "--json").out)
    assert figure["classes"][6:] == ["cavity", "crash"]
    assert figure["ms_per_look"]["1"] > 0


def test_a_camera_that_nobody_tells_of_any_more_is_not_said_to_be_live(gridwatch, town):
    settings = load_settings(town / "settings.yaml")
    told = CameraStatus("YL-0001", "live", since_at=0.0)
    with open_desk(settings, ManualClock(SystemClock().now())) as opened:
        opened.board.tell([told])
        fresh = gridwatch("cameras", "list", "-s", town / "settings.yaml", "--json")
    with open_desk(settings, ManualClock(SystemClock().now() - 60)) as opened:
        opened.board.tell([told])
        stale = gridwatch("cameras", "list", "-s", town / "settings.yaml", "--json")
    assert json.loads(fresh.out)[0]["state"] == "live"
    assert json.loads(stale.out)[0]["state"] is None


def test_the_camera_list_shows_how_old_the_newest_look_is(gridwatch, town):
    settings = load_settings(town / "settings.yaml")
    now = SystemClock().now()
    live = CameraStatus("YL-0001", "live", since_at=now - 900, last_look_at=now - 40)
    gone = CameraStatus("YL-0002", "live", since_at=now - 9000, last_look_at=now - 7300)
    with open_desk(settings, ManualClock(now - 7200)) as opened:
        opened.board.tell([gone])
    with open_desk(settings, SystemClock()) as opened:
        opened.board.tell([live])
        listed = gridwatch("cameras", "list", "-s", town / "settings.yaml", "--json")
        shown = gridwatch("cameras", "list", "-s", town / "settings.yaml").out
    ages = [row["look_age_s"] for row in json.loads(listed.out)]
    assert 40 <= ages[0] < 400
    assert 7300 <= ages[1] < 7700, "also of a camera that nobody watches any more"
    assert ages[2] is None
    assert "newest look" in shown
    assert "2 h" in shown


def test_the_camera_list_shows_the_last_hour_by_the_ledger(gridwatch, town):
    settings = load_settings(town / "settings.yaml")
    now = SystemClock().now()
    clock = ManualClock(now)
    coverage = Coverage(0.5, clock=clock)
    picture = np.zeros((6, 4), np.uint8)
    for ago_s in (7000, 1500, 300, 295, 290):
        coverage.done(Look("YL-0001", now - ago_s, (0, 0, 4, 4), (4, 4), picture, "whole"))
    with open_desk(settings, clock) as opened:
        opened.coverage.write(coverage.drain())
        listed = gridwatch("cameras", "list", "-s", town / "settings.yaml", "--json")
        shown = gridwatch("cameras", "list", "-s", town / "settings.yaml").out
    first, second, _ = json.loads(listed.out)
    assert first["looks_last_hour"] == 4
    assert first["longest_gap_s"] == pytest.approx(5500, abs=1), "its end lies within the hour"
    assert 289 <= first["look_age_s"] < 600
    assert (second["looks_last_hour"], second["longest_gap_s"], second["look_age_s"]) == (
        0,
        None,
        None,
    )
    assert "longest gap" in shown
    assert "92 min" in shown


def test_a_refused_list_is_told_by_list_and_doctor(gridwatch, town):
    settings = load_settings(town / "settings.yaml")
    call = ("-s", town / "settings.yaml", "--json")
    with open_desk(settings, SystemClock()) as opened:
        opened.board.tell([], list_problem="cameras.csv, line 7: unknown datum")
        listed, looked = gridwatch("cameras", "list", *call), gridwatch("doctor", *call)
        opened.board.tell([])
        good = gridwatch("cameras", "list", *call)
    assert len(json.loads(listed.out)) == 3, "JSON stays what it was"
    assert "line 7: unknown datum" in listed.err
    (finding,) = [one for one in json.loads(looked.out) if one["check"] == "camera list"]
    assert not finding["good"]
    assert "line 7: unknown datum" in finding["text"]
    assert looked.code == 1
    assert good.err == ""


def test_with_a_wrong_list_the_cameras_that_boxes_go_on_with_are_shown(gridwatch, town):
    settings = load_settings(town / "settings.yaml")
    call = ("cameras", "list", "-s", town / "settings.yaml", "--json")
    with open_desk(settings, SystemClock()) as opened:
        opened.board.tell([CameraStatus("YL-0001", "live", since_at=0.0)])
        file = town / "cameras.csv"
        file.write_text(file.read_text("utf-8").replace("wgs84", "wgs48"), "utf-8")
        answer = gridwatch(*call)
    refused(answer, "line 2", "wgs48")
    assert [(row["camera_id"], row["state"]) for row in json.loads(answer.out)] == [
        ("YL-0001", "live")
    ]


def test_a_refusal_by_a_box_that_is_gone_is_not_told(gridwatch, town):
    settings = load_settings(town / "settings.yaml")
    with open_desk(settings, ManualClock(SystemClock().now() - 60)) as opened:
        opened.board.tell([], list_problem="cameras.csv, line 7: unknown datum")
        answer = gridwatch("cameras", "list", "-s", town / "settings.yaml")
    assert answer.err == ""


def test_a_bug_ends_in_a_traceback_without_credentials(gridwatch, town, monkeypatch):
    def broken(_rows):
        raise RuntimeError("no way with rtsp://admin:geheim@10.0.0.5/1")

    monkeypatch.setattr(cli.show, "cameras", broken)
    answer = gridwatch("cameras", "list", "-s", town / "settings.yaml")
    assert answer.code == 1
    assert "RuntimeError" in answer.err
    assert "in cameras_list" in answer.err, "the traceback"
    assert "geheim" not in answer.err


def test_brackets_in_names_are_shown_as_they_are(gridwatch, town):
    grids = town / "grids.geojson"
    grids.write_text(grids.read_text("utf-8").replace('"name":"', '"name":"[/b][red]'), "utf-8")
    settings = load_settings(town / "settings.yaml")
    with open_desk(settings, SystemClock()) as opened:
        place = opened.town.cameras[0]
        at = Place(place.lon, place.lat, 3.0, "pose")
        incident = Incident(
            "i", "YL-0001", "crowd", (0, 0, 1, 1), 0, 1, 2, None, at, 0.9, "notice", {}, {}
        )
        ticket_id = opened.desk.file(incident).ticket_id
        answer = gridwatch("tickets", "show", ticket_id, "-s", town / "settings.yaml")
    assert answer.code == 0
    assert "[/b][red]" in answer.out


def test_why_there_is_a_ticket_is_told_by_its_number_and_by_the_incident(gridwatch, town):
    settings = load_settings(town / "settings.yaml")
    trail = {
        "kind": "cavity", "parts": {"new_here": 2.5}, "dwell_s": 6.0, "obstructed_looks": 2,
        "model": "street-n", "settings": "abc", "looks": [[1.0, 0.9, "cavity"], [2.0, 0.0, None]],
    }  # fmt: skip
    with open_desk(settings, SystemClock()) as opened:
        place = opened.town.cameras[0]
        at = Place(place.lon, place.lat, 3.0, "pose")
        incident = Incident(
            "inc", "YL-0001", "crowd", (0, 0, 1, 1), 0, 1, 2, None, at, 0.9, "notice", {}, trail
        )
        ticket_id = opened.desk.file(incident).ticket_id
        answers = [
            gridwatch("explain", name, "-s", town / "settings.yaml") for name in (ticket_id, "inc")
        ]
        unknown = gridwatch("explain", "nobody", "-s", town / "settings.yaml")
    assert answers[0].out == answers[1].out
    assert "new_here +2.5" in answers[0].out
    assert unknown.code == 1
    assert "nobody" in unknown.err


def test_the_outbox_says_what_waits_and_what_was_refused(gridwatch, town):
    settings = town / "settings.yaml"
    assert json.loads(gridwatch("outbox", "-s", settings, "--json").out) == {
        "waiting": 0,
        "retried": 0,
        "refused": [],
    }
    assert "待发" in gridwatch("outbox", "-s", settings, "--retry").out


# --- what is refused -----------------------------------------------------------------------------


def test_wrong_settings_are_refused(gridwatch, town):
    change(town, hazards={"blockage": {"crash_dwel_s": 3}})
    answer = gridwatch("run", "-s", town / "settings.yaml", "--seconds", 1)
    refused(answer, "settings.yaml", "hazards.blockage.crash_dwel_s", "crash_dwell_s")


def test_a_url_in_the_wrong_place_keeps_its_password(gridwatch, town):
    change(town, redis="redis://:geheim@h/0")
    answer = gridwatch("run", "-s", town / "settings.yaml")
    refused(answer, "redis")
    assert "geheim" not in answer.err


@pytest.mark.parametrize("value", ["2026-02-30", "[" * 3000])
def test_a_value_that_yaml_chokes_on_is_no_traceback(gridwatch, town, value):
    (town / "settings.yaml").write_text(f"data_dir: {value}\n", "utf-8")
    refused(gridwatch("tickets", "list", "-s", town / "settings.yaml"), "settings.yaml")


@pytest.mark.parametrize("shard", ["3/2", "0/2", "half"])
def test_a_shard_that_is_none_is_refused(gridwatch, town, shard):
    answer = gridwatch("run", "-s", town / "settings.yaml", "--shard", shard, "--seconds", 1)
    refused(answer, "--shard", shard)


def test_a_bench_that_cannot_be_is_refused(gridwatch):
    refused(gridwatch("bench", "ingest", "--size", "1081p"), "--size", "1081p", "1920x1080")
    refused(gridwatch("bench", "decode", "--device", "no-such"), "no-such")


def test_doctor_says_when_no_gpu_can_decode(gridwatch, town):
    if why_no_device("cuda") is None:
        pytest.skip("there is a GPU that decodes")
    change(town, ingest={"decoder": "nvdec"})
    answer = gridwatch("doctor", "-s", town / "settings.yaml", "--json")
    [found] = [one for one in json.loads(answer.out) if one["check"] == "decoder"]
    assert not found["good"]
    assert "ingest.decoder" in found["text"]


def test_an_unknown_scenario_is_refused_with_the_list(gridwatch):
    refused(gridwatch("rehearse", "nosuch"), "nosuch", "smoke")


def test_an_unknown_state_or_hazard_is_refused_with_the_list(gridwatch, town):
    settings = town / "settings.yaml"
    refused(gridwatch("tickets", "list", "-s", settings, "--state", "clsed"), "clsed", "closed")
    refused(gridwatch("tickets", "list", "-s", settings, "--hazard", "hole"), "road_collapse")


def test_a_folder_that_cannot_be_written_is_named(gridwatch, tmp_path, tiny_clip):
    (tmp_path / "file").write_text("in the way")
    refused(gridwatch("replay", tiny_clip, "--out", tmp_path / "file"), str(tmp_path / "file"))


def test_a_wrong_camera_list_is_refused(gridwatch, town):
    file = town / "cameras.csv"
    file.write_text(file.read_text("utf-8").replace("wgs84", "wgs48"), "utf-8")
    refused(gridwatch("run", "-s", town / "settings.yaml"), "cameras.csv", "line 2", "wgs48")


def square(code: str, west: float, *, crossed: bool = False) -> dict[str, object]:
    ring = [[west, 34.7], [west + 0.1, 34.7], [west + 0.1, 34.9], [west, 34.9]]
    if crossed:
        ring[2], ring[3] = ring[3], ring[2]
    return {
        "type": "Feature",
        "properties": {"code": code, "name": code, "level": 3, "kind": "standard", "parent": "1"},
        "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
    }


def write_grids(folder: Path, *features: dict[str, object]) -> None:
    top = square("1", 113.0)
    top["properties"] = {"code": "1", "name": "镇", "level": 1, "kind": "standard", "parent": None}
    whole = {"type": "FeatureCollection", "datum": "wgs84", "features": [top, *features]}
    (folder / "grids.geojson").write_text(json.dumps(whole), "utf-8")


def test_a_polygon_that_crosses_itself_is_refused(gridwatch, town):
    write_grids(town, square("A", 113.4, crossed=True))
    refused(gridwatch("run", "-s", town / "settings.yaml"), "grids.geojson", "A")


def test_overlapping_grids_are_refused(gridwatch, town):
    write_grids(town, square("A", 113.4), square("B", 113.45))
    refused(gridwatch("run", "-s", town / "settings.yaml"), "grids.geojson", "A", "B")


def test_a_missing_model_is_refused(gridwatch, town):
    change(town, model={"path": "nowhere.onnx"})
    refused(gridwatch("run", "-s", town / "settings.yaml"), "nowhere.onnx", "not found")


def copied_model(folder: Path, **card: object) -> Path:
    path = folder / "model.onnx"
    shutil.copy(MODEL, path)
    values = json.loads(MODEL.with_suffix(".json").read_text("utf-8"))
    path.with_suffix(".json").write_text(json.dumps({**values, **card}), "utf-8")
    return path


def test_a_wrong_hash_is_refused(gridwatch, tmp_path):
    path = copied_model(tmp_path, sha256="0" * 64)
    refused(gridwatch("model", "check", path), "model.onnx", "sha256", "0000")


def test_an_unknown_class_is_refused(gridwatch, tmp_path):
    card = json.loads(MODEL.with_suffix(".json").read_text("utf-8"))
    classes = ["dragon" if name == "bus" else name for name in card["classes"]]
    thresholds = {"dragon" if name == "bus" else name: v for name, v in card["thresholds"].items()}
    path = copied_model(tmp_path, classes=classes, thresholds=thresholds)
    refused(gridwatch("model", "check", path), "model.json", "dragon", "bus")


def test_redis_that_cannot_be_reached_is_named_without_its_password(gridwatch, town):
    change(town, redis={"url": "redis://:geheim@127.0.0.1:9/0", "timeout_s": 1})
    answer = gridwatch("tickets", "list", "-s", town / "settings.yaml")
    refused(answer, "127.0.0.1:9")
    assert "geheim" not in answer.err


@pytest.mark.parametrize("content", [b"", b"not a video at all, only words\n" * 40])
def test_a_clip_that_is_none_is_refused_and_the_results_are_still_written(
    gridwatch, tmp_path, content
):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "broken.mp4").write_bytes(content)
    out = tmp_path / "out"
    refused(gridwatch("replay", tmp_path / "clips", "--out", out), "broken.mp4")
    assert (out / "incidents.jsonl").read_text("utf-8") == ""


def test_a_wrong_truth_file_is_refused_before_anything_is_played(gridwatch, tmp_path):
    truth = tmp_path / "truth.jsonl"
    truth.write_text('{"camera_id": "a", "hazard": "dragon", "start_s": 1}\n', "utf-8")
    refused(gridwatch("replay", tmp_path, "--truth", truth), "truth.jsonl", "line 1", "dragon")


def test_a_folder_without_clips_is_refused(gridwatch, tmp_path):
    refused(gridwatch("replay", tmp_path, "--out", tmp_path / "out"), str(tmp_path), ".mp4")


def test_a_picture_that_is_none_is_named_and_the_others_are_done(gridwatch, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    (tmp_path / "b.png").write_bytes(cv2.imencode(".png", np.zeros((36, 64, 3), np.uint8))[1])
    answer = gridwatch("model", "predict", tmp_path, "--out", tmp_path / "out.jsonl")
    refused(answer, "a.jpg")
    (row,) = map(json.loads, (tmp_path / "out.jsonl").read_text("utf-8").splitlines())
    assert row["image"].endswith("b.png")


def test_an_import_never_replaces_its_source_nor_without_force_another_file(gridwatch, town):
    file = town / "cameras.csv"
    before = file.read_text("utf-8")
    refused(gridwatch("cameras", "import", file, "--out", file, "--force"), "cameras.csv")
    (town / "there.csv").write_text("mine", "utf-8")
    refused(gridwatch("cameras", "import", file, "--out", town / "there.csv"), "there.csv")
    assert (town / "there.csv").read_text("utf-8") == "mine"
    assert file.read_text("utf-8") == before
    forced = gridwatch("cameras", "import", file, "--out", town / "there.csv", "--force")
    assert forced.code == 0


@pytest.mark.parametrize("name", ["street.mp4", "outbox.sqlite"])
def test_a_replay_never_writes_among_footage_or_into_a_daemons_data(
    gridwatch, tmp_path, tiny_clip, name
):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("precious", "utf-8")
    refused(gridwatch("replay", tiny_clip, "--out", tmp_path / "mine"), "mine", name)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [name]


def test_the_results_of_an_older_replay_give_way(gridwatch, tmp_path, tiny_clip):
    out = tmp_path / "out"
    assert gridwatch("replay", tiny_clip, "--out", out).code == 0
    (out / "score.json").write_text("{}", "utf-8")
    (out / "notes.txt").write_text("mine", "utf-8")
    assert gridwatch("replay", tiny_clip, "--out", out).code == 0
    assert not (out / "score.json").exists()
    assert (out / "notes.txt").exists()


def test_a_camera_of_the_truth_that_was_not_played_is_named(gridwatch, tmp_path, tiny_clip):
    line = {"camera_id": "Typo", "hazard": "crowd", "start_s": 1, "end_s": None}
    (tmp_path / "t.jsonl").write_text(json.dumps(line | dict.fromkeys(("box", "lon", "lat"))))
    answer = gridwatch(
        "replay", tiny_clip, "--truth", tmp_path / "t.jsonl", "--out", tmp_path / "out"
    )
    assert "Typo" in answer.out


def test_without_settings_and_without_a_town_here_the_next_step_is_named(
    gridwatch, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    refused(gridwatch("tickets", "list"), "--settings")
    assert not list(tmp_path.iterdir())


def test_what_waits_where_is_listed(gridwatch, town):
    assert json.loads(gridwatch("queue", "list", "-s", town / "settings.yaml", "--json").out) == {}
    assert "没有待办" in gridwatch("queue", "list", "-s", town / "settings.yaml").out


def test_the_windows_of_a_camera_are_drawn_over_a_picture_of_it(gridwatch, town):
    picture, drawn = town / "street.png", town / "drawn.png"
    picture.write_bytes(cv2.imencode(".png", np.full((1080, 1920, 3), 90, np.uint8))[1])
    settings = town / "settings.yaml"
    command = ("cameras", "windows", "YL-0001", "-s", settings, "--out", drawn)
    answer = gridwatch(*command, "--picture", picture, "--json")
    assert answer.code == 0
    plan = json.loads(answer.out)
    assert plan["source"] == [1920, 1080]
    assert 1 <= len(plan["windows"]) <= 3
    shown = cv2.imread(str(drawn))
    assert shown.shape == (1080, 1920, 3)
    first = plan["windows"][0]
    assert (shown[first["y"] + first["height"] // 2, first["x"]] != 90).any(), "its frame"
    answer = gridwatch(*command, "--picture", picture)
    assert f"{len(plan['windows'])} 个窗口" in answer.out


def test_without_a_picture_the_camera_takes_one(gridwatch, town, tiny_clip):
    listed = (town / "cameras.csv").read_text("utf-8").splitlines()
    row = listed[1].split(",")
    row[2] = str(tiny_clip)
    (town / "cameras.csv").write_text("\n".join([listed[0], ",".join(row)]) + "\n", "utf-8")
    drawn = town / "drawn.jpg"
    answer = gridwatch(
        "cameras", "windows", "YL-0001", "-s", town / "settings.yaml", "--out", drawn, "--json"
    )
    assert json.loads(answer.out) == {"source": [320, 180], "windows": [], "left_out": 0}
    assert cv2.imread(str(drawn)).shape == (180, 320, 3)


def test_windows_of_what_is_no_camera_or_no_picture_are_refused(gridwatch, town):
    settings, text = town / "settings.yaml", town / "notes.png"
    text.write_text("no picture")
    command = ("cameras", "windows", "-s", settings, "--picture", text)
    refused(gridwatch(*command, "YL-9999", "--out", town / "a.png"), "YL-9999")
    refused(gridwatch(*command, "YL-0001", "--out", town / "a.png"), "notes.png")
    text.write_bytes(cv2.imencode(".png", np.full((90, 160, 3), 90, np.uint8))[1])
    refused(gridwatch(*command, "YL-0001", "--out", town / "a.gif"), ".png or .jpg")
    refused(gridwatch(*command, "YL-0001", "--out", town / "none" / "a.png"), "none/a.png")


def test_a_model_is_tried_out_and_chosen_for_the_box_and_given_back(gridwatch, town):
    settings = town / "settings.yaml"
    answer = gridwatch("model", "use", MODEL, "-s", settings)
    assert answer.code == 0
    assert "street-n" in answer.err
    assert json.loads((town / "data" / "model.json").read_text())["path"] == str(MODEL)
    answer = gridwatch("model", "use", "--as-set", "-s", settings)
    assert answer.code == 0
    assert not (town / "data" / "model.json").exists()


def test_a_model_that_cannot_be_used_is_not_chosen(gridwatch, town):
    (town / "wrong.onnx").write_bytes(b"no model")
    answer = gridwatch("model", "use", town / "wrong.onnx", "-s", town / "settings.yaml")
    assert answer.code == 2
    assert "wrong" in answer.err
    assert not (town / "data").exists()


@pytest.mark.parametrize("arguments", [(), (MODEL, "--as-set")])
def test_either_a_model_or_that_of_the_settings_is_chosen(gridwatch, town, arguments):
    answer = gridwatch("model", "use", *arguments, "-s", town / "settings.yaml")
    assert answer.code == 2
    assert "--as-set" in answer.err


def test_queue_tail_ends_by_itself_and_refuses_an_unknown_grid(gridwatch, town):
    call = ("-s", town / "settings.yaml", "--seconds", "0.2")
    answer = gridwatch("queue", "tail", "410182102030001", *call)
    assert (answer.code, answer.out) == (0, "")
    assert gridwatch("queue", "tail", "nowhere", *call).code != 0
