"""A replay plays every clip it can, says which it can't, and always writes the same files."""

from __future__ import annotations

import json

import pytest

from pipeline.replay import gather, replay, score, tickets_of, write_incidents, write_tickets
from pipeline.settings_file import load_settings


def write_all(folder, played, settings):
    folder.mkdir()
    incidents = [incident for one in played for incident in one.incidents]
    placed = {one.clip.camera.camera_id: one.clip.placed for one in played}
    write_incidents(folder / "incidents.jsonl", played)
    write_tickets(folder / "tickets.jsonl", tickets_of(incidents, None, settings), placed)


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def played(street_clip, as_camera, detector, settings):
    return replay([as_camera(street_clip)], detector, settings)


@pytest.fixture(scope="module")
def written(played, settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("written") / "out"
    write_all(folder, played, settings)
    return folder


def test_a_thing_that_falls_on_the_road_becomes_an_incident_with_all_promised_fields(written):
    (row,) = rows(written / "incidents.jsonl")
    assert set(row) >= {
        "incident_id",
        "camera_id",
        "hazard",
        "started_s",
        "confirmed_s",
        "last_seen_s",
        "cleared_s",
        "score",
        "box",
        "lon",
        "lat",
        "radius_m",
        "severity",
        "measures",
    }
    assert (row["camera_id"], row["hazard"], row["cleared_s"]) == ("street", "blockage", None)
    assert 5 <= row["started_s"] <= 9
    assert row["started_s"] + 5 <= row["confirmed_s"] <= row["last_seen_s"] <= 20
    assert all(0 <= side <= 1 for side in row["box"])
    assert row["lon"] is row["lat"] is row["radius_m"] is None, "nobody knows where it stands"
    assert row["trail"]["model"].startswith("street-n-v0")


def test_the_incident_becomes_a_ticket_without_a_place(written):
    (incident,) = rows(written / "incidents.jsonl")
    (ticket,) = rows(written / "tickets.jsonl")
    assert ticket["incident_ids"] == [incident["incident_id"]]
    assert ticket["camera_ids"] == ["street"]
    assert (ticket["hazard"], ticket["grid"], ticket["lon"]) == ("blockage", None, None)
    assert ticket["detected_s"] == pytest.approx(incident["confirmed_s"], abs=20)


def test_the_same_footage_model_and_settings_give_the_same_bytes(
    written, street_clip, as_camera, detector, settings, tmp_path
):
    again = tmp_path / "again"
    write_all(again, replay([as_camera(street_clip)], detector, settings), settings)
    for name in ("incidents.jsonl", "tickets.jsonl"):
        assert (again / name).read_bytes() == (written / name).read_bytes()


def test_the_size_of_the_batch_changes_nothing_that_matters(
    played, street_clip, as_camera, detector
):
    one_by_one = load_settings(
        None,
        ["hazards.blockage.object_dwell_s=5", "ingest.interval_s=0.5", "model.batch=1"],
    )
    (single,) = replay([as_camera(street_clip)], detector, one_by_one)
    (batched,) = played
    assert single.looks == batched.looks
    assert [one.incident_id for one in single.incidents] == [
        one.incident_id for one in batched.incidents
    ]


def test_how_much_was_watched_is_known_and_progress_is_told(
    street_clip, as_camera, detector, settings
):
    heard = []
    clip = as_camera(street_clip)
    hear = lambda clip, at: heard.append((clip, at))  # noqa: E731 - one line of a test
    (one,) = replay([clip], detector, settings, progress=hear)
    assert one.watched_s == pytest.approx(20, abs=1)
    assert one.looks == pytest.approx(40, abs=3)
    assert [at for _, at in heard] == sorted(at for _, at in heard)
    assert heard[-1] == (clip, one.watched_s)


@pytest.fixture(scope="module")
def damaged(street_clip, tmp_path_factory):
    """A folder of a cut clip, one of nothing, one that is text, and a whole one at the end."""
    folder = tmp_path_factory.mktemp("damaged")
    content = street_clip.read_bytes()
    (folder / "a_cut.mp4").write_bytes(content[: len(content) * 7 // 10])
    (folder / "b_empty.mp4").write_bytes(b"")
    (folder / "c_text.mp4").write_text("this is no video")
    (folder / "d_whole.mp4").write_bytes(content)
    return folder


def test_clips_that_cannot_be_read_are_named_and_the_others_played(
    damaged, as_camera, detector, settings, tmp_path
):
    clips = [as_camera(clip.path, at) for at, clip in enumerate(gather(damaged))]
    played = {one.clip.path.stem: one for one in replay(clips, detector, settings)}
    for name in ("a_cut", "b_empty", "c_text"):
        assert str(damaged / f"{name}.mp4") in played[name].problem
    assert played["a_cut"].looks > 5, "what was seen before counts"
    assert played["b_empty"].looks == played["c_text"].looks == 0
    assert played["d_whole"].problem is None
    assert len(played["d_whole"].incidents) == 1
    write_all(tmp_path / "out", played.values(), settings)
    assert "d_whole" in {row["camera_id"] for row in rows(tmp_path / "out" / "incidents.jsonl")}


def test_a_replay_without_incidents_writes_empty_files(make_clip, detector, settings, tmp_path):
    played = replay(gather(make_clip(seconds=3)), detector, settings)
    write_all(tmp_path / "out", played, settings)
    assert (tmp_path / "out" / "incidents.jsonl").read_bytes() == b""
    assert (tmp_path / "out" / "tickets.jsonl").read_bytes() == b""
    watched = {one.clip.camera.camera_id: one.watched_s for one in played}
    assert score([], [], watched)["overall"]["false_alarms_per_camera_day"] == 0
