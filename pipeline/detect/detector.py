"""One ONNX session that turns a batch of looks into detections.

On a CPU every look is a run of its own, on one thread, and as many of them run side by side as the
session may use threads. Threads that share the work of one run wait for each other after every
layer, and a larger batch leaves the caches: of street-n on two cores, eight looks in one run on two
threads (that don't spin: others need the cores) took 26 ms a look, in lanes 21 ms. So a look's
result doesn't depend on its neighbours either.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from pipeline.detect.card import ModelCard, load_card
from pipeline.detect.detections import Detections
from pipeline.detect.session import open_session
from pipeline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.ingest.look import Look
    from pipeline.settings import ModelSettings

TRIED_ON = 4  # looks of each lane
FLOOR = 0.04
"""Scores below this are dropped: weak evidence is used by the hazards, noise is not."""


class Detector:
    """Loads a model only if hash, card and graph agree.

    ``looks_per_s`` is what it did when it was tried out at the start.

    ``size`` is the model's input (width, height); looks must come at that size.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self.card: ModelCard = load_card(settings.path)
        self.size = (self.card.input.width, self.card.input.height)
        lanes = settings.threads or len(os.sched_getaffinity(0))
        self._session = open_session(settings.path, threads=1)
        self._lanes = ThreadPoolExecutor(lanes, thread_name_prefix="detector lane")
        self._check_graph(settings.path)
        self._warm_up(settings.path)
        self.looks_per_s = self._try_out(TRIED_ON * lanes)

    @property
    def providers(self) -> list[str]:
        return list(self._session.get_providers())

    def __call__(self, looks: Sequence[Look]) -> list[Detections]:
        """Detections of each look, in the same order, scores from FLOOR up."""
        if not looks:
            return []
        rows = self._lanes.map(self._run_one, [look.picture for look in looks])
        return [_detections(of, look) for of, look in zip(rows, looks, strict=True)]

    def run(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Bare model: uint8 I420 (N, H·3/2, W) -> float32 (N, K, 6) x1 y1 x2 y2 score class."""
        return np.stack(list(self._lanes.map(self._run_one, pictures)))

    def _run_one(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        (boxes,) = self._session.run(None, {"pictures": picture[None]})
        return np.asarray(boxes[0], np.float32)

    def _check_graph(self, path: Path) -> None:
        width, height = self.size
        found = [(i.name, i.type, i.shape[1:]) for i in self._session.get_inputs()]
        wanted = [("pictures", "tensor(uint8)", [height * 3 // 2, width])]
        if found != wanted:
            raise ModelError("has the wrong input", file=path, found=found, allowed=str(wanted))

    def _warm_up(self, path: Path) -> None:
        width, height = self.size
        boxes = self.run(np.full((1, height * 3 // 2, width), 114, np.uint8))
        most = len(self.card.classes) - 1
        usable = boxes.ndim == 3 and boxes.shape[2] == 6 and bool(np.isfinite(boxes).all())
        if not usable or not ((boxes[..., 5] >= 0) & (boxes[..., 5] <= most)).all():
            raise ModelError(
                "gives no usable boxes",
                file=path,
                found=boxes.shape,
                allowed=f"(N, K, 6), finite, classes 0 to {most}",
            )

    def _try_out(self, count: int) -> float:
        width, height = self.size
        grey = np.full((count, height * 3 // 2, width), 114, np.uint8)
        began_s = time.perf_counter()  # of this machine, whatever time it is in the town
        self.run(grey)
        return count / (time.perf_counter() - began_s)


def _detections(rows: NDArray[np.float32], look: Look) -> Detections:
    """Rows (K, 6) in picture pixels -> detections in source pixels, clipped to the source."""
    rows = rows[rows[:, 4] >= FLOOR]
    boxes = rows[:, :4] * look.scale + np.array(look.region[:2] * 2, np.float32)
    width, height = look.source_size
    boxes[:, 0::2] = boxes[:, 0::2].clip(0, width)
    boxes[:, 1::2] = boxes[:, 1::2].clip(0, height)
    solid = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return Detections(
        boxes.astype(np.float32), rows[:, 4].astype(np.float32), rows[:, 5].astype(np.int16)
    )[solid]
