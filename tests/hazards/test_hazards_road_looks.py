"""Road looks: evidence about their window alone, at their own rhythm, beside the whole looks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hazard_street import CAMERA, EVERYWHERE, HEIGHT, POSE, WIDTH, Street, analyst, heights, seen
from hazard_street import look as whole_look
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.detect import CLASSES, Detections
from pipeline.hazards import Analyst
from pipeline.hazards.cases import Cases
from pipeline.hazards.observation import Observation
from pipeline.ingest import Look
from pipeline.settings import HazardSettings

POSED = replace(CAMERA, zones=(EVERYWHERE,), **POSE)
WINDOW = (100, 40, 180, 88)
HOLE = (130, 60, 142, 64)
RHYTHM_S = 10.0
SETTINGS = HazardSettings()
ASPHALT = Street().luma()


def road_look(at, window=WINDOW, size=(WIDTH, HEIGHT)):
    x1, y1, x2, y2 = window
    picture = np.full(((y2 - y1) * 3 // 2, x2 - x1), 128, np.uint8)
    return Look("c1", at, tuple(map(float, window)), size, picture, "road")


class Watch:
    """A camera that is looked at every second, and in its window every ten."""

    def __init__(self, camera=POSED, **hazards):
        self.analyst = analyst(camera, **hazards)
        self.confirmed, self.cleared = [], []

    def _note(self, at, changes):
        for change in changes:
            done = self.confirmed if change.kind == "confirmed" else self.cleared
            done.append((at, change.incident))

    def whole(self, at, *rows):
        self._note(at, self.analyst.update(whole_look(at, ASPHALT), seen(*rows)))

    def road(self, at, *rows, **look):
        self._note(at, self.analyst.update(road_look(at, **look), seen(*rows)))

    def play(self, start, end, whole=(), road=(), rhythm_s=RHYTHM_S):
        for at in range(start, end):
            self.whole(float(at), *whole)
            if (at - start) % rhythm_s == 0:
                self.road(float(at), *road)
        return self


def cavity(score=0.7, box=HOLE):
    return ("cavity", score, box)


def test_a_hole_that_only_road_looks_see_is_found_whatever_the_whole_looks_miss():
    watch = Watch().play(0, 60, road=[cavity()])
    ((at, incident),) = watch.confirmed
    assert at == 2 * RHYTHM_S, "three looks, however far apart"
    assert incident.started_at == 0
    assert incident.hazard == "road_collapse"
    assert incident.measures["width_m"] > 0
    assert incident.trail["purpose"] == "road"
    assert [rule for _, _, rule in incident.trail["looks"]] == ["cavity"] * 3
    assert incident.box == pytest.approx(np.array(HOLE) / np.array([WIDTH, HEIGHT] * 2))


def test_one_road_look_in_three_is_not_believed_and_forgotten():
    watch = Watch()
    for round_ in range(4):
        watch.play(round_ * 30, round_ * 30 + 10, road=[cavity()])
        watch.play(round_ * 30 + 10, round_ * 30 + 30)
    watch.play(120, 170)
    assert not watch.confirmed
    assert not watch.analyst._cases.open


def test_weak_road_looks_confirm_nothing_however_many():
    assert not Watch().play(0, 100, road=[cavity(0.3)]).confirmed


def test_it_is_cleared_by_road_looks_alone_enough_of_them():
    watch = Watch().play(0, 30, road=[cavity()]).play(30, 140)
    ((cleared_at, incident),) = watch.cleared
    assert cleared_at == 30 + (SETTINGS.clear_looks - 1) * RHYTHM_S
    assert incident.cleared_at == 30
    assert incident.last_seen_at == 20


def test_while_no_road_look_comes_it_stays():
    watch = Watch().play(0, 30, road=[cavity()])
    watch.play(31, 120, rhythm_s=1e9)  # a detector too slow for road looks
    assert watch.confirmed
    assert not watch.cleared


def test_what_is_unconfirmed_when_road_looks_end_is_forgotten():
    watch = Watch().play(0, 15, road=[cavity()])
    for at in range(15, 90):
        watch.whole(float(at))
    assert not watch.analyst._cases.open


def test_a_miss_elsewhere_says_nothing_about_the_place():
    watch = Watch().play(0, 30, road=[cavity()])
    for at in range(30, 120):
        watch.whole(float(at))
        watch.road(float(at), window=(0, 40, 80, 88))
        watch.road(float(at), window=(100, 60, 180, 108))  # its edge lies on the hole
    assert not watch.cleared


def test_a_miss_behind_a_road_user_says_nothing():
    car = ("car", 0.8, (120, 50, 160, 70))
    by_road = Watch().play(0, 30, road=[cavity()]).play(30, 120, road=[car])
    by_whole = Watch().play(0, 30, road=[cavity()]).play(30, 120, whole=[car])
    for watch in (by_road, by_whole):
        assert not watch.cleared
    assert by_road.analyst.open_incidents()[0].trail["obstructed_looks"] > 5


def test_boxes_that_the_window_cuts_are_left_to_the_window_that_has_them_whole():
    cut = cavity(box=(172, 60, 180, 64))
    watch = Watch().play(0, 60, road=[cut])
    assert not watch.confirmed
    for at in range(60, 100):
        watch.whole(float(at))
        if at % 10 == 0:
            watch.road(float(at), cut)
            watch.road(float(at), cavity(box=(172, 60, 184, 64)), window=(150, 40, 230, 88))
    ((at, incident),) = watch.confirmed
    assert (at, incident.box[2]) == (80, 184 / WIDTH)


def test_an_edge_of_the_picture_cuts_nothing():
    corner = (0, 40, 80, 88)
    watch = Watch()
    for at in range(40):
        watch.whole(float(at))
        if at % 10 == 0:
            watch.road(float(at), cavity(box=(0, 60, 12, 64)), window=corner)
    assert len(watch.confirmed) == 1


def test_two_windows_of_one_picture_are_one_look():
    watch = Watch()
    for at in (0.0, 10.0):
        watch.whole(at)
        watch.road(at, cavity())
        watch.road(at, cavity(), window=(110, 40, 190, 88))
    assert not watch.confirmed, "two pictures are not three looks"


def test_a_hole_both_see_is_one_case_with_the_finer_box():
    coarse = cavity(0.6, (128, 58, 146, 68))
    watch = Watch().play(0, 40, whole=[coarse], road=[cavity(0.7)])
    ((at, incident),) = watch.confirmed
    assert at == SETTINGS.road.dwell_s
    assert incident.box[0] == pytest.approx(HOLE[0] / WIDTH)
    watch.play(40, 55, road=[cavity(0.7)])
    assert not watch.cleared, "the whole looks have lost it, the road looks have not"
    watch.play(60, 140)
    assert len(watch.cleared) == 1


def test_a_coarse_box_makes_no_collapse_of_what_road_looks_measure_as_damage():
    coarse, fine = cavity(0.7, (125, 74, 155, 90)), cavity(0.7, (135, 82, 143, 84))
    watch = Watch()
    for at in range(100):
        watch.road(float(at - 1), fine, window=(100, 60, 180, 108))
        watch.whole(float(at), *[coarse] * (at > 0))
    assert [incident.hazard for _, incident in watch.confirmed] == ["road_damage"]
    assert watch.confirmed[0][1].measures["area_m2"] < SETTINGS.road.collapse_area_m2
    for at in range(100, 180):  # from here on nobody measures finer any more
        watch.whole(float(at), coarse)
    assert [incident.hazard for _, incident in watch.confirmed] == ["road_damage", "road_collapse"]


def test_road_looks_that_see_nothing_hinder_no_whole_look():
    rows = [cavity(0.6, (128, 58, 146, 68))]
    both, alone = Watch().play(0, 40, whole=rows), Watch().play(0, 40, whole=rows, rhythm_s=1e9)
    for one, other in ((both, alone),):
        ((at, incident),), ((other_at, other_incident),) = one.confirmed, other.confirmed
        assert (at, incident.incident_id) == (other_at, other_incident.incident_id)
    both.play(40, 90)
    alone.play(40, 90, rhythm_s=1e9)
    assert [at for at, _ in both.cleared] == [at for at, _ in alone.cleared] != []


def test_flickering_whole_looks_are_not_saved_up_between_road_looks():
    watch = Watch()
    for at in range(100):
        watch.whole(float(at), *[cavity(0.6)] * (at % 4 == 0))
        if at % 10 == 0:
            watch.road(float(at))
    assert not watch.confirmed


def test_crowds_tracks_and_background_take_no_notice():
    people = [("person", 0.8, (110 + 4 * n, 60, 113 + 4 * n, 70)) for n in range(15)]
    cars = [("car", 0.9, (130, 60, 160, 75)), ("crash", 0.9, (130, 60, 160, 75))]
    watch = Watch(crowd={"people": 5, "dwell_s": 1}, blockage={"crash_dwell_s": 1})
    watch.play(0, 60, road=[*people, *cars], rhythm_s=1)
    assert not watch.confirmed


def debris(score=0.7, box=HOLE):
    """Detections of a model that knows debris."""
    boxes = np.array([box], np.float32)
    return Detections(boxes, np.array([score], np.float32), np.array([len(CLASSES)], np.int16))


def test_a_load_that_only_road_looks_see_is_found_and_cleared_by_them():
    watching = Analyst(
        POSED, HazardSettings(), (*CLASSES, "debris"), model="m", settings_hash="5e77"
    )
    changes = []
    for at in range(220):
        changes += watching.update(whole_look(float(at), ASPHALT), seen())
        if at % 10 == 0:
            rows = debris() if at <= 100 else Detections.empty()
            changes += watching.update(road_look(float(at)), rows)
    confirmed, cleared = changes
    assert confirmed.incident.hazard == "blockage"
    assert confirmed.incident.confirmed_at == SETTINGS.blockage.object_dwell_s
    assert confirmed.incident.trail["purpose"] == "road"
    assert cleared.incident.cleared_at == 110


def test_a_hole_on_ground_beside_the_carriageway_is_none():
    ignored = replace(POSED, zones=(replace(EVERYWHERE, kind="ignore"),))
    assert not Watch(ignored).play(0, 60, road=[cavity()]).confirmed


def test_a_road_look_before_any_whole_look_or_from_before_an_outage_says_nothing():
    watch = Watch()
    watch.road(0.0, cavity())
    assert not watch.analyst._cases.open
    watch.play(1, 12)
    watch.whole(300.0)
    watch.road(11.0, cavity())
    assert not watch.analyst._cases.open
    watch.road(300.0, cavity())
    assert watch.analyst._cases.open


def test_a_late_road_look_counts_at_its_own_time():
    watch = Watch()
    for at in (0.0, 10.0, 20.0):
        for step in range(10):
            watch.whole(at + step)
        watch.road(at, cavity())
    ((_, incident),) = watch.confirmed
    assert (incident.started_at, incident.confirmed_at, incident.last_seen_at) == (0, 20, 20)


def test_pictures_of_another_shape_say_nothing():
    watch = Watch().play(0, 5)
    watch.road(5.0, cavity(), size=(200, 180))
    assert not watch.analyst._cases.open


def test_an_outage_ends_what_road_looks_have_begun():
    watch = Watch().play(0, 15, road=[cavity()])
    watch.play(200, 215, road=[cavity()])
    assert not watch.confirmed
    watch.play(220, 225, road=[cavity()])
    assert [incident.started_at for _, incident in watch.confirmed] == [200]


def hole_at(at, score, place=HOLE):
    return Observation("road_damage", "cavity", heights(*place), score, at, 6.0)


steps = st.lists(
    st.tuples(
        st.sampled_from(["whole", "road"]),
        st.sampled_from([None, 0.1, 0.4, 0.7, 0.95]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=150,
)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_whatever_comes_each_purpose_alone_had_the_reasons_to_believe_and_to_clear(story):
    cases = Cases(SETTINGS)
    for number, (purpose, score, hidden, covers) in enumerate(story):
        at = float(number)
        found = [] if score is None else [hole_at(at, score)]
        confirmed, cleared = cases.update(
            at, found, lambda _, hidden=hidden: hidden, purpose, lambda _, covers=covers: covers
        )
        for case in confirmed:
            history = case.by[purpose]
            assert history.seen[-1].at == at
            assert history.looks("cavity") >= 3
            assert history.mean(at - 6.0) >= SETTINGS.confirm_score
            assert at - case.started_at >= 6.0
        for case in cleared:
            for history in case.by.values():
                if history.saw and not history.silent(at):
                    assert history.free_looks >= SETTINGS.clear_looks
                    assert all(
                        entry.score < 0.25
                        for entry in history.seen
                        if entry.at >= history.free_since
                    )
        for case in cases.open:
            assert case.confirmed_at is not None or any(one.saw for one in case.by.values())
            whole = {entry.at for entry in case.by["whole"].seen}
            assert not whole & {entry.at for entry in case.by["road"].seen}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([None, 0.1, 0.4, 0.7, 0.95]), max_size=120), st.data())
def test_road_looks_that_see_nothing_change_nothing_about_whole_looks(scores, data):
    """The belief of whole looks is the same as without any road look."""
    with_road, without = Cases(SETTINGS), Cases(SETTINGS)
    for number, score in enumerate(scores):
        at = float(number)
        found = [] if score is None else [hole_at(at, score)]
        one = with_road.update(at, found, lambda _: False)
        other = without.update(at, found, lambda _: False)
        for mine, theirs in zip(one, other, strict=True):
            assert [case.started_at for case in mine] == [case.started_at for case in theirs]
        if data.draw(st.booleans()):
            with_road.update(at, [], lambda _: False, "road")


def test_detections_of_nothing_are_no_trouble():
    watch = Watch().play(0, 2)
    assert watch.analyst.update(road_look(2.0), Detections.empty()) == []
