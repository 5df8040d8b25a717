"""The console in a real browser: a phone in the rain, a desktop, a keyboard alone."""

from __future__ import annotations

import io
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from console_town import PASSWORD
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from console_town import Running
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--headless",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",
]
SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
WITHIN_MS = 20_000

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}")
sizes = pytest.mark.parametrize("size", SIZES)


@pytest.fixture
def console(live_console: Running) -> Running:
    return live_console


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(console: Running, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """A page of a new browser; fails the test when anything was asked of another host."""
    contexts: list[BrowserContext] = []
    elsewhere: list[str] = []
    faults: list[str] = []

    def open_page(
        path: str = "/", name: str | None = None, size: str = "phone", **more: Any
    ) -> Page:
        width, height = SIZES[size]
        context = chromium.new_context(
            base_url=console.url,
            viewport={"width": width, "height": height},
            has_touch=size == "phone",
            is_mobile=size == "phone",
            **more,
        )
        contexts.append(context)
        if name is not None:
            cookie = {"name": "gridwatch", "value": console.accounts.sessions.begin(name)}
            context.add_cookies([{**cookie, "url": console.url}])  # type: ignore[typeddict-item]
        page = context.new_page()
        page.set_default_timeout(WITHIN_MS)
        page.on("request", lambda sent: elsewhere.append(sent.url) if not ours(sent.url) else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if blocked(said.text) else None)
        page.goto(path)
        return page

    def ours(url: str) -> bool:
        return url.startswith((console.url, "blob:", "data:"))

    yield open_page
    for context in contexts:
        context.close()
    assert elsewhere == []
    assert faults == []


def blocked(text: str) -> bool:
    return "Content Security Policy" in text


def photo() -> dict[str, Any]:
    out = io.BytesIO()
    Image.radial_gradient("L").resize((2400, 1800)).convert("RGB").save(out, "JPEG")
    return {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}


def sign_in(page: Page, name: str = "member") -> None:
    page.get_by_label("用户名").first.fill(name)
    page.get_by_label("密码").first.fill(PASSWORD)
    page.get_by_role("button", name="登录").first.click()


@sizes
def test_from_signing_in_over_accepting_to_reporting_back(
    console: Running, opened: Callable[..., Page], size: str
):
    ticket_id = console.file()
    page = opened("/", size=size)
    sign_in(page)
    page.get_by_role("button", name=re.compile("^受理")).click()
    page.get_by_text("已受理").wait_for()
    page.get_by_role("link", name=re.compile("路面塌陷")).click()
    page.get_by_label("说明").fill("已填补")
    page.locator("#photo-feed_back").set_input_files([photo()])
    page.get_by_role("button", name="处置完毕，反馈").click()
    page.get_by_text("已完成：反馈").wait_for()
    last = console.desk.ticket(ticket_id).steps[-1]
    assert (last.action, last.by, last.note) == ("feed_back", "member", "已填补")
    kept = (console.folder / "evidence" / last.facts["picture"]).read_bytes()
    with Image.open(io.BytesIO(kept)) as picture:
        assert picture.size == (1280, 960)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_matters_stands_on_the_first_screen_of_a_phone(
    console: Running, opened: Callable[..., Page]
):
    """What, where, how long left, and the one big button: without scrolling."""
    ticket_id = console.file(severity="emergency")
    for path in ("/queue", f"/tickets/{ticket_id}"):
        page = opened(path, "member")
        for what in (
            page.get_by_text("路面塌陷").first,
            page.get_by_text("豫龙镇东村二网格").first,
            page.get_by_text("剩 1 小时").first,
            page.get_by_role("button", name=re.compile("^受理")),
        ):
            box = what.bounding_box()
            assert box is not None
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= SIZES["phone"][1]
        button = page.get_by_role("button", name=re.compile("^受理")).bounding_box()
        assert button is not None
        assert button["height"] >= 56
        assert button["width"] >= 300


def test_two_quick_taps_accept_once(console: Running, opened: Callable[..., Page]):
    ticket_id = console.file()
    page = opened("/queue", "member")
    page.get_by_role("button", name=re.compile("^受理")).dblclick()
    page.get_by_text("已受理").wait_for()
    steps = [step.action for step in console.desk.ticket(ticket_id).steps]
    assert steps.count("accept") == 1


def test_everything_can_be_done_by_keyboard(console: Running, opened: Callable[..., Page]):
    ticket_id = console.file()
    page = opened("/", size="desktop")
    page.keyboard.type("member")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/queue")

    def tab_to(text: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.innerText || ''").startswith(text):
                shown = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert shown != "none"
                return
        raise AssertionError(text)

    tab_to("受理")
    page.keyboard.press("Enter")
    page.get_by_text("已受理").wait_for()
    page.goto(f"/tickets/{ticket_id}")
    tab_to("无法处置，上报一级网格")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("too big for us")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("已完成：上报").wait_for()
    assert console.desk.ticket(ticket_id).state == "escalated"


@sizes
def test_the_switch_of_languages_stays_where_one_is(
    console: Running, opened: Callable[..., Page], size: str
):
    ticket_id = console.file()
    page = opened(f"/tickets/{ticket_id}", "member", size)
    page.get_by_role("link", name="English").click()
    page.get_by_role("button", name="Accept").click()
    page.get_by_text("Done: accepted").wait_for()
    assert page.url.startswith(f"{console.url}tickets/{ticket_id}")
    assert page.locator("html").get_attribute("lang") == "en"


def test_a_session_that_ends_in_the_middle_of_a_form_keeps_text_and_photo(
    console: Running, opened: Callable[..., Page]
):
    ticket_id = console.file()
    console.desk.move(ticket_id, "accept", by="member")
    page = opened(f"/tickets/{ticket_id}", "member")
    page.get_by_label("说明").fill("围挡已放")
    page.locator("#photo-feed_back").set_input_files([photo()])
    console.accounts.sessions.end_all("member")
    page.get_by_role("button", name="处置完毕，反馈").click()
    again = page.get_by_role("dialog")
    again.get_by_label("密码").fill("wrong-password")
    again.get_by_role("button", name="登录并继续").click()
    again.get_by_text("用户名或密码不对").wait_for()
    again.get_by_label("密码").fill(PASSWORD)
    again.get_by_role("button", name="登录并继续").click()
    page.get_by_text("已完成：反馈").wait_for()
    last = console.desk.ticket(ticket_id).steps[-1]
    assert (last.action, last.note) == ("feed_back", "围挡已放")
    assert "picture" in last.facts


def test_what_was_typed_outlives_a_reload(console: Running, opened: Callable[..., Page]):
    ticket_id = console.file()
    page = opened(f"/tickets/{ticket_id}", "member")
    page.get_by_text("不属本网格，退回").first.click()
    page.locator("#note-return").fill("属于西村")
    page.reload()
    assert page.locator("#note-return").input_value() == "属于西村"


def test_news_comes_by_itself(console: Running, opened: Callable[..., Page]):
    page = opened("/queue", "member")
    page.get_by_text("现在没有等您处理的案卷").wait_for()
    page.wait_for_function("() => performance.getEntriesByType('resource').length > 0")
    ticket_id = console.file()
    page.get_by_role("button", name=re.compile("^受理")).wait_for()
    ticket = opened(f"/tickets/{ticket_id}", "member")
    ticket.locator("#note-return").evaluate("one => { one.value = 'half written' }")
    console.desk.move(ticket_id, "accept", by="李四")
    ticket.get_by_text("案卷有变化。").wait_for()
    assert ticket.locator("#note-return").input_value() == "half written"


def test_a_ticket_that_moved_away_is_said_at_once(console: Running, opened: Callable[..., Page]):
    ticket_id = console.file()
    page = opened(f"/tickets/{ticket_id}", "member")
    console.desk.move(ticket_id, "accept", by="李四")
    page.get_by_role("button", name="受理").click()
    page.get_by_text("现在是“已受理”（受理，李四，12:00）").wait_for()


def test_the_distance_is_shown_when_the_browser_may_tell_the_position(
    console: Running, opened: Callable[..., Page]
):
    console.file()
    place = {"latitude": 34.785, "longitude": 113.45028}  # 183 m east
    page = opened("/queue", "member", geolocation=place, permissions=["geolocation"])
    page.get_by_text("180 m").wait_for()


def test_the_map_is_drawn_or_says_that_it_can_not_be(console: Running, opened: Callable[..., Page]):
    console.file()
    page = opened("/map", "command", "desktop")
    page.wait_for_function(
        "() => document.querySelector('#map').dataset.drawn"
        " || !document.querySelector('#nomap').hidden"
    )
    assert page.locator("#map").get_attribute("data-drawn") == "yes"


@pytest.mark.parametrize("size,scheme", [("phone", "light"), ("desktop", "dark")])
def test_axe_finds_nothing_on_any_page(
    console: Running, opened: Callable[..., Page], size: str, scheme: str
):
    ticket_id = console.file(1, severity="emergency")
    late = console.file(2, east_m=600)
    console.desk.move(late, "accept", by="head")
    console.clock.sleep(90_000)
    page = opened("/sign-in", size=size, color_scheme=scheme)
    found = violations(page)
    page = opened("/queue", "command", size, color_scheme=scheme)
    for path in (
        "/queue",
        f"/tickets/{ticket_id}",
        f"/tickets/{late}",
        "/command",
        "/map",
        "/cameras",
        "/account",
        "/nowhere",
    ):
        page.goto(path)
        for summary in page.locator("main summary").all():
            summary.click()
        found += violations(page)
    assert found == []


def violations(page: Page) -> list[tuple[str, str, str]]:
    page.evaluate(AXE)
    result = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        (page.url, one["id"], node["html"][:160] + " " + node.get("failureSummary", "")[:200])
        for one in result["violations"]
        for node in one["nodes"]
    ]
