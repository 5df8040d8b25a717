"""Who moves and how: states over time, routes of vehicles, walks of people."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import people
from .people import Figure, Pose
from .street import KERB, KERB_HEIGHT

if TYPE_CHECKING:
    import bpy

    from .vehicles import Vehicle

STRIDE_M = 1.45  # ground covered by two steps
FIDGET_S = 0.6  # people who stand move this often: less to render, and nobody sees it


@dataclass(frozen=True)
class State:
    """Where a thing is: metres, heading in radians (0 along the street), pose of a person."""

    x: float
    y: float
    z: float = 0.0
    heading: float = 0.0
    tumble: float = 0.0
    pose: Pose | None = None


Motion = Callable[[float], State | None]


@dataclass(frozen=True)
class Actor:
    """A thing, the corners of its outline (8, 3) in its own axes, and its motion (None: away)."""

    name: str
    thing: bpy.types.Object
    corners: np.ndarray
    motion: Motion
    figure: Figure | None = None
    solid: bool = False

    def apply(self, state: State | None) -> None:
        """Move the thing to its state, or hide it."""
        for part in (self.thing, *self.thing.children_recursive):
            part.hide_render = state is None
        if state is None:
            return
        self.thing.location = (state.x, state.y, state.z)
        self.thing.rotation_euler = (state.tumble, 0.0, state.heading)
        if self.figure and state.pose:
            self.figure.pose(state.pose)

    def outline(self, state: State) -> np.ndarray:
        """The corners on the street, (8, 3)."""
        return _placed(self.corners, state)

    def points(self, state: State) -> np.ndarray:
        """Every vertex of the thing and its parts on the street, (N, 3)."""
        parts = [p for p in (self.thing, *self.thing.children_recursive) if p.type == "MESH"]
        return _placed(np.array([v.co for part in parts for v in part.data.vertices]), state)


def vehicle_actor(name: str, vehicle: Vehicle, motion: Motion) -> Actor:
    w = vehicle.half_width
    corners = _corners((-w, vehicle.rear, 0), (w, vehicle.front, vehicle.top))
    return Actor(name, vehicle.thing, corners, motion, solid=True)


def person_actor(name: str, figure: Figure, motion: Motion) -> Actor:
    corners = _corners((-0.4, -0.55, 0), (0.4, 0.55, figure.height + 0.08))
    return Actor(name, figure.thing, corners, motion, figure)


def thing_actor(name: str, thing: bpy.types.Object, motion: Motion) -> Actor:
    """Any object, with a little room around it for tumbling."""
    bounds = np.array(thing.bound_box)
    low, high = bounds.min(axis=0) - 0.05, bounds.max(axis=0) + 0.05
    return Actor(name, thing, _corners(tuple(low), tuple(high)), motion)


def appearing(state: State, start_s: float, end_s: float = math.inf) -> Motion:
    """There from ``start_s`` to ``end_s``, without moving."""
    return during(lambda _t: state, start_s, end_s)


def during(motion: Motion, start_s: float, end_s: float) -> Motion:
    """The motion, but away outside of the given time."""
    return lambda t: motion(t) if start_s <= t < end_s else None


@dataclass(frozen=True)
class Dodge:
    """Leave the lane by ``by`` metres around ``y`` (plateau 2 x 5 m, ramps 10 m)."""

    y: float
    by: float

    def shift(self, y: float) -> float:
        far = max(0.0, abs(y - self.y) - 5.0)
        return self.by * (0.5 + 0.5 * math.cos(math.pi * min(far / 10.0, 1.0)))


def drive(
    lane: float, towards: int, start_s: float, speed: float, dodge: Dodge | None = None
) -> Motion:
    """Pass along the street; ``towards`` +1 drives away from the camera, -1 comes.

    ``start_s`` is the moment it enters: 14 m behind the pole, or 105 m ahead of it.
    """
    begin = -14.0 if towards > 0 else 105.0

    def motion(t: float) -> State | None:
        y = begin + towards * speed * (t - start_s)
        if not -14.0 <= y <= 105.0:
            return None
        bend = dodge.shift if dodge else (lambda _y: 0.0)
        slope = (bend(y + 0.1) - bend(y - 0.1)) / 0.2
        heading = -math.atan(slope) + (math.pi if towards < 0 else 0.0)
        return State(lane + bend(y), y, heading=heading)

    return motion


def route(knots: Sequence[tuple[float, float, float, float]]) -> Motion:
    """Smoothly through knots (t, x, y, heading); rests at the last one."""
    table = np.array(knots)
    slopes = np.gradient(table[:, 1:], table[:, 0], axis=0)
    slopes[-1] = 0

    def motion(t: float) -> State | None:
        if t < table[0, 0]:
            return None
        if t >= table[-1, 0]:
            return State(*table[-1, 1:3], heading=table[-1, 3])
        i = int(np.searchsorted(table[:, 0], t, side="right")) - 1
        span = table[i + 1, 0] - table[i, 0]
        u = (t - table[i, 0]) / span
        x, y, heading = (
            (1 + 2 * u) * (1 - u) ** 2 * table[i, 1:]
            + u * (1 - u) ** 2 * span * slopes[i]
            + u * u * (3 - 2 * u) * table[i + 1, 1:]
            - u * u * (1 - u) * span * slopes[i + 1]
        )
        return State(float(x), float(y), heading=float(heading))

    return motion


def walk(x: float, towards: int, start_s: float, speed: float, start_y: float) -> Motion:
    """Walk along a footway from ``start_y``."""

    def motion(t: float) -> State | None:
        y = start_y + towards * speed * (t - start_s)
        if t < start_s or not -3.0 <= y <= 60.0:
            return None
        pose = people.walking(2 * math.pi * speed * (t - start_s) / STRIDE_M)
        return State(x, y, KERB_HEIGHT, math.pi if towards < 0 else 0.0, pose=pose)

    return motion


def gather(
    figure: Figure,
    start: tuple[float, float],
    spot: tuple[float, float],
    arrive_s: float,
    facing: float,
    restless: float,
) -> Motion:
    """Walk straight from ``start`` to ``spot``, then stand, swaying and looking about."""
    dx, dy = spot[0] - start[0], spot[1] - start[1]
    length, speed = math.hypot(dx, dy), 1.6
    course = math.atan2(-dx, dy)

    def motion(t: float) -> State | None:
        gone = length - speed * (arrive_s - t)
        if gone < 0:
            return None
        if gone < length:
            share = gone / length
            pose = people.walking(2 * math.pi * gone / STRIDE_M)
            x, y = start[0] + dx * share, start[1] + dy * share
            return State(x, y, _ground(x), course, pose=pose)
        t = FIDGET_S * math.floor(t / FIDGET_S + 1e-6)
        sway = math.sin(0.9 * t + 10 * restless)
        idle = figure.idle
        pose = Pose(
            hips=idle.hips,
            knees=idle.knees,
            elbows=idle.elbows,
            shoulders=(idle.shoulders[0] + 0.12 * sway, idle.shoulders[1] - 0.10 * sway),
            lean=0.03 * sway,
            head=0.6 * math.sin(0.5 * t + 20 * restless),
        )
        return State(*spot, _ground(spot[0]), facing + 0.15 * sway, pose=pose)

    return motion


def _placed(points: np.ndarray, state: State) -> np.ndarray:
    c, s = math.cos(state.heading), math.sin(state.heading)
    turn = np.array([(c, -s, 0), (s, c, 0), (0, 0, 1)])
    return points @ turn.T + (state.x, state.y, state.z)


def _ground(x: float) -> float:
    return KERB_HEIGHT if abs(x) > KERB else 0.0


def overlaps(actors: Sequence[Actor], times: Sequence[float]) -> list[tuple[str, str, float]]:
    """Pairs of vehicles whose bodies touch, with the first moment: a schedule must have none."""
    found: dict[tuple[str, str], float] = {}
    solid = [a for a in actors if a.solid]
    for t in times:
        places = [(a.name, discs) for a in solid if (discs := _discs(a, t)) is not None]
        for i, (first, one) in enumerate(places):
            for second, two in places[i + 1 :]:
                gaps = np.linalg.norm(one[0][:, None] - two[0][None], axis=2)
                if gaps.min() < (one[1] + two[1]) * 0.95:
                    found.setdefault((first, second), t)
    return [(a, b, t) for (a, b), t in found.items()]


def _discs(actor: Actor, t: float) -> tuple[np.ndarray, float] | None:
    state = actor.motion(t)
    if state is None:
        return None
    radius = float(actor.corners[:, 0].max())
    along = np.linspace(actor.corners[:, 1].min() + radius, actor.corners[:, 1].max() - radius, 5)
    ahead = np.array([-math.sin(state.heading), math.cos(state.heading)])
    return np.array([state.x, state.y]) + along[:, None] * ahead, radius


def _corners(low: Sequence[float], high: Sequence[float]) -> np.ndarray:
    return np.array(
        [
            (x, y, z)
            for x in (low[0], high[0])
            for y in (low[1], high[1])
            for z in (low[2], high[2])
        ],
        dtype=float,
    )
