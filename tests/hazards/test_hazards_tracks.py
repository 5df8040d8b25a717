"""Vehicles over time: which move, which came and stand, how they stopped, and where they drive."""

from __future__ import annotations

import pytest
from hazard_street import Street, heights, moved, scene, times

from pipeline.hazards.background import Background
from pipeline.hazards.boxes import iou
from pipeline.hazards.tracks import CHANGED, FAST, Track, Tracks
from pipeline.hazards.traffic import Traffic

SPOT = (150, 90, 190, 120)


class Lane:
    """Tracks and background of a street that has been empty for ``empty_s``."""

    def __init__(self, empty_s=8, parked=()):
        self.street, self.background, self.tracks = Street(), Background(), Tracks()
        self.parked, self.ended = [(box, 60) for box in parked], []
        for at in times(0, empty_s):
            self.look(at)

    def look(self, at, *cars, detected=None, greys=None):
        """``cars`` are on the road; ``detected`` are the boxes that the model gives for them."""
        greys = greys or [200] * len(cars)
        luma = self.street.luma(*self.parked, *zip(cars, greys, strict=True))
        boxes = cars if detected is None else detected
        now = scene(at, *(("car", 0.8, box) for box in boxes), luma=luma)
        self.background.update(at, luma, now.users)
        self.ended += self.tracks.update(now, self.background)

    def standing(self):
        return self.tracks.standing()


def test_a_vehicle_that_stays_in_its_place_stands_since_it_came():
    lane = Lane()
    for at in times(10, 15):
        lane.look(at, SPOT)
    (track,) = lane.standing()
    assert track.stood_since == 10
    assert track.arrived
    assert iou(track.stand_box[None], heights(*SPOT)[None])[0, 0] > 0.95


def test_a_moving_vehicle_does_not_stand():
    lane = Lane()
    for at in times(10, 16):
        lane.look(at, moved(SPOT, dx=(at - 13) * 30))
        assert not lane.standing()
    assert len(lane.tracks.moving()) == 1


def test_a_parked_vehicle_that_the_model_sees_now_and_then_has_not_arrived():
    lane, stood = Lane(parked=[SPOT]), False
    for at in times(10, 40):
        flickers = [SPOT] if int(at) % 10 < 4 else []
        lane.look(at, detected=flickers)
        assert not any(track.arrived for track in lane.standing())
        stood = stood or bool(lane.standing())
    assert stood, "it was seen to stand, as often as the model saw it"


def test_a_parked_vehicle_that_another_uncovers_has_not_arrived():
    lane = Lane(empty_s=0, parked=[SPOT])
    passing = moved(SPOT, dx=14, dy=6)
    for index, at in enumerate(times(0, 8)):
        car = moved(passing, dx=60 * index)
        lane.look(at, car, detected=[car] if index == 0 else [car, SPOT])
    assert any(track.stood_since is not None for track in lane.tracks.tracks)
    assert not any(track.arrived for track in lane.standing())


def test_a_vehicle_that_passes_a_parked_one_does_not_change_places_with_it():
    lane = Lane(empty_s=0, parked=[SPOT])
    for at in times(0, 6, 0.4):
        car = moved(SPOT, dx=110 * at - 14, dy=4)
        lane.look(at, car, detected=[car, SPOT])
    (parked,) = lane.standing()
    assert parked.stood_since == 0
    assert not parked.arrived


@pytest.mark.parametrize("brakes_s, hard", [(0.4, True), (4.0, False)])
def test_how_fast_a_followed_vehicle_stopped_is_known(brakes_s, hard):
    speed = 70  # px/s, two lengths of the car
    lane = Lane()
    for at in times(9, 18, 0.2):
        left = max(0.0, 13 - at)
        way = speed * left if left > brakes_s else speed * left**2 / (2 * brakes_s)
        if left > brakes_s:
            way -= speed * brakes_s / 2
        lane.look(at, moved(SPOT, dx=-way))
    (track,) = lane.standing()
    assert track.top_speed >= FAST
    assert (track.stop_s <= 1.25) is hard


def test_dense_traffic_through_one_place_does_not_stand_there():
    lane = Lane()
    for index, at in enumerate(times(10, 30)):
        lane.look(at, SPOT, greys=[(200, 30, 160, 60)[index % 4]])
    assert not lane.standing()


def test_looks_far_apart_know_a_standing_vehicle_by_its_place():
    lane = Lane(empty_s=14)
    for index in range(5):
        lane.look(20 + 2.0 * index, moved(SPOT, dx=index % 2))
    (track,) = lane.standing()
    assert track.stood_since == 20
    assert track.arrived


