"""Crowds of five to three hundred: gathered, watching, queueing, marching, streaming by.

A few posed figures are shared by all; their clothes take a colour of their own from each copy.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import bpy
import numpy as np

from . import materials as m
from . import outlines as o
from .mesh import Shape, link_copy
from .people import Figure, Pose, walking
from .things import Ground, Maker, Thing

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST = 300
_TOPS = (
    (0.55, 0.55, 0.53), (0.02, 0.02, 0.022), (0.30, 0.025, 0.025), (0.025, 0.05, 0.20),
    (0.07, 0.12, 0.06), (0.45, 0.30, 0.08), (0.22, 0.22, 0.24), (0.40, 0.16, 0.22),
    (0.09, 0.24, 0.36), (0.60, 0.56, 0.45), (0.012, 0.03, 0.07), (0.16, 0.09, 0.05),
    (0.50, 0.09, 0.03), (0.10, 0.10, 0.11), (0.30, 0.36, 0.42), (0.62, 0.50, 0.06),
    (0.04, 0.04, 0.045), (0.025, 0.03, 0.045), (0.07, 0.06, 0.055), (0.14, 0.14, 0.15),
    (0.03, 0.025, 0.022), (0.05, 0.06, 0.08), (0.36, 0.35, 0.33), (0.018, 0.022, 0.02),
)  # fmt: skip
_BOTTOMS = (
    (0.015, 0.015, 0.02), (0.03, 0.045, 0.11), (0.08, 0.07, 0.06), (0.20, 0.17, 0.12),
    (0.05, 0.05, 0.055), (0.05, 0.08, 0.16), (0.012, 0.016, 0.03), (0.30, 0.30, 0.29),
)  # fmt: skip

_HAIR = (
    (0.008, 0.007, 0.006), (0.012, 0.009, 0.008), (0.02, 0.014, 0.01), (0.03, 0.018, 0.012),
    (0.010, 0.010, 0.011), (0.07, 0.035, 0.018), (0.12, 0.12, 0.12), (0.20, 0.12, 0.06),
    (0.015, 0.010, 0.008), (0.45, 0.44, 0.42), (0.35, 0.03, 0.03), (0.03, 0.06, 0.20),
)  # fmt: skip
"""Hair, and a few caps and hats."""

Spots = tuple[np.ndarray, np.ndarray]  # places (N, 2) and headings (N,), 0 along +Y


def gathering(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """People standing close together, loosely turned to one another."""
    del ground
    return _crowd(rng, "gathering", _gathered(rng, size_m, float(rng.uniform(0.4, 3.0))), walk=0.1)


def onlookers(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """People around something that they look at, in a ring or half a ring."""
    del ground
    inner, depth = size_m * 0.28, size_m * 0.22
    centre, width = float(rng.uniform(0, 6.28)), float(rng.choice([math.pi, 2 * math.pi]))
    area = width * inner * depth
    count = _count(rng, area * float(rng.uniform(0.6, 2.2)))
    angles = centre + rng.uniform(-0.5, 0.5, count * 4) * width
    far = inner + np.abs(rng.normal(0, depth * 0.5, count * 4))
    places = _apart(np.stack([np.cos(angles) * far, np.sin(angles) * far], axis=1), count)
    inward = np.arctan2(places[:, 0], -places[:, 1])
    return _crowd(rng, "onlookers", (places, inward + rng.normal(0, 0.3, len(places))), walk=0.0)


def queue(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A line of people one behind the other, here and there two abreast."""
    del ground
    count = _count(rng, size_m / float(rng.uniform(0.45, 0.9)))
    along = np.linspace(-size_m / 2, size_m / 2, count)
    bend = math.sin(rng.uniform(-1, 1)) * size_m * 0.12 * np.cos(along / size_m * 3)
    places = np.column_stack([bend + rng.normal(0, 0.14, count), along + rng.normal(0, 0.1, count)])
    places[:, 0] += (rng.random(count) < 0.25) * 0.5
    return _crowd(rng, "queue", (places, rng.normal(0, 0.3, count)), walk=0.05)


