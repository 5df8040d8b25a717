"""What a second look at native resolution says against a hazard that was about to be confirmed.

It may only take back, never confirm: evidence adds up over many looks, and this is one. So it has
to be plain: a hole or a thing that is a road user, a hole or a vehicle that from near is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.hazards.boxes import covered, iou
from pipeline.hazards.scene import MASKED

if TYPE_CHECKING:
    from pipeline.hazards.boxes import Box
    from pipeline.hazards.observation import Observation
    from pipeline.hazards.scene import Scene

PLAINLY = 0.65
"""Score of a road user that is one beyond doubt: loads and dark patches seldom get it."""
IS_USER = 0.6
"""Share of the place that it covers."""
THERE = 0.1
"""IoU with the place of a vehicle that stands there."""


def refutes(case: Observation, scene: Scene) -> bool:
    """``scene`` is what the second look saw. Crashes and crowds are left as they are."""
    if case.rule == "cavity":
        return not _hole(case.box, scene)
    if case.rule == "object":
        return covered(case.box, _plain_users(scene)) >= IS_USER and not _hole(case.box, scene)
    if case.rule == "vehicle":
        return not bool((iou(case.box[None], scene.users) >= THERE).any())
    return False


def _plain_users(scene: Scene) -> Box:
    vehicles = scene.vehicles[scene.vehicle_scores >= PLAINLY]
    return np.concatenate([vehicles, scene.sure])


def _hole(box: Box, scene: Scene) -> bool:
    """A hole seen from near stays one, whoever stands beside it."""
    near = iou(box[None], scene.cavities)[0] >= THERE
    return bool((scene.cavity_scores[near] >= MASKED).any())
