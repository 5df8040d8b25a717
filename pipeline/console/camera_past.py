"""What a camera went through in the last days, ready to be shown."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.console import words
from pipeline.tickets import stays

if TYPE_CHECKING:
    from pipeline.console.camera_care import CameraCare
    from pipeline.console.words import Language

DAYS = 7
_DAY_S = 86400.0
_WIDTH = 1000.0  # of the bar
_CHANGES_SHOWN = 20
_GAPS_SHOWN = 8
_GAP_S = 600.0  # a gap is worth a line from here on


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the bar: a camera in one state; ``x`` and ``width`` of 1000."""

    x: float
    width: float
    tone: str


@dataclass(frozen=True, slots=True)
class Spell:
    """A line of the history: in this state from then on, for how long."""

    state: str
    tone: str
    at: str
    lasted: str
    why: str


@dataclass(frozen=True, slots=True)
class Share:
    """How much of the time that is known the camera was in this state."""

    state: str
    tone: str
    percent: str
    lasted: str


@dataclass(frozen=True, slots=True)
class Unseen:
    """Nobody looked at the whole picture for so long."""

    at: str
    lasted: str


@dataclass(frozen=True, slots=True)
class Past:
    """``known``: how much of the days is known; ``looks``: whole looks, None if nobody counts."""

    pieces: tuple[Piece, ...]
    shares: tuple[Share, ...]
    spells: tuple[Spell, ...]
    spells_left_out: int
    known: str
    gaps: tuple[Unseen, ...]
    gaps_left_out: int
    unseen: str


def past_of(
    care: CameraCare, camera_id: str, now: float, language: Language, *, until: float
) -> Past:
    """``until``: up to when the camera's box was heard; what came after is not known."""
    from_at = now - DAYS * _DAY_S
    spans = list(stays(care.board.history(camera_id), from_at, max(from_at, min(now, until))))
    per_state: defaultdict[str, float] = defaultdict(float)
    for one in spans:
        per_state[one.state] += one.seconds
    known_s = sum(per_state.values())
    gaps = care.coverage.gaps(camera_id, from_at, now, longer_than_s=_GAP_S)
    longest = sorted(gaps, key=lambda gap: gap.from_at - gap.to_at)
    return Past(
        pieces=tuple(
            Piece(
                round((one.from_at - from_at) / (now - from_at) * _WIDTH, 2),
                round(one.seconds / (now - from_at) * _WIDTH, 2),
                tone(one.state),
            )
            for one in spans
        ),
        shares=tuple(
            Share(
                words.name(words.CAMERA_STATES, state, language),
                tone(state),
                _percent(seconds / known_s),
                words.span(seconds, language),
            )
            for state, seconds in sorted(per_state.items(), key=lambda one: -one[1])
        ),
        spells=tuple(
            Spell(
                words.name(words.CAMERA_STATES, one.state, language),
                tone(one.state),
                words.moment(one.from_at, now, language),
                words.span(one.seconds, language),
                said_in(one.why, language),
            )
            for one in reversed(spans[-_CHANGES_SHOWN:])
        ),
        spells_left_out=max(0, len(spans) - _CHANGES_SHOWN),
        known=words.span(known_s, language),
        gaps=tuple(
            Unseen(
                words.moment(gap.from_at, now, language),
                words.span(gap.to_at - gap.from_at, language),
            )
            for gap in longest[:_GAPS_SHOWN]
        ),
        gaps_left_out=max(0, len(longest) - _GAPS_SHOWN),
        unseen=words.span(sum(gap.to_at - gap.from_at for gap in gaps), language),
    )


def _percent(share: float) -> str:
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def tone(state: str) -> str:
    """How a state is coloured."""
    if state == "live":
        return "good"
    return "quiet" if state in ("connecting", "disabled", "unknown") else "trouble"


def said_in(why: str, language: Language) -> str:
    """The part of ``中文 / English`` that is for this reader; all of it where it has no parts."""
    zh, between, en = why.partition(" / ")
    return words.pick((zh, en), language) if between else why
