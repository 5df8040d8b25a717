"""What lies on the carriageway: things that came, and things that the detector knows by name.

The background model finds whatever is new, known or not, but only if it saw the place before. A
detector that knows ``debris`` and ``fallen_tree`` makes that surer, and finds them without it.
Cones and barriers are no hazard where traffic gets past them, and what stands among them is known
to somebody; a row of them across the whole carriageway blocks it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.hazards.boxes import area, centre, covered, grow, iou, overlap, size
from pipeline.hazards.cases import SCENE_REACH
from pipeline.hazards.history import LEAST_LOOKS, SURE_LOOKS
from pipeline.hazards.observation import Observation, probability
from pipeline.hazards.scene import SEEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.hazards.background import NewThing
    from pipeline.hazards.boxes import Box, Boxes
    from pipeline.hazards.scene import Scene
    from pipeline.hazards.tracks import Track
    from pipeline.hazards.traffic import Traffic
    from pipeline.hazards.view import View
    from pipeline.settings import BlockageSettings

NEW_HERE = 1.1
"""Log-odds (0.75) of a thing that is plainly new and still; how long it stays decides."""
LEAST_SCORE = 0.08
SLOPE = 8.0
EVEN_ALONE = 0.42
EVEN_NEW = 0.1
"""Detector score at which a named thing is as likely as not: in a place that has always looked so
(as for holes), and in one that changed."""
AMONG_BARRIERS = -1.5
"""Who set up two barriers around a thing knows of it: a new thing alone is then not enough."""
AMONG = 2.5
"""Own sizes around a thing within which barriers stand around it."""
EXPLAINED = 0.3
"""Share of a new thing that a road user or barrier must cover to be what came."""
SAME = 0.3
"""Share of the smaller one that a new thing and a named one have in common."""
GAP = 4.0
"""Own sizes between two barriers through which no car passes: a cone is 0.5 m, a gap 2 m."""
ACROSS = 0.7
"""Part of the carriageway's width that a row must close to block it."""


def objects(
    scene: Scene,
    new: Sequence[NewThing],
    standing: Sequence[Track],
    vehicles: Sequence[Observation],
    traffic: Traffic,
    view: View,
    settings: BlockageSettings,
) -> list[Observation]:
    """Evidence of things in the way.

    ``vehicles`` is the evidence of vehicles: what lies around a crash among them is its debris.
    """
    came = [
        thing
        for thing in _unexplained(scene, new, standing)
        if view.on_carriageway(thing.box) and _driven(thing.box, traffic, view)
    ]
    found = [_came(thing, scene, settings) for thing in came]
    found += _named(scene, came, vehicles, traffic, view, settings)
    return [*found, *_closed(scene, view, settings)]


def _unexplained(
    scene: Scene, new: Sequence[NewThing], standing: Sequence[Track]
) -> list[NewThing]:
    """New things that no road user, standing vehicle, barrier or hole is."""
    there = [grow(track.stand_box, 1.25) for track in standing if track.stand_box is not None]
    barriers = scene.barriers[scene.barrier_scores >= SEEN]
    explained = np.array([*scene.users, *there, *barriers]).reshape(-1, 4)
    return [
        thing
        for thing in new
        if covered(thing.box, explained) < EXPLAINED and not _is_hole(thing.box, scene)
    ]


def _came(thing: NewThing, scene: Scene, settings: BlockageSettings) -> Observation:
    """A thing that was not there before, named or not."""
    parts = {"new_here": NEW_HERE}
    here = [at for at, box in enumerate(scene.lying) if _same(box, thing.box)]
    if here:
        best = max(here, key=lambda at: scene.lying_scores[at])
        support = SLOPE * (float(scene.lying_scores[best]) - EVEN_NEW)
        parts[scene.lying_names[best]] = max(support, 0.0)
    return _observation(
        thing.box,
        parts | _among_barriers(thing.box, scene, parts),
        thing.since,
        settings,
        {"contrast": round(thing.contrast, 1)},
    )


