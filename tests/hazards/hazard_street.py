"""A street painted for the rules: looks and detections as ingest and detect would hand them on.

All boxes here are x1, y1, x2, y2 in pixels of a source of 320×180; ``heights`` turns them into
the unit of the rules.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.detect import CLASSES, Detections
from pipeline.detect.card import FURTHER_CLASSES
from pipeline.hazards import Analyst
from pipeline.hazards.scene import scene_of
from pipeline.ingest import Look
from pipeline.settings import HazardSettings
from pipeline.town import Camera, Zone

WIDTH, HEIGHT = 320, 180
NAMES = CLASSES + FURTHER_CLASSES
EVERYWHERE = Zone("carriageway", ((0, 0), (1, 0), (1, 1), (0, 1)))
CAMERA = Camera("c1", "东街路口", "rtsp://192.0.2.1/1", lon=113.5, lat=34.78)
POSE = {"height_m": 6.0, "pitch_deg": 20.0, "heading_deg": 0.0, "hfov_deg": 80.0}


def heights(*box):
    return np.array(box, np.float64) / HEIGHT


def moved(box, dx=0.0, dy=0.0):
    x1, y1, x2, y2 = box
    return x1 + dx, y1 + dy, x2 + dx, y2 + dy


class Street:
    """Grey asphalt with a fixed grain; every picture of it has its own noise."""

    def __init__(self, seed=0):
        self._noise = np.random.default_rng(seed)
        grain = self._noise.normal(0, 25, (HEIGHT, WIDTH)).astype(np.float32)
        self._ground = 110 + cv2.GaussianBlur(grain, (0, 0), 2)

    def luma(self, *painted, gain=1.0):
        """uint8 (180, 320) with things ``(box, grey)`` on it; ``gain`` is the exposure."""
        picture = self._ground.copy()
        for (x1, y1, x2, y2), grey in painted:
            left, right = max(0, round(x1)), max(0, round(x2))
            picture[max(0, round(y1)) : max(0, round(y2)), left:right] = grey
        picture = picture * gain + self._noise.normal(0, 2, picture.shape)
        return picture.clip(0, 255).astype(np.uint8)


def look(at, luma, camera_id="c1"):
    """A look whose source has the size of the picture's content."""
    picture = np.full((192 * 3 // 2, WIDTH), 128, np.uint8)
    picture[:HEIGHT] = luma
    region = (0.0, 0.0, float(WIDTH), 192.0)
    return Look(camera_id, at, region, (WIDTH, HEIGHT), picture)


def seen(*rows):
    """Detections of rows ``(class, score, box)``."""
    if not rows:
        return Detections.empty()
    names, scores, boxes = zip(*rows, strict=True)
    return Detections(
        np.array(boxes, np.float32),
        np.array(scores, np.float32),
        np.array([NAMES.index(name) for name in names], np.int16),
    )


_GREY = np.full((HEIGHT, WIDTH), 110, np.uint8)


def scene(at, *rows, luma=_GREY):
    return scene_of(look(at, luma), seen(*rows), NAMES)


def analyst(camera=CAMERA, **settings):
    return Analyst(
        camera, HazardSettings(**settings), NAMES, model="street-n-v0-ac2b", settings_hash="5e77"
    )


def times(start, end, step=0.5):
    return [start + step * index for index in range(round((end - start) / step))]
