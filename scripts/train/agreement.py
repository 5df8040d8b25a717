"""Do two models say the same about the same pictures?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.hazards.boxes import iou

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NEAR = 0.5
"""IoU from which two boxes of one class are the same thing."""
WEAKER = 0.25
"""Part of the least score down to which a box counts as found again."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the boxes of one model come back in another's.

    ``found``: how many of the first's ``boxes`` the second has, too. Of these: the mean difference
    of score (second minus first), the mean without sign and the largest, the largest of a corner in
    pixels, and the mean IoU.
    """

    boxes: int
    found: int
    score_bias: float = 0.0
    score_off_mean: float = 0.0
    score_off: float = 0.0
    corner_off_px: float = 0.0
    mean_iou: float = 0.0


def agreement(
    wanted: Sequence[NDArray[np.float32]], got: Sequence[NDArray[np.float32]], least: float
) -> Agreement:
    """Rows (K, 6) of x1, y1, x2, y2, score, class for each picture, in the same order.

    Boxes of the first count from a score of ``least`` up.
    """
    sure = [rows[rows[:, 4] >= least] for rows in wanted]
    pairs = [
        _partners(one, rows[rows[:, 4] >= WEAKER * least])
        for one, rows in zip(sure, got, strict=True)
    ]
    one, other = np.concatenate(sure), np.concatenate(pairs)
    found = ~np.isnan(other[:, 4])
    one, other = one[found], other[found]
    if not len(one):
        return Agreement(len(found), 0)
    score = other[:, 4] - one[:, 4]
    shared = [iou(a[None], b[None]) for a, b in zip(one[:, :4], other[:, :4], strict=True)]
    return Agreement(
        boxes=len(found),
        found=len(one),
        score_bias=float(score.mean()),
        score_off_mean=float(np.abs(score).mean()),
        score_off=float(np.abs(score).max()),
        corner_off_px=float(np.abs(other[:, :4] - one[:, :4]).max()),
        mean_iou=float(np.mean(shared)),
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
