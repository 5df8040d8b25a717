"""A pretend town on a stage: rendered clips as cameras at real places of the grid map."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.shipped import shipped
from pipeline.town import LocalFrame, Zone, load_cameras, load_grids, write_cameras

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.town import Camera

CLIPS = Path(__file__).parent / "clips"

# The demo shows within a minute what a town would wait longer for.
DEMO_HAZARDS: dict[str, Any] = {
    "road": {"dwell_s": 4},
    "blockage": {"crash_dwell_s": 6, "vehicle_dwell_s": 10, "object_dwell_s": 8},
    "crowd": {"people": 15, "dwell_s": 6},
}


@dataclass(frozen=True, slots=True)
class ClipHazard:
    """A hazard planted in a clip: where it lies on the ground as seen from the camera."""

    hazard: str
    start_s: float
    ahead_m: float
    right_m: float


@dataclass(frozen=True, slots=True)
class StreetClip:
    """A rendered clip with the exact pose of its camera."""

    name: str
    path: Path
    height_m: float
    pitch_deg: float
    hfov_deg: float
    zones: tuple[Zone, ...]
    hazards: tuple[ClipHazard, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """The ticket that must arrive: this hazard, from this camera, in this grid's queue."""

    hazard: str
    camera_id: str
    grid_code: str


def load_clips(folder: Path = CLIPS) -> list[StreetClip]:
    """The clips that come with the program; those with a hazard first."""
    told = json.loads((folder / "cameras.json").read_text(encoding="utf-8"))
    clips = [_clip(folder, name, values) for name, values in told.items()]
    return sorted(clips, key=lambda clip: (not clip.hazards, clip.name))


def _clip(folder: Path, name: str, values: dict[str, Any]) -> StreetClip:
    return StreetClip(
        name=name,
        path=folder / f"{name}.mp4",
        height_m=values["height_m"],
        pitch_deg=values["pitch_deg"],
        hfov_deg=values["hfov_deg"],
        zones=tuple(
            Zone(kind, tuple((u, v) for u, v in polygon))
            for kind, polygons in values["zones"].items()
            for polygon in polygons
        ),
        hazards=tuple(
            ClipHazard(one["hazard"], one["start_s"], one["ahead_m"], one["right_m"])
            for one in values["hazards"]
        ),
    )


def place_cameras(clips: Sequence[StreetClip], count: int) -> dict[str, tuple[Camera, StreetClip]]:
    """``count`` cameras of Yulong, spread over its grids, each showing a clip.

    Every clip with a hazard is shown once; the other cameras see quiet streets.
    """
    town = load_cameras(shipped("configs/yulong/cameras.csv"))
    chosen = [town[(at * len(town)) // count] for at in range(count)]
    quiet = [clip for clip in clips if not clip.hazards]
    shown = [clip for clip in clips if clip.hazards][:count]
    shown += [quiet[at % len(quiet)] for at in range(count - len(shown))]
    return {
        camera.camera_id: (posed(camera, clip), clip)
        for camera, clip in zip(chosen, shown, strict=True)
    }


def posed(camera: Camera, clip: StreetClip) -> Camera:
    """The camera with the pose and the zones of the clip it shows."""
    return replace(
        camera,
        height_m=clip.height_m,
        pitch_deg=clip.pitch_deg,
        hfov_deg=clip.hfov_deg,
        zones=clip.zones,
        ground_points=None,
    )


def set_up(
    folder: Path,
    cameras: dict[str, tuple[Camera, StreetClip]],
    urls: dict[str, str],
    more: Mapping[str, Any] | None = None,
) -> Path:
    """Write cameras.csv and settings.yaml of the stage; returns the settings file.

    ``more`` are settings that take the place of the stage's own, section by section.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_cameras(
        folder / "cameras.csv",
        [replace(camera, url=urls[camera_id]) for camera_id, (camera, _) in cameras.items()],
    )
    settings = {
        "town": {
            "cameras": "cameras.csv",
            "grids": str(shipped("configs/yulong/grids.geojson")),
            "duties": str(shipped("configs/yulong/duties.yaml")),
        },
        "data_dir": "data",
        # Five pictures a second with a key frame each second: look at those between, too.
        "ingest": {"policy": "auto", "interval_s": 0.5},
        "hazards": DEMO_HAZARDS,
        # Nobody must act upon what a pretend town finds.
        "notify": {"cap": {"status": "Test"}},
    }
    file = folder / "settings.yaml"
    text = yaml.safe_dump(settings | dict(more or {}), allow_unicode=True)
    file.write_text(text, encoding="utf-8")
    return file


def expected(cameras: dict[str, tuple[Camera, StreetClip]]) -> list[Expected]:
    """The tickets that the planted hazards must become, by exact geometry and the grid map."""
    grids = load_grids(shipped("configs/yulong/grids.geojson"))
    return [
        Expected(one.hazard, camera_id, grids.owner(lonlat_of(camera, one)).code)
        for camera_id, (camera, clip) in cameras.items()
        for one in clip.hazards
    ]


def lonlat_of(camera: Camera, hazard: ClipHazard) -> tuple[float, float]:
    """Where the hazard lies, in degrees WGS-84."""
    assert camera.heading_deg is not None
    heading = math.radians(camera.heading_deg)
    east = hazard.ahead_m * math.sin(heading) + hazard.right_m * math.cos(heading)
    north = hazard.ahead_m * math.cos(heading) - hazard.right_m * math.sin(heading)
    return LocalFrame(camera.lon, camera.lat).lonlat(east, north)
