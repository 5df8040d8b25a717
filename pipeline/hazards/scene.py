"""One look as the rules see it: who is there, in what unit, at what time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.detect import SURE, VEHICLES
from pipeline.hazards.boxes import area, iou, overlap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pipeline.detect import Detections
    from pipeline.hazards.boxes import Boxes
    from pipeline.ingest import Look

SEEN = 0.25
"""Score from which a person or vehicle counts as there."""
MASKED = 0.12
"""Score from which a possible road user hides the ground: hiding too much costs a look, hiding
too little makes a standing person a new thing on the road."""
COUNTED = 0.15
"""Score from which a person is counted; at 0.25 crowds lose half of their heads (model card)."""

LYING = ("debris", "fallen_tree")
"""Classes of things that lie on a road; models may not know them."""
RIVALS = 0.5
"""Share of a thing that lies (IoU with a hole) from which only the better score counts."""

_TWICE = 0.65  # two vehicle boxes that overlap more than this are one vehicle with two classes


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Boxes are float64 (N, 4) in units of the picture's height; ``luma`` is uint8 (H, W).

    ``lying`` are debris and fallen trees, ``lying_names`` says which. What is better explained as
    a road user is not among them, nor both a hole and a thing at one place.
    """

    at: float
    aspect: float
    luma: NDArray[np.uint8]
    vehicles: Boxes
    vehicle_scores: NDArray[np.float64]
    persons: Boxes
    sure: Boxes
    heads: Boxes
    users: Boxes
    crashes: Boxes
    crash_scores: NDArray[np.float64]
    cavities: Boxes
    cavity_scores: NDArray[np.float64]
    lying: Boxes
    lying_scores: NDArray[np.float64]
    lying_names: tuple[str, ...]
    barriers: Boxes
    barrier_scores: NDArray[np.float64]


def scene_of(look: Look, seen: Detections, classes: Sequence[str]) -> Scene:
    """Sort the detections of a look by what they mean to the rules."""
    width, height = look.source_size
    boxes = seen.boxes.astype(np.float64) / height
    scores = seen.scores.astype(np.float64)
    names = np.array([classes[index] for index in seen.classes], dtype=object)
    vehicle = np.isin(names, VEHICLES)
    person = names == "person"
    user = vehicle | person | (names == "bicycle")
    crash, cavity, barrier = names == "crash", names == "cavity", names == "barrier"
    lying = np.isin(names, LYING)
    lying &= ~_outdone(boxes, scores, lying, user, _covered)
    holes = cavity & ~_outdone(boxes, scores, cavity, lying, iou)
    lying &= ~_outdone(boxes, scores, lying, cavity, iou)
    there = _distinct(boxes, scores, vehicle & (scores >= SEEN))
    heads = _distinct(boxes, scores, person & (scores >= COUNTED))
    return Scene(
        at=look.captured_at,
        aspect=width / height,
        luma=_content(look),
        vehicles=boxes[there],
        vehicle_scores=scores[there],
        persons=boxes[person & (scores >= SEEN)],
        sure=boxes[person & (scores >= SURE)],
        heads=boxes[heads],
        users=boxes[user & (scores >= MASKED)],
        crashes=boxes[crash],
        crash_scores=scores[crash],
        cavities=boxes[holes],
        cavity_scores=scores[holes],
        lying=boxes[lying],
        lying_scores=scores[lying],
        lying_names=tuple(names[lying]),
        barriers=boxes[barrier],
        barrier_scores=scores[barrier],
    )


def _content(look: Look) -> NDArray[np.uint8]:
    """Brightness plane of the picture without its padding."""
    rows, width = look.picture.shape
    height = rows * 2 // 3
    return look.picture[
        : min(height, round(look.source_size[1] / look.scale)),
        : min(width, round(look.source_size[0] / look.scale)),
    ]


def _outdone(
    boxes: Boxes,
    scores: NDArray[np.float64],
    those: NDArray[np.bool_],
    by: NDArray[np.bool_],
    shared: Callable[[Boxes, Boxes], NDArray[np.float64]],
) -> NDArray[np.bool_]:
    """Which of ``those`` (N,) lie on one of ``by`` (N,) that has a better score."""
    if not those.any() or not by.any():
        return np.zeros_like(those)
    better = scores[None, :] > scores[:, None]
    on = shared(boxes, boxes) > RIVALS
    return those & (on & better & by[None, :]).any(axis=1)


def _covered(boxes: Boxes, others: Boxes) -> NDArray[np.float64]:
    """Share of each of ``boxes`` (N, 4) that each of ``others`` (M, 4) covers: (N, M)."""
    return overlap(boxes, others) / np.maximum(area(boxes)[:, None], 1e-12)


def _distinct(
    boxes: Boxes, scores: NDArray[np.float64], wanted: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Indices of one box per thing: the better one of two that lie on each other."""
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if wanted[index] and (not kept or iou(boxes[[index]], boxes[kept]).max() < _TWICE):
            kept.append(int(index))
    return np.array(sorted(kept), np.intp)
