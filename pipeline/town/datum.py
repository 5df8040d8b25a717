"""Coordinates at the border of the package: everything inside is WGS-84, outside names its datum.

GCJ-02 (Gaode, Tencent) and BD-09 (Baidu) have no published definition; the formulas are those of
the open implementations that agree with the map services (eviltransform, coordtransform).
CGCS2000 equals WGS-84 within decimetres and is taken as equal.
"""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from math import atan2, cos, hypot, isfinite, pi, radians, sin, sqrt
from typing import TYPE_CHECKING

from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from pipeline.errors import CoordinateError

if TYPE_CHECKING:
    from collections.abc import Callable

DATUMS = ("wgs84", "gcj02", "bd09", "cgcs2000")
ALLOWED = f"{', '.join(DATUMS)}, or a projected CGCS2000 code such as epsg:4547 (x, y in metres)"

_SAME = {"epsg4326": "wgs84", "epsg4490": "cgcs2000", "gps": "wgs84"}
# Where the offset of GCJ-02 is defined, in degrees: west, south, east, north.
_CHINA = (72.004, 0.8293, 137.8347, 55.8271)
# The Krasovsky 1940 ellipsoid, which the offset formula is built on.
_AXIS_M = 6378245.0
_ECCENTRICITY_2 = 0.00669342162296594323
_BAIDU_TURN = pi * 3000 / 180
_AREA_MARGIN_DEG = 1.0  # a town on the edge of a zone may use its neighbour's


def to_wgs84(lon: float, lat: float, datum: str | None) -> tuple[float, float]:
    """(lon, lat) in WGS-84 of a coordinate in ``datum``.

    ``datum`` is one of DATUMS, or ``epsg:N`` of a projected CGCS2000 system; then ``lon`` is the
    easting x and ``lat`` the northing y in metres. The inverses of GCJ-02 and BD-09 are iterated
    to about a nanometre. Raises CoordinateError, naming what the coordinate would make sense as.
    """
    name = datum_name(datum)
    _check_finite(lon, lat, name)
    if name.startswith("epsg:"):
        return _from_projected(lon, lat, name)
    _check_degrees(lon, lat, name)
    if name == "gcj02":
        return _inverse(_gcj02, lon, lat)
    if name == "bd09":
        return _inverse(_gcj02, *_inverse(_bd09, lon, lat))
    return float(lon), float(lat)


def from_wgs84(lon: float, lat: float, datum: str | None) -> tuple[float, float]:
    """A WGS-84 place as (lon, lat) of another datum, or (easting, northing) of ``epsg:N``."""
    name = datum_name(datum)
    _check_finite(lon, lat, "wgs84")
    _check_degrees(lon, lat, name if name in ("gcj02", "bd09") else "wgs84")
    if name.startswith("epsg:"):
        x, y = _transformer(name).transform(lon, lat, direction="INVERSE", errcheck=False)
        return float(x), float(y)
    if name == "gcj02":
        return _gcj02(lon, lat)
    if name == "bd09":
        return _bd09(*_gcj02(lon, lat))
    return float(lon), float(lat)


def datum_name(datum: str | None) -> str:
    """The canonical name: ``WGS-84`` -> ``wgs84``, ``EPSG:4547`` -> ``epsg:4547``."""
    if datum is None or not datum.strip():
        raise CoordinateError("a coordinate without a datum", allowed=ALLOWED)
    plain = re.sub(r"[\s_:-]", "", datum.lower())
    name = _SAME.get(plain, plain)
    if name in DATUMS:
        return name
    if re.fullmatch(r"epsg\d{4,6}", plain):
        name = f"epsg:{plain[4:]}"
        _transformer(name)
        return name
    near = difflib.get_close_matches(plain, DATUMS, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise CoordinateError("unknown datum", found=repr(datum), allowed=ALLOWED + hint)


def _gcj02(lon: float, lat: float) -> tuple[float, float]:
    x, y = lon - 105, lat - 35
    waves = 20 * sin(6 * x * pi) + 20 * sin(2 * x * pi)
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x))
    north += (waves + 20 * sin(y * pi) + 40 * sin(y / 3 * pi)) * 2 / 3
    north += (160 * sin(y / 12 * pi) + 320 * sin(y * pi / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x))
    east += (waves + 20 * sin(x * pi) + 40 * sin(x / 3 * pi)) * 2 / 3
    east += (150 * sin(x / 12 * pi) + 300 * sin(x / 30 * pi)) * 2 / 3
    phi = radians(lat)
    squashed = 1 - _ECCENTRICITY_2 * sin(phi) ** 2
    meridian_m = _AXIS_M * (1 - _ECCENTRICITY_2) / squashed**1.5
    parallel_m = _AXIS_M / sqrt(squashed) * cos(phi)
    return lon + east / parallel_m * 180 / pi, lat + north / meridian_m * 180 / pi


