"""Whether an H.265 picture is believed: FFmpeg doesn't say which of them are damaged.

Of H.264, the decoder flags what a lost packet has spoilt. Its H.265 decoder goes on through
whatever it reads, and everything after the loss, to the end of the picture, is rubbish that looks
like a street gone mad. A fixed camera gives a measure: most of its picture is as it was. A picture
whose end differs from the last good one is held back until one of another group agrees with it,
as it does when the light or the view has really changed; rubbish never agrees with other rubbish.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from pipeline.ingest.pictures import content_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.ingest.look import Look

    Signature = NDArray[np.int16]

_BLOCK_PX = 16
_LUMA_STEP, _CHROMA_STEP = 14, 7  # a block whose mean moved by more has changed
# Traffic changes up to half of the blocks of a picture's end, seldom more (measured on footage).
_CHANGED_SHARE = 0.6
_ROWS_AT_LEAST = 2


class Agreement:
    """Judges the whole looks of one camera, over all its sessions."""

    def __init__(self) -> None:
        self._good: Signature | None = None
        self._doubtful: tuple[int, Signature] | None = None

    def believes(self, look: Look, group: int) -> bool:
        """``group`` numbers the key frame that the picture hangs on; looks in order of time."""
        signature = _signature(look)
        if self._good is not None and _agree(self._good, signature):
            believed = True
        elif self._doubtful is not None and self._doubtful[0] != group:
            believed = _agree(self._doubtful[1], signature)
        else:
            believed = False
        if believed:
            self._good, self._doubtful = signature, None
        else:
            self._doubtful = group, signature
        return believed


def agree(a: Look, b: Look) -> bool:
    """Whether two looks of about the same moment show the same, to their ends."""
    return _agree(_signature(a), _signature(b))


def _signature(look: Look) -> Signature:
    """Mean luma and chroma of each block: int16 (3, rows, columns)."""
    rows, full_width = look.picture.shape
    full_height = rows * 2 // 3
    width, height = content_size(look.source_size, (full_width, full_height))
    chroma = look.picture[full_height:].reshape(2, full_height // 2, full_width // 2)
    planes = (look.picture[:height, :width], *chroma[:, : height // 2, : width // 2])
    blocks = max(1, width // _BLOCK_PX), max(1, height // _BLOCK_PX)
    means = [cv2.resize(plane, blocks, interpolation=cv2.INTER_AREA) for plane in planes]
    return np.stack(means).astype(np.int16)


def _agree(a: Signature, b: Signature) -> bool:
    """Whether no stretch from some row to the picture's end has changed for the most part."""
    if a.shape != b.shape:
        return False
    steps = np.abs(a - b)
    changed = (steps[0] > _LUMA_STEP) | (steps[1:] > _CHROMA_STEP).any(axis=0)
    from_below = np.cumsum(changed.mean(axis=1)[::-1]) / np.arange(1, len(changed) + 1)
    return bool((from_below[_ROWS_AT_LEAST - 1 :] < _CHANGED_SHARE).all())
