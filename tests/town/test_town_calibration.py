"""How well marked points fit is said in metres, by the plane that places hazards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.errors import CalibrationError
from pipeline.town import Camera, GroundPlane, GroundPoint, LocalFrame, calibrate, plane_of

LON, LAT = 113.445, 34.785
CAMERA = Camera("A-1", "", "rtsp://nvr/1", LON, LAT)
SPOTS = [(0.2, 0.55), (0.8, 0.6), (0.25, 0.9), (0.7, 0.95), (0.5, 0.7), (0.4, 0.8)]


def marks(count=6):
    plane = GroundPlane.from_pose(LON, LAT, 6.0, 15.0, 90.0, 80.0)
    places = [plane.place(u, v) for u, v in SPOTS[:count]]
    return [GroundPoint(u, v, at.lon, at.lat) for (u, v), at in zip(SPOTS, places, strict=False)]


def moved(point, east_m):
    lon, lat = LocalFrame(point.lon, point.lat).lonlat(east_m, 0.0)
    return replace(point, lon=lon, lat=lat)


def test_marks_of_one_plane_have_no_error():
    found = calibrate(CAMERA, marks())
    assert found.errors_m == pytest.approx([0.0] * 6, abs=1e-6)
    assert found.whole_m == pytest.approx(0.0, abs=1e-6)
    assert not found.proves_nothing


def test_a_mark_on_the_wrong_spot_shows_its_metres_where_the_others_do_not():
    points = marks()
    points[4] = moved(points[4], 0.5)
    found = calibrate(CAMERA, points)
    assert max(range(6), key=lambda at: found.errors_m[at]) == 4
    assert 0.05 < found.errors_m[4] < 0.45  # the others are pulled along
    assert found.unseen_m[4] == pytest.approx(0.5, abs=1e-3)
    assert found.whole_m == pytest.approx((sum(e * e for e in found.errors_m) / 6) ** 0.5)


def test_four_marks_fit_whatever_they_are_and_that_is_said():
    points = marks(4)
    points[0] = moved(points[0], 1.0)
    found = calibrate(CAMERA, points)
    assert found.errors_m == pytest.approx([0.0] * 4, abs=1e-6)
    assert found.unseen_m == (None,) * 4
    assert found.proves_nothing


def test_the_plane_is_the_one_hazards_are_placed_with():
    camera = replace(CAMERA, ground_points=tuple(marks()))
    assert (calibrate(CAMERA, marks()).plane.to_ground == plane_of(camera).to_ground).all()


@pytest.mark.parametrize(
    "points, why",
    [
        ([], "too few"),
        (marks(3), "too few"),
        ([*marks(3), marks(3)[0]], "one line"),
        ([GroundPoint(0.1 * n, 0.9, LON + 1e-5 * n, LAT) for n in range(1, 6)], "one line"),
        ([moved(point, 600.0) for point in marks()], "too far"),
        ([replace(point, u=1.2) for point in marks()], "outside the picture"),
        ([replace(point, u=1 - point.u) for point in marks()], "mirrored"),
    ],
)
def test_marks_that_give_no_plane_are_refused(points, why):
    with pytest.raises(CalibrationError, match=why):
        calibrate(replace(CAMERA, height_m=6.0, pitch_deg=15, heading_deg=90, hfov_deg=80), points)
