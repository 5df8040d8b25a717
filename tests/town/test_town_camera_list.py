"""A camera list is read whole, or refused with all that is wrong; an import keeps the good."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import CameraListError
from pipeline.town import (
    Camera,
    GroundPoint,
    Zone,
    from_wgs84,
    import_cameras,
    load_cameras,
    write_cameras,
)
from pipeline.town.ground import GroundPlane

HEADER = "camera_id,name,url,lon,lat,datum,height_m,pitch_deg,heading_deg,hfov_deg"
GOOD = "YL-1,郑上路口,rtsp://u:p@nvr/101,113.445,34.785,wgs84,6,12,90,80"
POSE = {"height_m": 6.0, "pitch_deg": 12.0, "heading_deg": 90.0, "hfov_deg": 80.0}


@pytest.fixture
def listed(tmp_path):
    def write(*rows, header=HEADER, encoding="utf-8", name="cameras.csv"):
        path = tmp_path / name
        path.write_bytes("\n".join([header, *rows]).encode(encoding))
        return path

    return write


def refusal(path):
    with pytest.raises(CameraListError) as caught:
        load_cameras(path)
    assert caught.value.file == str(path)
    return str(caught.value)


def test_a_row_becomes_a_camera(listed):
    (camera,) = load_cameras(listed(GOOD))
    assert camera == Camera("YL-1", "郑上路口", "rtsp://u:p@nvr/101", 113.445, 34.785, **POSE)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_the_encodings_of_excel_are_understood(listed, encoding):
    (camera,) = load_cameras(listed(GOOD, encoding=encoding))
    assert camera.name == "郑上路口"


def test_windows_line_ends_blank_lines_and_blanks_around_cells_do_no_harm(tmp_path):
    path = tmp_path / "cameras.csv"
    path.write_bytes(f"{HEADER}\r\n\r\n {GOOD.replace(',', ' , ')} \r\n,,,,,,,,,\r\n".encode())
    (camera,) = load_cameras(path)
    assert (camera.camera_id, camera.heading_deg) == ("YL-1", 90.0)


def test_pose_columns_may_be_empty_or_absent(listed):
    (empty,) = load_cameras(listed("a,,x.mp4,113.4,34.8,wgs84,,,,"))
    (absent,) = load_cameras(
        listed("a,x.mp4,113.4,34.8,wgs84", header="camera_id,url,lon,lat,datum")
    )
    assert empty == absent
    assert empty.name == "a"
    assert empty.height_m is None


def test_files_are_relative_to_the_list(listed, tmp_path):
    (camera,) = load_cameras(listed("a,,clips/../clips/x.mp4,113.4,34.8,wgs84,,,,"))
    assert camera.url == str(tmp_path / "clips/x.mp4")


def test_places_are_converted_and_the_declared_datum_is_remembered(listed):
    lon, lat = from_wgs84(113.445, 34.785, "gcj02")
    x, y = from_wgs84(113.445, 34.785, "epsg:4547")
    gcj, projected = load_cameras(
        listed(f"a,,x.mp4,{lon},{lat},GCJ-02,,,,", f"b,,x.mp4,{x},{y},EPSG:4547,,,,")
    )
    for camera in (gcj, projected):
        assert (camera.lon, camera.lat) == pytest.approx((113.445, 34.785), abs=1e-9)
    assert (gcj.declared_datum, projected.declared_datum) == ("gcj02", "epsg:4547")


def test_every_optional_column_is_read(listed):
    plane = GroundPlane.from_pose(113.445, 34.785, **POSE)
    spots = [(0.2, 0.9), (0.8, 0.9), (0.3, 0.5), (0.7, 0.55)]
    marks = [(u, v, (at := plane.place(u, v)).lon, at.lat) for u, v in spots]
    zones = [{"kind": "carriageway", "polygon": [[0, 1], [1, 1], [0.5, 0.4]]}]
    row = ",".join('"' + json.dumps(value).replace('"', '""') + '"' for value in (zones, marks))
    (camera,) = load_cameras(
        listed(f"{GOOD},auto,2.5,否,{row}",
               header=f"{HEADER},policy,interval_s,enabled,zones,ground_points")
    )  # fmt: skip
    assert camera.zones == (Zone("carriageway", ((0, 1), (1, 1), (0.5, 0.4))),)
    assert (camera.policy, camera.interval_s, camera.enabled) == ("auto", 2.5, False)
    assert camera.ground_points == tuple(GroundPoint(*mark) for mark in marks)


def row(**cells):
    given = dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | cells
    return ",".join(f'"{value}"' for value in given.values())


@pytest.mark.parametrize(
    "cells, told",
    [
        ({"camera_id": ""}, "line 2, column camera_id: is missing"),
        ({"camera_id": "a b"}, "column camera_id: not a camera id; found 'a b'"),
        ({"camera_id": "../etc"}, "not a camera id"),
        ({"url": ""}, "column url: is missing"),
        ({"url": "rtps://nvr/1"}, "did you mean rtsp"),
        ({"url": "http://nvr/1"}, "unknown kind of address; found http://nvr/1; allowed: rtsp"),
        ({"url": "rtsp://nvr:99999/1"}, "not a complete address"),
        ({"url": "rtsp:///1"}, "not a complete address"),
        ({"url": "rtsp://u:a/b@nvr/1"}, "not a complete address.*write / as %2F"),
        ({"url": "rtsp://u:a#b@nvr/1"}, "not a complete address.*# as %23"),
        ({"lon": ""}, "column lon: is missing"),
        ({"lon": "east"}, "column lon: not a number; found 'east'; allowed: a finite number"),
        ({"lat": "nan"}, "column lat: not a number"),
        ({"lat": "1e999"}, "column lat: not a number"),
        ({"lon": "34.785", "lat": "113.445"}, "column lon, lat: lon and lat seem exchanged"),
        ({"datum": ""}, "column datum: is missing"),
        ({"datum": "gcj20"}, "unknown datum; found 'gcj20'.*did you mean gcj02"),
        ({"height_m": "0"}, "column height_m: is out of range; found 0.0; allowed: 0.5 to 200"),
        ({"pitch_deg": "120"}, "column pitch_deg: is out of range"),
        ({"pitch_deg": "-12"}, "found -12.0; .*positive is down .did you mean 12."),
        ({"lon": "0", "lat": "0.0"}, "column lon, lat: is no place; found 0, 0"),
        ({"datum": ""}, "allowed: wgs84, gcj02.*ask where the coordinates come from"),
        ({"url": "192.168.1.5:554/ch1"}, "did you mean rtsp://192.168.1.5:554/ch1"),
        ({"url": "192.168.1.5"}, "did you mean rtsp://192.168.1.5"),
        ({"url": "nvr-3:8554"}, "did you mean rtsp://nvr-3:8554"),
        ({"url": "[::1]:554/1"}, r"did you mean rtsp://\[::1\]:554/1"),
        ({"url": "rtsp//h/1"}, "not a complete address.*did you mean rtsp://h/1"),
        ({"url": "RTSPS:/h/1"}, "did you mean rtsps://h/1"),
        ({"url": "rtsp：//h/1"}, "did you mean rtsp://h/1"),
        ({"heading_deg": "361"}, "column heading_deg: is out of range"),
        ({"hfov_deg": "inf"}, "column hfov_deg: not a number"),
    ],
)
def test_a_wrong_cell_is_refused_by_line_and_column(listed, cells, told):
    with pytest.raises(CameraListError, match=told):
        load_cameras(listed(row(**cells)))


@pytest.mark.parametrize(
    "column, value, told",
    [
        ("policy", "fast", "unknown policy; found 'fast'; allowed: keys, auto, all, visit"),
        ("interval_s", "0", "is out of range"),
        ("enabled", "maybe", "not yes or no"),
        ("zones", "[1", "column zones: is not JSON"),
        ("zones", "{}", "is not a list"),
        ("zones", '[{"kind": "road", "polygon": [[0,0],[1,0],[1,1]]}]', "unknown kind of zone"),
        ("zones", '[{"kind": "ignore", "polygon": [[0,0],[1,1],[1,0],[0,1]]}]', "crosses itself"),
        ("zones", '[{"kind": "ignore"}]', "not a zone"),
        ("zones", '[{"kind": "ignore", "polygon": [[0,0,0]]}]', "not a point"),
        ("ground_points", "[[0.1, 0.9, 113.445, 34.785]]", "too few marked points"),
        ("ground_points", "[[0.1, 0.9, 34.785, 113.445]]", "lon and lat seem exchanged"),
        ("transport", "UDP", "unknown transport; found 'UDP'; allowed: tcp, udp"),
        ("sub_url", "clips/small.mp4", "not a camera's address"),
        ("sub_url", "admin:secret@10.0.0.5/sub", r"found 10\.0\.0\.5/sub"),
        ("sub_url", "http://10.0.0.5/sub", "unknown kind of address"),
    ],
)
def test_a_wrong_optional_cell_is_refused_too(listed, column, value, told):
    quoted = '"' + value.replace('"', '""') + '"'
    with pytest.raises(CameraListError, match=told):
        load_cameras(listed(f"{GOOD},{quoted}", header=f"{HEADER},{column}"))


@pytest.mark.parametrize(
    "url", ["rtsp_clips/a.mp4", "rtsp.mp4", "2026-08-01T10:30:00.mp4", "./rtsp/a.mp4"]
)
def test_a_file_whose_name_only_resembles_an_address_is_a_file(listed, tmp_path, url):
    (camera,) = load_cameras(listed(row(url=url)))
    assert camera.url == str(tmp_path / url)


@pytest.mark.parametrize(
    "emptied",
    [("height_m",), ("heading_deg",), ("pitch_deg", "hfov_deg"),
     ("pitch_deg", "heading_deg", "hfov_deg")],
)  # fmt: skip
def test_half_a_pose_is_refused_with_the_columns_that_are_missing(listed, emptied):
    told = f"column {', '.join(emptied)}: is missing.*all four or none"
    with pytest.raises(CameraListError, match=told):
        load_cameras(listed(row(**dict.fromkeys(emptied, ""))))


def test_a_heading_alone_is_allowed(listed):
    (camera,) = load_cameras(listed(row(height_m="", pitch_deg="", hfov_deg="")))
    assert camera.heading_deg == 90.0


def test_marked_points_need_no_whole_pose(listed):
    plane = GroundPlane.from_pose(113.445, 34.785, **POSE)
    spots = [(0.2, 0.9), (0.8, 0.9), (0.3, 0.5), (0.7, 0.55)]
    marks = json.dumps([[u, v, (at := plane.place(u, v)).lon, at.lat] for u, v in spots])
    (camera,) = load_cameras(
        listed(f'{row(pitch_deg="")},"{marks}"', header=f"{HEADER},ground_points")
    )
    assert len(camera.ground_points) == 4


def test_a_refusal_never_shows_credentials(listed):
    text = refusal(listed(row(url="rtps://admin:s3cret@nvr/101"), row(url="rtsp://u:s3cret@:1/")))
    assert "s3cret" not in text
    assert "nvr/101" in text


@pytest.mark.parametrize("column", HEADER.split(","))
def test_nor_does_it_when_the_address_is_in_the_wrong_column(listed, column):
    address = "rtsp://admin:s3cret@nvr/101"
    for cells in ({column: address, "url": ""}, {column: address, "camera_id": ""}):
        assert "s3cret" not in refusal(listed(row(**cells)))


def test_nor_does_it_when_the_header_or_the_scheme_is_missing(listed):
    assert "s3cret" not in refusal(listed(row(), header="a,b,rtsp://u:s3cret@nvr/1,4"))
    for address in ("admin:s3cret@nvr/1", "rtsp:/admin:s3cret@nvr/1"):
        text = refusal(listed(row(url=address)))
        assert "s3cret" not in text
        assert "not a complete address; found nvr/1" in text


def test_all_problems_are_told_at_once_and_the_rest_is_counted(listed):
    rows = [row(camera_id=f"c{i}", lat="north", height_m="high") for i in range(20)]
    text = refusal(listed(*rows))
    assert "40 problems" in text
    assert "line 2, column lat" in text
    assert "line 2, column height_m" in text
    assert "and 32 more" in text


def test_an_unknown_column_is_refused_with_the_one_that_was_meant(listed):
    text = refusal(listed(f"{GOOD},keys", header=f"{HEADER},polcy"))
    assert "line 1, column polcy" in text
    assert "did you mean policy?" in text


@pytest.mark.parametrize(
    "header, told",
    [
        ("camera_id,url,lon,lat", "required columns missing.*no datum"),
        ("camera_id,url,lon,lat", "allowed: .*datum: wgs84, gcj02, .*ask where the coordinates"),
        (HEADER.replace("lon", "longitude"), r"did you mean longitude -> lon\?"),
        (HEADER.replace("camera_id", "Camera_ID"), r"did you mean Camera_ID -> camera_id\?"),
        (HEADER.replace(",", ";"), "is separated by ';', needs ','"),
        (HEADER.replace(",", "\t"), "is separated by tabs, needs ','"),
        (HEADER.replace("name", "Heading"), r"unknown column.*mean heading_deg\?"),
        (f"{HEADER},lon", "column stands twice.*lon"),
        ("", "is empty|required columns missing"),
    ],
)
def test_a_header_that_cannot_work_is_refused(listed, header, told):
    with pytest.raises(CameraListError, match=told):
        load_cameras(listed(GOOD, header=header))


def test_an_import_keeps_the_good_rows_and_reports_the_bad(listed):
    path = listed(
        GOOD,
        row(camera_id="YL-2", lat="north"),
        "YL-3,too,short",
        row(camera_id="YL-4", name="两\n行"),
        row(camera_id="YL-5"),
        row(camera_id="YL-1", name="again"),
    )
    report = import_cameras(path)
    assert [camera.camera_id for camera in report.cameras] == ["YL-1", "YL-5"]
    assert report.cameras[0].name == "郑上路口"
    assert [(problem.line, problem.column) for problem in report.problems] == [
        (3, "lat"), (4, None), (5, "name"), (8, "camera_id")]  # fmt: skip
    assert report.bad_rows == 4
    assert str(report.problems[0]).startswith("cameras.csv, line 3, column lat: ")
    assert report.problems[0].found == "'north'"
    assert report.problems[-1].problem == "stands twice, first on line 2"


def test_a_row_with_many_problems_is_one_bad_row(listed):
    report = import_cameras(listed(GOOD, row(camera_id="b", lat="north", height_m="high")))
    assert (report.bad_rows, len(report.problems)) == (1, 2)


YAML = """\
cameras:
  - camera_id: a
    url: x.mp4
    lon: 113.445
    lat: 34.785
    datum: wgs84
    zones: [{kind: footway, polygon: [[0, 0], [1, 0], [1, 1]]}]
    enabled: false
  - {camera_id: b, url: "rtsp://nvr/1", lon: 113.4, lat: 34.8, datum: wgs84}
