"""A look from a picture at hand: files for ``model predict``, evidence that must be blurred."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av

from pipeline.ingest import Look
from pipeline.ingest.pictures import Scaler, region_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def look_at(picture: NDArray[np.uint8], size: tuple[int, int]) -> Look:
    """Whole look at a BGR picture (H, W, 3), by the same scaling as live pictures."""
    height, width = picture.shape[:2]
    frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
    return Look(
        camera_id="",
        captured_at=0.0,
        region=region_of((width, height), size),
        source_size=(width, height),
        picture=Scaler(size).picture(frame),
    )
