"""Streets on paper: kinds, carriageway, lanes, sides and markings. Pure geometry, no renderer.

Axes as in ``camera``: Y along the street, X to the right, the camera's pole at Y = 0. Metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from shapely import Polygon, box
from shapely.ops import unary_union

if TYPE_CHECKING:
    from collections.abc import Callable

NEAR, FAR = -10.0, 140.0

Edge = Literal["kerb", "earth", "parapet", "open"]
TRAIN_KINDS = ("two_lane", "boulevard", "village", "junction", "works")
VAL_KINDS = ("bridge", "yard", "one_way")


@dataclass(frozen=True)
class Lane:
    """The middle of a lane and the way it runs: +1 away from the camera, -1 towards it."""

    x: float
    way: int


@dataclass(frozen=True)
class Bar:
    """A painted rectangle."""

    left: float
    near: float
    right: float
    far: float
    tone: Literal["white", "yellow"] = "white"


@dataclass(frozen=True)
class Plan:
    """One street. ``walks`` are the widths of what lies beside it, left and right."""

    kind: str
    left: float
    right: float
    lanes: tuple[Lane, ...]
    edge: Edge
    walks: tuple[float, float]
    bars: tuple[Bar, ...]
    parking: tuple[float, ...] = ()
    median: tuple[float, float] | None = None
    crossing: tuple[float, float] | None = None
    concrete: bool = False
    earthy: bool = False
    houses: float = 1.0  # share of the frontage that is built up
    floors: tuple[int, int] = (2, 7)
    trees: float = 0.6

    @property
    def road(self) -> Polygon:
        """The carriageway, a crossing street included, the median left out."""
        whole = box(self.left, NEAR, self.right, FAR)
        if self.crossing:
            whole = unary_union([whole, box(-60, self.crossing[0], 60, self.crossing[1])])
        if self.median:
            gap = (
                [(NEAR, self.crossing[0] - 3), (self.crossing[1] + 3, FAR)]
                if self.crossing
                else [(NEAR, FAR)]
            )
            whole = whole.difference(
                unary_union([box(self.median[0], a, self.median[1], b) for a, b in gap])
            )
        return whole

    @property
    def stretches(self) -> list[tuple[float, float]]:
        """Lengths of the street beside which something may stand: all but the crossing."""
        if not self.crossing:
            return [(NEAR, FAR)]
        return [(NEAR, self.crossing[0]), (self.crossing[1], FAR)]


def draw(kind: str, rng: np.random.Generator) -> Plan:
    """A street of the given kind."""
    return _KINDS[kind](rng)


def _dashes(x: float, rng: np.random.Generator, tone: str = "white") -> list[Bar]:
    pitch, length = float(rng.choice([6.0, 9.0, 12.0])), float(rng.choice([2.0, 3.0, 4.0]))
    start = rng.uniform(-4, 0)
    return [
        Bar(x - 0.07, y, x + 0.07, y + length, tone)  # type: ignore[arg-type]  # one of the two
        for y in np.arange(start, 80, pitch).tolist()
    ]


def _line(x: float, tone: str = "white") -> Bar:
    return Bar(x - 0.07, NEAR, x + 0.07, FAR, tone)  # type: ignore[arg-type]  # one of the two


def _zebra(left: float, right: float, y: float) -> list[Bar]:
    return [Bar(x, y, x + 0.45, y + 3.6) for x in np.arange(left + 0.4, right - 0.5, 0.95).tolist()]


def _two_lane(rng: np.random.Generator) -> Plan:
    lane, bay = rng.uniform(3.0, 3.7), float(rng.choice([0.0, 2.1]))
    half = lane + bay
    tone = str(rng.choice(["white", "yellow"]))
    bars = [_line(-0.12, tone), _line(0.12, tone)] if rng.random() < 0.4 else _dashes(0, rng, tone)
    if bay:
        bars += [_line(-lane), _line(lane)]
    if rng.random() < 0.4:
        bars += _zebra(-half, half, rng.uniform(10, 35))
    return Plan(
        "two_lane",
        -half,
        half,
        (Lane(lane / 2, 1), Lane(-lane / 2, -1)),
        "kerb",
        (rng.uniform(1.5, 4.5), rng.uniform(1.5, 4.5)),
        tuple(bars),
        parking=(-half + 1.05, half - 1.05) if bay else (),
        trees=rng.uniform(0.1, 0.9),
        concrete=rng.random() < 0.15,
    )


def _boulevard(rng: np.random.Generator) -> Plan:
    lane, count = rng.uniform(3.2, 3.6), int(rng.integers(2, 4))
    middle = rng.uniform(0.8, 2.4)
    lanes, bars = [], []
    for way in (1, -1):
        for i in range(count):
            lanes.append(Lane(way * (middle / 2 + lane * (i + 0.5)), way))
            if i:
                bars += _dashes(way * (middle / 2 + lane * i), rng)
        bars.append(_line(way * (middle / 2 + lane * count - 0.2)))
    half = middle / 2 + lane * count
    return Plan(
        "boulevard",
        -half,
        half,
        tuple(lanes),
        "kerb",
        (rng.uniform(3, 6), rng.uniform(3, 6)),
        tuple(bars),
        median=(-middle / 2, middle / 2),
        houses=0.7,
        floors=(4, 14),
        trees=rng.uniform(0.4, 1.0),
    )


def _village(rng: np.random.Generator) -> Plan:
    half = rng.uniform(2.2, 3.6)
    bars = _dashes(0, rng) if rng.random() < 0.3 else []
    return Plan(
        "village",
        -half,
        half,
        (Lane(half / 2, 1), Lane(-half / 2, -1)),
        "earth",
        (rng.uniform(2, 7), rng.uniform(2, 7)),
        tuple(bars),
        concrete=rng.random() < 0.4,
        earthy=True,
        houses=rng.uniform(0.2, 0.7),
        floors=(1, 3),
        trees=rng.uniform(0.2, 0.8),
    )


def _junction(rng: np.random.Generator) -> Plan:
    lane, y = rng.uniform(3.2, 3.7), rng.uniform(16, 30)
    count = int(rng.integers(1, 3))
    half, deep = lane * count, rng.uniform(8, 14)
    lanes = [Lane(way * lane * (i + 0.5), way) for way in (1, -1) for i in range(count)]
    bars = [_line(0.0, "yellow")]
    for i in range(1, count):
        bars += _dashes(lane * i, rng) + _dashes(-lane * i, rng)
    bars = [b for b in bars if b.far < y - 5 or b.near > y + deep + 5 or b.far > 100]
    bars = [
        part
        for b in bars
        for part in (
            (
                Bar(b.left, b.near, b.right, y - 5.2, b.tone),
                Bar(b.left, y + deep + 5, b.right, b.far, b.tone),
            )
            if b.near < y - 5 and b.far > y + deep + 5
            else (b,)
        )
    ]
    bars += _zebra(-half, half, y - 4.5) + _zebra(-half, half, y + deep + 0.8)
    bars += [Bar(0.2, y - 5.6, half - 0.2, y - 5.2)]
    return Plan(
        "junction",
        -half,
        half,
        tuple(lanes),
        "kerb",
        (rng.uniform(2, 4), rng.uniform(2, 4)),
        tuple(bars),
        crossing=(y, y + deep),
        houses=0.8,
        floors=(2, 9),
        trees=rng.uniform(0.1, 0.7),
    )


def _works(rng: np.random.Generator) -> Plan:
    """A broad road among walls and sheds."""
    half = rng.uniform(4, 7)
    bars = _dashes(0, rng) if rng.random() < 0.5 else []
    return Plan(
        "works",
        -half,
        half,
        (Lane(half / 2, 1), Lane(-half / 2, -1)),
        "kerb",
        (rng.uniform(0.8, 2), rng.uniform(0.8, 2)),
        tuple(bars),
        concrete=rng.random() < 0.6,
        earthy=rng.random() < 0.5,
        houses=0.6,
        floors=(1, 3),
        trees=rng.uniform(0, 0.4),
        parking=(half - 1.3,),
    )


def _bridge(rng: np.random.Generator) -> Plan:
    lane = rng.uniform(3.2, 3.8)
    bars = [_line(-0.12, "yellow"), _line(0.12, "yellow"), _line(-lane), _line(lane)]
    half = lane + rng.uniform(0.4, 2.0)
    return Plan(
        "bridge",
        -half,
        half,
        (Lane(lane / 2, 1), Lane(-lane / 2, -1)),
        "parapet",
        (1.6, 1.6),
        tuple(bars),
        concrete=rng.random() < 0.3,
        houses=0.0,
        trees=0.0,
    )


def _yard(rng: np.random.Generator) -> Plan:
    """An open apron with parking rows."""
    half = rng.uniform(8, 12)
    bars = [
        Bar(
            side * half - (5.0 if side > 0 else 0),
            y,
            side * half + (0 if side > 0 else 5.0),
            y + 0.12,
        )
        for side in (-1, 1)
        for y in np.arange(4, 60, 2.6).tolist()
    ]
    return Plan(
        "yard",
        -half,
        half,
        (Lane(1.8, 1), Lane(-1.8, -1)),
        "open",
        (3.0, 3.0),
        tuple(bars),
        concrete=rng.random() < 0.5,
        houses=0.5,
        floors=(1, 4),
        trees=0.3,
    )


def _one_way(rng: np.random.Generator) -> Plan:
    half = rng.uniform(2.4, 3.4)
    return Plan(
        "one_way",
        -half,
        half,
        (Lane(0.0, int(rng.choice([-1, 1]))),),
        "kerb",
        (rng.uniform(0.9, 2.0), rng.uniform(0.9, 2.0)),
        (_line(-half + 0.3, "yellow"),),
        floors=(3, 6),
        trees=0.1,
    )


_KINDS: dict[str, Callable[[np.random.Generator], Plan]] = {
    "two_lane": _two_lane,
    "boulevard": _boulevard,
    "village": _village,
    "junction": _junction,
    "works": _works,
    "bridge": _bridge,
    "yard": _yard,
    "one_way": _one_way,
}
