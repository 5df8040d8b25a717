"""Detections of pictures in files, as ``gridwatch model predict`` writes them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from pipeline.detect.detector import FLOOR
from pipeline.detect.heads import SURE, people_in_boxes, people_of
from pipeline.detect.merging import merged
from pipeline.detect.still import looks_at
from pipeline.errors import FootageError
from pipeline.settings import RoadLookSettings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.detect.card import ModelCard
    from pipeline.detect.detections import Detections
    from pipeline.detect.detector import Detector
    from pipeline.detect.heads import HeadCounter, HeadMap

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"))
SMALL = 2.0
"""Things up to this many times ``seen_px`` are taken from windows too."""
_ROUNDS = 5


def pictures_in(paths: Iterable[Path]) -> list[Path]:
    """The picture files named and those in the folders named; FootageError if there are none."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES)
            if not inside:
                raise FootageError(
                    "no pictures in the folder", file=path, allowed=" ".join(sorted(SUFFIXES))
                )
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise FootageError("not found", file=path, allowed="a picture or a folder of pictures")
    return found


def read_picture(path: Path) -> NDArray[np.uint8]:
    """The picture in a file, uint8 BGR (H, W, 3); FootageError for a file that is none."""
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise FootageError("cannot be read", file=path, found=error.strerror) from None
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    if picture is None:
        raise FootageError(
            "is not a picture that can be read", file=path, allowed=" ".join(sorted(SUFFIXES))
        )
    return picture.astype(np.uint8, copy=False)


def predict(
    path: Path,
    detector: Detector,
    road_looks: RoadLookSettings | None = None,
    counter: HeadCounter | None = None,
    min_score: float = FLOOR,
) -> dict[str, Any]:
    """``image``, ``detections`` with at least ``min_score``, and ``people`` of a picture.

    Whoever judges a model needs weak detections, too; ``sure`` marks those from the card's
    threshold of their class up. A picture much larger than the model's input gets road looks too.
    Boxes are x1, y1, x2, y2 in pixels of the picture. Without a ``counter`` people are counted by
    boxes alone. Raises FootageError for a file that is no picture.
    """
    picture = read_picture(path)
    settings = road_looks or RoadLookSettings()
    looks = looks_at(picture, detector.size, settings)
    small_px = SMALL * settings.seen_px
    seen = merged(looks, detector(looks), detector.card.classes, small_px=small_px)
    people = count_people(seen, detector.card, None if counter is None else counter(picture))
    rows = _rows(seen[seen.scores >= min_score], detector.card)
    return {"image": str(path), "detections": rows, "people": round(people)}


def _rows(seen: Detections, card: ModelCard) -> list[dict[str, Any]]:
    names = [card.classes[index] for index in seen.classes]
    return [
        {
            "class": name,
            "score": round(float(score), 4),
            "sure": bool(score >= card.thresholds[name]),
            "box": [round(float(v), 1) for v in box],
        }
        for name, score, box in zip(names, seen.scores, seen.boxes, strict=True)
    ]


def count_people(seen: Detections, card: ModelCard, heads: HeadMap | None) -> float:
    """How many people there are (see ``people_of``); by boxes alone without ``heads``."""
    persons = seen[seen.classes == card.classes.index("person")]
    boxes = people_in_boxes(persons.scores, card.thresholds["person"])
    if heads is None:
        return boxes
    headless = heads.without_head(persons.boxes[persons.scores >= SURE])
    return people_of(heads.total + float(headless.sum()), boxes)


def time_per_look_ms(detector: Detector, batch: int) -> float:
    """Median milliseconds a look in a batch of this size, session alone, on grey pictures."""
    width, height = detector.size
    pictures = [np.full((height * 3 // 2, width), 114, np.uint8)] * batch
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        detector.run(pictures)
        times.append((time.perf_counter() - began) * 1000 / batch)
    return round(float(np.median(times)), 2)
