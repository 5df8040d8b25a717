"""The list of duties on its page: shown to all, changed by an admin, in force at once."""

from __future__ import annotations

import difflib
import threading
from typing import TYPE_CHECKING

import pytest
from forms import forms_of, send, text_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ticket_town import incident

from pipeline.clock import ManualClock
from pipeline.console.accounts import ROLES
from pipeline.console.duty_list import DutyList, values_of
from pipeline.errors import DutiesChangedError, DutiesError
from pipeline.reload import DutiesWatch
from pipeline.shipped import shipped
from pipeline.town import load_duties
from pipeline.town.duties import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    from console_town import Running

CRASH = "/duties/edit?hazard=blockage&kind=crash"


@pytest.fixture
def admin(console: Running) -> Iterator[httpx.Client]:
    with console.browser("admin") as browser:
        yield browser


def changed_lines(before: str, after: str) -> list[str]:
    diff = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in diff if line[0] in "+-" and line[:3] not in ("+++", "---")]


def test_everybody_sees_what_is_owed_and_an_admin_alone_may_change_it(console: Running):
    for role in ROLES:
        with console.browser(role) as browser:
            page = browser.get("/duties")
            assert "交通事故占道" in page.text
            assert "3 工作日" in text_of(page.text)
            assert ("/duties/edit" in page.text) == (role == "admin")


def test_a_change_is_in_the_file_in_force_kept_before_and_in_the_audit(
    console: Running, admin: httpx.Client, duty_list: DutyList
):
    before = duty_list.path.read_text("utf-8")
    page = send(admin, CRASH, "/duties/edit", handle_limit="3h", department="交警大队")
    assert "已保存" in page.text
    assert changed_lines(before, duty_list.path.read_text("utf-8")) == [
        "-      department: 交通警察",
        "-      handle_limit: 2h",
        "+      department: 交警大队",
        "+      handle_limit: 3h",
    ]
    assert duty_list.path.with_name("duties.yaml.before").read_text("utf-8") == before
    assert str(console.desk.town.duties.of("blockage", "crash").handle_limit) == "3h"
    line = admin.get("/audit/export?kind=duties&format=jsonl").json()
    assert (line["who"], line["subject"]) == ("admin", "blockage.crash")
    assert line["details"]["handle_limit"] == "2h > 3h"


def test_what_is_filed_from_then_on_goes_by_the_new_and_what_was_filed_before_by_the_old(
    console: Running, admin: httpx.Client
):
    old = console.desk.ticket(console.file(1, east_m=300))
    send(admin, "/duties/edit?hazard=road_collapse", "/duties/edit", handle_limit="2h")
    new = console.desk.ticket(console.file(2, east_m=700))
    assert (old.handle_due_at - old.filed_at, new.handle_due_at - new.filed_at) == (86400, 7200)
    assert console.desk.ticket(old.ticket_id).handle_due_at == old.handle_due_at


@pytest.mark.parametrize(
    "field,typed,says",
    [
        ("handle_limit", "soon", "处置时限：时限写成数字加单位"),
        ("handle_limit", "4wh", "处置时限：按自然时间计时"),
        ("radius_m", "-1", "并案半径（米）：不能这样填"),
        ("radius_m", "many", "并案半径（米）：不能这样填"),
        ("radius_m", "nan", "并案半径（米）：不能这样填"),
        ("evidence_days", "0", "证据保存（天）：不能这样填"),
        ("event_code", "04 01", "事件代码：不能这样填"),
        ("department", " ", "责任部门：不能这样填"),
        ("severity", "terrible", "严重程度：不能这样填"),
    ],
)
def test_what_the_file_may_not_hold_is_refused_and_what_was_typed_stays(
    admin: httpx.Client, duty_list: DutyList, field: str, typed: str, says: str
):
    before = duty_list.path.read_bytes()
    page = send(admin, CRASH, "/duties/edit", **{field: typed, "name_zh": "新名称"})
    assert page.status_code == 422
    assert f"没有保存。{says}" in text_of(page.text)
    assert forms_of(page.text)["/duties/edit"]["name_zh"] == "新名称"
    assert duty_list.path.read_bytes() == before


def test_a_file_that_changed_meanwhile_is_not_touched(admin: httpx.Client, duty_list: DutyList):
    form = forms_of(admin.get(CRASH).text)["/duties/edit"]
    other = duty_list.path.read_text("utf-8").replace("radius_m: 50", "radius_m: 60")
    duty_list.path.write_text(other, "utf-8")
    for path in ("/duties/edit", "/duties/remove"):
        page = admin.post(path, data=form | {"handle_limit": "3h"})
        assert page.status_code == 409
        assert "刚被别人改过" in page.text
    assert duty_list.path.read_text("utf-8") == other


