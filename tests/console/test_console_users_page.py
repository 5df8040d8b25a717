"""An administrator's work with users, without scripts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from console_town import EAST, PASSWORD, WEST
from forms import send, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from console_town import Running


@pytest.fixture
def admin(console: Running) -> Iterator[httpx.Client]:
    with console.browser("admin") as browser:
        yield browser


def post(browser: httpx.Client, console: Running, path: str, **fields: object) -> httpx.Response:
    signed_in = console.accounts.of_session(browser.cookies["gridwatch"])
    assert signed_in is not None
    return browser.post(path, data={"csrf": signed_in.csrf, **fields}, follow_redirects=True)


def password_on(page: httpx.Response) -> str:
    (found,) = re.findall(r"<code>([^<]+)</code>", page.text)
    return found


def lets_in(console: Running, name: str, password: str) -> bool:
    with console.browser() as browser:
        answer = browser.post("/sign-in", data={"name": name, "password": password})
        return answer.status_code == 303


def test_a_new_user_gets_a_password_that_is_shown_once_and_signs_in(
    console: Running, admin: httpx.Client
):
    page = send(admin, "/users", "/users/add", name="Wang.Wu", role="head", grids=EAST)
    assert page.status_code == 200
    password = password_on(page)
    assert lets_in(console, "wang.wu", password)
    assert password not in admin.get("/users/one?name=wang.wu").text
    user = console.accounts.users.find("wang.wu")
    assert user is not None
    assert (user.role, user.grids) == ("head", {EAST})
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "name,role,grids,says",
    [
        ("member", "viewer", [], "已有这个用户"),
        ("MEMBER", "viewer", [], "已有这个用户"),
        ("a b", "viewer", [], "用户名不能用"),
        ("wang", "member", [], "至少有一个网格"),
        ("wang", "king", [], "请选择角色"),
        ("wang", "viewer", ["999"], "没有这个网格"),
    ],
)
def test_who_can_not_be_added_is_refused_and_what_was_typed_stays(
    console: Running, admin: httpx.Client, name: str, role: str, grids: list[str], says: str
):
    before = len(console.accounts.users.all())
    page = post(admin, console, "/users/add", name=name, role=role, grids=grids)
    assert page.status_code == 422
    assert says in text_of(page.text)
    assert f'value="{name}"' in page.text
    assert len(console.accounts.users.all()) == before


def test_the_list_is_found_through_by_name_and_role(console: Running, admin: httpx.Client):
    assert "李四" in text_of(admin.get("/users?q=李").text)
    assert "李四" not in text_of(admin.get("/users?role=admin").text)
    assert "没有符合的用户" in admin.get("/users?q=nobody").text


def test_role_and_grids_are_changed_and_hold_at_once(console: Running, admin: httpx.Client):
    ticket = console.file(2, east_m=-600)
    with console.browser("李四") as browser:
        assert browser.get(f"/tickets/{ticket}").status_code == 403
        page = post(admin, console, "/users/change", name="李四", role="member", grids=[EAST, WEST])
        assert "角色和网格已保存" in page.text
        assert browser.get(f"/tickets/{ticket}").status_code == 200
    assert page.text.count("checked") == 2


def test_a_reset_ends_sessions_and_tokens_and_shows_the_new_password_once(
    console: Running, admin: httpx.Client
):
    token = console.accounts.tokens.make("李四", "统计", 1)
    browser = console.browser("李四")
    page = send(admin, "/users/one?name=李四", "/users/reset")
    assert browser.get("/queue").status_code == 401
    assert console.accounts.of_token(token) is None
    assert not lets_in(console, "李四", PASSWORD)
    assert lets_in(console, "李四", password_on(page))


def test_a_disabled_user_is_out_until_let_in_again(console: Running, admin: httpx.Client):
    browser = console.browser("李四")
    assert "已停用" in send(admin, "/users/one?name=李四", "/users/disable").text
    assert browser.get("/queue").status_code == 401
    assert not lets_in(console, "李四", PASSWORD)
    assert "已恢复" in send(admin, "/users/one?name=李四", "/users/enable").text
    assert lets_in(console, "李四", PASSWORD)


def test_ones_own_account_can_neither_be_disabled_nor_reset_nor_made_less(
    console: Running, admin: httpx.Client
):
    console.accounts.users.add("second", "admin", [], PASSWORD)
    for path, more in (
        ("/users/disable", {}),
        ("/users/reset", {}),
        ("/users/change", {"role": "viewer"}),
    ):
        assert post(admin, console, path, name="admin", **more).status_code == 422
    assert "/users/disable" not in admin.get("/users/one?name=admin").text
    found = console.accounts.users.find("admin")
    assert found is not None
    assert (found.role, found.disabled) == ("admin", False)
    assert lets_in(console, "admin", PASSWORD)


def test_the_last_admin_stays_whoever_asks(console: Running):
    """Another admin who was disabled a moment ago, on a page that is still open, say."""
    console.accounts.users.add("second", "admin", [], PASSWORD)
    with console.browser("second") as second:
        console.accounts.users.disable("second", disabled=False)
        page = post(second, console, "/users/change", name="admin", role="operator")
        assert page.status_code == 200
        page = post(second, console, "/users/disable", name="second")
        assert page.status_code == 422
    found = console.accounts.users.find("second")
    assert found is not None
    assert not found.disabled


def test_sessions_and_tokens_of_a_user_are_seen_and_ended(console: Running, admin: httpx.Client):
    phone = console.accounts.sign_in("李四", PASSWORD, address="10.0.0.7", agent="Phone <b>")
    token = console.accounts.tokens.make("李四", "统计", 1)
    page = admin.get("/users/one?name=李四").text
    assert "Phone &lt;b&gt;" in page
    assert "10.0.0.7" in page
    assert "未使用过" in page
    (session,) = console.accounts.sessions.of("李四")
    (listed,) = console.accounts.tokens.of("李四")
    post(admin, console, "/users/tokens/end", name="李四", token=listed.token_id)
    assert console.accounts.of_token(token) is None
    post(admin, console, "/users/sessions/end", name="李四", session=session.session_id)
    assert console.accounts.of_session(phone) is None
    assert admin.get("/users").status_code == 200


def test_a_user_that_there_is_not_is_said(console: Running, admin: httpx.Client):
    assert admin.get("/users/one?name=nobody").status_code == 404
    for path in ("change", "reset", "disable", "enable", "sessions/end", "tokens/end"):
        assert post(admin, console, f"/users/{path}", name="nobody").status_code == 404


def test_a_form_that_waits_for_signing_in_again_keeps_all_its_grids(
    console: Running, admin: httpx.Client
):
    signed_in = console.accounts.of_session(admin.cookies["gridwatch"])
    assert signed_in is not None
    console.accounts.sessions.end_all("admin")
    form = {"csrf": signed_in.csrf, "name": "李四", "role": "member", "grids": [EAST, WEST]}
    page = admin.post("/users/change", data=form)
    assert page.status_code == 401
    assert f'value="{EAST} {WEST}"' in page.text
