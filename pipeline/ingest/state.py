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


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """One camera's state, as of the moment it was asked for.

    ``since_at`` is when this state began, ``last_look_at`` when the newest look was captured
    (both Unix seconds UTC). ``why`` is a sentence for people, Chinese first, free of credentials;
    it is empty while the camera is live. ``looks`` counts whole looks delivered since start;
    pictures that repeat the one before or are black are none. ``corrupt`` counts pictures that were
    damaged and therefore left out.
    """

    camera_id: str
    state: CameraState
    since_at: float
    why: str = ""
    last_look_at: float | None = None
    looks: int = 0
    corrupt: int = 0


class StateKeeper:
    """Keeps one camera's status; written by its reader and the watchdog, read by anybody.

    A camera that is down stays in the state that says why until a picture proves it well, so
    that retries don't make it flicker.
    """

    def __init__(self, camera_id: str, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._status = CameraStatus(camera_id, "connecting", clock.now())
        self.shown_at: float | None = None
        """When the newest picture came, whatever it showed, in monotonic seconds."""

    def change(self, state: CameraState, why: str) -> None:
        """Enter a state; ``since_at`` moves only when the state is another one."""
        with self._lock:
            self._enter(state, why)

    def shown(self, state: CameraState, why: str) -> None:
        """A picture came, and what it says about the camera."""
        with self._lock:
            self._enter(state, why)
            self.shown_at = self._clock.monotonic()

    def looked(self, captured_at: float) -> None:
        """A look is being delivered."""
        with self._lock:
            self._status = replace(
                self._status, last_look_at=captured_at, looks=self._status.looks + 1
            )

    def status(self, *, corrupt: int) -> CameraStatus:
        with self._lock:
            return replace(self._status, corrupt=corrupt)

    def _enter(self, state: CameraState, why: str) -> None:
        since_at = self._status.since_at if state == self._status.state else self._clock.now()
        self._status = replace(self._status, state=state, since_at=since_at, why=why)
