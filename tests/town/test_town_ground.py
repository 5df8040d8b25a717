"""From the picture to the ground and back, with an error radius, or plainly not at all."""

from __future__ import annotations

from math import cos, hypot, pi, radians, sin, tan

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.errors import CalibrationError
from pipeline.town.camera import Camera, GroundPoint
from pipeline.town.ground import GroundPlane, place_of, plane_of
from pipeline.town.local import LocalFrame, distance_m

LON, LAT = 113.445, 34.785
FRAME = LocalFrame(LON, LAT)
MARKS = [(0.2, 0.9), (0.8, 0.92), (0.3, 0.5), (0.7, 0.45), (0.5, 0.65), (0.9, 0.6)]

poses = st.builds(
    lambda height, pitch, heading, hfov: GroundPlane.from_pose(
        LON, LAT, height, pitch, heading, hfov
    ),
    st.floats(3, 12),
    st.floats(5, 60),
    st.floats(0, 360),
    st.floats(40, 110),
)
unit = st.floats(0, 1)


def street_camera(**pose):
    return GroundPlane.from_pose(
        LON, LAT, **({"height_m": 6, "pitch_deg": 12, "heading_deg": 30, "hfov_deg": 90} | pose)
    )


def marks_of(plane, image=MARKS):
    return [FRAME.lonlat(*plane.ground_xy(u, v)) for u, v in image]


def from_marks(image, lonlat):
    return GroundPlane.from_points(image, lonlat, LON, LAT)


@pytest.mark.parametrize(
    "heading, east, north", [(0, 0, 1), (90, 1, 0), (180, 0, -1), (270, -1, 0)]
)
def test_the_centre_of_the_picture_lies_where_pitch_and_heading_point(heading, east, north):
    plane = street_camera(heading_deg=heading)
    distance = 6 / tan(radians(12))
    assert plane.ground_xy(0.5, 0.5) == pytest.approx((east * distance, north * distance), abs=1e-9)
    assert plane.distance_m(0.5, 0.5) == pytest.approx(distance)


def test_the_edge_of_the_picture_is_half_the_field_of_view_away():
    east, north = street_camera(heading_deg=0, pitch_deg=89.999999).ground_xy(1.0, 0.5)
    assert (east, north) == pytest.approx((6 * tan(radians(45)), 0), abs=1e-4)


def test_a_two_metre_hole_at_30_m_looks_as_large_as_computed_by_hand():
    # 6 m pole, 90 degrees, 1080p: 64 x 13 px at 30 m.
    plane = street_camera(heading_deg=0, pitch_deg=10)
    near, far = plane.project(*FRAME.lonlat(0, 29)), plane.project(*FRAME.lonlat(0, 31))
    left, right = plane.project(*FRAME.lonlat(-1, 30)), plane.project(*FRAME.lonlat(1, 30))
    assert (right[0] - left[0]) * 1920 == pytest.approx(64, abs=2)
    assert (near[1] - far[1]) * 1080 == pytest.approx(13, abs=1)
    width_m, area_m2 = plane.size_m((left[0], far[1], right[0], near[1]))
    assert width_m == pytest.approx(2, rel=0.02)
    assert area_m2 == pytest.approx(pi, rel=0.03)


@given(plane=poses, u=unit, v=unit)
def test_a_place_projects_back_to_where_it_was_seen(plane, u, v):
    place = plane.place(u, v)
    assume(place is not None)
    assert plane.project(place.lon, place.lat) == pytest.approx((u, v), abs=1e-6)


@given(plane=poses, u=unit, v=unit)
def test_there_is_a_place_exactly_below_the_horizon_and_within_80_m(plane, u, v):
    at = plane.ground_xy(u, v)
    assert (plane.place(u, v) is None) == (at is None)
    if at is None:
        below = v > plane.horizon_v(u)
        assert not below or plane.to_ground[2] @ (u, v, 1) > 0
    else:
        assert hypot(*at) <= 80.000001
        assert v > plane.horizon_v(u)


