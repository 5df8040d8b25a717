"""One class for every place pictures come from: RTSP cameras and recorded files."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.clock import Clock
    from pipeline.ingest.look import Look
    from pipeline.settings import IngestSettings
    from pipeline.town import Policy


class Source:
    """Looks of one camera or clip.

    ``url`` is ``rtsp://``, ``rtsps://`` or a file path. ``size`` is the model's (width, height).
    ``policy`` and ``interval_s`` override the settings; an interval of 0 keeps every picture the
    policy decodes. Use as a context manager or call ``close``.
    """

    def __init__(
        self,
        camera_id: str,
        url: str,
        settings: IngestSettings,
        *,
        size: tuple[int, int],
        clock: Clock,
        policy: Policy | None = None,
        interval_s: float | None = None,
    ) -> None:
        raise NotImplementedError

    def looks(self) -> Iterator[Look]:
        """Whole looks in the order of time, until the file ends.

        ``captured_at`` is the time of receipt (live) or seconds from the first picture (file).
        Raises SourceError when a camera can't deliver (the end of a live stream is a failure) and
        FootageError when a file is missing, empty, no video, or damaged: what can be decoded of it
        comes first.
        """
        raise NotImplementedError

    def full_picture(self, captured_at: float) -> NDArray[np.uint8] | None:
        """The picture of the look captured then at native resolution: uint8 BGR (H, W, 3).

        Decoded again from what is kept compressed; None when it is no longer kept (live cameras
        keep a short ring; a file gives any moment). May be called from any thread.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the camera or file; ``looks`` ends."""
        raise NotImplementedError
