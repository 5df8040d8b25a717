"""The office's pages in a real browser: users, indices, duties, the audit."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

import pytest
from console_town import EAST, WEST
from test_console_browser import SIZES, chromium, console, opened, pytestmark, sizes, violations  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from console_town import Running
    from playwright.sync_api import Page


@sizes
def test_an_admin_adds_a_user_who_then_signs_in(
    console: Running,  # noqa: F811
    opened: Callable[..., Page],  # noqa: F811
    size: str,
):
    page = opened("/users", "admin", size)
    page.get_by_text("新增用户").click()
    form = page.locator("form[action='/users/add']")
    form.get_by_label("用户名").fill("zhao.liu")
    form.get_by_label("角色").select_option("member")
    form.get_by_label("查找网格").fill("东村")
    assert form.get_by_role("checkbox").count() == 1, "what doesn't fit is not offered"
    form.get_by_label(re.compile("东村二网格")).check()
    form.get_by_text("已选 1").wait_for()
    form.get_by_role("button", name="新增，生成密码").click()
    page.get_by_text("密码只显示这一次").wait_for()
    password = page.locator(".token code").inner_text()
    theirs = opened("/", size=size)
    theirs.get_by_label("用户名").first.fill("zhao.liu")
    theirs.get_by_label("密码").first.fill(password)
    theirs.get_by_role("button", name="登录").first.click()
    theirs.wait_for_url("**/queue")
    user = console.accounts.users.find("zhao.liu")
    assert user is not None
    assert user.grids == {EAST}


def test_command_exports_the_indices_it_looks_at(
    console: Running,  # noqa: F811
    opened: Callable[..., Page],  # noqa: F811
    tmp_path: Path,
):
    console.file(1)
    console.file(2, east_m=-600)
    page = opened("/command", "command", "desktop")
    page.get_by_role("link", name="指标").click()
    page.get_by_role("link", name=re.compile("准确立案率")).click()
    page.get_by_text("定义").nth(3).click()
    page.get_by_text("（立案数 − 作废数）÷ 立案数").wait_for()
    page.get_by_role("img", name="准确立案率，按网格").wait_for()
    with page.expect_download() as coming:
        page.get_by_role("link", name=re.compile("导出 CSV")).click()
    saved = tmp_path / "indices.csv"
    coming.value.save_as(saved)
    assert re.fullmatch(r"indices-2026-11-grid\.csv", coming.value.suggested_filename)
    rows = list(csv.DictReader(io.StringIO(saved.read_text("utf-8-sig"))))
    assert {row["网格"] for row in rows} == {EAST, WEST}
    assert {row["准确立案率"] for row in rows} == {"1.0"}


def test_an_admin_changes_a_duty_by_keyboard_and_finds_it_in_the_audit(
    console: Running,  # noqa: F811
    opened: Callable[..., Page],  # noqa: F811
):
    page = opened("/duties/edit?hazard=crowd", "admin", "desktop")
    page.get_by_label("处置时限").fill("5h")
    page.get_by_label("处置时限").press("Enter")
    page.get_by_text("已保存").wait_for()
    page.goto("/audit?kind=duties")
    page.get_by_text("修改责任清单").wait_for()
    page.get_by_text("详情").first.click()
    page.get_by_text("4h > 5h").wait_for()
    assert str(console.desk.town.duties.of("crowd").handle_limit) == "5h"


@pytest.mark.parametrize("size,scheme", [("phone", "light"), ("desktop", "dark")])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    console: Running,  # noqa: F811
    opened: Callable[..., Page],  # noqa: F811
    size: str,
    scheme: str,
):
    console.file(1)
    console.accounts.sign_in("李四", "rain-at-night-7", address="10.0.0.7", agent="Phone")
    console.accounts.tokens.make("李四", "统计", 1)
    page = opened("/users", "admin", size, color_scheme=scheme)
    found: list[tuple[str, str, str]] = []
    for path in (
        "/users",
        "/users/one?name=李四",
        "/indices",
        "/indices?by=month",
        "/audit",
        "/duties",
        "/duties/edit?hazard=blockage&kind=crash",
    ):
        page.goto(path)
        for summary in page.locator("main summary").all()[:8]:
            summary.click()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        found += violations(page)
    assert found == []
