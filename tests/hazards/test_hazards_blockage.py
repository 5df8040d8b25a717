"""What stands or lies where traffic must pass: when it is a crash, a queue, or nothing."""

from __future__ import annotations

from dataclasses import replace

from hazard_street import CAMERA, EVERYWHERE, heights, moved, scene, times

from pipeline.hazards.background import NewThing
from pipeline.hazards.blockage import lies_around_crash, standing_vehicles
from pipeline.hazards.boxes import foot, size
from pipeline.hazards.crash_signs import FRESH_S, CrashSigns
from pipeline.hazards.observation import Observation
from pipeline.hazards.tracks import Track
from pipeline.hazards.traffic import Traffic
from pipeline.hazards.view import View
from pipeline.settings import BlockageSettings
from pipeline.town import Zone

SPOT = (150, 90, 190, 120)
SETTINGS = BlockageSettings()
ROAD = View(replace(CAMERA, zones=(EVERYWHERE,)), 16 / 9)
UNZONED = View(CAMERA, 16 / 9)
STOOD = 20.0


def stands(box=SPOT, since=STOOD, *, arrived=True, hard=False, touched_at=None):
    track = Track(stood_since=since, stand_box=heights(*box), arrived=arrived, score=0.9)
    track.history.extend((at, heights(*box)) for at in times(since, since + 3))
    track.touched_at = touched_at
    if hard:
        track.top_speed, track.stop_s = 2.0, 0.5
    return track


def lane_with_traffic():
    traffic = Traffic(16 / 9)
    for _ in range(2):
        track = Track()
        track.history.extend(
            (at, heights(*moved(SPOT, dx=40 * (at - 5)))) for at in times(0, 10, 0.5)
        )
        traffic.add(track, 0.35)
    return traffic


def found(*tracks, now=None, new=(), signs=None, traffic=None, view=ROAD):
    return standing_vehicles(
        now or scene(STOOD + 3),
        tracks,
        new,
        signs or CrashSigns(),
        traffic or Traffic(16 / 9),
        view,
        SETTINGS,
    )


def signs_with(*entries):
    """CrashSigns that saw ``(at, score, box)``."""
    signs = CrashSigns()
    for at, score, box in entries:
        signs.update(scene(at, ("crash", score, box)))
    return signs


def test_a_vehicle_that_came_and_stands_is_in_the_way():
    (one,) = found(stands())
    assert (one.rule, one.since, one.dwell_s) == ("vehicle", STOOD, SETTINGS.vehicle_dwell_s)


def test_a_vehicle_that_has_always_been_there_is_not():
    assert found(stands(arrived=False)) == []


def test_without_zones_a_vehicle_is_in_the_way_only_where_vehicles_drive():
    assert found(stands(), view=UNZONED) == []
    (one,) = found(stands(), view=UNZONED, traffic=lane_with_traffic())
    assert one.rule == "vehicle"


def test_a_vehicle_beside_the_carriageway_or_in_an_ignored_zone_is_not_in_the_way():
    left = Zone("carriageway", ((0, 0), (0.3, 0), (0.3, 1), (0, 1)))
    ignored = Zone("ignore", ((0.4, 0.4), (0.7, 0.4), (0.7, 0.8), (0.4, 0.8)))
    assert found(stands(), view=View(replace(CAMERA, zones=(left,)), 16 / 9)) == []
    assert found(stands(), view=View(replace(CAMERA, zones=(EVERYWHERE, ignored)), 16 / 9)) == []


def test_vehicles_that_queue_are_not_in_the_way():
    queue = [stands(moved(SPOT, dx=42 * place), STOOD + place) for place in range(3)]
    assert found(*queue) == []
    assert len(found(*queue[:2])) == 2


def test_a_heap_that_the_detector_half_takes_for_a_vehicle_is_a_thing_on_the_road():
    heap, driven, far = stands(), stands(), stands(box=(300, 60, 312, 68))
    heap.score = driven.score = far.score = 0.4
    driven.top_speed, driven.stop_s = 2.0, 2.0
    assert [one.rule for one in found(heap)] == ["object"]
    assert [one.rule for one in found(driven)] == ["vehicle"], "a thing doesn't drive there"
    assert [one.rule for one in found(far)] == ["vehicle"], "far vehicles are seen badly"
    assert found(heap)[0].dwell_s == found(driven)[0].dwell_s


def test_no_single_sign_makes_a_crash():
    once = signs_with((STOOD, 0.4, SPOT))
    debris = NewThing(heights(*moved(SPOT, dx=50)), STOOD, 40.0)
    person = scene(STOOD + 3, ("person", 0.9, moved(SPOT, dx=10, dy=5)))
    for one in (
        found(stands(), signs=once),
        found(stands(hard=True)),
        found(stands(touched_at=STOOD)),
        found(stands(), new=[debris]),
        found(stands(), now=person),
    ):
        assert [item.rule for item in one] == ["vehicle"]


def test_signs_of_a_crash_add_up():
    signs = signs_with((STOOD, 0.4, SPOT))
    (one,) = found(stands(hard=True, touched_at=STOOD - 1), signs=signs)
    assert one.rule == "crash"
    assert one.dwell_s == SETTINGS.crash_dwell_s
    assert set(one.parts) == {"prior", "crash_class", "hard_stop", "touched"}
    debris = NewThing(heights(*moved(SPOT, dx=50)), STOOD, 40.0)
    (more,) = found(stands(hard=True, touched_at=STOOD - 1), signs=signs, new=[debris])
    assert more.parts["debris"] > 0
    assert more.score > one.score


