"""Renders the lights of a scene one by one in a single go, with depth, normals and indices."""

from __future__ import annotations

import math
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import bpy
import numpy as np
from mathutils import Vector

from . import exr
from .camera import HEIGHT, WIDTH
from .folder import FolderError
from .looks import Layers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .camera import Camera

SAMPLES = 2  # enough for the denoiser; rays are nearly all of a picture's cost
_GROUPS = ("sun", "sky", "lamps", "beams")
_LAMP_W, _BEAM_W = 260.0, 200.0
_FAR_M = 1e4


@dataclass
class Studio:
    """The lights and the camera of one street; ``dark`` pictures have lamps in place of the sun."""

    device: Literal["cpu", "gpu"]
    threads: int
    lens: bpy.types.Object = field(init=False)
    sun: bpy.types.Object = field(init=False)
    lamps: list[bpy.types.Object] = field(init=False, default_factory=list)
    beams: list[bpy.types.Object] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        scene = bpy.context.scene
        self.lens = _object("camera", bpy.data.cameras.new("camera"))
        scene.camera = self.lens
        self.sun = _object("sun", bpy.data.lights.new("sun", "SUN"), "sun")
        self.sun.data.energy = math.pi
        for name in _GROUPS:
            bpy.context.view_layer.lightgroups.add(name=name)
        scene.world = bpy.data.worlds.new("sky")
        scene.world.lightgroup = "sky"
        background = next(n for n in scene.world.node_tree.nodes if n.type == "BACKGROUND")
        background.inputs["Color"].default_value = (1, 1, 1, 1)
        # Lamps alone are sampled; the even sky is met by the bounce.
        scene.world.cycles.sampling_method = "NONE"
        self._settings()

    def _settings(self) -> None:
        scene, layer = bpy.context.scene, bpy.context.view_layer
        scene.render.engine = "CYCLES"
        cycles, render = scene.cycles, scene.render
        cycles.device = "GPU" if self.device == "gpu" and _gpu() else "CPU"
        cycles.samples, cycles.use_adaptive_sampling = SAMPLES, False
        cycles.use_denoising = False
        cycles.max_bounces = cycles.diffuse_bounces = cycles.glossy_bounces = 1
        cycles.transmission_bounces, cycles.transparent_max_bounces = 0, 2
        cycles.caustics_reflective = cycles.caustics_refractive = False
        render.film_transparent = True
        render.threads_mode, render.threads = "FIXED", self.threads
        render.use_persistent_data = True
        render.resolution_x, render.resolution_y = WIDTH, HEIGHT
        render.resolution_percentage = 100
        layer.use_pass_object_index = layer.use_pass_z = True
        layer.cycles.denoising_store_passes = True
        file = render.image_settings
        file.media_type, file.file_format = "MULTI_LAYER_IMAGE", "OPEN_EXR_MULTILAYER"
        file.exr_codec, file.color_depth, file.use_exr_interleave = "NONE", "16", True

    def add_lamps(self, places: Sequence[tuple[float, float, float]], near: int = 12) -> None:
        """Light the nearest lamp heads."""
        for place in sorted(places, key=lambda p: abs(p[1]))[:near]:
            lamp = _spot("lamps", _LAMP_W, 150.0, 0.15)
            lamp.location = place
            self.lamps.append(lamp)

    def set_beams(self, fronts: Sequence[tuple[float, float, float, float]]) -> None:
        """Headlights at (x, y, z, heading) of driving vehicles."""
        while len(self.beams) < len(fronts):
            self.beams.append(_spot("beams", _BEAM_W, 75.0, 0.25))
        for beam in self.beams[len(fronts) :]:
            bpy.data.objects.remove(beam)
        del self.beams[len(fronts) :]
        for beam, (x, y, z, heading) in zip(self.beams, fronts, strict=True):
            beam.location = (x, y, z)
            beam.rotation_euler = (math.radians(85), 0, heading)

    def shoot(self, camera: Camera, *, dark: bool, sun: tuple[float, float, float]) -> Layers:
        """One rendering. ``sun``: height and azimuth in degrees, softness in degrees."""
        self.lens.data.sensor_fit = "HORIZONTAL"
        self.lens.data.angle = math.radians(camera.hfov_deg)
        self.lens.location = (camera.x, 0, camera.height_m)
        tilt = math.radians(90 - camera.pitch_deg)
        self.lens.rotation_euler = (tilt, 0, math.radians(camera.yaw_deg))
        height, azimuth = math.radians(sun[0]), math.radians(sun[1])
        towards = (
            math.sin(azimuth) * math.cos(height),
            math.cos(azimuth) * math.cos(height),
            -math.sin(height),
        )
        self.sun.rotation_euler = Vector(towards).to_track_quat("-Z", "Y").to_euler()
        self.sun.data.angle = math.radians(sun[2])
        self.sun.hide_render = dark
        for lamp in (*self.lamps, *self.beams):
            lamp.hide_render = not dark
        return _rendered()


def _rendered() -> Layers:
    memory = Path("/dev/shm")  # noqa: S108  memory is quicker than a disk, where there is one
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        path = Path(folder) / "shot.exr"
        bpy.context.scene.render.filepath = str(path)
        try:
            with _quiet():
                bpy.ops.render.render(write_still=True)
            raw = exr.read(path)
        except (RuntimeError, OSError, ValueError) as error:
            raise FolderError(f"{folder}: Blender could not leave its picture: {error}") from error
    groups = {name: raw.get(f"Combined_{name}") for name in _GROUPS}
    whole = raw["Combined"]  # alphabetical: alpha, blue, green, red
    none = np.zeros((*whole.shape[:2], 3), np.float32)
    lights = {name: none if layer is None else layer for name, layer in groups.items()}
    glow = np.maximum(whole[..., 1:] - sum(lights.values()), 0)
    return Layers(
        **lights,
        glow=np.where(glow > 0.02, glow, 0).astype(np.float32),
        albedo=raw["Denoising Albedo"],
        normal=raw["Denoising Normal"],
        depth=np.minimum(raw["Depth"], _FAR_M),
        alpha=np.clip(whole[..., 0], 0, 1),
        ids=np.rint(raw["Object Index"]).astype(np.int32),
    )


class _quiet:  # noqa: N801  used like a function
    """Keeps Blender from reporting every file on standard output."""

    def __enter__(self) -> None:
        self._kept, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.close(nothing)

    def __exit__(self, *_: object) -> None:
        os.dup2(self._kept, 1)
        os.close(self._kept)


def _gpu() -> bool:
    """Turn on the first sort of GPU that Cycles finds; False where there is none."""
    preferences = bpy.context.preferences.addons["cycles"].preferences
    for kind in ("OPTIX", "CUDA", "HIP", "METAL", "ONEAPI"):
        try:
            preferences.compute_device_type = kind
        except TypeError:
            continue
        preferences.get_devices()
        chosen = [device for device in preferences.devices if device.type == kind]
        for device in preferences.devices:
            device.use = device.type == kind
        if chosen:
            return True
    return False


def _object(name: str, data: bpy.types.ID, group: str = "") -> bpy.types.Object:
    thing = bpy.data.objects.new(name, data)
    thing.lightgroup = group
    bpy.context.scene.collection.objects.link(thing)
    return thing


def _spot(group: str, watts: float, width_deg: float, radius: float) -> bpy.types.Object:
    lamp = bpy.data.lights.new(group, "SPOT")
    lamp.energy, lamp.spot_size, lamp.spot_blend = watts, math.radians(width_deg), 0.7
    lamp.shadow_soft_size = radius
    return _object(group, lamp, group)
