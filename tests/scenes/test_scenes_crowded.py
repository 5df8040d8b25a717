"""Pictures full of people: where they are, and from where a camera sees them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scripts.scenes import crowded, plans
from scripts.scenes.camera import HEIGHT, WIDTH


def drawn(count=200, *, held_out=False):
    for seed in range(count):
        rng = np.random.default_rng(seed)
        plan = crowded.place(rng, held_out=held_out)
        yield plan, crowded.camera(plan, rng), crowded.kinds(rng)


def test_there_are_streets_squares_and_halls():
    seen = {plan.kind for plan, *_ in drawn()}
    assert {"square", "hall"} < seen
    assert not seen & set(plans.VAL_KINDS)
    assert {plan.kind for plan, *_ in drawn(held_out=True)} & set(plans.VAL_KINDS)


def test_squares_and_halls_have_no_lanes():
    assert not any(plan.lanes for plan, *_ in drawn() if plan.kind in ("square", "hall"))


def test_cameras_hang_where_cameras_hang_and_see_people_of_many_sizes():
    tall = []
    for plan, camera, _ in drawn():
        assert 3 <= camera.height_m <= 8
        assert plan.left <= camera.x <= plan.right
        for row in (HEIGHT * 0.3, HEIGHT * 0.9):
            down = camera.pitch_deg + math.degrees(
                math.atan((row / HEIGHT - 0.5) * HEIGHT / WIDTH * 2 * _half(camera))
            )
            if down > 3:
                far = camera.height_m / math.tan(math.radians(down))
                tall.append(1.7 * WIDTH / 2 / _half(camera) / math.hypot(far, camera.height_m))
    assert np.percentile(tall, 5) < 40
    assert np.percentile(tall, 95) > 80


def _half(camera):
    return math.tan(math.radians(camera.hfov_deg / 2))


def test_under_a_roof_no_sky_is_seen():
    for plan, camera, _ in drawn():
        if plan.kind == "hall":
            up = math.degrees(math.atan(_half(camera) * HEIGHT / WIDTH))
            assert camera.pitch_deg > up or camera.pitch_deg == 48


def test_now_and_then_nobody_has_gathered():
    empty = sum(not kinds for *_, kinds in drawn())
    assert 5 < empty < 40


@pytest.mark.parametrize("held_out", [False, True])
def test_the_same_seed_draws_the_same(held_out):
    assert list(drawn(5, held_out=held_out)) == list(drawn(5, held_out=held_out))