def _bd09(lon: float, lat: float) -> tuple[float, float]:
    """From GCJ-02."""
    distance = hypot(lon, lat) + 0.00002 * sin(lat * _BAIDU_TURN)
    angle = atan2(lat, lon) + 0.000003 * cos(lon * _BAIDU_TURN)
    return distance * cos(angle) + 0.0065, distance * sin(angle) + 0.006


def _inverse(
    forward: Callable[[float, float], tuple[float, float]], lon: float, lat: float
) -> tuple[float, float]:
    """Fixed-point iteration: the offset changes by about a thousandth of the way moved."""
    x, y = lon, lat
    for _ in range(30):
        east, north = forward(x, y)
        step_x, step_y = lon - east, lat - north
        x, y = x + step_x, y + step_y
        if abs(step_x) + abs(step_y) < 1e-14:
            break
    return x, y


def _from_projected(x: float, y: float, name: str) -> tuple[float, float]:
    if abs(x) <= 180 and abs(y) <= 180:
        raise CoordinateError(
            f"degrees given under {name}, which is in metres",
            found=f"({x}, {y})",
            allowed="wgs84 or cgcs2000 for degrees; easting x and northing y in metres here",
        )
    if not _fits(x, y, name):
        raise CoordinateError(
            f"lies outside the area of {name}",
            found=f"x={x}, y={y}",
            allowed=_sense_of_metres(x, y, name),
        )
    lon, lat = _transformer(name).transform(x, y, errcheck=False)
    return float(lon), float(lat)


def _fits(x: float, y: float, name: str) -> bool:
    lon, lat = _transformer(name).transform(x, y, errcheck=False)
    west, south, east, north = _area(name)
    margin = _AREA_MARGIN_DEG
    inside = west - margin <= lon <= east + margin and south - margin <= lat <= north + margin
    return bool(inside)


def _sense_of_metres(x: float, y: float, name: str | None = None) -> str:
    """In words: under which projected datum a pair of metres would lie in China."""
    if name is not None and _fits(y, x, name):
        return "easting first: it makes sense with x and y exchanged"
    if 25e6 <= x < 46e6:  # the zone number stands before the easting
        zoned = f"epsg:{4513 + int(x // 1e6) - 25}"
        if zoned != name and _fits(x, y, zoned):
            return f"it makes sense as {zoned} (zone {int(x // 1e6)})"
    if 2e5 <= x <= 8e5 and 1.7e6 <= y <= 6e6:
        return (
            "it makes sense as metres of a projected datum without a zone number, "
            "such as epsg:4547 (central meridian 114)"
        )
    return ALLOWED


def _check_finite(lon: float, lat: float, name: str) -> None:
    if not (isfinite(lon) and isfinite(lat)):
        raise CoordinateError(
            f"not a coordinate in {name}", found=f"({lon}, {lat})", allowed="finite numbers"
        )


def _check_degrees(lon: float, lat: float, name: str) -> None:
    found = f"lon={lon}, lat={lat}"
    if not _in_china(lon, lat) and _in_china(lat, lon):
        raise CoordinateError(
            "lon and lat seem exchanged", found=found, allowed=f"it makes sense as {lat}, {lon}"
        )
    if abs(lon) > 180 or abs(lat) > 90:
        raise CoordinateError(
            f"out of range for {name}, which is in degrees",
            found=found,
            allowed="lon -180 to 180, lat -90 to 90; " + _sense_of_metres(lon, lat),
        )
    if name in ("gcj02", "bd09") and not _in_china(lon, lat):
        raise CoordinateError(
            f"{name} exists only in China", found=found, allowed="it makes sense as wgs84"
        )


def _in_china(lon: float, lat: float) -> bool:
    west, south, east, north = _CHINA
    return west <= lon <= east and south <= lat <= north


@lru_cache(maxsize=64)
def _transformer(name: str) -> Transformer:
    """From the projected system to longitude and latitude in its own datum, CGCS2000."""
    try:
        crs = CRS.from_user_input(name)
    except CRSError:
        raise CoordinateError("unknown EPSG code", found=name, allowed=ALLOWED) from None
    if not crs.is_projected or crs.datum is None or crs.datum.name != "China 2000":
        raise CoordinateError(
            "not a projected CGCS2000 system", found=f"{name} ({crs.name})", allowed=ALLOWED
        )
    return Transformer.from_crs(crs, "EPSG:4490", always_xy=True)


@lru_cache(maxsize=64)
def _area(name: str) -> tuple[float, float, float, float]:
    area = CRS.from_user_input(name).area_of_use
    return _CHINA if area is None else (area.west, area.south, area.east, area.north)
