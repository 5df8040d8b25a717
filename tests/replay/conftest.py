from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from pipeline.detect import Detector
from pipeline.replay import Clip
from pipeline.settings import ModelSettings
from pipeline.settings_file import load_settings
from pipeline.town import Camera, Zone

LANE = Zone("carriageway", ((0, 0), (1, 0), (1, 1), (0, 1)))
FALLS_S = 6


def write_street(path, *, seconds=20, fps=4, falls_s=FALLS_S):
    """Empty asphalt on which something dark comes to lie at ``falls_s``."""
    rng = np.random.default_rng(4)
    ground = 110 + cv2.GaussianBlur(rng.normal(0, 25, (180, 320)).astype(np.float32), (0, 0), 2)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.options = {"preset": "veryfast", "x264-params": f"keyint={fps}:scenecut=0"}
        for number in range(seconds * fps):
            grey = ground.copy()
            if number >= falls_s * fps:
                grey[100:118, 140:165] = 30
            picture = np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def street_clip(tmp_path_factory):
    return write_street(tmp_path_factory.mktemp("street") / "street.mp4")


@pytest.fixture(scope="session")
def as_camera():
    """A clip as the recording of a camera with a drawn carriageway."""

    def clip(path, at=0):
        camera = Camera(path.stem, path.stem, str(path), lon=at * 0.1, lat=0.0, zones=(LANE,))
        return Clip(path, camera, placed=False)

    return clip


@pytest.fixture(scope="session")
def detector():
    return Detector(ModelSettings())


@pytest.fixture(scope="session")
def settings():
    return load_settings(None, ["hazards.blockage.object_dwell_s=5", "ingest.interval_s=0.5"])
