"""Getting in, staying in and getting out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from console_town import PASSWORD
from forms import forms_of, send, text_of

from pipeline.console.accounts.attempts import MOST_BY_ACCOUNT

if TYPE_CHECKING:
    import httpx
    from console_town import Running


def sign_in(browser: httpx.Client, name: str = "member", password: str = PASSWORD, **more: str):
    return browser.post("/sign-in", data={"name": name, "password": password, **more})


def test_who_asks_for_a_page_signs_in_and_is_brought_there(console: Running):
    with console.browser() as browser:
        asked = browser.get("/cameras?state=live")
        assert asked.status_code == 401
        form = forms_of(asked.text)["/sign-in"]
        answer = browser.post("/sign-in", data=form | {"name": "Member ", "password": PASSWORD})
        assert answer.headers["location"] == "/cameras?state=live"
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert browser.get("/cameras?state=live").status_code == 200


@pytest.mark.parametrize(
    "to",
    ["//elsewhere.example", "/\\elsewhere.example", "http://elsewhere.example", "javascript:x", ""],
)
def test_signing_in_never_leads_elsewhere(console: Running, to: str):
    with console.browser() as browser:
        assert sign_in(browser, to=to).headers["location"] == "/"
        assert browser.get("/sign-in", params={"to": to}).headers["location"] == "/"


def test_a_wrong_password_is_refused_and_the_name_stays(console: Running):
    with console.browser() as browser:
        answer = sign_in(browser, password="wrong-password")
        assert answer.status_code == 401
        assert "用户名或密码不对" in answer.text
        assert forms_of(answer.text)["/sign-in"]["name"] == "member"
        assert "set-cookie" not in answer.headers


def test_after_too_many_wrong_ones_it_says_how_long_to_wait(console: Running):
    with console.browser() as browser:
        for _ in range(MOST_BY_ACCOUNT):
            sign_in(browser, password="wrong-password")
        answer = sign_in(browser)
    assert answer.status_code == 429
    assert "请 15 分钟后再试" in answer.text
    assert answer.headers["retry-after"] == "900"


def test_signing_in_again_ends_the_session_before(console: Running):
    with console.browser("member") as browser:
        before = browser.cookies["gridwatch"]
        sign_in(browser)
    assert console.accounts.of_session(before) is None


def test_signing_out_ends_the_session_on_the_server(console: Running):
    with console.browser("member") as browser:
        secret = browser.cookies["gridwatch"]
        assert send(browser, "/account", "/sign-out").url.path == "/sign-in"
    assert console.accounts.of_session(secret) is None


def test_signing_out_everywhere_ends_the_other_phone_too(console: Running):
    with console.browser("member") as phone, console.browser("member") as tablet:
        assert "退出所有设备（2）" in phone.get("/account").text
        send(phone, "/account", "/account/sign-out-everywhere")
        assert tablet.get("/queue").status_code == 401


def test_a_new_password_needs_the_old_one_and_turns_everybody_out(console: Running):
    def change(browser: httpx.Client, **fields: str):
        return send(browser, "/account", "/account/password", **fields)

    new = "another-one-9"
    with console.browser("member") as phone, console.browser("member") as tablet:
        for old, first, second, said in (
            ("wrong-password", new, new, "原密码不对"),
            (PASSWORD, new, "something-else", "两次输入的新密码不一样"),
            (PASSWORD, "short", "short", "新密码不合要求"),
        ):
            assert said in change(phone, old=old, new=first, again=second).text
        assert change(phone, old=PASSWORD, new=new, again=new).url.path == "/sign-in"
        assert tablet.get("/queue").status_code == 401
        assert sign_in(phone).status_code == 401
        assert sign_in(phone, password=new).status_code == 303


def test_a_token_is_shown_once_and_can_be_revoked(console: Running):
    with console.browser("member") as browser:
        shown = send(browser, "/account", "/account/tokens", label="统计").text
        (token,) = re.findall(r"<code>(gw_[^<]+)</code>", shown)
        assert console.accounts.of_token(token)
        listed = browser.get("/account").text
        assert token not in listed
        (revoke,) = re.findall(r'action="(/account/tokens/\w+/revoke)"', listed)
        send(browser, "/account", revoke)
        assert console.accounts.of_token(token) is None
        assert "令牌要有" in send(browser, "/account", "/account/tokens", label=" ").text


def test_a_session_that_ends_in_the_middle_of_a_form_keeps_the_text(console: Running):
    """Without scripts: sign in, look at what was written, send it."""
    ticket_id = console.file()
    console.desk.move(ticket_id, "accept", by="member")
    action = f"/tickets/{ticket_id}/feed_back"
    with console.browser("member") as browser:
        form = forms_of(browser.get(f"/tickets/{ticket_id}").text)[action]
        console.accounts.sessions.end_all("member")
        asked = browser.post(action, data=form | {"note": "已放围挡\n“明天”再补 <b>"})
        assert asked.status_code == 401
        assert "您写的内容会保留" in asked.text
        again = forms_of(asked.text)["/sign-in"]
        wrong = browser.post("/sign-in", data=again | {"name": "member", "password": "x" * 12})
        again = forms_of(wrong.text)["/sign-in"]
        back = browser.post("/sign-in", data=again | {"name": "member", "password": PASSWORD})
        resumed = forms_of(back.text)[action]
        assert resumed["note"] == "已放围挡\n“明天”再补 <b>"
        assert resumed["command_id"] == form["command_id"]
        done = browser.post(action, data=resumed, follow_redirects=True)
        assert "已完成：反馈" in text_of(done.text)
    last = console.desk.ticket(ticket_id).steps[-1]
    assert (last.action, last.note) == ("feed_back", "已放围挡\n“明天”再补 <b>")


def test_neither_passwords_nor_form_tokens_are_among_what_is_kept(console: Running):
    with console.browser() as browser:
        asked = browser.post(
            "/account/password", data={"csrf": "abc", "old": "secret-old", "x": "y"}
        )
    assert forms_of(asked.text)["/sign-in"].keys() == {"to", "kept.x", "name", "password"}
    assert "secret-old" not in asked.text
