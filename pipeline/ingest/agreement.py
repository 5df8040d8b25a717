"""Whether an H.265 picture is believed: FFmpeg doesn't say which of them are damaged.

Of H.264, the decoder flags what a lost packet has spoilt. Its H.265 decoder goes on through
whatever it reads, and everything after the loss, to the end of the picture, is rubbish that looks
like a street gone mad. A fixed camera gives a measure: most of its picture is as it was. A key
frame whose end is no more like the last good picture has to be proven whole, which costs three
times its decoding; where that can't be done, it is held back until the next agrees with it, as it
does when the light or the view has really changed. Rubbish seldom agrees with other rubbish.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from pipeline.ingest.pictures import content_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipeline.ingest.look import Look

    Signature = NDArray[np.int16]

_BLOCK_PX = 16
_LUMA_STEP, _CHROMA_STEP = 14, 7  # a block whose mean moved by more has changed
# Of a picture's end: below the first share nothing is lost, traffic alone changes more at times; up
# to the second it may be traffic, seldom more (measured on footage, two seconds apart).
_CALM_SHARE, _BUSY_SHARE = 0.1, 0.6


class Agreement:
    """Judges the whole looks of one camera, over all its sessions."""

    def __init__(self) -> None:
        self._good: Signature | None = None
        self._doubtful: tuple[int, Signature] | None = None

    def believes(self, look: Look, group: int, prove: Callable[[], bool | None] | None) -> bool:
        """Looks in order of time; ``group`` numbers the key frame that the picture hangs on.

        ``prove``: whether the key frame is whole, None if that can't be told; no ``prove``: the
        picture is no key frame. After a picture in
        doubt nothing of its group is believed.
        """
        signature = signature_of(look)
        believed = self._believes(signature, group, prove)
        if believed:
            self._good, self._doubtful = signature, None
        else:
            self._doubtful = group, signature
        return believed

    def _believes(
        self, signature: Signature, group: int, prove: Callable[[], bool | None] | None
    ) -> bool:
        if self._doubtful is not None and self._doubtful[0] == group:
            return False
        share = _BUSY_SHARE if prove is None else _CALM_SHARE
        if self._good is not None and _agree(self._good, signature, share):
            return True
        if prove is None:
            return False
        proven = prove()
        if proven or self._doubtful is None:
            return bool(proven)
        # An encoder that nobody has seen may fill up its slices in a way of its own.
        share = _BUSY_SHARE if proven is None else _CALM_SHARE
        return _agree(self._doubtful[1], signature, share)


def calm(a: Signature, b: Signature) -> bool:
    """Whether less has changed between two pictures of a camera than damage or traffic changes."""
    return _agree(a, b, _CALM_SHARE)


def agree(a: Look, b: Look) -> bool:
    """Whether two looks of about the same moment show the same, to their ends."""
    return _agree(signature_of(a), signature_of(b), _BUSY_SHARE)


def signature_of(look: Look) -> Signature:
    """Mean luma and chroma of each block: int16 (3, rows, columns)."""
    rows, full_width = look.picture.shape
    full_height = rows * 2 // 3
    width, height = content_size(look.source_size, (full_width, full_height))
    chroma = look.picture[full_height:].reshape(2, full_height // 2, full_width // 2)
    planes = (look.picture[:height, :width], *chroma[:, : height // 2, : width // 2])
    blocks = max(1, width // _BLOCK_PX), max(1, height // _BLOCK_PX)
    means = [cv2.resize(plane, blocks, interpolation=cv2.INTER_AREA) for plane in planes]
    return np.stack(means).astype(np.int16)


def _agree(a: Signature, b: Signature, share: float) -> bool:
    """Whether of every stretch from some row to the picture's end less than this has changed."""
    if a.shape != b.shape:
        return False
    steps = np.abs(a - b)
    changed = (steps[0] > _LUMA_STEP) | (steps[1:] > _CHROMA_STEP).any(axis=0)
    from_below = np.cumsum(changed.mean(axis=1)[::-1]) / np.arange(1, len(changed) + 1)
    return bool((from_below < share).all())
