"""Lays hazards and look-alikes on the road of real street pictures while a network trains.

There are hardly any real pictures of a hole from a pole camera, but many of holes and many from
poles. Each call lays none to three hazards, which get a label, and none to four decoys, which
get none, where the vehicles in the picture say that road is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np

from .classes import HAZARDS, IDS
from .collapses import ROOM, collapse
from .cutouts import Cutout, Cutouts, overturned
from .decoys import DRAWN
from .ground import read_ground
from .layers import Layer
from .patches import Patches
from .scene import Scene
from .sprites import Sprites, read_sprites

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from .folders import Picture

    Way = Callable[[Scene, np.random.Generator], bool]
    Labelled = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int16]]

T = TypeVar("T")
M = TypeVar("M", Layer, Cutout)

HAZARD_COUNTS = (0.25, 0.4, 0.25, 0.1)  # chance of none, one, two, three
DECOY_COUNTS = (0.2, 0.25, 0.25, 0.2, 0.1)
# How many things are drawn until one finds its place.
DRAWS = 3
HOLE_M = (0.4, 5.0)
COLLAPSE_M = (0.5, 8.0)
PLAIN_M = (0.5, 3.0)
# How often rendered hazards of each class are laid, as real and drawn ones are below.
RENDERED = {"cavity": 0.2, "debris": 0.12, "fallen_tree": 0.08, "barrier": 0.1, "crash": 0.08}
# Fewer different ones of a class are laid less often, or they would be learnt by heart.
ENOUGH = 20
# Holes whose brightness differs by less than this from the road get more contrast.
FAINTEST = 0.16


class Paster:
    """Callable that lays things cut and drawn on the road of one picture after the other."""

    def __init__(
        self,
        patches: Patches,
        cutouts: Cutouts,
        sprites: Sprites | None = None,
        *,
        only_real: bool = False,
    ) -> None:
        """``only_real``: lay no hazards but holes that were cut from pictures.

        Raises ValueError if there are none.
        """
        if not patches.holes:
            raise ValueError("no holes to paste: the pictures hold no usable cavity")
        self._patches = patches
        self._cutouts = cutouts
        self._sprites = sprites or Sprites()
        self._hazards = _Choice(
            (self._hole, 0.35, True),
            (self._collapse, 0.2, not only_real),
            (self._crash, 0.07, bool(cutouts.crashes) and not only_real),
            (self._overturned, 0.07, bool(cutouts.vehicles) and not only_real),
            *(
                (self._rendered(found), RENDERED[name] * min(1.0, len(found) / ENOUGH), True)
                for name, found in self._sprites.hazards.items()
                if name in RENDERED and not only_real
            ),
        )
        self._decoys = _Choice(
            (self._drawn, 0.4, True),
            (self._plain, 0.2, bool(patches.plain)),
            (self._group, 0.08, bool(cutouts.groups)),
            (self._queue, 0.12, bool(cutouts.vehicles)),
            (self._rendered(self._sprites.decoys), 0.2, bool(self._sprites.decoys)),
        )

    @classmethod
    def cut(cls, pictures: Sequence[Picture], sprites: Path | None = None, seed: int = 0) -> Paster:
        """A paster of all that can be cut from the pictures of a training part (some 20 s).

        ``sprites``: a folder of rendered things, if there is one.
        """
        rendered = None if sprites is None else read_sprites(sprites)
        return cls(Patches.cut(pictures, seed), Cutouts.cut(pictures, seed), rendered)

    def __call__(
        self,
        bgr: NDArray[np.uint8],
        boxes: NDArray[np.float32],
        classes: NDArray[np.int16],
        rng: np.random.Generator,
    ) -> Labelled:
        """A picture (H, W, 3) with boxes (N, 4) xyxy 0..1 and classes (N,), with things laid on.

        The very same where no road is found or a hazard is there already; never changed in place.
        """
        hazards = int(rng.choice(len(HAZARD_COUNTS), p=HAZARD_COUNTS))
        decoys = int(rng.choice(len(DECOY_COUNTS), p=DECOY_COUNTS))
        return self.paste(bgr, boxes, classes, rng, hazards, decoys)

    def paste(
        self,
        bgr: NDArray[np.uint8],
        boxes: NDArray[np.float32],
        classes: NDArray[np.int16],
        rng: np.random.Generator,
        hazards: int,
        decoys: int,
    ) -> Labelled:
        """The same with up to so many ``hazards`` and ``decoys``; fewer if there is no room."""
        if np.isin(classes, HAZARDS).any():
            return bgr, boxes, classes
        ground = read_ground(bgr, boxes, classes)
        if ground is None:
            return bgr, boxes, classes
        scene = Scene(bgr.copy(), boxes, ground, rng)
        for choice, count in ((self._decoys, decoys), (self._hazards, hazards)):
            for _ in range(count):
                # What was drawn may be too large or seen too differently for all free places.
                any(choice.draw(rng)(scene, rng) for _ in range(DRAWS))
        return scene.bgr, *scene.labels(boxes, classes)

    def _hole(self, scene: Scene, rng: np.random.Generator) -> bool:
        layer = varied(_any(self._patches.holes, rng), rng)
        x0, _, x1, _ = layer.inner
        metres = _between(HOLE_M, rng) / (x1 - x0)
        return scene.put_layer(_either_way(layer, rng), metres, IDS["cavity"])

    def _collapse(self, scene: Scene, rng: np.random.Generator) -> bool:
        place = scene.lying(_between(COLLAPSE_M, rng) / (1 - 2 * ROOM), ratio=rng.uniform(0.6, 1.5))
        if place is None:
            return False
        return scene.put(collapse(place.width, place.height, rng), place, IDS["cavity"])

    @staticmethod
    def _rendered(cutouts: list[Cutout]) -> Way:
        def way(scene: Scene, rng: np.random.Generator) -> bool:
            return scene.stand(_either_way(_any(cutouts, rng), rng))

        return way

    def _crash(self, scene: Scene, rng: np.random.Generator) -> bool:
        return scene.stand(_either_way(_any(self._cutouts.crashes, rng), rng))

    def _overturned(self, scene: Scene, rng: np.random.Generator) -> bool:
        return scene.stand(overturned(_any(self._cutouts.vehicles, rng), rng))

    def _group(self, scene: Scene, rng: np.random.Generator) -> bool:
        return scene.stand(_either_way(_any(self._cutouts.groups, rng), rng))

    def _queue(self, scene: Scene, rng: np.random.Generator) -> bool:
        wanted = [_any(self._cutouts.vehicles, rng) for _ in range(rng.integers(1, 4))]
        return sum(scene.hide(_either_way(one, rng)) for one in wanted) > 0

    def _plain(self, scene: Scene, rng: np.random.Generator) -> bool:
        layer = _either_way(_any(self._patches.plain, rng), rng)
        return scene.put_layer(layer, _between(PLAIN_M, rng), None)

    def _drawn(self, scene: Scene, rng: np.random.Generator) -> bool:
        draw, metres, _ = DRAWN[rng.choice(len(DRAWN), p=[often for *_, often in DRAWN])]
        if (place := scene.lying(_between(metres, rng))) is None:
            return False
        return scene.put(draw(place.width, place.height, rng), place, None)


class _Choice:
    """Draws one of several ways by their weights, of those there is material for."""

    def __init__(self, *ways: tuple[Way, float, bool]) -> None:
        usable = [(way, weight) for way, weight, possible in ways if possible]
        self._ways = [way for way, _ in usable]
        self._steps = np.cumsum([weight for _, weight in usable])

    def draw(self, rng: np.random.Generator) -> Way:
        return self._ways[int(np.searchsorted(self._steps, rng.random() * self._steps[-1]))]


def _any(items: Sequence[T], rng: np.random.Generator) -> T:
    return items[int(rng.integers(len(items)))]


def _either_way(thing: M, rng: np.random.Generator) -> M:
    return thing if rng.random() < 0.5 else thing.mirrored()


def varied(layer: Layer, rng: np.random.Generator) -> Layer:
    """The hole deeper, with water in it, or as it is; never so faint that nobody would see it."""
    ratio = layer.ratio
    inside = layer.alpha * layer.alpha
    odd = cv2.blur(np.abs(ratio.mean(axis=2) - 1), (5, 5))
    contrast = float((odd * inside).sum() / inside.sum())
    if contrast < FAINTEST:
        ratio = np.maximum(1 + (ratio - 1) * (FAINTEST / max(contrast, 0.04)), 0.02)
    kind = rng.random()
    if kind < 0.35:
        # Dark parts darker, so that edges stay: a soft dark blot would look like a stain.
        ratio = np.where(ratio < 1, ratio ** np.float32(rng.uniform(1.3, 3.0)), ratio)
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
