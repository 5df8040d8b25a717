"""What can be put on a street: hazards, decoys, vehicles, people. The contract of all makers.

A maker builds one thing around its own origin and says what it is; ``placing`` decides where it
goes. Object space: metres, Z up with the road's surface at 0, +Y along the street, +X across.

- ``Thing.objects`` are linked to the scene, unparented or parented among themselves, standing at
  the origin. Placing hangs the roots under one empty and moves that.
- ``Thing.outline`` (N, 3) spans the box: only pixels of the thing's own objects that lie inside
  the hull of the projected outline count as seen. Small things that lie about (crumbs, dust, thin
  cracks) may be among the objects without being in the outline.
- ``Thing.parts`` have boxes of their own (the two cars of a crash, the people of a crowd). Objects
  of a part are named in the part only; the whole's box covers its parts, too. A whole of class
  "none" with parts of class "person" is a crowd.
- A hole takes the road away: ``Thing.cut`` is a simple polygon (N, 2), N >= 3, in object space. The
  road (and footway and kerb, where the polygon reaches them) is left out inside of it, so the
  hole's objects must close it without a gap: a ring of vertices exactly at the polygon at z = 0
  (or deeper with an open edge), then walls and a floor below. Nothing lies below the road but what
  the hole brings. The outline of a hole is its rim at z = 0, without the cracks around it.
- Broken slabs and sagging road pieces take ``Ground.road``: its texture is fixed to world X and Y,
  so cracks, dirt and markings run on across the piece wherever it is placed.
- Whatever lies flat on the road stands at z = 0.004 to 0.012 to be seen above it.
- Keep it light: below about 4000 faces a thing (300 people share a few meshes: ``link_copy``),
  and below 30 ms to build. No modifiers but a bevel of 1 segment. No bpy.ops.
- All chance comes from ``rng``.

Each module of makers exports ``MAKERS``; ``placing`` draws from them by class and weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    import bpy
    import numpy as np


@dataclass(frozen=True)
class Ground:
    """What a thing is put on: the road's material, its mean reflectance, and whether it rained."""

    road: bpy.types.Material
    tone: float
    wet: bool = False


@dataclass(frozen=True)
class Thing:
    """One thing built around its own origin; ``size_m`` is (across, along) the street.

    ``class_name`` is a class of the detector or "none" (decoys); ``kind`` tells sorts apart in the
    truth (``round_sinkhole``, ``missing_cover``, ``shadow``, ...).
    """

    objects: tuple[bpy.types.Object, ...]
    outline: np.ndarray
    class_name: str
    kind: str
    size_m: tuple[float, float]
    cut: np.ndarray | None = None
    parts: tuple[Thing, ...] = ()
    head: tuple[float, float, float] | None = None  # of a person: the middle of the head

    @property
    def cuts_road(self) -> bool:
        return self.cut is not None


Spot = Literal["lane", "edge", "roadside"]


@dataclass(frozen=True)
class Maker:
    """``make(rng, size_m, ground)`` builds a thing about ``size_m`` across, within ``sizes``.

    ``spot``: "lane" anywhere on the carriageway at any heading of the street; "edge" with the
    origin on the kerb line (the carriageway's edge) and +X pointing away from the carriageway;
    "roadside" on the footway or the shoulder. ``turns``: may be turned by any angle (else only by
    a few degrees or half a turn).
    """

    kind: str
    class_name: str
    make: Callable[[np.random.Generator, float, Ground], Thing]
    sizes: tuple[float, float]
    weight: float = 1.0
    spot: Spot = "lane"
    turns: bool = True