"""


def test_yaml_is_a_camera_list_too(tmp_path):
    path = tmp_path / "cameras.yaml"
    path.write_text(YAML)
    first, second = load_cameras(path)
    assert first.zones[0].kind == "footway"
    assert (first.enabled, second.enabled) == (False, True)


@pytest.mark.parametrize(
    "change, told",
    [
        (("lon: 113.445", "lon: true"), "line 2, column lon: not a number"),
        (("camera_id: b", "camera_id: a"), "line 9, column camera_id: stands twice"),
        (("enabled", "enabld"), "line 2, column enabld.*did you mean enabled"),
        (("  - {camera_id: b", "  - 5 #"), "line 9: is no camera"),
        (("lat: 34.785", "lat: 34\n    lat: 35"), "is not YAML; found lat stands twice"),
        (("cameras:", "list:"), "is no camera list"),
        ((YAML, "cameras: []"), "lists no camera"),
        (("cameras:\n", "cameras: [\n"), "is not YAML"),
    ],
)
def test_a_wrong_yaml_list_is_refused_by_line(tmp_path, change, told):
    path = tmp_path / "cameras.yml"
    path.write_text(YAML.replace(*change))
    with pytest.raises(CameraListError, match=told.replace("; found", ".*; found")):
        load_cameras(path)


@pytest.mark.parametrize(
    "content, told",
    [(b"", "is empty"), (b"\x00\x01\x02", "is not text"), (b"\xff\xfe\xff", "is not text"),
     (b'camera_id,"url', "is not CSV"), (HEADER.encode() + b"\n\n", "lists no camera"),
     (b"PK\x03\x04\0\0", "is an Excel workbook; allowed: .*: save it as CSV UTF-8"),
     (b"\xd0\xcf\x11\xe0\0", "is an Excel workbook")],
)  # fmt: skip
def test_what_is_no_list_at_all_is_refused(tmp_path, content, told):
    path = tmp_path / "cameras.csv"
    path.write_bytes(content)
    with pytest.raises(CameraListError, match=told):
        import_cameras(path)


cell = st.sampled_from([*GOOD.split(","), "", "gcj02", "[[", "1e400", '"', "\n"]) | st.text(
    max_size=6
)


@given(content=st.binary() | st.lists(st.lists(cell, max_size=12)).map(
    lambda rows: "\n".join([HEADER, *(",".join(cells) for cells in rows)]).encode(
        errors="replace")
))  # fmt: skip
def test_any_file_is_imported_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    try:
        report = import_cameras(path)
    except CameraListError:
        return
    for camera in report.cameras:
        assert camera.camera_id
        assert -180 <= camera.lon <= 180


def test_a_second_stream_is_read_and_belongs_to_a_camera_alone(listed):
    sub = "rtsp://u:p@10.0.0.5/sub"
    (camera,) = load_cameras(listed(f"{GOOD},udp,{sub}", header=f"{HEADER},transport,sub_url"))
    assert (camera.transport, camera.sub_url) == ("udp", sub)
    assert "u:p" not in repr(camera)
    with pytest.raises(CameraListError, match="a file has no second stream"):
        load_cameras(listed(row(url="a.mp4", sub_url=sub), header=f"{HEADER},sub_url"))


def test_a_missing_list_is_refused(tmp_path):
    assert "cannot be read; found No such file" in refusal(tmp_path / "none.csv")


cameras = st.builds(
    Camera,
    camera_id=st.text("abcXYZ019", min_size=1, max_size=8),
    name=st.text("郑上路,\"'口 a", min_size=1, max_size=8).map(str.strip).filter(bool),
    url=st.sampled_from(["rtsp://u:p%20w@nvr:8554/1?a=b", "/far/away.mp4"]),
    lon=st.floats(113.4, 113.5).map(lambda value: round(value, 7)),
    lat=st.floats(34.7, 34.8).map(lambda value: round(value, 7)),
    heading_deg=st.none() | st.floats(0, 360),
    zones=st.sampled_from([(), (Zone("ignore", ((0.0, 0.0), (0.5, 0.0), (0.1, 0.7))),)]),
    policy=st.sampled_from([None, "keys", "all"]),
    interval_s=st.none() | st.floats(0.1, 60),
    enabled=st.booleans(),
    transport=st.sampled_from([None, "tcp", "udp"]),
)
live = st.builds(
    replace,
    cameras,
    url=st.just("rtsp://u:p%20w@nvr:8554/1?a=b"),
    sub_url=st.sampled_from([None, "rtsp://u:p%20w@nvr:8554/2?a=b"]),
)


posed = st.builds(
    replace,
    cameras,
    height_m=st.floats(1, 20),
    pitch_deg=st.floats(5, 60),
    heading_deg=st.floats(0, 360),
    hfov_deg=st.floats(30, 100),
)


@given(
    listed=st.lists(cameras | posed | live, min_size=1, unique_by=lambda camera: camera.camera_id)
)
def test_what_is_written_is_read_back_the_same(tmp_path_factory, listed):
    path = tmp_path_factory.mktemp("lists") / "cameras.csv"
    write_cameras(path, listed)
    assert load_cameras(path) == tuple(listed)


def test_a_written_list_is_private_and_can_move_with_its_clips(tmp_path):
    path = tmp_path / "a" / "cameras.csv"
    path.parent.mkdir()
    write_cameras(path, [Camera("a", "a", str(tmp_path / "a/clips/x.mp4"), 113.4, 34.8)])
    assert path.stat().st_mode & 0o777 == 0o640
    (tmp_path / "a").rename(tmp_path / "b")
    (camera,) = load_cameras(tmp_path / "b" / "cameras.csv")
    assert camera.url == str(tmp_path / "b/clips/x.mp4")


def test_a_list_is_not_written_where_there_is_no_folder(tmp_path):
    path = tmp_path / "tpyo" / "cameras.csv"
    with pytest.raises(CameraListError, match="cannot be written; found No such file") as caught:
        write_cameras(path, [Camera("a", "a", "/x.mp4", 113.4, 34.8)])
    assert caught.value.file == str(path)
    assert not path.parent.exists()
