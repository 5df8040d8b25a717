"""The commands about evidence, and what the daemon's wiring makes of it, as a person meets them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import test_cli

from pipeline.clock import SystemClock
from pipeline.doctor import examine
from pipeline.hazards import Incident
from pipeline.settings_file import load_settings
from pipeline.tickets import Filer, Outbox, Snapshot, open_desk, open_store
from pipeline.town import Place

NOW = SystemClock().now()
FOUND = Incident(
    incident_id="0f3c5a9b7d1e24680ace",
    camera_id="YL-0001",
    hazard="road_damage",
    box=(0.4, 0.5, 0.5, 0.6),
    started_at=NOW - 8,
    confirmed_at=NOW,
    last_seen_at=NOW,
    cleared_at=None,
    place=Place(113.4451, 34.7852, 3.0, "pose"),
    score=0.9,
    severity="notice",
    measures={},
    trail={},
)


gridwatch, town = test_cli.gridwatch, test_cli.town  # their fixtures


class LaterClock(SystemClock):
    def __init__(self, days: float) -> None:
        super().__init__()
        self._later_s = days * 86400

    def now(self) -> float:
        return super().now() + self._later_s


@pytest.fixture
def filed(town):
    """(settings file, ticket, name of its plain picture) of a town with one filed incident."""
    file = town / "settings.yaml"
    settings, clock = load_settings(file), SystemClock()
    picture = np.random.default_rng(1).integers(0, 256, (90, 160, 3), np.uint8)
    nobody = Snapshot(picture, np.zeros((0, 4), np.float32), [])
    store = open_store(settings, clock)
    with open_desk(settings, clock) as opened, Outbox(town / "data/outbox.sqlite", clock) as outbox:
        filer = Filer(outbox, settings.tickets.evidence, settings.data_dir, store=store)
        filer.file(FOUND, lambda: nobody)
        outbox.send(opened.desk)
        (ticket,) = opened.desk.tickets()
    store.close()
    return file, ticket.ticket_id, ticket.evidence[0].plain


def close(file, ticket_id: str) -> None:
    with open_desk(load_settings(file), SystemClock()) as opened:
        for action in ("accept", "handle", "feed_back", "close"):
            opened.desk.move(ticket_id, action, by="李四")


def test_evidence_is_listed_with_what_keeps_it(gridwatch, filed):
    file, ticket_id, plain = filed
    rows = json.loads(gridwatch("evidence", "list", "-s", file, "--json").out)
    assert len(rows) == 2
    row = next(one for one in rows if one["name"] == plain)
    assert (row["ticket_id"], row["rule"]) == (ticket_id, "its ticket is open")
    assert row["delete_at"] is None
    assert plain in gridwatch("evidence", "list", ticket_id, "-s", file).out
    before = SystemClock().now()
    close(file, ticket_id)
    after = SystemClock().now()
    row = json.loads(gridwatch("evidence", "show", plain, "-s", file, "--json").out)
    assert before <= row["delete_at"] - 90 * 86400 <= after


def test_taking_a_picture_out_is_recorded_and_looking_at_the_list_is_not(
    gridwatch,
    filed,
    tmp_path,
):
    file, ticket_id, plain = filed
    gridwatch("evidence", "list", "-s", file)
    gridwatch("evidence", "show", plain, "-s", file)
    assert json.loads(gridwatch("evidence", "reads", ticket_id, "-s", file, "--json").out) == []
    target = tmp_path / "taken.jpg"
    answer = gridwatch("evidence", "show", plain, "--out", target, "--why", "复核", "-s", file)
    assert answer.code == 0
    assert target.read_bytes()[:2] == b"\xff\xd8"
    (row,) = json.loads(gridwatch("evidence", "reads", ticket_id, "-s", file, "--json").out)
    assert (row["name"], row["way"], row["why"]) == (plain, "cli", "复核")
    assert "复核" in gridwatch("evidence", "reads", ticket_id, "-s", file).out


def test_what_is_over_is_swept_recorded_and_verified(gridwatch, filed, monkeypatch):
    file, ticket_id, plain = filed
    close(file, ticket_id)
    monkeypatch.setattr("pipeline.evidence_commands.SystemClock", lambda: LaterClock(91))
    over = json.loads(gridwatch("evidence", "sweep", "--dry-run", "-s", file, "--json").out)
    assert plain in over["over"]
    swept = json.loads(gridwatch("evidence", "sweep", "-s", file, "--json").out)
    assert sorted(swept["deleted"]) == sorted(over["over"])
    assert not (file.parent / "data/evidence" / plain).exists()
    answer = json.loads(gridwatch("evidence", "deleted", "--verify", "-s", file, "--json").out)
    assert {row["name"] for row in answer["deletions"]} == set(swept["deleted"])
    assert answer["verified"]["deletions"]["rows"] == 2
    text = gridwatch("evidence", "deleted", ticket_id, "--verify", "-s", file)
    assert text.code == 0
    assert "road_damage/cavity: 90 days" in text.out or "road_damage: 90 days" in text.out
    gone = gridwatch("evidence", "show", plain, "-s", file)
    assert gone.code == 1
    assert "was deleted" in gone.err


def test_a_hold_keeps_it_and_a_release_lets_it_go(gridwatch, filed, monkeypatch):
    file, ticket_id, _ = filed
    close(file, ticket_id)
    held = json.loads(
        gridwatch("evidence", "hold", ticket_id, "--note", "诉讼", "-s", file, "--json").out
    )
    assert held == {"ticket_id": ticket_id, "held": True, "changed": True}
    monkeypatch.setattr("pipeline.evidence_commands.SystemClock", lambda: LaterClock(91))
    assert "0" in gridwatch("evidence", "sweep", "-s", file).out
    assert "on hold" in gridwatch("evidence", "list", "-s", file).out
    assert "未留存" in gridwatch("evidence", "release", ticket_id, "-s", file).out
    swept = json.loads(gridwatch("evidence", "sweep", "-s", file, "--json").out)
    assert len(swept["deleted"]) == 2
    steps = gridwatch("tickets", "show", ticket_id, "-s", file).out
    assert "hold_evidence" in steps
    assert "诉讼" in steps


def test_what_is_not_there_is_named_without_a_traceback(gridwatch, filed):
    file, *_ = filed
    for arguments in (
        ("show", "../../etc/passwd"),
        ("show", "2026/11/23/nobody-plain.jpg"),
        ("hold", "YL20200101-000001"),
        ("reads", "YL20200101-000001"),
    ):
        answer = gridwatch("evidence", *arguments, "-s", file)
        assert answer.code == 1, arguments
        assert "Traceback" not in answer.err
        assert answer.err


def test_a_town_must_be_named(gridwatch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    test_cli.refused(gridwatch("evidence", "list"), "--settings FILE")


def test_the_doctor_looks_at_the_evidence(filed):
    (finding,) = (one for one in examine(filed[0]) if one.check == "evidence")
    assert finding.good, finding.text
