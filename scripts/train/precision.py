"""Average precision as COCO counts it (101 points, IoU 0.5 to 0.95), by pycocotools.

Every picture is matched once; any part of the pictures can then be summed up without matching
again. Areas are those of boxes scaled to the product's look, so that "small" means the same
for pictures of every size.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from .classes import NAMES
from .predictor import SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.detect import Detections

    from .folders import Picture

SIZES = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2)}
SIZES["large"] = (96.0**2, 1e10)
MOST = 300
"""Boxes a picture and class that count: as many as the models give."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One picture, its (width, height) in pixels, and what a model sees in it."""

    picture: Picture
    size: tuple[int, int]
    found: Detections

    @property
    def truth(self) -> NDArray[np.float32]:
        """Boxes float32 (N, 4) xyxy in pixels."""
        return self.picture.boxes * np.array(self.size * 2, np.float32)

    @property
    def scale(self) -> float:
        """Look pixels per picture pixel."""
        return min(SIZE[0] / self.size[0], SIZE[1] / self.size[1])


@dataclass(frozen=True, slots=True, eq=False)
class Precision:
    """Of one class on some pictures. ``boxes`` true ones; all else is None where there are none.

    ``ap50`` and ``ap`` (mean over IoU 0.5 to 0.95), ``by_size`` ap50 of small, medium, large
    boxes, ``curve`` precision (101,) at IoU 0.5 for recall 0 to 1.
    """

    boxes: int
    ap50: float | None
    ap: float | None
    by_size: dict[str, float | None]
    curve: list[float] | None


class Matched:
    """All that was seen, matched to the truth once."""

    def __init__(self, seen: Sequence[Seen]) -> None:
        self._params, evaluated = _match(seen)
        # (class, size, picture), as pycocotools orders them.
        images = np.empty(len(evaluated), object)
        images[:] = evaluated
        self._images = images.reshape(len(NAMES), len(SIZES), len(seen))
        self._boxes = np.array(
            [np.bincount(one.picture.classes, minlength=len(NAMES)) for one in seen]
        )

    def precision(self, class_id: int, members: Sequence[int]) -> Precision:
        """Of a class on some of the pictures (numbers in the order given)."""
        boxes = int(self._boxes[list(members), class_id].sum()) if members else 0
        if not boxes:
            return Precision(0, None, None, dict.fromkeys(list(SIZES)[1:]), None)
        with contextlib.redirect_stdout(io.StringIO()):
            part = COCOeval(iouType="bbox")
        part.params = self._params
        part.params.imgIds, part.params.catIds = list(range(len(members))), [class_id]
        part._paramsEval = part.params  # noqa: SLF001 - what evaluate() would have set
        part.evalImgs = list(self._images[class_id][:, list(members)].flat)
        with contextlib.redirect_stdout(io.StringIO()):
            part.accumulate()
        values = part.eval["precision"][:, :, 0, :, 0]  # (IoU, recall, size)
        by_size = {name: _mean(values[0, :, at]) for at, name in enumerate(SIZES) if name != "all"}
        curve = [round(float(value), 4) for value in values[0, :, 0]]
        return Precision(boxes, _mean(values[0, :, 0]), _mean(values[:, :, 0]), by_size, curve)


def _mean(values: NDArray[np.float64]) -> float | None:
    """Mean precision; pycocotools writes -1 where there is nothing to find."""
    return None if (values < 0).any() else float(values.mean())


def _match(seen: Sequence[Seen]) -> tuple[Any, list[Any]]:
    truth = [
        {"image_id": at, "category_id": int(number), **_area(box, one), "iscrowd": 0}
        for at, one in enumerate(seen)
        for box, number in zip(one.truth, one.picture.classes, strict=True)
    ]
    found = [
        {"image_id": at, "category_id": int(number), "score": float(score), **_area(box, one)}
        for at, one in enumerate(seen)
        for box, score, number in zip(
            one.found.boxes, one.found.scores, one.found.classes, strict=True
        )
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(_coco(truth, len(seen)), _coco(found, len(seen)), "bbox")
        evaluation.params.maxDets = [MOST]
        evaluation.params.areaRng = [list(limits) for limits in SIZES.values()]
        evaluation.params.areaRngLbl = list(SIZES)
        evaluation.evaluate()
    return evaluation.params, evaluation.evalImgs


def _coco(boxes: list[dict[str, Any]], pictures: int) -> Any:
    coco = COCO()
    coco.dataset = {
        "images": [{"id": at} for at in range(pictures)],
        "categories": [{"id": number} for number in range(len(NAMES))],
        "annotations": [{"id": at, **box} for at, box in enumerate(boxes, 1)],
    }
    coco.createIndex()
    return coco


def _area(box: NDArray[np.float32], one: Seen) -> dict[str, Any]:
    left, top, right, bottom = (float(side) for side in box)
    width, height = right - left, bottom - top
    return {"bbox": [left, top, width, height], "area": width * height * one.scale**2}
