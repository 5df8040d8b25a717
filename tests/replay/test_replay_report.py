"""The report page: what was found, what was true, and nothing from outside."""

from __future__ import annotations

import re

import pytest

from pipeline.hazards import Incident
from pipeline.replay import Clip, Played, TruthEvent, score, write_report
from pipeline.tickets import EvidenceRef
from pipeline.town import Camera, Place


def incident(hazard: str, started_at: float) -> Incident:
    return Incident(
        incident_id=f"id-{hazard}-{started_at}",
        camera_id="<cam>",
        hazard=hazard,
        box=(0.1, 0.1, 0.2, 0.2),
        started_at=started_at,
        confirmed_at=started_at + 2,
        last_seen_at=started_at + 3,
        cleared_at=None,
        place=Place(0.0, 0.0, 40.0, "camera"),
        score=0.9,
        severity="warning",
        measures={"area_m2": 1.5},
        trail={
            "kind": "cavity",
            "parts": {"new_here": 2.5},
            "looks": [[1, 0.2, None], [2, 1, "x"]],
        },
    )


@pytest.fixture
def page(tmp_path):
    clip = Clip(tmp_path / "cam.mp4", Camera("<cam>", "c", "/c.mp4", 0.0, 0.0), placed=False)
    found, wrong = incident("road_collapse", 5.0), incident("crowd", 1.0)
    played = Played(
        clip, [found, wrong], {found.incident_id: EvidenceRef("a.jpg", "p.jpg")}, 20, 30.0
    )
    played.problem = "stopped at <5 s>"
    truth = [
        TruthEvent(
            camera_id="<cam>",
            hazard="road_collapse",
            start_s=5,
            end_s=None,
            box=None,
            lon=None,
            lat=None,
        )
    ]
    result = score([found, wrong], truth, {"<cam>": 30.0})
    write_report(tmp_path / "report.html", [played], truth, result)
    return (tmp_path / "report.html").read_text("utf-8")


def test_it_shows_every_incident_its_picture_and_which_are_false_alarms(page):
    assert page.count('<div class="card"') + page.count('<div class="card false"') == 2
    assert 'src="evidence/a.jpg"' in page
    assert page.count('<div class="card false"') == 1
    assert "路面塌陷" in page


def test_it_draws_truth_and_finding_on_one_time_line(page):
    (truth,) = re.findall(r'class="truth" x="([\d.]+)"', page)
    assert float(truth) == pytest.approx(100.0)  # 5 s of 30 s, 600 units wide
    assert len(re.findall(r'class="found" x=', page)) == 2


def test_text_from_outside_is_escaped_and_problems_are_shown(page):
    assert "<cam>" not in page
    assert "&lt;cam&gt;" in page
    assert "stopped at &lt;5 s&gt;" in page


def test_it_asks_nothing_of_the_network(page):
    assert "http" not in page
    assert "<script" not in page
