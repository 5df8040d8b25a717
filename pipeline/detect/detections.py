"""What the model sees in one look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Boxes of one look.

    ``boxes`` float32 (N, 4) xyxy in source pixels, ``scores`` float32 (N,),
    ``classes`` int16 (N,) indices into the model card's class list. A boolean mask (N,) selects.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, mask: NDArray[np.bool_]) -> Detections:
        return Detections(self.boxes[mask], self.scores[mask], self.classes[mask])

    @classmethod
    def empty(cls) -> Detections:
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int16))
