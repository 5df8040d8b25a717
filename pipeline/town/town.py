"""The whole town in one value: cameras, grids and duties, checked against each other."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import CameraListError, CoordinateError
from pipeline.town.camera_list import load_cameras
from pipeline.town.datum import from_wgs84, to_wgs84
from pipeline.town.duties import load_duties
from pipeline.town.grid_file import load_grids
from pipeline.town.holidays import Holidays, load_holidays

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.settings import TownSettings
    from pipeline.town.camera import Camera
    from pipeline.town.duties import Duties
    from pipeline.town.grids import GridMap

# A camera on the other side of the border road is no mistake; one shifted by GCJ-02 is 600 m off.
_BORDER_M = 200.0
_FOREIGN_M = 20_000.0
# Readings in which a mixed-up list makes sense, and what each would be mistaken for.
_READINGS = ("wgs84", "gcj02", "bd09")


@dataclass(frozen=True, slots=True, eq=False)
class Town:
    """Cameras, grids and duties of one town."""

    cameras: tuple[Camera, ...]
    grids: GridMap
    duties: Duties
    holidays: Holidays = field(default_factory=Holidays)
    _by_id: dict[str, Camera] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {camera.camera_id: camera for camera in self.cameras})

    def camera(self, camera_id: str) -> Camera:
        """The camera of this id; CameraListError names those that look like it."""
        camera = self._by_id.get(camera_id)
        if camera is None:
            near = difflib.get_close_matches(camera_id, self._by_id, n=3)
            raise CameraListError(
                "no such camera",
                found=repr(camera_id),
                allowed=f"one of the list, e.g. {', '.join(near)}" if near else "one of the list",
            )
        return camera


def load_town(settings: TownSettings) -> Town:
    """Read the three files and check that they are of one town.

    Raises CameraListError, GridMapError, DutiesError or HolidaysError for a file that is wrong in
    itself, and
    CoordinateError for cameras that lie outside the town as declared but would lie inside it in
    another datum, or that are another town's.
    """
    grids = load_grids(settings.grids)
    cameras = load_cameras_in(settings.cameras, grids)
    days = Holidays() if settings.holidays is None else load_holidays(settings.holidays)
    return Town(cameras, grids, load_duties(settings.duties), days)


def load_cameras_in(path: Path, grids: GridMap) -> tuple[Camera, ...]:
    """Read a camera list and check that it is of the town of this map; raises as ``load_town``."""
    cameras = load_cameras(path)
    _check_places(cameras, grids, path)
    return cameras


def _check_places(cameras: tuple[Camera, ...], grids: GridMap, file: Path) -> None:
    for camera in cameras:
        outside_m = grids.outside_m((camera.lon, camera.lat))
        if outside_m <= _BORDER_M:
            continue
        sense = _sense(camera, grids)
        if sense is None and outside_m <= _FOREIGN_M:
            continue  # a neighbour's camera that looks at us; the first-level grid owns it
        raise CoordinateError(
            f"lies {outside_m / 1000:.1f} km outside {grids.top.name} as {camera.declared_datum}",
            file=file,
            where=f"camera {camera.camera_id}",
            found=f"{camera.lon:.6f}, {camera.lat:.6f} (wgs84)",
            allowed=f"it makes sense as {sense}" if sense else "a place in or near the town",
        )


def _sense(camera: Camera, grids: GridMap) -> str | None:
    """The datum that would put the camera inside the town."""
    written = from_wgs84(camera.lon, camera.lat, camera.declared_datum)
    for datum in _READINGS:
        if datum == camera.declared_datum:
            continue
        try:
            if grids.outside_m(to_wgs84(*written, datum)) == 0:
                return datum
        except CoordinateError:
            continue
    return None