def test_a_kind_gets_a_duty_of_its_own_and_loses_it_again(
    console: Running, admin: httpx.Client, duty_list: DutyList
):
    text = duty_list.path.read_text("utf-8")
    start = text.index("    vehicle:")
    without = text[:start] + text[text.index("    object:") :]
    duty_list.path.write_text(without, "utf-8")
    address = "/duties/edit?hazard=blockage&kind=vehicle"
    assert address.replace("&", "&amp;") in admin.get("/duties").text
    send(admin, address, "/duties/edit", department="交通警察")
    added = changed_lines(without, duty_list.path.read_text("utf-8"))
    assert added == ["+    vehicle:", "+      department: 交通警察"]
    assert console.desk.town.duties.of("blockage", "vehicle").department == "交通警察"
    send(admin, address, "/duties/remove")
    assert duty_list.path.read_text("utf-8") == without
    assert console.desk.town.duties.of("blockage", "vehicle").department == "城市管理"


def test_a_wrong_file_is_said_and_the_duties_in_force_are_shown(
    console: Running, admin: httpx.Client, duty_list: DutyList
):
    duty_list.path.write_text("crowd: {}\n", "utf-8")
    page = admin.get("/duties")
    assert "没有生效" in page.text
    assert "路面塌陷" in page.text
    assert "/duties/edit" not in page.text
    assert admin.get(CRASH).status_code == 409


def test_a_file_that_can_not_be_written_is_said(
    admin: httpx.Client, duty_list: DutyList, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.console.duty_list.write_atomically", full)
    page = send(admin, CRASH, "/duties/edit", handle_limit="3h")
    assert page.status_code == 503
    assert "No space left" in page.text


@pytest.mark.parametrize("query", ["hazard=flood", "hazard=crowd&kind=crash", ""])
def test_a_duty_that_there_is_not_is_said(admin: httpx.Client, query: str):
    assert admin.get(f"/duties/edit?{query}").status_code == 404


def test_of_two_who_save_at_once_one_is_refused(duty_list: DutyList):
    listed = duty_list.read()
    values = values_of(listed.duties.of("crowd"))
    won: list[str] = []

    def save(days: int) -> None:
        try:
            DutyList(duty_list.path).change(
                "crowd", None, values | {"evidence_days": days}, listed.version
            )
            won.append(str(days))
        except DutiesChangedError:
            pass

    threads = [threading.Thread(target=save, args=(days,)) for days in range(100, 108)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (days,) = won
    assert duty_list.read().duties.of("crowd").evidence_days == int(days)


texts = st.text(max_size=20)
limits = st.one_of(st.sampled_from(["30min", "24h", "4wh", "3wd", "1e3h", "0h"]), texts)
ODD = ["yes", "null", "0x10", "a: b", "# c", "~"]
changes = st.fixed_dictionaries(
    {},
    optional={
        "name_zh": texts,
        "department": st.one_of(
            texts, st.sampled_from(["yes", "null", "0x10", "a: b", "# c", "~"])
        ),
        "event_code": st.one_of(texts, st.from_regex(r"\A[0-9A-Z]{1,4}(-[0-9]{1,2})?\Z")),
        "handle_limit": limits,
        "calendar": st.sampled_from(["wall", "working"]),
        "radius_m": st.floats(-1, 1001),
        "evidence_days": st.integers(-1, 4000),
        "emergency": st.booleans(),
    },
)
places = st.sampled_from([(hazard, kind) for hazard in KINDS for kind in (None, *KINDS[hazard])])


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(place=places, wanted=changes)
def test_whatever_is_asked_for_is_written_as_it_is_or_refused_whole(
    tmp_path: Path, place, wanted: dict[str, object]
):
    file = tmp_path / "duties.yaml"
    file.write_bytes(shipped("configs/yulong/duties.yaml").read_bytes())
    duties, (hazard, kind) = DutyList(file), place
    before = duties.read()
    values = values_of(before.duties.of(hazard, kind)) | wanted
    try:
        duties.change(hazard, kind, values, before.version)
    except DutiesError:
        assert duties.read().version == before.version
        return
    after = load_duties(file)
    assert values_of(after.of(hazard, kind)) == values
    for duty in before.duties:
        if duty.hazard != hazard or (kind is not None and duty.kind != kind):
            assert after.own(duty.hazard, duty.kind) == duty
    for comment in before_comments(shipped("configs/yulong/duties.yaml").read_text("utf-8")):
        assert comment in file.read_text("utf-8")


def before_comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("#")]


def test_a_running_desk_takes_a_changed_file_over_and_not_a_wrong_one(
    console: Running, duty_list: DutyList
):
    duties = console.desk.town.duties
    watch = DutiesWatch(duty_list.path, duties, clock=ManualClock())

    def poll() -> None:
        for _ in range(2):
            watch.poll()

    poll()
    assert str(duties.of("crowd").accept_limit) == "15min"
    good = duty_list.path.read_text("utf-8")
    duty_list.path.write_text(good.replace("accept_limit: 15min", "accept_limit: soon"), "utf-8")
    poll()
    assert str(duties.of("crowd").accept_limit) == "15min"
    assert "crowd.accept_limit" in watch.problem
    duty_list.path.write_text(good.replace("accept_limit: 15min", "accept_limit: 20min"), "utf-8")
    poll()
    assert watch.problem == ""
    ticket = console.desk.ticket(
        console.desk.file(incident(5, hazard="crowd", east_m=100)).ticket_id
    )
    assert ticket.accept_due_at - ticket.filed_at == 20 * 60
