"""Patrol in a real browser: the wall, the live view, a box drawn on the picture that was seen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from patrol_help import show
from test_console_browser import SIZES, chromium, console, opened, pytestmark, sizes, violations  # noqa: F401 - fixtures
from test_console_coverage import look_at
from ticket_town import NOON

if TYPE_CHECKING:
    from collections.abc import Callable

    from console_town import Running
    from playwright.sync_api import Page


def shown(page: Page) -> bool:
    """Whether all pictures on the page are really there."""
    return bool(
        page.evaluate(
            "() => [...document.querySelectorAll('main img')].filter(one => !one.hidden)"
            ".every(one => one.complete && one.naturalWidth > 0)"
        )
    )


@sizes
def test_from_the_wall_over_a_drawn_box_to_a_ticket(
    console: Running,  # noqa: F811
    opened: Callable[..., Page],  # noqa: F811
    size: str,
):
    show(console)
    page = opened("/patrol", "member", size)
    page.wait_for_load_state("networkidle")
    assert shown(page)
    page.get_by_text("2 秒前").wait_for()
    page.get_by_role("link", name=re.compile("郑上路")).click()
    page.get_by_role("link", name="从这张画面上报").click()
    area = page.locator("#drawing").bounding_box()
    assert area is not None
    assert area["width"] <= SIZES[size][0]
    page.mouse.move(area["x"] + area["width"] * 0.56, area["y"] + area["height"] * 0.75)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.5, area["y"] + area["height"] * 0.7)
    page.mouse.move(area["x"] + area["width"] * 0.44, area["y"] + area["height"] * 0.66)
    page.mouse.up()
    assert page.get_by_label("左").input_value() == "44.0"
    page.get_by_label("隐患类型").select_option(label="道路破损")
    page.get_by_label("说明").fill("路中间有坑")
    page.get_by_role("button", name="上报").click()
    page.get_by_text("人工上报 · cam-1").wait_for()
    assert re.search(r"/tickets/[A-Z0-9-]+$", page.url)
    (ticket,) = console.desk.tickets()
    (report,) = ticket.reports
    assert report.box == pytest.approx((0.44, 0.66, 0.56, 0.75), abs=0.006)
    assert (report.by, report.description) == ("member", "路中间有坑")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_live_view_follows_the_camera_and_what_is_reported_is_what_is_seen(
    console: Running,  # noqa: F811
    opened: Callable[..., Page],  # noqa: F811
):
    page = opened("/patrol/cam-1", "member", "desktop")
    page.get_by_text("还没有画面").or_(page.get_by_text("正在取画面")).wait_for()
    assert page.locator("#freeze").get_attribute("href") is None
    for number in (1, 2):
        seen = show(console, at=NOON - 10 + number, number=number)
        link = f"/patrol/cam-1/report?shot={seen.shot_id}"
        page.locator(f"#freeze[href='{link}']").wait_for()
        assert shown(page)
    page.get_by_role("link", name="从这张画面上报").click()
    page.wait_for_url(f"**{link}")
    show(console, at=NOON - 1, number=9)
    assert f"shot={seen.shot_id}" in str(page.locator("#drawing img").get_attribute("src"))


def test_a_hidden_page_asks_for_nothing_and_an_old_picture_is_grey(
    console: Running,  # noqa: F811
    opened: Callable[..., Page],  # noqa: F811
):
    show(console, at=NOON - 300)
    page = opened("/patrol/cam-1", "member", "desktop")
    page.get_by_text("旧画面 5 分钟前").wait_for()
    grey = page.locator("#view").evaluate("one => getComputedStyle(one).filter")
    assert "grayscale(1)" in grey
    page.evaluate(
        "() => { Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' });"
        " performance.clearResourceTimings(); }"
    )
    rounds = "key => { window[key] = (window[key] ?? 0) + 1; return window[key] > 25; }"
    page.wait_for_function(rounds, arg="before", polling=100)  # what was under way comes back
    page.evaluate("performance.clearResourceTimings()")
    page.wait_for_function(rounds, arg="after", polling=100)
    asked = page.evaluate("performance.getEntriesByType('resource').map(one => one.name)")
    assert [one for one in asked if "picture" in one] == []


def test_a_walk_goes_on_by_the_arrow_keys_and_a_box_can_be_given_in_numbers(
    console: Running,  # noqa: F811
    opened: Callable[..., Page],  # noqa: F811
):
    show(console)
    page = opened("/patrol/cam-3?route=cam-3+cam-1", "member", "desktop")
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**/patrol/cam-1?*")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**/patrol/cam-3?*")
    page.keyboard.press("ArrowRight")
    page.locator("#freeze").focus()
    page.keyboard.press("Enter")
    page.locator("#left").focus()
    for value in ("43.8", "66", "56.2", "75"):
        page.keyboard.type(value)
        page.keyboard.press("Tab")
    drawn = page.locator("#drawn")
    assert [drawn.get_attribute(name) for name in ("x", "y")] == ["43.8", "66"]
    page.keyboard.press("ArrowDown")  # the first hazard of the list
    page.keyboard.press("Tab")
    page.keyboard.type("no mouse")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("人工上报 · cam-1").wait_for()
    (ticket,) = console.desk.tickets()
    assert ticket.reports[0].description == "no mouse"


@pytest.mark.parametrize("size,scheme", [("phone", "light"), ("desktop", "dark")])
def test_axe_finds_nothing_on_the_pages_of_patrol_and_coverage(
    console: Running,  # noqa: F811
    opened: Callable[..., Page],  # noqa: F811
    size: str,
    scheme: str,
):
    seen = show(console)
    show(console, "cam-2", NOON - 3000)
    page = opened("/patrol?route=cam-1+cam-2+cam-3+x", "command", size, color_scheme=scheme)
    found = violations(page)
    look_at(console)
    for path in (
        *("/coverage", "/coverage/cam-1", "/coverage/cam-1?day=2020-01-01"),
        *("/patrol/cam-1", "/patrol/cam-2", f"/patrol/cam-1/report?shot={seen.shot_id}"),
    ):
        page.goto(path)
        found += violations(page)
    page.get_by_role("button", name="上报").evaluate("one => one.form.noValidate = true")
    page.get_by_role("button", name="上报").click()
    page.get_by_role("alert").wait_for()
    assert found + violations(page) == []
