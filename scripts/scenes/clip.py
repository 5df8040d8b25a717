"""A clip in the making: its street, its camera, its light, its cast, and what is true of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import bpy
import numpy as np

from . import actors as a
from . import lights, two_wheelers, vehicles
from . import materials as m
from .people import Figure, riding
from .street import LANE

if TYPE_CHECKING:
    from collections.abc import Callable

    from .camera import Camera
    from .street import Street

SECONDS, FPS = 36, 5

PAINTS = {
    "white": (0.62, 0.62, 0.60),
    "silver": (0.34, 0.35, 0.36),
    "black": (0.012, 0.012, 0.014),
    "blue": (0.02, 0.06, 0.22),
    "red": (0.33, 0.012, 0.012),
    "grey": (0.10, 0.105, 0.11),
    "brown": (0.10, 0.05, 0.03),
    "green": (0.02, 0.12, 0.07),
}


@dataclass(frozen=True)
class Truth:
    """One hazard: when it begins, the points that span its box, and its measures."""

    hazard: str
    start_s: float
    points: np.ndarray
    x: float
    y: float
    size_m: tuple[float, float] | None = None
    people: int | None = None


@dataclass
class Clip:
    """One clip. ``colliding`` names the pair of vehicles that is meant to touch."""

    name: str
    street: Street
    camera: Camera
    light: lights.Light
    cast: list[a.Actor] = field(default_factory=list)
    truths: list[Truth] = field(default_factory=list)
    colliding: set[str] = field(default_factory=set)

    @property
    def times(self) -> list[float]:
        return [i / FPS for i in range(SECONDS * FPS)]

    def vehicle(self, kind: str, colour: str, motion: a.Motion) -> a.Actor:
        """Add a vehicle to the cast; two-wheelers get a rider."""
        name, paint = f"{kind} {len(self.cast)}", PAINTS[colour]
        if kind == "bus":
            made = vehicles.bus(paint, name)
        elif kind in ("truck", "laden truck"):
            cargo = (0.05, 0.13, 0.22) if kind == "laden truck" else None
            made = vehicles.truck(paint, name, cargo=cargo)
        elif kind in ("scooter", "bicycle"):
            made = self._ridden(kind, paint, name)
        else:
            made = vehicles.car(kind, paint, name)
        if self.light.lamps_w:
            lights.headlights(made)
        self.cast.append(a.vehicle_actor(name, made, motion))
        return self.cast[-1]

    def _ridden(self, kind: str, paint: m.Colour, name: str) -> vehicles.Vehicle:
        made = two_wheelers.two_wheeler(kind, paint, name)
        rider = Figure(np.random.default_rng((self.street.seed, len(self.cast))), f"{name} rider")
        rider.pose(riding())
        rider.thing.parent = made.thing
        rider.thing.location = (0, -0.40, 0.0 if kind == "scooter" else 0.1)
        return vehicles.Vehicle(made.thing, 0.45, made.rear, made.front, 1.85)

    def crash_vehicle(self, kind: str, colour: str, way: a.Motion, at_s: float) -> a.Actor:
        """A car that is whole until ``at_s`` and a wreck afterwards; returns the wreck."""
        whole = self.vehicle(kind, colour, a.during(way, -math.inf, at_s))
        wreck = vehicles.car(kind, PAINTS[colour], f"wreck {len(self.cast)}")
        rng = np.random.default_rng((self.street.seed, len(self.cast)))
        vehicles.crumple(wreck, rng, 0.5, PAINTS[colour])
        actor = a.vehicle_actor(f"wreck {len(self.cast)}", wreck, a.during(way, at_s, math.inf))
        self.cast.append(actor)
        self.colliding |= {whole.name, actor.name}
        return actor

    def person(self, motion_of: Callable[[Figure], a.Motion]) -> None:
        """Add a person, whose motion may depend on the figure."""
        rng = np.random.default_rng((self.street.seed, 1000 + len(self.cast)))
        figure = Figure(rng, f"person {len(self.cast)}")
        self.cast.append(a.person_actor(f"person {len(self.cast)}", figure, motion_of(figure)))

    def away(
        self,
        *passes: tuple[str, str, float],
        speed: float = 9.0,
        lane: float = LANE,
        dodge: a.Dodge | None = None,
    ) -> None:
        """Vehicles that drive away from the camera: (kind, colour, start_s)."""
        for kind, colour, start in passes:
            self.vehicle(kind, colour, a.drive(lane, 1, start, speed, dodge))

    def coming(
        self, *passes: tuple[str, str, float], speed: float = 9.0, dodge: a.Dodge | None = None
    ) -> None:
        """Vehicles that come towards the camera."""
        for kind, colour, start in passes:
            self.vehicle(kind, colour, a.drive(-LANE, -1, start, speed, dodge))

    def walkers(self, x: float, *walks: tuple[int, float, float]) -> None:
        """Pedestrians beside ``x``: (towards, start_s, start_y)."""
        for index, (towards, start, y) in enumerate(walks):
            motion = a.walk(
                x + 0.35 * (index % 3 - 1), towards, start, 1.15 + 0.08 * (index % 4), y
            )
            self.person(lambda _figure, motion=motion: motion)


def clear() -> None:
    """An empty scene for the next clip, with no material left over from the last."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    for made in (m.plain, m.speckled, m.tiles):
        made.cache_clear()
