"""Many people at one place: how many there are, and how close they stand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.detect import people_of
from pipeline.hazards.observation import Observation, probability

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.detect import HeadMap
    from pipeline.hazards.boxes import Box, Boxes
    from pipeline.hazards.scene import Scene
    from pipeline.hazards.view import View
    from pipeline.settings import CrowdSettings

    Numbers = NDArray[np.float64]

NEAR_M = 1.5
"""Radius of the circle in which people per m² is counted: 14 people at 2/m², 28 at 4/m². A
larger one would dilute a knot of people, a smaller one counts the errors of their places."""
SOFT = 0.06
"""Share of the threshold over which the score goes from unlikely to likely."""
TRIM = 0.05
"""Share of the people at each side that the box of a crowd leaves out: passers-by."""
HELD_S = 15.0
"""A count of heads stands for so long: crowds gather and leave over minutes."""

_SLIM = 0.35  # width of a standing person by height
_AT_ONCE = 256  # places compared with all others in one go: heads may lie in thousands of cells


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Who is there: ``number`` (K,) people stand in each of ``boxes`` (K, 4), picture heights."""

    boxes: Boxes
    number: Numbers

    @property
    def total(self) -> float:
        return float(self.number.sum())

    def on_ground(self, view: View) -> People:
        """Those who stand where people are counted."""
        there = np.array([view.on_ground(box) for box in self.boxes], bool)
        return People(self.boxes[there], self.number[there])


@dataclass(frozen=True, slots=True, eq=False)
class CountedHeads:
    """People on the ground by the heads counted in the look at ``at``; see ``_density``."""

    at: float
    people: People
    per_m2: float | None


def counted_heads(scene: Scene, heads: HeadMap, view: View, height_px: int) -> CountedHeads:
    """Turn heads of a picture ``height_px`` high into people who stand on the ground.

    Sure boxes of the same look without a head in them are people, too; ``people_of`` says how many
    there are in all. Zones and the ground plane are about feet. How far below the head they are
    follows from those boxes: on flat ground the height of people is linear in the picture's rows.
    """
    xy, number = heads.places()
    x, y = xy.T / height_px
    tall = _heights(scene.heads, y)
    below = np.stack([x - tall * _SLIM / 2, y, x + tall * _SLIM / 2, y + tall], axis=1)
    headless = heads.without_head(scene.sure * height_px)
    number = np.concatenate([number, headless])
    total = float(number.sum())
    if total > 0:
        boxes = len(scene.heads) if heads.by_boxes is None else heads.by_boxes
        number = number * (people_of(total, boxes) / total)
    people = People(np.concatenate([below, scene.sure]), number).on_ground(view)
    return CountedHeads(scene.at, people, _density(people, view))


def crowds(
    scene: Scene, view: View, settings: CrowdSettings, counted: CountedHeads | None = None
) -> list[Observation]:
    """Evidence of a crowd in this look: at most one observation.

    Boxes are counted in every look, heads now and then; while a count of heads stands, it counts.
    """
    people = People(scene.heads, np.ones(len(scene.heads))).on_ground(view)
    density, parts = _density(people, view), {}
    if counted is not None and 0 <= scene.at - counted.at <= HELD_S:
        parts["people_by_boxes"] = people.total
        parts["people_by_heads"] = round(counted.people.total, 1)
        people, density = counted.people, counted.per_m2
    if people.total < 2:
        return []
    measures = {"people": float(round(people.total))}
    ratio = people.total / settings.people
    if density is not None:
        measures["people_per_m2"] = round(density, 2)
        ratio = max(ratio, density / settings.people_per_m2)
    score = probability(math.log(max(ratio, 1e-3)) / SOFT)
    if score < 0.01:
        return []
    return [
        Observation(
            "crowd",
            "crowd",
            _around(people),
            score,
            scene.at,
            settings.dwell_s,
            measures,
            parts={"people_to_threshold": round(ratio, 3), **parts},
        )
    ]


def _density(people: People, view: View) -> float | None:
    """People per m² in the fullest circle of NEAR_M around one of them."""
    places = [view.ground_xy(box) for box in people.boxes]
    grounded = [xy for xy in places if xy is not None]
    if not grounded:
        return None
    ground = np.array(grounded)
    number = people.number[[xy is not None for xy in places]]
    fullest = 0.0
    for some in np.array_split(ground, len(ground) // _AT_ONCE + 1):
        gaps = np.hypot(*(some[:, None] - ground[None]).transpose(2, 0, 1))
        fullest = max(fullest, float(((gaps <= NEAR_M) @ number).max()))
    return fullest / (math.pi * NEAR_M**2)


def _around(people: People) -> Box:
    sides = [
        _share(people.boxes[:, side], people.number, TRIM if side < 2 else 1 - TRIM)
        for side in range(4)
    ]
    return np.array(sides)


def _share(values: Numbers, number: Numbers, share: float) -> float:
    """The value that this share of the people do not exceed."""
    order = np.argsort(values, kind="stable")
    number = number[order]
    middles = np.cumsum(number) - number / 2
    # From the first to the last of them, as numpy's quantile counts.
    at = middles[0] + share * (middles[-1] - middles[0])
    return float(np.interp(at, middles, values[order]))


def _heights(boxes: Boxes, y: Numbers) -> Numbers:
    """How tall people are (picture heights) whose heads are at rows ``y``, by the boxes there."""
    if not len(boxes):
        return np.zeros_like(y)
    top, tall = boxes[:, 1], boxes[:, 3] - boxes[:, 1]
    if np.ptp(top) < np.median(tall):  # all in a row: no slope to be seen
        return np.full_like(y, np.median(tall))
    slope, level = np.polyfit(top, tall, 1)
    return np.asarray(np.clip(level + slope * y, tall.min(), tall.max()), np.float64)
