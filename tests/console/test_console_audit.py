"""The page of the audit: what was done by page, by command and by program stands in it."""

from __future__ import annotations

import csv
import io
import json
import threading
from typing import TYPE_CHECKING

import httpx
import pytest
from console_town import EAST, PASSWORD
from forms import send, text_of
from redis.exceptions import ConnectionError as RedisConnectionError

from pipeline.console import Office
from pipeline.console.accounts import By
from pipeline.console.app import create_app
from pipeline.console.recording import Recorder
from pipeline.tickets import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from console_town import Running

    from pipeline.clock import ManualClock
    from pipeline.tickets import Audit

DAY_S = 86400.0


def exported(console: Running, query: str = "") -> list[dict[str, object]]:
    with console.browser("admin") as browser:
        answer = browser.get(f"/audit/export?format=jsonl{query}")
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


def actions(console: Running, query: str = "") -> list[tuple[object, object, object]]:
    return [(one["who"], one["action"], one["result"]) for one in exported(console, query)]


def test_signing_in_and_out_and_failing_to_stand_in_it_with_the_address(console: Running):
    with console.browser() as browser:
        form = {"name": "member", "password": "wrong-password"}
        browser.post("/sign-in", data=form)
        browser.post("/sign-in", data=form | {"password": PASSWORD})
        send(browser, "/account", "/sign-out")
    lines = exported(console, "&who=member")
    assert [(one["action"], one["result"]) for one in lines] == [
        ("sign-out", "done"),
        ("sign-in", "done"),
        ("sign-in", "refused: wrong password"),
    ]
    assert {one["origin"] for one in lines} == {"127.0.0.1"}


def test_steps_by_page_and_by_program_stand_in_it_refused_ones_too(console: Running):
    ticket_id = console.file()
    with console.browser("member") as browser:
        send(browser, f"/tickets/{ticket_id}", f"/tickets/{ticket_id}/accept")
    token = console.accounts.tokens.make("李四", "a program", 1)
    address = f"{console.url}api/v1/tickets/{ticket_id}"
    headers = {"Authorization": f"Bearer {token}"}
    body = {"command_id": "command-0001"}
    assert httpx.post(f"{address}/close", json=body, headers=headers).status_code == 403
    found = actions(console, f"&subject={ticket_id}")
    assert found == [
        ("李四", "tickets close", "refused: not for your role"),
        ("member", "tickets accept", "done"),
    ]
    assert ("李四", "tokens use", "done") in actions(console, "&kind=tokens")


def test_changes_of_users_stand_in_it_with_what_they_were(console: Running):
    console.accounts.users.change("李四", "head", [EAST], by=By("root", "box-1"))
    (line,) = exported(console, "&kind=users&subject=李四&who=root")
    assert line["origin"] == "box-1"
    details = line["details"]
    assert isinstance(details, dict)
    assert details["role"] == "member > head"


def test_the_page_finds_by_person_kind_subject_and_day(console: Running, clock: ManualClock):
    console.accounts.journal.taken(10**9)
    for day in range(3):
        for name in ("wang", "li"):
            console.accounts.journal.add(By(name, "box-1"), "users add", f"{name}-{day}")
        clock.sleep(DAY_S)
    console.accounts.journal.add(By("wang", "box-1"), "tickets accept", "YL20261123-000001")
    with console.browser("command") as browser:

        def shown(query: str) -> list[str]:
            text = text_of(browser.get(f"/audit?{query}").text)
            return [
                one
                for one in ("wang-0", "wang-1", "wang-2", "li-0", "li-1", "li-2", "YL20261123")
                if one in text
            ]

        assert shown("") == ["wang-0", "wang-1", "wang-2", "li-0", "li-1", "li-2", "YL20261123"]
        assert shown("who=li") == ["li-0", "li-1", "li-2"]
        assert shown("who=wang&kind=tickets") == ["YL20261123"]
        assert shown("since=2026-11-24&until=2026-11-24") == ["wang-1", "li-1"]
        assert shown("since=2026-11-25&kind=users") == ["wang-2", "li-2"]
        assert shown("subject=li-1") == ["li-1"]
        for query, status in (("kind=x", 404), ("since=2026-02-30", 422), ("before=0", 422)):
            assert browser.get(f"/audit?{query}").status_code == status


