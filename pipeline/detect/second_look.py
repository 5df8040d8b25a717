"""A second look at one place, at the camera's own resolution, before a hazard is believed.

In a look a distant car may be ten pixels, and so may a dark patch that is none. The key frame of
the look is still kept compressed; the part around the place is cut out of it in full size and given
to the detector again, or to a larger model.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline.detect.detections import Detections
from pipeline.detect.detector import Detector
from pipeline.detect.still import look_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pipeline.ingest import Look
    from pipeline.settings import ModelSettings, SecondLookSettings

AROUND = 2.0
"""The place takes up at most one such part of what is cut out, each way."""
FINER = 1.25
"""A part that shows the place less than so many times as large as the look did tells nothing."""


class Seen(NamedTuple):
    """What a model of these ``classes`` sees, in pixels of the source picture."""

    detections: Detections
    classes: Sequence[str]


class SecondLookCost(NamedTuple):
    """What second looks have taken of the detector: how many, and seconds in all.

    ``no_finer``: how often none was had, because the picture shows no more than the look did.
    """

    looks: int = 0
    no_finer: int = 0
    detector_s: float = 0.0

    def since(self, before: SecondLookCost) -> SecondLookCost:
        return SecondLookCost(
            self.looks - before.looks,
            self.no_finer - before.no_finer,
            self.detector_s - before.detector_s,
        )


class SecondLook:
    """Cuts out and detects; any thread may call. ``cost`` is of all calls so far."""

    def __init__(self, detector: Detector) -> None:
        self.cost = SecondLookCost()
        self._detector = detector
        self._counting = threading.Lock()

    def __call__(self, picture: NDArray[np.uint8], box: Sequence[float]) -> Seen | None:
        """``picture`` is uint8 BGR (H, W, 3), ``box`` x1, y1, x2, y2 in its pixels.

        None where the picture has no more to show than the look had.
        """
        height, width = picture.shape[:2]
        x, y, wide, high = _part(box, (width, height), self._detector.size)
        whole = max(width / self._detector.size[0], height / self._detector.size[1])
        part = max(wide / self._detector.size[0], high / self._detector.size[1])
        if whole / max(part, 1.0) < FINER:
            self._count(no_finer=1)
            return None
        cut = np.ascontiguousarray(picture[y : y + high, x : x + wide])
        seen = self._detected(look_at(cut, self._detector.size))
        moved = seen.boxes + np.array([x, y, x, y], np.float32)
        return Seen(Detections(moved, seen.scores, seen.classes), self._detector.card.classes)

    def _detected(self, look: Look) -> Detections:
        began_s = time.perf_counter()  # of this machine, whatever time it is in the town
        (seen,) = self._detector([look])
        self._count(looks=1, detector_s=time.perf_counter() - began_s)
        return seen

    def _count(self, *, looks: int = 0, no_finer: int = 0, detector_s: float = 0.0) -> None:
        with self._counting:
            had = self.cost
            self.cost = SecondLookCost(
                had.looks + looks, had.no_finer + no_finer, had.detector_s + detector_s
            )


def second_look(
    settings: SecondLookSettings, model: ModelSettings, detector: Detector
) -> SecondLook | None:
    """With the model of its own if one is named, else with ``detector``; None if it is off.

    Raises ModelError.
    """
    if not settings.on:
        return None
    if settings.model is None:
        return SecondLook(detector)
    own = model.model_copy(update={"path": settings.model, "batch": 1, "provider": "auto"})
    return SecondLook(Detector(own))


def again_in(
    second: SecondLook | None, picture: Callable[[], NDArray[np.uint8] | None]
) -> Callable[[Sequence[float]], Seen | None] | None:
    """A second look in what ``picture`` gives, asked for when it is needed; None: there is none."""
    if second is None:
        return None

    def again(box: Sequence[float]) -> Seen | None:
        found = picture()
        return None if found is None else second(found, box)

    return again


def _part(
    box: Sequence[float], source: tuple[int, int], size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """x, y, width and height (even numbers) of what is cut out around the box."""
    x1, y1, x2, y2 = box
    scale = max(1.0, AROUND * (x2 - x1) / size[0], AROUND * (y2 - y1) / size[1])
    wide, high = (
        min(side, round(scale * own)) & ~1 for side, own in zip(source, size, strict=True)
    )
    left = min(max(0, round((x1 + x2 - wide) / 2)), source[0] - wide) & ~1
    top = min(max(0, round((y1 + y2 - high) / 2)), source[1] - high) & ~1
    return left, top, wide, high
