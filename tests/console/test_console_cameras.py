"""One camera: what it went through; its zones and marks changed in the list that boxes read."""

from __future__ import annotations

import json
import re
import socket
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from console_town import CAMERA_LIST, EAST, WEST
from forms import forms_of, send, text_of
from ticket_town import HOUR, NOON

from pipeline.errors import DeskUnavailableError
from pipeline.ingest import CameraStatus
from pipeline.town import GroundPlane, from_wgs84, load_cameras

if TYPE_CHECKING:
    import httpx
    from console_town import Running

    from pipeline.tickets import Line

PAGE = "/cameras/cam-1"
ZONES, CALIBRATION = f"{PAGE}/zones", f"{PAGE}/calibration"
ROAD = [{"kind": "carriageway", "polygon": [[0.1, 0.4], [0.9, 0.4], [1.0, 1.0], [0.0, 1.0]]}]
SPOTS = [(0.2, 0.55), (0.8, 0.6), (0.25, 0.9), (0.7, 0.95), (0.5, 0.7), (0.4, 0.8)]
LON, LAT = 113.448, 34.785


def marks(count: int = 6, datum: str = "wgs84", **moved_by: float) -> list[list[float]]:
    """What a camera 6 m high sees of the ground; ``p3=2`` moves the third mark 2 m to the east."""
    plane = GroundPlane.from_pose(LON, LAT, 6.0, 15.0, 90.0, 80.0)
    rows = []
    for number, (u, v) in enumerate(SPOTS[:count], 1):
        place = plane.place(u, v)
        assert place is not None
        lon = place.lon + moved_by.get(f"p{number}", 0.0) / 91_400
        rows.append([u, v, *from_wgs84(lon, place.lat, datum)])
    return rows


def written(rows: list[list[float]]) -> str:
    return "\n".join(" ".join(map(str, row)) for row in rows)


def cameras(console: Running) -> dict[str, Any]:
    return {one.camera_id: one for one in load_cameras(console.care.lists.path)}


def lines(console: Running) -> list[Line]:
    return console.care.audit.lines(subject="cam-1")


def watch(console: Running, *, host: str | None = None, digest: str | None = None) -> None:
    """A box tells that it watches the camera, by the list as it is."""
    digest = digest or console.care.lists.digest()
    console.care.board.tell([CameraStatus("cam-1", "live", NOON - 60)], list_digest=digest)
    if host is not None:
        key = console.care.board._keys.lists_in_force
        redis = console.care.board._redis
        for box, said in redis.hgetall(key).items():
            redis.hset(key, box, json.dumps(json.loads(said) | {"host": host}))


def check(browser: httpx.Client, points: str, datum: str = "wgs84") -> dict[str, Any]:
    form = forms_of(browser.get(CALIBRATION).text)[CALIBRATION]
    told = {"csrf": form["csrf"], "points": points, "datum": datum}
    answer = browser.post(f"{CALIBRATION}/check", data=told, headers={"Accept": "application/json"})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_a_camera_says_what_it_does_since_when_why_and_what_it_went_through(console: Running):
    board = console.care.board
    for ago_s, state, why in (
        (50 * HOUR, "live", ""),
        (20 * HOUR, "unreachable", "连不上 / no answer"),
        (19 * HOUR, "live", ""),
    ):
        board.tell([CameraStatus("cam-1", state, NOON - ago_s, why)])  # type: ignore[arg-type]
    with console.browser("member") as browser:
        said = text_of(browser.get(PAGE).text)
    assert "郑上路 在线" in said
    assert "东村二网格" in said
    assert "在线 98.0 %" in said
    assert "不可达 2.0 % 1 小时 00 分" in said
    assert "昨天 16:00 不可达 1 小时 00 分 连不上" in said
    assert "有记录的时间：2 天 2 小时" in said
    assert "no answer" not in said


def test_what_nobody_told_is_not_made_up(console: Running):
    with console.browser("member") as browser:
        said = text_of(browser.get("/cameras/cam-3").text)
    assert "无人值守" in said
    assert "没有记录" in said
    assert "清单里没有这个摄像机" in said


