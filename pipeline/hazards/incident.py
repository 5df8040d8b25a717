"""A hazard confirmed over time by one camera: what this room hands on to the desk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.town.place import Place

Hazard = Literal["road_collapse", "road_damage", "blockage", "crowd"]
Severity = Literal["notice", "warning", "emergency"]


Unit = tuple[float, float, float, float]
"""A box x1, y1, x2, y2 in 0..1 of the picture on both axes."""


def family_of(hazard: str) -> str:
    """Hazards that are one thing seen more or less well share a family: ``road``."""
    return "road" if hazard in ("road_collapse", "road_damage") else hazard


def incident_id_of(camera_id: str, hazard: str, started_at: float, box: Unit) -> str:
    """Name of an incident, the same for every retry.

    It is made of camera, hazard, start (to the ms) and the centre of ``box`` as it was confirmed
    (to a hundredth of the picture): two hazards may begin at the same moment.
    """
    x1, y1, x2, y2 = box
    centre = f"{round(50 * (x1 + x2))}\n{round(50 * (y1 + y2))}"
    key = f"{camera_id}\n{hazard}\n{round(started_at * 1000)}\n{centre}"
    return hashlib.sha256(key.encode()).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Incident:
    """A hazard that one camera confirmed.

    ``box`` is (x1, y1, x2, y2) in 0..1 of the source picture. Times are Unix seconds UTC
    (recorded footage: seconds from its start). ``score`` is the summed evidence as a
    probability 0..1. ``measures`` are hazard-specific numbers with the unit in the name
    (``width_m``, ``area_m2``, ``people``). ``trail`` says why: rule, model, settings hash, and
    the history of scores; ``gridwatch explain`` prints it.
    """

    incident_id: str
    camera_id: str
    hazard: Hazard
    box: Unit
    started_at: float
    confirmed_at: float
    last_seen_at: float
    cleared_at: float | None
    place: Place
    score: float
    severity: Severity
    measures: Mapping[str, float]
    trail: Mapping[str, object] = field(default_factory=dict)
