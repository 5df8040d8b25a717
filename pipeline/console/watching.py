"""Live pictures for those who may see a camera: wanted, recorded, and read where boxes put them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.responses import Response

from pipeline.console.context import Refused, console_of, visit_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from pipeline.clock import Clock
    from pipeline.tickets import Audit, CoverageLedger, ReportDesk, Shots
    from pipeline.tickets.shots import Size
    from pipeline.town import Camera

RECORD_EVERY_S = 60.0
"""Who goes on looking at one camera stands in the audit once in so long."""
_REMEMBERED = 10_000
_ASKED_AGAIN = "private, no-cache"  # so that every look is seen here
_CACHED = "private, max-age=600, immutable"  # a small picture that was named never changes

_NONE_YET = (
    "还没有这台摄像机的画面，几秒后再试",
    "there is no picture of this camera yet: try again in some seconds",
)
_GONE = ("这张画面已不存在，请回到实时画面", "this picture is gone: go back to the live view")


@dataclass(slots=True)
class Watching:
    """What watching the streets needs: live pictures, and the record of who looked at which camera.

    ``reports`` takes what somebody marks in a picture, whose place ``camera`` (the list's, by id)
    tells; ``ledger`` knows what boxes looked at. Without them the pages that need them say so.
    """

    shots: Shots
    audit: Audit
    clock: Clock
    reports: ReportDesk | None = None
    camera: Callable[[str], Camera] | None = None
    ledger: CoverageLedger | None = None
    _recorded: dict[tuple[str, str], float] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def record(self, who: str, origin: str, camera_id: str) -> None:
        """Note that somebody looks at this camera, unless that was noted a moment ago.

        Raises DeskUnavailableError; then nothing may be shown.
        """
        now = self.clock.monotonic()
        with self._lock:
            noted = self._recorded.get((who, camera_id))
        if noted is not None and now - noted < RECORD_EVERY_S:
            return
        self.audit.record("patrol look", camera_id, who=who, origin=origin)
        with self._lock:
            if len(self._recorded) >= _REMEMBERED:
                self._recorded.clear()
            self._recorded[who, camera_id] = now


def picture_response(
    request: Request, camera_id: str, size: Size, shot_id: str | None = None
) -> Response:
    """The newest picture of a camera, or this very one; 304 where the browser has it.

    Asked for the newest one, the boxes hear that somebody looks. Raises Refused (404) where there
    is none, and DeskUnavailableError.
    """
    watching, named = watching_of(request), shot_id is not None
    if shot_id is None:
        watching.shots.want([camera_id], size)
        shot_id = watching.shots.newest([camera_id], size).get(camera_id)
        if shot_id is None:
            raise Refused(404, _NONE_YET)
    if size == "view":
        origin = request.client.host if request.client is not None else "unknown"
        watching.record(visit_of(request).by.name, origin, camera_id)
    tag = f'"{shot_id}-{size}"'
    headers = {"ETag": tag, "Cache-Control": _CACHED if named and size == "wall" else _ASKED_AGAIN}
    if request.headers.get("If-None-Match") == tag:
        return Response(status_code=304, headers=headers)
    shot = watching.shots.of(camera_id, shot_id, size)
    if shot is None:
        raise Refused(404, _GONE)
    headers["X-Taken-At"] = repr(shot.taken_at)
    # How old it is by our clock: a telephone's may be wrong.
    headers["X-Age-S"] = f"{max(0.0, watching.clock.now() - shot.taken_at):.1f}"
    return Response(shot.data, media_type="image/jpeg", headers=headers)


def watching_of(request: Request) -> Watching:
    watching = console_of(request).watching
    if watching is None:
        raise Refused(404, ("这里没有实时画面", "there are no live pictures here"))
    return watching
