"""Everyday traffic: a pool of vehicles and people of one street, moved about between pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy
import numpy as np

from . import people, two_wheelers, vehicles
from .clip import PAINTS
from .people import Figure
from .things import Thing

if TYPE_CHECKING:
    from collections.abc import Sequence

_CLASSES = {
    "sedan": "car", "suv": "car", "van": "car", "bus": "bus", "truck": "truck",
    "laden truck": "truck", "scooter": "motorcycle", "bicycle": "bicycle",
}  # fmt: skip
_CARS = (
    "sedan",
    "sedan",
    "sedan",
    "suv",
    "suv",
    "suv",
    "van",
    "van",
    "truck",
    "laden truck",
    "bus",
)
_TWO = ("scooter", "scooter", "scooter", "bicycle")
_PEOPLE = 8


@dataclass
class Pool:
    """Vehicles and people that stand ready, hidden until they are placed."""

    cars: list[Thing]
    two_wheelers: list[Thing]
    people: list[Thing]

    def all(self) -> Sequence[Thing]:
        return [*self.cars, *self.two_wheelers, *self.people]


def pool(rng: np.random.Generator) -> Pool:
    """A street's worth of vehicles and people."""
    kinds = rng.permutation(_CARS)[:8]
    return Pool(
        [vehicle(str(kind), rng) for kind in kinds],
        [ridden(str(kind), rng) for kind in _TWO],
        [person(rng) for _ in range(_PEOPLE)],
    )


def vehicle(kind: str, rng: np.random.Generator) -> Thing:
    """A car, bus or lorry in a common colour."""
    names = list(PAINTS)
    weights = np.array([4, 3, 3, 1, 1, 2, 0.6, 0.6])
    paint = PAINTS[names[rng.choice(len(names), p=weights / weights.sum())]]
    if kind == "bus":
        made = vehicles.bus(PAINTS["green"] if rng.random() < 0.5 else paint, kind)
    elif "truck" in kind:
        made = vehicles.truck(paint, kind, cargo=(0.05, 0.13, 0.22) if kind != "truck" else None)
    else:
        made = vehicles.car(kind, paint, kind)
    return _thing(made, (), _CLASSES[kind], kind)


def ridden(kind: str, rng: np.random.Generator) -> Thing:
    """A two-wheeler with its rider, who is a part with a box of his own."""
    made = two_wheelers.two_wheeler(kind, PAINTS[str(rng.choice(list(PAINTS)))], kind)
    figure = Figure(rng, f"{kind} rider")
    figure.pose(people.riding())
    seat = (0, -0.40, 0.0 if kind == "scooter" else 0.1)
    figure.thing.location = seat
    _, ahead, high = figure.head(people.riding())
    rider = Thing(
        (figure.thing,),
        _box((-0.4, -0.8, 0.2), (0.4, 0.5, 1.85)),
        "person",
        "rider",
        (0.6, 0.8),
        head=(0.0, seat[1] + ahead, seat[2] + high),
    )
    return _thing(made, (rider,), _CLASSES[kind], kind)


def person(rng: np.random.Generator) -> Thing:
    """Somebody who walks or stands."""
    figure = Figure(rng, "person")
    pose = people.walking(rng.uniform(0, 6.3)) if rng.random() < 0.7 else figure.idle
    figure.pose(pose)
    corners = _box((-0.45, -0.6, 0), (0.45, 0.6, figure.height + 0.08))
    head = figure.head(pose)
    return Thing((figure.thing,), corners, "person", "pedestrian", (0.6, 0.6), head=head)


def _thing(made: vehicles.Vehicle, parts: tuple[Thing, ...], name: str, kind: str) -> Thing:
    objects = []
    for part in made.thing.children_recursive:
        for modifier in part.modifiers:
            if modifier.type == "SUBSURF":
                modifier.levels = modifier.render_levels = 1
        objects.append(part)
        part.parent = None
    bpy.data.objects.remove(made.thing)
    w = made.half_width
    corners = _box((-w, made.rear - 0.1, 0), (w, made.front + 0.1, made.top + 0.15))
    return Thing(tuple(objects), corners, name, kind, (2 * w, made.front - made.rear), parts=parts)


def _box(low: tuple[float, float, float], high: tuple[float, float, float]) -> np.ndarray:
    return np.array(
        [(x, y, z) for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    )
