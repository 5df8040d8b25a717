"""Our detector beside ``ultralytics`` with the same weights on the same pictures.

Both begin with BGR pictures in the size of the source and end with boxes in it, so ours pays here
for what the daemon gets from ingest: bringing pictures to the model's size and colours.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from pipeline.bench.figure import Figure
from pipeline.bench.turns import turns
from pipeline.detect import FLOOR, Detections, look_at
from pipeline.errors import BenchError
from pipeline.hazards.boxes import iou

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.clock import Clock
    from pipeline.detect import Detector

TARGET = 1 / 1.3
"""At least 1.3 times as many pictures a second."""
SURE = 0.25
SAME_BOX, SAME_SCORE, UNLIKE_TARGET = 0.8, 0.1, 0.05
"""It gets colours that are rounded to 8 bits of red, green and blue, ours those of the camera: that
alone moves scores by some hundredths, and now and then by more."""


def beside_ultralytics(
    detector: Detector,
    weights: Path,
    pictures: Sequence[NDArray[np.uint8]],
    *,
    batches: Sequence[int],
    rounds: int,
    clock: Clock,
) -> list[Figure]:
    """Milliseconds a picture for each size of batch, and the shares of unlike detections.

    ``pictures`` are uint8 BGR (H, W, 3), as many as the largest batch. Raises BenchError.
    """
    model = _loaded(weights)
    width, height = detector.size

    def theirs(of_batch: Sequence[NDArray[np.uint8]]) -> list[Any]:
        found: list[Any] = model.predict(
            list(of_batch),
            imgsz=(height, width),
            conf=FLOOR,
            verbose=False,
            batch=len(of_batch),
            nms=False,  # the head that was exported: end to end
        )
        return found

    def ours(of_batch: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        return detector([look_at(one, detector.size) for one in of_batch])

    figures = []
    for batch in batches:
        some = pictures[:batch]
        mine, its = turns(partial(ours, some), partial(theirs, some), rounds=rounds, clock=clock)
        figures.append(
            Figure(
                f"picture_in_batch_of_{batch}",
                1e3 * float(np.median(mine)) / batch,
                1e3 * float(np.median(its)) / batch,
                "ms",
                "from a BGR picture to boxes, beside ultralytics predict on the same weights",
                TARGET,
            )
        )
    same = [_in_its_size(one, detector.size) for one in pictures]
    return [*figures, *_unlike_figures(ours(same), theirs(same), detector.card.classes)]


def _unlike_figures(
    mine: Sequence[Detections], its: Sequence[Any], classes: Sequence[str]
) -> list[Figure]:
    """Equal means both ways: what either sees with a sure score, the other has too."""
    found = [_as_ours(one, classes) for one in its]
    told = (
        f"with a score of {SURE} or more that {{}} doesn't have (IoU {SAME_BOX}, score within "
        f"{SAME_SCORE}, same class), on pictures in the model's size: the two scale differently"
    )
    figures = []
    for name, these, those, owner, other in (
        ("unlike_detections", found, mine, "ultralytics", "ours"),
        ("unlike_detections_of_ours", mine, found, "ours", "ultralytics"),
    ):
        counts = [_unlike(one, against) for one, against in zip(these, those, strict=True)]
        unlike, of = (sum(each) for each in zip(*counts, strict=True))
        if not of:
            raise BenchError(
                "sees nothing in the pictures, so nothing can be compared", where=owner, found=0
            )
        means = f"of {of} detections of {owner} those {told.format(other)}"
        figures.append(Figure(name, unlike / of, None, "", means, UNLIKE_TARGET, of_ratio=False))
    return figures


def _in_its_size(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """As the model sees it: uint8 BGR of its size, which neither of the two scales or pads."""
    seen = look_at(picture, size).picture
    return np.asarray(cv2.cvtColor(seen, cv2.COLOR_YUV2BGR_I420), np.uint8)


def _loaded(weights: Path) -> Any:
    try:
        with redirect_stdout(sys.stderr):  # it greets on stdout, which is for results
            ultralytics = import_module("ultralytics")
    except ImportError:
        raise BenchError(
            "needs ultralytics: pip install torch for the CPU first, then gridwatch[train]",
            where="--beside",
        ) from None
    if not weights.is_file():
        raise BenchError("not found", where="--beside", found=weights, allowed="a .pt file")
    return ultralytics.YOLO(str(weights))


def _as_ours(its: Any, classes: Sequence[str]) -> Detections:
    """Boxes, scores and classes as ultralytics gives them; a class that ours lacks becomes -1."""
    names = [its.names[int(one)] for one in its.boxes.cls]
    return Detections(
        its.boxes.xyxy.cpu().numpy().astype(np.float32),
        its.boxes.conf.cpu().numpy().astype(np.float32),
        np.array([classes.index(name) if name in classes else -1 for name in names], np.int16),
    )


def _unlike(these: Detections, those: Detections) -> tuple[int, int]:
    """How many sure ones of ``these`` have no like among ``those``, and how many there are."""
    sure = np.flatnonzero(these.scores >= SURE)
    unlike = 0
    for at in sure:
        same = those.classes == these.classes[at]
        close = np.abs(those.scores - these.scores[at]) <= SAME_SCORE
        box = these.boxes[at][None].astype(np.float64)
        near = iou(box, those.boxes.astype(np.float64))[0] >= SAME_BOX
        unlike += not bool((same & close & near).any())
    return unlike, len(sure)
