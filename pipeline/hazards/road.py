"""Holes in the carriageway: what the detector calls a cavity, weighed with what is new there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.hazards.boxes import area, covered, overlap
from pipeline.hazards.observation import Observation, probability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.hazards.background import NewThing
    from pipeline.hazards.boxes import Box
    from pipeline.hazards.scene import Scene
    from pipeline.hazards.view import View
    from pipeline.settings import RoadSettings

LEAST_SCORE = 0.08
EVEN_SCORE = 0.42
"""Detector score at which a hole is as likely as not, if it has always been there: cracks,
manholes and patches get up to 0.35 on footage without a hole."""
SLOPE = 8.0
NEW_BONUS = 2.5
"""Log-odds for a place that also changed and stayed changed."""
IN_FRONT = 0.5
"""Share of a hole covered by a road user from which it is the user's shadow or wheel."""
LARGEST = 0.35
"""Part of the picture's height or width that a hole may span; more is a whole road surface."""


def holes(
    scene: Scene, new: Sequence[NewThing], view: View, settings: RoadSettings
) -> list[Observation]:
    """Evidence of holes in this look."""
    found = []
    for box, score in zip(scene.cavities, scene.cavity_scores, strict=True):
        if score < LEAST_SCORE or not view.on_carriageway(box):
            continue
        if covered(box, scene.users) > IN_FRONT or _too_large(box, scene.aspect):
            continue
        since = _new_since(box, new)
        parts = {"detector": SLOPE * (float(score) - EVEN_SCORE)}
        if since is not None:
            parts["new_here"] = NEW_BONUS
        found.append(_observation(box, parts, scene.at, since, view, settings))
    return found


def _observation(
    box: Box,
    parts: dict[str, float],
    at: float,
    since: float | None,
    view: View,
    settings: RoadSettings,
) -> Observation:
    measures = {}
    ground = view.size_m(box)
    if ground is not None:
        measures = {"width_m": ground[0], "area_m2": ground[1]}
    large = ground is not None and ground[1] >= settings.collapse_area_m2
    return Observation(
        hazard="road_collapse" if large or since is not None else "road_damage",
        rule="cavity",
        box=box,
        score=probability(sum(parts.values())),
        since=at if since is None else min(since, at),
        dwell_s=settings.dwell_s,
        measures=measures,
        parts=parts,
    )


def _new_since(box: Box, new: Sequence[NewThing]) -> float | None:
    """When the thing appeared that lies in this box, if one did."""
    for thing in new:
        shared = float(overlap(box[None], thing.box[None])[0, 0])
        if shared > 0.3 * min(float(area(box)), float(area(thing.box))):
            return thing.since
    return None


def _too_large(box: Box, aspect: float) -> bool:
    return bool(np.any(box[2:] - box[:2] > LARGEST * np.array([aspect, 1.0])))
