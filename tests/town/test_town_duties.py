"""Duties say who must act by when, for every hazard, or are refused by field."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline.errors import DutiesError
from pipeline.town import HAZARDS, Limit, load_duties

YULONG = Path(__file__).parents[2] / "configs" / "yulong" / "duties.yaml"


@pytest.fixture
def changed(tmp_path):
    def write(change):
        content = yaml.safe_load(YULONG.read_text(encoding="utf-8"))
        change(content)
        path = tmp_path / "duties.yaml"
        path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        return path

    return write


def test_every_hazard_of_yulong_has_a_duty():
    duties = load_duties(YULONG)
    assert {duty.hazard for duty in duties} == set(HAZARDS)
    collapse = duties.of("road_collapse")
    assert (collapse.event_code, collapse.name_zh) == ("04-01", "路面塌陷")
    assert (collapse.accept_limit, collapse.handle_limit) == (Limit(1, "h"), Limit(24, "h"))
    assert collapse.filing == "auto"
    assert duties.of("crowd").filing == "auto"


def test_a_kind_differs_from_its_hazard_only_where_it_says_so():
    duties = load_duties(YULONG)
    blockage, vehicle = duties.of("blockage"), duties.of("blockage", "vehicle")
    assert (vehicle.event_code, str(vehicle.handle_limit)) == ("05-05", "2wh")
    assert vehicle.radius_m == blockage.radius_m
    assert duties.of("blockage", "landslide") is blockage


def test_an_unknown_hazard_has_no_duty():
    with pytest.raises(DutiesError, match="unknown hazard; found 'flood'; allowed: road_collapse"):
        load_duties(YULONG).of("flood")


@pytest.mark.parametrize(
    "text, limit, wall_s, working",
    [
        ("30min", Limit(30, "min"), 1800, False),
        ("1.5h", Limit(1.5, "h"), 5400, False),
        ("7d", Limit(7, "d"), 604800, False),
        ("4wh", Limit(4, "wh"), None, True),
        ("1wd", Limit(1, "wd"), None, True),
    ],
)
def test_a_limit_says_whether_only_working_time_counts(text, limit, wall_s, working):
    parsed = Limit.parse(text)
    assert parsed == limit
    assert (parsed.wall_s, parsed.working, str(parsed)) == (wall_s, working, text)


@pytest.mark.parametrize("text", ["", "h", "1", "1 week", "-1h", "0h", "1e9h", "99999d", "１h1"])
def test_what_is_no_limit_is_refused(text):
    with pytest.raises(DutiesError, match="not a time limit"):
        Limit.parse(text)


def set_in(hazard, **fields):
    return lambda content: content[hazard].update(fields)


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda c: c.pop("crowd"), "hazards without a duty; found nothing for crowd"),
        (lambda c: c.update(blokage={}), "unknown hazard; found 'blokage'.*mean blockage"),
        (lambda c: c["crowd"].pop("filing"), "crowd.filing: field missing"),
        (set_in("crowd", serverity="x"), "crowd: unknown field.*'serverity'.*mean severity"),
        (set_in("crowd", severity="red"), "crowd.severity: .*found 'red'.*'notice', 'warning'"),
        (set_in("crowd", filing="maybe"), "crowd.filing"),
        (set_in("crowd", accept_limit="1 hour"), "crowd.accept_limit: not a time limit"),
        (set_in("crowd", accept_limit=3600), "crowd.accept_limit: is not allowed; found 3600"),
        (set_in("crowd", handle_limit="4wh"), "crowd.handle_limit: working time under calendar"),
        (set_in("crowd", radius_m=0), "crowd.radius_m: is not allowed; found 0"),
        (set_in("crowd", radius_m=float("nan")), "crowd.radius_m"),
        (set_in("crowd", event_code="04 09"), "crowd.event_code"),
        (set_in("crowd", name_zh=""), "crowd.name_zh"),
        (set_in("crowd", kinds=["a"]), "crowd.kinds: not a mapping; found list"),
        (set_in("crowd", kinds={"crowd": {"radius": 3}}), "crowd.kinds.crowd: unknown field"),
        (set_in("crowd", event_code=257), "crowd.event_code: is read as a number.*in quotes"),
        (lambda c: c.update(crowd=None), "crowd: not a mapping; found NoneType"),
    ],
)
def test_a_wrong_duty_is_refused_by_file_and_field(changed, change, told):
    path = changed(change)
    with pytest.raises(DutiesError, match=told) as caught:
        load_duties(path)
    assert caught.value.file == str(path)


def test_a_misspelt_field_is_named_before_the_one_it_leaves_missing(changed):
    path = changed(lambda c: c["crowd"].update(departement=c["crowd"].pop("department")))
    with pytest.raises(DutiesError, match=r"found 'departement'.*did you mean department\?"):
        load_duties(path)


@pytest.mark.parametrize(
    "hazard, kind, told",
    [
        ("blockage", "crsh", r"found 'crsh'; allowed: crash, vehicle, object .*mean crash\?"),
        ("crowd", "fight", "found 'fight'; allowed: crowd"),
        ("road_damage", "pothole", "found 'pothole'; allowed: cavity"),
        ("road_collapse", 5, "found 5; allowed: cavity"),
    ],
)
def test_a_kind_that_no_rule_reports_is_refused(changed, hazard, kind, told):
    path = changed(set_in(hazard, kinds={kind: {"radius_m": 9}}))
    with pytest.raises(DutiesError, match=rf"{hazard}\.kinds: unknown kind; {told}"):
        load_duties(path)


def test_every_hazard_can_differ_by_the_kinds_that_its_rules_report(changed):
    path = changed(set_in("road_damage", kinds={"cavity": {"radius_m": 9}}))
    assert load_duties(path).of("road_damage", "cavity").radius_m == 9


def test_a_hazard_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "duties.yaml"
    path.write_text(YULONG.read_text(encoding="utf-8") + "\ncrowd: {}\n", encoding="utf-8")
    with pytest.raises(DutiesError, match=r"line \d+: is not YAML; found crowd stands twice"):
        load_duties(path)
