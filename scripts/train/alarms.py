"""False alarms on pictures without a hazard, collapses found, and thresholds from both."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import DataError

from .classes import HAZARDS, IDS, TRAFFIC
from .predictor import FLOOR
from .slices import is_rendered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from pipeline.detect import Detections

    from .precision import Seen

PLAIN, PLAIN_CRASH = 0.25, 0.4
"""Thresholds where nothing better is known."""
PER_HUNDRED = 1.0
"""False boxes in a hundred pictures that are allowed."""
FOUND_IOU = 0.3
"""A collapse counts as found from here on: far away it is a few pixels high, and who is sent
there needs the place, not the outline."""
_TOUCH_IOU = 0.1  # a second, loose box on a true hole is no false alarm
_SAME_IOU = 0.9  # a label and the truth it was made of
_LOWEST, _HIGHEST = 0.1, 0.6
_VISIBLE = 0.25  # share of a hole that must be in sight to be asked for
_NO_COLLAPSE = ("pothole", "missing_cover")
_COLLAPSE_M, _WITHIN_M = 1.0, 40.0
_BANDS = ((0, 10), (10, 20), (20, 40), (40, 80))
_SIZES = ((1, 2), (2, 4), (4, 8), (8, 16))


@dataclass(frozen=True, slots=True, eq=False)
class Hole:
    """A true hole in a rendered picture. ``score``: the best cavity box on it, 0 if none.

    ``labelled``: whether it is large enough in the picture to have a label.
    """

    kind: str
    size_m: float
    distance_m: float
    labelled: bool
    score: float

    @property
    def is_collapse(self) -> bool:
        """Whether it must be found, if it is near enough."""
        return self.size_m >= _COLLAPSE_M and self.kind not in _NO_COLLAPSE


def overlap(ones: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of each two boxes xyxy: (N, M)."""
    a, b = ones[:, None], others[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.clip(sides, 0, None).prod(-1)
    areas = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1)
    return np.asarray(shared / np.maximum(areas - shared, 1e-9), np.float32)


def is_quiet(one: Seen) -> bool:
    """No hazard to be seen, and all hazards of the first classes would have been labelled."""
    hazards = np.isin(one.picture.classes, HAZARDS)
    return not hazards.any() and not one.picture.unlabelled & {IDS["cavity"], IDS["crash"]}


def false_alarms(
    seen: Iterable[Seen], classes: Iterable[str], thresholds: Mapping[str, float]
) -> dict[str, Any]:
    """Boxes of each hazard class a hundred quiet pictures at its threshold; how many pictures."""
    quiet = [one for one in seen if is_quiet(one)]
    result: dict[str, Any] = {"pictures": len(quiet)}
    for name in classes:
        if IDS[name] in HAZARDS and quiet:
            counts = [int((_scores(one, IDS[name]) >= thresholds[name]).sum()) for one in quiet]
            result[name] = {
                "per_hundred": 100 * sum(counts) / len(quiet),
                "pictures": sum(count > 0 for count in counts),
            }
    return result


def thresholds_for(seen: Sequence[Seen], classes: Iterable[str]) -> dict[str, float]:
    """Thresholds chosen on these pictures.

    For what moves, where precision and recall balance on the real ones, if there are any. For a
    hazard the lowest with at most PER_HUNDRED false boxes on quiet pictures, but not below
    the plain one: there are more kinds of quiet streets than pictures here. A class that is
    nowhere to be seen gets the plain one.
    """
    there = {number for one in seen for number in one.picture.classes.tolist()}
    real = [one for one in seen if not is_rendered(one.picture)] or seen
    chosen = {}
    for name in classes:
        number = IDS[name]
        value = PLAIN_CRASH if name == "crash" else PLAIN
        if number in there and number in TRAFFIC:
            value = _balanced(real, number)
        elif number in there:
            quiet = _quiet_from([_scores(one, number) for one in seen if is_quiet(one)])
            value = max(value, quiet)
        chosen[name] = round(float(np.clip(value, _LOWEST, _HIGHEST)), 2)
    return chosen


def collapses(seen: Iterable[Seen], on_card: float) -> dict[str, Any] | None:
    """Collapses found in rendered pictures, at two scores and at any.

    ``recall`` is that at the score that keeps false cavity boxes rare, ``recall_on_card`` that at
    ``on_card``, the threshold of the card, ``recall_at_all`` counts any box however weak: the rest
    was not even suspected. ``taken_for_holes``: on what kinds of things the false boxes lie that
    ``on_card`` lets through. None where no picture is rendered. A false box touches no true hole.
    """
    rendered = [one for one in seen if is_rendered(one.picture) and "truth" in one.picture.notes]
    if not rendered:
        return None
    strays = [one.found[_is_stray(one)] for one in rendered]
    threshold = _quiet_from([found.scores for found in strays])
    sure = [found[found.scores >= on_card] for found in strays]
    mistaken = Counter(
        kind for one, found in zip(rendered, sure, strict=True) for kind in _lie_on(one, found)
    )
    holes = [hole for one in rendered for hole in holes_of(one)]
    near = [hole for hole in holes if hole.distance_m <= _WITHIN_M]
    large = [hole for hole in holes if hole.is_collapse]
    wanted = [hole for hole in large if hole.distance_m <= _WITHIN_M]

    def row(part: list[Hole]) -> dict[str, Any]:
        recalls = {"": threshold, "_on_card": on_card, "_at_all": FLOOR}
        return {"holes": len(part)} | {
            f"recall{name}": _recall(part, least) for name, least in recalls.items()
        }

    return {
        "pictures": len(rendered),
        "threshold": round(threshold, 3),
        "per_hundred": PER_HUNDRED,
        "threshold_on_card": on_card,
        "per_hundred_on_card": round(100 * mistaken.total() / len(rendered), 2),
        "taken_for_holes": dict(mistaken.most_common()),
        "found_iou": FOUND_IOU,
        "all": (of_all := row(wanted)),
        "recall": of_all["recall"],
        "labelled": row([hole for hole in wanted if hole.labelled]),
        "by_distance": {
            f"{low}-{high} m": row(part)
            for low, high in _BANDS
            if (part := [hole for hole in large if low <= hole.distance_m < high])
        },
        "by_size": {
            f"{low}-{high} m": row(part)
            for low, high in _SIZES
            if (part := [hole for hole in wanted if low <= hole.size_m < high])
        },
        "by_kind": {
            kind: row([hole for hole in near if hole.kind == kind])
            for kind in sorted({hole.kind for hole in near})
        },
    }


