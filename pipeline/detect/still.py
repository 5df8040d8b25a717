"""Looks at a picture at hand: files for ``model predict``, evidence that must be blurred."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import av

from pipeline.ingest import Look, plan_windows
from pipeline.ingest.pictures import Cutter, Scaler, region_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.settings import RoadLookSettings


def look_at(picture: NDArray[np.uint8], size: tuple[int, int]) -> Look:
    """Whole look at a BGR picture (H, W, 3), by the same scaling as live pictures."""
    return _whole(av.VideoFrame.from_ndarray(picture, format="bgr24"), size)


def looks_at(
    picture: NDArray[np.uint8], size: tuple[int, int], settings: RoadLookSettings
) -> list[Look]:
    """The whole look at a BGR picture (H, W, 3), and road looks if it is much larger than that.

    Nothing is known of its camera: the windows are those for an ordinary pole camera.
    """
    frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
    whole = _whole(frame, size)
    cutter = Cutter(size)
    looks = [whole]
    for window in plan_windows(None, whole.source_size, size, settings).windows:
        region, picture_of = cutter.picture(frame, window)
        looks.append(replace(whole, region=region, picture=picture_of, purpose="road"))
    return looks


def _whole(frame: av.VideoFrame, size: tuple[int, int]) -> Look:
    source_size = frame.width, frame.height
    return Look(
        camera_id="",
        captured_at=0.0,
        region=region_of(source_size, size),
        source_size=source_size,
        picture=Scaler(size).picture(frame),
    )
