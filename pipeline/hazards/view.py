"""What one camera's picture means on the ground: zones, places and sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shapely import LineString, Polygon, contains_xy, prepare, union_all

from pipeline.errors import CalibrationError
from pipeline.town import place_of, plane_of

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from pipeline.hazards.boxes import Box
    from pipeline.hazards.incident import Unit
    from pipeline.town import Camera, Place, ZoneKind


class View:
    """Zones and ground plane of ``camera`` for pictures of ``aspect`` (width over height).

    Boxes come in picture heights; ``unit`` gives them in 0..1 of the picture on both axes. A pose
    or marks that don't fit such pictures leave the camera without a ground plane; ``misfit`` says
    why.
    """

    def __init__(self, camera: Camera, aspect: float) -> None:
        self.camera = camera
        self.aspect = aspect
        self.misfit: CalibrationError | None = None
        try:
            self.plane = plane_of(camera, aspect)
        except CalibrationError as error:
            self.plane, self.misfit = None, error
        self._ignored = _area(camera, "ignore")
        self._carriageway = _area(camera, "carriageway")
        self._walkable = _area(camera, "carriageway", "footway")

    @property
    def has_carriageway(self) -> bool:
        """True if somebody has drawn where vehicles drive."""
        return self._carriageway is not None

    def on_carriageway(self, box: Box) -> bool:
        """True if the thing stands on the carriageway; without zones the whole picture is one."""
        return self._stands_in(box, self._carriageway)

    def on_ground(self, box: Box) -> bool:
        """True if a person stands where people are counted: carriageway or footway."""
        return self._stands_in(box, self._walkable)

    def part_of_width(self, box: Box) -> float:
        """Part of the drawn carriageway's width, 0 to 1, that ``box`` closes where it stands.

        0 where nobody has drawn one.
        """
        if self._carriageway is None:
            return 0.0
        x1, _, x2, y2 = self.unit(box)
        there = self._carriageway.intersection(LineString([(0, y2), (1, y2)]))
        closed = there.intersection(LineString([(x1, y2), (x2, y2)]))
        return float(closed.length / there.length) if there.length else 0.0

    def unit(self, box: Box) -> Unit:
        x1, y1, x2, y2 = (float(value) for value in box)
        return (
            min(max(x1 / self.aspect, 0.0), 1.0),
            min(max(y1, 0.0), 1.0),
            min(max(x2 / self.aspect, 0.0), 1.0),
            min(max(y2, 0.0), 1.0),
        )

    def place(self, box: Box) -> Place:
        """Place of the middle of the bottom edge; the camera's own where the ground has none."""
        x1, _, x2, y2 = self.unit(box)
        return place_of(self.camera, self.plane, (x1 + x2) / 2, y2)

    def ground_xy(self, box: Box) -> tuple[float, float] | None:
        """Metres east and north of the camera, of the middle of the bottom edge."""
        if self.plane is None:
            return None
        x1, _, x2, y2 = self.unit(box)
        return self.plane.ground_xy((x1 + x2) / 2, y2)

    def size_m(self, box: Box) -> tuple[float, float] | None:
        """Width (m) and area (m²) of a flat thing on the ground; None without a ground plane."""
        return None if self.plane is None else self.plane.size_m(self.unit(box))

    def _stands_in(self, box: Box, area: BaseGeometry | None) -> bool:
        x1, y1, x2, y2 = self.unit(box)
        u, v = (x1 + x2) / 2, y2 - 0.05 * (y2 - y1)  # a touch above the edge: boxes are loose
        if self._ignored is not None and contains_xy(self._ignored, u, v):
            return False
        return area is None or bool(contains_xy(area, u, v))


def _area(camera: Camera, *kinds: ZoneKind) -> BaseGeometry | None:
    zones = camera.zones_of(*kinds)
    if not zones:
        return None
    area = union_all([Polygon(zone.polygon) for zone in zones])
    prepare(area)
    return area
