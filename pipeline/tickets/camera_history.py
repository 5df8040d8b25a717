"""What state each camera was in, and when: the changes the boxes told, kept for some weeks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pipeline.tickets.redis_errors import mapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from redis import Redis

    from pipeline.ingest import CameraStatus
    from pipeline.ingest.state import CameraState
    from pipeline.tickets.keys import Keys

KEPT_CHANGES = 100
"""Of each camera; a camera that changes more often than that loses its oldest."""
KEPT_S = 30 * 86400
"""After its last change a camera's history goes, too."""


@dataclass(frozen=True, slots=True)
class Change:
    """A camera entered this state at ``since_at`` (Unix seconds UTC); ``why``: Chinese first."""

    state: CameraState
    since_at: float
    why: str


@dataclass(frozen=True, slots=True)
class Stay:
    """A camera was in this state from ``from_at`` to ``to_at`` (Unix seconds UTC)."""

    state: CameraState
    why: str
    from_at: float
    to_at: float

    @property
    def seconds(self) -> float:
        return self.to_at - self.from_at


def history_of(redis: Redis, keys: Keys, camera_id: str) -> list[Change]:
    """The changes that are kept, oldest first. Raises DeskUnavailableError as the desk does."""
    asked: Any = redis
    with mapped("reading what a camera went through"):
        rows = asked.zrange(keys.camera_history(camera_id), 0, -1, withscores=True)
    return [_change(said, since_at) for said, since_at in rows]


def note_changes(pipe: Any, keys: Keys, statuses: Iterable[CameraStatus]) -> None:
    """Put what these cameras entered into their histories, with the caller's pipeline.

    The same told twice is kept once.
    """
    for status in statuses:
        key = keys.camera_history(status.camera_id)
        said = json.dumps([status.since_at, status.state, status.why], ensure_ascii=False)
        pipe.zadd(key, {said: status.since_at})
        pipe.zremrangebyrank(key, 0, -KEPT_CHANGES - 1)
        pipe.expire(key, KEPT_S)


def stays(changes: Iterable[Change], from_at: float, to_at: float) -> Iterator[Stay]:
    """What of the changes, oldest first, lies between these times; each lasts until the next."""
    listed = list(changes)
    ends = [later.since_at for later in listed[1:]] + [to_at]
    for change, next_at in zip(listed, ends, strict=False):
        start_at, end_at = max(change.since_at, from_at), min(next_at, to_at)
        if end_at > start_at:
            yield Stay(change.state, change.why, start_at, end_at)


def _change(said: str, since_at: float) -> Change:
    _, state, why = json.loads(said)
    return Change(cast("CameraState", state), since_at, why)