def test_no_page_of_a_camera_shows_its_address(console: Running):
    with console.browser("operator") as browser:
        for page in (PAGE, ZONES, CALIBRATION):
            html = browser.get(page).text
            assert "geheim" not in html
            assert "rtsp" not in html


@pytest.mark.parametrize("page", [PAGE, ZONES, CALIBRATION])
def test_a_camera_of_another_grid_is_not_shown(console: Running, page: str):
    with console.browser("member") as browser:
        assert browser.get(page).status_code == 200
        assert browser.get(page.replace("cam-1", "cam-2")).status_code == 403
        assert browser.get(page.replace("cam-1", "cam-9")).status_code == 404


def test_zones_are_saved_into_the_list_and_the_audit_says_who_and_what(console: Running):
    watch(console)
    with console.browser("operator") as browser:
        answer = send(browser, ZONES, ZONES, zones=json.dumps(ROAD))
        assert answer.status_code == 200
        assert "区域已保存。" in text_of(answer.text)
        assert "还在用以前的清单" in text_of(answer.text)
        watch(console)
        after = text_of(browser.get(f"{PAGE}?saved=zones").text)
    assert f"盒子 {socket.gethostname()} 已按现在的清单工作" in after
    found = cameras(console)
    assert [zone.kind for zone in found["cam-1"].zones] == ["carriageway"]
    assert found["cam-1"].zones[0].polygon == tuple(map(tuple, ROAD[0]["polygon"]))
    assert found["cam-2"].zones == ()
    (line,) = lines(console)
    assert (line.action, line.who, line.origin) == ("cameras zones", "operator", "127.0.0.1")
    assert line.details == {"before": [], "after": ROAD}


def test_an_entry_that_was_changed_meanwhile_is_not_overwritten_and_the_drawing_stays(
    console: Running,
):
    path = console.care.lists.path
    with console.browser("operator") as browser:
        form = forms_of(browser.get(ZONES).text)[ZONES]
        changed = CAMERA_LIST.replace("wgs84,90", "wgs84,270")
        path.write_text(changed, "utf-8")
        answer = browser.post(ZONES, data=form | {"zones": json.dumps(ROAD)})
        assert answer.status_code == 409
        assert "没有覆盖任何内容" in answer.text
        assert path.read_text("utf-8") == changed
        assert lines(console) == []
        again = forms_of(answer.text)[ZONES]
        assert json.loads(again["zones"]) == ROAD
        assert browser.post(ZONES, data=again).status_code == 303
    assert cameras(console)["cam-1"].heading_deg == 270
    assert cameras(console)["cam-1"].zones


@pytest.mark.parametrize(
    "zones, why",
    [
        ("nonsense", "区域格式不对"),
        ('{"kind": "footway"}', "区域格式不对"),
        ("[1]", "区域 1：格式不对"),
        (json.dumps([{**ROAD[0], "kind": "river"}]), "区域 1：区域类型不认识"),
        (json.dumps([*ROAD, {"kind": "ignore", "polygon": [[0, 0], [1, 1]]}]), "区域 2：区域至少"),
        (
            '[{"kind": "ignore", "polygon": [[0, 0], [1, 1], [1, 0], [0, 1]]}]',
            "区域 1：区域的边界自相交",
        ),
        ('[{"kind": "ignore", "polygon": [[0, 0], [2, 0], [1, 1]]}]', "画面之外"),
        ('[{"kind": "ignore", "polygon": [[0, 0], [NaN, 0], [1, 1]]}]', "格式不对"),
        ("[" * 100_000, "区域格式不对"),
        (json.dumps(ROAD * 41), "区域格式不对"),
    ],
)
def test_zones_that_can_not_be_are_refused_by_name_and_change_nothing(
    console: Running, zones: str, why: str
):
    with console.browser("admin") as browser:
        answer = send(browser, ZONES, ZONES, zones=zones)
    assert answer.status_code == 422
    assert why in text_of(answer.text)
    assert console.care.lists.path.read_text("utf-8") == CAMERA_LIST


