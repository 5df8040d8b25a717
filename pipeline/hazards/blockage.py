"""Vehicles that stand where traffic must pass, by crash or simply in the way.

A crash is a sum of weak signs, none of which is enough alone: the detector's class (it also
fires on two cars that only overlap), a vehicle that stopped far harder than brakes can, one that
touched another road user as it stopped, things that came to lie around it, people who come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.hazards.boxes import area, centre, grow, iou, overlap, size
from pipeline.hazards.cases import SCENE_REACH, SCENE_S
from pipeline.hazards.crash_signs import BEFORE_S
from pipeline.hazards.history import LEAST_LOOKS, SURE_LOOKS
from pipeline.hazards.observation import Observation, probability
from pipeline.hazards.tracks import FAST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.hazards.background import NewThing
    from pipeline.hazards.boxes import Box
    from pipeline.hazards.crash_signs import CrashSign, CrashSigns
    from pipeline.hazards.scene import Scene
    from pipeline.hazards.tracks import Track
    from pipeline.hazards.traffic import Traffic
    from pipeline.hazards.view import View
    from pipeline.settings import BlockageSettings

PRIOR = -3.2
"""Log-odds that a vehicle which has just come to stand has crashed, before any sign: more than a
hard stop, a touch and one person together."""
CRASH_CLASS = 6.0
CRASH_CLASS_MOST = 2.5
"""Log-odds per unit of the detector's score beyond what the place always gets, and the most."""
CRASH_LASTS = 0.8
HARD_STOP = 2.0
HARD_STOP_S = 1.25
"""From FAST (a car: 4 m/s) to standing in less takes more than 3 m/s², which drivers avoid."""
TOUCHED = 0.7
DEBRIS = 1.5
PEOPLE = 0.5
PEOPLE_MOST = 1.0
QUEUE = 2.0
"""Log-odds against: others came to stand beside it in the ordinary way. That is a queue."""

PLAIN_SIZE = 0.08
PLAIN_SCORE = 0.65
"""A real vehicle this large (in picture heights) gets a higher mean score; a heap doesn't."""
STANDS = 0.8
"""Score of a vehicle that is plainly there; how long it stays decides."""
UNWATCHED_LOOKS = 2 * SURE_LOOKS
"""Looks at a vehicle that was never looked at in close succession: see CLOSE_S."""


def standing_vehicles(
    scene: Scene,
    standing: Sequence[Track],
    new: Sequence[NewThing],
    signs: CrashSigns,
    traffic: Traffic,
    view: View,
    settings: BlockageSettings,
) -> list[Observation]:
    """Evidence from vehicles that came and stand: by crash, or simply in the way."""
    found = []
    arrived = [track for track in standing if track.arrived]
    for track in arrived:
        assert track.stand_box is not None
        assert track.stood_since is not None
        if not view.on_carriageway(track.stand_box):
            continue
        sign = signs.of(track)
        parts = _crash_parts(track, arrived, scene, new, sign, view)
        if sum(parts.values()) > 0:
            found.append(_crash(track, parts, sign, settings))
        elif _in_the_way(track, arrived, traffic, view):
            found.append(
                Observation(
                    "blockage",
                    "object" if _only_resembles_a_vehicle(track) else "vehicle",
                    track.stand_box,
                    STANDS,
                    track.stood_since,
                    settings.vehicle_dwell_s,
                    least_looks=SURE_LOOKS if track.close_looks >= LEAST_LOOKS else UNWATCHED_LOOKS,
                )
            )
    return found


def _crash(
    track: Track, parts: dict[str, float], sign: CrashSign, settings: BlockageSettings
) -> Observation:
    assert track.stand_box is not None
    assert track.stood_since is not None
    return Observation(
        "blockage",
        "crash",
        track.stand_box,
        probability(sum(parts.values())),
        _blow_at(track, sign),
        settings.crash_dwell_s,
        parts=parts,
    )


def _blow_at(track: Track, sign: CrashSign) -> float:
    """When it happened: the blow comes before the standstill, with the first of its signs."""
    assert track.stood_since is not None
    times = (track.stood_since - track.stop_s, track.touched_at, sign.at)
    return min(at for at in times if at is not None)


def _crash_parts(
    track: Track,
    arrived: Sequence[Track],
    scene: Scene,
    new: Sequence[NewThing],
    sign: CrashSign,
    view: View,
) -> dict[str, float]:
    assert track.stand_box is not None
    assert track.stood_since is not None
    parts = {"prior": PRIOR}
    if sign.excess > 0:
        parts["crash_class"] = min(CRASH_CLASS * sign.excess, CRASH_CLASS_MOST)
    if sign.lasts:
        parts["crash_lasts"] = CRASH_LASTS
    if _stopped_hard(track):
        parts["hard_stop"] = HARD_STOP
    if track.touched_at is not None:
        parts["touched"] = TOUCHED
    near = grow(track.stand_box, 3.0)
    if any(_came_with(thing, track, near) for thing in new):
        parts["debris"] = DEBRIS
    people = sum(
        bool(overlap(near[None], person[None])[0, 0] > 0) and view.on_carriageway(person)
        for person in scene.persons
    )
    if people:
        parts["people"] = min(PEOPLE * people, PEOPLE_MOST)
    if _queues(track, arrived):
        parts["queue"] = -QUEUE
    return parts


def _stopped_hard(track: Track) -> bool:
    return track.top_speed >= FAST and track.stop_s <= HARD_STOP_S


def _came_with(thing: NewThing, track: Track, near: Box) -> bool:
    assert track.stand_box is not None
    assert track.stood_since is not None
    soon = track.stood_since - BEFORE_S <= thing.since <= track.stood_since + 10.0
    apart = iou(thing.box[None], track.stand_box[None])[0, 0] == 0
    inside = bool(overlap(near[None], thing.box[None])[0, 0] > 0.5 * area(thing.box))
    return soon and apart and inside


def _queues(track: Track, arrived: Sequence[Track]) -> bool:
    """At least two others came to stand close by in the ordinary way."""
    assert track.stand_box is not None
    own = size(track.stand_box)
    others = 0
    for other in arrived:
        if other is track or other.stand_box is None or _stopped_hard(other):
            continue
        gap = np.hypot(*(centre(other.stand_box) - centre(track.stand_box)))
        others += bool(gap < 2.5 * max(own, size(other.stand_box)))
    return others >= 2


def _only_resembles_a_vehicle(track: Track) -> bool:
    """True for a load that the detector calls a car without being sure; it never drove there.

    It keeps the dwell of vehicles: a real one must not be reported early for being seen badly.
    """
    assert track.stand_box is not None
    near = size(track.stand_box) >= PLAIN_SIZE
    return near and track.score < PLAIN_SCORE and track.top_speed < FAST


def _in_the_way(track: Track, arrived: Sequence[Track], traffic: Traffic, view: View) -> bool:
    assert track.stand_box is not None
    drives_here = view.has_carriageway or traffic.carries(track.stand_box)
    return drives_here and not _queues(track, arrived)


def lies_around_crash(thing: Observation, vehicles: Sequence[Observation]) -> bool:
    """Did ``thing`` come to lie with a crash? Then it is its debris and no hazard of its own."""
    return any(
        crash.rule == "crash"
        and -BEFORE_S <= thing.since - crash.since <= SCENE_S
        and np.hypot(*(centre(thing.box) - centre(crash.box))) <= SCENE_REACH * size(crash.box)
        for crash in vehicles
    )
