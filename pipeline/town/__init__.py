"""Who and where: cameras, grids, duties, datum conversions and the ground plane."""

from pipeline.town.camera import Camera, GroundPoint, Policy, Zone, ZoneKind, masked_url
from pipeline.town.datum import DATUMS, from_wgs84, to_wgs84
from pipeline.town.duties import HAZARDS, Duties, Duty, Limit, load_duties
from pipeline.town.ground import GroundPlane, place_of, plane_of
from pipeline.town.local import LocalFrame, distance_m
from pipeline.town.place import Place, PlaceMethod

__all__ = [
    "DATUMS",
    "HAZARDS",
    "Camera",
    "Duties",
    "Duty",
    "GroundPlane",
    "GroundPoint",
    "Limit",
    "LocalFrame",
    "Place",
    "PlaceMethod",
    "Policy",
    "Zone",
    "ZoneKind",
    "distance_m",
    "from_wgs84",
    "load_duties",
    "masked_url",
    "place_of",
    "plane_of",
    "to_wgs84",
]
