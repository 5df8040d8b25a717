"""What is known of a camera's view: one print for each kind of light it has been seen in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from pipeline.ingest.viewprint import TILES, as_edges, as_planes, in_common

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.ingest.viewprint import Edges, Glance, Tiles

Light = Literal["bright", "dim", "grey"]
LIGHTS: tuple[Light, ...] = ("bright", "dim", "grey")

_LEARN_LOOKS, _LEARN_S = 6, 30.0
"""So many looks over so much time make a print that other pictures can be judged by."""
_MEMORY_S = 600.0
"""Once known, a view follows the light, the season and the parked cars this slowly."""
_STEP_S = 20.0
"""Between two looks that a known print learns from: smaller steps than these don't help it."""
_ANCHOR_S = 900.0
"""What a print looked like after so much learning is kept: against it a slow sagging shows."""
_RICH = 12.0
"""Height of the ordinary match, in standard deviations, from which a view can be judged by."""
_ONE, _ANCHOR_ONE = np.float32(32767), np.float32(127)
_DIM_BELOW = 60.0
_AGREES, _ENERGY_GONE = 0.15, 0.25
"""Shares of its edges and of its contrast below which a tile has lost what it showed."""
_CLEAR_REST = 0.35
"""Share of its contrast that the rest's clearest fifth keeps where something hides a part."""
_DARK_TILE = 40.0
"""Luma: what is darker than this may only lack light, as beyond the reach of an infrared lamp."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much of a print a picture shows, without moving one over the other.

    ``kept``: share of the still edges that are where they were. ``lost``: share of the view, by its
    detail, where neither edges nor contrast are left although there is light; 0 when the rest is
    faint too, as in fog. ``energy``: contrast of the whole picture against the usual.
    """

    kept: float
    lost: float
    energy: float


def light_of(glance: Glance, *, grey: bool) -> Light:
    """By what kind of light a picture was taken; ``grey``: it has no colour, as under infrared."""
    if grey:
        return "grey"
    return "dim" if glance.luma.mean() < _DIM_BELOW else "bright"


@dataclass(slots=True, eq=False)
class Print:
    """The mean of the looks at one view in one light.

    ``usual`` is the height of the match (``Match.here``) of an ordinary look, ``usually_kept`` the
    share of the still edges that it shows.
    """

    mean: NDArray[np.int16]  # (ROWS, COLUMNS, 2), 32767 is 1: half of what floats take
    energy: Tiles
    usual: float = 0.0
    looks: int = 1
    known_s: float = 0.0
    anchor: NDArray[np.int8] | None = None  # likewise, 127 is 1
    usually_kept: float = 0.0
    _learnt_at: float | None = None
    _detail: Tiles = field(init=False)

    def __post_init__(self) -> None:
        self._detail = _detail_of(self.edges)

    @classmethod
    def of(cls, at: float, glance: Glance) -> Self:
        """A print of a single look."""
        return cls(_stored(glance.edges), glance.energy.copy(), _learnt_at=at)

    @property
    def edges(self) -> Edges:
        return as_edges(self.mean.astype(np.float32) / _ONE)

    @property
    def anchored(self) -> Edges | None:
        """The edges as they were long ago; None while there is no long ago."""
        if self.anchor is None:
            return None
        return as_edges(self.anchor.astype(np.float32) / _ANCHOR_ONE)

    @property
    def known(self) -> bool:
        """True when other pictures can be judged by it."""
        enough = self.looks >= _LEARN_LOOKS and self.known_s >= _LEARN_S
        return enough and self.usual >= _RICH

    def likeness(self, glance: Glance) -> Likeness:
        weight = np.sqrt(self._detail)
        weight /= weight.sum()
        agreeing = np.clip(in_common(self.edges, glance.edges) / self._detail, 0.0, 1.0)
        left = glance.energy / np.maximum(self.energy, 1.0)
        lost = (agreeing < _AGREES) & (left < _ENERGY_GONE) & (glance.luma > _DARK_TILE)
        rest = left[agreeing >= _AGREES]
        faint = rest.size > 0 and float(np.quantile(rest, 0.8)) < _CLEAR_REST
        return Likeness(
            kept=float((agreeing * weight).sum()),
            lost=0.0 if faint else float((lost * weight).sum()),
            energy=float(glance.energy.mean() / max(float(self.energy.mean()), 1.0)),
        )

    def matched(self, here: float) -> None:
        """An ordinary look matched this well."""
        self.usual += (here - self.usual) * (0.5 if self.looks < _LEARN_LOOKS else 0.05)

    def kept(self, share: float) -> None:
        """An ordinary look showed this share of the still edges."""
        step = 1.0 if self.usually_kept == 0 else 0.02
        self.usually_kept += step * (share - self.usually_kept)

    def learn(self, at: float, glance: Glance) -> None:
        """Take an ordinary look in. Known prints learn from one now and then."""
        step_s = 0.0 if self._learnt_at is None else at - self._learnt_at
        if self._learnt_at is not None and self.known and 0 <= step_s < _STEP_S:
            return
        self._learnt_at = at
        step_s = min(max(step_s, 0.0), 3 * _STEP_S)  # time without looks teaches nothing
        share = max(1 / (self.looks + 1), 1 - float(np.exp(-step_s / _MEMORY_S)))
        mean = self.edges
        mean += np.float32(share) * (glance.edges - mean)
        self.mean = _stored(mean)
        self.energy += np.float32(share) * (glance.energy - self.energy)
        self._detail = _detail_of(mean)
        self.looks += 1
        self.known_s += step_s
        if self.anchor is None and self.known_s >= _ANCHOR_S:
            self.drop_anchor()

    def drop_anchor(self) -> None:
        """Call the view as it is now that of long ago."""
        self.anchor = np.rint(self.mean * (_ANCHOR_ONE / _ONE)).astype(np.int8)


def _stored(edges: Edges) -> NDArray[np.int16]:
    return np.asarray(np.rint(as_planes(edges) * _ONE), np.int16)


def _detail_of(edges: Edges) -> Tiles:
    """Detail of each tile, never 0."""
    return np.maximum(in_common(edges, edges), np.float32(1e-3))


TILE_SHAPE = TILES[1], TILES[0]
