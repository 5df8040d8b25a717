"""Streets on paper, their painted surface, and where things find a place on them."""

from __future__ import annotations

import numpy as np
import pytest
from shapely import Polygon

from scripts.scenes import asphalt, plans
from scripts.scenes.camera import HEIGHT, WIDTH, Camera
from scripts.scenes.placing import Place, Site

KINDS = plans.TRAIN_KINDS + plans.VAL_KINDS
kinds = pytest.mark.parametrize("kind", KINDS)
BOX = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.8, 0.8) for z in (0, 0.5)])


def test_validation_has_kinds_of_street_that_training_never_sees():
    assert not set(plans.TRAIN_KINDS) & set(plans.VAL_KINDS)


@kinds
def test_lanes_and_markings_lie_on_the_carriageway(kind):
    for seed in range(20):
        plan = plans.draw(kind, np.random.default_rng(seed))
        assert plan.left < 0 < plan.right
        assert all(plan.left < lane.x < plan.right for lane in plan.lanes)
        for bar in plan.bars:
            assert plan.left - 0.1 <= bar.left < bar.right <= plan.right + 0.1
            assert bar.near < bar.far


@kinds
def test_the_same_seed_draws_the_same_street(kind):
    one, other = (plans.draw(kind, np.random.default_rng(5)) for _ in range(2))
    assert one == other


def test_a_median_is_no_carriageway():
    plan = plans.draw("boulevard", np.random.default_rng(1))
    lawn = Polygon([(plan.median[0], 5), (plan.median[1], 5), (plan.median[1], 6)])
    assert plan.road.intersection(lawn).area == 0


@pytest.mark.parametrize("concrete", [False, True])
def test_a_surface_is_painted_the_same_for_the_same_seed(concrete):
    kind = "works" if concrete else "two_lane"
    one, other = (
        asphalt.paint(plans.draw(kind, np.random.default_rng(2)), np.random.default_rng(3))
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.colour, other.colour)
    np.testing.assert_array_equal(one.gloss, other.gloss)
    assert one.colour.shape == (*one.gloss.shape, 3)
    assert 0.01 < one.tone < 0.6
    assert one.colour.std() > 3  # it is not a plain grey


@kinds
def test_things_are_placed_in_view_on_the_road_and_apart(kind):
    plan = plans.draw(kind, np.random.default_rng(4))
    camera = Camera(plan.right + 0.6, 6.0, 24.0, 12.0, 80.0)
    site = Site(plan, camera, np.random.default_rng(4))
    places = [site.put(BOX, "lane", turns=True) for _ in range(6)]
    found = [place for place in places if place]
    assert len(found) >= 4
    areas = []
    for place in found:
        world = place.on_ground(BOX)
        flat = camera.project(world) * (WIDTH, HEIGHT)
        assert flat[:, 0].max() > 0
        assert flat[:, 0].min() < WIDTH
        assert np.ptp(flat[:, 0]) >= 8
        area = Polygon(world[:, :2][[0, 2, 6, 4]])
        assert plan.road.intersection(area).area > 0.9 * area.area
        assert all(area.disjoint(other) for other in areas)
        areas.append(area)


def test_a_taken_place_is_refused():
    plan = plans.draw("two_lane", np.random.default_rng(4))
    site = Site(plan, Camera(plan.right + 0.6), np.random.default_rng(4))
    assert site.claim(BOX, Place(0, 20))
    assert not site.claim(BOX, Place(0.4, 20.5))
    assert site.claim(BOX, Place(0, 25))


def test_an_edge_thing_points_away_from_the_carriageway():
    plan = plans.draw("two_lane", np.random.default_rng(4))
    site = Site(plan, Camera(0.0, 6.0, 24.0, 0.0, 90.0), np.random.default_rng(8))
    place = site.put(BOX, "edge", turns=False)
    assert place.x in (plan.left, plan.right)
    outward = place.on_ground(np.array([(1.0, 0.0)]))[0, 0]
    assert abs(outward) > abs(place.x)
