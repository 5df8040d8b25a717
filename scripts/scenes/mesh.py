"""Builds meshes from simple solids: boxes, lofts, tubes, ellipsoids. Knows nothing of streets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import bpy
import numpy as np

Ring = Sequence[tuple[float, float, float]] | np.ndarray
Vector = tuple[float, float, float]
Extent = tuple[float, float, float, float]  # left, near, right, far
FaceMaterial = bpy.types.Material | Callable[[int, int], bpy.types.Material]


class Shape:
    """Vertices and faces gathered piece by piece; ``build`` makes one object of them. Metres."""

    def __init__(self) -> None:
        self.vertices: list[np.ndarray] = []
        self.faces: list[tuple[int, ...]] = []
        self.materials: list[bpy.types.Material] = []
        self._count = 0

    def add(
        self,
        vertices: np.ndarray | Sequence[Vector],
        faces: Sequence[tuple[int, ...]],
        materials: bpy.types.Material | Sequence[bpy.types.Material],
    ) -> None:
        """Append vertices (N, 3) with faces that index into them."""
        array = np.asarray(vertices, dtype=np.float64).reshape(-1, 3)
        self.vertices.append(array)
        self.faces += [tuple(i + self._count for i in face) for face in faces]
        if isinstance(materials, bpy.types.Material):
            self.materials += [materials] * len(faces)
        else:
            self.materials += list(materials)
        self._count += len(array)

    def rectangle(self, extent: Extent, z: float, material: bpy.types.Material) -> None:
        """A level rectangle."""
        left, near, right, far = extent
        corners = [(left, near, z), (right, near, z), (right, far, z), (left, far, z)]
        self.add(corners, [(0, 1, 2, 3)], material)

    def box(
        self, centre: Vector, size: Vector, material: bpy.types.Material, turn: float = 0.0
    ) -> None:
        """A box; ``turn`` rotates it about the vertical through its centre (radians)."""
        x, y, z = (s / 2 for s in size)
        corners = np.array([(i, j, k) for k in (-z, z) for j in (-y, y) for i in (-x, x)])
        c, s = math.cos(turn), math.sin(turn)
        corners = corners @ np.array([(c, s, 0), (-s, c, 0), (0, 0, 1)]) + centre
        faces = [
            (0, 2, 3, 1),
            (4, 5, 7, 6),
            (0, 1, 5, 4),
            (2, 6, 7, 3),
            (0, 4, 6, 2),
            (1, 3, 7, 5),
        ]
        self.add(corners, faces, material)

    def loft(self, rings: Sequence[Ring], material: FaceMaterial, *, caps: bool = True) -> None:
        """Join closed rings of equally many points; ``material`` may depend on (ring, point)."""
        array = np.asarray(rings, dtype=np.float64)
        count, points = array.shape[:2]
        faces: list[tuple[int, ...]] = []
        looks: list[bpy.types.Material] = []
        pick = material if callable(material) else (lambda _ring, _point: material)
        for ring in range(count - 1):
            for point in range(points):
                after = (point + 1) % points
                a, b = ring * points, (ring + 1) * points
                faces.append((a + point, a + after, b + after, b + point))
                looks.append(pick(ring, point))
        if caps:
            faces += [
                tuple(range(points))[::-1],
                tuple(range((count - 1) * points, count * points)),
            ]
            looks += [pick(0, points // 4), pick(count - 2, points // 4)]
        self.add(array.reshape(-1, 3), faces, looks)

    def tube(
        self,
        start: Vector,
        end: Vector,
        radius: float,
        material: bpy.types.Material,
        *,
        end_radius: float | None = None,
        points: int = 12,
    ) -> None:
        """A capped cylinder or cone."""
        a, b = np.asarray(start, float), np.asarray(end, float)
        axis = (b - a) / np.linalg.norm(b - a)
        side = np.cross(axis, (0, 0, 1) if abs(axis[2]) < 0.9 else (1, 0, 0))
        side /= np.linalg.norm(side)
        other = np.cross(axis, side)
        angles = np.linspace(0, 2 * math.pi, points, endpoint=False)[:, None]
        circle = np.cos(angles) * side + np.sin(angles) * other
        last = radius if end_radius is None else end_radius
        self.loft([a + circle * radius, b + circle * last], material)

    def ellipsoid(
        self, centre: Vector, radii: Vector, material: bpy.types.Material, points: int = 12
    ) -> None:
        rings = []
        for lift in np.linspace(-0.49 * math.pi, 0.49 * math.pi, points // 2 + 1):
            around = np.linspace(0, 2 * math.pi, points, endpoint=False)
            ring = np.stack(
                [
                    np.cos(around) * math.cos(lift),
                    np.sin(around) * math.cos(lift),
                    np.full_like(around, math.sin(lift)),
                ],
                axis=1,
            )
            rings.append(ring * radii + centre)
        self.loft(rings, material)

    def points(self) -> np.ndarray:
        """All vertices, float64 (N, 3)."""
        return np.concatenate(self.vertices)

    def build(
        self, name: str, *, smooth: bool = False, bevel: float = 0.0, subdivide: int = 0
    ) -> bpy.types.Object:
        """Make one object, linked to the scene."""
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata(self.points().tolist(), [], self.faces)
        slots: list[bpy.types.Material] = list(dict.fromkeys(self.materials))
        for slot in slots:
            mesh.materials.append(slot)
        mesh.polygons.foreach_set("material_index", [slots.index(m) for m in self.materials])
        mesh.polygons.foreach_set("use_smooth", [smooth] * len(self.faces))
        mesh.validate()
        thing = bpy.data.objects.new(name, mesh)
        bpy.context.scene.collection.objects.link(thing)
        if bevel:
            modifier = thing.modifiers.new("bevel", "BEVEL")
            modifier.width, modifier.segments, modifier.limit_method = bevel, 2, "ANGLE"
        if subdivide:
            modifier = thing.modifiers.new("subdivide", "SUBSURF")
            modifier.levels = modifier.render_levels = subdivide
        return thing


def link_copy(original: bpy.types.Object, name: str) -> bpy.types.Object:
    """Another object with the same mesh: costs no memory and keeps one search tree."""
    thing = original.copy()
    thing.name = name
    bpy.context.scene.collection.objects.link(thing)
    return thing


def group(name: str, parts: Sequence[bpy.types.Object]) -> bpy.types.Object:
    """An empty that carries the parts, so that they move as one thing."""
    root = bpy.data.objects.new(name, None)
    bpy.context.scene.collection.objects.link(root)
    for part in parts:
        part.parent = root
    return root
