"""Camera states as the boxes last told them, for whoever has no daemon of their own to ask."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.ingest import CameraStatus
from pipeline.tickets.keys import Keys
from pipeline.tickets.redis_errors import mapped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis import Redis

    from pipeline.clock import Clock


@dataclass(frozen=True, slots=True)
class Told:
    """What a box said of a camera, and when (Unix seconds UTC)."""

    status: CameraStatus
    told_at: float


class CameraBoard:
    """One hash in Redis, camera_id -> status. Raises DeskUnavailableError as the desk does."""

    def __init__(self, redis: Redis, *, clock: Clock, prefix: str = "gridwatch") -> None:
        self._redis = redis
        self._clock = clock
        self._key = Keys(prefix).cameras

    def tell(self, statuses: Iterable[CameraStatus]) -> None:
        """Replace what is known of these cameras."""
        told_at = self._clock.now()
        rows: dict[Any, Any] = {
            status.camera_id: json.dumps({**asdict(status), "told_at": told_at}, ensure_ascii=False)
            for status in statuses
        }
        if rows:
            with mapped("telling camera states"):
                self._redis.hset(self._key, mapping=rows)

    def read(self) -> dict[str, Told]:
        """Everything that was ever told, by camera_id; look at ``told_at`` before believing it."""
        with mapped("reading camera states"):
            rows: dict[str, str] = self._redis.hgetall(self._key)  # type: ignore[assignment]  # sync client
        told = {}
        for camera_id, text in sorted(rows.items()):
            values = json.loads(text)
            told_at = values.pop("told_at")
            told[camera_id] = Told(CameraStatus(**values), told_at)
        return told
