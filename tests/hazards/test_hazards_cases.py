"""From evidence to belief: cases are confirmed and cleared by rules that always hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hazard_street import heights, moved
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.hazards.cases import Cases
from pipeline.hazards.history import FADE_S, LEAST_LOOKS
from pipeline.hazards.observation import Observation
from pipeline.settings import HazardSettings

PLACE = (100, 100, 120, 120)
SETTINGS = HazardSettings(clear_looks=3, clear_s=5.0)
DWELL_S = 4.0


def evidence(at, score=0.9, since=None, place=PLACE, **changes):
    start = at if since is None else since
    seen = Observation("blockage", "object", heights(*place), score, start, DWELL_S)
    return replace(seen, **changes)


class Story:
    """Cases of one camera fed look by look."""

    def __init__(self, settings=SETTINGS):
        self.cases, self.confirmed, self.cleared = Cases(settings), [], []

    def look(self, at, *observations, hidden=False):
        confirmed, cleared = self.cases.update(at, observations, lambda _case: hidden)
        self.confirmed += [(at, case) for case in confirmed]
        self.cleared += [(at, case) for case in cleared]

    def looks(self, start, end, score=0.9, *, hidden=False, **changes):
        for at in range(start, end):
            found = [] if score is None else [evidence(float(at), score, **changes)]
            self.look(float(at), *found, hidden=hidden)


def confirmed_story(settings=SETTINGS):
    story = Story(settings)
    story.looks(0, 6)
    assert [at for at, _ in story.confirmed] == [DWELL_S]
    return story


def test_a_case_is_confirmed_when_its_evidence_has_lasted_the_dwell():
    story = Story()
    story.looks(0, 4)
    assert not story.confirmed
    story.looks(4, 9)
    ((at, case),) = story.confirmed
    assert (at, case.hazard, case.started_at) == (4.0, "blockage", 0.0)


def test_looks_that_see_nothing_count_as_zero():
    story = Story()
    for at in range(20):
        found = [evidence(float(at), 0.9)] if at % 3 == 0 else []
        story.look(float(at), *found)
    assert not story.confirmed


@pytest.mark.parametrize("step", [1.0, 2.0, 5.0, 8.0, 10.0, 20.0])
def test_however_far_apart_looks_are_evidence_in_two_of_three_confirms(step):
    story = Story(HazardSettings())
    for index in range(12):
        at = index * step
        hole = evidence(at, 0.9, hazard="road_damage", rule="cavity")
        story.look(at, *[hole] * (index % 3 != 2))
    ((at, case),) = story.confirmed
    assert case.started_at == 0.0
    assert at <= max(3 * step, DWELL_S + 2 * step)


@pytest.mark.parametrize("step", [1.0, 5.0, 10.0, 20.0])
def test_however_far_apart_looks_are_evidence_in_one_of_three_is_forgotten(step):
    story = Story(HazardSettings())
    for index in range(30):
        at = index * step
        story.look(at, *[evidence(at, 0.5)] * (index % 3 == 0))
    assert not story.confirmed
    for index in range(30, 40):
        story.look(index * step)
    assert not story.cases.open


def test_looks_that_are_obstructed_do_not_count():
    story = Story()
    for at in range(20):
        found = [evidence(float(at), 0.9)] if at % 3 == 0 else []
        story.look(float(at), *found, hidden=not found)
    ((at, case),) = story.confirmed
    assert at == 6.0
    assert case.obstructed >= 3


def test_a_single_look_that_says_it_began_long_ago_confirms_nothing():
    story = Story()
    story.look(100.0, evidence(100.0, since=10.0))
    story.look(100.5, evidence(100.5, since=10.0))
    assert not story.confirmed
    story.look(101.0, evidence(101.0, since=10.0))
    assert [case.started_at for _, case in story.confirmed] == [10.0]


def test_a_look_in_which_the_place_is_hidden_confirms_nothing():
    story = Story()
    story.looks(0, 4)
    story.looks(4, 8, score=None, hidden=True)
    assert not story.confirmed
    story.looks(8, 9)
    assert [at for at, _ in story.confirmed] == [8.0]


def test_weak_evidence_is_never_confirmed_however_long_it_lasts():
    story = Story()
    story.looks(0, 60, score=SETTINGS.confirm_score - 0.05)
    assert not story.confirmed


def test_a_look_that_sees_nothing_never_confirms():
    story = Story()
    story.looks(0, 3)
    story.looks(3, 6, score=None)
    assert not story.confirmed


def test_evidence_that_stops_is_forgotten_before_it_is_confirmed():
    story = Story()
    story.looks(0, 2)
    story.looks(2, 20, score=None)
    assert not story.cases.open
    assert not story.cleared


def test_an_unconfirmed_place_that_stays_hidden_is_forgotten():
    story = Story()
    story.looks(0, 2)
    story.looks(2, 50, score=None, hidden=True)
    assert story.cases.open
    story.looks(50, 70, score=None, hidden=True)
    assert not story.cases.open


def test_a_confirmed_case_is_reported_once():
    story = confirmed_story()
    story.looks(6, 60)
    assert len(story.confirmed) == 1
    assert not story.cleared


def test_a_confirmed_case_survives_a_few_misses():
    story = confirmed_story()
    story.looks(6, 9, score=None)
    story.looks(9, 20)
    assert not story.cleared
    assert len(story.confirmed) == 1


def test_it_clears_after_enough_free_looks_over_enough_time():
    story = confirmed_story()
    story.looks(6, 30, score=None)
    ((at, case),) = story.cleared
    assert (at, case.free_since) == (11.0, 6.0)
    assert not story.cases.open


def test_few_free_looks_over_a_long_time_do_not_clear():
    story = confirmed_story()
    story.look(106.0)
    story.look(206.0)
    assert not story.cleared
    story.look(306.0)
    assert story.cleared


def test_many_free_looks_in_a_short_time_do_not_clear():
    story = confirmed_story()
    for tenth in range(49):
        story.look(6 + tenth / 10)
    assert not story.cleared


def test_a_confirmed_place_that_is_hidden_never_clears():
    story = confirmed_story()
    story.looks(6, 300, score=None, hidden=True)
    assert not story.cleared


def test_a_look_with_weak_evidence_counts_as_free():
    story = confirmed_story()
    story.looks(6, 30, score=0.2)
    assert story.cleared


def test_after_clearing_the_same_place_can_become_a_new_case():
    story = confirmed_story()
    story.looks(6, 30, score=None)
    story.looks(30, 40)
    starts = [case.started_at for _, case in story.confirmed]
    assert starts == [0.0, 30.0]


def test_evidence_nearby_belongs_to_the_same_case_and_far_away_to_another():
    story = Story()
    for at in range(10):
        near, far = moved(PLACE, dx=8), moved(PLACE, dx=-90)
        story.look(at, evidence(at, since=0.0), evidence(at, 0.8, since=0.0, place=near))
        story.look(at + 0.5, evidence(at + 0.5, since=0.0, place=far))
    assert len(story.confirmed) == 2


def test_debris_that_came_with_a_crash_belongs_to_it_and_what_came_later_does_not():
    debris = moved(PLACE, dx=60)
    story = Story()
    for at in range(40):
        rows = [evidence(at, 0.9, since=0.0, rule="crash")]
        if at >= 5:
            rows.append(evidence(at, 0.7, since=5.0, place=debris))
        story.look(at, *rows)
    assert len(story.confirmed) == 1
    story = Story()
    for at in range(40):
        rows = [evidence(at, 0.9, since=0.0, rule="crash")]
        if at >= 20:
            rows.append(evidence(at, 0.7, since=20.0, place=debris))
        story.look(at, *rows)
    assert len(story.confirmed) == 2


def stands_then(story, end, crash_in):
    """A vehicle that stands from 0 (dwell 20), and looks that see a crash (dwell 4) as well."""
    for at in range(end):
        rows = [evidence(at, 0.8, since=0.0, rule="vehicle", dwell_s=20.0)]
        if at in crash_in:
            rows = [evidence(at, 0.6, since=float(min(crash_in)), rule="crash")]
        story.look(at, *rows)


def test_kinds_that_flicker_up_confirm_nothing_early():
    story = Story()
    stands_then(story, 30, {3, 9, 15, 18})
    ((at, case),) = story.confirmed
    assert (at, case.best.rule, case.started_at) == (20.0, "vehicle", 0.0)


def test_of_two_kinds_the_one_confirmed_gives_start_and_dwell():
    story = Story()
    stands_then(story, 30, range(10, 30))
    ((at, case),) = story.confirmed
    assert (at, case.best.rule, case.started_at) == (14.0, "crash", 10.0)


def test_a_kind_that_is_not_the_strongest_of_its_looks_counts_as_seen():
    story = Story()
    for at in range(8):
        thing = evidence(at, 0.75, since=0.0, dwell_s=60.0)
        story.look(at, thing, evidence(at, 0.6, since=0.0, rule="crash"))
    ((_, case),) = story.confirmed
    assert case.best.rule == "crash"


def test_before_it_is_confirmed_the_start_moves_back_alone():
    story, starts = Story(), []
    for at in range(12):
        rule, since = (("object", 5.0), ("crash", 3.0), ("vehicle", 4.0))[at % 3]
        story.look(at, evidence(at, 0.4, since=since, rule=rule))
        starts.append(story.cases.open[0].started_at)
    assert starts == sorted(starts, reverse=True)


def test_a_hole_is_no_part_of_a_blockage_at_the_same_place():
    story = Story()
    for at in range(10):
        hole = evidence(at, since=0.0, hazard="road_damage", rule="cavity")
        story.look(at, evidence(at, since=0.0), hole)
    assert {case.hazard for _, case in story.confirmed} == {"blockage", "road_damage"}


def test_two_kinds_of_hole_at_one_place_are_one_case():
    story = Story()
    for at in range(10):
        kind = "road_collapse" if at % 2 else "road_damage"
        story.look(at, evidence(at, since=0.0, hazard=kind, rule="cavity"))
    assert len(story.cases.open) == 1
    assert len({id(case) for _, case in story.confirmed}) == 1


def hole(at, hazard, score=0.9):
    return evidence(at, score, hazard=hazard, rule="cavity")


def test_a_hole_that_grows_is_reported_again_after_the_dwell_and_cleared_once():
    story = Story()
    for at in range(30):
        story.look(at, hole(at, "road_damage" if at < 10 else "road_collapse"))
    assert [(at, case.hazard) for at, case in story.confirmed] == [
        (4.0, "road_collapse"),  # the case is the same and stands for what it has become
        (14.0, "road_collapse"),
    ]
    assert story.confirmed[0][1] is story.confirmed[1][1]
    assert story.confirmed[1][1].started_at == 10.0
    story.looks(30, 50, score=None)
    assert len(story.cleared) == 1


@pytest.mark.parametrize("graver", [{12}, {12, 13, 20, 21}, set(range(12, 40, 3))])
def test_a_hole_that_seems_larger_now_and_then_has_not_grown(graver):
    story = Story()
    for at in range(40):
        story.look(at, hole(at, "road_collapse" if at in graver else "road_damage"))
    assert [case.hazard for _, case in story.confirmed] == ["road_damage"]


def test_a_hole_that_seemed_larger_long_ago_has_grown_only_since_it_stayed_so():
    story = Story()
    for at in range(50):
        story.look(at, hole(at, "road_collapse" if at == 12 or at >= 40 else "road_damage"))
    assert [case.started_at for _, case in story.confirmed] == [40.0, 40.0]


def test_an_outage_is_no_growth():
    story = Story()
    for at in range(13):
        story.look(at, hole(at, "road_damage" if at < 10 else "road_collapse"))
    story.cases.start_anew()
    for at in range(600, 604):
        story.look(at, hole(at, "road_collapse"))
    assert len(story.confirmed) == 1
    story.look(604, hole(604, "road_collapse"))
    assert len(story.confirmed) == 2


def test_a_lost_background_is_found_again_by_a_thing_and_not_by_a_vehicle_in_its_place():
    story = confirmed_story()
    story.cases.lose_background()
    story.look(7, evidence(7.0, rule="vehicle"))
    assert story.cases.open[0].stale
    story.look(8, evidence(8.0, rule="object"))
    assert not story.cases.open[0].stale


def test_a_collapse_that_seems_smaller_stays_one():
    story = Story()
    for at in range(40):
        story.look(at, hole(at, "road_collapse" if at < 10 else "road_damage"))
    assert [case.hazard for _, case in story.confirmed] == ["road_collapse"]


def test_a_crowd_is_one_case_wherever_it_moves():
    story = Story()
    for at in range(10):
        place = moved(PLACE, dx=(-1) ** at * 80)
        story.look(at, evidence(at, since=0.0, hazard="crowd", rule="crowd", place=place))
    assert len(story.confirmed) == 1


@pytest.mark.parametrize("dwell_s", [0.0, 1.0, 10.0])
def test_the_dwell_is_that_of_the_evidence(dwell_s):
    story = Story()
    story.looks(0, 30, dwell_s=dwell_s)
    ((at, _),) = story.confirmed
    assert at == max(dwell_s, LEAST_LOOKS - 1)


# --- whatever happens ------------------------------------------------------------------------

_looks = st.lists(
    st.tuples(
        st.sampled_from((0.2, 0.5, 1.0, 5.0, 30.0)),  # seconds since the look before
        st.lists(
            st.tuples(
                st.floats(0.01, 0.99),
                st.sampled_from((0, 10, 45, 100)),  # px to the right of PLACE
                st.floats(0, 10),  # how long before the look it began
                st.sampled_from(("object", "crash", "vehicle")),
            ),
            max_size=3,
        ),
        st.booleans(),
    ),
    max_size=60,
)


def play(looks):
    """Facts of every change, look by look, with the rules that must hold checked on the way."""
    cases, at, facts, known = Cases(SETTINGS), 0.0, [], {}
    for step, rows, hidden in looks:
        at += step
        found = [
            evidence(at, score, since=at - ago, place=moved(PLACE, dx=dx), rule=rule)
            for score, dx, ago, rule in rows
        ]
        before = {
            id(case): (case.obstructed, len(case.seen), case.last_seen_at) for case in cases.open
        }
        confirmed, cleared = cases.update(at, found, lambda _case, hidden=hidden: hidden)
        for case in confirmed:
            assert id(case) not in known
            assert at - case.started_at >= DWELL_S - 1e-6
            assert case.seen[-1].rule is not None
            assert case.by["whole"].looks(case.best.rule) >= LEAST_LOOKS
            assert case.mean(at - DWELL_S) >= SETTINGS.confirm_score
            known[id(case)] = (case, case.hazard, case.started_at, tuple(case.best.box))
        for case in cleared:
            assert case.confirmed_at is not None
            free = [entry for entry in case.seen if entry.at >= case.free_since]
            assert all(entry.score < 0.25 for entry in free)
            assert len(free) >= SETTINGS.clear_looks
            assert at - free[0].at >= SETTINGS.clear_s
            assert case not in cases.open
        for case, hazard, started_at, box in known.values():
            assert (case.hazard, case.started_at, tuple(case.best.box)) == (hazard, started_at, box)
        for case in cases.open:
            was = before.get(id(case))
            if was and hidden and case.last_seen_at == was[2]:
                assert (case.obstructed, len(case.seen)) == (was[0] + 1, was[1])
            assert case.confirmed_at is not None or at - case.seen[-1].at <= 60.0
        facts.append(
            (
                [(case.hazard, case.started_at, case.best.rule) for case in confirmed],
                [(case.hazard, case.started_at, case.free_since) for case in cleared],
                len(cases.open),
            )
        )
    return facts


@settings(max_examples=120, deadline=None)
@given(_looks)
def test_whatever_happens_the_rules_hold_and_the_same_looks_give_the_same_cases(looks):
    assert play(looks) == play(looks)


@settings(max_examples=60, deadline=None)
@given(_looks)
def test_an_unconfirmed_case_never_outlives_its_evidence_for_long(looks):
    cases, at = Cases(SETTINGS), 0.0
    for step, rows, _ in looks:
        at += step
        cases.update(at, [evidence(at, score) for score, *_ in rows], lambda _case: False)
    for _ in range(int(FADE_S) + 40):
        at += 1.0
        cases.update(at, [], lambda _case: False)
    assert cases.open == []
