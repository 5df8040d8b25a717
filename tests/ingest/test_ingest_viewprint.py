import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from street_views import fog, infrared, lorry, night, noisy, seen, street

from pipeline.ingest.viewprint import COLUMNS, ROWS, glance, in_common, match, match_changed


@pytest.fixture(scope="module")
def print_():
    edges = [glance(seen(picture)).edges for picture in street()[:6]]
    return np.mean(edges, axis=0).astype(np.complex64)


def laid_on(print_, luma):
    return match(print_, glance(luma).edges)


LATER = street()[7]


def test_a_later_picture_lies_where_the_print_is(print_):
    found = laid_on(print_, seen(LATER))
    assert found.here == pytest.approx(found.peak, rel=0.01)
    assert found.here > 40
    assert found.corner_px < 0.3


@pytest.mark.parametrize("right, down", [(0.03, 0), (-0.05, 0), (0, 0.05), (0.12, -0.04)])
def test_a_shift_is_measured_to_a_third_of_a_percent(print_, right, down):
    found = laid_on(print_, seen(LATER, right=right, down=down))
    assert found.peak > 3 * found.here
    assert found.shift[0] / COLUMNS == pytest.approx(right, abs=0.003)
    assert found.shift[1] / ROWS == pytest.approx(down, abs=0.004)


@pytest.mark.parametrize("zoom", [0.97, 1.03, 1.05])
def test_a_small_zoom_is_measured(print_, zoom):
    found = laid_on(print_, seen(LATER, zoom=zoom))
    assert found.zoom == pytest.approx(zoom, abs=0.008)
    assert found.corner_px > 0.015 * COLUMNS
    assert np.hypot(*found.shift) < 1


@pytest.mark.parametrize("turn_deg", [2.0, -3.0])
def test_a_small_turn_is_measured(print_, turn_deg):
    found = laid_on(print_, seen(LATER, turn_deg=turn_deg))
    assert found.turn_deg == pytest.approx(turn_deg, abs=0.5)
    assert found.corner_px > 0.015 * COLUMNS


@pytest.mark.parametrize("zoom, turn_deg", [(1.12, 0), (0.85, 0), (1, 5), (1, -9)])
def test_a_larger_zoom_or_turn_is_measured_by_trying(print_, zoom, turn_deg):
    changed = glance(seen(LATER, zoom=zoom, turn_deg=turn_deg)).edges
    found = match_changed(print_, changed)
    assert found.peak > 10
    assert found.zoom == pytest.approx(zoom, abs=0.02)
    assert found.turn_deg == pytest.approx(turn_deg, abs=1)


@pytest.mark.parametrize(
    "change",
    [
        infrared,
        fog,
        lorry,
        lambda picture: night(picture, 0.06),
        lambda picture: 255 - picture,
        lambda picture: noisy(picture, 1, sigma=12),
    ],
    ids=["infrared", "fog", "lorry", "night", "inverted", "noise"],
)
def test_light_weather_and_what_stands_before_it_leave_the_view_where_it_was(print_, change):
    found = laid_on(print_, change(seen(LATER)))
    assert found.here > 14
    assert found.corner_px is None or found.corner_px < 0.01 * COLUMNS


def test_a_change_of_the_camera_shows_in_other_light_too(print_):
    found = laid_on(print_, infrared(seen(LATER, right=0.04)))
    assert found.shift[0] / COLUMNS == pytest.approx(0.04, abs=0.005)


def test_another_view_has_no_clear_place_on_the_print(print_):
    upside_down = street("gathering")[3][::-1, ::-1]
    found = laid_on(print_, seen(np.ascontiguousarray(upside_down)))
    assert found.here < 6
    assert found.peak < 10
    assert found.corner_px is None
    changed = match_changed(print_, glance(seen(np.ascontiguousarray(upside_down))).edges)
    assert changed is None or changed.peak < 10


def test_an_empty_picture_lies_nowhere(print_):
    found = laid_on(print_, np.full((360, 640), 90, np.uint8))
    assert (found.here, found.corner_px) == (0, None)


def test_noise_has_nothing_in_common_with_noise():
    one, other = (glance(noisy(np.full((360, 640), 90, np.uint8), at, 8)).edges for at in (1, 2))
    assert abs(in_common(one, other)).max() < 0.25 * in_common(one, one).min()


def test_time_and_name_written_into_the_picture_count_for_nothing():
    plain = np.full((360, 640), 90, np.uint8)
    written = plain.copy()
    written[12:30, 10:300:9] = 255
    written[-32:-14, 340:630:9] = 255
    assert not glance(written).edges.any()


def test_a_squeezed_stream_shows_the_same_view(print_):
    squeezed = seen(LATER)[:, ::2]
    assert laid_on(print_, np.ascontiguousarray(squeezed)).corner_px < 1


@settings(max_examples=15, deadline=None)
@given(st.integers(-60, 60), st.integers(-25, 25))
def test_any_shift_of_less_than_half_the_picture_is_found(right, down):
    edges = glance(street()[0]).edges
    found = match(edges, np.roll(edges, (down, right), axis=(0, 1)))
    assert np.hypot(found.shift[0] - right, found.shift[1] - down) < 1
