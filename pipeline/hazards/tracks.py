"""Vehicles over time: which move, which came and stand, and how they stopped.

Looks are 0.2 s to 10 s apart, so nothing here may need a vehicle to be followed while it moves:
a standing vehicle is recognised by its place. Where looks are close enough a moving one is
followed too, and how it stopped becomes evidence.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipeline.hazards.boxes import centre, covered, foot, iou, size

if TYPE_CHECKING:
    from pipeline.hazards.background import Background
    from pipeline.hazards.boxes import Box, Boxes
    from pipeline.hazards.crash_signs import CrashSign
    from pipeline.hazards.scene import Scene

SAME_PLACE = 0.55
"""IoU with its standing box from which a vehicle still stands there."""
OVERLAPS = 0.2
"""IoU with where a followed vehicle is expected from which it is the same one."""
FOLLOW_S = 1.2
"""Looks further apart than this can't follow a moving vehicle."""
STANDS_AFTER_S = 1.0
STEADY = 0.6
"""Share of its box that must look as before: in dense traffic the next vehicle soon has the box of
the last one, but not its looks."""
STILL = 0.12
"""Sizes of itself that a vehicle may move in STANDS_AFTER_S and still count as standing."""
FORGET_MOVING_S = 2.0
CLOSE_S = 15.0
"""Looks no further apart than this show one and the same standing vehicle: in a longer time it may
have left, and the next one of the traffic have come to where it was."""
MISSED_LOOKS = 3
"""Looks in which an unobstructed standing vehicle may be overlooked before it counts as gone."""
HISTORY = 40
TOUCHING = 0.05
TOUCH_S = 2.0
FAST = 1.0
"""Own sizes per second, for a car about 4 m/s: driving, not manoeuvring."""
LAST_MOVES_S = 2.5
LEAST_MOVES = 2
"""A single move may be no move: one vehicle left and uncovered another that is parked there."""
DROVE = 0.7
"""Own sizes per second: one that was followed at this speed has driven here."""
CHANGED = 0.35
"""Share of a box that must look different from the background for somebody to have come."""


@dataclass(eq=False, slots=True)
class Track:
    """One vehicle.

    ``stood_since`` is set while it stands, ``arrived`` if its place was free before. ``changed``
    is the largest share of its box that did not look like the background: a parked vehicle which
    the model sees now and then is part of the background, one that came is not. ``touched_at`` is
    when its box first met another road user's as it stopped. ``top_speed`` in own sizes per second
    is the fastest of the last moves before it stopped, ``stop_s`` the time from the last FAST one
    to standing; both are 0 when it was never followed. ``score`` is the detector's mean.
    ``close_looks``: so many of the last looks at it, standing, came at most CLOSE_S after another.
    """

    history: deque[tuple[float, Box]] = field(default_factory=lambda: deque(maxlen=HISTORY))
    stood_since: float | None = None
    stand_box: Box | None = None
    arrived: bool = False
    top_speed: float = 0.0
    stop_s: float = 0.0
    changed: float = 0.0
    touched_at: float | None = None
    touches: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))
    moved_at: float = float("-inf")
    misses: int = 0
    looks: int = 0
    close_looks: int = 0
    score: float = 0.0
    crash_sign: CrashSign | None = None  # what the detector's crash class said; see CrashSigns

    @property
    def at(self) -> float:
        return self.history[-1][0]

    @property
    def box(self) -> Box:
        return self.history[-1][1]

    def expected(self, at: float) -> Box:
        """Where it should be by now if it keeps its speed."""
        if self.stand_box is not None:
            return self.stand_box
        if len(self.history) < 2:
            return self.box
        (then, before), (last, box) = self.history[-2], self.history[-1]
        step = (centre(box) - centre(before)) / max(last - then, 1e-3) * (at - last)
        return box + np.tile(step, 2)


