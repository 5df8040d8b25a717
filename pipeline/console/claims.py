"""When something was done by the telephone's clock: a claim, shown beside the server's time.

Nothing is decided by it and no limit runs by it. It is kept only where it can be true at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.console import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.console.words import Language, Pair

WRONG_FROM_S = 120.0  # a telephone is right to the second; less may be the slow line
_ROOM_S = 2.0  # clocks are read one after the other
_MOST_MS = 253_402_300_799_000  # the year 9999: what lies beyond is no time

CHANGED: Pair = (
    "手机时间在操作之后被改过，操作时间没有记录；时限一律按服务器时间计算。",
    (
        "The phone's time was changed after this was done: when it was done is not recorded. "
        "Limits run by the server's time."
    ),
)


@dataclass(frozen=True, slots=True)
class Claim:
    """``done_at`` and ``told_at`` as the telephone's clock said (Unix seconds).

    ``ahead_s``: how far that clock was ahead of the server's when the step arrived.
    """

    done_at: float
    told_at: float
    ahead_s: float

    @property
    def really(self) -> float:
        """When it was done by the server's clock, if the telephone's wasn't changed meanwhile."""
        return self.done_at - self.ahead_s

    @property
    def wrong(self) -> bool:
        """Whether the telephone's clock tells another time than the server's."""
        return abs(self.ahead_s) >= WRONG_FROM_S

    def holds(self, filed_at: float) -> bool:
        """Whether it can be true: done before it was told, and after the ticket was there."""
        return self.done_at <= self.told_at + _ROOM_S and self.really >= filed_at - WRONG_FROM_S

    def facts(self) -> dict[str, str]:
        """What stands in the history beside the server's time."""
        claimed = datetime.fromtimestamp(self.done_at, UTC).isoformat(timespec="seconds")
        return {
            "claimed_at": claimed.replace("+00:00", "Z"),
            "clock_ahead_s": f"{self.ahead_s:.0f}",
        }

    def said(self) -> Pair | None:
        """What its owner must hear of the clock; None: nothing."""
        if not self.wrong:
            return None
        zh, en = (_off(self.ahead_s, language) for language in words.LANGUAGES)
        return (
            f"手机时钟{zh}，请在手机设置里改为自动；时限一律按服务器时间计算。",
            f"Your phone's clock is {en}: set it to automatic. Limits run by the server's time.",
        )


def claim_of(done_ms: str, told_ms: str, now: float) -> Claim | None:
    """What a form says (milliseconds since 1970); None where it says nothing that is a time."""
    done, told = (_seconds(text) for text in (done_ms, told_ms))
    if done is None or told is None:
        return None
    return Claim(done, told, told - now)


def claim_text(facts: Mapping[str, str], now: float, language: Language) -> str:
    """What the history says of it; nothing where there is none."""
    try:
        done_at = datetime.fromisoformat(facts["claimed_at"]).timestamp()
        ahead_s = float(facts["clock_ahead_s"])
    except (KeyError, ValueError):
        return ""
    moment = words.moment(done_at, now, language)
    off = _off(ahead_s, language) if abs(ahead_s) >= WRONG_FROM_S else ""
    if language == "en":
        return f"offline, at {moment} by the phone" + (f", whose clock is {off}" if off else "")
    return f"离线操作，手机时间 {moment}" + (f"（手机时钟{off}）" if off else "")


def _off(ahead_s: float, language: Language) -> str:
    span = words.span(abs(ahead_s), language)
    if language == "en":
        return f"{span} {'fast' if ahead_s > 0 else 'slow'}"
    return f"{'快' if ahead_s > 0 else '慢'} {span}"


def _seconds(text: str) -> float | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 15 and int(text) <= _MOST_MS):
        return None
    return int(text) / 1000