def march(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """A march or a rally: rows of people one way, some with boards or a banner."""
    del ground
    places, _ = _gathered(rng, size_m, float(rng.uniform(0.8, 2.5)), aspect=0.5)
    boards = Shape()
    for x, y in places[rng.random(len(places)) < 0.08]:
        stick, tone = m.plain((0.3, 0.22, 0.13), 0.9), float(rng.uniform(0.2, 0.6))
        look = m.plain(
            (tone, tone * 0.98, tone * 0.9) if rng.random() < 0.6 else (0.4, 0.02, 0.02), 0.8
        )
        boards.tube((x, y + 0.25, 1.0), (x, y + 0.25, 2.1), 0.02, stick, points=4)
        size = (float(rng.uniform(0.4, 0.8)), 0.02, float(rng.uniform(0.3, 0.6)))
        boards.box((x, y + 0.25, 2.2), size, look, float(rng.normal(0, 0.3)))
    if rng.random() < 0.4:
        ahead, wide = float(places[:, 1].max()) + 0.4, float(np.ptp(places[:, 0])) * 0.8
        boards.box((0, ahead, 1.0), (wide, 0.03, 0.8), m.plain((0.45, 0.03, 0.02), 0.8))
    objects = (boards.build("boards"),) if boards.vertices else ()
    headings = rng.normal(0, 0.15, len(places))
    return _crowd(rng, "march", (places, headings), walk=0.85, objects=objects)


def stream(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """People walking past each other both ways, in twos and threes."""
    del ground
    places, _ = _gathered(rng, size_m, float(rng.uniform(0.12, 0.7)))
    headings = rng.choice([0.0, math.pi], len(places)) + rng.normal(0, 0.25, len(places))
    return _crowd(rng, "stream", (places, headings), walk=1.0)


def throng(rng: np.random.Generator, size_m: float, ground: Ground) -> Thing:
    """People all over a place: alone, in twos and threes, and in knots; most of them walk."""
    del ground
    half = size_m / 2 * np.array([float(rng.uniform(0.35, 1.0)), 1.0])
    mean = math.exp(rng.uniform(math.log(12), math.log(min(_MOST, 1.5 * 4 * half.prod()))))
    count = _count(rng, mean)
    groups = rng.uniform(-half, half, (count * 2, 2))
    members = rng.choice([1, 2, 3, 8], len(groups), p=[0.5, 0.3, 0.13, 0.07])
    middles = np.repeat(groups, members, axis=0)
    around = rng.normal(0, 0.3, middles.shape) * np.sqrt(np.repeat(members, members) - 1)[:, None]
    places = _apart(middles + around, count)
    ways = rng.choice(rng.uniform(0, 2 * math.pi, 3), len(places))
    return _crowd(
        rng,
        "throng",
        (places, ways + rng.normal(0, 0.5, len(places))),
        walk=float(rng.uniform(0.3, 1)),
    )


def _gathered(
    rng: np.random.Generator, size_m: float, density: float, aspect: float | None = None
) -> Spots:
    """Places within an oval, thicker in its middle, at so many people to the square metre."""
    half = np.array([size_m / 2, size_m / 2]) * (aspect or float(rng.uniform(0.4, 1.0)), 1)
    count = _count(rng, math.pi * half[0] * half[1] * density)
    reach = rng.uniform(0, 1, count * 4) ** float(rng.uniform(0.5, 0.75))
    angles = rng.uniform(0, 2 * math.pi, count * 4)
    ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    places = _apart(ways * reach[:, None] * half, count)
    facing = float(rng.uniform(0, 6.28))
    return places, facing + rng.normal(0, float(rng.choice([0.5, 1.5])), len(places))


def _count(rng: np.random.Generator, mean: float) -> int:
    return int(np.clip(rng.normal(mean, mean * 0.1), 5, _MOST))


def _apart(places: np.ndarray, count: int, least_m: float = 0.42) -> np.ndarray:
    """The first ``count`` places that keep their distance from all before them."""
    kept = np.empty((0, 2))
    for place in places:
        if len(kept) == count:
            break
        if not len(kept) or ((kept - place) ** 2).sum(axis=1).min() > least_m**2:
            kept = np.vstack([kept, place])
    return kept


def _crowd(
    rng: np.random.Generator,
    kind: str,
    spots: Spots,
    *,
    walk: float,
    objects: tuple[bpy.types.Object, ...] = (),
) -> Thing:
    """People at their spots, ``walk`` being the share of those in step."""
    places, headings = spots
    figures = [_figure(rng, walk) for _ in range(int(np.clip(len(places) // 3, 4, 10)))]
    parts = []
    for (x, y), heading in zip(places.tolist(), headings.tolist(), strict=True):
        original, pose, figure = figures[rng.integers(len(figures))]
        scale = float(rng.uniform(0.94, 1.05)) * (0.7 if rng.random() < 0.03 else 1.0)
        copy = link_copy(original, "person")
        copy.location, copy.rotation_euler = (x, y, 0.0), (0.0, 0.0, heading)
        copy.scale = (scale, scale, scale)
        head = o.turned(np.array([figure.head(pose)]) * scale, heading)[0] + (x, y, 0)
        tall, wide = figure.height * scale + 0.03, 0.30 * scale
        deep = (0.42 if pose.hips[0] ** 2 > 0.02 else 0.22) * scale
        corners = np.array(
            [(i, j, k) for i in (-wide, wide) for j in (-deep, deep) for k in (0.0, tall)]
        )
        outline = o.turned(corners, heading) + np.array([x, y, 0.0])
        parts.append(
            Thing((copy,), outline, "person", kind, (0.6, 0.5), head=tuple(float(v) for v in head))
        )
    for original, *_ in figures:
        bpy.data.objects.remove(original)
    points = np.concatenate([part.outline for part in parts])
    across, along = np.ptp(points[:, :2], axis=0)
    return Thing(
        objects, o.extremes(points), "none", kind, (float(across), float(along)), parts=tuple(parts)
    )


def _figure(rng: np.random.Generator, walk: float) -> tuple[bpy.types.Object, Pose, Figure]:
    figure = Figure(rng, "figure")
    pose = walking(float(rng.uniform(0, 6.28))) if rng.random() < walk else figure.idle
    if pose is not figure.idle:
        figure.pose(pose)
    worn: dict[bpy.types.Material, Callable[[], bpy.types.Material]] = {
        figure.clothes[1]: lambda: _cloth("bottoms", _BOTTOMS, 7.31),
        figure.clothes[0]: lambda: _cloth("tops", _TOPS, 1.0),
        figure.hair: lambda: _cloth("hair", _HAIR, 23.7),
    }
    slots = figure.thing.data.materials
    for index, look in enumerate(slots):
        if look in worn:
            slots[index] = worn[look]()
    return figure.thing, pose, figure


def _cloth(name: str, colours: tuple[m.Colour, ...], stride: float) -> bpy.types.Material:
    """A cloth whose colour depends on which copy wears it."""
    if known := bpy.data.materials.get(name):
        return known
    material = bpy.data.materials.new(name)
    tree = material.node_tree
    surface = next(n for n in tree.nodes if n.type == "BSDF_PRINCIPLED")
    surface.inputs["Roughness"].default_value = 0.85
    copy = tree.nodes.new("ShaderNodeObjectInfo").outputs["Random"]
    spread = tree.nodes.new("ShaderNodeMath")
    spread.operation, spread.inputs[1].default_value = "MULTIPLY", stride
    part = tree.nodes.new("ShaderNodeMath")
    part.operation = "FRACT"
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.interpolation = "CONSTANT"
    stops = ramp.color_ramp.elements
    for index, colour in enumerate(colours):
        stop = stops[index] if index < len(stops) else stops.new(index / len(colours))
        stop.position, stop.color = index / len(colours), (*colour, 1)
    tree.links.new(copy, spread.inputs[0])
    tree.links.new(spread.outputs[0], part.inputs[0])
    tree.links.new(part.outputs[0], ramp.inputs[0])
    tree.links.new(ramp.outputs[0], surface.inputs["Base Color"])
    return material


MAKERS = (
    Maker("gathering", "none", gathering, (2.0, 14.0), 2.0),
    Maker("onlookers", "none", onlookers, (4.0, 12.0), 1.5),
    Maker("queue", "none", queue, (4.0, 14.0), 0.8, turns=False),
    Maker("march", "none", march, (5.0, 16.0), 1.0, turns=False),
    Maker("stream", "none", stream, (5.0, 14.0), 1.0, turns=False),
    Maker("throng", "none", throng, (10.0, 28.0), 1.0, turns=False),
)
