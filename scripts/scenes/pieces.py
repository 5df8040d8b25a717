"""Stones, limbs, boxes, cracks and films: the pieces that hazards and decoys are built of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import bpy
import numpy as np

from .mesh import Shape
from .outlines import around, lifted, tilt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .materials import Colour

_GOLD = (1 + math.sqrt(5)) / 2
_ICOSA = np.array(
    [
        v
        for a, b in ((1, _GOLD), (-1, _GOLD), (1, -_GOLD), (-1, -_GOLD))
        for v in ((0, a, b), (a, b, 0), (b, 0, a))
    ],
    dtype=np.float64,
) / math.hypot(1, _GOLD)
_OCTA = np.array([(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)], float)
_OCTA_FACES = [
    (0, 2, 4),
    (2, 1, 4),
    (1, 3, 4),
    (3, 0, 4),
    (2, 0, 5),
    (1, 2, 5),
    (3, 1, 5),
    (0, 3, 5),
]


def _hull_faces(points: np.ndarray) -> list[tuple[int, ...]]:
    """Faces of the icosahedron: triples of neighbours, turned outward."""
    near = np.linalg.norm(points[:, None] - points[None], axis=2)
    edge = near[near > 1e-6].min() * 1.01
    faces = []
    for a in range(len(points)):
        for b in range(a + 1, len(points)):
            for c in range(b + 1, len(points)):
                if max(near[a, b], near[b, c], near[a, c]) < edge:
                    normal = np.cross(points[b] - points[a], points[c] - points[a])
                    faces.append((a, b, c) if normal @ points[a] > 0 else (a, c, b))
    return faces


_ICOSA_FACES = _hull_faces(_ICOSA)


def merge(into: Shape, piece: Shape) -> None:
    """Add a whole shape to another."""
    into.add(piece.points(), piece.faces, piece.materials)


def tilted(
    shape: Shape, about_x: float, about_y: float, turn: float, to: tuple[float, float, float]
) -> Shape:
    """The shape itself, tilted and put somewhere."""
    shape.vertices = [tilt(v, about_x, about_y, turn) + to for v in shape.vertices]
    return shape


def scatter(
    shape: Shape,
    rng: np.random.Generator,
    places: np.ndarray,
    sizes: np.ndarray,
    looks: Sequence[bpy.types.Material],
    *,
    flat: float = 0.7,
    fine: bool = False,
) -> None:
    """Stones at ``places`` (N, 3), each with its own breadth in metres and a look drawn for it.

    ``flat`` is their height by breadth; ``fine`` ones have 8 faces instead of 20.
    """
    base, faces = (_OCTA, _OCTA_FACES) if fine else (_ICOSA, _ICOSA_FACES)
    count, corners = len(places), len(base)
    if not count:
        return
    lumps = base[None] * rng.uniform(0.62, 1.1, (count, corners, 1))
    lumps = lumps * rng.uniform(0.7, 1.2, (count, 1, 3)) * (1, 1, flat)
    spin = rng.uniform(0, 2 * math.pi, count)
    c, s = np.cos(spin)[:, None], np.sin(spin)[:, None]
    x, y = lumps[..., 0] * c - lumps[..., 1] * s, lumps[..., 0] * s + lumps[..., 1] * c
    lumps = np.stack([x, y, lumps[..., 2]], axis=2) * (sizes / 2)[:, None, None]
    lumps += np.asarray(places)[:, None, :]
    all_faces = np.asarray(faces)[None] + (np.arange(count) * corners)[:, None, None]
    drawn = rng.integers(len(looks), size=count)
    shape.add(
        lumps.reshape(-1, 3),
        [tuple(face) for face in all_faces.reshape(-1, 3).tolist()],
        [looks[i] for i in np.repeat(drawn, len(faces))],
    )


def boxes(
    shape: Shape,
    places: np.ndarray,
    sizes: np.ndarray,
    angles: np.ndarray,
    looks: Sequence[bpy.types.Material],
) -> None:
    """Boxes at ``places`` (N, 3), sized (N, 3), tilted about X and Y and turned: angles (N, 3).

    ``looks`` gives each its material in turn.
    """
    unit = np.array([(x, y, z) for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)]) / 2
    faces = ((0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5))
    for index, (place, size, angle) in enumerate(zip(places, sizes, angles, strict=True)):
        corners = tilt(unit * size, *(float(a) for a in angle)) + place
        shape.add(corners, faces, looks[index % len(looks)])


def limb(
    shape: Shape,
    path: np.ndarray,
    radii: np.ndarray,
    look: bpy.types.Material,
    points: int = 6,
) -> None:
    """A bent tapering tube along a path (N, 3)."""
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    side = np.cross(along, (0.13, 0.21, 0.97))
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    other = np.cross(along, side)
    turn = around(points)[None, :, None]
    rings = path[:, None] + radii[:, None, None] * (
        np.cos(turn) * side[:, None] + np.sin(turn) * other[:, None]
    )
    shape.loft(rings, look)


def crack(
    shape: Shape,
    rng: np.random.Generator,
    start: np.ndarray,
    angle: float,
    length: float,
    width: float,
    look: bpy.types.Material,
    z: float = 0.003,
) -> None:
    """A jagged tapering line on the road from ``start`` (2,)."""
    steps = max(3, int(length / 0.16))
    angles = angle + np.cumsum(rng.normal(0, 0.28, steps)) * 0.6
    path = np.vstack(
        [
            start,
            start
            + np.cumsum(
                np.stack([np.cos(angles), np.sin(angles)], axis=1) * (length / steps), axis=0
            ),
        ]
    )
    ribbon(shape, path, np.linspace(width, width * 0.25, steps + 1), look, z)


def ribbon(
    shape: Shape,
    path: np.ndarray,
    widths: np.ndarray | float,
    look: bpy.types.Material,
    z: float = 0.003,
) -> None:
    """A strip on the ground along a path (N, 2)."""
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    across = np.column_stack([-along[:, 1], along[:, 0]])
    across *= np.broadcast_to(widths, len(path))[:, None] / 2
    corners = np.vstack([lifted(path - across, z), lifted(path + across, z)])
    n = len(path)
    shape.add(corners, [(i, i + 1, n + i + 1, n + i) for i in range(n - 1)], look)


def stain(
    name: str,
    outline: np.ndarray,
    look: bpy.types.Material,
    *,
    soft: float = 0.35,
    z: float = 0.0025,
) -> bpy.types.Object:
    """A thin layer on the road: full inside, fading over the outer ``soft`` share of it."""
    middle = outline.mean(axis=0)
    shares = (0.0, max(0.02, 1 - soft), 1 - soft / 2, 1.0)
    rings = [lifted(middle + (outline - middle) * share, z) for share in shares[1:]]
    shape = Shape()
    shape.loft(rings, look, caps=False)
    n = len(outline)
    shape.add(rings[0], [tuple(range(n))], look)
    thing = shape.build(name)
    fade = np.concatenate([np.full(n, f) for f in (1.0, 0.55, 0.0, 1.0)])
    thing.data.attributes.new("fade", "FLOAT", "POINT").data.foreach_set("value", fade)
    return thing


def layer(
    colour: Colour,
    roughness: float = 0.9,
    *,
    cover: float = 1.0,
    grain: float = 0.5,
    scale: float = 3.0,
) -> bpy.types.Material:
    """What ``stain`` is made of: ``cover`` is its opacity, ``grain`` how ragged its edge is."""
    name = f"layer {colour} {roughness} {cover} {grain} {scale}"
    if known := bpy.data.materials.get(name):
        return known
    material = bpy.data.materials.new(name)
    tree = material.node_tree
    surface = next(n for n in tree.nodes if n.type == "BSDF_PRINCIPLED")
    surface.inputs["Base Color"].default_value = (*colour, 1)
    surface.inputs["Roughness"].default_value = roughness
    fade = tree.nodes.new("ShaderNodeAttribute")
    fade.attribute_name = "fade"
    noise = tree.nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = scale
    noise.inputs["Detail"].default_value = 5.0
    place = tree.nodes.new("ShaderNodeNewGeometry").outputs["Position"]
    tree.links.new(place, noise.inputs["Vector"])
    # alpha = cover * step(fade, ragged by the noise)
    rag = tree.nodes.new("ShaderNodeMath")
    rag.operation, rag.inputs[1].default_value = "MULTIPLY_ADD", grain * 2.2
    tree.links.new(noise.outputs[0], rag.inputs[0])
    offset = tree.nodes.new("ShaderNodeMath")
    offset.operation, offset.inputs[1].default_value = "SUBTRACT", grain * 1.1
    tree.links.new(fade.outputs["Fac"], offset.inputs[0])
    tree.links.new(offset.outputs[0], rag.inputs[2])
    step = tree.nodes.new("ShaderNodeMapRange")
    step.interpolation_type = "SMOOTHSTEP"
    step.inputs["From Min"].default_value, step.inputs["From Max"].default_value = 0.25, 0.75
    step.inputs["To Max"].default_value = cover
    tree.links.new(rag.outputs[0], step.inputs["Value"])
    tree.links.new(step.outputs["Result"], surface.inputs["Alpha"])
    return material
