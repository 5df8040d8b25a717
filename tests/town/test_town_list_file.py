"""One camera's entry is changed while boxes and people read and write the same list."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import box

from pipeline.errors import CameraListChangedError, CameraListError
from pipeline.town import (
    CameraListFile,
    GroundPlane,
    GroundPoint,
    Zone,
    from_wgs84,
    load_cameras,
)
from pipeline.town.grids import Grid, GridMap

LON, LAT = 113.445, 34.785
GRIDS = GridMap(
    [Grid("T", "小镇", 1, "standard", None, (), box(LON - 0.1, LAT - 0.1, LON + 0.1, LAT + 0.1))]
)
HEADER = "camera_id,name,url,lon,lat,datum,heading_deg"
FIRST = f"A-1,郑上路口,rtsp://u:p@nvr/101,{LON},{LAT},wgs84,90"
SECOND = f'A-2,"东村, 二号",rtsp://u:p@nvr/102,{LON},{LAT},WGS-84,'
CSV = f"{HEADER}\r\n{FIRST}\r\n,,,,,,\r\n{SECOND}\r\n"
YAML = f"""\
# Cameras of the main street; ask 李四 before changing one.
cameras:
  - camera_id: A-1   # by the bank
    name: 郑上路口
    url: rtsp://u:p@nvr/101
    lon: {LON}
    lat: {LAT}
    datum: wgs84
    heading_deg: 90  # measured

  # the next one leans
  - {{camera_id: A-2, name: "东村, 二号", url: rtsp://u:p@nvr/102, lon: {LON}, lat: {LAT},
     datum: wgs84}}
  - url: rtsp://u:p@nvr/103
    camera_id: A-3
    datum: wgs84
    zones:
      # the pavement
      - kind: footway
        polygon: [[0, 0.5], [0.2, 0.5], [0.2, 1]]
    lon: {LON}
    lat: {LAT}
"""
ROAD = Zone("carriageway", ((0.1, 0.4), (0.9, 0.4), (1.0, 1.0), (0.0, 1.0)))


def marks():
    """Eight places on the ground as a camera at the list's place sees them."""
    plane = GroundPlane.from_pose(LON, LAT, 6.0, 15.0, 90.0, 80.0)
    spots = [(u, v) for u in (0.2, 0.4, 0.6, 0.8) for v in (0.55, 0.9)]
    places = [plane.place(u, v) for u, v in spots]
    return [GroundPoint(u, v, at.lon, at.lat) for (u, v), at in zip(spots, places, strict=True)]


def nothing(before, after):
    """Nobody has to be told."""


