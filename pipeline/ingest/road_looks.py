"""Cuts the windows that are due out of a picture that is decoded anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.ingest.pictures import Cutter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from av import VideoFrame
    from numpy.typing import NDArray

    from pipeline.ingest.pictures import Region
    from pipeline.ingest.windows import Size, Window

    Cut = tuple[Region, NDArray[np.uint8]]

# A window may be this share of the time between two windows early: receipt times jitter.
_EARLY_SHARE = 0.1


class RoadLooks:
    """The road looks of one stream; one thread only.

    ``plan`` is asked for the windows of a source size once, when it is first seen. Each window is
    cut every ``interval_s``; their turns are spread over that time, so that looks come evenly.
    """

    def __init__(
        self, plan: Callable[[Size], Sequence[Window]], size: Size, interval_s: float
    ) -> None:
        self._plan = plan
        self._size = size
        self._interval_s = interval_s
        self._source: Size | None = None
        self._cutter = Cutter(size)
        self._due_at: dict[Window, float] = {}

    def due(self, frame: VideoFrame, at_s: float) -> list[Cut]:
        """Region in source pixels and uint8 I420 picture (H·3/2, W) of each window due now.

        ``at_s`` is the time of the picture in seconds; one that goes back begins all turns anew.
        """
        source = frame.width, frame.height
        if source != self._source:
            self._source, self._cutter = source, Cutter(self._size)
            self._begin(self._plan(source), at_s)
        return [self._cutter.picture(frame, window) for window in self._turns(at_s)]

    def any_due(self, at_s: float) -> bool:
        """Whether a picture of the size seen last would be cut now; True before the first."""
        early_s = _EARLY_SHARE * self._interval_s / max(1, len(self._due_at))
        return self._source is None or any(at_s >= due - early_s for due in self._due_at.values())

    def _begin(self, windows: Sequence[Window], at_s: float) -> None:
        self._step_s = self._interval_s / max(1, len(windows))
        self._due_at = {window: at_s + turn * self._step_s for turn, window in enumerate(windows)}

    def _turns(self, at_s: float) -> list[Window]:
        if any(due_at > at_s + self._interval_s for due_at in self._due_at.values()):
            self._begin(tuple(self._due_at), at_s)
        early_s = _EARLY_SHARE * self._step_s
        turns = [window for window, due_at in self._due_at.items() if at_s >= due_at - early_s]
        for window in turns:
            late_s = at_s - self._due_at[window]
            # Turns keep their place in the round unless a whole one was missed.
            start_s = at_s if late_s >= self._interval_s else self._due_at[window]
            self._due_at[window] = start_s + self._interval_s
        return turns