@given(plane=poses, u=unit, v=unit, step=st.floats(0.01, 0.5))
def test_the_radius_grows_with_the_distance(plane, u, v, step):
    near, far = plane.place(u, v), plane.place(u, v - step)
    assume(near is not None and far is not None)
    assume(plane.distance_m(u, v - step) > plane.distance_m(u, v))
    assert near.radius_m <= far.radius_m <= 40


def test_the_pixel_error_grows_as_the_reference_says():
    # 3 px, 1080p, 90 degrees, 6 m: 0.14 m at 15 m, 0.5 m at 30 m, 1.3 m at 50 m.
    plane = from_marks(MARKS, marks_of(street_camera()))
    assert plane.base_m == 2.0
    for distance, error in ((15, 0.14), (30, 0.5), (50, 1.3)):
        ahead = FRAME.lonlat(distance * sin(radians(30)), distance * cos(radians(30)))
        slope = plane._slope(*plane.project(*ahead))
        assert np.linalg.norm(slope * plane.error, 2) == pytest.approx(error, rel=0.15)


@given(plane=poses)
def test_marks_made_with_a_pose_give_the_same_ground_as_the_pose(plane):
    image = [(u, v) for u in (0.1, 0.5, 0.9) for v in (0.7, 0.85, 1.0) if plane.ground_xy(u, v)]
    assume(len(image) == 9)
    fitted = from_marks(image, marks_of(plane, image))
    for u, v in [(0.2, 0.75), (0.5, 0.9), (0.8, 0.95)]:
        at = plane.ground_xy(u, v)
        assert fitted.ground_xy(u, v) == pytest.approx(at, abs=0.05)
    assert fitted.horizon_v() == pytest.approx(plane.horizon_v(), abs=0.02)


def test_marks_that_fit_badly_widen_the_radius():
    lonlat = marks_of(street_camera())
    sloppy = [(lon + 3e-6 * (-1) ** i, lat) for i, (lon, lat) in enumerate(lonlat)]
    exact, rough = from_marks(MARKS, lonlat), from_marks(MARKS, sloppy)
    assert rough.place(0.5, 0.5).radius_m > exact.place(0.5, 0.5).radius_m


def test_beyond_the_marks_the_survey_error_grows():
    plane = street_camera()
    near = [(0.2, 0.9), (0.8, 0.92), (0.3, 0.7), (0.7, 0.75)]
    assert (
        from_marks(near, marks_of(plane, near)).place(0.5, 0.5).radius_m
        > from_marks(MARKS, marks_of(plane)).place(0.5, 0.5).radius_m
    )


def test_above_the_horizon_and_behind_there_is_nothing():
    plane = street_camera(heading_deg=0)
    assert plane.place(0.5, plane.horizon_v() - 0.01) is None
    assert plane.distance_m(0.5, 0.0) is None
    assert plane.metres_per_unit(0.5, 0.0) is None
    assert plane.size_m((0.4, 0.1, 0.6, 0.9)) is None
    assert plane.project(*FRAME.lonlat(0, -10)) is None
    assert plane.project(*FRAME.lonlat(100, 10)) is None


def test_a_unit_of_the_picture_is_many_metres_far_away():
    plane = street_camera()
    near, far = plane.metres_per_unit(0.5, 0.9), plane.metres_per_unit(0.5, 0.5)
    assert far[0] > near[0]
    assert far[1] > 3 * near[1]


def test_many_spots_at_once_are_as_each_of_them_alone():
    plane = street_camera()
    spots = np.random.default_rng(0).uniform(0, 1, (60, 2))
    metres = plane.metres_per_unit_at(spots)
    alone = [plane.metres_per_unit(*spot) or (np.nan, np.nan) for spot in spots]
    np.testing.assert_allclose(metres, alone)
    assert 0 < np.isnan(metres[:, 0]).sum() < len(spots)
    assert plane.metres_per_unit_at(np.zeros((0, 2))).shape == (0, 2)


def swapped(points):
    return [(b, a) for a, b in points]


