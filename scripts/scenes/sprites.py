"""Hazards and decoys cut out as a pole camera sees them, to be pasted into real street pictures.

Each thing is rendered on a plain road twice, with it and without it, and what differs is cut out;
the thing itself is opaque.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import bpy
import cv2
import numpy as np
from mathutils import Vector
from mathutils.geometry import tessellate_polygon

from . import barriers, debris, decoys, fallen, holes, wrecks
from . import materials as m
from .clip import clear
from .cutting import View, matte
from .folder import FolderError
from .mesh import Shape
from .things import Ground, Maker, Thing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SAMPLES, PLAIN_SAMPLES, MASK_SAMPLES = 8, 8, 3
WIDTH_PX, HIGHEST_PX = (100, 200), 220
PITCH_DEG = (8.0, 45.0)
ROAD_M = 240.0
# Where the road itself has sunk it is left to show through: only its change of light is kept.
SUNKEN = ("sunken_slab", "settled_road")
FAINT = 24  # mean alpha of 255: a hole that shows less is no more than a crack
# Share of the sprites of each class; "none" are decoys.
SHARES = {
    "cavity": 0.45,
    "debris": 0.15,
    "fallen_tree": 0.10,
    "barrier": 0.08,
    "crash": 0.10,
    "none": 0.12,
}


MAKERS = tuple(
    maker for module in (holes, debris, fallen, barriers, wrecks, decoys) for maker in module.MAKERS
)


def aim(rng: np.random.Generator, thing: Thing) -> View:
    """A view of the thing as large as it is, with room around it for its shadow."""
    pitch = float(np.degrees(np.arctan(rng.uniform(*np.tan(np.radians(PITCH_DEG))))))
    height = float(rng.uniform(4.0, 8.0))
    wide = max(thing.size_m)
    distance = max(height / math.sin(math.radians(pitch)), 2.2 * wide)
    turn = float(rng.uniform(0, 2 * math.pi))
    start = View(pitch, distance, turn, 1, 1, (0, 0, 1, 1))
    flat = start.tangents(np.concatenate([thing.outline, *(p.outline for p in thing.parts)]))
    low, high = flat.min(axis=0), flat.max(axis=0)
    room = (high - low) * 0.3 + 0.15 / distance
    low, high = low - room, high + room
    width = int(rng.integers(*WIDTH_PX) * 1.6)
    scale = min(width / (high - low)[0], HIGHEST_PX / (high - low)[1])
    wide_px, high_px = (int(np.ceil(v * scale)) for v in high - low)
    return View(pitch, distance, turn, wide_px, high_px, (*low, *high))


def stage(
    rng: np.random.Generator, make: Callable[[Ground], Thing], view_of: Callable[[Thing], View]
) -> tuple[Thing, View, dict[str, Any]]:
    """A thing on a road that goes on around it, lit, with the camera in place."""
    clear()
    wet = bool(rng.random() < 0.2)
    tone = float(rng.uniform(0.06, 0.14))
    # An even grey, so that the road's own grain is no part of the difference.
    road = m.plain((tone, tone, tone * 1.02), 0.45 if wet else 0.9)
    ground = Ground(road, tone, wet)
    thing = make(ground)
    view = view_of(thing)
    light = _light(rng)
    _road(ground, thing.cut)
    _camera(view)
    _settle(view)
    return thing, view, {"light": light, "wet": wet, "tone": round(tone, 3)}


def _road(ground: Ground, cut: np.ndarray | None) -> None:
    half = ROAD_M / 2
    outer = [
        Vector((x, y, 0)) for x, y in ((-half, -half), (half, -half), (half, half), (-half, half))
    ]
    lines = [outer] if cut is None else [outer, [Vector((x, y, 0)) for x, y in cut.tolist()]]
    shape = Shape()
    corners = [tuple(p) for line in lines for p in line]
    shape.add(corners, [tuple(face) for face in tessellate_polygon(lines)], ground.road)
    shape.build("road")
    if cut is not None:  # seen when the thing is taken away
        whole = Shape()
        whole.rectangle((-half, -half, half, half), 0.0, ground.road)
        whole.build("whole road").hide_render = True


def _light(rng: np.random.Generator) -> str:
    name = str(
        rng.choice(["sun", "low sun", "hazy", "overcast", "dusk"], p=[0.35, 0.15, 0.15, 0.25, 0.1])
    )
    sun, up, soft, sky, clouds = {
        "sun": (5.0, (35, 70), 1.0, 0.8, 0.5),
        "low sun": (5.0, (16, 32), 1.0, 0.7, 0.5),
        "hazy": (2.0, (30, 65), 12.0, 1.3, 0.9),
        "overcast": (0.0, (50, 60), 5.0, 2.0, 1.2),
        "dusk": (0.0, (50, 60), 5.0, 0.7, 0.8),
    }[name]
    m.sky(sky, clouds)
    if sun:
        lamp = bpy.data.lights.new("sun", "SUN")
        lamp.energy, lamp.angle, lamp.color = sun, math.radians(soft), (1.0, 0.95, 0.88)
        thing = bpy.data.objects.new("sun", lamp)
        tip = math.radians(90 - rng.uniform(*up))
        thing.rotation_euler = (tip, 0, float(rng.uniform(0, 2 * math.pi)))
        bpy.context.scene.collection.objects.link(thing)
    bpy.context.scene.view_settings.exposure = float(rng.uniform(0.3, 0.9)) + (name == "dusk") * 0.6
    return name


def _camera(view: View) -> None:
    data = bpy.data.cameras.new("camera")
    camera = bpy.data.objects.new("camera", data)
    camera.location = view.place
    forward = view.axes[2]
    camera.rotation_euler = Vector(forward).to_track_quat("-Z", "Y").to_euler()
    x1, y1, x2, y2 = view.span
    side = max(x2 - x1, y2 - y1)
    data.sensor_fit = "HORIZONTAL" if x2 - x1 >= y2 - y1 else "VERTICAL"
    data.angle = 2 * math.atan(side / 2)
    data.shift_x, data.shift_y = (x1 + x2) / 2 / side, (y1 + y2) / 2 / side
    data.clip_end = 500
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera


def _settle(view: View) -> None:
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    cycles, render = scene.cycles, scene.render
    cycles.device, cycles.use_adaptive_sampling = "CPU", False
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.denoising_prefilter, cycles.denoising_quality = "FAST", "FAST"
    cycles.diffuse_bounces, cycles.glossy_bounces = 2, 2
    cycles.transmission_bounces, cycles.transparent_max_bounces = 0, 6
    cycles.caustics_reflective = cycles.caustics_refractive = False
    render.resolution_x, render.resolution_y = view.width_px, view.height_px
    render.resolution_percentage = 100
    render.threads_mode, render.threads = "FIXED", 2
    render.image_settings.file_format = "PNG"
    render.image_settings.color_mode = "RGBA"
    render.image_settings.compression = 5
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"


def shoot(path: Path, samples: int, *, transparent: bool = False) -> np.ndarray:
    """Render the scene as it stands, uint8 (h, w, 4) BGRA."""
    scene = bpy.context.scene
    scene.cycles.samples = samples
    scene.cycles.use_denoising = not transparent
    scene.cycles.max_bounces = 0 if transparent else 3
    scene.render.film_transparent = transparent
    # Not write_still, which reports every picture on standard output.
    bpy.ops.render.render()
    bpy.data.images["Render Result"].save_render(str(path), scene=scene)
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise OSError(f"{path}: not a picture")
    return picture


@dataclass(frozen=True)
class Sprite:
    """``picture`` uint8 (h, w, 4) BGRA, alpha not multiplied in; ``card`` is its index line."""

    picture: np.ndarray
    card: dict[str, Any]


def sprite(rng: np.random.Generator, maker: Maker, scratch: Path) -> Sprite | None:
    """One thing of this kind, cut out of its road; None if it can't be told from the road."""
    size = float(np.exp(rng.uniform(*np.log(maker.sizes))))
    thing, view, card = stage(
        rng, lambda ground: maker.make(rng, size, ground), lambda made: aim(rng, made)
    )
    with_it = shoot(scratch, SAMPLES)[..., :3]
    own = _opaque(thing, view, scratch)
    _without(thing)
    bpy.context.scene.render.resolution_percentage = 25  # of an even road
    without = cv2.resize(shoot(scratch, PLAIN_SAMPLES)[..., :3], with_it.shape[1::-1])
    picture = matte(with_it, without, own)
    rows, columns = (np.flatnonzero((picture[..., 3] > 5).any(axis=k)) for k in (1, 0))
    if not len(rows):
        return None
    top, left = int(rows[0]), int(columns[0])
    cropped = picture[top : rows[-1] + 1, left : columns[-1] + 1]

    def box(whose: Thing) -> list[float]:
        points = np.concatenate([whose.outline, *(part.outline for part in whose.parts)])
        flat = np.clip(view.pixels(points) - (left, top), 0, cropped.shape[1::-1])
        return [round(float(v), 1) for v in (*flat.min(axis=0), *flat.max(axis=0))]

    x1, y1, x2, y2 = box(thing)
    if thing.cut is not None and cropped[int(y1) : int(y2), int(x1) : int(x2), 3].mean() < FAINT:
        return None
    px_per_m = view.width_px / (view.span[2] - view.span[0]) / view.distance_m
    return Sprite(
        cropped,
        {
            "class": thing.class_name,
            "kind": thing.kind,
            "box": [x1, y1, x2, y2],
            "parts": [{"class": part.class_name, "box": box(part)} for part in thing.parts],
            "width_m": round((x2 - x1) / px_per_m, 3),
            "px_per_m": round(px_per_m, 2),
            "height_px_per_m": round(px_per_m * math.sin(math.radians(view.pitch_deg)), 2),
            "pitch_deg": round(view.pitch_deg, 1),
            "road_bgr": [round(float(v), 1) for v in without.reshape(-1, 3).mean(axis=0)],
            **card,
        },
    )


