"""How well people are counted, by the very rule and models that gridwatch runs."""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pipeline.detect import count_people, look_at
from pipeline.errors import DataError
from scripts.train.classes import IDS
from scripts.train.folders import read_folder

from .data import read_data, read_points

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.detect import Detector, HeadCounter

    Counted = tuple[NDArray[np.uint8], float]
    """A picture uint8 BGR (H, W, 3) and how many people there are."""


@dataclass(slots=True)
class Errors:
    """Of each picture: the true number, and what boxes, heads and both together say."""

    rows: list[tuple[float, float, float, float]] = field(default_factory=list)
    heads_ms: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        true, *said = np.array(self.rows, np.float64).T
        found = {"pictures": float(len(true)), "people, mean": float(true.mean())}
        for name, numbers in zip(("boxes", "heads", "people"), said, strict=True):
            off = numbers - true
            found[f"{name}: mean absolute error"] = float(np.abs(off).mean())
            found[f"{name}: mean error"] = float(off.mean())
        found["heads: milliseconds a picture"] = float(np.median(self.heads_ms))
        return {name: round(value, 2) for name, value in found.items()}


def errors(pictures: Iterable[Counted], detector: Detector, counter: HeadCounter) -> Errors:
    """Counts the people in every picture. Raises DataError if there is none."""
    found = Errors()
    for picture, true in pictures:
        (seen,) = detector([look_at(picture, detector.size)])
        began = time.perf_counter()
        heads = counter(picture)
        found.heads_ms.append((time.perf_counter() - began) * 1000)
        by_boxes = count_people(seen, detector.card, None)
        together = count_people(seen, detector.card, heads)
        found.rows.append((true, by_boxes, heads.total, together))
    if not found.rows:
        raise DataError("there is no picture to score on")
    return found


def of_points(root: Path, part: str = "val") -> Iterator[Counted]:
    """One part of a folder with a point on every head. Raises DataError."""
    for one in read_points(root)[part]:
        yield one.load(), float(len(one.heads))


def of_rendered(root: Path) -> Iterator[Counted]:
    """Validation pictures of a data folder in which every head is known. Raises DataError."""
    for one in read_data(root, "val"):
        if one.complete:
            yield one.load(), float(len(one.heads))


def of_boxes(root: Path, least: int, most: int) -> Iterator[Counted]:
    """Validation pictures of a data folder with so many boxes of persons. Raises DataError."""
    for one in read_folder(root):
        people = np.count_nonzero(one.classes == IDS["person"])
        if one.split == "val" and least <= people <= most:
            picture = cv2.imread(str(one.path))
            if picture is None:
                raise DataError("is not a picture that can be read", file=one.path)
            yield np.asarray(picture, np.uint8), float(people)


def of_clip(clip: Path) -> Iterator[Counted]:
    """Pictures of CLIP counted by hand in CLIP's name + ``_counts.csv`` (frame,count)."""
    table = clip.with_name(f"{clip.stem}_counts.csv")
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            counts = {int(row["frame"]): float(row["count"]) for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise DataError(
            "can't be read", file=table, found=repr(error), allowed="frame,count"
        ) from None
    video = cv2.VideoCapture(str(clip))
    if not video.isOpened():
        raise DataError("is not a clip that can be read", file=clip)
    for frame in range(max(counts, default=-1) + 1):
        there, picture = video.read()
        if not there:
            raise DataError("ends before its counts", file=clip, found=f"{frame} pictures")
        if frame in counts:
            yield np.asarray(picture, np.uint8), counts[frame]
