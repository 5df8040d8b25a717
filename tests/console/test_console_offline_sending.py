"""What a telephone sends after it was without a network, and what it needs to be an app."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from console_town import PASSWORD
from forms import forms_of, text_of
from PIL import Image
from test_console_acting import photo
from ticket_town import NOON

from pipeline.console.drawing import STATIC

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from console_town import Running


def offline(
    console: Running, browser: httpx.Client, ticket_id: str, action: str, **more: object
) -> httpx.Response:
    """A step as the service worker sends it."""
    me = browser.get("/offline/hello").json()
    fields = {
        "command_id": f"command-{action.replace('_', '-')}",
        "version": console.desk.ticket(ticket_id).version,
        "note": "",
    }
    files = {"photo": ("photo.jpg", more.pop("photo"), "image/jpeg")} if "photo" in more else None
    path = f"/offline/tickets/{ticket_id}/{action}"
    headers = {"X-CSRF-Token": me["csrf"]}
    return browser.post(path, data={**fields, **more}, files=files, headers=headers)


def at(offset_s: float) -> int:
    return round(1000 * (NOON + offset_s))


def test_a_step_sent_later_is_taken_as_now_and_says_when_it_was_done_by_the_phone(
    console: Running,
):
    ticket_id = console.file()
    due = console.desk.ticket(ticket_id).handle_due_at
    console.clock.sleep(1800)
    with console.browser("member") as browser:
        answer = offline(
            console, browser, ticket_id, "accept", done_ms=at(600), told_ms=at(1800)
        ).json()
        html = browser.get(f"/tickets/{ticket_id}").text
    step = console.desk.ticket(ticket_id).steps[-1]
    assert answer == {"done": True, "version": step.version, "clock": None}
    assert step.at == NOON + 1800
    assert step.facts == {"claimed_at": "2026-11-23T04:10:00Z", "clock_ahead_s": "0"}
    assert console.desk.ticket(ticket_id).handle_due_at == due
    assert "12:30 受理 member 离线操作，手机时间 12:10" in text_of(html)


def test_the_photo_goes_with_its_step_and_the_claim_stays_beside_it(console: Running):
    ticket_id = console.file()
    console.desk.move(ticket_id, "accept", by="member")
    with console.browser("member") as browser:
        answer = offline(
            console,
            browser,
            ticket_id,
            "feed_back",
            photo=photo(),
            done_ms=at(0),
            told_ms=at(0),
        )
    assert answer.json()["done"]
    assert set(console.desk.ticket(ticket_id).steps[-1].facts) == {
        "picture",
        "claimed_at",
        "clock_ahead_s",
    }


def test_sent_twice_it_is_taken_once_and_answered_with_the_version_that_it_made(console: Running):
    """What had been done on top of it belongs to whoever did it: the next step is not for that."""
    ticket_id = console.file()
    version = console.desk.ticket(ticket_id).version
    with console.browser("member") as browser:
        first = offline(console, browser, ticket_id, "accept", version=version)
        console.desk.move(ticket_id, "handle", by="李四")
        again = offline(console, browser, ticket_id, "accept", version=version)
        assert again.json()["version"] == first.json()["version"]
        after = offline(console, browser, ticket_id, "feed_back", version=again.json()["version"])
    assert after.status_code == 409
    assert "现在是“处置中”（到场处置，李四，12:00）" in after.json()["error"]
    assert console.desk.ticket(ticket_id).state == "handling"


@pytest.mark.parametrize(
    "ahead_s,said",
    [
        (30, None),
        (7380, "手机时钟快 2 小时 03 分，请在手机设置里改为自动；时限一律按服务器时间计算。"),
        (-600, "手机时钟慢 10 分钟，"),
    ],
)
def test_a_phone_whose_clock_is_wrong_is_told_so_plainly(
    console: Running, ahead_s: float, said: str | None
):
    ticket_id = console.file()
    console.clock.sleep(60)
    with console.browser("member") as browser:
        answer = offline(
            console,
            browser,
            ticket_id,
            "accept",
            done_ms=at(30 + ahead_s),
            told_ms=at(60 + ahead_s),
        ).json()
    assert (answer["clock"] or "").startswith(said or "")
    assert bool(answer["clock"]) == bool(said)
    assert console.desk.ticket(ticket_id).steps[-1].facts["clock_ahead_s"] == f"{ahead_s:.0f}"


@pytest.mark.parametrize(
    "done_ms,told_ms",
    [
        (at(7200), at(60)),  # done after it was told
        (at(-86400), at(60)),  # done before the ticket was there
    ],
)
def test_a_time_that_can_not_be_true_is_not_kept_and_its_owner_hears_it(
    console: Running, done_ms: int, told_ms: int
):
    ticket_id = console.file()
    console.clock.sleep(60)
    with console.browser("member") as browser:
        answer = offline(console, browser, ticket_id, "accept", done_ms=done_ms, told_ms=told_ms)
    assert answer.json()["done"]
    assert "手机时间在操作之后被改过" in answer.json()["clock"]
    assert console.desk.ticket(ticket_id).steps[-1].facts == {}


@pytest.mark.parametrize("time", ["", "-1", "noon", "9" * 15, "9" * 400, "²", "1e9"])
def test_what_is_no_time_claims_nothing(console: Running, time: str):
    ticket_id = console.file()
    with console.browser("member") as browser:
        answer = offline(console, browser, ticket_id, "accept", done_ms=time, told_ms=time)
    assert answer.json()["clock"] is None
    assert console.desk.ticket(ticket_id).steps[-1].facts == {}


def test_every_refusal_is_told_to_the_program_in_the_words_of_its_user(console: Running):
    ticket_id, other = console.file(1), console.file(2, east_m=-600)
    with console.browser("member") as browser:
        refused = {
            422: offline(console, browser, ticket_id, "return", note=" "),
            403: offline(console, browser, other, "accept"),
            404: offline(console, browser, ticket_id, "fly"),
        }
        broken = offline(console, browser, ticket_id, "accept", photo=b"<html>")
        odd = offline(console, browser, ticket_id, "accept", version="²")
        for status, answer in refused.items():
            assert answer.status_code == status
        assert refused[422].json() == {"error": "请写明原因"}
        assert refused[403].json() == {"error": "这个案卷不属于您的网格"}
        assert "照片无法使用" in broken.json()["error"]
        assert odd.status_code == 422
        browser.get("/language/en")
        english = offline(console, browser, ticket_id, "return", note=" ").json()
        assert english == {"error": "a reason is needed"}
    nobody = console.browser().get("/offline/hello")
    assert (nobody.status_code, nobody.json()) == (401, {"error": "请先登录"})
    assert console.desk.ticket(ticket_id).state == "dispatched"


def test_pages_say_whose_they_are_and_of_when_and_only_to_who_is_signed_in(console: Running):
    ticket_id = console.file()
    with console.browser("member") as one, console.browser("李四") as other:
        page = one.get(f"/tickets/{ticket_id}")
        assert page.headers["x-gridwatch-owner"] != other.get("/queue").headers["x-gridwatch-owner"]
        assert page.headers["x-gridwatch-owner"] == one.get("/offline/hello").json()["owner"]
        assert page.headers["x-gridwatch-at"] == f"{NOON:.0f}"
        assert page.headers["x-gridwatch-version"] == str(console.desk.ticket(ticket_id).version)
        kept = one.get("/offline")
    assert "member" not in kept.text
    for answer in (kept, console.browser().get("/sign-in")):
        assert "x-gridwatch-owner" not in answer.headers


def test_signing_out_empties_the_browsers_own_store_of_pictures(console: Running):
    with console.browser("member") as browser:
        form = forms_of(browser.get("/account").text)["/sign-out"]
        answer = browser.post("/sign-out", data=form)
    assert answer.headers["clear-site-data"] == '"cache"'


def test_a_page_knows_what_may_come_after_the_next_step_and_only_what_its_user_may(
    console: Running,
):
    ticket_id = console.file()

    def ahead(role: str) -> dict[str, dict[str, str]]:
        with console.browser(role) as browser:
            html = browser.get(f"/tickets/{ticket_id}").text
        (told,) = re.findall(r'data-ahead="([^"]*)"', html)
        found: dict[str, dict[str, str]] = json.loads(told.replace("&#34;", '"'))
        later = html.partition('<template id="later">')[2].partition("</template>")[0]
        offered = set(re.findall(rf'action="/tickets/{ticket_id}/(\w+)"', later))
        assert offered == {step for steps in found.values() for step in steps} - set(
            found["dispatched"]
        )
        return found

    member = ahead("member")
    assert member["dispatched"]["accept"] == "accepted"
    assert list(member["accepted"]) == ["handle", "feed_back", "return", "escalate"]
    assert member["fed_back"] == {}
    assert member["escalated"] == {}  # the first level's
    assert ahead("head")["fed_back"] == {"close": "closed", "rework": "handling"}
    with console.browser("viewer") as browser:
        assert "<template" not in browser.get(f"/tickets/{ticket_id}").text


def test_the_manifest_names_icons_that_are_there_and_have_the_size_it_says(console: Running):
    with console.browser() as browser:
        answer = browser.get("/manifest.webmanifest")
        assert answer.headers["content-type"] == "application/manifest+json"
        said = answer.json()
        for icon in said["icons"]:
            with Image.open(STATIC / icon["src"].removeprefix("/static/").partition("?")[0]) as png:
                assert "{}x{}".format(*png.size) == icon["sizes"]
                corner = png.convert("RGBA").getpixel((0, 0))
                # A maskable one is cut by the telephone: its ground goes to the edge.
                assert corner == (19, 78, 138, 255) if "maskable" in icon["purpose"] else True
            assert browser.get(icon["src"]).status_code == 200
        assert {icon["purpose"] for icon in said["icons"]} == {"any", "maskable"}
        browser.get("/language/en")
        assert browser.get("/manifest.webmanifest").json()["name"] == "Grid tickets"


def test_the_service_worker_comes_from_the_root_and_changes_with_the_files_it_keeps(
    console: Running,
):
    with console.browser() as browser:
        answer = browser.get("/service-worker.js")
        assert answer.headers["content-type"].startswith("text/javascript")
        assert answer.headers["cache-control"] == "no-cache"
        assert "worker-src 'self'" in browser.get("/sign-in").headers["content-security-policy"]
        files = json.loads(answer.text.partition("const FILES = ")[2].partition(";\n")[0])
        for address in files.values():
            assert browser.get(address).status_code == 200
    ticket = console.file()
    with console.browser("member") as browser:
        for path in ("/queue", f"/tickets/{ticket}", "/account"):
            used = re.findall(r'(?:src|href)="(/static/(?!icons)[^"]+)"', browser.get(path).text)
            assert set(used) <= set(files.values())


def test_two_hundred_megabytes_are_answered_plainly_and_kept_nowhere(console: Running):
    ticket_id = console.file()

    def much() -> Iterator[bytes]:
        piece = bytes(1_000_000)
        for _ in range(200):
            yield piece

    with console.browser("member") as browser:
        before = _memory_mb()
        for path in (f"/tickets/{ticket_id}/accept", f"/offline/tickets/{ticket_id}/accept"):
            answer = browser.post(
                path,
                content=much(),
                headers={
                    "Content-Length": "200000000",
                    "Content-Type": "multipart/form-data; boundary=x",
                },
            )
            assert answer.status_code == 413
            assert "太大" in answer.text
        assert _memory_mb() - before < 60
        assert browser.get("/queue").status_code == 200
    assert console.desk.ticket(ticket_id).state == "dispatched"


def _memory_mb() -> float:
    with open("/proc/self/status", encoding="ascii") as file:  # noqa: PTH123
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))


def test_signing_in_again_after_the_session_ended_keeps_nothing_of_the_form_token(
    console: Running,
):
    """What waits carries no token: it asks for one when it goes."""
    ticket_id = console.file()
    with console.browser("member") as browser:
        old = browser.get("/offline/hello").json()["csrf"]
        console.accounts.sessions.end_all("member")
        browser.post("/sign-in", data={"name": "member", "password": PASSWORD})
        refused = browser.post(
            f"/offline/tickets/{ticket_id}/accept",
            data={"command_id": "command-0001", "version": "1"},
            headers={"X-CSRF-Token": old},
        )
        assert refused.status_code == 403
        assert offline(console, browser, ticket_id, "accept").json()["done"]
