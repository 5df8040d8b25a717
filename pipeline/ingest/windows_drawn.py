"""The plan of a camera's windows over a picture of it, for people to judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.ingest.windows import WindowPlan
    from pipeline.town import Camera

_COLOURS = ((60, 200, 60), (230, 140, 40), (60, 60, 230), (200, 60, 200))  # BGR, window by window
_PLACE = (0, 220, 255)
_ZONES = {"carriageway": (255, 255, 255), "ignore": (90, 90, 90)}
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_windows(
    picture: NDArray[np.uint8], plan: WindowPlan, camera: Camera | None = None
) -> NDArray[np.uint8]:
    """A copy of the BGR picture (H, W, 3) with the windows, most valuable first, numbered from 1.

    Dots are the places they are for, thin lines the zones of ``camera``.
    """
    drawn = np.ascontiguousarray(picture).copy()
    height, width = drawn.shape[:2]
    thick = max(1, round(height / 360))
    for x, y in plan.places:
        cv2.circle(drawn, (round(x), round(y)), thick, _PLACE, -1)
    for zone in camera.zones if camera is not None else ():
        if zone.kind in _ZONES:
            corners = np.array([[u * width, v * height] for u, v in zone.polygon], np.int32)
            cv2.polylines(drawn, [corners], True, _ZONES[zone.kind], 1, cv2.LINE_AA)
    for number, one in enumerate(plan.windows, 1):
        colour = _COLOURS[(number - 1) % len(_COLOURS)]
        corner = one.x + one.width - 1, one.y + one.height - 1
        cv2.rectangle(drawn, (one.x, one.y), corner, colour, thick)
        text = f"{number}: {one.width}x{one.height}"
        at = one.x + 4 * thick, one.y + 14 * thick
        cv2.putText(drawn, text, at, _FONT, 0.45 * thick, colour, thick, cv2.LINE_AA)
    return drawn
