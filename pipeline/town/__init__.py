"""Who and where: cameras, grids, duties, datum conversions and the ground plane."""

from pipeline.town.calibration import Calibration, calibrate
from pipeline.town.camera import (
    Camera,
    GroundPoint,
    Policy,
    Transport,
    Zone,
    ZoneKind,
    masked_url,
)
from pipeline.town.camera_list import ImportReport, import_cameras, load_cameras, write_cameras
from pipeline.town.camera_row import Problem, ground_points_of, zones_of
from pipeline.town.datum import DATUMS, from_wgs84, to_wgs84
from pipeline.town.duties import HAZARDS, Duties, Duty, Limit, load_duties
from pipeline.town.files import write_atomically
from pipeline.town.grid_file import load_grids
from pipeline.town.grids import Grid, GridMap, Member
from pipeline.town.ground import WIDESCREEN, GroundPlane, place_of, plane_of
from pipeline.town.holidays import Holidays, load_holidays
from pipeline.town.list_cells import ground_cells, zone_cells
from pipeline.town.list_file import CameraListFile, Entry, Saved
from pipeline.town.local import LocalFrame, distance_m
from pipeline.town.place import Place, PlaceMethod
from pipeline.town.town import Town, load_cameras_in, load_town

__all__ = [
    "DATUMS",
    "HAZARDS",
    "WIDESCREEN",
    "Calibration",
    "Camera",
    "CameraListFile",
    "Duties",
    "Duty",
    "Entry",
    "Grid",
    "GridMap",
    "GroundPlane",
    "GroundPoint",
    "Holidays",
    "ImportReport",
    "Limit",
    "LocalFrame",
    "Member",
    "Place",
    "PlaceMethod",
    "Policy",
    "Problem",
    "Saved",
    "Town",
    "Transport",
    "Zone",
    "ZoneKind",
    "calibrate",
    "distance_m",
    "from_wgs84",
    "ground_cells",
    "ground_points_of",
    "import_cameras",
    "load_cameras",
    "load_cameras_in",
    "load_duties",
    "load_grids",
    "load_holidays",
    "load_town",
    "masked_url",
    "place_of",
    "plane_of",
    "to_wgs84",
    "write_atomically",
    "write_cameras",
    "zone_cells",
    "zones_of",
]
