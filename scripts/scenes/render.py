"""Renders a clip: still backdrops at good quality, then only what moves, laid over them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy
import cv2
import numpy as np

from .actors import State
from .camera import HEIGHT, WIDTH, Camera
from .lights import street_lamps, sun
from .materials import sky

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from .actors import Actor
    from .clip import Clip
    from .lights import Light

BACKDROP_SAMPLES, FRAME_SAMPLES = 40, 9
REST_FRAMES = 8  # who holds still for so long becomes part of the backdrop
FEATHER_PX, MARGIN_PX = 5, 9
LAMP_SHADOW_M, BEAM_M = 2.2, 9.0  # how far shadows of lamps and headlights reach at night
CALL_COST_PX = 5000  # what starting one more render costs, in pixels rendered

Rect = tuple[int, int, int, int]
Rest = frozenset[tuple[int, State]]  # actors by their place in the cast
Patches = dict[tuple[Rect, Rest], np.ndarray]


@dataclass(frozen=True)
class Frame:
    """Who is where in one frame, and which of them rest."""

    states: tuple[State | None, ...]
    rest: Rest


def plan(clip: Clip) -> list[Frame]:
    """Every frame's states; an actor that keeps one state for long is at rest meanwhile."""
    table = [[actor.motion(t) for t in clip.times] for actor in clip.cast]
    resting: list[set[tuple[int, State]]] = [set() for _ in clip.times]
    for index, row in enumerate(table):
        begin = 0
        for i in range(1, len(row) + 1):
            if i < len(row) and row[i] == row[begin]:
                continue
            state = row[begin]
            if state is not None and i - begin >= REST_FRAMES:
                for k in range(begin, i):
                    resting[k].add((index, state))
            begin = i
    return [
        Frame(tuple(row[i] for row in table), frozenset(resting[i])) for i in range(len(clip.times))
    ]


def prepare(clip: Clip) -> None:
    """Build street, light and camera, and settle the render settings."""
    clip.street.build()
    sky(clip.light.sky, clip.light.clouds)
    sun(clip.light)
    if clip.light.lamps_w:
        street_lamps(clip.light.lamps_w)
    _camera(clip.camera)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    cycles = scene.cycles
    cycles.device, cycles.seed = "CPU", clip.street.seed
    cycles.use_adaptive_sampling = False
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 3, 2, 2
    cycles.transmission_bounces, cycles.transparent_max_bounces = 0, 2
    cycles.caustics_reflective = cycles.caustics_refractive = False
    render = scene.render
    render.threads_mode, render.threads = "FIXED", 2
    render.use_persistent_data = True
    render.resolution_x, render.resolution_y = WIDTH, HEIGHT
    render.resolution_percentage = 100
    render.image_settings.file_format = "PNG"
    render.use_border = render.use_crop_to_border = True
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"
    scene.view_settings.exposure = clip.light.exposure


def render(clip: Clip, work: Path, advance: Callable[[], None]) -> list[Path]:
    """Render what ``work`` doesn't hold yet; returns the frames, clean PNG, 8-bit BGR."""
    work.mkdir(parents=True, exist_ok=True)
    frames, paths = plan(clip), []
    shown: tuple[Rest, np.ndarray] | None = None
    backdrops, patches = 0, Patches()
    for index, frame in enumerate(frames):
        path = work / f"frame_{index:04d}.png"
        paths.append(path)
        if shown is None or shown[0] != frame.rest:
            shown = (frame.rest, _backdrop(clip, frame.rest, shown, work / f"back_{backdrops}.png"))
            backdrops, patches = backdrops + 1, Patches()
        if not path.exists():
            picture, patches = _over(clip, frame, shown[1], patches, work)
            _save(path, picture)
        advance()
    return paths


def _backdrop(
    clip: Clip, rest: Rest, before: tuple[Rest, np.ndarray] | None, path: Path
) -> np.ndarray:
    if path.exists():
        return _load(path)
    still = dict(rest)
    for index, actor in enumerate(clip.cast):
        actor.apply(still.get(index))
    bpy.context.scene.cycles.samples = BACKDROP_SAMPLES
    if before is None:
        picture = _shoot((0, 0, WIDTH, HEIGHT), path.parent)
    else:
        picture = before[1]
        for rect in _merged(list(_rects(clip, rest ^ before[0]).values())):
            picture = _lay(picture, _shoot(rect, path.parent), rect)
    _save(path, picture)
    return picture


def _over(
    clip: Clip, frame: Frame, backdrop: np.ndarray, known: Patches, work: Path
) -> tuple[np.ndarray, Patches]:
    """The backdrop with everything that moves in this frame, and the patches that make it so.

    A patch in which nobody has moved since the last frame is ``known`` and used again.
    """
    moving = _rects(clip, [pair for pair in enumerate(frame.states) if pair not in frame.rest])
    bpy.context.scene.cycles.samples = FRAME_SAMPLES
    picture, patches, posed = backdrop, Patches(), False
    for rect in _merged(list(moving.values())):
        key = (rect, frozenset(who for who, own in moving.items() if _overlap(own, rect)))
        if key not in known and not posed:
            posed = True
            for actor, state in zip(clip.cast, frame.states, strict=True):
                actor.apply(state)
        patches[key] = known[key] if key in known else _shoot(rect, work)
        picture = _lay(picture, patches[key], rect)
    return picture, patches


