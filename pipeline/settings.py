"""Every setting, its default and what it means. Read once; handed to the rooms as values.

``settings_file.py`` reads them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from pipeline.settings_base import Seconds
from pipeline.settings_base import Section as Section  # noqa: PLC0414 - handed on to who reads here
from pipeline.settings_notify import NotifySettings, web_address
from pipeline.settings_oidc import OidcSettings
from pipeline.settings_tickets import ArchiveSettings as ArchiveSettings  # noqa: PLC0414 - likewise
from pipeline.settings_tickets import EvidenceSettings as EvidenceSettings  # noqa: PLC0414
from pipeline.settings_tickets import ReportSettings as ReportSettings  # noqa: PLC0414
from pipeline.settings_tickets import StoreSettings as StoreSettings  # noqa: PLC0414
from pipeline.settings_tickets import TicketSettings
from pipeline.shipped import shipped

_HOST = re.compile(r"([^\s/@:\[\]]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?")
Probability = Annotated[float, Field(ge=0, le=1)]


class TownSettings(Section):
    """The files that describe the town."""

    cameras: Path = Field(Path("cameras.csv"), description="camera list, CSV or YAML")
    grids: Path = Field(Path("grids.geojson"), description="grid map, GeoJSON")
    duties: Path = Field(Path("duties.yaml"), description="duties per hazard, YAML")
    holidays: Path | None = Field(
        None, description="holidays and worked weekends, YAML; null: those that are announced"
    )


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


def _engines() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "gridwatch" / "engines"


class ModelSettings(Section):
    """Which detector runs, and on what."""

    path: Path = Field(
        default_factory=lambda: shipped("models/street-n.onnx"),
        description="ONNX file, its card beside it; default: the model that comes with gridwatch",
    )
    fastest: bool = Field(
        True, description="gridwatch run takes the variant NAME-int8.onnx where it is faster"
    )
    provider: Literal["auto", "tensorrt", "cuda", "openvino", "cpu"] = Field(
        "auto", description="what runs the detector; auto: the fastest that is there and works"
    )
    gpu_memory_mib: int = Field(4096, ge=256, description="GPU memory for the detector at most")
    cuda_graphs: bool = Field(False, description="replay CUDA graphs: less work for the CPU a run")
    engines: Path = Field(
        default_factory=_engines, description="folder for engines built for this very hardware"
    )
    threads: int = Field(0, ge=0, le=256, description="looks side by side on a CPU; 0: all cores")
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


class SecondLookSettings(Section):
    """The place of a hazard is looked at in full size before the hazard is believed."""

    on: bool = Field(True, description="whether it is; costs one more look for each hazard")
    model: Path | None = Field(
        None, description="a larger model for it, its card beside it; null: the detector's own"
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
    decoder: Literal["cpu", "nvdec"] = Field(
        "cpu",
        description="where key frames are decoded; nvdec: on the box's NVIDIA GPU, and by the "
        "processor for cameras that it can't decode",
    )
    transport: Literal["tcp", "udp"] = Field(
        "tcp",
        description="how cameras send; udp: for lines on which late pictures are worse than lost "
        "ones, and H.264 alone (H.265 is then fetched by tcp)",
    )
    h265: Literal["prove", "doubt"] = Field(
        "prove",
        description="which H.265 pictures become looks, as no decoder tells their damage; prove: "
        "key frames that are proven whole; doubt: all that don't look torn, which costs less",
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


class Open311Settings(Section):
    """The endpoint for residents' reports (Open311 GeoReport v2)."""

    jurisdiction_id: str | None = Field(
        None, max_length=200, description="of this town; null: whatever a client says is ours"
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s?#]+$",
        description="how clients reach the endpoint, for discovery; null: as they asked",
    )
    contact: str = Field("", max_length=500, description="who helps, for discovery")
    services: list[str] | None = Field(
        None, description="service codes that are offered, e.g. road_damage; null: every duty"
    )
    reports_per_minute: int = Field(30, ge=1, description="of one API key at most")
    reads_per_minute: int = Field(
        120, ge=1, description="of one client's address at most, reports included"
    )
    body_s: Seconds = Field(60.0, gt=0, description="a report must have arrived within this")


class TelemetrySettings(Section):
    """Where metrics and health are read: /metrics, /healthz, /readyz."""

    address: str = Field("127.0.0.1", min_length=1, description="address to listen on")
    port: int | None = Field(
        9184, ge=0, le=65535, description="port to listen on; 0: any free one; null: none"
    )
    per_camera: bool = Field(default=True, description="a series for every camera as well")


class ConsoleSettings(Section):
    """The pages and the API for grid staff."""

    url: Annotated[str | None, AfterValidator(web_address)] = Field(
        None, description="address people open it by, for the links in messages; null: no links"
    )
    session_idle_s: Seconds = Field(
        12 * 3600.0, ge=60, description="who does nothing for so long must sign in again"
    )
    https: bool = Field(
        False, description="browsers reach it by https alone: cookies are sent by nothing else"
    )
    upload_mb: int = Field(
        12, ge=1, le=100, description="a photo that is sent is this large at most"
    )
    tiles: str | None = Field(
        None,
        pattern=r"^(/|https?://)\S+\{z\}\S*$",
        description="own map tiles, e.g. http://10.0.0.9/{z}/{x}/{y}.png; null: none",
    )
    oidc: OidcSettings | None = Field(
        None, description="who vouches for people, beside passwords (OpenID Connect); null: nobody"
    )
    shared_list: bool = Field(
        False, description="boxes on other machines read this very camera list: it is changed here"
    )


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
    second_look: SecondLookSettings = SecondLookSettings()
    ingest: IngestSettings = IngestSettings()
    hazards: HazardSettings = HazardSettings()
    tickets: TicketSettings = TicketSettings()
    open311: Open311Settings = Open311Settings()
    telemetry: TelemetrySettings = TelemetrySettings()
    notify: NotifySettings = NotifySettings()
    console: ConsoleSettings = ConsoleSettings()

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

    @property
    def accounts_file(self) -> Path:
        """Users of the console, their sessions and tokens."""
        return self.data_dir / "accounts.sqlite"

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
        parts["second_look"] = {"on": self.second_look.on}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
