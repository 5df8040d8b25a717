"""What each page shows, in both languages, and what it must never do."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest
from console_town import CAMERAS, EAST, pictures_in
from forms import shown, text_of
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from ticket_town import NOON, incident, report, small_town

from pipeline.clock import ManualClock
from pipeline.console import create_app, serve
from pipeline.errors import SettingsError
from pipeline.tickets import Desk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from console_town import Running

    from pipeline.console import Accounts

PAGES = ("/queue", "/cameras", "/account", "/sign-in")


def page(console: Running, path: str, role: str = "member") -> str:
    with console.browser(role) as browser:
        return browser.get(path).text


def test_the_queue_says_what_where_how_long_and_offers_to_accept(console: Running):
    ticket_id = console.file(1, severity="emergency")
    html = page(console, "/queue")
    text = text_of(html)
    for words in (
        "待办 1",
        "路面塌陷",
        "紧急",
        "待受理",
        "豫龙镇东村二网格",
        "剩 1 小时 00 分",
        "受理时限 13:00",
    ):
        assert words in text
    assert f'action="/tickets/{ticket_id}/accept"' in html
    assert f'src="/tickets/{ticket_id}/pictures/0/thumb"' in html


def test_the_same_in_english(console: Running):
    console.file(1)
    with console.browser("member") as browser:
        assert browser.get("/language/en?to=/queue").headers["location"] == "/queue"
        html = browser.get("/queue").text
    assert '<html lang="en">' in html
    for words in ("Queue 1", "road collapse", "to be accepted", "1 h 00 min left", "Accept"):
        assert words in text_of(html)


def test_emergencies_come_first_then_what_is_due_first(console: Running):
    late = console.file(1, hazard="road_damage", east_m=900)
    console.clock.sleep(60)
    later = console.file(2, hazard="blockage", east_m=600)
    emergency = console.file(3, severity="emergency")
    html = page(console, "/queue")
    places = [html.index(f"/tickets/{one}") for one in (emergency, late, later)]
    assert places == sorted(places)


def test_a_member_sees_the_own_grid_and_command_the_town(console: Running):
    own, other = console.file(1), console.file(2, east_m=-600)
    assert own in page(console, "/queue")
    assert other not in page(console, "/queue")
    for role in ("command", "admin", "operator"):
        html = page(console, "/queue", role)
        assert own in html
        assert other in html


def test_the_lamp_turns_yellow_at_80_percent_and_red_when_time_is_up(console: Running):
    console.file()
    for minutes, lamp in ((10, "green"), (50, "yellow"), (61, "red")):
        console.clock.move_to(NOON + 60 * minutes)
        assert f'class="left {lamp}"' in page(console, "/queue")
    text = text_of(page(console, "/queue"))
    assert "超时 1 分钟" in text
    assert "1 件已超时" in text


def test_what_is_passed_up_leaves_the_members_hands_and_comes_into_commands(console: Running):
    ticket_id = console.file()
    console.desk.move(ticket_id, "escalate", by="李四", note="太大")
    assert f'action="/tickets/{ticket_id}/accept"' not in page(console, "/queue")
    assert "由他人处理 1" in text_of(page(console, "/queue"))
    assert f'action="/tickets/{ticket_id}/accept"' in page(console, "/queue", "command")


def test_a_ticket_shows_its_facts_its_history_and_only_the_steps_that_may_be_taken(
    console: Running,
):
    ticket_id = console.file(1)
    console.file(2, camera="cam-9", at=NOON + 1)
    html = page(console, f"/tickets/{ticket_id}")
    for words in (
        "路面塌陷",
        ticket_id,
        f"东村二网格 {EAST}",
        "34.78500, 113.44828 WGS-84 ±3 m",
        "视频智能发现 · cam-1、cam-9 · 90% · 2 次发现合并",
        "立案",
        "派遣",
        "并入新发现",
    ):
        assert words in text_of(html)
    offered = re.findall(rf'action="/tickets/{ticket_id}/(\w+)"', shown(html))
    assert sorted(offered) == ["accept", "escalate", "return"]
    console.desk.move(ticket_id, "accept", by="李四")
    offered = re.findall(
        rf'action="/tickets/{ticket_id}/(\w+)"', shown(page(console, f"/tickets/{ticket_id}"))
    )
    assert sorted(offered) == ["escalate", "feed_back", "handle", "return"]
    assert "action=" not in re.sub(
        r"(?s)<dialog.*?</dialog>", "", page(console, f"/tickets/{ticket_id}", "viewer")
    )


def test_pictures_are_served_whole_and_small_to_those_who_may_see_the_ticket(console: Running):
    ticket_id = console.file()
    evidence = console.desk.ticket(ticket_id).evidence[0]
    with console.browser("member") as browser:
        sizes = {}
        for kind in ("annotated", "plain", "thumb"):
            answer = browser.get(f"/tickets/{ticket_id}/pictures/0/{kind}")
            assert answer.headers["content-type"] == "image/jpeg"
            sizes[kind] = len(answer.content)
        kept = (console.folder / "evidence" / evidence.plain).read_bytes()
        assert browser.get(f"/tickets/{ticket_id}/pictures/0/plain").content == kept
        for path in ("1/plain", "-1/plain", "0/secret", "x/plain"):
            assert browser.get(f"/tickets/{ticket_id}/pictures/{path}").status_code in (404, 422)
    (console.folder / "evidence" / evidence.plain).unlink()
    with console.browser("member") as browser:
        assert browser.get(f"/tickets/{ticket_id}/pictures/0/plain").status_code == 404


def test_cameras_in_trouble_come_first_and_say_why(console: Running):
    html = page(console, "/cameras", "operator")
    assert html.index("cam-3") < html.index("郑上路")
    assert html.index("cam-2") < html.index("郑上路")
    assert "拒绝连接 &lt;b&gt;" in html
    assert "不可达 10 分钟" in text_of(html)
    only = page(console, "/cameras?state=unreachable", "operator")
    assert "cam-2" in only
    assert "郑上路" not in only
    assert "cam-2" not in page(console, "/cameras", "member")


def test_a_thousand_cameras_do_not_bury_those_in_trouble(
    desk: Desk, tmp_path: Path, accounts: Accounts, clock
):
    many = [{"camera_id": f"cam-{n:04d}", "state": "live"} for n in range(1050)]
    many.append({"camera_id": "zz", "state": "dark"})
    app = create_app(desk, pictures_in(tmp_path, clock), lambda: many, accounts, clock=clock)
    cookie = {"gridwatch": accounts.sessions.begin("operator")}
    with serve(app, port=0) as url, httpx.Client(base_url=url, cookies=cookie) as browser:
        html = browser.get("/cameras").text
    assert html.index("zz") < html.index("cam-0000")
    assert "另有 951 路" in html


def test_a_ticket_that_no_camera_found_says_who_did_and_what_they_wrote(console: Running):
    filed = console.desk.file_report(report(description="<script>alert(1)</script> 坑"))
    html = page(console, f"/tickets/{filed.ticket_id}")
    assert "来源 居民上报" in text_of(html)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; 坑" in html
    assert "%" not in text_of(html)
    assert filed.ticket_id in page(console, "/queue")


def test_what_comes_from_outside_can_not_become_markup(console: Running):
    ticket_id = console.file(camera='"><script>alert(1)</script>')
    console.desk.move(ticket_id, "accept", by="李四", note="<img src=x onerror=alert(2)>")
    html = page(console, f"/tickets/{ticket_id}")
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;alert(1)" in html


@pytest.mark.parametrize("path", [*PAGES, "ticket", "/nowhere"])
def test_a_page_needs_nothing_from_elsewhere_and_no_inline_code(console: Running, path: str):
    ticket_id = console.file()
    path = path if path.startswith("/") else f"/tickets/{ticket_id}"
    with console.browser(None if path == "/sign-in" else "head") as browser:
        answer = browser.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert re.findall(r'(?:src|href|action)="(?![/#])[^"]*"', answer.text) == []
        assert (
            re.findall(r"<script(?! src=)|<style|\sstyle=|\son\w+=|javascript:", answer.text) == []
        )
        total = len(answer.content)
        for address in set(re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text)):
            file = browser.get(address)
            assert file.status_code == 200
            assert "immutable" in file.headers["cache-control"]
            total += len(file.content)
    assert total < 150_000  # not even compressed


def test_answers_are_kept_by_no_cache_and_framed_by_nobody(console: Running):
    with console.browser("member") as browser:
        headers = browser.get("/queue").headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_without_redis_the_pages_say_so_and_recover_by_themselves(
    tmp_path: Path, accounts: Accounts, clock
):
    far = Redis(unix_socket_path=str(tmp_path / "nobody.sock"), retry=Retry(NoBackoff(), 0))
    desk = Desk(far, small_town(), clock=clock)
    app = create_app(desk, pictures_in(tmp_path, clock), lambda: CAMERAS, accounts, clock=clock)
    cookie = {"gridwatch": accounts.sessions.begin("member")}
    with serve(app, port=0) as url, httpx.Client(base_url=url, cookies=cookie) as browser:
        answer = browser.get("/queue")
        assert browser.get("/cameras").status_code == 200
    assert answer.status_code == 503
    assert "暂时无法读取案卷" in answer.text
    assert "nobody.sock" not in answer.text


def test_unknown_tickets_and_pages_are_answered_plainly(console: Running):
    with console.browser("member") as browser:
        for path in ("/tickets/YL20261123-999999", "/nowhere", "/tickets/%00", "/tickets/..%2f"):
            answer = browser.get(path)
            assert answer.status_code == 404
            assert "没有这个" in answer.text


def test_every_state_and_step_has_a_name_in_both_languages(console: Running):
    found = incident()
    filing = console.desk.file(found)
    console.desk.file(incident(2))
    console.desk.update(replace(found, cleared_at=NOON + 5))
    for action in ("accept", "handle", "feed_back", "close"):
        console.desk.move(filing.ticket_id, action, by="李四")  # type: ignore[arg-type]
    text = text_of(page(console, f"/tickets/{filing.ticket_id}"))
    for words in ("立案", "并入新发现", "画面中已消失", "结案", "已结案"):
        assert words in text


def test_each_role_begins_where_its_work_is(console: Running):
    for role, first in (("member", "/queue"), ("operator", "/cameras"), ("command", "/command")):
        with console.browser(role) as browser:
            assert browser.get("/").headers["location"] == first


def test_it_is_served_until_the_block_ends_and_an_address_in_use_is_named(
    desk: Desk, tmp_path: Path, accounts: Accounts, clock
):
    app = create_app(desk, pictures_in(tmp_path, ManualClock()), list, accounts)
    with serve(app, port=0) as url:
        assert httpx.get(url + "sign-in").status_code == 200
        port = int(url.rstrip("/").rpartition(":")[2])
        with pytest.raises(SettingsError, match=f"127.0.0.1:{port}"), serve(app, port=port):
            pass
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    socket.create_server(("127.0.0.1", port)).close()


def test_a_flag_for_https_makes_cookies_secure(start: Callable[..., Running]):
    console = start(https=True)
    with console.browser() as browser:
        answer = browser.post("/sign-in", data={"name": "member", "password": "rain-at-night-7"})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-gridwatch=")
    for flag in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
        assert flag in cookie
    assert "max-age" in answer.headers["strict-transport-security"]