@pytest.mark.parametrize("archived", [0, 70, 130])
def test_pages_lead_from_the_newest_to_the_oldest_without_gap_or_repeat(
    console: Running, audit: Audit, archived: int
):
    """Wherever the border between Redis and the archive runs."""
    console.accounts.journal.taken(10**9)
    for number in range(130):
        audit.record("x", f"s-{number}", who="wang", origin="box-1")
        if number + 1 == archived:
            move_to_archive(audit)
    seen: list[str] = []
    with console.browser("admin") as browser:
        path: str | None = "/audit?who=wang"
        while path:
            html = browser.get(path).text
            seen += [word for word in text_of(html).split() if word.startswith("s-")]
            links = [part.split('"')[0] for part in html.split('href="') if "before=" in part[:80]]
            path = links[0].replace("&amp;", "&") if links else None
    assert seen == [f"s-{number}" for number in reversed(range(130))]
    assert [line.subject for line in audit.every(Wanted(who="wang"))] == seen


def move_to_archive(audit: Audit) -> None:
    rows = [
        {
            "number": number,
            "at": json.loads(content)["at"],
            **{name: json.loads(content)[name] for name in ("who", "action", "subject")},
            "content": content,
            "hash": digest,
        }
        for number, content, digest in audit._live()
    ]
    audit._archive.keep_audit(rows)
    audit._redis.delete(audit._keys.audit())


def test_the_file_for_spreadsheets_has_chinese_and_no_formulas(console: Running):
    console.accounts.journal.taken(10**9)
    console.accounts.journal.add(By("=cmd()", "box-1"), "users add", "王五", grids=["一"])
    with console.browser("admin") as browser:
        answer = browser.get("/audit/export?kind=users")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert (row["who"], row["subject"], row["at"]) == ("'=cmd()", "王五", "2026-11-23 12:00:00")
    assert "attachment" in answer.headers["content-disposition"]


def test_taking_the_audit_away_is_on_record(console: Running):
    exported(console, "&kind=users")
    (line,) = exported(console, "&kind=audit")[-1:]
    assert (line["who"], line["action"], line["details"]) == (
        "admin",
        "audit export",
        {"kind": "users"},
    )


def test_what_was_noted_while_the_audit_was_away_comes_later_and_once(
    console: Running, audit: Audit, monkeypatch: pytest.MonkeyPatch
):
    accounts = console.accounts
    accounts.journal.taken(10**9)
    recorder = Recorder(accounts, audit, console.clock)
    real, away = audit._add, threading.Event()
    away.set()

    def add(**call: object) -> object:
        if away.is_set():
            raise RedisConnectionError
        return real(**call)

    monkeypatch.setattr(audit, "_add", add)
    recorder.start()
    accounts.sessions.begin("李四")  # nobody waits for the audit
    recorder.tell(By("李四", "a"), "tickets accept", "YL-1")
    assert audit.lines() == []
    away.clear()
    recorder.close()
    recorder.flush()
    recorder.flush()
    assert [line.action for line in audit.lines()] == ["tickets accept", "sign-in"]
    assert accounts.journal.waiting() == []


def test_what_the_console_does_is_in_the_audit_when_it_has_stopped(
    start: Callable[..., Running], audit: Audit
):
    """In a server of its own, nobody opens the page of the audit."""
    running = start(live=True)
    with running.browser() as browser:
        browser.post("/sign-in", data={"name": "member", "password": PASSWORD})
    running.stop()
    assert ("member", "sign-in") in [(line.who, line.action) for line in audit.lines()]


def test_without_an_audit_the_page_says_so(console: Running):
    console.app.state.console = create_app(
        console.desk, console.pictures, list, console.accounts, office=Office()
    ).state.console
    with console.browser("admin") as browser:
        assert browser.get("/audit").status_code == 404
