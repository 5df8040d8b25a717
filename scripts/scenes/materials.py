"""Procedural surfaces: paint, glass, asphalt, soil, leaves, cloth. No picture files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import bpy
import numpy as np

Colour = tuple[float, float, float]


@cache
def plain(
    colour: Colour,
    roughness: float = 0.7,
    metallic: float = 0.0,
    coat: float = 0.0,
    glow: float = 0.0,
) -> bpy.types.Material:
    """One colour (linear RGB), with or without a clear coat or a glow of its own."""
    material = bpy.data.materials.new("plain")
    node = _surface(material)
    node.inputs["Base Color"].default_value = (*colour, 1)
    node.inputs["Roughness"].default_value = roughness
    node.inputs["Metallic"].default_value = metallic
    node.inputs["Coat Weight"].default_value = coat
    if glow:
        node.inputs["Emission Color"].default_value = (*colour, 1)
        node.inputs["Emission Strength"].default_value = glow
        material.cycles.emission_sampling = "NONE"  # seen, but too faint to light anything
    return material


def paint(colour: Colour) -> bpy.types.Material:
    return plain(colour, 0.35, 0.15, 1.0)


def glass() -> bpy.types.Material:
    """Tinted vehicle or window glass: nearly black, mirrors the sky."""
    return plain((0.012, 0.015, 0.018), 0.04, 0.0, 0.6)


def window() -> bpy.types.Material:
    """House window: dull enough not to mirror passers-by, which a detector would count."""
    return plain((0.02, 0.024, 0.028), 0.35)


def lit_window() -> bpy.types.Material:
    """A window with a lamp behind it, hardly seen by day."""
    return plain((0.75, 0.55, 0.30), 0.4, glow=0.12)


def rubber() -> bpy.types.Material:
    return plain((0.015, 0.015, 0.016), 0.85)


def chrome() -> bpy.types.Material:
    return plain((0.55, 0.56, 0.58), 0.25, 0.9)


def dark_plastic() -> bpy.types.Material:
    return plain((0.02, 0.02, 0.022), 0.6)


@cache
def speckled(
    first: Colour, second: Colour, scale: float, roughness: float = 0.9, fine: float = 0.25
) -> bpy.types.Material:
    """Two colours mixed by large soft spots and by fine grain, in world metres."""
    material = bpy.data.materials.new("speckled")
    node = _surface(material)
    node.inputs["Roughness"].default_value = roughness
    tree = material.node_tree
    place = tree.nodes.new("ShaderNodeNewGeometry").outputs["Position"]
    large, small = _noise(tree, place, scale), _noise(tree, place, 14.0)
    total = tree.nodes.new("ShaderNodeMath")
    total.operation = "MULTIPLY_ADD"
    total.inputs[1].default_value = fine
    tree.links.new(small, total.inputs[0])
    tree.links.new(large, total.inputs[2])
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.elements[0].position = 0.35 + fine * 0.3
    ramp.color_ramp.elements[1].position = 0.68 + fine * 0.6
    ramp.color_ramp.elements[0].color = (*first, 1)
    ramp.color_ramp.elements[1].color = (*second, 1)
    tree.links.new(total.outputs[0], ramp.inputs[0])
    tree.links.new(ramp.outputs[0], node.inputs["Base Color"])
    return material


def asphalt(tone: float) -> bpy.types.Material:
    """Road surface; ``tone`` is its mean reflectance, 0.05 (new) to 0.14 (old and dusty)."""
    dark, light = tone * 0.8, tone * 1.22
    return speckled((dark, dark, dark * 1.02), (light, light * 0.99, light * 0.96), 0.35)


def soil() -> bpy.types.Material:
    return speckled((0.035, 0.021, 0.012), (0.10, 0.06, 0.032), 2.4, fine=0.5)


def gravel() -> bpy.types.Material:
    return speckled((0.09, 0.075, 0.06), (0.20, 0.17, 0.14), 5.0, fine=0.6)


def marking() -> bpy.types.Material:
    """Worn white road paint."""
    return speckled((0.40, 0.40, 0.39), (0.62, 0.62, 0.60), 1.2)


@cache
def tiles(first: Colour, second: Colour, size: float) -> bpy.types.Material:
    """Paving slabs with joints, seen from above."""
    material = bpy.data.materials.new("tiles")
    node = _surface(material)
    node.inputs["Roughness"].default_value = 0.9
    tree = material.node_tree
    brick = tree.nodes.new("ShaderNodeTexBrick")
    brick.inputs["Color1"].default_value = (*first, 1)
    brick.inputs["Color2"].default_value = (*second, 1)
    brick.inputs["Mortar"].default_value = (*(c * 0.55 for c in first), 1)
    brick.inputs["Scale"].default_value = 1.0
    brick.inputs["Mortar Size"].default_value = 0.012
    brick.inputs["Brick Width"].default_value = size * 2
    brick.inputs["Row Height"].default_value = size
    place = tree.nodes.new("ShaderNodeNewGeometry").outputs["Position"]
    tree.links.new(place, brick.inputs["Vector"])
    tree.links.new(brick.outputs["Color"], node.inputs["Base Color"])
    return material


def sky(strength: float, cloudiness: float) -> None:
    """Light the scene from a soft gradient sky with clouds."""
    world = bpy.data.worlds.new("sky")
    bpy.context.scene.world = world
    # So soft a sky needs no fine map of where its light is; the usual one takes two seconds.
    world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", 64
    tree = world.node_tree
    background = next(n for n in tree.nodes if n.type == "BACKGROUND")
    place = tree.nodes.new("ShaderNodeTexCoord").outputs["Generated"]
    clouds = _noise(tree, place, 3.0)
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.elements[0].position = 0.62 - 0.4 * cloudiness
    ramp.color_ramp.elements[1].position = 0.78 - 0.25 * cloudiness
    ramp.color_ramp.elements[0].color = (0.33, 0.50, 0.80, 1)
    ramp.color_ramp.elements[1].color = (0.82, 0.85, 0.90, 1)
    tree.links.new(clouds, ramp.inputs[0])
    tree.links.new(ramp.outputs[0], background.inputs["Color"])
    background.inputs["Strength"].default_value = strength


def _noise(
    tree: bpy.types.NodeTree, place: bpy.types.NodeSocket, scale: float
) -> bpy.types.NodeSocket:
    noise = tree.nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = scale
    noise.inputs["Detail"].default_value = 4.0
    tree.links.new(place, noise.inputs["Vector"])
    return noise.outputs[0]


def _surface(material: bpy.types.Material) -> bpy.types.ShaderNode:
    """The principled node that Blender 5 gives every new material."""
    return next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")


@dataclass(frozen=True)
class Road:
    """A painted road's material. ``wetten`` changes it between pictures: 0 dry to 1 in rain."""

    material: bpy.types.Material
    shine: bpy.types.NodeSocket
    darkness: bpy.types.NodeSocket

    def wetten(self, wet: float) -> None:
        self.shine.default_value = wet
        self.darkness.default_value = 0.55 * wet


