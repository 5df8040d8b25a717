"""Draws pictures full of people: where they are, what they do, and where a camera hangs.

Streets, squares and halls; people from fifteen to some hundred pixels tall. No renderer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import plans
from .camera import HEIGHT, WIDTH, Camera

if TYPE_CHECKING:
    from collections.abc import Callable

    from .plans import Plan

_EMPTY = 0.1  # of the pictures show no crowd


def place(rng: np.random.Generator, *, held_out: bool) -> Plan:
    """A street, a square or a hall; ``held_out``: for validation, mostly kinds never trained on."""
    kinds = plans.VAL_KINDS if held_out and rng.random() < 0.5 else plans.TRAIN_KINDS
    drawn = str(rng.choice(["street", *_OPEN], p=[0.4, 0.3, 0.3]))
    return _OPEN[drawn](rng) if drawn in _OPEN else plans.draw(str(rng.choice(kinds)), rng)


def camera(plan: Plan, rng: np.random.Generator) -> Camera:
    """Three to eight metres up, aimed at people; under a roof never at the far end."""
    hfov, height = float(rng.uniform(35, 95)), float(rng.uniform(3, 8))
    x = float(rng.uniform(plan.left, plan.right)) * (0.9 if rng.random() < 0.5 else 0.5)
    aim = float(np.exp(rng.uniform(np.log(5), np.log(24))))
    half = np.degrees(np.arctan(np.tan(np.radians(hfov / 2)) * HEIGHT / WIDTH))
    least = half + 3 if plan.kind == "hall" else 8.0
    pitch = np.clip(np.degrees(np.arctan2(height - 1.0, aim)), least, 48)
    yaw = np.degrees(np.arctan2(x, max(aim, 8.0))) * rng.uniform(0.3, 1.2) + rng.normal(0, 12)
    return Camera(x, height, float(pitch), float(np.clip(yaw, -40, 40)), hfov)


def kinds(rng: np.random.Generator) -> list[str]:
    """The gatherings of one picture by kind, the largest first, for it needs room."""
    if rng.random() < _EMPTY:
        return []
    first = ["throng"] if rng.random() < 0.7 else []
    count = int(rng.integers(0 if first else 1, 4))
    return (
        first + rng.choice(("march", "gathering", "stream", "onlookers", "queue"), count).tolist()
    )


def _square(rng: np.random.Generator) -> Plan:
    """Slabs or asphalt between houses, without lanes."""
    half = rng.uniform(6, 13)
    return plans.Plan(
        "square",
        -half,
        half,
        (),
        "open",
        (rng.uniform(1, 4), rng.uniform(1, 4)),
        (),
        concrete=rng.random() < 0.6,
        houses=rng.uniform(0.5, 1.0),
        floors=(2, 8),
        trees=rng.uniform(0.0, 0.6),
    )


def _hall(rng: np.random.Generator) -> Plan:
    """A pale floor between shop windows, as in a mall or a station."""
    half = rng.uniform(4, 10)
    return plans.Plan(
        "hall",
        -half,
        half,
        (),
        "open",
        (0.5, 0.5),
        (),
        concrete=True,
        houses=1.0,
        floors=(2, 3),
        trees=0.0,
    )


_OPEN: dict[str, Callable[[np.random.Generator], Plan]] = {"square": _square, "hall": _hall}
