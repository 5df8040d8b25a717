"""Many people at one place: how many there are, and how close they stand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pipeline.hazards.observation import Observation, probability

if TYPE_CHECKING:
    from pipeline.hazards.boxes import Box, Boxes
    from pipeline.hazards.scene import Scene
    from pipeline.hazards.view import View
    from pipeline.settings import CrowdSettings

NEAR_M = 1.5
"""Radius of the circle in which people per m² is counted: 14 people at 2/m², 28 at 4/m². A
larger one would dilute a knot of people, a smaller one counts the errors of their places."""
SOFT = 0.06
"""Share of the threshold over which the score goes from unlikely to likely."""
TRIM = 0.05
"""Share of the people at each side that the box of a crowd leaves out: passers-by."""


def crowds(scene: Scene, view: View, settings: CrowdSettings) -> list[Observation]:
    """Evidence of a crowd in this look: at most one observation."""
    people = np.array([head for head in scene.heads if view.on_ground(head)]).reshape(-1, 4)
    if len(people) < 2:
        return []
    measures = {"people": float(len(people))}
    ratio = len(people) / settings.people
    density = _density(people, view)
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
            parts={"people_to_threshold": round(ratio, 3)},
        )
    ]


def _density(people: Boxes, view: View) -> float | None:
    """People per m² in the fullest circle of NEAR_M around one of them."""
    grounded = [xy for xy in map(view.ground_xy, people) if xy is not None]
    if not grounded:
        return None
    ground = np.array(grounded)
    gaps = np.hypot(*(ground[:, None] - ground[None]).transpose(2, 0, 1))
    return float((gaps <= NEAR_M).sum(axis=1).max() / (math.pi * NEAR_M**2))


def _around(people: Boxes) -> Box:
    low = np.quantile(people[:, :2], TRIM, axis=0)
    high = np.quantile(people[:, 2:], 1 - TRIM, axis=0)
    return np.concatenate([low, high])
