"""Opens every camera once, to say which of them work and what is wrong with the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.ingest.cameras import Ingest
from pipeline.settings import RoadLookSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.clock import Clock
    from pipeline.ingest.state import CameraStatus
    from pipeline.settings import IngestSettings
    from pipeline.town import Camera

_SIZE = (640, 384)  # of pictures that nobody looks at
_ASK_S = 0.2


def check_cameras(
    cameras: Iterable[Camera], settings: IngestSettings, clock: Clock, seconds: float
) -> list[CameraStatus]:
    """Status of each camera once it is known, or as it stands after ``seconds``."""
    plain = settings.model_copy(update={"road_looks": RoadLookSettings(most=0)})
    ends_at = clock.monotonic() + seconds
    with Ingest(cameras, plain, size=_SIZE, clock=clock, deliver=lambda _look: None) as ingest:
        while clock.monotonic() < ends_at:
            statuses = ingest.statuses()
            if all(status.state != "connecting" for status in statuses.values()):
                break
            clock.sleep(_ASK_S)
        return list(ingest.statuses().values())
