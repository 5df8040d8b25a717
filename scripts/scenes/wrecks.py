"""Crashes: vehicles that ran into one another, rolled over, or hit a post; riders thrown down."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy  # noqa: TC002  brings mathutils
import numpy as np
from mathutils import Euler, Matrix, Vector

from . import materials as m
from . import outlines as o
from . import pieces, vehicles
from .clip import PAINTS
from .mesh import Shape
from .people import Figure, Pose
from .things import Ground, Maker, Thing
from .two_wheelers import two_wheeler

if TYPE_CHECKING:
    from collections.abc import Sequence

CARS, _HEAVY = ("sedan", "suv", "van"), ("truck", "bus")
_CLASS = {"truck": "truck", "bus": "bus", "scooter": "motorcycle", "bicycle": "bicycle"}


@dataclass
class Wreck:
    """A vehicle in the making: dent it, place it, then take it as a part."""

    made: vehicles.Vehicle
    kind: str
    colour: m.Colour

    def dent(
        self,
        at: tuple[float, float],
        into: float,
        depth: float,
        reach: float,
        rng: np.random.Generator,
    ) -> None:
        """Push in what lies within ``reach`` of ``at`` (x, y), towards the heading ``into``."""
        way = np.array([math.cos(into), math.sin(into), 0.0])
        for part in self.made.thing.children:
            points = np.empty(len(part.data.vertices) * 3)
            part.data.vertices.foreach_get("co", points)
            points = points.reshape(-1, 3)
            far = np.linalg.norm(points[:, :2] - at, axis=1)
            share = np.clip(1 - far / reach, 0, 1)[:, None] ** 1.5
            points += share * (depth * way + rng.uniform(-0.10, 0.10, points.shape))
            part.data.vertices.foreach_set("co", points.ravel())
            part.data.update()

    def place(self, x: float, y: float, heading: float, roll: float = 0.0) -> None:
        """Put it down; ``roll`` turns it about its own length, and it comes to rest on the road."""
        turn = Euler((0, roll, 0)).to_matrix().to_4x4()
        low = (vertices(self.made.thing, turn)[:, 2]).min()
        root = self.made.thing
        root.matrix_basis = (
            Matrix.Translation((x, y, -low if roll else 0.0))
            @ Matrix.Rotation(heading, 4, "Z")
            @ turn
        )

    def part(self) -> Thing:
        points = o.extremes(vertices(self.made.thing, self.made.thing.matrix_basis))
        across, along = np.ptp(points[:, :2], axis=0)
        objects = (self.made.thing, *self.made.thing.children)
        name = _CLASS.get(self.kind, "car")
        return Thing(objects, points, name, self.kind, (float(across), float(along)))


def collision(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """One vehicle in the side, the rear or the front of another."""
    del size_m
    struck = vehicle(rng, _HEAVY if rng.random() < 0.15 else CARS)
    striking = vehicle(rng, CARS)
    kind = str(rng.choice(["side", "rear", "front"], p=[0.45, 0.3, 0.25]))
    depth = float(rng.uniform(0.3, 0.75))
    body = struck.made
    if kind == "side":
        y = float(rng.uniform(0.5 * body.rear, 0.6 * body.front))
        spot, facing = np.array([body.half_width - 0.1, y]), math.pi / 2 + rng.normal(0, 0.35)
    elif kind == "rear":
        spot = np.array([rng.normal(0, 0.4), body.rear])
        facing = rng.normal(0, 0.25)
    else:
        spot = np.array([rng.normal(0, 0.5), body.front])
        facing = math.pi + rng.normal(0, 0.4)
    way = np.array([-math.sin(facing), math.cos(facing)])
    if kind != "side" and struck.kind in CARS:
        struck.dent((spot[0], spot[1]), math.atan2(way[1], way[0]), depth * 0.7, 1.6, rng)
    else:
        struck.dent((spot[0], spot[1]), math.atan2(way[1], way[0]), depth * 0.8, 1.4, rng)
    vehicles.crumple(striking.made, rng, depth, striking.colour)
    nose = striking.made.front - depth * 0.8
    middle = spot - way * (nose - 0.25)
    turn = float(rng.uniform(0, 2 * math.pi))
    centre = (middle * 0.5)[None]
    (a,), (b,), (hit,) = (
        o.turned(p, turn) for p in (-centre, middle[None] - centre, spot[None] - centre)
    )
    struck.place(float(a[0]), float(a[1]), turn)
    striking.place(float(b[0]), float(b[1]), turn + facing)
    return _crash(rng, [struck, striking], f"{kind}_collision", hit, ground)


def pile_up(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """Three or four vehicles run into each other from behind."""
    del size_m
    cars, y, x = [], 0.0, 0.0
    for index in range(int(rng.integers(3, 5))):
        car = vehicle(rng, CARS)
        if index:
            vehicles.crumple(car.made, rng, float(rng.uniform(0.2, 0.5)), car.colour)
            y -= car.made.front - 0.45
        car.dent((0.0, car.made.rear), math.pi / 2, 0.35, 1.3, rng)
        x += float(rng.normal(0, 0.35))
        cars.append((car, x, y, float(rng.normal(0, 0.2))))
        y += car.made.rear
    for car, side, along, heading in cars:
        car.place(side, along - y / 2, heading)
    hit = np.array([0.0, cars[1][2] - y / 2 + 2.0])
    return _crash(rng, [car for car, *_ in cars], "pile_up", hit, ground)


def rolled(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A vehicle on its side or its roof."""
    del size_m
    wreck = vehicle(rng, (*CARS, *CARS, *_HEAVY))
    _belly(wreck)
    for _ in range(int(rng.integers(1, 4))):
        at = (float(rng.uniform(-0.9, 0.9)), float(rng.choice([wreck.made.rear, wreck.made.front])))
        wreck.dent(at, float(rng.uniform(0, 6.3)), float(rng.uniform(0.1, 0.4)), 1.5, rng)
    roof = wreck.kind in CARS and rng.random() < 0.5
    roll = math.pi if roof else float(rng.choice([-1, 1])) * math.pi / 2
    wreck.place(0.0, 0.0, float(rng.uniform(0, 6.3)), roll + float(rng.normal(0, 0.09)))
    kind = "on_roof" if roof else "on_side"
    return _crash(rng, [wreck], f"{wreck.kind}_{kind}", rng.normal(0, 1.0, 2), ground)


