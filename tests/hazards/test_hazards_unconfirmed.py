"""When a camera is worth extra looks: while something there may soon be confirmed, or vanish."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hazard_street import CAMERA, EVERYWHERE, Street, analyst, heights, look, seen, times

from pipeline.hazards.cases import RIPENS_S, Cases
from pipeline.hazards.observation import Observation
from pipeline.settings import HazardSettings

PLACE = (100, 100, 120, 120)
HOLE = (140, 110, 170, 125)


def evidence(at, score=0.9, dwell_s=60.0, hazard="blockage", rule="object"):
    return Observation(hazard, rule, heights(*PLACE), score, at, dwell_s)


def ripening(score, dwell_s, end, **kind):
    """The seconds in which a thing seen all the time from 0 on is worth extra looks."""
    cases, found = Cases(HazardSettings()), []
    for at in range(end):
        cases.update(float(at), [evidence(float(at), score, dwell_s, **kind)], lambda _case: False)
        if cases.ripening(float(at)):
            found.append(at)
    return found


def test_extra_looks_begin_when_the_end_of_the_dwell_is_near_and_end_when_it_is_confirmed():
    assert ripening(0.9, 60.0, 120) == list(range(60 - int(RIPENS_S), 60))


def test_a_short_dwell_is_worth_them_from_the_first_sight_on():
    found = ripening(0.9, 6.0, 30, hazard="road_damage", rule="cavity")
    assert found == list(range(6))


def test_what_never_becomes_sure_is_given_up():
    found = ripening(0.4, 6.0, 300)
    assert found
    assert max(found) <= 6 + RIPENS_S


def test_what_still_lacks_looks_after_its_dwell_is_worth_more_until_it_has_them():
    cases, asked = Cases(HazardSettings()), []
    for at in range(0, 400, 40):
        found = replace(evidence(0.0), least_looks=6)
        confirmed, _ = cases.update(float(at), [found], lambda _case: False)
        if confirmed:
            assert at == 5 * 40
            break
        if cases.ripening(float(at)):
            asked.append(at)
    assert asked == [40, 80, 120, 160]


def test_what_is_hardly_believed_is_not_worth_them():
    assert ripening(0.2, 6.0, 60) == []


def test_nothing_to_see_needs_no_extra_looks():
    cases = Cases(HazardSettings())
    cases.update(0.0, [], lambda _case: False)
    assert not cases.ripening(0.0)


def test_what_was_seen_once_and_not_again_soon_needs_none():
    cases = Cases(HazardSettings())
    for at in range(20):
        found = [evidence(0.0, dwell_s=6.0)] if at == 0 else []
        cases.update(float(at), found, lambda _case: False)
        if at >= 3:
            assert not cases.ripening(float(at))


def test_a_confirmed_hazard_that_may_have_grown_is_worth_them_again():
    cases = Cases(HazardSettings())
    damage = {"dwell_s": 6.0, "hazard": "road_damage", "rule": "cavity"}
    for at in range(10):
        cases.update(float(at), [evidence(float(at), **damage)], lambda _case: False)
    assert not cases.ripening(9.0)
    collapse = evidence(10.0, dwell_s=6.0, hazard="road_collapse", rule="cavity")
    cases.update(10.0, [collapse], lambda _case: False)
    assert cases.ripening(10.0)


@pytest.mark.parametrize("holed", [True, False])
def test_an_analyst_says_so_of_its_camera(holed):
    watching, street, said = analyst(replace(CAMERA, zones=(EVERYWHERE,))), Street(), []
    for at in times(0, 30):
        hole = holed and at >= 10
        rows = [("cavity", 0.3, HOLE)] if hole else []
        watching.update(look(at, street.luma(*[(HOLE, 40)] * hole)), seen(*rows))
        if watching.unconfirmed(at):
            said.append(at)
    assert bool(said) is holed
    if holed:
        assert 10 <= min(said) <= 11
        assert max(said) < 20