@pytest.fixture
def listed(tmp_path):
    def write(content, name="cameras.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return CameraListFile(path, GRIDS)

    return write


def put(edited, camera_id, *zones, mark=None):
    mark = mark or edited.entry(camera_id).mark
    return edited.put_zones(camera_id, zones, mark, before_it_is_done=nothing)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_row_of_a_csv_gets_its_zones_and_all_other_bytes_stay(listed, encoding):
    edited = listed(CSV.encode(encoding))
    saved = put(edited, "A-1", ROAD)
    lines = edited.path.read_bytes().decode(encoding).splitlines(keepends=True)
    zones = json.dumps([{"kind": ROAD.kind, "polygon": ROAD.polygon}]).replace('"', '""')
    assert lines == [
        f"{HEADER},zones\r\n",
        f'{FIRST},"{zones}"\r\n',
        ",,,,,,\r\n",
        f"{SECOND},\r\n",
    ]
    assert (saved.before.zones, saved.after.zones) == ((), (ROAD,))
    assert [camera.zones for camera in load_cameras(edited.path)] == [(ROAD,), ()]
    assert saved.digest == edited.digest()


@pytest.mark.parametrize("camera_id", ["A-1", "A-2", "A-3"])
def test_an_entry_of_a_yaml_list_gets_its_zones_and_the_comments_stay(listed, camera_id):
    edited = listed(YAML, "cameras.yaml")
    before = load_cameras(edited.path)
    put(edited, camera_id, ROAD)
    text = edited.path.read_text("utf-8")
    for comment in ("# Cameras of", "# by the bank", "# measured", "# the next one leans"):
        assert comment in text
    assert load_cameras(edited.path) == tuple(
        replace(one, zones=(ROAD,)) if one.camera_id == camera_id else one for one in before
    )
    put(edited, camera_id)
    assert load_cameras(edited.path) == tuple(
        replace(one, zones=()) if one.camera_id == camera_id else one for one in before
    )


@given(
    keys=st.permutations(["camera_id", "url", "lon", "lat", "datum", "zones"]),
    number=st.integers(0, 2),
    flow=st.booleans(),
    tail=st.sampled_from(["", "\n", "  # end", "\n# end", "\n\n# end\n\n"]),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_wherever_its_keys_stand_an_entry_alone_is_changed(listed, keys, number, flow, tail):
    values = {
        "url": "rtsp://nvr/1",
        "lon": LON,
        "lat": LAT,
        "datum": "'wgs84'",
        "zones": '[{kind: ignore, polygon: [[0, 0], [1, 0], [1, 1]]}]  # "old"',
    }
    if flow:
        values["zones"] = values["zones"].partition("  #")[0]
    entries = []
    for one in range(3):
        said = [f"{key}: {values.get(key, f'A-{one}')}" for key in keys]
        entries.append(f"- {{{', '.join(said)}}}" if flow else "- " + "\n  ".join(said))
    edited = listed("cameras:\n" + "\n".join(entries) + tail, "cameras.yaml")
    before = load_cameras(edited.path)
    put(edited, f"A-{number}", ROAD)
    after = load_cameras(edited.path)
    assert after[number].zones == (ROAD,)
    assert [one for at, one in enumerate(after) if at != number] == [
        one for at, one in enumerate(before) if at != number
    ]
    assert tail.strip() in edited.path.read_text("utf-8")


def test_an_entry_that_shares_its_zones_with_others_is_left_to_people(listed):
    shared = "zones: &all [{kind: ignore, polygon: [[0, 0], [1, 0], [1, 1]]}]"
    entry = f"url: rtsp://nvr/1, lon: {LON}, lat: {LAT}, datum: wgs84"
    one, other = f"{{camera_id: A, {entry}, {shared}}}", f"{{camera_id: B, {entry}, zones: *all}}"
    text = f"cameras:\n- {one}\n- {other}\n"
    edited = listed(text, "cameras.yaml")
    for camera_id in "AB":
        with pytest.raises(CameraListError, match="by hand"):
            put(edited, camera_id, ROAD)
    assert edited.path.read_text() == text


@pytest.mark.parametrize("datum", ["wgs84", "gcj02", "bd09", "epsg:4547"])
def test_ground_points_are_written_in_the_datum_of_their_row(listed, datum):
    lon, lat = from_wgs84(LON, LAT, datum)
    edited = listed(f"camera_id,url,lon,lat,datum\nA-1,rtsp://nvr/1,{lon},{lat},{datum}\n")
    entry = edited.entry("A-1")
    edited.put_ground_points("A-1", marks(), entry.mark, before_it_is_done=nothing)
    read = load_cameras(edited.path)[0].ground_points
    for found, meant in zip(read, marks(), strict=True):
        assert (found.u, found.v) == (meant.u, meant.v)
        assert found.lon == pytest.approx(meant.lon, abs=3e-8)
        assert found.lat == pytest.approx(meant.lat, abs=3e-8)


def test_an_entry_that_somebody_changed_meanwhile_is_not_overwritten(listed):
    edited = listed(CSV)
    mark = edited.entry("A-1").mark
    changed = CSV.replace("90\r\n", "270\r\n")
    edited.path.write_text(changed, newline="")
    with pytest.raises(CameraListChangedError):
        put(edited, "A-1", ROAD, mark=mark)
    assert edited.path.read_text() == changed.replace("\r\n", "\n")


def test_a_change_elsewhere_in_the_list_is_kept(listed):
    edited = listed(CSV)
    mark = edited.entry("A-1").mark
    put(edited, "A-2", Zone("ignore", ROAD.polygon))
    put(edited, "A-1", ROAD, mark=mark)
    assert [camera.zones[0].kind for camera in load_cameras(edited.path)] == [
        "carriageway",
        "ignore",
    ]


def test_a_change_in_the_last_moment_by_an_editor_is_not_overwritten(listed):
    edited = listed(CSV)
    mark = edited.entry("A-1").mark

    def edit(_, __):
        edited.path.write_text(CSV + "\r\n", newline="")

    with pytest.raises(CameraListChangedError):
        edited.put_zones("A-1", [ROAD], mark, before_it_is_done=edit)
    assert not load_cameras(edited.path)[0].zones


def test_what_is_raised_before_the_exchange_stops_it(listed):
    edited = listed(CSV)

    def refuse(before, after):
        assert (before.zones, after.zones) == ((), (ROAD,))
        raise LookupError

    with pytest.raises(LookupError):
        edited.put_zones("A-1", [ROAD], edited.entry("A-1").mark, before_it_is_done=refuse)
    assert edited.path.read_text() == CSV.replace("\r\n", "\n")
    assert [one.name for one in edited.path.parent.iterdir()] == ["cameras.csv"]


def test_the_version_before_is_kept_with_the_same_rights(listed):
    edited = listed(CSV)
    edited.path.chmod(0o640)
    put(edited, "A-1", ROAD)
    kept = edited.path.with_name("cameras.csv.bak")
    assert kept.read_bytes() == CSV.encode()
    assert [one.stat().st_mode & 0o777 for one in (kept, edited.path)] == [0o640, 0o640]


def test_a_link_to_the_list_stays_a_link(listed, tmp_path):
    edited = listed(CSV)
    link = tmp_path / "link.csv"
    link.symlink_to(edited.path)
    put(CameraListFile(link, GRIDS), "A-1", ROAD)
    assert link.is_symlink()
    assert load_cameras(edited.path)[0].zones == (ROAD,)


def test_two_who_save_at_once_both_find_their_change(listed):
    edited = listed(CSV)
    names = ["A-1", "A-2"]
    at_once = threading.Barrier(2)
    marks_of = {name: edited.entry(name).mark for name in names}

    def save(name):
        at_once.wait()
        put(CameraListFile(edited.path, GRIDS), name, ROAD, mark=marks_of[name])

    threads = [threading.Thread(target=save, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [camera.zones for camera in load_cameras(edited.path)] == [(ROAD,), (ROAD,)]


def test_marks_that_give_no_plane_are_refused_by_name_and_change_nothing(listed):
    edited = listed(CSV)
    line = [GroundPoint(0.1 * n, 0.9, LON + 1e-5 * n, LAT) for n in range(1, 6)]
    with pytest.raises(CameraListError, match=r"camera A-1, ground_points.*one line"):
        edited.put_ground_points("A-1", line, edited.entry("A-1").mark, before_it_is_done=nothing)
    assert edited.path.read_text() == CSV.replace("\r\n", "\n")


def test_a_camera_that_is_not_listed_is_said_to_be_none(listed):
    with pytest.raises(CameraListError, match=r"no such camera; found A-9"):
        listed(CSV).entry("A-9")


def test_the_mark_of_an_entry_says_nothing_of_its_password(listed):
    marks_found = {
        listed(CSV.replace("u:p@", f"u:{password}@")).entry("A-1").mark
        for password in ("p", "other")
    }
    assert len(marks_found) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_list_stays_its_owners(listed):
    edited = listed(CSV)
    os.chown(edited.path, 1234, 1235)
    put(edited, "A-1", ROAD)
    for kept in (edited.path, edited.path.with_name("cameras.csv.bak")):
        assert (kept.stat().st_uid, kept.stat().st_gid) == (1234, 1235)


def test_a_list_that_would_change_hands_can_not_be_written(listed, monkeypatch):
    edited = listed(CSV)
    assert edited.unwritable() is None
    monkeypatch.setattr("pipeline.town.list_file.os.geteuid", lambda: 54321)
    assert "owned by another" in edited.unwritable()
