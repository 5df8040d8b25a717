"""Every setting, its default and what it means. Read once; handed to the rooms as values.

Precedence, low to high: defaults here, the settings file, the environment
(``GRIDWATCH_HAZARDS__BLOCKAGE__CRASH_DWELL_S=4``), ``--set hazards.blockage.crash_dwell_s=4``.
Paths are relative to the settings file. Unknown keys are refused.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as EnvironmentError_

from pipeline.errors import SettingsError
from pipeline.shipped import shipped
from pipeline.strict_yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Seconds = Annotated[float, Field(ge=0, le=7 * 86400)]
_HOST = re.compile(r"([^\s/@:\[\]]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?")
Probability = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TownSettings(Section):
    """The three files that describe the town."""

    cameras: Path = Field(Path("cameras.csv"), description="camera list, CSV or YAML")
    grids: Path = Field(Path("grids.geojson"), description="grid map, GeoJSON")
    duties: Path = Field(Path("duties.yaml"), description="duties per hazard, YAML")


class RedisSettings(Section):
    """Where tickets live."""

    url: str | None = Field(
        None,
        description="redis://, rediss:// or unix:// URL; null starts a private Redis in data_dir",
    )
    prefix: str = Field(
        "gridwatch",
        pattern=r"^[A-Za-z0-9_.-]{1,40}$",
        description="hash tag of every key, so that towns can share a Redis or a cluster",
    )
    timeout_s: Seconds = Field(5.0, description="longest wait for one answer from Redis")


class ModelSettings(Section):
    """Which detector runs, and on what."""

    path: Path = Field(
        default_factory=lambda: shipped("models/street-n.onnx"),
        description="ONNX file, its card beside it; default: the model that comes with gridwatch",
    )
    threads: int = Field(0, ge=0, le=256, description="CPU threads of the session; 0: all cores")
    batch: int = Field(8, ge=1, le=256, description="largest batch of looks")
    close_after_s: Seconds = Field(0.03, description="a batch that isn't full leaves after this")


class RoadLookSettings(Section):
    """Windows at (nearly) native resolution over the far carriageway, looked at now and then."""

    most: int = Field(3, ge=0, le=16, description="windows of a camera at most; 0: no road looks")
    interval_s: Seconds = Field(
        10.0, gt=0, le=20, description="every window of a camera is looked at this often"
    )
    hole_m: float = Field(0.7, gt=0, le=20, description="the smallest hole that must be seen")
    seen_px: float = Field(
        12.0, gt=0, le=200, description="side in a look's pixels from which it sees a hole well"
    )


class HeadSettings(Section):
    """The model that counts heads where boxes run together."""

    path: Path | None = Field(
        default_factory=lambda: shipped("models/heads-n.onnx"),
        description="ONNX file, its card beside it; null: people are counted by boxes alone",
    )
    threads: int = Field(0, ge=0, le=256, description="CPU threads of the session; 0: all cores")
    from_people: int = Field(
        8, ge=1, description="a look with so many boxes of people has its heads counted"
    )
    interval_s: float = Field(
        5.0, ge=0, le=15, description="a camera's heads are counted this far apart"
    )


class ScheduleSettings(Section):
    """Whose turn it is when the detector can't look at everything."""

    longest_gap_s: Seconds = Field(
        30.0, gt=0, description="what nobody has looked at for this long goes before all else"
    )
    extra_interval_s: Seconds = Field(
        0.25, gt=0, description="a camera with something unconfirmed is looked at this often"
    )
    extra_share: Probability = Field(
        0.25, description="share of what the detector can do that such cameras may take"
    )


class CoverageSettings(Section):
    """The record of which camera was looked at when."""

    keep_days: int = Field(7, ge=1, le=366, description="days until it is forgotten")


class HostSettings(Section):
    """What is known of one device that serves cameras: a recorder or a camera."""

    sessions: int | None = Field(
        None,
        ge=1,
        description="streams it gives us at the same time at most; cameras beyond take turns",
    )
    verify: bool | None = Field(
        None, description="check its certificate (rtsps); null: as ingest.tls.verify says"
    )