def road(colour: np.ndarray, gloss: np.ndarray, origin: tuple[float, float], step: float) -> Road:
    """Painted maps (rows, cols, 3) and (rows, cols), uint8, laid onto world X and Y.

    Row 0, column 0 lies at ``origin``; a pixel is ``step`` metres.
    """
    material = bpy.data.materials.new("road")
    node, tree = _surface(material), material.node_tree
    place = tree.nodes.new("ShaderNodeMapping")
    rows, cols = gloss.shape
    place.vector_type = "TEXTURE"
    place.inputs["Location"].default_value = (*origin, 0)
    place.inputs["Scale"].default_value = (cols * step, rows * step, 1)
    source = tree.nodes.new("ShaderNodeNewGeometry").outputs["Position"]
    tree.links.new(source, place.inputs["Vector"])
    tint = _texture(tree, colour, place.outputs[0])
    water = _texture(tree, np.repeat(gloss[..., None], 3, axis=2), place.outputs[0])
    shine, darkness = (tree.nodes.new("ShaderNodeValue").outputs[0] for _ in range(2))
    shine.default_value = darkness.default_value = 0.0

    def math(operation: str, *inputs: bpy.types.NodeSocket | float) -> bpy.types.NodeSocket:
        sum_node = tree.nodes.new("ShaderNodeMath")
        sum_node.operation = operation
        for slot, value in zip(sum_node.inputs, inputs, strict=False):
            if isinstance(value, float):
                slot.default_value = value
            else:
                tree.links.new(value, slot)
        return sum_node.outputs[0]

    # Roughness: 0.92 dry; 0.45 where it is wet, 0.05 where water stands.
    standing = math("MULTIPLY", water, shine)
    rough = math("MULTIPLY_ADD", shine, -0.47, 0.92)
    tree.links.new(math("MULTIPLY_ADD", standing, -0.40, rough), node.inputs["Roughness"])
    dark = tree.nodes.new("ShaderNodeMix")
    dark.data_type, dark.blend_type = "RGBA", "MULTIPLY"
    tree.links.new(darkness, dark.inputs[0])
    tree.links.new(tint, dark.inputs[6])
    dark.inputs[7].default_value = (0.25, 0.25, 0.27, 1)
    tree.links.new(dark.outputs[2], node.inputs["Base Color"])
    return Road(material, shine, darkness)


def _texture(
    tree: bpy.types.NodeTree, picture: np.ndarray, place: bpy.types.NodeSocket
) -> bpy.types.NodeSocket:
    rows, cols = picture.shape[:2]
    image = bpy.data.images.new("map", cols, rows)
    filled = np.ones((rows, cols, 4), np.float32)
    np.multiply(picture, 1 / 255, out=filled[..., :3])
    image.pixels.foreach_set(filled.ravel())
    image.pack()
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image, node.extension = image, "MIRROR"
    tree.links.new(place, node.inputs["Vector"])
    return node.outputs["Color"]
