"""What a camera is doing now, since when and why. Knows nothing of threads or of video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
    it is empty while the camera is live. ``looks`` counts looks delivered since start, ``corrupt``
    pictures that were damaged and therefore left out.
    """

    camera_id: str
    state: CameraState
    since_at: float
    why: str = ""
    last_look_at: float | None = None
    looks: int = 0
    corrupt: int = 0
