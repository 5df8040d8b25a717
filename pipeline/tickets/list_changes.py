"""A camera's entry in its list is changed on record only: who did it, what it was, what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.errors import InputError
from pipeline.town import ground_cells, zone_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.tickets.audit import Audit
    from pipeline.town import Camera, CameraListFile, GroundPoint, Saved, Zone


class ListChanges:
    """Changes of one list. ``origin``: an address or a machine.

    Methods raise CameraListError (CameraListChangedError where the entry is another one now) and
    DeskUnavailableError when the audit can't be written; whatever they raise, nothing was changed.
    """

    def __init__(self, lists: CameraListFile, audit: Audit, *, who: str, origin: str) -> None:
        self._lists = lists
        self._audit = audit
        self._who, self._origin = who, origin
        self._recorded = False

    def put_zones(self, camera_id: str, zones: Sequence[Zone], mark: str) -> Saved:
        """See ``CameraListFile``."""
        try:
            return self._lists.put_zones(
                camera_id, zones, mark, before_it_is_done=self._record_zones
            )
        except InputError as error:
            self._take_back("cameras zones", camera_id, error)
            raise

    def put_ground_points(self, camera_id: str, points: Sequence[GroundPoint], mark: str) -> Saved:
        """See ``CameraListFile``."""
        try:
            return self._lists.put_ground_points(
                camera_id, points, mark, before_it_is_done=self._record_points
            )
        except InputError as error:
            self._take_back("cameras calibrate", camera_id, error)
            raise

    def _record_zones(self, before: Camera, after: Camera) -> None:
        told = [zone_cells(camera.zones) for camera in (before, after)]
        self._record("cameras zones", before.camera_id, told)

    def _record_points(self, before: Camera, after: Camera) -> None:
        told = [ground_cells(camera.ground_points or (), "wgs84") for camera in (before, after)]
        self._record("cameras calibrate", before.camera_id, told)

    def _record(self, action: str, camera_id: str, told: list[Any]) -> None:
        details = {"before": told[0], "after": told[1]}
        self._audit.record(action, camera_id, who=self._who, origin=self._origin, details=details)
        self._recorded = True

    def _take_back(self, action: str, camera_id: str, error: InputError) -> None:
        """What is on record as done, and then could not be, is said not to have been."""
        if self._recorded:
            self._recorded = False
            result = f"not done: {error.problem}"
            self._audit.record(action, camera_id, who=self._who, origin=self._origin, result=result)