@pytest.mark.parametrize(
    "image, change, problem",
    [
        (MARKS[:3], lambda marks: marks, "too few"),
        (MARKS[:4], lambda marks: marks[:3], "too few"),
        ([], lambda marks: [], "not a list of points"),
        ([(0.5, v) for v in (0.6, 0.7, 0.8, 0.9)], lambda marks: marks, "one line"),
        ([(0.2, 0.9), (0.5, 0.9), (0.8, 0.9), (0.5, 0.6)], lambda marks: marks, "one line"),
        ([(0.2, 0.9)] * 2 + MARKS[1:3], lambda marks: marks, "one line"),
        ([(0.2, 0.9)] * 4, lambda marks: marks, "one line"),
        (MARKS, lambda marks: [(2 * LON - lon, lat) for lon, lat in marks], "mirrored"),
        (MARKS, lambda marks: marks[1:] + marks[:1], "fit together|mirrored|behind"),
        (MARKS, lambda marks: [(lon + 0.006, lat) for lon, lat in marks], "too far"),
        (MARKS, swapped, "too far"),
        (MARKS, lambda marks: [(float("nan"), lat) for _, lat in marks], "finite"),
    ],
)
def test_marks_that_give_no_plane_are_refused_with_the_reason(image, change, problem):
    lonlat = change(marks_of(street_camera(), image))
    with pytest.raises(CalibrationError, match=problem):
        from_marks(image, lonlat)


def test_one_wrong_mark_among_many_is_named():
    lonlat = marks_of(street_camera())
    lonlat[4] = (lonlat[4][0] + 15e-5, lonlat[4][1])
    with pytest.raises(CalibrationError, match=r"point \d.*px off"):
        from_marks(MARKS, lonlat)


def test_a_mark_outside_the_picture_is_refused():
    lonlat = marks_of(street_camera())
    with pytest.raises(CalibrationError, match="outside the picture"):
        from_marks([(640, 480), *MARKS[1:]], lonlat)


@pytest.mark.parametrize(
    "field, value",
    [
        ("height_m", 0),
        ("height_m", float("nan")),
        ("pitch_deg", 91),
        ("hfov_deg", 180),
        ("heading_deg", float("inf")),
        ("aspect", 0),
    ],
)
def test_an_impossible_pose_is_refused_by_field(field, value):
    with pytest.raises(CalibrationError, match=field):
        street_camera(**{field: value})


def camera(**fields):
    return Camera(
        **({"camera_id": "c", "name": "n", "url": "/c.mp4", "lon": LON, "lat": LAT} | fields)
    )


def test_marked_points_go_before_the_pose_and_the_pose_before_nothing():
    pose = {"height_m": 6.0, "pitch_deg": 12.0, "heading_deg": 30.0, "hfov_deg": 90.0}
    points = tuple(
        GroundPoint(u, v, lon, lat)
        for (u, v), (lon, lat) in zip(MARKS, marks_of(street_camera()), strict=True)
    )
    assert plane_of(camera()) is None
    assert plane_of(camera(**(pose | {"hfov_deg": None}))) is None
    assert plane_of(camera(**pose)).method == "pose"
    assert plane_of(camera(**pose, ground_points=points)).method == "points"


def test_without_a_ground_place_the_camera_is_the_place_and_the_radius_says_so():
    plane = street_camera()
    here = camera(heading_deg=30.0)
    seen = place_of(here, plane, 0.5, 0.8)
    assert seen.method == "pose"
    assert distance_m(seen, here) == pytest.approx(plane.distance_m(0.5, 0.8), rel=1e-3)
    unplaced = place_of(here, None, 0.5, 0.8)
    assert (unplaced.lon, unplaced.lat, unplaced.radius_m, unplaced.method) == (
        LON,
        LAT,
        40.0,
        "camera",
    )
    assert place_of(camera(), None, 0.5, 0.8).radius_m == 80.0
    assert place_of(here, plane, 0.5, 0.0).radius_m == 80.0
