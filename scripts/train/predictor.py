"""Runs an ONNX detector over still pictures as the product looks at them.

Any end-to-end detector will do: the product's own (uint8 I420), a plain float export, one trained
on other classes. All are shown the same scaled pictures, so that their scores can be compared.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pipeline.detect import Detections, load_card, look_at
from pipeline.detect.merging import merged
from pipeline.detect.predict import SMALL
from pipeline.detect.session import open_session
from pipeline.detect.still import looks_at
from pipeline.errors import ModelError
from pipeline.settings import RoadLookSettings

from .classes import IDS, NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.ingest import Look

FLOOR = 0.005
"""Scores below this are dropped: they move no average precision and cost time."""
SIZE = (640, 384)
"""Width and height that the product looks at; for models that take any size."""


class Predictor:
    """``name``, ``thresholds`` (of its card, by class; none without one) and ``size`` of a model.

    ``classes`` are the classes of NAMES that it knows. Classes come from the card beside the file,
    from the names an exporter left in it, or are taken to be NAMES. ``road_looks``: a picture much
    larger than the input gets road looks, too, as in the product. Raises ModelError.
    """

    def __init__(self, path: Path, threads: int = 0, *, road_looks: bool = False) -> None:
        self.name = path.stem
        card = load_card(path) if path.with_suffix(".json").is_file() else None
        if not path.is_file():
            raise ModelError("model file not found", file=path, allowed="an ONNX file")
        self.thresholds: dict[str, float] = dict(card.thresholds) if card else {}
        self._session = open_session(path, threads)
        (given, *_), (self._output, *_) = self._session.get_inputs(), self._session.get_outputs()
        self._input = given.name
        self._is_i420 = given.type == "tensor(uint8)"
        self.size = _size(given.shape, path, is_i420=self._is_i420)
        names = card.classes if card else _names(self._session)
        self._numbers = np.array([IDS.get(name, -1) for name in names], np.int16)
        self.classes = tuple(name for name in NAMES if name in names)
        self._roads = RoadLookSettings() if road_looks else RoadLookSettings(most=0)
        shape = self._run(look_at(np.full((*self.size[::-1], 3), 114, np.uint8), self.size)).shape
        if len(shape) != 2 or shape[1] != 6:
            raise ModelError(
                "is no end-to-end detector", file=path, found=shape, allowed="boxes (N, K, 6)"
            )

    def __call__(self, bgr: NDArray[np.uint8]) -> Detections:
        """What is seen in a picture (H, W, 3); classes are numbers in NAMES, others are left out.

        Boxes are in pixels of the picture; all scores from FLOOR up.
        """
        looks = looks_at(bgr, self.size, self._roads)
        found = [self._detections(look) for look in looks]
        return merged(looks, found, NAMES, small_px=SMALL * self._roads.seen_px)

    def _detections(self, look: Look) -> Detections:
        rows = self._run(look)
        rows = rows[rows[:, 4] >= FLOOR]
        width, height = look.source_size
        boxes = rows[:, :4] * look.scale + np.array(look.region[:2] * 2, np.float32)
        boxes = np.clip(boxes, 0, [width, height, width, height])
        classes = self._numbers[rows[:, 5].astype(int)]
        found = Detections(boxes.astype(np.float32), rows[:, 4], classes)
        solid = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        return found[solid & (classes >= 0)]

    def _run(self, look: Look) -> NDArray[np.float32]:
        """The model's rows (K, 6), boxes in pixels of the look."""
        given: NDArray[np.generic] = look.picture
        if not self._is_i420:
            rgb = cv2.cvtColor(look.picture, cv2.COLOR_YUV2RGB_I420)
            given = rgb.transpose(2, 0, 1).astype(np.float32) / 255
        (rows,) = self._session.run([self._output.name], {self._input: given[None]})
        return np.asarray(rows[0], np.float32)


def _size(shape: list[object], path: Path, *, is_i420: bool) -> tuple[int, int]:
    """(width, height) of the input; SIZE where the graph leaves it open."""
    height, width = shape[-2:]
    if isinstance(height, int) and isinstance(width, int):
        if is_i420 and len(shape) == 3:
            return width, height * 2 // 3
        if not is_i420 and len(shape) == 4 and shape[1] == 3:
            return width, height
    elif not is_i420 and len(shape) == 4:
        return SIZE
    raise ModelError(
        "has an input that pictures don't fit",
        file=path,
        found=shape,
        allowed="uint8 I420 (N, H·3/2, W) or float RGB (N, 3, H, W)",
    )


def _names(session: object) -> tuple[str, ...]:
    """Class names that an exporter wrote into the file as {0: 'person', ...}; NAMES without."""
    written = session.get_modelmeta().custom_metadata_map.get("names")  # type: ignore[attr-defined]
    if written is None:
        return NAMES
    names = ast.literal_eval(written)
    return tuple(names[number] for number in range(len(names)))