@pytest.mark.parametrize("role", ["member", "head", "command", "viewer"])
def test_who_may_only_look_sees_no_way_to_save_and_has_none(console: Running, role: str):
    with console.browser(role) as browser:
        for page, field in ((ZONES, "zones"), (CALIBRATION, "points")):
            html = browser.get(page).text
            assert "保存到摄像机清单" not in html
            csrf = re.search(r'name="csrf" content="([^"]+)', html)
            assert csrf is not None
            told = {"csrf": csrf[1], field: "[]", "mark": "x", "datum": "wgs84"}
            assert browser.post(page, data=told).status_code == 403
    assert console.care.lists.path.read_text("utf-8") == CAMERA_LIST


def test_how_well_points_fit_is_said_for_each_and_for_all(console: Running):
    with console.browser("operator") as browser:
        found = check(browser, written(marks(p5=0.5)))
    assert len(found["errors"]) == 6
    assert max(range(6), key=found["errors"].__getitem__) == 4
    assert found["unseen"][4] == pytest.approx(0.5, abs=0.01)
    assert 0 < found["whole"] < 0.5
    assert "最大" in found["said"]
    assert "在第 5 点" in found["said"]


def test_four_points_prove_nothing_and_that_is_said(console: Running):
    with console.browser("operator") as browser:
        found = check(browser, written(marks(4, p1=1)))
    assert found["errors"] == [0, 0, 0, 0]
    assert "说明不了什么" in found["said"]


def test_coordinates_of_another_datum_are_told_by_their_distance_and_right_when_named(
    console: Running,
):
    gaode = written(marks(datum="gcj02"))
    with console.browser("operator") as browser:
        wrong = check(browser, gaode)
        right = check(browser, gaode, "gcj02")
    assert "离摄像机太远，坐标系选对了吗" in wrong["problem"]
    assert right["whole"] < 0.01


@pytest.mark.parametrize(
    "points, why",
    [
        ("", "标定点太少"),
        (written(marks(3)), "标定点太少"),
        (written([*marks(3), marks(3)[0]]), "一条直线"),
        (written([[0.1 * n, 0.9, LON + 1e-5 * n, LAT] for n in range(1, 6)]), "一条直线"),
        (written([[1 - u, v, lon, lat] for u, v, lon, lat in marks()]), "左右颠倒"),
        (written([[u, v, lat, lon] for u, v, lon, lat in marks()]), "写反"),
        (written(marks(p2=5)), "第 "),
        ("0.1 0.2 113.448", "第 1 点：要四个数"),
        ("0.1 0.2 113.448 north", "第 1 点：要四个数"),
        ("0.1 0.2 1e999 34", "第 1 点"),
        ("1.1.1 0.2 113 34", "第 1 点"),
        (written(marks()) * 9, "最多 40 个点"),
    ],
)
def test_points_that_give_no_plane_are_refused_in_words(console: Running, points: str, why: str):
    with console.browser("operator") as browser:
        assert why in check(browser, points)["problem"]
        answer = send(browser, CALIBRATION, CALIBRATION, points=points, datum="wgs84")
    if points:
        assert answer.status_code == 422
        assert console.care.lists.path.read_text("utf-8") == CAMERA_LIST


def test_marked_points_are_saved_in_the_datum_of_the_list(console: Running):
    with console.browser("admin") as browser:
        answer = send(
            browser, CALIBRATION, CALIBRATION, points=written(marks(datum="gcj02")), datum="gcj02"
        )
        assert "标定已保存。" in text_of(answer.text)
        assert "6 个点，误差 0.00 米" in text_of(answer.text)
        shown = forms_of(browser.get(CALIBRATION).text)[CALIBRATION]["points"]
    found = cameras(console)["cam-1"].ground_points
    for mark, row in zip(found, marks(), strict=True):
        assert (mark.u, mark.v, mark.lon, mark.lat) == pytest.approx(row, abs=1e-7)
    assert [float(one) for one in shown.split()[:4]] == pytest.approx(marks()[0], abs=1e-7)
    (line,) = lines(console)
    assert (line.action, line.who) == ("cameras calibrate", "admin")
    assert line.details["before"] == []


