"""Outlines of hazards: sized as asked, simple polygons, moved without being bent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import Polygon

from scripts.scenes import outlines

SEEDS = st.integers(0, 2**32 - 1)
HALVES = st.floats(0.1, 5.0)


@pytest.mark.parametrize("make", [outlines.blob, outlines.broken])
@given(seed=SEEDS, wide=HALVES, deep=HALVES)
def test_an_outline_is_a_simple_polygon_of_the_size_asked_for(make, seed, wide, deep):
    flat = make(np.random.default_rng(seed), (wide, deep))
    np.testing.assert_allclose(flat.max(axis=0), (wide, deep), rtol=1e-6)
    np.testing.assert_allclose(flat.min(axis=0), (-wide, -deep), rtol=1e-6)
    assert Polygon(flat).is_valid
    assert Polygon(flat).area > 0.25 * wide * deep


def test_the_same_seed_gives_the_same_outline_and_another_seed_another():
    first, again, other = (
        outlines.broken(np.random.default_rng(seed), (1, 1)) for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


@given(seed=SEEDS)
def test_turning_and_tilting_keep_all_distances(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(0, 2, (6, 3))
    moved = outlines.tilt(points, *rng.uniform(-3, 3, 3))
    np.testing.assert_allclose(
        np.linalg.norm(moved[:, None] - moved, axis=2),
        np.linalg.norm(points[:, None] - points, axis=2),
        atol=1e-9,
    )


def test_a_quarter_turn_takes_ahead_to_the_left():
    turned = outlines.turned(np.array([(0.0, 1.0), (1.0, 0.0)]), np.pi / 2)
    np.testing.assert_allclose(turned, [(-1, 0), (0, 1)], atol=1e-12)


def test_a_tilt_about_y_lifts_the_left_when_the_right_goes_down():
    tilted = outlines.tilt(np.array([(1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)]), 0.0, 0.3, 0.0)
    assert tilted[0, 2] == pytest.approx(-np.sin(0.3))
    assert tilted[1, 2] == pytest.approx(np.sin(0.3))


@given(seed=SEEDS)
def test_few_extreme_points_span_nearly_what_all_points_span(seed):
    points = np.random.default_rng(seed).normal(0, (3, 1, 0.5), (800, 3))
    few = outlines.extremes(points)
    assert len(few) <= 96
    inner, outer = Polygon(few[:, :2]).convex_hull, Polygon(points[:, :2]).convex_hull
    assert inner.area > 0.85 * outer.area
    assert few[:, 2].max() == points[:, 2].max()


def test_waves_go_on_smoothly_around_the_full_turn():
    wave = outlines.waves(np.random.default_rng(3), 80, 15)
    steps = np.abs(np.diff(np.append(wave, wave[0])))
    assert steps[-1] < 4 * np.median(steps) + 0.3
    assert 0.3 < wave.std() < 3