def _rects(clip: Clip, things: Iterable[tuple[int, State | None]]) -> dict[tuple[int, State], Rect]:
    """The picture rectangle around each thing in view, its shadow and its lights."""
    rects = {}
    for index, state in things:
        if state is None:
            continue
        points = _touched(clip.light, clip.cast[index], state)
        flat = clip.camera.project(points) * (WIDTH, HEIGHT)
        low, high = flat.min(axis=0) - MARGIN_PX, flat.max(axis=0) + MARGIN_PX
        x1, y1 = (int(v) for v in np.maximum(low, 0))
        x2, y2 = (int(v) for v in np.minimum(high, (WIDTH, HEIGHT)))
        if x2 - x1 > MARGIN_PX and y2 - y1 > MARGIN_PX:
            rects[index, state] = (x1, y1, x2, y2)
    return rects


def _touched(light: Light, actor: Actor, state: State) -> np.ndarray:
    """Corners of what an actor changes in the scene, (N, 3)."""
    corners = actor.outline(state)
    if not light.lamps_w:
        fall = np.maximum(corners[:, 2:], 0) / -light.direction[2]
        return np.concatenate([corners, corners + fall * light.direction])
    ground = corners * (1, 1, 0)
    reach = (-LAMP_SHADOW_M, LAMP_SHADOW_M)
    around = [ground + np.array((x, y, 0)) for x in reach for y in reach]
    ahead = BEAM_M * np.array([-math.sin(state.heading), math.cos(state.heading), 0])
    return np.concatenate([corners, *around, ground + ahead * actor.solid])


def _overlap(one: Rect, other: Rect) -> bool:
    return max(one[0], other[0]) < min(one[2], other[2]) and max(one[1], other[1]) < min(
        one[3], other[3]
    )


def _merged(rects: list[Rect]) -> list[Rect]:
    """Rectangles that cover the given ones, joined where that is cheaper."""
    rects = sorted(rects)
    for i, one in enumerate(rects):
        for other in rects[i + 1 :]:
            both = (
                min(one[0], other[0]),
                min(one[1], other[1]),
                max(one[2], other[2]),
                max(one[3], other[3]),
            )
            if _area(both) < _area(one) + _area(other) + CALL_COST_PX:
                return _merged([r for r in rects if r not in (one, other)] + [both])
    return rects


def _area(rect: Rect) -> int:
    return (rect[2] - rect[0]) * (rect[3] - rect[1])


def _shoot(rect: Rect, work: Path) -> np.ndarray:
    """Render one region; uint8 (h, w, 3) BGR."""
    x1, y1, x2, y2 = rect
    scene, path = bpy.context.scene, work / "region.png"
    settings = scene.render
    # A hundredth of a pixel keeps Blender's rounding from moving an edge.
    settings.border_min_x, settings.border_max_x = (x1 + 0.01) / WIDTH, (x2 + 0.01) / WIDTH
    settings.border_min_y = (HEIGHT - y2 + 0.01) / HEIGHT
    settings.border_max_y = (HEIGHT - y1 + 0.01) / HEIGHT
    bpy.context.view_layer.update()
    bpy.ops.render.render()
    # Not write_still, which reports every region on standard output.
    bpy.data.images["Render Result"].save_render(str(path))
    picture = _load(path)
    path.unlink()
    if picture.shape != (y2 - y1, x2 - x1, 3):
        raise RuntimeError(f"asked for region {rect}, Blender gave {picture.shape}")
    return picture


def _lay(picture: np.ndarray, patch: np.ndarray, rect: Rect) -> np.ndarray:
    """Put a patch onto a picture, its edges blended in except at the picture's border."""
    x1, y1, x2, y2 = rect
    mask = np.ones(patch.shape[:2], np.float32)
    ramp = np.linspace(0, 1, FEATHER_PX + 2, dtype=np.float32)[1:-1]
    if x1 > 0:
        mask[:, :FEATHER_PX] *= ramp
    if x2 < WIDTH:
        mask[:, -FEATHER_PX:] *= ramp[::-1]
    if y1 > 0:
        mask[:FEATHER_PX] *= ramp[:, None]
    if y2 < HEIGHT:
        mask[-FEATHER_PX:] *= ramp[::-1, None]
    result = picture.copy()
    under = result[y1:y2, x1:x2].astype(np.float32)
    blended = under + (patch.astype(np.float32) - under) * mask[..., None]
    result[y1:y2, x1:x2] = np.rint(blended).astype(np.uint8)
    return result


def _camera(camera: Camera) -> None:
    lens = bpy.data.cameras.new("camera")
    lens.sensor_fit, lens.angle = "HORIZONTAL", math.radians(camera.hfov_deg)
    thing = bpy.data.objects.new("camera", lens)
    thing.location = (camera.x, 0, camera.height_m)
    thing.rotation_euler = (math.radians(90 - camera.pitch_deg), 0, math.radians(camera.yaw_deg))
    bpy.context.scene.collection.objects.link(thing)
    bpy.context.scene.camera = thing


def _save(path: Path, picture: np.ndarray) -> None:
    """Write whole or not at all, so that a stopped run can go on."""
    part = path.with_suffix(".part.png")
    if not cv2.imwrite(str(part), picture):
        raise OSError(f"{part}: could not be written")
    part.replace(path)


def _load(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path))
    if picture is None:
        raise OSError(f"{path}: not a picture")
    return picture
