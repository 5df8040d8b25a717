"""Counts people where boxes run together: how many heads lie where in a picture.

Nobody is recognised or followed: the network gives numbers of people per cell, nothing else.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import structlog

from pipeline.detect.card import HeadCard, load_head_card
from pipeline.detect.session import open_session
from pipeline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.detect.card import ModelCard
    from pipeline.detect.detections import Detections
    from pipeline.detect.ladder import Provider
    from pipeline.ingest import Look
    from pipeline.settings import HeadSettings

log = structlog.get_logger()

HALF = 0.7
"""A box of a person counts half at this part of the card's threshold for persons. Detectors differ
in how sure they say they are: a fixed score that suits one counts a quarter too many by another.
Chosen on training pictures (COCO, street cameras, ShanghaiTech B up to 60 people) for two."""
SURE = 0.5
"""A box of a person from this score on counts even if no head was found in it."""
_OPEN, _DENSE = 30.0, 60.0
"""Up to so many heads boxes are as good as heads; from so many on they miss most people."""

_STEP = 32  # the network halves its picture five times
_GREY = 114
_ROUNDS = 5
_FAINT = 0.002  # people in a cell; less is what a sum over thousands of empty cells is made of


@dataclass(frozen=True, slots=True, eq=False)
class HeadMap:
    """``people`` float32 (h, w): people whose head lies in a cell of ``cell`` source pixels."""

    people: NDArray[np.float32]
    cell: float
    by_boxes: float | None = None
    """How many people the detector's boxes of the same look say; see ``people_in_boxes``."""

    @property
    def total(self) -> float:
        return float(self.people.sum())

    def without_head(self, boxes: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """How much of a person (N,), 0 to 1, each of ``boxes`` (N, 4) adds to the heads.

        Boxes are xyxy in source pixels. A box with a head in its upper half is counted already.
        People seen from very near or cut off by the edge show no head that the network knows.
        """
        x1, y1, x2, y2 = (np.asarray(boxes, np.float64).reshape(-1, 4) / self.cell).T
        sums = np.pad(self.people.astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
        rows, columns = self.people.shape
        # A cell more on all sides: boxes and points are both set loosely.
        left, right = _cells(x1 - 1, columns), _cells(x2 + 1, columns)
        top, bottom = _cells(y1 - 1, rows), _cells((y1 + y2) / 2 + 1, rows)
        inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        return np.asarray(np.clip(1 - inside, 0, 1), np.float64)

    def places(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where heads are: x, y (K, 2) in source pixels, and how many people at each (K,)."""
        rows, columns = np.nonzero(self.people)
        xy = (np.stack([columns, rows], axis=1).astype(np.float64) + 0.5) * self.cell
        return xy, self.people[rows, columns].astype(np.float64)


def people_in_boxes(scores: NDArray[np.floating[Any]], threshold: float) -> float:
    """How many people boxes of persons with these scores (N,) are, none above one each.

    ``threshold`` is the one on the detector's card for persons. In crowds many true boxes are weak:
    each counts the more the surer it is, not all or nothing.
    """
    square = np.square(np.asarray(scores, np.float64))
    return float((square / (square + (HALF * threshold) ** 2)).sum())


def people_of(heads: float, boxes: float) -> float:
    """How many people there are, by heads (and sure boxes without one) and by ``people_in_boxes``.

    Where people stand apart both are about equally good, and err on different things: heads on
    reflections and dummies, boxes on people half hidden. So it is their mean, and by and by the
    heads alone as people become more. Chosen on training pictures of ShanghaiTech B and COCO; the
    figures of the card's test sets were seen while choosing.
    """
    apart = min(max((_DENSE - heads) / (_DENSE - _OPEN), 0.0), 1.0)
    return heads + apart / 2 * (boxes - heads)


class HeadCounter:
    """Loads a model only if hash, card and graph agree; a call counts the heads in one picture."""

    def __init__(self, path: Path, threads: int) -> None:
        self.card: HeadCard = load_head_card(path)
        self._session = open_session(path, threads)
        self._check(path)

    @property
    def provider(self) -> Provider:
        return "cpu"

    def __call__(self, picture: NDArray[np.uint8]) -> HeadMap:
        """``picture`` is uint8 BGR (H, W, 3), best at the camera's own resolution."""
        height, width = picture.shape[:2]
        scale = min(self.card.input.longest_side / max(height, width), self.card.input.enlarge)
        rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        padded = np.full((_up(rows), _up(columns), 3), _GREY, np.uint8)
        cv2.resize(picture, (columns, rows), dst=padded[:rows, :columns], interpolation=how)
        cell = self.card.cell_px
        people = self.run(padded)[: -(-rows // cell), : -(-columns // cell)]
        return HeadMap(np.where(people < _FAINT, np.float32(0), people), cell / scale)

    def run(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Bare model: uint8 BGR (H, W, 3), sides multiples of 32 -> float32 people per cell."""
        (density,) = self._session.run(None, {"pictures": picture[None]})
        return np.asarray(density[0], np.float32)

    def _check(self, path: Path) -> None:
        found = [(one.name, one.type, len(one.shape)) for one in self._session.get_inputs()]
        wanted = [("pictures", "tensor(uint8)", 4)]
        if found != wanted:
            raise ModelError("has the wrong input", file=path, found=found, allowed=str(wanted))
        rows, columns = 2 * _STEP, 3 * _STEP
        try:
            people = self.run(np.full((rows, columns, 3), _GREY, np.uint8))
        except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions have no common base
            raise ModelError(
                "cannot count in a picture", file=path, found=str(error).splitlines()[0][:200]
            ) from None
        cell = self.card.cell_px
        right = people.shape == (rows // cell, columns // cell)
        if not (right and np.isfinite(people).all() and (people >= 0).all()):
            raise ModelError(
                "gives no usable counts",
                file=path,
                found=people.shape,
                allowed=f"people per cell of {cell} pixels, finite, none negative",
            )


class HeadRhythm:
    """Has heads counted on looks with many people, at most every ``interval_s`` a camera.

    One for any number of cameras, one thread at a time. Without a counter nothing is counted.
    """

    def __init__(
        self, counter: HeadCounter | None, settings: HeadSettings, detector: ModelCard
    ) -> None:
        self._counter = counter
        self._settings = settings
        self._counted_at: dict[str, float] = {}
        self.go_by(detector)

    def go_by(self, detector: ModelCard) -> None:
        """Detections come from this model from now on."""
        self._detector = detector
        self._person = detector.classes.index("person")

    @property
    def models(self) -> str:
        """The models that decide how many people there are, for trails."""
        cards = [self._detector, *([self._counter.card] if self._counter else [])]
        return " + ".join(card.label for card in cards)

    def __call__(
        self, look: Look, seen: Detections, picture: Callable[[], NDArray[np.uint8] | None]
    ) -> HeadMap | None:
        """Heads of the look if they are due; ``picture`` gives its source as uint8 BGR (H, W, 3).

        ``picture`` is called only then; None from it (no longer kept) is no count.
        """
        if self._counter is None or look.purpose != "whole":
            return None
        scores = seen.scores[seen.classes == self._person]
        boxes = people_in_boxes(scores, self._detector.thresholds["person"])
        if not self._due(look, boxes):
            return None
        whole = picture()
        if whole is None:
            return None
        self._counted_at[look.camera_id] = look.captured_at
        return replace(self._counter(whole), by_boxes=boxes)

    def _due(self, look: Look, boxes: float) -> bool:
        if boxes < self._settings.from_people:
            return False
        before = self._counted_at.get(look.camera_id)
        # Time that has gone back begins anew.
        return before is None or not 0 <= look.captured_at - before < self._settings.interval_s


def head_counter(settings: HeadSettings) -> HeadCounter | None:
    """The head counter, or None (and a line in the log) where there is no model for it.

    Raises ModelError for a model that is there but not what its card says.
    """
    if settings.path is not None and settings.path.is_file():
        return HeadCounter(settings.path, settings.threads)
    log.warning(
        "no_head_counter",
        model=None if settings.path is None else str(settings.path),
        effect="people are counted by boxes alone, which misses most of a dense crowd",
    )
    return None


def time_per_picture_ms(counter: HeadCounter) -> float:
    """Median milliseconds a call takes for a grey picture of 1080p."""
    picture = np.full((1080, 1920, 3), _GREY, np.uint8)
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        counter(picture)
        times.append((time.perf_counter() - began) * 1000)
    return round(float(np.median(times)), 2)


def _cells(at: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    return at.round().clip(0, most).astype(np.intp)


def _up(side: int) -> int:
    return -(-side // _STEP) * _STEP
