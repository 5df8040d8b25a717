"""Camera states as the boxes last told them, for whoever has no daemon of their own to ask.

A box tells all its cameras every few seconds. What it writes each time is one heartbeat; a camera's
row only when its state has changed, and now and then for the counters.
"""

from __future__ import annotations

import json
import socket
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.ingest import CameraStatus
from pipeline.tickets.camera_history import Change, history_of, note_changes
from pipeline.tickets.camera_lists import ListInForce, list_of, tell_list
from pipeline.tickets.keys import Keys
from pipeline.tickets.redis_errors import mapped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis import Redis

    from pipeline.clock import Clock

STALE_S = 15.0
"""A daemon tells its cameras every two seconds; after this it is gone or can't reach Redis."""
_ROW_S = 30.0  # a row is written again after this long: for its counters, and in case it was lost
_KEPT_S = 7 * 86400  # a box that has been silent for this long is forgotten; its rows say when


@dataclass(frozen=True, slots=True)
class Told:
    """What a box said of a camera, and when that box was last heard (Unix seconds UTC)."""

    status: CameraStatus
    told_at: float


@dataclass(frozen=True, slots=True)
class RefusedList:
    """A box goes on with the camera list it had: ``why`` it refused the one in its file.

    ``since_at`` and when that box was last heard are Unix seconds UTC.
    """

    host: str
    why: str
    since_at: float
    told_at: float


class CameraBoard:
    """One hash in Redis, camera_id -> status, and a heartbeat of each box that tells.

    A board object that tells is a box of its own, with a random name. Raises DeskUnavailableError
    as the desk does.
    """

    def __init__(self, redis: Redis, *, clock: Clock, prefix: str = "gridwatch") -> None:
        self._redis: Any = redis  # redis-py types every answer as one that may be awaited
        self._clock = clock
        self._keys = Keys(prefix)
        self._box = uuid.uuid4().hex
        self._written: dict[str, tuple[tuple[str, float, str], float]] = {}
        self._refused: tuple[str, float] = "", 0.0  # why and since when
        self._in_force: tuple[ListInForce | None, float] = None, 0.0  # and when it was told

    def tell(
        self,
        statuses: Iterable[CameraStatus],
        *,
        every: bool = False,
        list_problem: str = "",
        list_digest: str = "",
    ) -> None:
        """Say what is known of these cameras; all others that this box told of are as they were.

        A row is written when what it says changed, else now and then; ``every`` writes all of
        them, as a box does with its last word. ``list_problem``: why the camera list in the file
        is not in force; empty: it is. ``list_digest``: the SHA-256 of the one that is, if known.
        """
        told_at, now_s = self._clock.now(), self._clock.monotonic()
        rows: dict[str, str] = {}
        written, changed = {}, []
        for status in statuses:
            said = (status.state, status.since_at, status.why)
            before = self._written.get(status.camera_id)
            if before is None or before[0][:2] != said[:2]:
                changed.append(status)
            if every or before is None or before[0] != said or now_s - before[1] >= _ROW_S:
                row = {**asdict(status), "box": self._box, "told_at": told_at}
                rows[status.camera_id] = json.dumps(row, ensure_ascii=False)
                written[status.camera_id] = said, now_s
        with mapped("telling camera states"):
            pipe = self._redis.pipeline(transaction=False)
            pipe.set(self._keys.heartbeat(self._box), repr(told_at), ex=_KEPT_S)
            if rows:
                pipe.hset(self._keys.cameras, mapping=rows)
            note_changes(pipe, self._keys, changed)
            self._tell_list(pipe, list_problem, told_at)
            in_force = self._tell_in_force(pipe, list_digest, told_at, now_s)
            pipe.execute()
        self._written |= written
        self._in_force = in_force

    def _tell_list(self, pipe: Any, problem: str, now: float) -> None:
        if problem != self._refused[0]:
            self._refused = problem, now
        if problem:
            row = {"host": socket.gethostname(), "why": problem, "since_at": self._refused[1]}
            said = json.dumps(row | {"told_at": now}, ensure_ascii=False)
            pipe.hset(self._keys.refused_lists, self._box, said)
            pipe.expire(self._keys.refused_lists, _KEPT_S)
        else:
            pipe.hdel(self._keys.refused_lists, self._box)

    def _tell_in_force(
        self, pipe: Any, digest: str, now: float, now_s: float
    ) -> tuple[ListInForce | None, float]:
        """What was told when, if this is told; again now and then, as the rows are."""
        told, at_s = self._in_force
        if not digest or (told and told.digest == digest and now_s - at_s < _ROW_S):
            return self._in_force
        if told is None or told.digest != digest:
            told = ListInForce(socket.gethostname(), digest, now)
        tell_list(pipe, self._keys, self._box, told)
        return told, now_s

    def history(self, camera_id: str) -> list[Change]:
        """The states this camera went through, oldest first, as far as they are kept."""
        return history_of(self._redis, self._keys, camera_id)

    def list_of(self, camera_id: str) -> ListInForce | None:
        """The list of the box that last told of this camera; None: none did, or it didn't say."""
        return list_of(self._redis, self._keys, camera_id)

    def refused_lists(self) -> list[RefusedList]:
        """The boxes that didn't take over their camera list; old ``told_at``: gone since."""
        with mapped("reading what boxes refused"):
            rows = self._redis.hgetall(self._keys.refused_lists)
        refused = [RefusedList(**json.loads(text)) for text in rows.values()]
        return sorted(refused, key=lambda one: one.since_at)

    def read(self) -> dict[str, Told]:
        """Everything that was ever told, by camera_id.

        ``told_at`` is when the box that wrote the row was last heard: an old one means that nobody
        watches the camera any more, whatever its status says.
        """
        with mapped("reading camera states"):
            rows = self._redis.hgetall(self._keys.cameras)
            told = {camera_id: json.loads(text) for camera_id, text in sorted(rows.items())}
            boxes = sorted({values["box"] for values in told.values()})
            beats = self._redis.mget([self._keys.heartbeat(box) for box in boxes]) if boxes else []
        heard = {box: float(beat) for box, beat in zip(boxes, beats, strict=True) if beat}
        return {camera_id: _told(values, heard) for camera_id, values in told.items()}


def _told(values: dict[str, Any], heard: dict[str, float]) -> Told:
    box, written_at = values.pop("box"), values.pop("told_at")
    return Told(CameraStatus(**values), heard.get(box, written_at))
