"""Zones drawn and points marked in a real browser: by mouse, by finger, by keyboard alone."""

from __future__ import annotations

import io
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from ticket_town import NOON

from pipeline.clock import ManualClock
from pipeline.ingest import CameraStatus
from pipeline.reload import CameraListWatch
from pipeline.tickets import Shot
from pipeline.town import GroundPlane, Zone, load_cameras, load_cameras_in

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from console_town import Running
    from playwright.sync_api import Browser, BrowserContext, Page

    from pipeline.town import Camera

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    *("--no-sandbox", "--headless", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--enable-unsafe-swiftshader",
]
SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
PAGE = "/cameras/cam-1"
LON, LAT = 113.448, 34.785
CORNERS = [(0.1, 0.4), (0.9, 0.4), (0.95, 0.9), (0.05, 0.9)]
SPOTS = [(0.2, 0.55), (0.8, 0.6), (0.25, 0.9), (0.7, 0.95), (0.5, 0.7)]

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}")
sizes = pytest.mark.parametrize("size", SIZES)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(live_console: Running, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """A page of a new browser; fails the test for a fault of a script or a refused file."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_page(path: str, name: str = "operator", size: str = "desktop", **more: str) -> Page:
        width, height = SIZES[size]
        phone = size == "phone"
        context = chromium.new_context(
            base_url=live_console.url,
            viewport={"width": width, "height": height},
            has_touch=phone,
            is_mobile=phone,
            **more,
        )
        contexts.append(context)
        cookie = {"name": "gridwatch", "value": live_console.accounts.sessions.begin(name)}
        context.add_cookies([{**cookie, "url": live_console.url}])
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda said: faults.append(said.text) if "Security Policy" in said.text else None,
        )
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def console(live_console: Running) -> Running:
    """With a picture of the camera, and a box that works by the list."""
    grey = np.linspace(40, 200, 360, dtype=np.uint8)[:, None].repeat(640, axis=1)
    out = io.BytesIO()
    Image.fromarray(grey).convert("RGB").save(out, "JPEG")
    live_console.watching.shots.put(Shot("cam-1", "view", out.getvalue(), NOON - 5, 640, 360))
    return live_console


class Box:
    """What a daemon does with its camera list: looks at the file, and tells what is in force."""

    def __init__(self, console: Running) -> None:
        path = console.care.lists.path
        self.applied: tuple[Camera, ...] = ()
        self._board = console.care.board
        self._watch = CameraListWatch(
            path,
            lambda: load_cameras_in(path, console.desk.town.grids),
            lambda cameras: setattr(self, "applied", cameras),
            clock=ManualClock(NOON),
            in_force=load_cameras(path),
        )
        self.round()
        self.round()

    def round(self) -> None:
        self._watch.poll()
        self._board.tell([CameraStatus("cam-1", "live", NOON - 60)], list_digest=self._watch.digest)


def tap(page: Page, u: float, v: float, size: str = "desktop") -> None:
    """A click or a touch on the picture, at a share of it."""
    shot = page.locator("#shot svg")
    box = shot.bounding_box()
    assert box is not None
    position = {"x": u * box["width"], "y": v * box["height"]}
    if size == "phone":
        shot.tap(position=position, force=True)
    else:
        shot.click(position=position, force=True)


def is_drawn(page: Page) -> None:
    """The picture has come, so that shares of it stay where they are."""
    page.wait_for_function("() => document.querySelector('.camera-picture').naturalWidth === 640")
    page.wait_for_function(
        "() => document.querySelector('#shot svg').viewBox.baseVal.width === 1000"
    )


def places() -> list[tuple[float, float]]:
    plane = GroundPlane.from_pose(LON, LAT, 6.0, 15.0, 90.0, 80.0)
    found = [plane.place(u, v) for u, v in SPOTS]
    return [(place.lon, place.lat) for place in found if place is not None]


def zones_of(console: Running) -> tuple[Zone, ...]:
    return load_cameras(console.care.lists.path)[0].zones


@sizes
def test_a_zone_is_drawn_saved_and_taken_up_by_a_box(
    console: Running, opened: Callable[..., Page], size: str
):
    box = Box(console)
    page = opened(f"{PAGE}/zones", size=size)
    is_drawn(page)
    page.get_by_role("button", name="画新区域").click()
    for u, v in CORNERS:
        tap(page, u, v, size)
    tap(page, *CORNERS[0], size)  # the first corner again
    page.get_by_text("有改动，还没有保存。").wait_for()
    page.get_by_label("区域 1", exact=True).select_option("footway")
    page.get_by_role("button", name="保存到摄像机清单").click()
    page.get_by_text("还在用以前的清单").wait_for()
    box.round()
    box.round()
    page.get_by_text("已按现在的清单工作").wait_for()
    (zone,) = box.applied[0].zones
    assert zone.kind == "footway"
    for found, meant in zip(zone.polygon, CORNERS, strict=True):
        assert found == pytest.approx(meant, abs=0.006)
    assert page.locator("polygon.zone.footway").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_corners_are_dragged_added_and_taken_out_and_it_can_be_undone(
    console: Running, opened: Callable[..., Page]
):
    entry = console.care.lists.entry("cam-1")
    road = Zone("carriageway", tuple(CORNERS))
    console.care.lists.put_zones(
        "cam-1", [road], entry.mark, before_it_is_done=lambda before, after: None
    )
    page = opened(f"{PAGE}/zones")
    is_drawn(page)
    first = page.get_by_role("button", name="角点 1,")
    box = page.locator("#shot svg").bounding_box()
    assert box is not None

    def at(u: float, v: float) -> tuple[float, float]:
        return box["x"] + u * box["width"], box["y"] + v * box["height"]

    page.mouse.move(*at(0.1, 0.4))
    page.mouse.down()
    page.mouse.move(*at(0.2, 0.3), steps=4)
    page.mouse.up()
    assert "横 20.0%, 纵 30.0%" in (first.get_attribute("aria-label") or "")
    page.get_by_role("button", name="在此加角点 (2–3)").click(force=True)
    page.get_by_text("区域 1 · 5 个角点").wait_for()
    page.get_by_role("button", name="角点 2,").press("Delete")
    page.get_by_text("区域 1 · 4 个角点").wait_for()
    for _ in range(3):
        page.get_by_role("button", name="撤销").click()
    page.get_by_role("button", name="保存到摄像机清单").click()
    page.get_by_text("区域已保存。").wait_for()
    assert zones_of(console) == (road,)


def test_a_zone_is_drawn_by_keyboard_alone(console: Running, opened: Callable[..., Page]):
    page = opened(f"{PAGE}/zones")
    is_drawn(page)
    tab_to(page, "画新区域")
    page.keyboard.press("Enter")  # and the picture has the focus
    press(page, "ArrowUp", 10)
    page.keyboard.press("Enter")
    press(page, "ArrowRight", 20)
    page.keyboard.press("Space")
    press(page, "ArrowDown", 30)
    page.keyboard.press("Enter")
    tab_to(page, "完成")
    page.keyboard.press("Enter")
    page.get_by_text("区域 1 · 3 个角点").wait_for()
    page.locator("#shot svg").focus()
    page.keyboard.press("Tab")  # to the first corner
    press(page, "ArrowLeft", 5)
    press(page, "Shift+ArrowLeft", 2)
    tab_to(page, "保存到摄像机清单")
    page.keyboard.press("Enter")
    page.get_by_text("区域已保存。").wait_for()
    (zone,) = zones_of(console)
    assert np.array(zone.polygon) == pytest.approx(np.array([(0.448, 0.4), (0.7, 0.4), (0.7, 0.7)]))


def press(page: Page, key: str, times: int) -> None:
    for _ in range(times):
        page.keyboard.press(key)


def tab_to(page: Page, text: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText || ''").startswith(text):
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            return
    raise AssertionError(text)


def test_a_list_that_changed_while_the_zone_was_drawn_is_not_overwritten(
    console: Running, opened: Callable[..., Page]
):
    page = opened(f"{PAGE}/zones")
    is_drawn(page)
    page.get_by_role("button", name="画新区域").click()
    for u, v in CORNERS:
        tap(page, u, v)
    page.get_by_role("button", name="完成").click()
    path = console.care.lists.path
    changed = path.read_text("utf-8").replace("wgs84,90", "wgs84,91")
    path.write_text(changed, "utf-8")
    page.get_by_role("button", name="保存到摄像机清单").click()
    page.get_by_text("没有覆盖任何内容").wait_for()
    assert path.read_text("utf-8") == changed
    page.get_by_text("区域 1 · 4 个角点").wait_for()  # the drawing is still there


@sizes
def test_points_are_marked_in_the_picture_and_typed_their_error_shown_and_saved(
    console: Running, opened: Callable[..., Page], size: str
):
    page = opened(f"{PAGE}/calibration", size=size)
    is_drawn(page)
    for number, ((u, v), (lon, lat)) in enumerate(zip(SPOTS, places(), strict=True), 1):
        if number == 4:
            page.get_by_text("还差 1 对点").wait_for()
        tap(page, u, v, size)
        row = page.locator("ol.marks > li").nth(number - 1)
        row.get_by_label("经度, 纬度").fill(f"{lon:.7f}, {lat:.7f}")
    page.get_by_text("总误差").wait_for()
    assert page.locator("output", has_text="误差").count() == 5
    # A mark that is 1 m off is seen at once.
    lon, lat = places()[4]
    row.get_by_label("经度, 纬度").fill(f"{lon + 0.5 / 91_400:.7f} {lat:.7f}")
    page.get_by_text("在第 5 点").wait_for()
    row.get_by_label("经度, 纬度").fill(f"{lon:.7f} {lat:.7f}")
    page.get_by_text("总误差 0.0").wait_for()
    page.get_by_role("button", name="保存到摄像机清单").click()
    page.get_by_text("标定已保存。").wait_for()
    points = load_cameras(console.care.lists.path)[0].ground_points
    assert points is not None
    for point, spot in zip(points, SPOTS, strict=True):
        assert (point.u, point.v) == pytest.approx(spot, abs=0.006)
    assert page.get_by_text("5 个点，误差").count() == 1


def test_points_are_put_on_the_map_by_mouse_and_by_keyboard(
    console: Running, opened: Callable[..., Page]
):
    page = opened(f"{PAGE}/calibration")
    is_drawn(page)
    page.wait_for_function("() => document.querySelector('#map').dataset.drawn === 'yes'")
    box = page.locator("#map").bounding_box()
    assert box is not None
    for number, (u, v) in enumerate(SPOTS[:4]):
        tap(page, u, v)
        # East of the map's centre, where the camera looks.
        page.locator("#map canvas").click(
            position={
                "x": box["width"] / 2 + (1.1 - v) * 150,
                "y": box["height"] / 2 + (u - 0.5) * 60 * (1.6 - v),
            }
        )
        page.locator(f".mapmark[aria-label='点 {number + 1}']").wait_for()
    tap(page, *SPOTS[4])
    page.locator("#map canvas").press("Enter")  # the map's centre: where the camera stands
    field = page.locator("ol.marks > li").nth(4).get_by_label("经度, 纬度")
    lon, lat = (float(part) for part in field.input_value().split(","))
    assert (lon, lat) == pytest.approx((LON, LAT), abs=1e-4)
    assert page.locator("ol.marks > li").count() == 5
    page.locator("#result").wait_for()
    page.get_by_role("button", name="删除").last.click()
    page.get_by_text("4 个点总是正好吻合").wait_for()


def test_points_on_one_line_are_refused_in_a_sentence(
    console: Running, opened: Callable[..., Page]
):
    page = opened(f"{PAGE}/calibration", "admin")
    is_drawn(page)
    for number in range(4):
        page.get_by_role("button", name="添加一对，输入坐标").click()
        row = page.locator("ol.marks > li").nth(number)
        row.get_by_label("画面 横, 纵").fill(f"0.{number + 2} 0.9")
        row.get_by_label("经度, 纬度").fill(f"{LON + 1e-5 * number:.7f}, {LAT}")
    page.get_by_text("一条直线上").wait_for()
    page.get_by_role("button", name="保存到摄像机清单").click()
    page.get_by_role("alert").get_by_text("一条直线上").wait_for()
    page.locator("ol.marks > li").nth(3).wait_for()  # what was marked is still there


@pytest.mark.parametrize("size,scheme", [("phone", "dark"), ("desktop", "light")])
def test_axe_finds_nothing_on_the_pages_of_a_camera(
    console: Running, opened: Callable[..., Page], size: str, scheme: str
):
    for ago, state in ((90_000, "live"), (5_000, "dark")):
        status = CameraStatus("cam-1", state, NOON - ago, "黑" if state == "dark" else "")
        console.care.board.tell([status])
    entry = console.care.lists.entry("cam-1")
    console.care.lists.put_zones(
        "cam-1",
        [Zone("carriageway", tuple(CORNERS))],
        entry.mark,
        before_it_is_done=lambda before, after: None,
    )
    found = []
    page = opened(PAGE, size=size, color_scheme=scheme)
    for path in (PAGE, f"{PAGE}?saved=zones", f"{PAGE}/zones", f"{PAGE}/calibration"):
        page.goto(path)
        if "calibration" in path:
            is_drawn(page)
            tap(page, 0.5, 0.7, size)
        page.evaluate(AXE)
        result = page.evaluate("axe.run({resultTypes: ['violations']})")
        found += [
            (path, one["id"], node["html"][:160], node.get("failureSummary", "")[:200])
            for one in result["violations"]
            for node in one["nodes"]
        ]
    assert found == []
