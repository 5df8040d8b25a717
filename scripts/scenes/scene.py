"""One street with everything on it, picture after picture: what is put where, and its truth."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np
from shapely import Polygon

from . import asphalt, frontage, ground, labels, plans, traffic
from . import materials as m
from .camera import HEIGHT, WIDTH
from .mesh import group
from .placing import Place, Site
from .things import Ground

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .camera import Camera
    from .shooting import Studio
    from .things import Maker, Thing

_LEAST_SHARE = 0.2  # of a thing that must be seen for it to be labelled
_LEAST_PX = (4.0, 3.0)
_HEAD_M = 0.2  # a head with its hair is about so wide
_DRIVEN = ("car", "bus", "truck", "motorcycle", "bicycle")


@dataclass
class Placed:
    """A thing at its place; ``indices`` are those of its objects in the render, by leaf."""

    thing: Thing
    place: Place
    root: bpy.types.Object
    first: int
    pooled: bool


@dataclass
class Street:
    """Built once; ``dress`` changes what stands on it."""

    plan: plans.Plan
    rng: np.random.Generator
    studio: Studio
    road: m.Road = field(init=False)
    tone: float = field(init=False)
    paving: ground.Paving = field(init=False)
    pool: traffic.Pool = field(init=False)
    placed: list[Placed] = field(init=False, default_factory=list)
    ground: bpy.types.Object | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        surface = asphalt.paint(self.plan, self.rng)
        self.tone = surface.tone
        self.road = m.road(
            surface.colour, surface.gloss, (asphalt.LEFT, asphalt.NEAR), asphalt.METRES_A_PIXEL
        )
        self.paving = ground.Paving(self.rng, self.plan, self.road.material)
        made = frontage.build(self.plan, self.rng)
        self.studio.add_lamps(made.lamps)
        self.pool = traffic.pool(self.rng)

    def dress(
        self,
        site: Site,
        makers: list[Maker],
        rng: np.random.Generator,
        *,
        wet: float,
        people: int,
        traffic: bool = True,
    ) -> None:
        """Put new things on the street, then traffic (if any) and people around them."""
        self._clear()
        self.road.wetten(wet)
        under = Ground(self.road.material, self.tone, wet > 0.3)
        for maker in makers:
            self._place(maker, site, rng, under)
        if traffic:
            self._drive(site, rng)
        else:
            self.studio.set_beams([])
            for thing in (*self.pool.cars, *self.pool.two_wheelers):
                _hide(thing)
        self._walk(site, rng, people)
        cuts = [
            Polygon(p.place.on_ground(p.thing.cut)).buffer(0)
            for p in self.placed
            if p.thing.cut is not None
        ]
        self.ground = ground.build(self.plan, self.paving, cuts)

    def _place(self, maker: Maker, site: Site, rng: np.random.Generator, under: Ground) -> None:
        """Stand a thing of this sort somewhere; a smaller one where there is no room."""
        low, high = (math.log(v) for v in maker.sizes)
        for _ in range(2):
            size = rng.uniform(low, high)
            thing = maker.make(rng, math.exp(size), under)
            spread = thing.outline if thing.cut is None else _both(thing)
            place = site.put(spread, maker.spot, turns=maker.turns)
            if place:
                self._stand(thing, place, pooled=False)
                return
            _remove(thing)
            high = (low + size) / 2

    def truth(self, camera: Camera) -> list[dict[str, Any]]:
        """Every thing with what is needed to label it, before lens and flip."""
        rows = []
        for placed in self.placed:
            for thing, members in _wholes(placed):
                world = placed.place.on_ground(thing.outline)
                if camera.seen(world)[:, 2].min() < 0.3:
                    continue
                flat = camera.project(world) * (WIDTH, HEIGHT)
                rows.append(_row(thing, members, flat, world, camera))
                if thing.head:
                    head = placed.place.on_ground(np.array([thing.head]))
                    rows[-1]["head"] = (camera.project(head) * (WIDTH, HEIGHT))[0]
                    rows[-1]["head_px"] = camera.pixels_a_metre(head[0]) * _HEAD_M
        return rows

    def hulls(self, rows: list[dict[str, Any]]) -> dict[int, np.ndarray]:
        """The outline of every leaf in the picture, by index."""
        return {row["members"][0]: row["hull"] for row in rows if row["own"]}

    def alone(self, row: dict[str, Any], camera: Camera) -> int:
        """Pixels the thing's own objects would cover if nothing stood before them."""
        corners = [_faces(one, camera) for one in row["objects"] if one.type == "MESH"]
        if not corners:
            return 0
        return labels.silhouette(np.concatenate(corners), row["hull"], (HEIGHT, WIDTH))

    def _stand(self, thing: Thing, place: Place, *, pooled: bool) -> None:
        objects = list(_objects(thing))
        root = group("place", [o for o in objects if o.parent is None])
        root.location, root.rotation_euler = (place.x, place.y, place.z), (0, 0, place.heading)
        first = 1 + sum(len(list(_leaves(p.thing))) for p in self.placed)
        for index, leaf in enumerate(_leaves(thing), first):
            for one in leaf.objects:
                one.pass_index, one.hide_render = index, False
        self.placed.append(Placed(thing, place, root, first, pooled))

    def _drive(self, site: Site, rng: np.random.Generator) -> None:
        """Vehicles in the lanes and at the kerb; now and then a queue."""
        waiting = list(
            rng.permutation(np.array([*self.pool.cars, *self.pool.two_wheelers], object))
        )
        queue = rng.random() < 0.12
        share, fronts = rng.uniform(0.1, 0.9), []
        for lane in rng.permutation(np.array(self.plan.lanes, object)):
            y = float(rng.uniform(3, 16))
            while y < 60 and waiting:
                thing = waiting[-1]
                if rng.random() < share or queue:
                    small = thing.class_name in ("motorcycle", "bicycle")
                    off = rng.normal(0.9 if small else 0, 0.25)
                    heading = (0 if lane.way > 0 else math.pi) + rng.normal(0, 0.02)
                    place = Place(lane.x + lane.way * off, y, 0, heading)
                    if site.claim(thing.outline, place):
                        self._stand(waiting.pop(), place, pooled=True)
                        fronts.append(_front(thing, place))
                y += rng.uniform(6.2, 7.5) if queue else rng.uniform(8, 30)
        self.studio.set_beams(fronts)
        for x in (
            self.plan.parking or (self.plan.right - 1.1, self.plan.left + 1.1)[: rng.integers(3)]
        ):
            for y in np.arange(rng.uniform(3, 12), 50, 6.4).tolist():
                if not waiting or rng.random() < 0.6:
                    continue
                heading = (0 if x > 0 else math.pi) + rng.normal(0, 0.03)
                if site.claim(waiting[-1].outline, Place(x, y, 0, heading)):
                    self._stand(waiting.pop(), Place(x, y, 0, heading), pooled=True)
        for thing in waiting:
            _hide(thing)

    def _walk(self, site: Site, rng: np.random.Generator, count: int) -> None:
        for index, thing in enumerate(self.pool.people):
            place = None
            if index < count:
                spot = "lane" if rng.random() < 0.2 else "roadside"
                place = site.put(thing.outline, spot, turns=True, least_px=(3, 7))
            if place:
                self._stand(thing, place, pooled=True)
            else:
                _hide(thing)

    def _clear(self) -> None:
        for placed in self.placed:
            if placed.pooled:
                for one in _objects(placed.thing):
                    one.parent = None if one.parent is placed.root else one.parent
            else:
                _remove(placed.thing)
            bpy.data.objects.remove(placed.root)
        self.placed.clear()
        if self.ground:
            mesh = self.ground.data
            bpy.data.objects.remove(self.ground)
            bpy.data.meshes.remove(mesh)
            self.ground = None