def _hosts(hosts: dict[str, HostSettings]) -> dict[str, HostSettings]:
    """The devices by their addresses as gates know them; no URLs, for they hold passwords."""
    for name in hosts:
        if not _HOST.fullmatch(name):
            raise ValueError('"address" or "address:port", such as "10.0.0.5" or "[fd00::5]:554"')
    return {name.lower(): settings for name, settings in hosts.items()}


class TlsSettings(Section):
    """Whom to believe when a camera is opened by rtsps://."""

    verify: bool = Field(True, description="check that a camera's certificate is good")
    ca_file: Path | None = Field(
        None,
        description="PEM file of certificates that are trusted; null: those the system trusts",
    )


class WorkerSettings(Section):
    """Processes that read the cameras, replaced when they die, hang or grow."""

    cameras_at_most: int = Field(
        150, ge=1, le=1000, description="cameras of one worker process; as many workers as needed"
    )
    memory_mb: int | None = Field(
        1500, ge=100, description="a worker that grows beyond this is renewed; null: none is"
    )
    silent_after_s: Seconds = Field(
        10.0, ge=2, description="a worker without a sign of life for so long is replaced"
    )


class IngestSettings(Section):
    """How pictures are taken in."""

    policy: Literal["keys", "auto", "all", "visit"] | None = Field(
        None, description="which frames become looks; null: keys for live cameras, auto for files"
    )
    interval_s: Seconds = Field(0.5, gt=0, description="a camera's looks are this far apart")
    transport: Literal["tcp", "udp"] = Field(
        "tcp",
        description="how cameras send; udp: for lines on which late pictures are worse than lost "
        "ones, and H.264 alone (H.265 is then fetched by tcp)",
    )
    road_looks: RoadLookSettings = RoadLookSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    coverage: CoverageSettings = CoverageSettings()
    workers: WorkerSettings = WorkerSettings()
    open_timeout_s: Seconds = Field(5.0, gt=0, description="longest wait for a camera to open")
    read_timeout_s: Seconds = Field(10.0, gt=0, description="longest silence of a live camera")
    stalled_after_s: Seconds = Field(
        25.0, gt=0, description="a camera without a new picture for so long counts as stalled"
    )
    picture_fault_s: Seconds = Field(
        20.0, gt=0, description="a picture frozen or dark for so long is the camera's state"
    )
    backoff_first_s: Seconds = Field(1.0, gt=0, description="upper bound of the first retry wait")
    backoff_most_s: Seconds = Field(30.0, gt=0, description="upper bound of any retry wait")
    healthy_after_s: Seconds = Field(60.0, description="health that resets the retry wait")
    sessions_per_host: int = Field(
        16, ge=1, description="cameras of one host that may be connecting at the same time"
    )
    hosts: Annotated[dict[str, HostSettings], AfterValidator(_hosts)] = Field(
        default_factory=dict,
        description='limits of single devices, by "address" or "address:port" as in the URLs',
    )
    tls: TlsSettings = TlsSettings()
    visit_every_s: Seconds = Field(
        10.0, gt=0, description="visits to a camera that has no stream of its own begin this apart"
    )
    blip_s: Seconds = Field(5.0, description="a live camera away for less than this stays live")


class RoadSettings(Section):
    """Holes in the carriageway: road_collapse and road_damage."""

    dwell_s: Seconds = Field(6.0, description="how long a hole must be seen before it is believed")
    collapse_area_m2: float = Field(0.5, gt=0, description="from this size on it is a collapse")


class BlockageSettings(Section):
    """What stands or lies where traffic must pass."""

    crash_dwell_s: Seconds = Field(20.0, description="crashed vehicles stand this long")
    vehicle_dwell_s: Seconds = Field(180.0, description="a vehicle stands in the lane this long")
    object_dwell_s: Seconds = Field(60.0, description="a new static thing lies this long")