class Tracks:
    """Tracks of one camera; ``update`` once per look."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self._looked_at = 0.0

    def update(self, scene: Scene, background: Background) -> list[Track]:
        """Take in a look; returns moving tracks that ended since (their path is known now)."""
        gap = scene.at - self._looked_at
        self._looked_at = scene.at
        taken = self._assign(scene.vehicles, scene.at, gap)
        for track in self.tracks:
            if track in taken:
                self._extend(track, scene, taken[track], background)
            else:
                self._miss(track, scene)
        for index in sorted(set(range(len(scene.vehicles))) - set(taken.values())):
            fresh = Track()
            self._extend(fresh, scene, index, background)
            self.tracks.append(fresh)
        ended = [track for track in self.tracks if self._over(track, scene.at)]
        self.tracks = [track for track in self.tracks if track not in ended]
        return [track for track in ended if track.stood_since is None]

    def standing(self) -> list[Track]:
        return [track for track in self.tracks if track.stood_since is not None]

    def moving(self) -> list[Track]:
        return [track for track in self.tracks if track.stood_since is None]

    def _assign(self, boxes: Boxes, at: float, gap: float) -> dict[Track, int]:
        """Which box each track has now.

        Standing ones come first, then the surest pairs: else a vehicle that passes a parked one
        could change places with it.
        """
        taken: dict[Track, int] = {}
        if not self.tracks or not len(boxes):
            return taken
        followed = gap <= FOLLOW_S
        ious = iou(np.array([track.expected(at) for track in self.tracks]), boxes)
        pairs = [
            (track.stood_since is None, -ious[row, index], row, index)
            for row, track in enumerate(self.tracks)
            for index in range(len(boxes))
            if ious[row, index]
            >= (OVERLAPS if followed and track.stood_since is None else SAME_PLACE)
        ]
        for _, _, row, index in sorted(pairs):
            if self.tracks[row] not in taken and index not in taken.values():
                taken[self.tracks[row]] = index
        if followed:
            self._assign_by_distance(taken, boxes, at)
        return taken

    def _assign_by_distance(self, taken: dict[Track, int], boxes: Boxes, at: float) -> None:
        free = [index for index in range(len(boxes)) if index not in taken.values()]
        for track in sorted(self.moving(), key=lambda track: -track.at):
            if track in taken or not free:
                continue
            index = self._nearest(track, track.expected(at), boxes, free)
            if index is not None:
                taken[track] = index
                free.remove(index)

    @staticmethod
    def _nearest(track: Track, expected: Box, boxes: Boxes, free: list[int]) -> int | None:
        """A fast vehicle may leave its own box between looks: go by distance and size."""
        own = size(track.box)
        feet = np.array([foot(boxes[index]) for index in free])
        sizes = np.array([size(boxes[index]) for index in free])
        far = np.hypot(*(feet - foot(expected)).T) / own
        far[(sizes > 1.6 * own) | (sizes < own / 1.6)] = np.inf
        best = int(np.argmin(far))
        known = len(track.history) >= 2  # its speed is known, so it must be near the expectation
        return free[best] if far[best] < (0.9 if known else 1.8) else None

    def _extend(self, track: Track, scene: Scene, index: int, background: Background) -> None:
        at, box = scene.at, scene.vehicles[index]
        track.misses = 0
        track.looks += 1
        track.score += (float(scene.vehicle_scores[index]) - track.score) / track.looks
        track.changed = max(track.changed, background.changed(box))
        if track.stood_since is not None:
            assert track.stand_box is not None
            track.stand_box = 0.9 * track.stand_box + 0.1 * box
            track.close_looks = track.close_looks + 1 if at - track.at <= CLOSE_S else 0
            track.history.append((at, box))
            return
        track.history.append((at, box))
        if background.steady(box) < STEADY:
            track.moved_at = at
        if _meets_another(scene, index):
            track.touches.append(at)
        began = _still_since(track)
        if began is not None and at - max(began, track.moved_at) >= STANDS_AFTER_S - 1e-6:
            self._stop(track, began)
            assert track.stand_box is not None
            came = background.changed(track.stand_box) >= CHANGED
            track.arrived = came or track.top_speed >= DROVE

    def _stop(self, track: Track, began: float) -> None:
        own = size(track.box)
        moves = [
            (then, float(np.hypot(*(foot(after) - foot(before)))) / own / max(now - then, 1e-3))
            for (then, before), (now, after) in zip(
                list(track.history), list(track.history)[1:], strict=False
            )
            if now <= began + 1e-6 and now - then <= FOLLOW_S and began - then <= LAST_MOVES_S
        ]
        if len(moves) >= LEAST_MOVES:
            track.top_speed = max(speed for _, speed in moves)
            fast = [then for then, speed in moves if speed >= FAST]
            track.stop_s = began - max(fast, default=moves[0][0])
        track.touched_at = min((at for at in track.touches if at >= began - TOUCH_S), default=None)
        track.stood_since = began
        track.stand_box = np.median([box for at, box in track.history if at >= began], axis=0)

    def _miss(self, track: Track, scene: Scene) -> None:
        if track.stood_since is None:
            return
        assert track.stand_box is not None
        hidden = covered(track.stand_box, scene.vehicles) > 0.4
        track.misses = track.misses if hidden else track.misses + 1

    def _over(self, track: Track, at: float) -> bool:
        if track.stood_since is not None:
            return track.misses > MISSED_LOOKS and at - track.at > FORGET_MOVING_S
        return at - track.at > FORGET_MOVING_S


def _meets_another(scene: Scene, index: int) -> bool:
    others = np.concatenate([np.delete(scene.vehicles, index, axis=0), scene.persons])
    return bool(len(others) and iou(scene.vehicles[[index]], others).max() > TOUCHING)


def _still_since(track: Track) -> float | None:
    """Since when the vehicle has not left the place where it is now."""
    own, now = size(track.box), foot(track.box)
    began = None
    for at, box in reversed(track.history):
        if np.hypot(*(foot(box) - now)) > STILL * own:
            break
        began = at
    return began if began is not None and began < track.at else None
