"""What the disk doesn't take is kept in memory: nothing is lost, nothing stands still."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from pipeline.clock import SystemClock
from pipeline.errors import DeskUnavailableError, OutboxError
from pipeline.hazards import Incident
from pipeline.tickets import PatientOutbox
from pipeline.town import Place

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.tickets import Outbox


def fill(outbox: Outbox) -> None:
    """Let no page be added to the file: SQLite fails as it does on a full disk."""
    outbox._db.execute("PRAGMA max_page_count = 1")


def make_room(outbox: Outbox) -> None:
    outbox._db.execute("PRAGMA max_page_count = 100000")


class AwayDesk:
    """Redis is away: every call says so."""

    def deliver(self, _: object) -> None:
        raise DeskUnavailableError("away")


def incident(name: str, seen_at: float = 2.0) -> Incident:
    return Incident(
        incident_id=name,
        camera_id="c",
        hazard="blockage",
        box=(0.0, 0.0, 1.0, 1.0),
        started_at=1.0,
        confirmed_at=1.5,
        last_seen_at=seen_at,
        cleared_at=None,
        place=Place(113.4, 34.8, 5.0, "camera"),
        score=0.9,
        severity="notice",
        measures={},
        trail={"pad": "." * 20_000},  # more than fits into a page that is already there
    )


def waiting(path: Path) -> list[tuple[str, str, float]]:
    """(kind, incident_id, last_seen_at) of what is on the disk, in order."""
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT kind, incident FROM waiting ORDER BY id").fetchall()
    news = [(kind, json.loads(text)) for kind, text in rows]
    return [(kind, one["incident_id"], one["last_seen_at"]) for kind, one in news]


def test_what_a_full_disk_does_not_take_waits_in_memory_and_is_written_in_order(tmp_path):
    path = tmp_path / "outbox.sqlite"
    with PatientOutbox(path, SystemClock()) as outbox, capture_logs() as logs:
        outbox.put("file", incident("a"))
        fill(outbox)
        outbox.put("file", incident("b"))
        outbox.put("update", incident("a", 3.0))
        outbox.put("update", incident("a", 4.0))
        outbox.put("file", incident("c"))
        assert outbox.backlog() == 4
        with pytest.raises(DeskUnavailableError):  # it goes on sending what it has on the disk
            outbox.send(AwayDesk())
        assert waiting(path) == [("file", "a", 2.0)]
        make_room(outbox)
        with pytest.raises(DeskUnavailableError):
            outbox.send(AwayDesk())
        outbox.put("update", incident("c", 5.0))
    assert waiting(path) == [
        ("file", "a", 2.0),
        ("file", "b", 2.0),
        ("update", "a", 4.0),  # the newest news of it
        ("file", "c", 2.0),
        ("update", "c", 5.0),
    ]
    assert [line["event"] for line in logs] == ["outbox_in_memory", "outbox_on_disk_again"]


def test_what_the_disk_does_not_take_to_the_last_is_named(tmp_path):
    outbox = PatientOutbox(tmp_path / "outbox.sqlite", SystemClock())
    fill(outbox)
    with capture_logs() as logs:
        outbox.put("file", incident("a"))
        outbox.close()
    (lost,) = [line for line in logs if line["event"] == "outbox_lost"]
    assert lost["incidents"] == [{"incident_id": "a", "camera_id": "c", "hazard": "blockage"}]


def test_an_incident_that_cannot_be_written_down_holds_up_no_other(tmp_path):
    path = tmp_path / "outbox.sqlite"
    bad = replace(incident("bad"), score=math.nan)
    with PatientOutbox(path, SystemClock()) as outbox:
        with pytest.raises(OutboxError):
            outbox.put("file", bad)
        fill(outbox)
        for one in (incident("a"), bad, incident("b")):
            outbox.put("file", one)
        make_room(outbox)
    assert [name for _, name, _ in waiting(path)] == ["a", "b"]
