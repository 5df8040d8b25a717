"""What a road look may be taken as evidence for: its own window, and only what is whole in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.detect import uncut
from pipeline.hazards.boxes import covered, overlap
from pipeline.hazards.scene import scene_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.detect import Detections
    from pipeline.hazards.background import NewThing
    from pipeline.hazards.boxes import Box
    from pipeline.hazards.scene import Scene
    from pipeline.ingest import Look

MARGIN_PX = 8.0
"""A place this near to a window's edge (in the look's pixels) may be seen cut in it, and that is
dropped: such a look says nothing about the place."""
SAME_MOMENT_S = 1.0
"""Road users of the whole picture stand where they were for this long."""


class RoadLook:
    """One look at a window. ``scene`` holds the things that are whole in it."""

    def __init__(
        self, look: Look, seen: Detections, classes: Sequence[str], whole: Scene | None
    ) -> None:
        """``whole``: the last whole look. What is cut by the window is seen there as one."""
        height = look.source_size[1]
        everything = scene_of(look, seen, classes)
        users = everything.users
        if whole is not None and abs(whole.at - look.captured_at) <= SAME_MOMENT_S:
            users = np.concatenate([users, whole.users])
        self.scene = replace(scene_of(look, uncut(look, seen), classes), users=users)
        x1, y1, x2, y2 = look.region
        margin = MARGIN_PX * look.scale
        # Where the window ends with the picture nothing is cut by it.
        self._window = np.array(
            [
                x1 + margin if x1 > 0 else 0,
                y1 + margin if y1 > 0 else 0,
                x2 - margin if x2 < look.source_size[0] else np.inf,
                y2 - margin if y2 < look.source_size[1] else np.inf,
            ]
        ) / np.float64(height)

    def shows(self, box: Box) -> bool:
        """True if the place lies in the window, and not at its edge."""
        low, high = self._window[:2], self._window[2:]
        return bool((box[:2] >= low).all() and (box[2:] <= high).all())

    def named(self, new: Sequence[NewThing]) -> list[NewThing]:
        """Of what is new, the things that this look knows by name."""
        return [thing for thing in new if (overlap(thing.box[None], self.scene.lying) > 0).any()]

    def hides(self, box: Box, share: float) -> bool:
        """True if a road user stands in front of more than this share of the place."""
        return covered(box, self.scene.users) > share