def labelled(row: dict[str, Any]) -> bool:
    """Whether a thing is seen well enough for a box in the labels."""
    x1, y1, x2, y2 = row["box"]
    large = x2 - x1 >= _LEAST_PX[0] and y2 - y1 >= _LEAST_PX[1]
    return row["class"] != "none" and row["visible"] >= _LEAST_SHARE and large


def _row(
    thing: Thing,
    members: list[int],
    flat: np.ndarray,
    world: np.ndarray,
    camera: Camera,
) -> dict[str, Any]:
    middle = (world.min(axis=0) + world.max(axis=0)) / 2
    return {
        "class": thing.class_name,
        "kind": thing.kind,
        "ground": [round(float(v), 2) for v in camera.place(middle[0], middle[1])],
        "distance_m": round(math.hypot(middle[0] - camera.x, middle[1]), 2),
        "size_m": [round(float(v), 2) for v in thing.size_m],
        "hull": flat,
        "members": members,
        "own": bool(thing.objects),
        "objects": thing.objects,
    }


def _wholes(placed: Placed) -> Iterator[tuple[Thing, list[int]]]:
    """The thing and its parts, each with the indices its box covers, its own first."""
    index = {id(leaf): placed.first + i for i, leaf in enumerate(_leaves(placed.thing))}
    whole = placed.thing
    ridden = placed.pooled  # a rider has a box of his own and isn't part of his machine's
    for thing in _leaves(whole):
        parts = [] if ridden else thing.parts
        yield thing, [index[id(thing)], *(index[id(leaf)] for p in parts for leaf in _leaves(p))]


def _leaves(thing: Thing) -> Iterator[Thing]:
    yield thing
    for part in thing.parts:
        yield from _leaves(part)


def _objects(thing: Thing) -> Iterator[bpy.types.Object]:
    for leaf in _leaves(thing):
        yield from leaf.objects


def _both(thing: Thing) -> np.ndarray:
    flat = np.column_stack([thing.cut, np.zeros(len(thing.cut))])
    return np.concatenate([thing.outline, flat])


def _faces(one: bpy.types.Object, camera: Camera) -> np.ndarray:
    """An object's triangles in the picture, pixels (N, 3, 2); those behind the camera left out."""
    mesh = one.data
    points = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", points)
    matrix = np.array(one.matrix_world)
    world = points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
    mesh.calc_loop_triangles()
    faces = np.empty(len(mesh.loop_triangles) * 3, np.int32)
    mesh.loop_triangles.foreach_get("vertices", faces)
    triangles = faces.reshape(-1, 3)
    before = (camera.seen(world)[:, 2] > 0.3)[triangles].all(axis=1)
    return (camera.project(world) * (WIDTH, HEIGHT))[triangles[before]]


def _front(thing: Thing, place: Place) -> tuple[float, float, float, float]:
    ahead = float(thing.outline[:, 1].max()) + 0.1
    x, y = place.on_ground(np.array([(0.0, ahead)]))[0]
    return float(x), float(y), 0.75, place.heading


def _hide(thing: Thing) -> None:
    for one in _objects(thing):
        one.hide_render = True


def _remove(thing: Thing) -> None:
    for one in list(_objects(thing)):
        mesh = one.data
        bpy.data.objects.remove(one)
        if mesh and not mesh.users:
            bpy.data.meshes.remove(mesh)