class CrowdSettings(Section):
    """Many people at one place."""

    people: float = Field(30.0, gt=0, description="people in the zone")
    people_per_m2: float = Field(2.0, gt=0, description="people per square metre of ground")
    dwell_s: Seconds = Field(120.0, description="how long the crowd must hold")


class HazardSettings(Section):
    """What counts as a hazard and how long it must last."""

    road: RoadSettings = RoadSettings()
    blockage: BlockageSettings = BlockageSettings()
    crowd: CrowdSettings = CrowdSettings()
    confirm_score: Probability = Field(0.5, description="summed evidence that confirms")
    clear_looks: int = Field(6, ge=1, description="agreeing free looks that clear an incident")
    clear_s: Seconds = Field(20.0, description="and the time they must span")


class EvidenceSettings(Section):
    """Pictures attached to tickets."""

    jpeg_quality: int = Field(85, ge=30, le=100, description="of the pictures that are kept")
    longest_side_px: int = Field(1280, ge=320, description="larger pictures are scaled down")
    min_free_mb: int = Field(200, ge=0, description="below this much free disk only tickets go on")


class TicketSettings(Section):
    """How incidents become tickets."""

    cool_down_s: Seconds = Field(600.0, description="a ticket closed this recently still merges")
    retry_s: Seconds = Field(2.0, gt=0, description="pause before the outbox tries Redis again")
    evidence: EvidenceSettings = EvidenceSettings()


class TelemetrySettings(Section):
    """Where metrics and health are read: /metrics, /healthz, /readyz."""

    address: str = Field("127.0.0.1", min_length=1, description="address to listen on")
    port: int | None = Field(
        9184, ge=0, le=65535, description="port to listen on; 0: any free one; null: none"
    )
    per_camera: bool = Field(default=True, description="a series for every camera as well")


class Settings(BaseSettings):
    """Everything; see the sections."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="GRIDWATCH_", env_nested_delimiter="__"
    )

    town: TownSettings = TownSettings()
    redis: RedisSettings = RedisSettings()
    data_dir: Path = Field(Path("data"), description="outbox, evidence and the private Redis")
    model: ModelSettings = Field(default_factory=ModelSettings)
    heads: HeadSettings = Field(default_factory=HeadSettings)
    ingest: IngestSettings = IngestSettings()
    hazards: HazardSettings = HazardSettings()
    tickets: TicketSettings = TicketSettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # The environment is merged in load_settings, under --set; here only what is passed.
        return (init_settings,)

    @property
    def views_dir(self) -> Path:
        """Where boxes keep what their cameras' views look like, over a restart."""
        return self.data_dir / "views"

    def digest(self) -> str:
        """Short hash of the settings that decide what is a hazard; kept in every trail."""
        # How cameras are reached and by which processes decides nothing of what is seen.
        ways = {"workers", "coverage", "hosts", "tls"}
        parts = {
            "hazards": self.hazards.model_dump(mode="json"),
            "ingest": self.ingest.model_dump(mode="json", exclude=ways),
        }
        # The model stands in the trail by its own name; where its file lies changes nothing.
        parts["heads"] = self.heads.model_dump(mode="json", exclude={"path", "threads"})
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def load_settings(path: Path | None = None, overrides: Iterable[str] = ()) -> Settings:
    """Settings from a YAML file (or defaults), the environment and ``key=value`` overrides.

    Raises SettingsError that names file, field, what was found and what is allowed.
    """
    values = _read_yaml(path) if path is not None else {}
    origin = {"": str(path) if path is not None else "settings"}
    _merge(values, _environment(), origin, "environment")
    for text in overrides:
        key, separator, value = text.partition("=")
        if not separator or not key.strip():
            raise SettingsError("cannot be read", file="--set", found=text, allowed="key=value")
        parsed = _nested(key.strip().split("."), _scalar(value))
        _merge(values, parsed, origin, f"--set {key.strip()}")
    for key in values:
        # Here, because the library takes some names, such as _env_file, for its own arguments.
        if key not in Settings.model_fields:
            raise _unknown([str(key)], origin)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise _explain(error, origin) from None
    return _absolute(settings, path.parent if path is not None else Path.cwd())


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            "cannot be read", file=path, found=error.strerror, allowed="a YAML file"
        ) from None
    except UnicodeDecodeError:
        raise SettingsError("is not text in UTF-8", file=path, allowed="a YAML file") from None
    try:
        values = load_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise SettingsError(
            "is not YAML",
            file=path,
            where=None if mark is None else f"line {mark.line + 1}",
            found=getattr(error, "problem", None) or error,
        ) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError("is not a mapping of sections", file=path, found=type(values).__name__)
    return values


