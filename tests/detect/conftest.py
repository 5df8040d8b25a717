from __future__ import annotations

import av
import pytest

from pipeline.detect import Detector
from pipeline.settings import ModelSettings
from pipeline.shipped import shipped


@pytest.fixture(scope="session")
def detector():
    """The model that comes with the program."""
    return Detector(ModelSettings())


@pytest.fixture(scope="session")
def street():
    """Pictures BGR uint8 (H, W, 3) of a street with traffic, a second apart."""
    clip = shipped("pipeline/rehearsal/clips/collapse.mp4")
    with av.open(str(clip)) as container:
        container.streams.video[0].codec_context.skip_frame = "NONKEY"
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    return frames[:8]
