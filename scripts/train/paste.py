"""Lays hazards and look-alikes on the road of real street pictures while a network trains.

There are hardly any real pictures of a hole from a pole camera, but many of holes and many from
poles. Each call lays none to three hazards, which get a label, and none to four decoys, which
get none, where the vehicles in the picture say that road is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from .classes import HAZARDS, IDS
from .decoys import DRAWN
from .ground import read_ground
from .layers import Layer
from .scene import Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .patches import Patches

HAZARD_COUNTS = (0.3, 0.4, 0.2, 0.1)  # chance of none, one, two, three
DECOY_COUNTS = (0.2, 0.3, 0.25, 0.15, 0.1)
HOLE_M = (0.4, 5.0)
PLAIN_M = (0.5, 3.0)
PLAIN_SHARE = 0.35
# Holes whose brightness differs by less than this from the road get more contrast.
FAINTEST = 0.12


class Paster:
    """Callable that lays things cut and drawn on the road of one picture after the other."""

    def __init__(self, patches: Patches) -> None:
        if not patches.holes:
            raise ValueError("no holes to paste: the pictures hold no usable cavity")
        self._patches = patches

    def __call__(
        self,
        bgr: NDArray[np.uint8],
        boxes: NDArray[np.float32],
        classes: NDArray[np.int16],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int16]]:
        """A picture (H, W, 3) with boxes (N, 4) xyxy 0..1 and classes (N,), with things laid on.

        Unchanged where no road is found or a hazard is there already; never changed in place.
        """
        if np.isin(classes, HAZARDS).any():
            return bgr, boxes, classes
        ground = read_ground(bgr, boxes, classes)
        if ground is None:
            return bgr, boxes, classes
        scene = Scene(bgr.copy(), boxes, ground, rng)
        for _ in range(rng.choice(len(DECOY_COUNTS), p=DECOY_COUNTS)):
            self._decoy(scene, rng)
        for _ in range(rng.choice(len(HAZARD_COUNTS), p=HAZARD_COUNTS)):
            self._hole(scene, rng)
        return scene.bgr, *scene.labels(boxes, classes)

    def _hole(self, scene: Scene, rng: np.random.Generator) -> None:
        layer = self._patches.holes[rng.integers(len(self._patches.holes))]
        layer = varied(layer if rng.random() < 0.5 else layer.mirrored(), rng)
        x0, _, x1, _ = layer.inner
        scene.put_layer(layer, _between(HOLE_M, rng) / (x1 - x0), IDS["cavity"])

    def _decoy(self, scene: Scene, rng: np.random.Generator) -> None:
        if self._patches.plain and rng.random() < PLAIN_SHARE:
            layer = self._patches.plain[rng.integers(len(self._patches.plain))]
            scene.put_layer(layer, _between(PLAIN_M, rng), None)
            return
        draw, metres, _ = DRAWN[rng.choice(len(DRAWN), p=[often for *_, often in DRAWN])]
        if (place := scene.find(_between(metres, rng))) is not None:
            scene.put(draw(place.width, place.height, rng), place, None)


def varied(layer: Layer, rng: np.random.Generator) -> Layer:
    """The hole deeper, with water in it, or as it is; never so faint that nobody would see it."""
    ratio = layer.ratio
    inside = layer.alpha * layer.alpha
    odd = cv2.blur(np.abs(ratio.mean(axis=2) - 1), (5, 5))
    contrast = float((odd * inside).sum() / inside.sum())
    if contrast < FAINTEST:
        ratio = 1 + (ratio - 1) * (FAINTEST / max(contrast, 0.04))
    kind = rng.random()
    if kind < 0.35:
        fade = max(1.0, layer.alpha.shape[1] / 14)
        deep = cv2.GaussianBlur(layer.alpha**4, (0, 0), fade)[..., None]
        ratio = ratio * (1 - rng.uniform(0.3, 0.9) * deep)
    elif kind < 0.5:
        ratio = _with_water(ratio, layer.alpha, rng)
    return Layer(np.clip(ratio, 0, None).astype(np.float32), layer.alpha, layer.stains, layer.inner)


def _with_water(
    ratio: NDArray[np.float32], alpha: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """The lower part of the hole filled: smooth, muddy or mirroring the sky."""
    rows, columns = alpha.shape
    v = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    level = np.clip((v - rng.uniform(0.1, 0.45)) / 0.08, 0, 1)
    body = cv2.GaussianBlur(alpha, (0, 0), max(1.0, columns / 20))
    water = np.clip((body - 0.85) / 0.1, 0, 1) * level
    tone = np.linspace(rng.uniform(0.5, 1.5), rng.uniform(0.4, 1.3), rows, dtype=np.float32)
    mud = rng.uniform(-0.15, 0.2)
    colour = tone[:, None, None] * np.array([1 - mud, 1, 1 + 0.6 * mud], np.float32)
    return ratio + water[..., None] * (colour - ratio)


def _between(metres: tuple[float, float], rng: np.random.Generator) -> float:
    """A size between the two, small ones as often as large ones."""
    return float(np.exp(rng.uniform(np.log(metres[0]), np.log(metres[1]))))