def _environment() -> dict[str, Any]:
    """Values of GRIDWATCH_SECTION__FIELD; a section that doesn't exist is refused.

    Names without a field may be somebody else's.
    """
    for name in sorted(os.environ):
        section = name.removeprefix("GRIDWATCH_").partition("__")[0].lower()
        nested = name.startswith("GRIDWATCH_") and "__" in name
        if nested and section not in Settings.model_fields:
            raise _unknown([section], {"": f"environment, {name}"})
    source = EnvSettingsSource(Settings, env_ignore_empty=True)
    try:
        return dict(source())
    except EnvironmentError_ as error:
        raise SettingsError(
            "cannot be read", file="environment", where="GRIDWATCH_*", found=error
        ) from None


def _scalar(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text


def _nested(keys: list[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return dict(value)


def _merge(
    into: dict[str, Any], more: Mapping[str, Any], origin: dict[str, str], name: str, path: str = ""
) -> None:
    for key, value in more.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value, origin, name, here)
        else:
            into[key] = value
            origin[here] = name


def _explain(error: ValidationError, origin: Mapping[str, str]) -> SettingsError:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        return _unknown(path, origin)
    return SettingsError(
        "is not allowed",
        file=_source(path, origin),
        where=".".join(path),
        found=_shown(first.get("input")),
        allowed=first["msg"],
    )


def _shown(value: Any) -> str:
    """What was found, without what may be a URL's password."""
    text = repr(value)
    return "a URL" if "://" in text else text


def _unknown(path: list[str], origin: Mapping[str, str]) -> SettingsError:
    names = _fields_of(path[:-1])
    near = difflib.get_close_matches(path[-1], names, n=1)
    return SettingsError(
        "unknown setting",
        file=_source(path, origin),
        where=".".join(path),
        allowed=", ".join(names) + (f" (did you mean {near[0]}?)" if near else ""),
    )


def _source(path: list[str], origin: Mapping[str, str]) -> str:
    """Where the value of a field came from: the file, the environment or a --set."""
    field = ".".join(path) + "."
    known = [prefix for prefix in origin if prefix and field.startswith(prefix + ".")]
    return origin[max(known, key=len)] if known else origin[""]


def _fields_of(path: list[str]) -> list[str]:
    model: Any = Settings
    for part in path:
        fields = getattr(model, "model_fields", None)
        # What is named by the user (dict[str, Section]) has no fields, but what it holds has.
        model = get_args(model)[1] if fields is None else fields[part].annotation
    return sorted(model.model_fields)


def _absolute(settings: Settings, base: Path) -> Settings:
    def at(path: Path) -> Path:
        return Path(os.path.abspath(base / path.expanduser()))  # noqa: PTH100 - keeps symlinks

    town, heads, ingest = settings.town, settings.heads.path, settings.ingest
    ca_file = ingest.tls.ca_file
    return settings.model_copy(
        update={
            "data_dir": at(settings.data_dir),
            "model": settings.model.model_copy(update={"path": at(settings.model.path)}),
            "heads": settings.heads.model_copy(update={"path": heads and at(heads)}),
            "ingest": ingest.model_copy(
                update={"tls": ingest.tls.model_copy(update={"ca_file": ca_file and at(ca_file)})}
            ),
            "town": town.model_copy(
                update={name: at(getattr(town, name)) for name in ("cameras", "grids", "duties")}
            ),
        }
    )
