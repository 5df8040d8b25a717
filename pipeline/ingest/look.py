"""The unit of work: one analysis of one region of one picture of one camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Purpose = Literal["whole", "road"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One picture at model size, and which part of the source it shows.

    ``picture`` is uint8 I420 of shape (H·3/2, W), H×W the model's input size. ``region`` is the
    rectangle (x1, y1, x2, y2) in source pixels that the whole picture covers, padding included,
    so it may reach beyond the source on the right and at the bottom; both axes have one scale. Of a
    look with the purpose ``road`` it is a window, else (``whole``) it begins at (0, 0).
    ``source_size`` is (width, height) of the source picture. ``captured_at`` is the time of
    receipt on the clock's steady scale: Unix seconds UTC that never jump, so that differences are
    durations (in recorded footage: seconds from its start).
    """

    camera_id: str
    captured_at: float
    region: tuple[float, float, float, float]
    source_size: tuple[int, int]
    picture: NDArray[np.uint8]
    purpose: Purpose = "whole"

    @property
    def scale(self) -> float:
        """Source pixels per picture pixel."""
        return (self.region[2] - self.region[0]) / int(self.picture.shape[1])
