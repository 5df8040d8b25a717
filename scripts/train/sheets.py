"""Hits, misses and false alarms as pictures: what figures don't tell."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from .alarms import overlap
from .pictures import read_picture

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from .precision import Seen

Kind = Literal["hit", "miss", "false"]
KINDS: tuple[Kind, ...] = ("hit", "miss", "false")
_HIT_IOU, _NEAR_IOU, _TOUCH_IOU = 0.5, 0.3, 0.1
_WIDTH, _QUALITY = 320, 72
_TRUE, _FOUND = (80, 190, 60), (30, 110, 235)  # BGR


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One picture with a class's true boxes and those found. ``rank`` orders tiles of a kind."""

    kind: Kind
    rank: float
    one: Seen
    true: NDArray[np.float32]
    found: NDArray[np.float32]
    scores: NDArray[np.float32]


def tiles(
    seen: Iterable[Seen], class_id: int, threshold: float, most: int
) -> dict[Kind, list[Tile]]:
    """At most ``most`` pictures of each kind, the most telling first, each scene once.

    Surest hits and false alarms, largest misses.
    """
    ranked = sorted((tile for one in seen for tile in _of(one, class_id, threshold)), key=_order)
    chosen: dict[Kind, list[Tile]] = {kind: [] for kind in KINDS}
    shown: set[tuple[Kind, str]] = set()
    for tile in ranked:
        scene = tile.kind, tile.one.picture.group or tile.one.picture.name
        if scene not in shown and len(chosen[tile.kind]) < most:
            shown.add(scene)
            chosen[tile.kind].append(tile)
    return chosen


def jpeg_url(tile: Tile) -> str:
    """The picture with its boxes (true ones green, found ones orange) as a data: URL."""
    bgr = read_picture(tile.one.picture.path)
    scale = _WIDTH / bgr.shape[1]
    size = (_WIDTH, max(1, round(bgr.shape[0] * scale)))
    small = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    for box in tile.true * scale:
        _draw(small, box, _TRUE)
    for box, score in zip(tile.found * scale, tile.scores, strict=True):
        _draw(small, box, _FOUND)
        place = (max(int(box[0]), 0), max(int(box[1]) - 3, 9))
        cv2.putText(small, f"{score:.2f}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, _FOUND, 1)
    _, packed = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return f"data:image/jpeg;base64,{b64encode(packed.tobytes()).decode()}"


def _of(one: Seen, class_id: int, threshold: float) -> list[Tile]:
    mask = (one.found.classes == class_id) & (one.found.scores >= threshold)
    found, scores = one.found.boxes[mask], one.found.scores[mask]
    true = one.truth[one.picture.classes == class_id]
    if class_id in one.picture.unlabelled or not len(found) + len(true):
        return []
    shared = overlap(found, true)
    best_of_found = shared.max(1, initial=0)
    missed = true[shared.max(0, initial=0) < _NEAR_IOU]
    ranks: dict[Kind, Sequence[float]] = {
        "hit": scores[best_of_found >= _HIT_IOU].tolist(),
        "miss": ((missed[:, 2:] - missed[:, :2]).prod(1) * one.scale**2).tolist(),
        "false": scores[best_of_found < _TOUCH_IOU].tolist(),
    }
    return [
        Tile(kind, max(values), one, true, found, scores)
        for kind, values in ranks.items()
        if values
    ]


def _order(tile: Tile) -> tuple[float, str]:
    return -tile.rank, tile.one.picture.name


def _draw(picture: NDArray[np.uint8], box: NDArray[np.float32], colour: tuple[int, ...]) -> None:
    left, top, right, bottom = (round(float(side)) for side in box)
    cv2.rectangle(picture, (left, top), (right, bottom), colour, 1, cv2.LINE_AA)
