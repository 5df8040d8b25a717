"""Sun, street lamps and headlights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy
import numpy as np
from mathutils import Vector

from .street import KERB, LAMP_EVERY, LAMP_FIRST, LAMP_HEIGHT, LAMP_REACH

if TYPE_CHECKING:
    from .mesh import Vector as Point
    from .vehicles import Vehicle

WARM, WHITE = (1.0, 0.82, 0.60), (1.0, 0.95, 0.85)


@dataclass(frozen=True)
class Light:
    """Sun, sky and lamps; ``azimuth_deg`` is where the shadows fall, from the street's axis.

    ``lamps_w`` is the radiant power of each street lamp; where they are lit, vehicles drive with
    their headlights on.
    """

    sun: float = 3.4
    height_deg: float = 52.0
    azimuth_deg: float = 10.0
    softness_deg: float = 2.5
    sky: float = 1.25
    clouds: float = 0.4
    exposure: float = 0.35
    lamps_w: float = 0.0

    @property
    def direction(self) -> np.ndarray:
        """The way the sunlight travels, float64 (3,)."""
        up, side = math.radians(self.height_deg), math.radians(self.azimuth_deg)
        return np.array(
            [math.sin(side) * math.cos(up), math.cos(side) * math.cos(up), -math.sin(up)]
        )


def sun(light: Light) -> None:
    lamp = bpy.data.lights.new("sun", "SUN")
    lamp.energy, lamp.angle = light.sun, math.radians(light.softness_deg)
    lamp.color = (1.0, 0.95, 0.88)
    thing = bpy.data.objects.new("sun", lamp)
    thing.rotation_euler = Vector(light.direction).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(thing)


def street_lamps(watts: float) -> None:
    """Light under the arm of every lamp post, and of the pair of posts behind the camera."""
    for side in (-1, 1):
        x = side * (KERB + 0.5 - LAMP_REACH)
        for y in np.arange(LAMP_FIRST - LAMP_EVERY, 100.0, LAMP_EVERY):
            _spot((x, float(y), LAMP_HEIGHT - 0.1), watts, 150.0, 0.15, WARM)


def headlights(vehicle: Vehicle) -> None:
    """Two dipped beams at the vehicle's front."""
    for side in (-1, 1):
        beam = _spot((side * 0.65, vehicle.front + 0.05, 0.7), 120.0, 70.0, 0.05, WHITE)
        beam.rotation_euler = (math.radians(86), 0, 0)
        beam.parent = vehicle.thing


def _spot(
    place: Point, watts: float, width_deg: float, radius: float, colour: Point
) -> bpy.types.Object:
    lamp = bpy.data.lights.new("spot", "SPOT")
    lamp.energy, lamp.color = watts, colour
    lamp.spot_size, lamp.spot_blend = math.radians(width_deg), 0.7
    lamp.shadow_soft_size = radius
    thing = bpy.data.objects.new("spot", lamp)
    thing.location = place
    bpy.context.scene.collection.objects.link(thing)
    return thing