def against_post(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A car that hit a post, a tree or a block, its bonnet folded up."""
    del size_m
    wreck, heading = vehicle(rng, CARS), float(rng.uniform(0, 2 * math.pi))
    depth = float(rng.uniform(0.4, 0.8))
    vehicles.crumple(wreck.made, rng, depth, wreck.colour)
    side = float(rng.uniform(-0.4, 0.4))
    wreck.dent((side, wreck.made.front - depth), -math.pi / 2, 0.4, 0.7, rng)
    wreck.place(0.0, 0.0, heading)
    spot = o.turned(np.array([(side, wreck.made.front - depth * 0.6)]), heading)[0]
    post, kind, x, y = Shape(), int(rng.integers(3)), float(spot[0]), float(spot[1])
    lean = rng.normal(0, 0.25, 2)
    if kind == 0:
        tip = (x + float(lean[0]) * 4, y + float(lean[1]) * 4, 6.5)
        post.tube((x, y, 0), tip, 0.09, m.plain((0.25, 0.26, 0.27), 0.4, 0.6), end_radius=0.06)
    elif kind == 1:
        bark = m.plain((0.07, 0.05, 0.035), 0.95)
        post.tube(
            (x, y, 0), (x + float(lean[0]), y + float(lean[1]), 4.0), 0.2, bark, end_radius=0.14
        )
    else:
        grey = m.speckled((0.20, 0.195, 0.185), (0.34, 0.33, 0.31), 1.2)
        post.box((x, y, 0.4), (1.4, 0.45, 0.8), grey, heading)
    return _crash(rng, [wreck], "against_post", spot, ground, [post.build("post")])


def rider_down(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A motorcycle or bicycle lying, its rider on the ground, mostly before a car."""
    del size_m
    sort = str(rng.choice(["scooter", "scooter", "bicycle"]))
    colour = _paint(rng)
    bike = Wreck(two_wheeler(sort, colour, sort), sort, colour)
    wrecks, spot = [bike], np.zeros(2)
    turn = float(rng.uniform(0, 2 * math.pi))
    side = float(rng.choice([-1, 1])) * math.radians(float(rng.uniform(78, 92)))
    if rng.random() < 0.75:
        car = vehicle(rng, CARS)
        car.dent((float(rng.normal(0, 0.4)), car.made.front), -math.pi / 2, 0.2, 0.8, rng)
        (at,) = o.turned(np.array([(0.0, -car.made.front - rng.uniform(0.1, 1.2))]), turn)
        car.place(float(at[0]), float(at[1]), turn)
        wrecks.append(car)
    bike.place(0.0, 0.0, float(rng.uniform(0, 6.3)), side)
    riders = []
    if rng.random() < 0.8:
        away = o.turned(np.array([(rng.uniform(-1.5, 1.5), rng.uniform(0.7, 2.2))]), turn)[0]
        riders.append(_lying(rng, float(away[0]), float(away[1])))
    return _crash(rng, wrecks, "rider_down", spot, ground, parts=riders)


def _lying(rng: np.random.Generator, x: float, y: float) -> Thing:
    """Somebody on the ground: on the back, limbs nearly flat, or on the side, more curled up."""
    figure, side = Figure(rng, "rider"), bool(rng.random() < 0.6)
    most = 1.2 if side else 0.35

    def pair(least: float) -> tuple[float, float]:
        first, second = rng.uniform(least, most, 2).tolist()
        return first, second

    figure.pose(Pose(hips=pair(0.0), knees=pair(0.0), shoulders=pair(-0.3), elbows=pair(0.1)))
    tip = (0.0, math.pi / 2 * rng.choice([-1, 1])) if side else (math.pi / 2, 0.0)
    figure.thing.rotation_euler = (*tip, float(rng.uniform(0, 6.3)))
    flat = _own(figure.thing) @ np.array(figure.thing.rotation_euler.to_matrix()).T
    figure.thing.location = (x, y, -float(flat[:, 2].min()))
    points = o.extremes(flat + np.array(figure.thing.location))
    return Thing((figure.thing,), points, "person", "lying_person", (1.7, 0.6))


def vehicle(rng: np.random.Generator, kinds: Sequence[str]) -> Wreck:
    kind, colour = str(kinds[rng.integers(len(kinds))]), _paint(rng)
    if kind == "bus":
        made = vehicles.bus(colour, kind)
    elif kind == "truck":
        load = tuple(float(c) for c in rng.uniform(0.03, 0.3, 3))
        made = vehicles.truck(colour, kind, cargo=load if rng.random() < 0.5 else None)
    else:
        made = vehicles.car(kind, colour, kind)
    for part in made.thing.children:
        for modifier in part.modifiers:
            if modifier.type == "SUBSURF":
                modifier.levels = modifier.render_levels = 1
            elif modifier.type == "BEVEL":
                modifier.segments = 1
    return Wreck(made, kind, colour)


def _belly(wreck: Wreck) -> None:
    """Axles, exhaust and tank, which show when a vehicle lies on its side or roof."""
    shape, steel = Shape(), m.plain((0.10, 0.095, 0.09), 0.7, 0.3)
    body, low = wreck.made, 0.24 if wreck.kind in CARS else 0.45
    half, long = body.half_width * 0.8, body.front - body.rear
    for y in (body.rear + 0.2 * long, body.front - 0.2 * long):
        shape.tube((-half, y, low), (half, y, low), 0.07, steel, points=6)
    shape.tube((0.25, body.rear, low), (0.15, body.front - 0.3 * long, low), 0.05, steel, points=6)
    shape.box((0.25, body.rear + 0.12 * long, low), (0.3, 0.5, 0.12), steel)
    shape.box((-0.2, body.rear + 0.36 * long, low), (0.7, 0.5, 0.1), m.dark_plastic())
    shape.box((0, body.front - 0.15 * long, low), (0.7, 0.8, 0.1), steel)
    shape.build("belly").parent = body.thing


def _paint(rng: np.random.Generator) -> m.Colour:
    names = list(PAINTS)
    weights = np.array([4, 3, 3, 1, 1, 2, 0.6, 0.6])
    return PAINTS[names[rng.choice(len(names), p=weights / weights.sum())]]


def _own(thing: bpy.types.Object) -> np.ndarray:
    points = np.empty(len(thing.data.vertices) * 3)
    thing.data.vertices.foreach_get("co", points)
    return points.reshape(-1, 3)


def vertices(root: bpy.types.Object, matrix: Matrix) -> np.ndarray:
    """All vertices below a root, moved by the matrix, (N, 3)."""
    own = np.concatenate([_own(part) for part in root.children])
    whole = np.array(matrix)
    return own @ whole[:3, :3].T + whole[:3, 3]


def _crash(
    rng: np.random.Generator,
    wrecks: list[Wreck],
    kind: str,
    hit: np.ndarray,
    ground: Ground,
    objects: Sequence[bpy.types.Object] = (),
    parts: Sequence[Thing] = (),
) -> Thing:
    """The whole: its vehicles and people as parts, broken things and spilled fluids of its own."""
    own = [*objects, *_broken(rng, hit, [wreck.colour for wreck in wrecks], ground)]
    parts = (*(wreck.part() for wreck in wrecks), *parts)
    points = np.concatenate([part.outline for part in parts])
    middle = (points.min(axis=0) + points.max(axis=0)) / 2 * (1, 1, 0)
    shift = Matrix.Translation(Vector(-middle))
    for thing in (*own, *(part.objects[0] for part in parts)):
        thing.matrix_basis = shift @ thing.matrix_basis
    moved = tuple(
        Thing(p.objects, p.outline - middle, p.class_name, p.kind, p.size_m) for p in parts
    )
    across, along = np.ptp(points[:, :2], axis=0)
    return Thing(
        tuple(own), points - middle, "crash", kind, (float(across), float(along)), parts=moved
    )


def _broken(
    rng: np.random.Generator, hit: np.ndarray, colours: list[m.Colour], ground: Ground
) -> list[bpy.types.Object]:
    """Glass, trim and panels strewn about, and a pool of oil or coolant."""
    del ground
    shape, objects = Shape(), []
    looks = [m.paint(colour) for colour in colours] + [m.dark_plastic(), m.chrome()]
    count = int(rng.integers(5, 40))
    flat = hit + rng.normal(0, rng.uniform(0.7, 1.6), (count, 2))
    long = rng.gamma(1.6, 0.09, count).clip(0.04, 0.7)
    sizes = np.column_stack([long, long * rng.uniform(0.2, 0.7, count), np.full(count, 0.03)])
    angles = np.column_stack([rng.normal(0, 0.15, (count, 2)), rng.uniform(0, 6.3, count)])
    pieces.boxes(
        shape,
        o.lifted(flat, 0.04),
        sizes,
        angles,
        [looks[i] for i in rng.integers(len(looks), size=count)],
    )
    shards = int(rng.integers(0, 90))
    spots = o.lifted(hit + rng.normal(0, 0.9, (shards, 2)), 0.012)
    pieces.scatter(
        shape,
        rng,
        spots,
        rng.uniform(0.015, 0.05, shards),
        (m.plain((0.5, 0.55, 0.55), 0.1),),
        fine=True,
    )
    objects.append(shape.build("broken parts"))
    if rng.random() < 0.6:
        half = tuple(float(v) for v in rng.uniform(0.3, 1.2, 2))
        wet = pieces.layer((0.012, 0.012, 0.012), 0.15, cover=0.85, grain=0.3)
        objects.append(pieces.stain("spill", o.blob(rng, half, 0.35) + hit, wet, z=0.005))
    return objects


MAKERS = (
    Maker("collision", "crash", collision, (6.0, 8.0), 3.0),
    Maker("pile_up", "crash", pile_up, (10.0, 14.0), 0.6),
    Maker("rolled", "crash", rolled, (4.0, 8.0), 2.5),
    Maker("against_post", "crash", against_post, (4.0, 5.0), 1.2),
    Maker("rider_down", "crash", rider_down, (2.0, 7.0), 2.0),
)
