"""The console as an app: pages that open without a network, steps that go when there is one."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from browsing import Line
from console_town import PASSWORD
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from test_console_browser import CHROMIUM, FLAGS, SIZES, WITHIN_MS, photo, violations  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from console_town import Running
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}")
sizes = pytest.mark.parametrize("size", SIZES)
KEPT = "async path => Boolean(await caches.match(path))"


class Phone:
    """A browser behind a line of its own, signed in; what it keeps outlives its pages."""

    def __init__(self, console: Running, chromium: Browser, line: Line) -> None:
        self.console = console
        self.line = line
        self.url = f"http://127.0.0.1:{line.port}/"
        self.faults: list[str] = []
        self._chromium = chromium
        self.contexts: list[BrowserContext] = []
        self.context = self._new("phone")

    def _new(self, size: str) -> BrowserContext:
        width, height = SIZES[size]
        context = self._chromium.new_context(
            base_url=self.url,
            viewport={"width": width, "height": height},
            has_touch=size == "phone",
            is_mobile=size == "phone",
        )
        self.contexts.append(context)
        return context

    def signed_in(self, name: str = "member", size: str = "phone") -> Phone:
        self.context = self._new(size)
        secret = self.console.accounts.sessions.begin(name)
        self.context.add_cookies([{"name": "gridwatch", "value": secret, "url": self.url}])
        return self

    def open(self, path: str = "/queue") -> Page:
        page = self.context.new_page()
        page.set_default_timeout(WITHIN_MS)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on(
            "console",
            lambda said: self.faults.append(said.text) if "Content Security" in said.text else None,
        )
        page.goto(path)
        return page

    def with_kept(self, *paths: str) -> Page:
        """The queue, open, with all of this kept for later."""
        page = self.open()
        for path in ("/queue", *paths):
            until(page, lambda path=path: page.evaluate(KEPT, path))
        return page


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def phone(live_console: Running, chromium: Browser) -> Iterator[Phone]:
    line = Line(urlsplit(live_console.url).port or 0)
    phone = Phone(live_console, chromium, line)
    yield phone
    for context in phone.contexts:
        context.close()
    line.close()
    assert phone.faults == []


def until(page: Page, holds: Callable[[], object]) -> None:
    """Look again and again while the browser goes on."""
    for _ in range(WITHIN_MS // 50):
        if holds():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it never came true")


def steps(phone: Phone, ticket_id: str) -> list[tuple[str, str]]:
    ticket = phone.console.desk.ticket(ticket_id)
    return [(one.action, one.by) for one in ticket.steps if one.by != "desk"]


def sent(phone: Phone, ticket_id: str, count: int) -> list[tuple[str, str]]:
    """The steps of people, once there are so many."""
    page = phone.open("/sign-in")
    until(page, lambda: len(steps(phone, ticket_id)) >= count)
    page.close()
    return steps(phone, ticket_id)


@sizes
def test_the_queue_and_its_tickets_open_without_a_network_and_say_of_when_they_are(
    phone: Phone, size: str
):
    ticket_id = phone.console.file()
    phone.signed_in(size=size)
    phone.with_kept(f"/tickets/{ticket_id}", f"/tickets/{ticket_id}/pictures/0/thumb").close()
    phone.line.cut()
    for path in ("/", "/queue", f"/tickets/{ticket_id}"):
        page = phone.open(path)
        assert page.get_by_text("没有网络：这是 11/23 12:00 的内容").is_visible()
        assert page.get_by_text("路面塌陷").first.is_visible()
        picture = page.locator("main img").first
        picture.scroll_into_view_if_needed()
        page.wait_for_function(
            "one => one.complete && one.naturalWidth > 0", arg=picture.element_handle()
        )
        assert violations(page) == []
        page.close()
    page = phone.open("/map")
    assert page.get_by_text("这一页没有存在手机里").is_visible()


def test_steps_taken_without_a_network_wait_and_go_in_order_when_there_is_one(phone: Phone):
    """Accepted, begun and reported done with a photo: the page offers each after the other."""
    ticket_id = phone.console.file()
    phone.signed_in()
    phone.with_kept(f"/tickets/{ticket_id}").close()
    phone.line.cut()
    page = phone.open("/queue")
    page.get_by_role("button", name=re.compile("^受理")).click()
    page.get_by_text("待发送：受理").wait_for()
    page.get_by_role("link", name=re.compile("路面塌陷")).first.click()
    page.get_by_role("button", name="已到场，开始处置").click()
    page.get_by_label("说明").fill("已填补")
    page.locator("#next-photo-feed_back").set_input_files([photo()])
    page.get_by_role("button", name="处置完毕，反馈").click()
    listed = page.get_by_role("region", name=re.compile("待发送"))
    listed.get_by_text("已填补").wait_for()
    assert listed.locator("li strong").all_inner_texts() == ["受理", "到场处置", "反馈"]
    assert violations(page) == []
    page.close()  # and the telephone is put away
    assert steps(phone, ticket_id) == []
    phone.console.clock.sleep(1800)
    phone.line.mend()
    page = phone.open("/queue")
    page.get_by_text("已发送：反馈").wait_for()
    page.get_by_role("region", name=re.compile("待发送")).wait_for(state="hidden")
    assert steps(phone, ticket_id) == [
        ("accept", "member"),
        ("handle", "member"),
        ("feed_back", "member"),
    ]
    last = phone.console.desk.ticket(ticket_id).steps[-1]
    assert last.note == "已填补"
    kept = (phone.console.folder / "evidence" / last.facts["picture"]).read_bytes()
    with Image.open(io.BytesIO(kept)) as picture:
        assert picture.size == (1280, 960)


def test_a_step_whose_answer_was_lost_is_taken_once(phone: Phone):
    """It had arrived when the line broke: what waits is the same command."""
    ticket_id = phone.console.file()
    page = phone.signed_in().with_kept(f"/tickets/{ticket_id}")
    page.route("**/accept", lambda route: (route.fetch(), route.abort()))
    page.get_by_role("button", name=re.compile("^受理")).click()
    page.get_by_text("已发送：受理").wait_for()
    assert steps(phone, ticket_id) == [("accept", "member")]
    page.get_by_text("已受理").first.wait_for()


def test_what_had_changed_meanwhile_is_not_done_and_what_was_written_is_kept(phone: Phone):
    ticket_id = phone.console.file()
    at = f"/tickets/{ticket_id}"
    phone.signed_in()
    phone.with_kept(at).close()
    phone.line.cut()
    page = phone.open(at)
    page.locator("#do-return summary").click()
    page.locator("#note-return").fill("属于西村")
    page.locator("#photo-return").set_input_files([photo()])
    page.locator("#do-return button").click()
    page.get_by_role("region", name=re.compile("待发送")).get_by_text("属于西村").wait_for()
    page.close()
    phone.console.desk.move(ticket_id, "accept", by="李四")
    phone.line.mend()
    page = phone.open("/queue")
    listed = page.get_by_role("region", name=re.compile("待发送"))
    listed.get_by_text("现在是“已受理”（受理，李四，12:00）").wait_for()
    assert listed.get_by_text("属于西村").is_visible()
    assert steps(phone, ticket_id) == [("accept", "李四")]
    # On the ticket as it is now it stands in its form again, and may be sent.
    page.goto(at)
    page.wait_for_function("() => document.querySelector('#note-return').value === '属于西村'")
    page.locator("#do-return button").click()
    page.get_by_text("已完成：退回").wait_for()
    page.get_by_role("region", name=re.compile("待发送")).wait_for(state="hidden")
    last = phone.console.desk.ticket(ticket_id).steps[-1]
    assert (last.action, last.note) == ("return", "属于西村")
    assert "picture" in last.facts


def test_what_waits_survives_the_end_of_the_session_and_goes_after_signing_in(phone: Phone):
    ticket_id = phone.console.file()
    phone.signed_in()
    phone.with_kept(f"/tickets/{ticket_id}").close()
    phone.line.cut()
    page = phone.open()
    page.get_by_role("button", name=re.compile("^受理")).click()
    page.get_by_text("待发送：受理").wait_for()
    page.close()
    phone.console.accounts.sessions.end_all("member")
    phone.line.mend()
    page = phone.open()
    page.get_by_text("这台手机上有未发送的操作，本人登录后自动发送").wait_for()
    assert not page.get_by_text("路面塌陷").is_visible()
    assert steps(phone, ticket_id) == []
    page.get_by_label("用户名").fill("member")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.get_by_text("已发送：受理").wait_for()
    assert steps(phone, ticket_id) == [("accept", "member")]


def test_another_user_of_the_phone_sees_nothing_of_the_first_ones(phone: Phone):
    """Whose session had ended: their pages are gone, their steps wait for them alone."""
    ticket_id = phone.console.file()
    phone.signed_in()
    phone.with_kept(f"/tickets/{ticket_id}").close()
    phone.line.cut()
    page = phone.open(f"/tickets/{ticket_id}")
    page.locator("#do-return summary").click()
    page.locator("#note-return").fill("只有我知道")
    page.locator("#do-return button").click()
    page.get_by_role("region", name=re.compile("待发送")).get_by_text("只有我知道").wait_for()
    page.close()
    phone.line.mend()
    phone.context.clear_cookies()
    secret = phone.console.accounts.sessions.begin("west")
    phone.context.add_cookies([{"name": "gridwatch", "value": secret, "url": phone.url}])
    page = phone.open()
    page.get_by_text("现在没有等您处理的案卷").wait_for()
    until(page, lambda: not page.evaluate(KEPT, f"/tickets/{ticket_id}"))
    assert "只有我知道" not in page.content()
    page.close()
    phone.line.cut()
    page = phone.open(f"/tickets/{ticket_id}")
    assert page.get_by_text("这一页没有存在手机里").is_visible()
    assert "只有我知道" not in page.content()
    assert steps(phone, ticket_id) == []
    page.close()
    # The first one comes back: what they did goes out.
    phone.line.mend()
    secret = phone.console.accounts.sessions.begin("member")
    phone.context.add_cookies([{"name": "gridwatch", "value": secret, "url": phone.url}])
    assert phone.open().get_by_text("已发送：退回").wait_for() is None
    assert steps(phone, ticket_id) == [("return", "member")]


def test_signing_out_names_what_waits_and_takes_all_that_was_kept_with_it(phone: Phone):
    ticket_id = phone.console.file()
    at = f"/tickets/{ticket_id}"
    phone.signed_in()
    phone.with_kept(at, "/queue").close()
    phone.line.cut()
    page = phone.open()
    page.get_by_role("button", name=re.compile("^受理")).click()
    page.get_by_text("待发送：受理").wait_for()
    page.close()
    # The server does not take steps at the moment: they keep waiting.
    phone.context.route("**/offline/tickets/**", lambda route: route.fulfill(status=503, body="{}"))
    phone.line.mend()
    page = phone.context.new_page()
    page.goto("/account")
    page.get_by_role("region", name=re.compile("待发送")).get_by_text("受理").wait_for()
    page.get_by_role("button", name="退出登录").click()
    asked = page.get_by_role("dialog", name="还有没有发送的操作")
    assert asked.get_by_text("受理 · 路面塌陷").is_visible()
    asked.get_by_role("button", name="不退出，先发送").click()
    assert page.url.endswith("/account")
    page.get_by_role("button", name="退出登录").click()
    asked.get_by_role("button", name="删除并退出").click()
    page.wait_for_url("**/sign-in")
    assert not page.evaluate(KEPT, at)
    assert not page.evaluate(KEPT, "/queue")
    assert page.evaluate("Waiting.everything()") == []
    page.close()
    phone.line.cut()
    assert phone.open(at).get_by_text("这一页没有存在手机里").is_visible()
    assert steps(phone, ticket_id) == []


def test_a_wrong_clock_of_the_phone_is_told_and_changes_no_limit(phone: Phone):
    """The server lives in November 2026; the telephone has the time of this machine."""
    ticket_id = phone.console.file()
    due = phone.console.desk.ticket(ticket_id).handle_due_at
    phone.signed_in()
    phone.with_kept(f"/tickets/{ticket_id}").close()
    phone.line.cut()
    page = phone.open()
    page.get_by_role("button", name=re.compile("^受理")).click()
    page.get_by_text("待发送：受理").wait_for()
    phone.console.clock.sleep(900)
    phone.line.mend()
    page.get_by_role("button", name="立即发送").click()
    page.get_by_text(
        re.compile("已发送：受理.*手机时钟[快慢].*时限一律按服务器时间计算")
    ).wait_for()
    ticket = phone.console.desk.ticket(ticket_id)
    assert ticket.steps[-1].at == phone.console.clock.now()
    assert ticket.handle_due_at == due
    page.goto(f"/tickets/{ticket_id}")
    page.get_by_text(re.compile("离线操作，手机时间 .*（手机时钟[快慢] ")).wait_for()


def test_a_browser_finds_nothing_that_keeps_it_from_installing_the_app(phone: Phone):
    page = phone.signed_in().with_kept()
    session = phone.context.new_cdp_session(page)
    told = session.send("Page.getAppManifest")
    assert told["errors"] == []
    assert json.loads(told["data"])["display"] == "standalone"
    found = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # A private window installs nothing; nothing else is in the way.
    assert {one["errorId"] for one in found} <= {"in-incognito"}