def _opaque(thing: Thing, view: View, scratch: Path) -> np.ndarray:
    """Where the thing itself is, float32 (h, w): inside a hole's rim, else its silhouette."""
    if thing.kind in SUNKEN:
        return np.zeros((view.height_px, view.width_px), np.float32)
    if thing.cut is not None:
        inside = np.zeros((view.height_px * 4, view.width_px * 4), np.uint8)
        corners = np.rint(view.pixels(thing.outline) * 4).astype(np.int32)
        cv2.fillPoly(inside, [corners], 255)
        small = cv2.resize(inside, (view.width_px, view.height_px), interpolation=cv2.INTER_AREA)
        return small.astype(np.float32) / 255
    bpy.data.objects["road"].hide_render = True
    silhouette = shoot(scratch, MASK_SAMPLES, transparent=True)[..., 3]
    bpy.data.objects["road"].hide_render = False
    return silhouette.astype(np.float32) / 255


def _without(thing: Thing) -> None:
    """Take the thing away and close the road."""
    for made in (thing, *thing.parts):
        for root in made.objects:
            for one in (root, *root.children_recursive):
                one.hide_render = True
    if thing.cut is not None:
        bpy.data.objects["road"].hide_render = True
        bpy.data.objects["whole road"].hide_render = False


def draw(rng: np.random.Generator) -> Maker:
    """A class by its share, then a maker by its weight."""
    name = list(SHARES)[rng.choice(len(SHARES), p=list(SHARES.values()))]
    kinds = [maker for maker in MAKERS if maker.class_name == name]
    weights = np.array([maker.weight for maker in kinds])
    return kinds[rng.choice(len(kinds), p=weights / weights.sum())]


def make_all(out: Path, count: int, seed: int, advance: Callable[[], None]) -> None:
    """Write sprites that aren't there yet, and a line each in ``index.jsonl``.

    Raises FolderError where the index is not one, OSError where nothing can be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    index = out / "index.jsonl"
    known = _named(index)
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        maker = draw(rng)
        name = f"{maker.class_name}_{seed}_{number:04d}"
        if name not in known and (made := sprite(rng, maker, out / ".render.png")):
            if not cv2.imwrite(str(out / f"{name}.png"), made.picture):
                raise OSError(f"{out / name}.png can't be written")
            with index.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"name": name, "seed": seed, **made.card}) + "\n")
        advance()
    (out / ".render.png").unlink(missing_ok=True)


def _named(index: Path) -> set[str]:
    """The names that an index holds already."""
    if not index.exists():
        return set()
    names = set()
    for number, line in enumerate(index.read_text(encoding="utf-8").splitlines(), 1):
        try:
            names.add(json.loads(line)["name"])
        except (ValueError, KeyError, TypeError) as error:
            found = f"{index}, line {number}: found {line[:60]!r}"
            raise FolderError(f"{found}; allowed: one sprite as JSON with its name") from error
    return names
