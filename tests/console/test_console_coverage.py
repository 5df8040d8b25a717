"""Coverage: who was looked at when, for those whose ground it is; the forgotten ones first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from console_town import EAST, WEST
from forms import text_of
from ticket_town import NOON

from pipeline.ingest import CameraStatus, Coverage, Look

if TYPE_CHECKING:
    from collections.abc import Callable

    from console_town import Running

MORNING = NOON - 4 * 3600  # eight o'clock in China
PICTURE = np.zeros((6, 4), np.uint8)


@pytest.fixture
def watched(console: Running) -> Running:
    look_at(console)
    return console


def look_at(console: Running) -> None:
    """cam-1 was looked at from eight o'clock on, with an hour's trouble; cam-3 never."""
    coverage = Coverage(5.0, clock=console.clock)
    for at in np.arange(MORNING, NOON, 10.0):
        if not MORNING + 3600 <= at < MORNING + 7200:
            coverage.done(Look("cam-1", float(at), (0, 0, 4, 4), (4, 4), PICTURE, "whole"))
    coverage.skipped("cam-1", "whole", "dark", MORNING + 4000, 120)
    coverage.skipped("cam-1", "whole", "replaced", MORNING + 9000, 30)
    console.watching.ledger.write(coverage.drain())  # type: ignore[union-attr]


def strip(html: str) -> list[tuple[str, int, int]]:
    """The runs of the first strip of a page: what, from which quarter, how many."""
    first = html.partition("<svg")[2].partition("</svg>")[0]
    found = re.findall(r'class="(\w+)" x="(\d+)" y="\d+" width="(\d+)"', first)
    return [(mark, int(x), int(width)) for mark, x, width in found]


def test_cameras_that_nobody_looked_at_come_first_and_the_strip_says_the_rest(watched: Running):
    with watched.browser("member") as browser:
        html = browser.get("/coverage").text
    text = text_of(html)
    assert "1 台摄像机这一天从未看过" in text
    assert text.index("cam-3") < text.index("郑上路")
    assert "cam-2" not in html  # another grid's
    says = "看了 1080 次，漏 150 次；最长空档 8 小时 00 分，自 00:00 起"
    assert says in text
    assert f'role="img" aria-label="{says}"' in html
    assert "没看的原因：过暗 120、检测不及，换成更新的画面 30" in text


def test_the_strip_of_a_camera_tells_not_due_from_not_looked_at_from_not_yet(watched: Running):
    with watched.browser("member") as browser:
        html = browser.get("/coverage/cam-1").text
    assert strip(html) == [
        ("none", 0, 32),  # until eight no box watched
        ("good", 32, 4),
        ("missed", 36, 1),
        ("none", 37, 3),
        ("good", 40, 2),
        ("part", 42, 1),
        ("good", 43, 5),
    ]  # and nothing is drawn of what has not come


def test_the_hours_and_the_gaps_of_a_camera_say_why(watched: Running):
    with watched.browser("member") as browser:
        text = text_of(browser.get("/coverage/cam-1").text)
    assert "09 120 0 120 过暗 120" in text
    assert "10 390 360 30 检测不及，换成更新的画面 30" in text
    assert "03 0 0 0 没有盒子看" in text
    assert "12 " not in text.partition("原因 00")[2].partition("11 360")[2]
    assert "00:00 – 08:00 没有盒子看 8 小时 00 分" in text
    assert "08:59 – 10:00 过暗 120 1 小时 00 分" in text


def test_in_english_it_says_the_same(watched: Running):
    with watched.browser("member") as browser:
        browser.cookies.set("lang", "en")
        text = text_of(browser.get("/coverage").text)
    assert "1080 looks, 150 skipped; longest gap 8 h 00 min, from 00:00" in text
    assert "never looked at" in text


def test_a_grid_or_a_day_can_be_chosen_and_no_other_grids(watched: Running):
    with watched.browser("member") as browser:
        assert browser.get("/coverage", params={"grid": WEST}).status_code == 403
        assert browser.get("/coverage/cam-2").status_code == 403
        yesterday = browser.get("/coverage", params={"grid": EAST, "day": "2026-11-22"})
        assert "2 台摄像机这一天从未看过" in text_of(yesterday.text)
        ahead = browser.get("/coverage", params={"day": "2030-01-01"})
        assert 'value="2026-11-23"' in ahead.text  # not one that hasn't come
        for wrong in ("yesterday", "2026-13-01", "0001-01-01", "x" * 1000):
            assert browser.get("/coverage", params={"day": wrong}).status_code in (200, 422)
        forgotten = browser.get("/coverage/cam-1", params={"day": "2020-01-01"})
        assert "已过保留期" in text_of(forgotten.text)
        assert "从未看过" not in text_of(forgotten.text)
    with watched.browser("command") as browser:
        west = browser.get("/coverage", params={"grid": WEST})
        assert "cam-2" in west.text
        assert "cam-1" not in west.text
        both = browser.get("/coverage", params={"grid": "410182102"})
        assert "cam-1" in both.text
        assert "cam-2" in both.text


def test_a_day_that_has_just_begun_accuses_nobody(console: Running, later: Callable[[float], None]):
    later(12 * 3600)  # midnight in China
    with console.browser("member") as browser:
        text = text_of(browser.get("/coverage").text)
    assert "还没有开始" in text
    assert "从未看过" not in text.partition("无记录")[2]


@pytest.fixture
def later(console: Running) -> Callable[[float], None]:
    return console.clock.sleep  # type: ignore[return-value]


def test_a_camera_that_is_down_is_not_looked_at_and_it_is_said_why(console: Running):
    coverage = Coverage(5.0, clock=console.clock)
    console.clock.move_to(NOON)
    for at in np.arange(NOON, NOON + 1000, 2.0):
        console.clock.move_to(float(at))
        coverage.watch([CameraStatus("cam-1", "unreachable", NOON)])
    console.watching.ledger.write(coverage.drain())  # type: ignore[union-attr]
    with console.browser("member") as browser:
        text = text_of(browser.get("/coverage").text)
    assert re.search(r"没看的原因：没有画面 1\d\d", text)
