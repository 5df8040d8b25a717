"""Coordinates from outside become WGS-84, or are refused with what they would make sense as."""

from __future__ import annotations

from math import cos, hypot, radians

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import CoordinateError
from pipeline.town.datum import from_wgs84, to_wgs84

YULONG = (113.445, 34.785)

# Published by eviltransform: WGS-84 (lat, lon) -> GCJ-02 (lat, lon).
EVILTRANSFORM = [
    (31.1774276, 121.5272106, 31.17530398364597, 121.531541859215),
    (22.543847, 113.912316, 22.540796131694766, 113.9171764808363),
    (39.911954, 116.377817, 39.91334545536069, 116.38404722455657),
]
# Answers of the Baidu web service itself, WGS-84 (lon, lat) -> BD-09 (lon, lat), as two
# independent projects recorded them for the example of its manual.
BAIDU_SERVICE = [
    (114.21892734521, 29.575429778924, 114.2307519546763, 29.57908428837437),
    (114.21892734521, 29.575429778924, 114.23075654746, 29.579087603387),
]


def metres(a, b):
    north = (a[1] - b[1]) * 111_000
    return hypot(north, (a[0] - b[0]) * 111_320 * cos(radians(a[1])))


@pytest.mark.parametrize("wgs_lat, wgs_lon, gcj_lat, gcj_lon", EVILTRANSFORM)
def test_gcj02_agrees_with_published_points(wgs_lat, wgs_lon, gcj_lat, gcj_lon):
    assert metres(from_wgs84(wgs_lon, wgs_lat, "gcj02"), (gcj_lon, gcj_lat)) < 0.02
    assert metres(to_wgs84(gcj_lon, gcj_lat, "gcj02"), (wgs_lon, wgs_lat)) < 0.02


def test_gcj02_and_bd09_agree_with_coordtransform_to_the_last_digits():
    # coordtransform's own test: the forward steps are exact there, its inverses are not.
    assert from_wgs84(116.404, 39.915, "gcj02") == pytest.approx(
        (116.41024449916938, 39.91640428150164), abs=1e-11
    )
    wgs = to_wgs84(116.404, 39.915, "gcj02")
    assert from_wgs84(*wgs, "bd09") == pytest.approx(
        (116.41036949371029, 39.92133699351021), abs=1e-11
    )


@pytest.mark.parametrize("lon, lat, baidu_lon, baidu_lat", BAIDU_SERVICE)
def test_bd09_agrees_with_the_map_service(lon, lat, baidu_lon, baidu_lat):
    # The service adds noise of its own: its two answers lie 0.6 m apart.
    assert metres(from_wgs84(lon, lat, "bd09"), (baidu_lon, baidu_lat)) < 1.5
    assert metres(to_wgs84(baidu_lon, baidu_lat, "bd09"), (lon, lat)) < 1.5


def test_gcj02_agrees_with_a_surveyed_stadium():
    assert metres(from_wgs84(114.0869236, 22.5621291, "gcj02"), (114.0920540, 22.559447)) < 0.1


def test_the_offsets_at_yulong_are_as_large_as_known():
    assert metres(from_wgs84(*YULONG, "gcj02"), YULONG) == pytest.approx(600, abs=5)
    assert metres(from_wgs84(*YULONG, "bd09"), YULONG) == pytest.approx(1320, abs=15)


@given(
    lon=st.floats(74, 134),
    lat=st.floats(18, 53),
    datum=st.sampled_from(["gcj02", "bd09", "cgcs2000", "wgs84"]),
)
def test_there_and_back_again_within_a_micrometre(lon, lat, datum):
    assert metres(to_wgs84(*from_wgs84(lon, lat, datum), datum), (lon, lat)) < 1e-6


@given(dx=st.floats(-0.5, 0.5), dy=st.floats(-0.5, 0.5))
def test_projected_coordinates_come_back_too(dx, dy):
    place = (YULONG[0] + dx, YULONG[1] + dy)
    for datum in ("epsg:4526", "epsg:4547"):
        assert metres(to_wgs84(*from_wgs84(*place, datum), datum), place) < 1e-5


def test_projected_codes_differ_by_the_zone_number_alone():
    plain, zoned = from_wgs84(*YULONG, "epsg:4547"), from_wgs84(*YULONG, "EPSG:4526")
    assert zoned[0] - plain[0] == pytest.approx(38_000_000)
    assert plain == pytest.approx((449_202.621, 3_850_881.461), abs=1e-3)


@pytest.mark.parametrize("spelling", ["WGS84", "WGS-84", " wgs_84 ", "EPSG:4326"])
def test_usual_spellings_of_a_datum_are_understood(spelling):
    assert to_wgs84(*YULONG, spelling) == YULONG


@pytest.mark.parametrize(
    "lon, lat, datum, sense",
    [
        (*YULONG, None, "without a datum"),
        (*YULONG, "  ", "without a datum"),
        (*YULONG, "gcj-2", "did you mean gcj02"),
        (*YULONG, "epsg:4610", "not a projected CGCS2000"),
        (*YULONG, "epsg:2380", "not a projected CGCS2000"),
        (*YULONG, "epsg:999999", "unknown EPSG code"),
        (34.785, 113.445, "wgs84", "exchanged"),
        (34.785, 113.445, "gcj02", "exchanged"),
        (449202.6, 3850881.5, "wgs84", "such as epsg:4547"),
        (38449202.6, 3850881.5, "wgs84", "makes sense as epsg:4526"),
        (38449202.6, 3850881.5, "epsg:4547", "makes sense as epsg:4526"),
        (449202.6, 3850881.5, "epsg:4526", "such as epsg:4547"),
        (3850881.5, 449202.6, "epsg:4547", "x and y exchanged"),
        (*YULONG, "epsg:4547", "wgs84 or cgcs2000"),
        (34.785, 113.445, "epsg:4547", "wgs84 or cgcs2000"),
        (2.35, 48.86, "gcj02", "makes sense as wgs84"),
        (200.0, 10.0, "wgs84", "-180 to 180"),
        (float("nan"), 34.785, "wgs84", "finite"),
        (113.4, float("inf"), "epsg:4547", "finite"),
    ],
)
def test_what_cannot_be_right_is_refused_with_what_it_could_be(lon, lat, datum, sense):
    with pytest.raises(CoordinateError, match=sense):
        to_wgs84(lon, lat, datum)


@given(
    lon=st.floats(allow_nan=True, allow_infinity=True),
    lat=st.floats(allow_nan=True, allow_infinity=True),
    datum=st.sampled_from([None, "wgs84", "gcj02", "bd09", "epsg:4547", "epsg:4526", "x"]),
)
def test_any_numbers_give_a_coordinate_on_earth_or_a_coordinate_error(lon, lat, datum):
    try:
        x, y = to_wgs84(lon, lat, datum)
    except CoordinateError:
        return
    assert -181 <= x <= 181
    assert -91 <= y <= 91
