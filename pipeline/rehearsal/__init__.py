"""A pretend town: RTSP city server and the demo."""

from pipeline.rehearsal.channel import Fault, FaultKind
from pipeline.rehearsal.city import City, CityCamera, running_city
from pipeline.rehearsal.rtsp import Login
from pipeline.rehearsal.stage import CLIPS, Expected, expected, load_clips, place_cameras, set_up

__all__ = [
    "CLIPS",
    "City",
    "CityCamera",
    "Expected",
    "Fault",
    "FaultKind",
    "Login",
    "expected",
    "load_clips",
    "place_cameras",
    "running_city",
    "set_up",
]
