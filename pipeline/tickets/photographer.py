"""Makes live pictures of the cameras somebody looks at, from what the box keeps of them anyway.

In a thread of its own, behind everything else: it rests several times as long as it works, and a
picture that can't be covered is not shown.
"""

from __future__ import annotations

import math
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from pipeline.errors import DeskError
from pipeline.ingest import PacketGroup, picture_of
from pipeline.tickets.drawing import jpeg, scaled
from pipeline.tickets.evidence import covered
from pipeline.tickets.shots import LONGEST_PX, SIZES, Shot, id_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.clock import Clock
    from pipeline.ingest import CameraStatus, Kept
    from pipeline.tickets.evidence import Snapshot
    from pipeline.tickets.shots import Shots, Size, Wanted

QUALITY: Mapping[Size, int] = {"wall": 70, "view": 80}
EVERY_S: Mapping[Size, float] = {"wall": 5.0, "view": 1.0}
"""A camera's pictures are this far apart at least."""
IDLE_S = 1.0
"""How often it is asked whether anybody looks."""
SOON_S = 0.25
"""The same while somebody does."""
RESTS = 3.0
"""It rests so many times as long as a picture took: a quarter of one core at most is spent."""
AWAY_S = 2.0  # pause before Redis is tried again
_REMEMBERED_S = 60.0
_NICE = 10  # cameras and detector go first

log = structlog.get_logger()


class Photographer:
    """``kept`` gives what a camera's ring holds of a moment, ``look`` what is seen in a picture.

    ``statuses``: the cameras of this box. It makes ``per_s`` pictures a second at most.
    """

    def __init__(
        self,
        shots: Shots,
        *,
        per_s: float,
        statuses: Callable[[], Mapping[str, CameraStatus]],
        kept: Callable[[str, float], Kept | None],
        look: Callable[[NDArray[np.uint8]], Snapshot],
        clock: Clock,
    ) -> None:
        self._shots = shots
        self._per_s = per_s
        self._statuses = statuses
        self._kept = kept
        self._look = look
        self._clock = clock
        self._tried: dict[tuple[str, Size], float] = {}  # monotonic
        self._away = False
        self._failing: set[str] = set()  # cameras whose last picture could not be made

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set; does nothing where no pictures are allowed."""
        if self._per_s <= 0:
            return
        with suppress(OSError):  # a sandbox that doesn't want it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        rest_s = 0.0
        while not self._clock.sleep(rest_s, until=stop):
            rest_s = self.step()

    def step(self) -> float:
        """Make the picture that is due first, if any is; how long to rest then. Never raises."""
        began = self._clock.monotonic()
        try:
            rest_s = self._next(began)
        except DeskError as error:
            if not self._away:  # once, not at every try
                log.warning("live_pictures_away", why=str(error))
            self._away = True
            return AWAY_S
        if self._away:
            log.info("live_pictures_back")
        self._away = False
        return rest_s

    def _next(self, now: float) -> float:
        """Make one camera's picture, if any is due; how long to rest then."""
        wanted = self._shots.wanted()
        own = self._statuses() if wanted else {}
        mine = [one for one in wanted if one.camera_id in own]
        if not mine:
            return IDLE_S
        due = self._due(mine, now)
        if not due:
            return SOON_S
        camera_id = due[0].camera_id
        sizes = {one.size: one.shot_id for one in due if one.camera_id == camera_id}
        for size in sizes:
            self._tried[camera_id, size] = now
        try:
            self._make(camera_id, sizes)
        except DeskError:
            raise
        except Exception as error:  # noqa: BLE001 - one camera's picture: the others go on
            if camera_id not in self._failing:
                log.warning("live_picture_failed", camera_id=camera_id, why=str(error))
            self._failing.add(camera_id)
        else:
            self._failing.discard(camera_id)
        return max(1.0 / self._per_s, RESTS * (self._clock.monotonic() - now))

    def _due(self, mine: list[Wanted], now: float) -> list[Wanted]:
        """Those whose turn it is; who looks at one camera goes first."""
        tried = self._tried = {
            key: at for key, at in self._tried.items() if now - at < _REMEMBERED_S
        }
        due = [
            one
            for one in mine
            if now - tried.get((one.camera_id, one.size), -math.inf) >= EVERY_S[one.size]
        ]
        return sorted(
            due,
            key=lambda one: (
                one.size != "view",
                tried.get((one.camera_id, one.size), -math.inf),
                one.camera_id,
            ),
        )

    def _make(self, camera_id: str, sizes: Mapping[Size, str | None]) -> None:
        found = self._newest(camera_id)
        if found is None:
            return
        taken_at, kept = found
        missing = [size for size in SIZES if size in sizes and sizes[size] != id_of(taken_at)]
        picture = picture_of(kept) if missing else None
        if picture is None:
            return
        plain = covered(self._look(picture), max(LONGEST_PX[size] for size in missing))
        for size in missing:
            shown = scaled(plain, LONGEST_PX[size])
            height, width = shown.shape[:2]
            data = jpeg(shown, QUALITY[size])
            self._shots.put(Shot(camera_id, size, data, taken_at, width, height))

    def _newest(self, camera_id: str) -> tuple[float, Kept] | None:
        """The newest picture that is kept, and when it came (steady Unix seconds)."""
        now = self._clock.steady()
        kept = self._kept(camera_id, now)
        if isinstance(kept, PacketGroup):
            taken_at = kept.received_at
            # A worker's word is not believed where it can't be.
            return None if taken_at is None or not 0 < taken_at <= now + 1 else (taken_at, kept)
        status = self._statuses().get(camera_id)
        if kept is None or status is None or status.last_look_at is None:
            return None
        # A recorded file holds every moment: its newest look is what is shown.
        kept = self._kept(camera_id, status.last_look_at)
        return None if kept is None else (status.last_look_at, kept)
