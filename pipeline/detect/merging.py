"""Detections of several looks at one picture: what a window cut, and who saw a thing best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pipeline.detect.detections import Detections
    from pipeline.ingest import Look

EDGE_PX = 2.0
"""Of the look: a box that ends this close to the window's edge goes on beyond it."""


def uncut(look: Look, seen: Detections) -> Detections:
    """The detections that no edge of the look's window cuts; the picture's own edges cut none."""
    x1, y1, x2, y2 = look.region
    width, height = look.source_size
    edge = EDGE_PX * look.scale
    boxes = seen.boxes
    whole = np.ones(len(seen), bool)
    if x1 > 0:
        whole &= boxes[:, 0] > x1 + edge
    if y1 > 0:
        whole &= boxes[:, 1] > y1 + edge
    if x2 < width:
        whole &= boxes[:, 2] < x2 - edge
    if y2 < height:
        whole &= boxes[:, 3] < y2 - edge
    return seen[whole]
