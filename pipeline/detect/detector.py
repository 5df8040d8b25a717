"""Turns a batch of looks into detections, on the best hardware that is there and works.

A provider that fails while it runs is left for the next one of the ladder, and the looks at hand go
through that: none is lost, and nobody gets boxes from a device that has gone wrong.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog

from pipeline.detect.card import ModelCard, load_card
from pipeline.detect.detections import Detections
from pipeline.detect.ladder import forget_engines, ladder, on_gpu, open_on
from pipeline.detect.runners import Buckets, Lanes, RunError
from pipeline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.detect.ladder import Provider
    from pipeline.detect.runners import Runner
    from pipeline.ingest.look import Look
    from pipeline.settings import ModelSettings

TRIED_ON = 8
"""Looks with which the speed is tried out at the start, for each lane."""
FLOOR = 0.04
"""Scores below this are dropped: weak evidence is used by the hazards, noise is not."""

log = structlog.get_logger(__name__)


class Detector:
    """Loads a model only if hash, card and graph agree, on the first rung that works.

    ``looks_per_s`` is what it did when it was tried out at the start. ``size`` is the model's input
    (width, height); looks must come at that size. Any thread may call.
    """

    def __init__(self, settings: ModelSettings, *, rungs: Sequence[Provider] | None = None) -> None:
        """``rungs``: the providers to try in this order; else as the settings say."""
        self.card: ModelCard = load_card(settings.path)
        self.size = (self.card.input.width, self.card.input.height)
        self._settings = settings
        self._repairing = threading.Lock()
        self._rungs = list(ladder(settings) if rungs is None else rungs)
        self._runner = self._climb()
        self.looks_per_s = self._try_out(TRIED_ON * self.lanes)

    @property
    def provider(self) -> Provider:
        """What it runs on now."""
        return self._rungs[0]

    @property
    def path(self) -> Path:
        """The model file."""
        return self._settings.path

    @property
    def lanes(self) -> int:
        """Looks side by side on a CPU."""
        return self._settings.threads or len(os.sched_getaffinity(0))

    def __call__(self, looks: Sequence[Look]) -> list[Detections]:
        """Detections of each look, in the same order, scores from FLOOR up.

        Raises ModelError when no provider is left that works.
        """
        if not looks:
            return []
        rows = self.run([look.picture for look in looks])
        return [_detections(of, look) for of, look in zip(rows, looks, strict=True)]

    def run(self, pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """Bare model: I420 (H·3/2, W) each -> rows (K, 6) x1 y1 x2 y2 score class."""
        again = True
        while True:
            runner = self._runner
            try:
                return runner(pictures)
            except RunError as error:
                with self._repairing:
                    if self._runner is runner:  # else another thread has repaired it already
                        again = self._repair(str(error), again=again)

    def falls_back_on(self, rungs: Iterable[Provider]) -> None:
        """The providers to go on with, in this order, when its own fails."""
        self._rungs[1:] = rungs

    def close(self) -> None:
        """Let go of its threads and its device."""
        self._runner.close()

    def _repair(self, why: str, *, again: bool) -> bool:
        """Another session to go on with: of this rung once more, then of the next.

        Returns whether the rung has its second try still before it. Raises ModelError.
        """
        log.error("detector_failed", provider=self.provider, why=why, again=again)
        self._runner.close()
        if not again:
            if len(self._rungs) == 1:
                raise ModelError(
                    "can't be run", file=self._settings.path, where=self.provider, found=why
                )
            del self._rungs[0]
        self._runner = self._climb()
        return not again

    def _climb(self) -> Runner:
        """The first rung that works; those before it are left, with a reason."""
        while True:
            try:
                return self._open(self._rungs[0])
            except ModelError as error:
                if len(self._rungs) == 1:
                    raise
                log.warning("provider_left", provider=self._rungs[0], why=str(error))
                del self._rungs[0]

    def _open(self, provider: Provider) -> Runner:
        """Warm and tried out; an engine that was kept and gives nothing usable is built anew."""
        try:
            return self._warm(provider)
        except RunError as error:
            why = str(error)
        if forget_engines(provider, self._settings.path, self._settings, why=why):
            try:
                return self._warm(provider)
            except RunError as error:
                why = str(error)
        raise ModelError(
            "gives no usable boxes", file=self._settings.path, where=provider, found=why
        )

    def _warm(self, provider: Provider) -> Runner:
        path, shape, settings = self._settings.path, self.card.input, self._settings
        if provider == "cpu":
            single = open_on(provider, path, shape, settings, 1)
            self._check_graph(single)
            several = self.lanes > 1
            joint = open_on(provider, path, shape, settings, self.lanes) if several else single
            runner: Runner = Lanes(single, joint, self.lanes)
        else:
            session = open_on(provider, path, shape, settings, self.lanes)
            self._check_graph(session)
            device = "cuda" if on_gpu(provider) else "cpu"
            graphs = settings.cuda_graphs and on_gpu(provider)
            runner = Buckets(session, self.size, settings.batch, device, graphs=graphs)
        runner.warm_up(self._grey())
        self._check_boxes(runner([self._grey()])[0])
        return runner

    def _check_graph(self, session: Any) -> None:
        width, height = self.size
        found = [(i.name, i.type, i.shape[1:]) for i in session.get_inputs()]
        wanted = [("pictures", "tensor(uint8)", [height * 3 // 2, width])]
        if found != wanted:
            raise ModelError(
                "has the wrong input", file=self._settings.path, found=found, allowed=str(wanted)
            )

    def _check_boxes(self, rows: NDArray[np.float32]) -> None:
        most = len(self.card.classes) - 1
        usable = rows.ndim == 2 and rows.shape[1] == 6
        if not usable or not ((rows[:, 5] >= 0) & (rows[:, 5] <= most)).all():
            raise ModelError(
                "gives no usable boxes",
                file=self._settings.path,
                found=rows.shape,
                allowed=f"(N, K, 6), finite, classes 0 to {most}",
            )

    def _grey(self) -> NDArray[np.uint8]:
        width, height = self.size
        return np.full((height * 3 // 2, width), 114, np.uint8)

    def _try_out(self, count: int) -> float:
        pictures = [self._grey()] * count
        began_s = time.perf_counter()  # of this machine, whatever time it is in the town
        self.run(pictures)
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