def test_a_crash_began_at_the_blow_and_not_when_all_stood_still():
    signs = signs_with((STOOD, 0.8, SPOT))
    (braked,) = found(stands(hard=True), signs=signs)
    assert braked.since == STOOD - 0.5
    (touched,) = found(stands(hard=True, touched_at=STOOD - 1.5), signs=signs)
    assert touched.since == STOOD - 1.5


def test_the_crash_score_that_a_place_always_gets_counts_nothing():
    usual = [(at, 0.6, SPOT) for at in times(0, STOOD + 3)]
    (one,) = found(stands(hard=True), signs=signs_with(*usual))
    assert one.rule == "vehicle"
    (other,) = found(stands(hard=True), signs=signs_with((5.0, 0.1, SPOT), (STOOD, 0.7, SPOT)))
    assert other.rule == "crash"


def test_a_crash_score_elsewhere_or_long_ago_counts_nothing():
    for entry in ((STOOD, 0.9, moved(SPOT, dx=100)), (STOOD, 0.0, SPOT)):
        assert [one.rule for one in found(stands(hard=True), signs=signs_with(entry))] == [
            "vehicle"
        ]
    old = signs_with((STOOD, 0.9, SPOT))
    old.update(scene(STOOD + FRESH_S + 1))
    assert [one.rule for one in found(stands(hard=True), signs=old)] == ["vehicle"]


def rules_over_time(track, signs, until, score):
    """Rules found look by look while the place gets ``score(at)`` from the detector."""
    rules = []
    for at in times(STOOD + 3, until):
        signs.update(scene(at, ("crash", score(at), SPOT)))
        rules += [one.rule for one in found(track, signs=signs, now=scene(at))]
    return set(rules)


def test_what_a_place_always_got_is_not_forgotten_while_a_vehicle_stands_there():
    usual = signs_with(*((at, 0.45, SPOT) for at in times(0, STOOD + 3)))
    assert rules_over_time(stands(hard=True), usual, 200, lambda _at: 0.45) == {"vehicle"}


def test_a_crash_score_long_after_the_vehicle_stopped_counts_nothing():
    late = rules_over_time(
        stands(hard=True), signs_with(), 200, lambda at: 0.9 if at > STOOD + FRESH_S else 0.05
    )
    assert late == {"vehicle"}


def test_what_was_judged_a_crash_stays_one_while_the_vehicle_stands_there():
    signs = signs_with((STOOD, 0.9, SPOT))
    assert rules_over_time(stands(hard=True), signs, 200, lambda _at: 0.05) == {"crash"}


def test_a_crash_score_that_stays_is_worth_more_than_one_that_flickers():
    stays = signs_with(*((at, 0.4, SPOT) for at in times(STOOD, STOOD + 3)))
    flickers = signs_with((STOOD, 0.4, SPOT), (STOOD + 2, 0.4, SPOT))
    (lasting,) = found(stands(hard=True), signs=stays)
    (passing,) = found(stands(hard=True), signs=flickers)
    assert set(lasting.parts) - set(passing.parts) == {"crash_lasts"}
    assert lasting.score > passing.score


def test_people_beside_the_road_are_no_sign_of_a_crash():
    lower = Zone("carriageway", ((0, 0.5), (1, 0.5), (1, 1), (0, 1)))
    view = View(replace(CAMERA, zones=(lower,)), 16 / 9)
    signs = signs_with((STOOD, 0.4, SPOT))
    for feet, on_road in ((110, True), (80, False)):
        now = scene(STOOD + 3, ("person", 0.9, (145, feet - 25, 153, feet)))
        (one,) = found(stands(hard=True), signs=signs, now=now, view=view)
        assert ("people" in one.parts) is on_road


def test_a_queue_around_it_speaks_against_a_crash():
    signs = signs_with((STOOD, 0.4, SPOT))
    crashed = stands(hard=True)
    (alone,) = found(crashed, signs=signs)
    assert alone.rule == "crash"
    queue = [stands(moved(SPOT, dx=dx), STOOD + 1) for dx in (-45, 45)]
    assert "crash" not in {one.rule for one in found(crashed, *queue, signs=signs)}


def test_debris_that_lay_there_before_or_far_away_is_no_sign():
    signs = signs_with((STOOD, 0.4, SPOT))
    for thing in (
        NewThing(heights(*moved(SPOT, dx=50)), STOOD - 10, 40.0),
        NewThing(heights(*moved(SPOT, dx=130)), STOOD, 40.0),
        NewThing(heights(*SPOT), STOOD, 40.0),  # the vehicle itself
    ):
        (one,) = found(stands(hard=True), signs=signs, new=[thing])
        assert "debris" not in one.parts


def test_what_came_to_lie_around_a_crash_with_it_is_its_debris():
    crash = Observation("blockage", "crash", heights(*SPOT), 0.9, STOOD, 20.0)
    at = heights(*moved(SPOT, dx=60))
    debris = Observation("blockage", "object", at, 0.75, STOOD + 5, 60.0)
    assert lies_around_crash(debris, [crash])
    assert not lies_around_crash(debris, [replace(crash, rule="vehicle")])
    assert not lies_around_crash(replace(debris, since=STOOD - 5), [crash])
    assert not lies_around_crash(replace(debris, since=STOOD + 60), [crash])
    far = Observation("blockage", "object", heights(0, 20, 20, 40), 0.75, STOOD + 5, 60.0)
    assert not lies_around_crash(far, [crash])


def test_the_place_of_a_vehicle_is_where_its_wheels_are():
    upper = Zone("carriageway", ((0, 0), (1, 0), (1, 0.6), (0, 0.6)))
    view = View(replace(CAMERA, zones=(upper,)), 16 / 9)
    box = heights(*SPOT)
    assert foot(box)[1] > 0.6 > foot(box)[1] - size(box)
    assert not view.on_carriageway(box)
