"""The commands of archive, audit and indices as a person meets them."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from pipeline import cli
from pipeline.clock import ManualClock
from pipeline.hazards import Incident
from pipeline.settings_file import load_settings
from pipeline.terminal import asked_for
from pipeline.tickets import open_desk
from pipeline.town import Place

YULONG = Path(__file__).parents[1] / "configs" / "yulong"
LONG_AGO = 1_780_000_000.0  # 2026-05-28


@pytest.fixture
def gridwatch(monkeypatch, capsys, tmp_path):
    for name in ("grids.geojson", "duties.yaml"):
        shutil.copy(YULONG / name, tmp_path / name)
    rows = (YULONG / "cameras.csv").read_text("utf-8").splitlines()
    (tmp_path / "cameras.csv").write_text("\n".join(rows[:3]) + "\n", "utf-8")
    settings = {"town": {}, "data_dir": "data"}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings), "utf-8")

    def call(*arguments: object) -> tuple[int, str, str]:
        given = ["gridwatch", *map(str, arguments), "--settings", str(tmp_path / "settings.yaml")]
        monkeypatch.setattr(sys, "argv", given)
        monkeypatch.setenv("COLUMNS", "400")
        with pytest.raises(SystemExit) as end:
            cli.main()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture
def ticket_id(gridwatch, tmp_path) -> str:
    """A ticket that was closed months ago."""
    settings = load_settings(tmp_path / "settings.yaml")
    found = Incident(
        incident_id="0f3c5a9b7d1e24680ace",
        camera_id="YL-0001",
        hazard="road_damage",
        box=(0.4, 0.5, 0.5, 0.6),
        started_at=LONG_AGO - 8,
        confirmed_at=LONG_AGO,
        last_seen_at=LONG_AGO,
        cleared_at=None,
        place=Place(113.4451, 34.7852, 3.0, "pose"),
        score=0.9,
        severity="notice",
        measures={},
        trail={"kind": "hole", "looks": [], "parts": {}, "dwell_s": 6, "obstructed_looks": 0,
               "model": "m", "settings": "s"},
    )  # fmt: skip
    with open_desk(settings, ManualClock(LONG_AGO)) as opened:
        filed = opened.desk.file(found).ticket_id
        for action in ("accept", "feed_back", "close"):
            opened.desk.move(filed, action, by="王", note="井盖已换")
    return filed


def test_an_old_ticket_is_archived_and_found_in_every_way(gridwatch, ticket_id):
    assert json.loads(gridwatch("archive", "status", "--json")[1])["waiting"] == 1
    assert json.loads(gridwatch("archive", "run", "--json")[1])["tickets"] == 1
    status = json.loads(gridwatch("archive", "status", "--json")[1])
    assert (status["waiting"], status["archived"]["closed"]) == (0, 1)
    for asked in (
        (ticket_id,),
        (ticket_id[:8],),
        ("--text", "井盖"),
        ("--from", "2026-05-28", "--to", "2026-05-29", "--state", "closed"),
        ("--box", "113.44,34.78,113.45,34.79", "--hazard", "road_damage"),
    ):
        found = json.loads(gridwatch("archive", "search", *asked, "--json")[1])
        assert [one["ticket_id"] for one in found] == [ticket_id], asked
    assert ticket_id in gridwatch("archive", "search")[1]
    assert json.loads(gridwatch("archive", "search", "--text", "树", "--json")[1]) == []
    assert ticket_id in gridwatch("tickets", "show", ticket_id)[1]
    assert ticket_id in gridwatch("tickets", "list")[1]
    assert "0f3c5a9b7d1e24680ace" in gridwatch("explain", "0f3c5a9b7d1e24680ace")[1]


@pytest.mark.parametrize(
    "asked",
    [
        ("search", "--box", "1,2,3"),
        ("search", "--box", "114,34,113,35"),
        ("search", "--from", "yesterday"),
        ("search", "--state", "open"),
        ("search", "--text", "?"),
    ],
)
def test_wrong_questions_are_refused_with_what_is_allowed(gridwatch, ticket_id, asked):
    gridwatch("archive", "run")
    code, _, said = gridwatch("archive", *asked)
    assert code == 2
    assert asked[1] in said
    assert "allowed" in said


def test_every_command_is_in_the_audit_with_its_result(gridwatch, ticket_id, monkeypatch):
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.7 50000 10.0.0.1 22")
    gridwatch("tickets", "show", ticket_id)
    gridwatch("tickets", "show", "YL20200101-000001")
    lines = json.loads(gridwatch("audit", "list", "--json")[1])
    assert [(line["action"], line["subject"]) for line in lines] == [
        ("tickets show", "YL20200101-000001"),
        ("tickets show", ticket_id),
    ]
    assert lines[0]["result"] == "there is no ticket YL20200101-000001"
    assert lines[1]["result"] == "done"
    assert lines[1]["origin"].startswith("10.0.0.7 > ")
    assert ticket_id in gridwatch("audit", "list", "--subject", ticket_id)[1]


def test_the_audit_is_exported_and_verified(gridwatch, ticket_id, tmp_path):
    gridwatch("tickets", "show", ticket_id)
    whole = json.loads(gridwatch("audit", "verify", "--json")[1])
    gridwatch("archive", "run")
    noted = f"{whole['lines']}:{whole['head']}"
    assert gridwatch("audit", "verify", "--noted", noted)[0] == 0
    code, said, _ = gridwatch("audit", "verify", "--noted", f"1:{'0' * 64}")
    assert code == 1
    assert "another hash" in said
    assert gridwatch("audit", "export", tmp_path / "a.jsonl")[0] == 0
    lines = (tmp_path / "a.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["number"] for line in lines] == list(range(1, len(lines) + 1))
    assert gridwatch("audit", "export", tmp_path / "a.csv")[0] == 0
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        assert next(csv.DictReader(file))["subject"] == ticket_id
    assert gridwatch("audit", "export", tmp_path / "a.csv")[0] == 2  # never over another file


def test_indices_are_printed_exported_and_the_same_from_the_archive(gridwatch, ticket_id, tmp_path):
    before = json.loads(gridwatch("indices", "--by", "month", "--json")[1])
    assert before[0]["group"] == "2026-05"
    assert before[0]["handled_in_time_rate"] == 1.0
    gridwatch("archive", "run")
    assert json.loads(gridwatch("indices", "--by", "month", "--json")[1]) == before
    assert json.loads(gridwatch("indices", "--month", "2026-06", "--json")[1]) == []
    assert "按时处置率" in gridwatch("indices")[1]
    gridwatch("indices", "--by", "grid", "--csv", tmp_path / "i.csv")
    with (tmp_path / "i.csv").open(encoding="utf-8-sig", newline="") as file:
        assert next(csv.DictReader(file))["filed"] == "1"
    assert gridwatch("indices", "--by", "colour")[0] == 2


@pytest.mark.parametrize(
    "given, action, subject",
    [
        (["tickets", "accept", "YL20261123-000001", "--by", "王"], "tickets accept",
         "YL20261123-000001"),
        (["tickets", "accept", "--by", "王", "YL20261123-000001"], "tickets accept",
         "YL20261123-000001"),
        (["queue", "read", "410182102"], "queue read", "410182102"),
        (["tickets", "list", "--state", "closed"], "tickets list", ""),
        ([], "gridwatch", ""),
    ],
)  # fmt: skip
def test_what_was_asked_for_is_read_from_the_command_line(given, action, subject):
    assert asked_for(given)[:2] == (action, subject)


def test_no_secret_of_a_command_line_is_kept():
    said = asked_for(["users", "add", "wang", "--password", "geheim", "--api-key=k"])[2]
    assert said == ["wang", "--password", "***", "--api-key=***"]
