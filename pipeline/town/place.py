"""A place on the ground, always in WGS-84."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PlaceMethod = Literal["pose", "points", "camera", "reported"]


@dataclass(frozen=True, slots=True)
class Place:
    """A WGS-84 place with the radius within which the truth is expected (95 %).

    ``method`` says where it comes from: ``pose`` or ``points`` (ground plane), ``camera`` (the
    camera's own place because the ground plane gave none), ``reported`` (a person said so).
    """

    lon: float
    lat: float
    radius_m: float
    method: PlaceMethod
