"""Patrol by mouse: a wall of pictures with their age, a walk, and a report from a picture."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest
from console_town import CAMERAS, EAST, WEST, pictures_in
from forms import forms_of, text_of
from patrol_help import show
from PIL import Image
from ticket_town import NOON, incident

from pipeline.console.app import create_app
from pipeline.errors import DeskUnavailableError
from pipeline.town.place import Place

if TYPE_CHECKING:
    import httpx
    from console_town import Running

PHONE = {"Sec-CH-UA-Mobile": "?1"}
BOX = {"left": "43.8", "top": "66", "right": "56.2", "bottom": "75"}
ROAD = {**BOX, "what": "road_damage.", "note": "路中间有坑 <b>"}


def tiles(html: str) -> list[tuple[str, bool, str]]:
    """Of each camera on the wall: its id, whether it is shown as old, what stands there."""
    found = re.findall(r'(?s)<li class="tile( stale)?">(.*?)</li>', html)
    return [
        (re.search(r'id="tile-([^"]+)"', inner)[1], bool(stale), text_of(inner))  # type: ignore[index]
        for stale, inner in found
    ]


def test_a_wall_shows_each_camera_of_the_own_grids_with_the_age_of_its_picture(console: Running):
    show(console)
    show(console, "cam-2")
    with console.browser("member") as browser:
        fresh, unseen = tiles(browser.get("/patrol").text)
    assert fresh[:2] == ("cam-1", False)
    assert "2 秒前" in fresh[2]
    assert unseen == ("cam-3", True, "无画面 cam-3 无人值守 没有边缘盒读取这台摄像机")
    wanted = {(one.camera_id, one.size) for one in console.watching.shots.wanted()}
    assert wanted == {("cam-1", "wall"), ("cam-3", "wall")}


def test_an_old_picture_and_a_camera_that_is_not_live_are_never_shown_as_now(console: Running):
    show(console, at=NOON - 15 * 60)
    show(console, "cam-2")
    with console.browser("command") as browser:
        old, down, _ = tiles(browser.get("/patrol", params={"route": "cam-1 cam-2 cam-3"}).text)
    assert old[1]
    assert "旧画面 15 分钟前" in old[2]
    assert "没有更新的画面" in old[2]
    assert down[1]
    assert "不可达" in down[2]
    assert "拒绝连接" in down[2]


def test_the_wall_can_be_of_one_grid_or_walk_a_route_and_names_what_it_does_not_know(
    console: Running,
):
    with console.browser("command") as browser:
        west = browser.get("/patrol", params={"grid": WEST})
        assert [one for one, *_ in tiles(west.text)] == ["cam-2"]
        whole = browser.get("/patrol", params={"grid": "410182102"})
        assert len(tiles(whole.text)) == 3
        assert browser.get("/patrol", params={"grid": "410182999"}).status_code == 404
        route = browser.get("/patrol", params={"route": "cam-3，cam-1 cam-1\nnowhere"})
        assert [one for one, *_ in tiles(route.text)] == ["cam-3", "cam-1"]
        assert "不归您看的摄像机：nowhere" in text_of(route.text)
    with console.browser("member") as browser:
        assert browser.get("/patrol", params={"grid": WEST}).status_code == 403
        mine = browser.get("/patrol", params={"route": "cam-2 cam-1"})
        assert [one for one, *_ in tiles(mine.text)] == ["cam-1"]
        assert "不归您看的摄像机：cam-2" in text_of(mine.text)


@pytest.fixture
def many(console: Running):
    """A console over thirty cameras."""
    cameras = [{**CAMERAS[0], "camera_id": f"n-{number:02d}"} for number in range(30)]
    console.app.state.console.cameras._read = lambda: cameras
    return console


def test_a_long_walk_has_pages_and_a_phone_gets_fewer_pictures_at_once(many: Running):
    with many.browser("member") as browser:
        first = browser.get("/patrol", params={"grid": EAST})
        assert len(tiles(first.text)) == 12
        assert "1 / 3" in text_of(first.text)
        third = browser.get("/patrol", params={"page": 3})
        assert [one for one, *_ in tiles(third.text)] == [f"n-{n}" for n in range(24, 30)]
        assert 'rel="next"' not in third.text
        assert len(tiles(browser.get("/patrol", params={"page": 99}).text)) == 6
        assert len(tiles(browser.get("/patrol", headers=PHONE).text)) == 6
        # Only what is on the page is fetched.
        many.watching.shots.want([])
        assert len(many.watching.shots.wanted()) <= 30


def test_one_camera_leads_on_to_the_next_one_of_the_walk(console: Running):
    with console.browser("command") as browser:
        page = browser.get("/patrol/cam-1", params={"route": "cam-3 cam-1 cam-2"}).text
    links = dict(re.findall(r'rel="(prev|next)" href="/patrol/([^"?]+)', page))
    assert links == {"prev": "cam-3", "next": "cam-2"}
    assert '<a href="/patrol?route=cam-3+cam-1+cam-2">' in page


def open_report(console: Running, browser: httpx.Client) -> dict[str, str]:
    """From the live view to the form of the picture that is seen."""
    seen = show(console)
    page = browser.get("/patrol/cam-1")
    link = re.search(r'id="freeze" href="([^"]+)"', page.text)
    assert link is not None
    show(console, at=NOON - 1, number=5)  # the street goes on
    form = browser.get(link[1])
    assert form.status_code == 200
    assert f"shot={seen.shot_id}" in form.text
    return forms_of(form.text)["/patrol/cam-1/report"]


def test_what_is_marked_in_the_picture_that_was_seen_becomes_a_ticket_of_its_place(
    console: Running,
):
    with console.browser("member") as browser:
        fields = open_report(console, browser)
        assert "什么" not in fields
        sent = browser.post("/patrol/cam-1/report", data=fields | ROAD)
        assert sent.status_code == 303
        page = text_of(browser.get(sent.headers["location"]).text)
    (ticket,) = console.desk.tickets()
    assert sent.headers["location"] == f"/tickets/{ticket.ticket_id}"
    assert "人工上报" in page
    assert "路中间有坑" in page
    (report,) = ticket.reports
    assert (report.source, report.by, report.camera_id) == ("staff", "member", "cam-1")
    assert report.box == pytest.approx((0.438, 0.66, 0.562, 0.75))
    assert report.reported_at == NOON - 2  # when the picture was taken that was seen
    assert report.description == "路中间有坑 <b>"
    assert ticket.place.method == "pose"
    assert 113.448 < ticket.place.lon < 113.4485  # some metres east of the camera
    assert (ticket.hazard, ticket.grid_code) == ("road_damage", EAST)
    (evidence,) = ticket.evidence
    kept = console.folder / "evidence"
    with Image.open(kept / evidence.plain) as plain, Image.open(kept / evidence.annotated) as boxed:
        assert plain.size == (1280, 720)
        assert plain.getpixel((90, 40))[0] < 160, "the later picture was not the one seen"  # type: ignore[index]
        assert boxed.size[1] > 720


def test_sent_twice_it_is_one_report(console: Running):
    with console.browser("member") as browser:
        fields = open_report(console, browser) | ROAD
        first, second = (browser.post("/patrol/cam-1/report", data=fields) for _ in range(2))
    assert first.headers["location"] == second.headers["location"]
    (ticket,) = console.desk.tickets()
    assert len(ticket.reports) == 1


def test_it_joins_the_ticket_of_what_the_cameras_saw_there(console: Running):
    with console.browser("member") as browser:
        browser.post("/patrol/cam-1/report", data=open_report(console, browser) | ROAD)
    (ticket,) = console.desk.tickets()
    place = Place(ticket.place.lon + 0.00002, ticket.place.lat, 3.0, "pose")
    filing = console.desk.file(incident(hazard="road_damage", place=place), None)
    assert filing.merged
    (ticket,) = console.desk.tickets()
    assert set(ticket.sources) == {"staff", "video"}


@pytest.mark.parametrize(
    "change, said",
    [
        ({"left": "60"}, "请在画面上框出隐患"),
        ({"right": ""}, "请在画面上框出隐患"),
        ({"bottom": "nan"}, "请在画面上框出隐患"),
        ({"right": "43.9"}, "请在画面上框出隐患"),
        ({"top": "-1"}, "请在画面上框出隐患"),
        ({"what": ""}, "请选择隐患类型"),
        ({"what": "road_damage.crowd"}, "请选择隐患类型"),
        ({"note": "长" * 5000}, "说明太长"),
    ],
)
def test_what_can_not_be_reported_is_said_and_what_was_written_stays(
    console: Running, change: dict[str, str], said: str
):
    with console.browser("member") as browser:
        fields = open_report(console, browser) | ROAD | change
        answer = browser.post("/patrol/cam-1/report", data=fields)
    assert answer.status_code == 422
    assert said in text_of(answer.text)
    kept = forms_of(answer.text)["/patrol/cam-1/report"]
    assert kept["shot"] == fields["shot"]
    assert kept["left"] == fields["left"]
    assert kept["note"].startswith(("路中间有坑", "长"))
    assert console.desk.tickets() == []


def test_a_picture_that_is_not_kept_any_longer_can_not_be_reported_from(console: Running):
    with console.browser("member") as browser:
        fields = open_report(console, browser) | ROAD
        for gone in ("17", "", "x"):
            answer = browser.post("/patrol/cam-1/report", data=fields | {"shot": gone})
            assert answer.status_code == 404
            assert "这张画面保留时间已过" in text_of(answer.text)
        assert browser.get("/patrol/cam-1/report").headers["location"] == "/patrol/cam-1"
        assert browser.get("/patrol/cam-1/report", params={"shot": "17"}).status_code == 404


def test_only_who_acts_on_tickets_may_report_and_only_from_own_cameras(console: Running):
    shot = show(console).shot_id
    show(console, "cam-2")
    for role in ("operator", "viewer"):
        with console.browser(role) as browser:
            assert 'id="freeze"' not in browser.get("/patrol/cam-1").text
            form = {"shot": shot}
            assert browser.get("/patrol/cam-1/report", params=form).status_code == 403
    with console.browser("member") as browser:
        assert browser.get("/patrol/cam-2").status_code == 403
        assert browser.get("/patrol/cam-2/report", params={"shot": shot}).status_code == 403


def test_a_report_that_is_another_grids_is_told_where_it_went(console: Running):
    """West of its camera the ground is the neighbour's; the reporter doesn't see its tickets."""
    with console.browser("west") as browser:
        show(console, "cam-2")
        form = {"shot": show(console, "cam-2").shot_id, **ROAD}
        page = browser.get("/patrol/cam-2/report", params={"shot": form["shot"]})
        fields = forms_of(page.text)["/patrol/cam-2/report"] | ROAD
        answer = browser.post("/patrol/cam-2/report", data=fields, follow_redirects=True)
    assert answer.status_code == 200
    (ticket,) = console.desk.tickets()
    assert ticket.ticket_id in answer.text
    assert ticket.place.method == "camera"  # it has no calibration: the camera's own place


def test_while_the_desk_is_away_a_report_waits_on_this_box(
    console: Running, monkeypatch: pytest.MonkeyPatch
):
    with console.browser("member") as browser:
        fields = open_report(console, browser) | ROAD
        with monkeypatch.context() as patched:

            def away(_: object) -> None:
                raise DeskUnavailableError("filing: refused")

            patched.setattr(console.desk, "file_report", away)
            answer = browser.post("/patrol/cam-1/report", data=fields)
    assert answer.status_code == 202
    assert "恢复后自动立案" in text_of(answer.text)
    assert console.desk.tickets() == []
    outbox = console.watching.reports._outbox  # type: ignore[union-attr]
    outbox.send(console.desk)
    (ticket,) = console.desk.tickets()
    assert ticket.evidence[0].plain


def test_a_session_that_ended_while_drawing_keeps_box_and_text(console: Running):
    with console.browser("member") as browser:
        fields = open_report(console, browser) | ROAD
        console.accounts.sessions.end_all("member")
        answer = browser.post("/patrol/cam-1/report", data=fields)
    assert answer.status_code == 401
    kept = forms_of(answer.text)["/sign-in"]
    assert {f"kept.{name}": value for name, value in ROAD.items()}.items() <= kept.items()
    assert kept["kept.shot"] == fields["shot"]


def test_without_live_pictures_the_pages_say_so(console: Running):
    app = create_app(
        console.desk,
        pictures_in(console.folder, console.clock),
        lambda: CAMERAS,
        console.accounts,
        clock=console.clock,
    )
    assert app.state.console.watching is None


def test_the_picture_of_the_wall_may_be_kept_by_the_browser_and_no_other(console: Running):
    seen = show(console)
    with console.browser("member") as browser:
        at = {"size": "wall", "shot": seen.shot_id}
        named = browser.get("/cameras/cam-1/picture", params=at)
        assert named.headers["cache-control"] == "private, max-age=600, immutable"
        with Image.open(io.BytesIO(named.content)) as picture:
            assert picture.size == (320, 180)
        newest = browser.get("/cameras/cam-1/picture")
        assert newest.headers["cache-control"] == "private, no-cache"
