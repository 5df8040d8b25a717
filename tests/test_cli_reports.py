"""Reporting, feeding back and checking as commands, and the keys of the endpoint."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
import yaml
from PIL import Image

from pipeline import cli
from pipeline.clock import SystemClock
from pipeline.settings_file import load_settings
from pipeline.tickets import open_desk

YULONG = Path(__file__).parents[1] / "configs" / "yulong"
MODEL = Path(__file__).parents[1] / "models" / "street-n.onnx"
BOX = "0.4,0.7,0.6,0.8"


@pytest.fixture
def town(tmp_path, monkeypatch, capsys):
    """Yulong with three cameras; ``call`` runs a command on it."""
    for name in ("grids.geojson", "duties.yaml"):
        shutil.copy(YULONG / name, tmp_path / name)
    rows = (YULONG / "cameras.csv").read_text("utf-8").splitlines()
    (tmp_path / "cameras.csv").write_text("\n".join(rows[:4]) + "\n", "utf-8")
    settings = {"town": {}, "data_dir": "data", "model": {"path": str(MODEL), "fastest": False}}
    file = tmp_path / "settings.yaml"
    monkeypatch.setenv("COLUMNS", "400")

    def call(*arguments: object, **changes: object) -> SimpleNamespace:
        file.write_text(yaml.safe_dump({**settings, **changes}), "utf-8")
        monkeypatch.setattr(sys, "argv", ["gridwatch", *map(str, arguments), "-s", str(file)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return SimpleNamespace(code=end.value.code or 0, out=said.out, err=said.err)

    noise = np.random.default_rng(1).integers(0, 256, (180, 320, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "seen.png")
    return SimpleNamespace(call=call, folder=tmp_path, picture=tmp_path / "seen.png")


def test_a_case_from_a_picture_on_the_wall_to_its_end(town):
    """Reported, explained, done, found not to be done, done again, closed; each with a picture."""
    call = town.call
    made = call(
        "report", "YL-0001", "--hazard", "road_damage", "--box", BOX, "--by", "李四",
        "--picture", town.picture, "--note", "坑 [red]", "--json",
    )  # fmt: skip
    assert made.code == 0, made.err
    report = json.loads(made.out)
    ticket = report["ticket_id"]
    for part in ("annotated", "plain"):
        picture = report["pictures"][0][part]
        assert (town.folder / "data" / "evidence" / picture).is_file()
    again = call("report", "YL-0001", "--hazard", "road_damage", "--box", BOX, "--by", "王五")
    assert f"并入案卷 / part of {ticket}" in again.out
    shown = call("tickets", "show", ticket).out
    for words in ("工作人员 staff", report["report_id"], "坑 [red]", "YL-0001", "annotated.jpg"):
        assert words in shown
    assert "工作人员 staff" in call("tickets", "list").out
    assert report["report_id"] in call("explain", ticket).out
    assert "坑 [red]" in call("explain", report["report_id"]).out

    refused = call("tickets", "feedback", ticket, "--picture", town.picture)
    assert (refused.code, "can't take feed_back" in refused.err) == (1, True)
    desk_accepts(town, ticket)
    done = call("tickets", "feedback", ticket, "--picture", town.picture, "--by", "李四", "--json")
    assert json.loads(done.out)["state"] == "fed_back"
    back = call("tickets", "verify", ticket, "--not", "--picture", town.picture, "--json")
    assert json.loads(back.out)["state"] == "handling"
    call("tickets", "feedback", ticket, "--note", "再填")
    closed = json.loads(call("tickets", "verify", ticket, "--ok", "--json").out)
    assert closed["state"] == "closed"
    assert [step["action"] for step in closed["steps"]][-6:] == [
        "accept", "feed_back", "rework", "feed_back", "verify", "close",
    ]  # fmt: skip
    kept = sorted((town.folder / "data" / "evidence").rglob(f"{ticket}-*.jpg"))
    assert [path.name.split("-")[2][:5] for path in kept] == ["check", "feedb"]
    listed = json.loads(call("evidence", "list", ticket, "--json").out)
    assert sorted(row["owner"] for row in listed) == sorted(
        [ticket] * 2 + [report["report_id"]] * 2
    )
    assert {row["ticket_id"] for row in listed} == {ticket}
    assert "图 / picture (rework)" in call("tickets", "show", ticket).out


def desk_accepts(town, ticket_id: str) -> None:
    with open_desk(load_settings(town.folder / "settings.yaml"), SystemClock()) as opened:
        opened.desk.move(ticket_id, "accept", by="李四")


def test_while_redis_is_away_a_report_waits_and_is_filed_when_it_is_back(town):
    away = {"redis": {"url": f"unix://{town.folder}/nobody.sock"}}
    made = town.call("report", "YL-0001", "--hazard", "blockage", "--box", BOX, **away)
    assert (made.code, "waits on this box" in made.out) == (0, True)
    assert json.loads(town.call("outbox", "--json").out)["waiting"] == 1
    verified = town.call("tickets", "verify", "YL20261123-000001", "--ok", **away)
    assert (verified.code, "while Redis is away" in verified.err) == (2, True)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("report", "YL-9999", "--hazard", "blockage", "--box", BOX), "no such camera"),
        (("report", "YL-0001", "--hazard", "flood", "--box", BOX), "unknown hazard"),
        (("report", "YL-0001", "--hazard", "blockage", "--box", "1,2,3"), "four numbers"),
        (("report", "YL-0001", "--hazard", "blockage", "--box", "0.5,0.5,9,9"), "in 0..1"),
        (("report", "YL-0001", "--hazard", "crowd", "--box", BOX, "--picture", "no.jpg"), "no.jpg"),
        (
            ("report", "YL-0001", "--hazard", "crowd", "--box", BOX, "--picture", __file__),
            "is no picture",
        ),
        (("tickets", "verify", "YL20261123-000001"), "--ok or --not"),
        (("open311", "key", "revoke", "nobody"), "no such key"),
        (("open311", "key", "add", ""), "not a name"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(town, arguments, words):
    answer = town.call(*arguments)
    assert answer.code == 2, answer.err
    assert words in answer.err


def test_keys_are_made_listed_and_revoked(town):
    key = json.loads(town.call("open311", "key", "add", "郑好拍", "--json").out)["api_key"]
    listed = town.call("open311", "key", "list", "--json").out
    (row,) = json.loads(listed)
    assert (row["name"], row["revoked_at"]) == ("郑好拍", None)
    assert key not in listed
    assert town.call("open311", "key", "revoke", "郑好拍").code == 0
    assert "郑好拍" in town.call("open311", "key", "list").out
    assert json.loads(town.call("open311", "key", "list", "--json").out)[0]["revoked_at"]


def test_the_endpoint_is_served_until_it_is_stopped(town):
    """A report comes in over HTTP with a key, and is a ticket for every other command."""
    key = json.loads(town.call("open311", "key", "add", "郑好拍", "--json").out)["api_key"]
    command = [sys.executable, "-m", "pipeline.cli", "open311", "serve", "--port", "0"]
    settings = town.folder / "settings.yaml"
    with subprocess.Popen(
        [*command, "-s", settings], stderr=subprocess.PIPE, text=True, encoding="utf-8"
    ) as server:
        url = next(line for line in server.stderr if "Open311:" in line).split()[-1]
        (endpoint,) = httpx.get(url).json()["endpoints"]
        report = {"api_key": key, "service_code": "blockage.object", "description": "<i>坑"}
        place = {"lat": "34.788803", "long": "113.496445"}
        answer = httpx.post(f"{endpoint['url']}/requests.json", data={**report, **place})
        assert answer.status_code == 201
        (ticket,) = json.loads(town.call("tickets", "list", "--json").out)
        assert ticket["reports"][0]["report_id"] == answer.json()[0]["service_request_id"]
        assert ticket["reports"][0]["description"] == "<i>坑"
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) == 0
        server.stderr.read()
