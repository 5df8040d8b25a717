"""What is new and still in the picture, and what only seems so."""

from __future__ import annotations

import numpy as np
import pytest
from hazard_street import HEIGHT, Street, heights, moved, times

from pipeline.hazards.background import Background
from pipeline.hazards.boxes import iou

NOBODY = np.zeros((0, 4))
THING = (140, 100, 160, 115)
CAR = (0, 90, 60, 130)


class Watch:
    """A background that has seen ``empty_s`` seconds of a street."""

    def __init__(self, *painted, empty_s=10, step=0.5):
        self.street, self.background, self.step, self.at = Street(), Background(), step, 0.0
        self.see(empty_s, *painted)

    def see(self, seconds, *painted, users=NOBODY, gain=1.0):
        """Look on for so long; every new thing seen meanwhile, look by look."""
        found = []
        for at in times(self.at, self.at + seconds, self.step):
            luma = self.street.luma(*painted, gain=gain)
            found.append(self.background.update(at, luma, users))
        self.at += seconds
        return found

    def traffic(self, seconds, *painted):
        """Cars pass through the lane of CAR, one every eight seconds, and are seen."""
        found = []
        for at in times(self.at, self.at + seconds, self.step):
            car = moved(CAR, dx=at * 40 % 380 - 60)
            luma = self.street.luma(*painted, (car, 200))
            found.append(self.background.update(at, luma, heights(*car)[None]))
        self.at += seconds
        return found


def test_a_thing_that_comes_and_stays_is_new_since_it_came():
    watch = Watch()
    found = watch.see(10, (THING, 40))
    (thing,) = found[-1]
    assert iou(thing.box[None], heights(*THING)[None])[0, 0] > 0.6
    assert 10 <= thing.since <= 13
    assert thing.contrast == pytest.approx(70, abs=25)


@pytest.mark.parametrize("step", [0.2, 0.5])
def test_a_thing_that_is_gone_is_not_listed_in_the_very_next_look(step):
    watch = Watch(step=step)
    assert len(watch.see(10, (THING, 40))[-1]) == 1
    assert not any(watch.see(10))


def test_an_empty_street_has_nothing_new():
    assert not any(Watch().see(20))


def test_a_parked_thing_that_leaves_is_not_new():
    watch = Watch((THING, 200))
    assert not any(watch.see(30))


@pytest.mark.parametrize("gain", [0.7, 1.3])
def test_a_change_of_exposure_is_not_new(gain):
    assert not any(Watch().see(15, gain=gain))


def test_a_new_thing_is_found_even_when_the_exposure_changes_with_it():
    assert len(Watch().see(10, (THING, 40), gain=1.3)[-1]) == 1


def test_road_users_who_pass_are_not_new():
    assert not any(Watch().traffic(40))


def test_a_road_user_who_stands_hides_the_ground_and_is_not_new():
    assert not any(Watch().see(15, (THING, 40), users=heights(*THING)[None]))


def test_a_thing_that_is_gone_again_is_no_longer_new():
    watch = Watch()
    assert watch.see(8, (THING, 40))[-1]
    assert not watch.see(5)[-1]


def test_when_the_whole_picture_changes_it_is_learned_anew():
    watch = Watch()
    upper_half = ((0, 0, 320, 80), 20)
    assert not any(watch.see(2, upper_half))
    assert not watch.background.ready, "nothing it knew holds any more"
    assert not any(watch.see(6, upper_half))
    assert watch.background.ready
    assert watch.background.changed(heights(*upper_half[0])) < 0.1
    assert len(watch.see(10, upper_half, (THING, 40))[-1]) == 1


def test_the_ground_is_learned_behind_passing_traffic():
    watch = Watch(empty_s=0)
    watch.traffic(20)
    assert watch.background.ready
    (thing,) = watch.see(10, (THING, 40))[-1]
    assert iou(thing.box[None], heights(*THING)[None])[0, 0] > 0.6


def test_it_is_ready_only_after_enough_looks_and_enough_time():
    quick, slow = Background(), Background()
    street = Street()
    for at in times(0, 2, 0.1):
        quick.update(at, street.luma(), NOBODY)
    for at in (0.0, 10.0, 20.0):
        slow.update(at, street.luma(), NOBODY)
    assert not quick.ready
    assert not slow.ready


def test_changed_tells_a_place_that_looks_different_from_one_that_does_not():
    watch = Watch()
    watch.see(1, (THING, 40))
    assert watch.background.changed(heights(*THING)) > 0.9
    assert watch.background.changed(heights(*moved(THING, dx=100))) < 0.1


def test_steady_tells_whether_a_place_looks_as_in_the_look_before():
    watch = Watch()
    watch.see(0.5, (THING, 40))
    assert watch.background.steady(heights(*THING)) < 0.1
    watch.see(0.5, (THING, 40))
    assert watch.background.steady(heights(*THING)) > 0.9


def test_an_absorbed_thing_is_part_of_the_street():
    watch = Watch()
    assert watch.see(8, (THING, 40))[-1]
    watch.background.absorb(heights(130, 90, 170, 125))
    assert not any(watch.see(10, (THING, 40)))


def test_a_picture_of_another_shape_starts_over():
    watch = Watch()
    luma = watch.street.luma()[:, :240]
    assert watch.background.update(20.0, np.ascontiguousarray(luma), NOBODY) == []
    assert not watch.background.ready


def test_specks_and_whole_halves_of_the_picture_are_not_things():
    assert not any(Watch().see(10, ((100, 100, 103, 102), 20)))
    assert not any(Watch().see(10, ((0, 60, 200, 100), 20))[-8:])


@pytest.mark.parametrize("scale", [1, 2])
def test_boxes_are_in_picture_heights_whatever_the_size_of_the_picture(scale):
    background, street = Background(), Street()

    def show(at, *painted):
        luma = np.kron(street.luma(*painted), np.ones((scale, scale), np.uint8))
        return background.update(at, luma, NOBODY)

    for at in times(0, 10):
        show(at)
    for at in times(10, 18):
        found = show(at, (THING, 40))
    assert found[0].box[3] * HEIGHT == pytest.approx(THING[3], abs=4)
