"""The clips: which street, which camera, who passes when, and what goes wrong."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from . import actors as a
from . import props
from .camera import Camera
from .clip import PAINTS, SECONDS, Clip, Truth
from .lights import Light
from .street import KERB, LANE, Street

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def quiet_street() -> Clip:
    clip = Clip("quiet_street", Street(11), Camera(), Light())
    clip.away(
        ("sedan", "silver", -4),
        ("suv", "white", 3),
        ("bus", "green", 9.5),
        ("van", "white", 16),
        ("laden truck", "blue", 21),
        ("sedan", "black", 28),
    )
    clip.coming(
        ("sedan", "red", -8),
        ("van", "silver", -1),
        ("suv", "black", 6),
        ("sedan", "white", 13),
        ("truck", "blue", 18),
        ("suv", "grey", 24),
    )
    clip.away(("scooter", "red", 1), speed=5.5, lane=4.7)
    clip.away(("bicycle", "blue", 15), speed=4.5, lane=4.7)
    clip.walkers(7.4, (-1, -18, 44), (1, 4, -2), (-1, 2, 40), (1, 20, -2))
    clip.walkers(-7.6, (-1, -6, 42), (1, 9, 4))
    return clip


def night_quiet() -> Clip:
    clip = Clip(
        "night_quiet",
        Street(71, tone=0.09, parked=(("sedan", -1, 18.0),)),
        Camera(pitch_deg=25),
        Light(sun=0.03, sky=0.03, exposure=2.4, lamps_w=900.0),
    )
    clip.away(("sedan", "white", -2), ("van", "silver", 9), ("suv", "black", 22))
    clip.coming(("suv", "grey", -6), ("sedan", "blue", 6), ("bus", "green", 17))
    clip.walkers(7.4, (-1, -12, 30), (1, 12, -2))
    return clip


def collapse() -> Clip:
    gap = (0.25, 10.6, 3.45, 15.4)
    clip = Clip(
        "collapse",
        Street(
            23,
            tone=0.10,
            gap=gap,
            walls=((0.40, 0.24, 0.17), (0.50, 0.45, 0.36)),
            parked=(("suv", -1, 25.0), ("sedan", -1, 31.0)),
        ),
        Camera(pitch_deg=25, yaw_deg=8, hfov_deg=78),
        Light(azimuth_deg=-12, height_deg=56),
    )
    hole = props.hole(np.random.default_rng(5), gap, (1.32, 1.40), clip.street.tone)
    here = a.State(0, 0)
    clip.cast.append(a.thing_actor("road whole", hole.before, a.appearing(here, -1, 10)))
    clip.cast += [a.thing_actor(o.name, o, a.appearing(here, 10)) for o in hole.after]
    across, along = np.ptp(hole.rim[:, 0]), np.ptp(hole.rim[:, 1])
    middle = (hole.rim.min(axis=0) + hole.rim.max(axis=0)) / 2
    clip.truths.append(
        Truth(
            "road_collapse",
            10.0,
            hole.rim,
            float(middle[0]),
            float(middle[1]),
            (round(float(across), 3), round(float(along), 3)),
        )
    )
    _two_way_until_ten(clip)
    _round(clip, a.Dodge(13.0, -3.45))
    clip.walkers(7.4, (-1, -14, 42), (1, 6, -2), (-1, 8, 44))
    return clip


def fallen_load() -> Clip:
    clip = Clip(
        "fallen_load",
        Street(
            37,
            tone=0.075,
            walls=((0.46, 0.45, 0.43), (0.32, 0.25, 0.20), (0.5, 0.42, 0.3)),
            parked=(("sedan", -1, 22.0),),
        ),
        Camera(height_m=6.2, pitch_deg=24, yaw_deg=10, hfov_deg=82),
        Light(sun=1.2, sky=1.9, clouds=0.9, softness_deg=9, azimuth_deg=8),
    )
    clip.coming(("suv", "white", -8.5), ("sedan", "grey", -2), ("van", "white", 3))
    clip.away(("sedan", "white", -6), ("sedan", "red", -1))
    lorry = clip.vehicle("truck", "red", a.drive(LANE, 1, 10 - 29.5 / 7, 7.0))
    heap, rng, points = (LANE, 14.9), np.random.default_rng(8), []
    for index, (thing, spot) in enumerate(props.load(rng)):
        rest = (heap[0] + spot[0], heap[1] + spot[1], spot[2])
        motion = _falling(lorry.motion, spot, rest, 10.0 + 0.035 * index)
        actor = a.thing_actor(f"load {index}", thing, motion)
        clip.cast.append(actor)
        points.append(np.array([v.co for v in thing.data.vertices]) + rest)
    heaped = np.concatenate(points)
    size = (round(float(np.ptp(heaped[:, 0])), 3), round(float(np.ptp(heaped[:, 1])), 3))
    clip.truths.append(Truth("blockage", 10.4, heaped, *heap, size))
    _round(clip, a.Dodge(heap[1], -3.6))
    clip.walkers(7.4, (1, -3, -2), (-1, -10, 40), (1, 14, -2))
    return clip


def _falling(
    carrier: a.Motion,
    spot: tuple[float, float, float],
    rest: tuple[float, float, float],
    release_s: float,
) -> a.Motion:
    """Ride on the carrier's bed, slide off at ``release_s``, lie still 0.8 s later."""

    def motion(t: float) -> a.State | None:
        base = carrier(min(t, release_s))
        if base is None:
            return None
        start = (base.x + 0.6 * spot[0], base.y - 1.9 + 1.1 * spot[1], 1.14 + spot[2])
        if t < release_s:
            return a.State(*start)
        u = min((t - release_s) / 0.8, 1.0)
        ease = u * (2 - u)
        x, y = (s + (e - s) * ease for s, e in zip(start[:2], rest[:2], strict=True))
        z = start[2] + (rest[2] - start[2]) * u * u
        return a.State(x, y, z, tumble=1.2 * math.sin(math.pi * u) if u < 1 else 0.0)

    return motion