def _named(
    scene: Scene,
    came: Sequence[NewThing],
    vehicles: Sequence[Observation],
    traffic: Traffic,
    view: View,
    settings: BlockageSettings,
) -> list[Observation]:
    """Things that the detector alone knows, from the first look on."""
    found = []
    crashes = [one.box for one in vehicles if one.rule == "crash"]
    for box, score, name in zip(scene.lying, scene.lying_scores, scene.lying_names, strict=True):
        if score < LEAST_SCORE or not view.on_carriageway(box):
            continue
        # Sacks and planks beside a road are common, a tree that lies anywhere is not.
        if name != "fallen_tree" and not _driven(box, traffic, view):
            continue
        if any(_same(box, thing.box) for thing in came) or _around(box, crashes):
            continue
        parts = {name: SLOPE * (float(score) - EVEN_ALONE)}
        parts |= _among_barriers(box, scene, parts)
        found.append(_observation(box, parts, scene.at, settings))
    return found


def _closed(scene: Scene, view: View, settings: BlockageSettings) -> list[Observation]:
    """Rows of barriers that leave no way past."""
    found = []
    sure = scene.barrier_scores >= SEEN
    for row in _rows(scene.barriers[sure]):
        boxes = scene.barriers[sure][row]
        hull = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
        if view.part_of_width(hull) >= ACROSS:
            score = float(scene.barrier_scores[sure][row].mean())
            parts = {"barrier": SLOPE * (score - EVEN_ALONE)}
            found.append(_observation(hull, parts, scene.at, settings))
    return found


def _rows(barriers: Boxes) -> list[list[int]]:
    """Indices of barriers that stand side by side, from left to right."""
    rows: list[list[int]] = []
    for index in np.argsort(barriers[:, 0], kind="stable"):
        for row in rows:
            if _beside(barriers[row[-1]], barriers[index]):
                row.append(int(index))
                break
        else:
            rows.append([int(index)])
    return rows


def _beside(left: Box, right: Box) -> bool:
    """True if no car fits between the two, seen from the camera."""
    gap = right[0] - left[2]
    level = abs(right[3] - left[3]) <= 2 * max(right[3] - right[1], left[3] - left[1])
    return bool(gap <= GAP * max(size(left), size(right)) and level)


def _among_barriers(box: Box, scene: Scene, parts: dict[str, float]) -> dict[str, float]:
    """A tree stays in the way, whoever knows of it."""
    around = overlap(grow(box, AMONG)[None], scene.barriers)[0] > 0
    known = int((around & (scene.barrier_scores >= SEEN)).sum()) >= 2
    return {"among_barriers": AMONG_BARRIERS} if known and "fallen_tree" not in parts else {}


def _driven(box: Box, traffic: Traffic, view: View) -> bool:
    return view.has_carriageway or traffic.carries(box)


def _around(box: Box, crashes: Sequence[Box]) -> bool:
    """Did it come to lie with a crash? Then it is its debris and no hazard of its own."""
    return any(
        np.hypot(*(centre(box) - centre(crash))) <= SCENE_REACH * size(crash) for crash in crashes
    )


def _same(one: Box, other: Box) -> bool:
    shared = float(overlap(one[None], other[None])[0, 0])
    return shared > SAME * min(float(area(one)), float(area(other)))


def _is_hole(box: Box, scene: Scene) -> bool:
    """Does the detector see a hole in this place? Then it is the road's case, not a thing."""
    return bool((iou(scene.cavities, box[None]) > 0.15).any())


def _observation(
    box: Box,
    parts: dict[str, float],
    since: float,
    settings: BlockageSettings,
    measures: dict[str, float] | None = None,
) -> Observation:
    unnamed = "new_here" in parts and len(parts) == 1
    return Observation(
        "blockage",
        "object",
        box,
        probability(sum(parts.values())),
        since,
        settings.object_dwell_s,
        measures=measures or {},
        parts=parts,
        least_looks=SURE_LOOKS if unnamed else LEAST_LOOKS,
    )
