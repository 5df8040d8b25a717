"""What the detector's crash class says about a vehicle, against what its place always gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.hazards.boxes import area, overlap

if TYPE_CHECKING:
    from pipeline.hazards.boxes import Box, Boxes
    from pipeline.hazards.scene import Scene
    from pipeline.hazards.tracks import Track

BEFORE_S = 2.5
"""Signs this long before the vehicle stood still belong to how it stopped."""
FRESH_S = 45.0
"""A crash is judged by what was seen until this long after the vehicle came to stand."""
CLEARLY = 0.1
LASTING_LOOKS = 3


@dataclass(frozen=True, slots=True)
class CrashSign:
    """``usual``: the largest score that the place got before the vehicle came, 0 if none.

    ``excess``: the largest score beyond that since, 0 if there is none. ``at``: when it was first
    seen as the vehicle came to stand. ``lasts``: it is seen in most looks since, which two vehicles
    that only overlap don't manage.
    """

    usual: float
    excess: float
    at: float | None
    lasts: bool


class CrashSigns:
    """Remembers the crash scores of the last seconds."""

    def __init__(self) -> None:
        self._recent: list[tuple[float, Box, float]] = []
        self._at = 0.0

    def update(self, scene: Scene) -> None:
        self._at = scene.at
        self._recent = [entry for entry in self._recent if scene.at - entry[0] <= FRESH_S]
        self._recent += [
            (scene.at, box, float(score))
            for box, score in zip(scene.crashes, scene.crash_scores, strict=True)
        ]

    def of(self, track: Track) -> CrashSign:
        """The detector's crashes on the vehicle's way to its place and there; kept on the track.

        What is usual there is known when it comes to stand, and what is seen FRESH_S later has
        nothing to do with how it stopped: from then on the sign stays as it is.
        """
        assert track.stood_since is not None
        if track.crash_sign is None or self._at <= track.stood_since + FRESH_S:
            track.crash_sign = self._judge(track)
        return track.crash_sign

    def _judge(self, track: Track) -> CrashSign:
        assert track.stand_box is not None
        assert track.stood_since is not None
        stood, began = track.stood_since, track.stood_since - BEFORE_S
        way = np.array([*(box for at, box in track.history if at >= began), track.stand_box])
        here = [(at, score) for at, box, score in self._recent if _covered_by(way, box) >= 0.5]
        usual = (
            max((score for at, score in here if at < began), default=0.0)
            if track.crash_sign is None
            else track.crash_sign.usual
        )
        new = [(at, score - usual) for at, score in here if at >= began and score > usual]
        looks = sum(at >= stood for at, _ in track.history)
        since = len({at for at, excess in new if at >= stood and excess > CLEARLY})
        return CrashSign(
            usual=usual,
            excess=max((excess for _, excess in new), default=0.0),
            at=min((at for at, _ in new if at <= stood), default=None),
            lasts=since >= max(LASTING_LOOKS, looks / 2),
        )


def _covered_by(boxes: Boxes, big: Box) -> float:
    """Largest share of one of ``boxes`` (N, 4) that lies in ``big``."""
    return float((overlap(boxes, big[None])[:, 0] / np.maximum(area(boxes), 1e-12)).max())
