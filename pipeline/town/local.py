"""Metres around a place: good to a few centimetres within a town."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, hypot, radians
from typing import Protocol


class HasPlace(Protocol):
    @property
    def lon(self) -> float: ...
    @property
    def lat(self) -> float: ...


def metres_per_degree(lat: float) -> tuple[float, float]:
    """Metres per degree of longitude and of latitude on the WGS-84 ellipsoid at this latitude."""
    phi = radians(lat)
    east = 111412.84 * cos(phi) - 93.5 * cos(3 * phi) + 0.118 * cos(5 * phi)
    north = 111132.92 - 559.82 * cos(2 * phi) + 1.175 * cos(4 * phi)
    return east, north


def distance_m(a: HasPlace, b: HasPlace) -> float:
    """Metres between two places of one town."""
    east, north = metres_per_degree((a.lat + b.lat) / 2)
    return hypot((a.lon - b.lon) * east, (a.lat - b.lat) * north)


@dataclass(frozen=True, slots=True)
class LocalFrame:
    """Metres east and north of an origin in WGS-84."""

    lon: float
    lat: float

    def xy(self, lon: float, lat: float) -> tuple[float, float]:
        east, north = metres_per_degree(self.lat)
        return (lon - self.lon) * east, (lat - self.lat) * north

    def lonlat(self, x_m: float, y_m: float) -> tuple[float, float]:
        east, north = metres_per_degree(self.lat)
        return self.lon + x_m / east, self.lat + y_m / north
