"""Do two models say the same about the same pictures?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.detect import FLOOR
from pipeline.hazards.boxes import iou

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SURE = 0.25
NEAR = 0.5
"""IoU from which two boxes of one class are the same thing."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the boxes of one model come back in another's.

    ``boxes``: those of the first from a score of SURE up; ``found``: of these, those that the
    second has too (from FLOOR up). Of these again: the mean difference of score (second minus
    first), the largest and the mean without sign, the largest of a corner in pixels, the mean IoU.
    """

    boxes: int
    found: int
    score_bias: float
    score_off: float
    score_off_mean: float
    corner_off_px: float
    mean_iou: float


def agreement(
    wanted: Sequence[NDArray[np.float32]], got: Sequence[NDArray[np.float32]]
) -> Agreement:
    """Rows (K, 6) of x1, y1, x2, y2, score, class for each picture, in the same order."""
    sure = [rows[rows[:, 4] >= SURE] for rows in wanted]
    pairs = [_partners(one, rows[rows[:, 4] >= FLOOR]) for one, rows in zip(sure, got, strict=True)]
    one, other = np.concatenate(sure), np.concatenate(pairs)
    found = ~np.isnan(other[:, 4])
    one, other = one[found], other[found]
    if not len(one):
        return Agreement(len(found), 0, 0.0, 0.0, 0.0, 0.0)
    score = other[:, 4] - one[:, 4]
    return Agreement(
        boxes=len(found),
        found=len(one),
        score_bias=float(score.mean()),
        score_off=float(np.abs(score).max()),
        score_off_mean=float(np.abs(score).mean()),
        corner_off_px=float(np.abs(other[:, :4] - one[:, :4]).max()),
        mean_iou=float(
            np.mean([iou(a[None], b[None]) for a, b in zip(one[:, :4], other[:, :4], strict=True)])
        ),
    )


def _partners(rows: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """The row of ``others`` that is the same thing as each row, NaN where there is none."""
    partners = np.full_like(rows, np.nan)
    if not len(rows) or not len(others):
        return partners
    shared = iou(rows[:, :4], others[:, :4]) * (rows[:, 5, None] == others[:, 5])
    there = shared.max(1) >= NEAR
    partners[there] = others[shared.argmax(1)[there]]
    return partners
