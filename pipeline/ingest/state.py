"""What a camera is doing now, since when and why. Knows nothing of video."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pipeline.clock import Clock

CameraState = Literal[
    "connecting",
    "live",
    "stalled",
    "unreachable",
    "unauthorised",
    "unsupported",
    "frozen",
    "dark",
    "covered",
    "moved",
    "disabled",
]

SEEING: frozenset[CameraState] = frozenset({"live", "frozen", "dark", "covered", "moved"})
"""States of cameras whose pictures come, whatever they show."""


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """One camera's state, as of the moment it was asked for.

    ``since_at`` is when this state began, ``last_look_at`` when the newest look was captured
    (both Unix seconds UTC). ``why`` is a sentence for people, Chinese first, free of credentials;
    it is empty while the camera is live. ``looks`` counts whole looks delivered since start;
    pictures that repeat the one before or are black are none. ``corrupt`` counts pictures that were
    damaged and therefore left out. ``key_frames`` counts those that came, also what nobody decoded;
    ``pictures`` those that were looked at, whatever they showed. ``failures`` counts how often the
    camera, or the attempt to open it, failed.
    """

    camera_id: str
    state: CameraState
    since_at: float
    why: str = ""
    last_look_at: float | None = None
    looks: int = 0
    corrupt: int = 0
    key_frames: int = 0
    pictures: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class _Pending:
    """A state that is entered if no picture comes before ``due_at`` (monotonic)."""

    state: CameraState
    why: str
    since_at: float
    due_at: float


class StateKeeper:
    """Keeps one camera's status; written by its reader and the watchdog, read by anybody.

    A camera that is down stays in the state that says why until a picture proves it well, so
    that retries don't make it flicker. One whose pictures were coming stays as it was for
    ``blip_s``: if they come again by then, nobody hears of it.
    """

    def __init__(self, camera_id: str, clock: Clock, blip_s: float = 0.0) -> None:
        self._clock = clock
        self._blip_s = blip_s
        self._lock = threading.Lock()
        self._status = CameraStatus(camera_id, "connecting", clock.now())
        self._pending: _Pending | None = None
        self.shown_at: float | None = None
        """When the newest picture came, whatever it showed, in monotonic seconds."""

    def change(self, state: CameraState, why: str, *, at_once: bool = False) -> None:
        """Enter a state; ``since_at`` moves only when the state is another one.

        ``at_once``: it is no blip, even if pictures were coming until now.
        """
        with self._lock:
            self._settle()
            if at_once or self._status.state not in SEEING or self._blip_s == 0:
                self._pending = None
                self._enter(state, why, self._clock.now())
            elif self._pending is None:
                due_at = self._clock.monotonic() + self._blip_s
                self._pending = _Pending(state, why, self._clock.now(), due_at)
            else:
                self._pending = replace(self._pending, state=state, why=why)

    def waits(self, why: str) -> None:
        """It can't be opened yet, through no fault of its own; said until the first attempt."""
        with self._lock:
            if self._status.state == "connecting":
                self._status = replace(self._status, why=why)

    def failed(self) -> None:
        """A session, or the attempt to open one, failed."""
        with self._lock:
            self._status = replace(self._status, failures=self._status.failures + 1)

    def shown(self, state: CameraState, why: str, *, believed: bool = True) -> None:
        """A picture came, and what it says about the camera.

        ``believed`` false: the camera comes and goes; one that is down stays so for now.
        """
        with self._lock:
            self._settle()
            if believed or self._status.state in SEEING:
                self._pending = None
                self._enter(state, why, self._clock.now())
            self._status = replace(self._status, pictures=self._status.pictures + 1)
            self.shown_at = self._clock.monotonic()

    def looked(self, captured_at: float) -> None:
        """A look is being delivered."""
        with self._lock:
            self._status = replace(
                self._status, last_look_at=captured_at, looks=self._status.looks + 1
            )

    def status(self, *, corrupt: int = 0, key_frames: int = 0) -> CameraStatus:
        """``corrupt`` and ``key_frames`` are counted by the source."""
        with self._lock:
            self._settle()
            return replace(self._status, corrupt=corrupt, key_frames=key_frames)

    def _settle(self) -> None:
        """What was pending has lasted: it began when it was first said."""
        pending = self._pending
        if pending is not None and self._clock.monotonic() >= pending.due_at:
            self._pending = None
            self._enter(pending.state, pending.why, pending.since_at)

    def _enter(self, state: CameraState, why: str, since_at: float) -> None:
        since_at = self._status.since_at if state == self._status.state else since_at
        self._status = replace(self._status, state=state, since_at=since_at, why=why)