def crash() -> Clip:
    clip = Clip(
        "crash",
        Street(
            41,
            tone=0.09,
            walls=((0.5, 0.47, 0.42), (0.42, 0.30, 0.22), (0.25, 0.27, 0.30)),
            parked=(("van", -1, 30.0),),
        ),
        Camera(x=6.0, pitch_deg=23, yaw_deg=9, hfov_deg=80),
        Light(azimuth_deg=14, height_deg=48),
    )
    clip.coming(("sedan", "black", -9), ("van", "white", -4))
    clip.away(("suv", "grey", -5), ("sedan", "white", 0))
    spun = math.pi - 1.3
    ways = {
        ("sedan", "silver"): a.route(
            (
                (6.0, LANE, -14, 0),
                (8.4, LANE, 2.6, 0),
                (9.4, LANE, 9.6, 0.02),
                (9.8, 1.75, 12.2, 0.10),
                (10.2, 1.4, 13.3, 0.55),
                (10.8, 0.9, 13.6, 0.95),
            )
        ),
        ("suv", "red"): a.route(
            (
                (0.5, -LANE, 95, math.pi),
                (7.5, -LANE, 38, math.pi),
                (9.0, -1.4, 24.6, math.pi + 0.2),
                (9.6, 0.4, 19.6, math.pi + 0.45),
                (10.0, 1.9, 16.8, math.pi + 0.35),
                (10.4, 2.35, 15.6, math.pi - 0.6),
                (11.0, 2.5, 15.2, spun),
            )
        ),
    }
    wrecks = [clip.crash_vehicle(kind, colour, way, 10.0) for (kind, colour), way in ways.items()]
    debris = props.crash_debris(
        np.random.default_rng(3), (0.9, 15.0), (PAINTS["silver"], PAINTS["red"])
    )
    clip.cast.append(a.thing_actor("debris", debris, a.appearing(a.State(0, 0), 10.0)))
    for start, spot, arrive, facing in (
        ((1.2, 12.0), (2.4, 10.9), 15.5, 0.5),
        ((4.3, 14.4), (4.5, 12.4), 18.0, 0.9),
    ):
        clip.person(
            partial(a.gather, start=start, spot=spot, arrive_s=arrive, facing=facing, restless=0.3)
        )
    points = np.concatenate(
        [actor.points(state) for actor in wrecks if (state := actor.motion(SECONDS)) is not None]
    )
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    clip.truths.append(Truth("blockage", 10.0, points, float(middle[0]), float(middle[1])))
    clip.coming(
        ("sedan", "white", 5),
        ("van", "silver", 7.5),
        ("sedan", "blue", 24),
        speed=7.0,
        dodge=a.Dodge(14.5, -0.95),
    )
    clip.away(("suv", "white", 19.5), ("sedan", "grey", 22.0), speed=6.0, dodge=a.Dodge(14.5, -4.6))
    clip.walkers(7.6, (-1, -12, 42), (1, 5, -2))
    return clip


