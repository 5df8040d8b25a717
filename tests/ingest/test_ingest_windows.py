"""The planner of road looks: all far ground that gains by a window is in one, and little else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest.windows import LEAST_GAIN, LEAST_PX, plan_windows, shown
from pipeline.settings import RoadLookSettings
from pipeline.town import Camera, GroundPoint, Zone, plane_of

MODEL = (640, 384)
FULL_HD = (1920, 1080)
LOOKS = RoadLookSettings()
MANY = RoadLookSettings(most=16)
CAMERA = Camera("c1", "东街", "rtsp://192.0.2.1/1", lon=113.5, lat=34.78)
POSED = replace(CAMERA, height_m=6.0, pitch_deg=20.0, heading_deg=0.0, hfov_deg=80.0)
LANE = Zone("carriageway", ((0.45, 0.1), (0.55, 0.1), (0.8, 1.0), (0.1, 1.0)))

sources = st.tuples(st.integers(300, 4100), st.integers(200, 3100))
shares = st.floats(0.02, 0.98)


@st.composite
def cameras(draw):
    """Cameras that somebody might set up, with and without pose and zones."""
    camera = CAMERA
    if draw(st.booleans()):
        camera = replace(
            camera,
            height_m=draw(st.floats(2.5, 15)),
            pitch_deg=draw(st.floats(2, 60)),
            heading_deg=draw(st.floats(0, 360)),
            hfov_deg=draw(st.floats(30, 120)),
        )
    zones = []
    for kind in draw(st.lists(st.sampled_from(("carriageway", "ignore", "footway")), max_size=3)):
        (u, v), (width, height) = draw(st.tuples(shares, shares)), draw(st.tuples(shares, shares))
        x2, y2 = min(1.0, u + width), min(1.0, v + height)
        zones.append(Zone(kind, ((u, v), (x2, v), (x2, y2), (u, y2))))
    return replace(camera, zones=tuple(zones))


def side_px(camera, source, place, hole_m=LOOKS.hole_m):
    """Side of the hole at this place, in source pixels, one place at a time."""
    across, along = plane_of(camera, source[0] / source[1]).metres_per_unit(
        place[0] / source[0], place[1] / source[1]
    )
    return float(np.sqrt(hole_m / across * source[0] * hole_m / along * source[1]))


@settings(max_examples=40, deadline=None)
@given(cameras(), sources)
def test_windows_lie_in_the_picture_with_even_edges_are_finer_and_not_too_many(camera, source):
    plan = plan_windows(camera, source, MODEL, LOOKS)
    assert len(plan.windows) <= LOOKS.most
    whole = max(source[0] / MODEL[0], source[1] / MODEL[1])
    for one in plan.windows:
        assert 0 <= one.x <= one.x + one.width <= source[0]
        assert 0 <= one.y <= one.y + one.height <= source[1]
        assert one.x % 2 == one.y % 2 == one.width % 2 == one.height % 2 == 0
        scale = max(one.width / MODEL[0], one.height / MODEL[1])
        assert scale * LEAST_GAIN <= whole + 1e-9
        assert shown(one, plan.needed).any(), "every window is there for something"


@settings(max_examples=40, deadline=None)
@given(cameras(), sources)
def test_every_hole_the_whole_look_would_miss_is_whole_in_a_window(camera, source):
    plan = plan_windows(camera, source, MODEL, MANY)
    covered = np.zeros(len(plan.places), bool)
    for one in plan.windows:
        covered |= shown(one, plan.needed)
    assert (~covered).sum() == plan.left_out
    assert plan.left_out == 0 or len(plan.windows) == MANY.most
    inside = (plan.needed[:, :2] <= plan.places) & (plan.needed[:, 2:] >= plan.places - 2)
    assert inside.all()


@settings(max_examples=40, deadline=None)
@given(cameras(), sources)
def test_the_same_camera_always_gets_the_same_windows(camera, source):
    first, second = (plan_windows(camera, source, MODEL, LOOKS) for _ in range(2))
    assert first.windows == second.windows


@settings(max_examples=40, deadline=None)
@given(st.floats(3, 12), st.floats(8, 35), st.sampled_from([FULL_HD, (1280, 720), (2560, 1440)]))
def test_near_ground_gets_no_window_and_what_nobody_could_see_neither(height_m, pitch_deg, source):
    camera = replace(POSED, height_m=height_m, pitch_deg=pitch_deg, zones=(LANE,))
    plan = plan_windows(camera, source, MODEL, LOOKS)
    whole = max(source[0] / MODEL[0], source[1] / MODEL[1])
    for place in plan.places[:: max(1, len(plan.places) // 40)]:
        assert side_px(camera, source, place) / whole < LOOKS.seen_px
        assert side_px(camera, source, place) >= LEAST_PX


def test_a_hole_at_thirty_metres_is_in_a_window_at_native_resolution():
    """The figures the windows are made for: 2 m, 1080 lines, a lane drawn."""
    plan = plan_windows(replace(POSED, zones=(LANE,)), FULL_HD, MODEL, LOOKS)
    spot = plane_of(POSED).project(*plane_of(POSED).frame.lonlat(0, 30))
    x, y = spot[0] * FULL_HD[0], spot[1] * FULL_HD[1]
    hole = np.array([[x - 32, y - 7, x + 32, y + 7]])
    (first, *_) = [one for one in plan.windows if shown(one, hole).all()]
    assert first.width <= MODEL[0] * 1.25


def test_places_between_those_of_the_grid_are_in_a_window_too():
    camera = replace(POSED, zones=(LANE,))
    plan = plan_windows(camera, FULL_HD, MODEL, LOOKS)
    assert plan.left_out == 0
    low, high = plan.places[:, 1].min(), plan.places[:, 1].max()
    for y in np.linspace(low, high, 97):
        in_row = plan.places[np.abs(plan.places[:, 1] - y) < 12, 0]
        for x in np.linspace(in_row.min(), in_row.max(), 13):
            small = side_px(camera, FULL_HD, (x, y)) / 2
            hole = np.array([[x - small, y - small / 3, x + small, y + small / 3]])
            assert any(shown(one, hole).all() for one in plan.windows)


@pytest.mark.parametrize(
    "source", [(640, 384), (640, 360), (352, 288), (320, 180), (704, 576), (4000, 400)]
)
def test_sources_that_gain_nothing_get_none(source):
    for camera in (POSED, CAMERA, None):
        assert plan_windows(camera, source, MODEL, LOOKS).windows == ()


def test_none_at_most_switches_them_off():
    assert plan_windows(POSED, FULL_HD, MODEL, RoadLookSettings(most=0)).windows == ()


def test_ignored_ground_and_a_camera_that_sees_no_far_road_get_none():
    everything = Zone("ignore", ((0, 0), (1, 0), (1, 1), (0, 1)))
    assert plan_windows(replace(POSED, zones=(everything,)), FULL_HD, MODEL, LOOKS).windows == ()
    down = replace(POSED, pitch_deg=80.0, hfov_deg=40.0)
    assert plan_windows(down, FULL_HD, MODEL, LOOKS).windows == ()


def test_a_drawn_lane_takes_fewer_windows_than_the_whole_width():
    whole = plan_windows(POSED, FULL_HD, MODEL, MANY)
    lane = plan_windows(replace(POSED, zones=(LANE,)), FULL_HD, MODEL, MANY)
    assert 0 < len(lane.windows) < len(whole.windows)


def rows_of(camera, settings=LOOKS):
    """Highest and lowest row of the places that get windows, in 0..1 of the picture."""
    plan = plan_windows(camera, FULL_HD, MODEL, settings)
    assert plan.left_out == 0
    rows = plan.places[:, 1] / FULL_HD[1]
    return rows.min(), rows.max()


def test_without_a_ground_plane_the_band_below_the_horizon_is_taken():
    top, bottom = rows_of(CAMERA)
    assert 0.2 < top < bottom < 0.7


def test_of_a_picture_of_which_nothing_is_known_more_is_taken():
    (top, bottom), (upper, lower) = rows_of(CAMERA), rows_of(None)
    assert 0.1 < upper < top
    assert bottom < lower < 0.8


def test_without_a_ground_plane_the_far_part_of_a_drawn_lane_is_taken():
    top, bottom = rows_of(replace(CAMERA, zones=(LANE,)))
    assert 0.1 <= top < 0.2 < bottom < 0.55
    low = Zone("carriageway", ((0.1, 0.4), (0.9, 0.4), (1.0, 1.0), (0.0, 1.0)))
    assert 0.4 <= rows_of(replace(CAMERA, zones=(low,)))[0] < 0.5


def test_marks_that_fit_no_plane_are_as_none():
    line = tuple(GroundPoint(u, 0.5, 113.5 + u * 1e-3, 34.781) for u in (0.2, 0.4, 0.6, 0.8))
    odd = plan_windows(replace(CAMERA, ground_points=line), FULL_HD, MODEL, LOOKS)
    assert odd.windows == plan_windows(CAMERA, FULL_HD, MODEL, LOOKS).windows


def test_too_little_for_all_ground_is_said_and_the_best_is_kept():
    one = plan_windows(CAMERA, FULL_HD, MODEL, RoadLookSettings(most=1))
    assert len(one.windows) == 1
    assert 0 < one.left_out < len(one.places)
    assert shown(one.windows[0], one.needed).sum() == len(one.places) - one.left_out
    two = plan_windows(CAMERA, FULL_HD, MODEL, RoadLookSettings(most=2))
    assert len(two.windows) == 2
    assert two.left_out < one.left_out


@settings(max_examples=30, deadline=None)
@given(st.floats(0.2, 3), st.floats(4, 40))
def test_more_ground_needs_windows_the_smaller_the_hole_and_the_more_pixels_it_takes(hole, seen_px):
    wanted = RoadLookSettings(hole_m=hole, seen_px=seen_px, most=16)
    harder = RoadLookSettings(hole_m=hole, seen_px=seen_px * 1.2, most=16)
    places = [
        {tuple(place) for place in plan_windows(POSED, FULL_HD, MODEL, one).places}
        for one in (wanted, harder)
    ]
    assert places[0] <= places[1] or len(places[0]) == 0
