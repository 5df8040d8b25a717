"""Outages and clocks put back: what was not watched is no evidence, and nothing sticks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hazard_street import CAMERA, EVERYWHERE, Street, analyst, look, moved, seen, times

from pipeline.hazards.pace import Pace

ZONED = replace(CAMERA, zones=(EVERYWHERE,))
HOLE = (140, 110, 170, 125)
THING = (140, 100, 160, 115)
SPOT = (150, 90, 190, 120)
SETTINGS = {
    "blockage": {"object_dwell_s": 8, "vehicle_dwell_s": 8, "crash_dwell_s": 4},
    "crowd": {"dwell_s": 10},
}
PEOPLE = [
    ("person", 0.5, (x, y, x + 6, y + 14))
    for x, y in np.random.default_rng(1).uniform((90, 90), (210, 140), (40, 2))
]


class Watch:
    """One camera whose looks come when the test says so."""

    def __init__(self):
        self.analyst, self.street = analyst(ZONED, **SETTINGS), Street()

    def see(self, start, end, painted=(), rows=(), step=0.5):
        changes = []
        for at in times(start, end, step):
            changes += self.analyst.update(look(at, self.street.luma(*painted)), seen(*rows))
        return changes


def test_an_outage_is_no_dwell():
    watch = Watch()
    assert watch.see(0, 1, rows=PEOPLE) == []
    assert watch.see(600, 609, rows=PEOPLE) == []
    (change,) = watch.see(609, 615, rows=PEOPLE)
    assert change.incident.started_at == 600.0


def test_what_is_new_after_an_outage_is_as_old_as_the_first_look_after_it():
    watch = Watch()
    watch.see(0, 10)
    assert watch.see(10, 15, [(THING, 40)]) == []
    assert watch.see(600, 607, [(THING, 40)]) == []
    (change,) = watch.see(607, 615, [(THING, 40)])
    assert change.incident.started_at == pytest.approx(600, abs=2)


def test_a_vehicle_that_stands_before_and_after_an_outage_may_be_another_one():
    watch = Watch()
    watch.see(0, 10)
    car = [(SPOT, 200)], [("car", 0.8, SPOT)]
    assert watch.see(10, 15, *car) == []
    assert watch.see(600, 607, *car) == []
    (change,) = watch.see(607, 615, *car)
    assert change.incident.started_at >= 600


def test_an_outage_clears_nothing():
    watch = Watch()
    (change,) = watch.see(0, 10, [(HOLE, 40)], [("cavity", 0.8, HOLE)])
    assert watch.see(10, 20) == []
    assert watch.see(600, 619) == []
    (cleared,) = watch.see(619, 625)
    assert cleared.incident.incident_id == change.incident.incident_id
    assert cleared.incident.cleared_at == 600.0


@pytest.mark.parametrize("back_s", [1.0, 3600.0])
def test_a_clock_put_back_keeps_nothing_for_ever(back_s):
    watch = Watch()
    watch.see(0, 10)
    hole = [(HOLE, 40)], [("cavity", 0.8, HOLE)]
    (change,) = watch.see(10_000, 10_010, *hole)
    now = 10_010 - back_s
    car = moved(SPOT, dy=-60)
    both = [*hole[0], (car, 200)], [*hole[1], ("car", 0.8, car)]
    (second,) = watch.see(now, now + 15, *both)
    assert second.incident.trail["kind"] == "vehicle"
    assert now <= second.incident.started_at <= now + 2
    cleared = watch.see(now + 15, now + 50)
    assert {one.incident.incident_id for one in cleared} == {
        change.incident.incident_id,
        second.incident.incident_id,
    }
    assert watch.analyst.open_incidents() == []


def test_a_clock_put_back_while_the_street_is_learned_does_not_stop_learning():
    watch = Watch()
    watch.see(5000, 5002)
    watch.see(0, 10)
    (change,) = watch.see(10, 25, [(THING, 40)])
    assert change.incident.trail["kind"] == "object"


def test_looks_at_any_regular_pace_never_break_off():
    for step in (0.2, 10.0, 60.0):
        pace = Pace()
        broke = [pace.broke(at) for at in times(0, 20 * step, step)]
        assert not any(broke[1:] if step <= 30 else broke[2:])


def test_a_camera_looked_at_less_often_from_now_on_is_soon_at_its_usual_pace():
    pace = Pace()
    assert not any(pace.broke(at) for at in times(0, 100, 1.0))
    broke = [pace.broke(100.0 + 60 * look) for look in range(1, 10)]
    assert broke[0]
    assert not any(broke[3:])


CAR = [(SPOT, 200)], [("car", 0.8, SPOT)]


def test_looks_far_apart_may_each_show_another_car_at_the_same_line():
    watch = Watch()
    watch.see(0, 400, step=40)
    assert watch.see(400, 400 + 12 * 40, *CAR, step=40) == []
    (change,) = watch.see(880, 960, *CAR, step=40)
    assert change.incident.trail["kind"] == "vehicle"


def test_a_few_looks_in_close_succession_show_that_it_is_one_and_the_same():
    watch = Watch()
    watch.see(0, 400, step=40)
    assert watch.see(400, 560, *CAR, step=40) == []
    (change,) = watch.see(560, 585, *CAR, step=5)
    assert change.incident.trail["kind"] == "vehicle"
    assert change.incident.started_at == 400.0
