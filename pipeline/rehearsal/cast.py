"""Who plays what: the cameras of a scenario at places of the grid map, their clips and hosts."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.errors import ScenarioError
from pipeline.rehearsal.stage import Expected, expected, load_clips, lonlat_of, posed
from pipeline.shipped import shipped
from pipeline.town import Place, distance_m, load_cameras, load_grids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.rehearsal.scenario import GroupPlan, Scenario
    from pipeline.rehearsal.stage import StreetClip
    from pipeline.town import Camera

_APART_M = 400.0
"""Between planted hazards of one kind: nearer ones would rightly become one ticket."""
_INSIDE_M = 20.0
"""From a planted hazard to the border of its grid: else a place told some metres off would rightly
be the neighbour's."""
# Beginnings of a clip, spread over the gap between its key frames. Not a divisor of the pictures in
# it: cameras send at times of their own, not all at the same ones.
_PHASES = 24


@dataclass(frozen=True, slots=True)
class Member:
    """One camera of the rehearsal. ``clip`` is the scenario's name of what it shows."""

    camera: Camera
    street: StreetClip
    clip: str
    group: str
    host: str
    phase_s: float


@dataclass(frozen=True, slots=True)
class Cast:
    """All cameras by id; ``expected`` are the tickets that their hazards must become."""

    members: Mapping[str, Member]
    expected: Sequence[Expected]

    def group(self, name: str) -> list[str]:
        return [camera_id for camera_id, member in self.members.items() if member.group == name]

    def hosts(self, group: str) -> list[str]:
        return list(dict.fromkeys(self.members[one].host for one in self.group(group)))


def cast(scenario: Scenario) -> Cast:
    """Raises ScenarioError when a clip is unknown or the hazards don't fit on the map."""
    streets = {street.name: street for street in load_clips()}
    for name, plan in scenario.clips.items():
        if plan.of not in streets:
            raise ScenarioError(
                "unknown clip",
                file=scenario.source,
                where=f"clips.{name}.of",
                found=plan.of,
                allowed=", ".join(sorted(streets)),
            )
    sizes = scenario.sizes()
    places = _Places(scenario)
    members: dict[str, Member] = {}
    for group in sorted(scenario.groups, key=lambda one: not _planted(one, scenario, streets)):
        for number in range(sizes[group.name]):
            clip = group.clips[number % len(group.clips)]
            street = streets[scenario.clips[clip].of]
            camera = posed(places.take(street, scenario), street)
            gap_s = scenario.clips[clip].key_every_s
            members[camera.camera_id] = Member(
                camera=replace(camera, policy=group.policy, interval_s=group.interval_s),
                street=street,
                clip=clip,
                group=group.name,
                host=_host(scenario.groups.index(group), number // scenario.cameras_per_host),
                phase_s=(number % _PHASES) * gap_s / _PHASES,
            )
    shown = {camera_id: (member.camera, member.street) for camera_id, member in members.items()}
    return Cast(dict(sorted(members.items())), expected(shown))


def _planted(group: GroupPlan, scenario: Scenario, streets: Mapping[str, StreetClip]) -> bool:
    return any(streets[scenario.clips[clip].of].hazards for clip in group.clips)


def _host(group: int, number: int) -> str:
    """Each recorder an address of its own; a group shares none with another one."""
    return f"127.{64 + group % 128}.{1 + number // 250}.{1 + number % 250}"


class _Places:
    """The town's cameras in an order drawn by the seed; more than there are stand beside them."""

    def __init__(self, scenario: Scenario) -> None:
        town = list(load_cameras(shipped("configs/yulong/cameras.csv")))
        random.Random(scenario.seed).shuffle(town)  # noqa: S311 - the same at each run
        rounds = -(-scenario.cameras // len(town))
        self._free = [
            camera if at == 0 else replace(camera, camera_id=f"{camera.camera_id}-{at + 1}")
            for at in range(rounds)
            for camera in town
        ]
        self._hazards: dict[str, list[Camera]] = {}
        self._grids = load_grids(shipped("configs/yulong/grids.geojson"))

    def take(self, street: StreetClip, scenario: Scenario) -> Camera:
        """The next camera; for a street with hazards one far from the others with the same."""
        kinds = {hazard.hazard for hazard in street.hazards}
        near = [camera for kind in kinds for camera in self._hazards.get(kind, [])]
        for at, camera in enumerate(self._free):
            apart = all(distance_m(camera, other) > _APART_M for other in near)
            if apart and self._well_inside(camera, street):
                for kind in kinds:
                    self._hazards.setdefault(kind, []).append(camera)
                return self._free.pop(at)
        raise ScenarioError(
            "more hazards of one kind than the map has room for",
            file=scenario.source,
            where="groups",
            found=f"{len(near)} placed",
            allowed=f"{_APART_M:.0f} m between two of a kind",
        )

    def _well_inside(self, camera: Camera, street: StreetClip) -> bool:
        """Whether the street's hazards would lie in one grid each, whoever measures them."""
        shown = posed(camera, street)
        places = [
            Place(*lonlat_of(shown, hazard), radius_m=_INSIDE_M, method="pose")
            for hazard in street.hazards
        ]
        return all(len(self._grids.near(place)) == 1 for place in places)