def test_looks_far_apart_never_take_the_next_vehicle_for_the_last():
    lane = Lane(empty_s=14)
    for index in range(6):
        lane.look(
            20 + 2.0 * index,
            moved(SPOT, dx=25 * (index % 2)),
            greys=[(200, 30, 160, 60, 230, 10)[index]],
        )
        assert not lane.standing()


def test_a_standing_vehicle_may_be_overlooked_for_a_moment():
    lane = Lane()
    for at in times(10, 14):
        lane.look(at, SPOT)
    for at in times(14, 15):
        lane.look(at, SPOT, detected=[])
    lane.look(15.0, SPOT)
    (track,) = lane.standing()
    assert track.stood_since == 10


def test_a_standing_vehicle_that_leaves_stands_no_more():
    lane = Lane()
    for at in times(10, 14):
        lane.look(at, SPOT)
    for at in times(14, 18):
        lane.look(at)
    assert not lane.standing()


def test_a_standing_vehicle_that_is_hidden_still_stands():
    lane = Lane()
    for at in times(10, 14):
        lane.look(at, SPOT)
    lorry = (130, 70, 230, 130)
    for at in times(14, 24):
        lane.look(at, SPOT, lorry, detected=[lorry])
    assert any(track.stood_since == 10 for track in lane.standing())


def test_a_vehicle_that_met_another_as_it_stopped_was_touched():
    beside = moved(SPOT, dx=34)
    lane = Lane()
    for at in times(10, 15):
        lane.look(at, SPOT, beside, greys=[200, 60])
    assert [track.touched_at for track in lane.standing()] == [10, 10]
    lane = Lane()
    for at in times(10, 15):
        lane.look(at, SPOT, moved(SPOT, dx=80), greys=[200, 60])
    assert [track.touched_at for track in lane.standing()] == [None, None]


def passes(lane, traffic, start, step=0.5, speed=60):
    """One vehicle crosses the picture on the lane of SPOT."""
    for at in times(start, start + 6, step):
        lane.look(at, moved(SPOT, dx=(at - start - 3) * speed))
    for at in times(start + 6, start + 10, step):
        lane.look(at)
    for track in lane.ended:
        traffic.add(track, CHANGED)
    lane.ended.clear()


def test_where_vehicles_have_passed_is_carriageway():
    lane, traffic = Lane(), Traffic(16 / 9)
    passes(lane, traffic, 10)
    assert not traffic.carries(heights(*SPOT)), "one vehicle may be lost"
    passes(lane, traffic, 20)
    assert traffic.carries(heights(*SPOT))
    assert not traffic.carries(heights(*moved(SPOT, dy=-60)))


def test_a_parked_vehicle_does_not_make_its_place_carriageway():
    lane, traffic = Lane(parked=[SPOT]), Traffic(16 / 9)
    for at in times(10, 60):
        lane.look(at, detected=[SPOT] if int(at) % 8 < 1 else [])
        for track in lane.ended:
            traffic.add(track, CHANGED)
    assert not traffic.carries(heights(*SPOT))


def test_looks_too_far_apart_to_follow_still_learn_the_carriageway():
    lane, traffic = Lane(empty_s=14), Traffic(16 / 9)
    for index, at in enumerate(times(20, 44, 2.0)):
        lane.look(at, *[moved(SPOT, dx=index)] * (index % 3 == 0))
    for track in lane.ended:
        traffic.add(track, CHANGED)
    assert traffic.carries(heights(*SPOT))


@pytest.mark.parametrize(
    "days, carries", [((0, 0.3), True), ((1, 20), False), ((1, 8, 15, 22), False)]
)
def test_passages_that_are_weeks_apart_make_no_carriageway(days, carries):
    traffic = Traffic(16 / 9)
    for day in days:
        track = Track(changed=0.5)
        track.history.append((1.8e9 + day * 86400, heights(*SPOT)))
        traffic.add(track, 0.35)
    assert traffic.carries(heights(*SPOT)) is carries


def test_a_busy_road_stays_one_over_a_quiet_night():
    traffic = Traffic(16 / 9)
    elsewhere = moved(SPOT, dx=-120, dy=-60)
    for at, box in [*((hour * 60.0, SPOT) for hour in range(60)), (40_000.0, elsewhere)]:
        track = Track(changed=0.5)
        track.history.append((at, heights(*box)))
        traffic.add(track, 0.35)
    assert traffic.carries(heights(*SPOT))
    assert not traffic.carries(heights(*elsewhere))
