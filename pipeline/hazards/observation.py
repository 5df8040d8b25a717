"""Hazard evidence at one place of one camera at one time: what the rules produce."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.hazards.history import LEAST_LOOKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.hazards.boxes import Box
    from pipeline.hazards.incident import Hazard


def probability(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))


@dataclass(frozen=True, slots=True)
class Observation:
    """Evidence of one kind at one place.

    ``rule`` says which (``cavity``, ``crash``, ``vehicle``, ``object``, ``crowd``), ``score`` its
    sum as a probability, ``since`` when the evidence at this place began, ``dwell_s`` how long it
    must last, ``least_looks`` in how many looks it must have been seen. ``parts`` are the log-odds
    that were added up.
    """

    hazard: Hazard
    rule: str
    box: Box
    score: float
    since: float
    dwell_s: float
    measures: Mapping[str, float] = field(default_factory=dict)
    parts: Mapping[str, float] = field(default_factory=dict)
    least_looks: int = LEAST_LOOKS
