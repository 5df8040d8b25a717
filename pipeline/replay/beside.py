"""The same clips with other settings beside: what each finds, misses and reports for nothing.

Whether a setting earns its cost, the second look above all, is seen by one command on one footage.
Times are of this machine, so they stand in a file of their own: all others are the same each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.replay.run import Played

BESIDE = "beside"
"""Folder, in that of the replay, for the files of the other settings."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one replay found and what it cost; None where there is no truth to go by.

    ``refuted``: hazards taken back by a second look. ``no_finer``: places where none was had, for
    the picture shows no more than the look did. Milliseconds are the detector's, on this machine.
    """

    incidents: int
    events: int | None
    found: int | None
    missed: int | None
    false_alarms: int | None
    refuted: int
    second_looks: int
    no_finer: int
    looks: int
    ms_per_look: float
    ms_per_second_look: float | None
    second_ms_per_incident: float | None
    second_share: float

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def outcome(played: Sequence[Played], score: Mapping[str, Any] | None) -> Outcome:
    """``score``: what ``score`` gives for these clips, if there is a truth."""
    overall = {} if score is None else score["overall"]
    incidents = sum(len(one.incidents) for one in played)
    looks = sum(one.looks for one in played)
    detect_ms = 1e3 * sum(one.detect_s for one in played)
    second_looks = sum(one.second.looks for one in played)
    second_ms = 1e3 * sum(one.second.detector_s for one in played)
    return Outcome(
        incidents=incidents,
        events=overall.get("events"),
        found=overall.get("found"),
        missed=overall.get("missed"),
        false_alarms=overall.get("false_alarms"),
        refuted=sum(one.refuted for one in played),
        second_looks=second_looks,
        no_finer=sum(one.second.no_finer for one in played),
        looks=looks,
        ms_per_look=detect_ms / max(looks, 1),
        ms_per_second_look=second_ms / second_looks if second_looks else None,
        second_ms_per_incident=second_ms / incidents if incidents else None,
        second_share=second_ms / max(detect_ms + second_ms, 1e-9),
    )


def beside_json(here: Outcome, there: Outcome, settings: Sequence[str]) -> dict[str, Any]:
    """The content of beside.json; ``settings``: the ones that differ, as they were given."""
    return {"beside": list(settings), "this": here.as_json(), "other": there.as_json()}
