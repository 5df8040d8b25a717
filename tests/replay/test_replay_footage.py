"""Which clips a replay plays, and which camera each of them stands for."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import FootageError
from pipeline.replay import gather
from pipeline.town import Camera, Duties, GridMap, Town


@pytest.fixture
def folder(tmp_path):
    for name in ("b.mp4", "a.MKV", "c.ts", "notes.txt", "truth.jsonl"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def town_of(*cameras):
    return Town(cameras, object.__new__(GridMap), object.__new__(Duties))


def test_a_folder_gives_its_clips_by_name(folder):
    assert [clip.camera.camera_id for clip in gather(folder)] == ["a", "b", "c"]


def test_a_file_is_one_clip_named_by_its_stem(folder):
    (clip,) = gather(folder / "b.mp4")
    assert (clip.path, clip.camera.camera_id, clip.placed) == (folder / "b.mp4", "b", False)


def test_a_set_names_clips_beside_it_and_their_cameras(folder):
    (folder / "set.yaml").write_text("clips:\n- {path: c.ts, camera_id: gate}\n- {path: b.mp4}\n")
    clips = gather(folder / "set.yaml")
    assert [(clip.camera.camera_id, clip.path) for clip in clips] == [
        ("gate", folder / "c.ts"),
        ("b", folder / "b.mp4"),
    ]


def test_a_camera_of_the_town_keeps_its_place_and_shows_the_clip(folder):
    known = Camera("b", "东街", "rtsp://192.0.2.1/", lon=113.5, lat=34.78, height_m=6.0)
    a, b, c = gather(folder, town_of(known))
    assert (b.placed, b.camera.lon, b.camera.height_m) == (True, 113.5, 6.0)
    assert b.camera.url == str(folder / "b.mp4")
    assert [clip.placed for clip in (a, c)] == [False, False]


def test_clips_that_nobody_knows_lie_far_apart(folder):
    a, b, c = (clip.camera for clip in gather(folder))
    assert len({a.lon, b.lon, c.lon}) == 3


@pytest.mark.parametrize(
    "text, wrong",
    [
        ("clips: []\n", "clips"),
        ("clips:\n- {path: a.mp4, colour: red}\n", "clips.0.colour"),
        ("clips:\n- {camera_id: a}\n", "clips.0.path"),
        ("films: []\n", "clips"),
        ("clips: [\n", "cannot be read"),
        ("- a\n", "wrong"),
        ("", "wrong"),
    ],
)
def test_a_wrong_set_is_named_with_what_is_wrong(tmp_path, text, wrong):
    path = tmp_path / "set.yaml"
    path.write_text(text)
    with pytest.raises(FootageError) as caught:
        gather(path)
    assert str(path) in str(caught.value)
    assert wrong in str(caught.value)


def test_what_is_not_there_and_folders_without_clips_are_refused(tmp_path):
    with pytest.raises(FootageError, match=r"nowhere.*not found"):
        gather(tmp_path / "nowhere.mp4")
    with pytest.raises(FootageError, match=r"no clips in the folder.*\.mp4"):
        gather(tmp_path)
    with pytest.raises(FootageError, match=r"nowhere\.yaml"):
        gather(tmp_path / "nowhere.yaml")


def test_two_clips_of_one_camera_are_refused(folder):
    (folder / "b.mov").write_bytes(b"x")
    with pytest.raises(FootageError, match="same camera; found b"):
        gather(folder)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(st.binary(max_size=80))
def test_whatever_a_set_holds_it_is_read_or_refused(tmp_path, content):
    path = tmp_path / "any.yaml"
    path.write_bytes(content)
    with suppress(FootageError):
        gather(path)