def gathering() -> Clip:
    clip = Clip(
        "gathering",
        Street(
            53,
            tone=0.085,
            footway=(3.6, 10.5),
            paving=((0.30, 0.25, 0.21), (0.34, 0.29, 0.25)),
            walls=((0.48, 0.46, 0.44), (0.38, 0.28, 0.22)),
            parked=(("sedan", -1, 24.0),),
        ),
        Camera(x=5.9, pitch_deg=24, yaw_deg=-2, hfov_deg=80),
        Light(azimuth_deg=-15, height_deg=58),
    )
    rng = np.random.default_rng(17)
    centre = np.array([9.2, 14.0])
    spots = _spots(rng, centre, (4.0, 4.0), 42, 0.74)
    for index, spot in enumerate(spots):
        start = (
            (15.8, float(rng.uniform(3, 9))) if index % 2 else (17.0, float(rng.uniform(21, 27)))
        )
        arrive = float(rng.uniform(10.0, 14.0))
        facing = math.atan2(-(centre[0] - spot[0]), centre[1] - spot[1])
        clip.person(
            partial(
                a.gather,
                start=start,
                spot=(float(spot[0]), float(spot[1])),
                arrive_s=arrive,
                facing=facing,
                restless=float(rng.random()),
            )
        )
    points = np.concatenate(
        [actor.points(state) for actor in clip.cast if (state := actor.motion(SECONDS)) is not None]
    )
    clip.truths.append(
        Truth("crowd", _half_arrived(clip, centre), points, *map(float, centre), people=len(spots))
    )
    clip.away(
        ("sedan", "white", -4), ("van", "silver", 4), ("suv", "black", 14), ("sedan", "red", 24)
    )
    clip.coming(
        ("suv", "grey", -8), ("sedan", "blue", 2), ("bus", "green", 12), ("sedan", "silver", 22)
    )
    return clip


def _half_arrived(clip: Clip, centre: np.ndarray) -> float:
    """The first moment at which half of the people stand within 5 m of the middle."""
    people = [actor for actor in clip.cast if actor.figure]
    for t in clip.times:
        near = [
            s
            for p in people
            if (s := p.motion(t)) is not None and math.dist((s.x, s.y), centre) < 5.0
        ]
        if len(near) * 2 >= len(people):
            return t
    raise ValueError(f"{clip.name}: nobody gathers within the clip")


def _spots(
    rng: np.random.Generator,
    centre: np.ndarray,
    radii: tuple[float, float],
    count: int,
    apart: float,
) -> list[np.ndarray]:
    """Places to stand, at least ``apart`` metres from each other and off the carriageway."""
    found: list[np.ndarray] = []
    while len(found) < count:
        spot = centre + rng.uniform(-1, 1, 2) * radii
        inside = (((spot - centre) / radii) ** 2).sum() < 1 and spot[0] > KERB - 0.6
        if inside and all(np.linalg.norm(spot - other) > apart for other in found):
            found.append(spot)
    return found


def stopped_vehicle() -> Clip:
    clip = Clip(
        "stopped_vehicle",
        Street(
            67,
            tone=0.08,
            walls=((0.36, 0.20, 0.14), (0.45, 0.42, 0.38)),
            parked=(("sedan", -1, 20.0), ("van", -1, 28.0)),
        ),
        Camera(height_m=6.0, pitch_deg=26, yaw_deg=9, hfov_deg=84),
        Light(azimuth_deg=6, height_deg=60),
    )
    clip.coming(("sedan", "white", -8.5), ("suv", "black", -2.5), ("sedan", "grey", 3))
    clip.away(("suv", "silver", -6), ("sedan", "blue", -1))
    van = clip.vehicle(
        "van",
        "white",
        a.route(
            (
                (6.0, LANE, -14, 0),
                (7.5, LANE, -2, 0),
                (8.5, LANE, 5.6, 0),
                (9.4, LANE, 11.4, 0),
                (10.2, LANE, 13.4, 0),
            )
        ),
    )
    rest = van.motion(SECONDS)
    points = van.points(rest) if rest else np.empty((0, 3))
    clip.truths.append(Truth("blockage", 10.2, points, LANE, 13.4))
    _round(clip, a.Dodge(13.4, -3.4))
    clip.away(("scooter", "red", 12), speed=5.5, lane=4.8)
    clip.walkers(7.4, (-1, -15, 40), (1, 3, -2), (1, 18, -2))
    return clip


def _two_way_until_ten(clip: Clip) -> None:
    clip.coming(("sedan", "white", -8.5), ("van", "grey", -2.5), ("suv", "red", 3))
    clip.away(("suv", "black", -5), ("sedan", "silver", 0), ("sedan", "blue", 4.5))


def _round(clip: Clip, dodge: a.Dodge) -> None:
    """After the hazard: slow traffic takes turns in the lane that is still free."""
    clip.away(
        ("sedan", "white", 14.0),
        ("suv", "grey", 16.2),
        ("van", "silver", 28.5),
        speed=6.0,
        dodge=dodge,
    )
    clip.coming(("sedan", "brown", 15.5), ("suv", "white", 18.0))


def all_clips() -> Iterator[tuple[str, Callable[[], Clip]]]:
    """Names and makers, the most telling clips first."""
    makers = (collapse, fallen_load, gathering, crash, stopped_vehicle, quiet_street, night_quiet)
    return ((maker.__name__, maker) for maker in makers)
