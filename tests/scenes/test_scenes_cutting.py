"""Cutting things out of their road: what comes out looks right on any other road."""

import numpy as np
import pytest

from scripts.scenes.cutting import FADE_PX, View, matte

ROAD, SHAPE = 120, (40, 60)
NOBODY = np.zeros(SHAPE, np.float32)


def _road(level=ROAD):
    return np.full((*SHAPE, 3), level, np.uint8)


def _laid(sprite, road):
    alpha = sprite[..., 3:].astype(float) / 255
    return sprite[..., :3] * alpha + road * (1 - alpha)


def test_a_shadow_comes_out_black_and_darkens_another_road_by_the_same_share():
    shaded = _road()
    shaded[15:25, 20:40] = ROAD // 2
    sprite = matte(shaded, _road(), NOBODY)
    assert sprite[20, 30, :3].max() <= 4
    assert sprite[20, 30, 3] == pytest.approx(0.5 * 255, abs=8)
    on_bright = _laid(sprite, _road(200))
    assert on_bright[20, 30].mean() == pytest.approx(100, abs=6)
    assert on_bright[5, 5].mean() == 200


def test_laid_on_its_own_road_a_sprite_gives_the_picture_back():
    rng = np.random.default_rng(1)
    seen = _road()
    seen[FADE_PX:-FADE_PX, FADE_PX:-FADE_PX] = rng.integers(
        0, 256, (SHAPE[0] - 2 * FADE_PX, SHAPE[1] - 2 * FADE_PX, 3)
    )
    back = _laid(matte(seen, _road(), NOBODY), _road())
    assert np.abs(back - seen).max() < 12  # the share given to noise


def test_the_thing_itself_is_opaque_and_keeps_its_colours():
    seen, own = _road(), NOBODY.copy()
    seen[10:30, 20:40], own[10:30, 20:40] = (30, 90, 160), 1.0
    sprite = matte(seen, _road(), own)
    assert (sprite[10:30, 20:40] == (30, 90, 160, 255)).all()
    assert (sprite[:8, :, 3] == 0).all()


def test_a_thing_of_just_the_road_s_colour_is_opaque_all_the_same():
    own = NOBODY.copy()
    own[10:30, 20:40] = 1.0
    sprite = matte(_road(), _road(), own)
    assert (sprite[10:30, 20:40] == (ROAD, ROAD, ROAD, 255)).all()


def test_noise_leaves_no_trace():
    rng = np.random.default_rng(2)
    noisy = (_road() + rng.integers(-3, 4, (*SHAPE, 3))).astype(np.uint8)
    assert (matte(noisy, _road(), NOBODY)[..., 3] == 0).all()


def test_a_shadow_that_leaves_the_picture_fades_out_over_its_border():
    sprite = matte(_road(60), _road(), NOBODY)
    middle = sprite[20, :, 3].astype(int)
    assert middle[0] == middle[-1] == 0
    assert (np.diff(middle[: FADE_PX + 1]) > 0).all()
    assert middle[30] > 110


VIEW = View(30.0, 12.0, 0.4, 200, 100, (-0.2, -0.1, 0.2, 0.1))


def test_a_view_has_the_origin_in_the_middle_and_what_is_higher_above_it():
    middle, above = VIEW.pixels(np.array([(0.0, 0.0, 0.0), (0.0, 0.0, 1.0)]))
    np.testing.assert_allclose(middle, (100, 50), atol=1e-9)
    assert above[1] < middle[1]
    assert above[0] == pytest.approx(middle[0])


def test_a_view_shortens_what_lies_along_it_by_the_sine_of_its_pitch():
    right, _, forward = VIEW.axes
    ahead = np.array([forward[0], forward[1], 0]) / np.hypot(*forward[:2]) * 0.01
    middle, along, across = VIEW.pixels(np.array([(0, 0, 0), ahead, right * 0.01]))
    shortened = (middle[1] - along[1]) / (across[0] - middle[0])
    assert shortened == pytest.approx(np.sin(np.radians(30)), rel=0.01)
