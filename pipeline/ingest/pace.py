"""What the scheduler tells the readers: how often there is any use in looking."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Pace:
    """How readers thin their pictures, so that none is decoded that nobody would look at.

    ``stretch`` (at least 1) lengthens every camera's interval while the detector can't keep up.
    ``extra`` gives an interval in seconds to each camera, by its camera_id, with something
    unconfirmed; it is not stretched.
    """

    stretch: float = 1.0
    extra: Mapping[str, float] = field(default_factory=dict)