def test_without_scripts_the_error_is_shown_by_the_server(console: Running):
    with console.browser("operator") as browser:
        form = forms_of(browser.get(CALIBRATION).text)[CALIBRATION]
        told = form | {"points": written(marks()), "datum": "wgs84"}
        answer = browser.post(f"{CALIBRATION}/check", data=told)
    assert "总误差 0.00 米" in text_of(answer.text)
    assert forms_of(answer.text)[CALIBRATION]["points"] == told["points"]


def test_nothing_is_saved_that_the_audit_does_not_know_of(
    console: Running, monkeypatch: pytest.MonkeyPatch
):
    def away(*_: object, **__: object) -> int:
        raise DeskUnavailableError("Redis is away")

    monkeypatch.setattr("pipeline.tickets.Audit.record", away)
    with console.browser("operator") as browser:
        answer = send(browser, ZONES, ZONES, zones=json.dumps(ROAD))
    assert answer.status_code == 503
    assert console.care.lists.path.read_text("utf-8") == CAMERA_LIST


def test_what_was_recorded_and_then_could_not_be_done_is_said_not_to_be_done(console: Running):
    lists, path = console.care.lists, console.care.lists.path
    raw, reads = lists._raw, []

    def edited_at_the_last_moment() -> bytes:
        reads.append(len(lines(console)))
        if reads[-1]:  # it is on record
            path.write_text(CAMERA_LIST + "\n", "utf-8")
        return raw()

    lists._raw = edited_at_the_last_moment  # type: ignore[method-assign]
    with console.browser("operator") as browser:
        answer = send(browser, ZONES, ZONES, zones=json.dumps(ROAD))
    assert answer.status_code == 409
    assert [line.result[:9] for line in lines(console)] == ["not done:", "done"]
    assert path.read_text("utf-8") == CAMERA_LIST + "\n"


def test_on_another_machine_than_the_box_the_page_says_so_and_gives_the_command(console: Running):
    watch(console, host="box-7")
    with console.browser("operator") as browser:
        for page, command in (
            (ZONES, "gridwatch cameras zones cam-1 --save"),
            (CALIBRATION, "gridwatch cameras calibrate cam-1 --save"),
        ):
            html = browser.get(page).text
            assert "看这个摄像机的盒子是 box-7" in html
            assert command in html
            assert "保存到摄像机清单</button>" not in html
        form = forms_of(browser.get(ZONES).text)[ZONES]
        answer = browser.post(ZONES, data=form | {"zones": json.dumps(ROAD)})
    assert answer.status_code == 409
    assert console.care.lists.path.read_text("utf-8") == CAMERA_LIST


def test_a_list_that_can_not_be_written_is_said(console: Running, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pipeline.town.list_file.os.access", lambda *_: False)
    with console.browser("operator") as browser:
        html = browser.get(ZONES).text
    assert "这台机器不能写摄像机清单" in html
    assert "gridwatch cameras zones cam-1 --save" in html


def test_a_list_that_is_broken_is_said_and_not_edited(console: Running):
    console.care.lists.path.write_text(CAMERA_LIST + "cam-3,,,,,,\n", "utf-8")
    with console.browser("operator") as browser:
        for page in (PAGE, ZONES, CALIBRATION):
            answer = browser.get(page)
            assert answer.status_code == 200
            assert "摄像机清单有误" in text_of(answer.text)
            assert "line 4, column url: is missing" in text_of(answer.text)
            assert "保存到摄像机清单" not in answer.text


def test_a_box_that_refused_the_list_is_said(console: Running):
    console.care.board.tell(
        [CameraStatus("cam-1", "live", NOON)],
        list_problem="cameras.csv, line 2: unknown datum",
        list_digest=sha256(b"before").hexdigest(),
    )
    with console.browser("operator") as browser:
        said = text_of(browser.get(PAGE).text)
    assert "没有采用现在的清单：cameras.csv, line 2: unknown datum" in said


def test_the_small_map_shows_the_grid_and_which_way_the_camera_looks(console: Running):
    with console.browser("member") as browser:
        html = browser.get(PAGE).text
    drawing = html[html.index('<svg class="place"') :].partition("</svg>")[0]
    assert 'class="own"' in drawing
    assert 'class="other"' in drawing
    assert 'class="cone"' in drawing
    assert EAST in html
    assert WEST not in html
