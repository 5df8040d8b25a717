"""All cameras of one box: one reader each, supervised, none able to hold up another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.clock import Clock
    from pipeline.ingest.look import Look
    from pipeline.ingest.state import CameraStatus
    from pipeline.settings import IngestSettings
    from pipeline.town import Camera


class Ingest:
    """Readers of many cameras that hand every look to ``deliver``, which must never block.

    ``size`` is the model's (width, height). Usually ``deliver`` is ``LatestLooks.put``.
    """

    def __init__(
        self,
        cameras: Iterable[Camera],
        settings: IngestSettings,
        *,
        size: tuple[int, int],
        clock: Clock,
        deliver: Callable[[Look], None],
    ) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """Start all readers; returns at once, whatever state the cameras are in."""
        raise NotImplementedError

    def stop(self, timeout_s: float = 3.0) -> None:
        """End all readers; returns within ``timeout_s`` even if a camera hangs."""
        raise NotImplementedError

    def statuses(self) -> dict[str, CameraStatus]:
        """What every camera is doing now, by camera_id, in the order of the list."""
        raise NotImplementedError

    def full_picture(self, camera_id: str, captured_at: float) -> NDArray[np.uint8] | None:
        """See Source.full_picture; None also for an unknown camera."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
