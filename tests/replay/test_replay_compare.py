"""Two runs side by side: what a new model would add or remove."""

from __future__ import annotations

import json

import pytest

from pipeline.errors import FootageError
from pipeline.replay import compare, load_incidents, write_comparison


def row(name: str, **changed: object) -> dict[str, object]:
    usual = {
        "incident_id": name,
        "camera_id": "cam",
        "hazard": "blockage",
        "started_s": 10.0,
        "confirmed_s": 15.0,
        "cleared_s": None,
        "score": 0.8,
        "box": [0.1, 0.1, 0.3, 0.3],
        "picture": f"evidence/{name}.jpg",
    }
    return usual | changed


@pytest.fixture
def run(tmp_path):
    def write(name: str, *rows: dict[str, object]):
        folder = tmp_path / name
        (folder / "evidence").mkdir(parents=True)
        for one in rows:
            (folder / str(one["picture"])).write_bytes(b"jpeg")
        text = "".join(json.dumps(one) + "\n" for one in rows)
        (folder / "incidents.jsonl").write_text(text, "utf-8")
        return folder

    return write


def test_a_run_compared_with_itself_differs_in_nothing(run):
    rows = load_incidents(run("a", row("1"), row("2", camera_id="other")))
    found = compare(rows, rows)
    assert (found.appeared, found.vanished, found.moved) == ((), (), ())
    assert found.as_json()["same"] == 2


def test_what_is_only_in_one_run_appears_or_vanishes(run):
    before = load_incidents(run("a", row("1"), row("2", camera_id="other")))
    after = load_incidents(run("b", row("1"), row("3", hazard="crowd")))
    found = compare(before, after)
    assert [one.incident_id for one in found.vanished] == ["2"]
    assert [one.incident_id for one in found.appeared] == ["3"]


def test_the_same_hazard_at_another_time_is_another_one(run):
    before = load_incidents(run("a", row("1", cleared_s=20.0)))
    after = load_incidents(run("b", row("2", started_s=30.0, confirmed_s=33.0)))
    found = compare(before, after)
    assert (len(found.vanished), len(found.appeared), found.pairs) == (1, 1, ())


@pytest.mark.parametrize(
    "changed, word",
    [
        ({"started_s": 5.0}, "start"),
        ({"confirmed_s": 25.0}, "confirmed"),
        ({"box": [0.6, 0.6, 0.9, 0.9]}, "box"),
    ],
)
def test_what_moved_is_named(run, changed, word):
    found = compare(
        load_incidents(run("a", row("1"))), load_incidents(run("b", row("1", **changed)))
    )
    (pair,) = found.moved
    assert [word in change for change in pair.changes] == [True]


def test_damage_that_became_a_collapse_is_one_incident_of_another_kind(run):
    before = load_incidents(run("a", row("1", hazard="road_damage")))
    after = load_incidents(run("b", row("2", hazard="road_collapse")))
    (pair,) = compare(before, after).moved
    assert pair.changes == ("road_damage → road_collapse",)


def test_the_page_shows_the_pictures_of_what_differs(run, tmp_path):
    first, second = run("a", row("gone")), run("b", row("new", hazard="crowd"))
    found = compare(load_incidents(first), load_incidents(second))
    write_comparison(tmp_path / "page.html", found, first, second)
    text = (tmp_path / "page.html").read_text("utf-8")
    assert 'src="a/evidence/gone.jpg"' in text
    assert 'src="b/evidence/new.jpg"' in text
    assert "http" not in text


@pytest.mark.parametrize("content", ["{", '{"incident_id": 1}', "[]"])
def test_a_file_that_is_no_replay_is_named_with_its_line(tmp_path, content):
    (tmp_path / "incidents.jsonl").write_text(f"\n{content}\n", "utf-8")
    with pytest.raises(FootageError, match="line 2"):
        load_incidents(tmp_path)
    with pytest.raises(FootageError, match=r"nowhere.incidents\.jsonl"):
        load_incidents(tmp_path / "nowhere")