def holes_of(one: Seen) -> list[Hole]:
    """True holes in sight of a rendered picture. Raises DataError for truth that isn't complete."""
    objects = one.picture.notes["truth"].get("objects", ())
    try:
        holes = [o for o in objects if o["class"] == "cavity" and o["visible"] >= _VISIBLE]
        if not holes:
            return []
        boxes = np.array([hole["box"] for hole in holes], np.float32).reshape(-1, 4)
        facts = [
            (str(hole["kind"]), float(np.max(hole["size_m"])), float(hole["distance_m"]))
            for hole in holes
        ]
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(
            "truth of a hole is not complete",
            file=one.picture.path,
            found=error,
            allowed="class, box, kind, visible, size_m and distance_m",
        ) from None
    mask = one.found.classes == IDS["cavity"]
    on = overlap(boxes, one.found.boxes[mask]) >= FOUND_IOU
    best = np.where(on, one.found.scores[mask], 0).max(1, initial=0)
    true = one.truth[one.picture.classes == IDS["cavity"]]
    labelled = overlap(boxes, true).max(1, initial=0) > _SAME_IOU
    return [
        Hole(*fact, bool(large), float(score))
        for fact, large, score in zip(facts, labelled, best, strict=True)
    ]


def _recall(holes: Sequence[Hole], threshold: float) -> float | None:
    return sum(hole.score >= threshold for hole in holes) / len(holes) if holes else None


def _scores(one: Seen, number: int) -> NDArray[np.float32]:
    scores: NDArray[np.float32] = one.found.scores[one.found.classes == number]
    return scores


def _is_stray(one: Seen) -> NDArray[np.bool_]:
    """Which boxes are of cavities and touch no true hole."""
    cavity = IDS["cavity"]
    true = one.truth[one.picture.classes == cavity]
    touches = overlap(one.found.boxes, true).max(1, initial=0) >= _TOUCH_IOU
    stray: NDArray[np.bool_] = (one.found.classes == cavity) & ~touches
    return stray


def _lie_on(one: Seen, found: Detections) -> list[str]:
    """The kind of rendered thing that each box is on, "nothing" where it is on none."""
    things = one.picture.notes["truth"].get("objects", ())
    boxes = np.array([thing["box"] for thing in things], np.float32).reshape(-1, 4)
    kinds = [str(thing["kind"]) for thing in things]
    shared = overlap(found.boxes, boxes)
    return [
        kinds[row.argmax()] if row.max(initial=0) >= _TOUCH_IOU else "nothing" for row in shared
    ]


def _quiet_from(scores: Sequence[NDArray[np.float32]]) -> float:
    """The lowest score with at most PER_HUNDRED false boxes in a hundred pictures."""
    allowed = int(len(scores) * PER_HUNDRED / 100)
    falling = np.sort(np.concatenate([np.zeros(0, np.float32), *scores]))[::-1]
    if len(falling) <= allowed:
        return FLOOR
    return float(np.nextafter(falling[allowed], np.float32(1)))


def _balanced(seen: Sequence[Seen], number: int) -> float:
    """The score with the best F1 at IoU 0.5, boxes taken by falling score."""
    scores, hits, boxes = [], [], 0
    for one in seen:
        if number in one.picture.unlabelled:
            continue
        mask = one.found.classes == number
        true = one.truth[one.picture.classes == number]
        boxes += len(true)
        shared = overlap(one.found.boxes[mask], true)
        order = np.argsort(-one.found.scores[mask])
        free = np.ones(len(true), bool)
        for at in order:
            left = np.where(free, shared[at], 0)
            hit = bool(len(left)) and left.max() >= 0.5
            if hit:
                free[left.argmax()] = False
            hits.append(hit)
        scores += one.found.scores[mask][order].tolist()
    if not scores:
        return PLAIN
    falling = np.argsort(-np.array(scores), kind="stable")
    right = np.cumsum(np.array(hits)[falling])
    f1 = 2 * right / (np.arange(1, len(falling) + 1) + boxes)
    return float(np.array(scores)[falling][f1.argmax()])
