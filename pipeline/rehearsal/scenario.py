"""A rehearsal as a YAML file: which town, what goes wrong in it and when, what is good enough.

Every field has a default that means "nothing special"; unknown ones are refused. docs/rehearsal.md
describes the file for whoever writes one.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, Field, PrivateAttr, ValidationError, model_validator

from pipeline.errors import ScenarioError
from pipeline.ingest import CameraState
from pipeline.settings import Section
from pipeline.shipped import shipped
from pipeline.strict_yaml import load_yaml

if TYPE_CHECKING:
    from pathlib import Path

Seconds = Annotated[float, Field(ge=0, le=30 * 86400)]
Share = Annotated[float, Field(ge=0, le=1)]

Way = Literal[
    "refuse",
    "unauthorised",
    "not_found",
    "hang",
    "silent",
    "stall",
    "trickle",
    "garbage",
    "frozen",
    "black",
    "covered",
    "turned",
    "flapping",
    "reboot",
]

STATES: dict[Way, tuple[CameraState, ...]] = {
    "refuse": ("unreachable",),
    "unauthorised": ("unauthorised",),
    "not_found": ("unreachable",),
    "hang": ("unreachable", "stalled"),
    "silent": ("stalled", "unreachable"),
    "stall": ("stalled", "unreachable"),
    "trickle": ("stalled", "unreachable"),
    "garbage": ("stalled", "unreachable", "unsupported"),
    "frozen": ("frozen",),
    "black": ("dark",),
    "covered": ("covered",),
    "turned": ("moved",),
    "flapping": (),  # whatever it is called: it must come back
    "reboot": ("unreachable", "connecting"),
}
"""What a camera must be called that is faulty in this way; empty: nothing is asked."""


class ClipPlan(Section):
    """A clip that comes with the program, encoded anew as a street camera would send it."""

    of: str = Field(description="name of the clip")
    fps: float = Field(5.0, ge=1, le=60)
    key_every_s: float = Field(5.0, gt=0, le=60)
    codec: Literal["h264", "h265"] = "h264"
    width: int = Field(640, ge=64, le=3840, multiple_of=2)
    height: int = Field(360, ge=64, le=2160, multiple_of=2)
    slower: float = Field(1.0, ge=1, le=20, description="the street moves this much slower")
    lead_s: float | None = Field(
        None, ge=0, le=3600, description="before a hazard the street is quiet for so long"
    )
    stays_s: float | None = Field(
        None, ge=0, le=3600, description="what has happened stays for so long, then all starts over"
    )


class FaultPlan(Section):
    """What goes wrong with all cameras of a group, from ``at_s`` on, for ``for_s`` seconds."""

    way: Way
    at_s: Seconds
    for_s: Seconds = Field(gt=0)
    states: tuple[CameraState, ...] | None = Field(
        None, description="what the cameras must be called; null: as this way is called"
    )

    @property
    def ends_s(self) -> float:
        return self.at_s + self.for_s

    @property
    def wanted(self) -> tuple[CameraState, ...]:
        return STATES[self.way] if self.states is None else self.states


class GroupPlan(Section):
    """Cameras that show the same kind of thing and share a fate. No count: all that are left."""

    name: str = Field(pattern=r"^[a-z0-9_-]{1,20}$")
    share: Share | None = None
    cameras: int | None = Field(None, ge=1)
    clips: tuple[str, ...] = Field(min_length=1)
    policy: Literal["keys", "auto", "all"] | None = None
    interval_s: float | None = Field(None, gt=0)
    faults: tuple[FaultPlan, ...] = ()

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if self.share is not None and self.cameras is not None:
            raise ValueError("either share or cameras")
        for one, other in pairwise(sorted(self.faults, key=lambda fault: fault.at_s)):
            if other.at_s < one.ends_s:
                raise ValueError(f"{other.way} begins before {one.way} ends")
        return self


class RedisFaultPlan(Section):
    """What goes wrong between the daemon and Redis."""

    way: Literal["cut", "slow", "half_open"]
    at_s: Seconds
    for_s: Seconds = Field(gt=0)
    delay_s: float = Field(0.5, gt=0, le=60, description="of each piece that passes, when slow")


class KillPlan(Section):
    """Which processes are killed (SIGKILL) from ``from_s`` on, and how often."""

    from_s: Seconds
    every_s: float = Field(60.0, gt=0)
    to_s: Seconds = Field(30 * 86400.0, description="none is killed from here on")


class Limits(Section):
    """What is good enough; null: told, but not judged."""

    warm_up_s: Seconds = Field(60.0, description="growth and gaps are measured from here on")
    live_within_s: Seconds | None = 120.0
    unseen_keys: Share | None = Field(0.0, description="share of key frames that ingest missed")
    longest_gap_to_mean: float | None = Field(
        None, description="longest gap between looks, against the mean gap of all cameras"
    )
    longest_gap_s: Seconds | None = Field(None, description="of cameras that nothing is wrong with")
    state_within_s: Seconds | None = 30.0
    back_within_s: Seconds | None = 60.0
    reconnects: int | None = Field(None, description="of cameras that nothing is wrong with")
    cpu_percent_per_camera: float | None = Field(None, description="of one core, whole daemon")
    memory_mib_per_camera: float | None = None
    memory_growth_percent: float | None = Field(None, description="by the slope, from warm_up_s on")
    growth_fds: int | None = 16
    growth_threads: int | None = 8
    growth_shared_mib: float | None = 16.0
    lost: int | None = Field(0, description="planted hazards without a ticket")
    doubled: int | None = Field(0, description="further tickets of one planted hazard")
    not_planted: int | None = Field(None, description="tickets that nobody planted")
    stop_within_s: Seconds | None = 30.0


class Scenario(Section):
    """All of a rehearsal."""

    about: str = Field("", description="a sentence for whoever chooses one")
    cameras: int = Field(16, ge=1, le=100_000)
    seconds: float = Field(60.0, gt=0, le=30 * 86400)
    cameras_per_host: int = Field(16, ge=1, le=10_000)
    clips: dict[str, ClipPlan] = Field(min_length=1)
    groups: tuple[GroupPlan, ...] = Field(min_length=1)
    redis: tuple[RedisFaultPlan, ...] = ()
    kill_workers: KillPlan | None = None
    kill_daemon: KillPlan | None = None
    settings: dict[str, Any] = Field({}, description="settings of the daemon, as in its file")
    limits: Limits = Limits()
    seed: int = 1
    _source: str = PrivateAttr("")

    @property
    def source(self) -> str:
        """Where it was read from, for messages."""
        return self._source

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [group.name for group in self.groups]
        if len(set(names)) < len(names):
            raise ValueError(f"a group's name stands twice in {', '.join(names)}")
        for group in self.groups:
            for clip in group.clips:
                if clip not in self.clips:
                    known = ", ".join(self.clips)
                    raise ValueError(f"group {group.name} shows {clip}, clips has {known}")
        if sum(group.share is None and group.cameras is None for group in self.groups) > 1:
            raise ValueError("more than one group without share or cameras")
        return self

    def sizes(self) -> dict[str, int]:
        """How many cameras each group has. Raises ScenarioError when they are too many."""
        sizes = {
            group.name: group.cameras or max(1, round((group.share or 0.0) * self.cameras))
            for group in self.groups
            if group.cameras is not None or group.share is not None
        }
        left = self.cameras - sum(sizes.values())
        rest = [group.name for group in self.groups if group.name not in sizes]
        if left < 0 or (left > 0 and not rest) or (left == 0 and rest):
            raise ScenarioError(
                "the groups don't add up",
                file=self._source,
                where="groups",
                found=f"{self.cameras} cameras, of which in groups "
                + ", ".join(f"{name} {count}" for name, count in sizes.items()),
                allowed="groups that have room in it; one without share and cameras takes the rest",
            )
        return {group.name: sizes.get(group.name, left) for group in self.groups}


def scenario_file(name: str) -> Path:
    """The file of a scenario by name (``smoke``) or path."""
    folder = shipped("configs/rehearsals")
    return type(folder)(name) if name.endswith((".yaml", ".yml")) else folder / f"{name}.yaml"


def load_scenario(name: str) -> Scenario:
    """A scenario that comes with the program, or one's own file.

    Raises ScenarioError that names file, field, what was found and what is allowed.
    """
    file = scenario_file(name)
    try:
        values = load_yaml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        known = sorted(path.stem for path in shipped("configs/rehearsals").glob("*.yaml"))
        raise ScenarioError(
            "cannot be read",
            file=file,
            found=getattr(error, "strerror", None) or "no text in UTF-8",
            allowed=f"{', '.join(known)}, or a path that ends in .yaml",
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise ScenarioError(
            "is not YAML",
            file=file,
            where=None if mark is None else f"line {mark.line + 1}",
            found=getattr(error, "problem", None) or error,
        ) from None
    return parse_scenario(values, file=str(file))


def parse_scenario(values: Any, *, file: str) -> Scenario:
    """The scenario of these values. Raises ScenarioError."""
    if not isinstance(values, dict):
        raise ScenarioError("is not a mapping", file=file, found=type(values).__name__)
    try:
        scenario = Scenario.model_validate(values)
    except ValidationError as error:
        faults = error.errors()
        fault = next((one for one in faults if one["type"] == "extra_forbidden"), faults[0])
        known = _fields_at(fault["loc"][:-1])
        raise ScenarioError.from_validation(error, file=file, known=known) from None
    scenario._source = file  # noqa: SLF001 - its own module
    scenario.sizes()
    return scenario


def _fields_at(loc: tuple[int | str, ...]) -> list[str]:
    """The fields of the section that a validation error's place lies in."""
    kind: Any = Scenario
    for part in loc:
        if isinstance(kind, type) and issubclass(kind, BaseModel) and part in kind.model_fields:
            kind = kind.model_fields[str(part)].annotation
        while not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            sections = [one for one in get_args(kind) if one not in (str, int, type(None), ...)]
            if not sections:
                return []
            kind = sections[0]
    return sorted(kind.model_fields)
