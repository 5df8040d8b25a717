"""What happened, as the tables and messages of docs/loop.md say it."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.console import words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loop_town import Happening, Message

    from pipeline.tickets import Step

PAGE = Path(__file__).parents[2] / "docs" / "loop.md"
REWRITE = "GRIDWATCH_REWRITE_DOCS"
"""Set in the environment, the page is brought up to date instead of being compared."""

HEAD = (
    "| 时间 when | 谁 who | 做了什么 what | 状态 state | 时限、灯 limit, lamp "
    "| 谁收到什么 who is told |\n"
    "|---|---|---|---|---|---|\n"
)
PEOPLE = {
    "member": "网格员 member",
    "head": "网格长 head",
    "first": "一级网格 first level",
    "office": "应急办 emergency office",
    "cap": "应急系统 its system",
}
_LAMPS = {"green": "绿灯 green", "yellow": "黄灯 yellow", "red": "红灯 red", "none": ""}
_LIMITS = {"受理时限": "受理 accept", "处置时限": "处置 handle"}


def table(happenings: Sequence[Happening], who: Mapping[str, str]) -> str:
    """``who``: by whom a step was taken -> what that person is called in the page."""
    return HEAD + "".join(f"| {' | '.join(_row(one, who))} |\n" for one in happenings)


def message(one: Message) -> str:
    """All of it, as its reader sees it."""
    return f"```text\n{one.text}\n```\n"


def compare(name: str, text: str) -> None:
    """The part of the page between ``<!-- name -->`` and ``<!-- /name -->`` says just this."""
    page = PAGE.read_text("utf-8")
    part = re.compile(rf"(<!-- {name} -->\n\n)(.*?)(\n?<!-- /{name} -->)", re.DOTALL)
    found = part.search(page)
    assert found, f"{PAGE} has no part {name}"
    if os.environ.get(REWRITE):
        PAGE.write_text(part.sub(lambda m: f"{m[1]}{text}\n{m[3].strip()}", page), "utf-8")
        return
    assert found[2] == text, f"{PAGE} is not what happens; run with {REWRITE}=1"


def stamp(unix_s: float) -> str:
    """In China, to the second where that isn't 0."""
    then = datetime.fromtimestamp(unix_s, UTC) + timedelta(hours=8)
    return f"{then:%m-%d %H:%M}" + (f":{then:%S}" if then.second else "")


def _row(one: Happening, who: Mapping[str, str]) -> list[str]:
    last = one.steps[-1]
    zh, en = words.STATES[last.state]
    return [
        stamp(one.steps[0].at),
        _actor(one.steps[0], who),
        "<br>".join(map(_what, one.steps)),
        f"{zh} {en}",
        _limit(one),
        "<br>".join(_told(one)),
    ]


def _actor(step: Step, who: Mapping[str, str]) -> str:
    if "camera_id" in step.facts:
        return f"摄像机 camera {step.facts['camera_id']}"
    return who[step.by]


def _what(step: Step) -> str:
    zh, en = words.STEPS[step.action]
    limit = {"accept": "（受理 accept）", "handle": "（处置 handle）"}.get(
        step.facts.get("limit", ""), ""
    )
    checked = step.facts.get("checked_by", "")
    said = f"：{step.note}" if step.note else ""
    picture = "，附照片 with a picture" if "picture" in step.facts else ""
    return f"{zh} {en}{limit}{said}{picture}" + (f"（{checked}）" if checked else "")


def _limit(one: Happening) -> str:
    lamp, running = one.lamp, one.steps[-1].due_at
    if running is None:
        return "—"
    return f"{_LIMITS[lamp.what]} {stamp(running)}<br>{lamp.left}，{_LAMPS[lamp.lamp]}"


def _told(one: Happening) -> list[str]:
    """Those who got the same words together, and how many seconds after the step."""
    groups: dict[str, list[str]] = {}
    for got in sorted(one.messages, key=lambda got: (got.at, [*PEOPLE].index(got.to))):
        after_s = got.at - one.steps[0].at
        words_of = got.title if got.to == "cap" else _short(got.title)
        groups.setdefault(f"{words_of}（+{after_s:g} s）", []).append(PEOPLE[got.to])
    return [f"{'、'.join(people)}: {said}" for said, people in groups.items()]


def _short(title: str) -> str:
    """What happened, without how grave it is and what it is about."""
    zh, en = title.partition("】")[2].split(" / ")
    return f"{zh.partition(' ')[2]} / {en.partition(', ')[2]}"
