"""Scenarios: what may stand in the file, what is refused, and what town comes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ScenarioError
from pipeline.rehearsal.cast import cast
from pipeline.rehearsal.rehearse import chosen
from pipeline.rehearsal.scenario import STATES, load_scenario, parse_scenario
from pipeline.rehearsal.stage import lonlat_of
from pipeline.shipped import shipped
from pipeline.town import Place, distance_m, load_grids

SMALL = {
    "cameras": 4,
    "clips": {"quiet": {"of": "quiet_street"}, "hole": {"of": "collapse"}},
    "groups": [
        {"name": "planted", "cameras": 1, "clips": ["hole"]},
        {"name": "steady", "clips": ["quiet"]},
    ],
}


def with_group(**group):
    return SMALL | {"groups": [SMALL["groups"][1], {"name": "g", "clips": ["quiet"], **group}]}


@pytest.mark.parametrize("name", ["smoke", "full", "chaos"])
def test_the_scenarios_that_come_with_the_program_can_be_played(name):
    scenario = load_scenario(name)
    town = cast(scenario)
    assert len(town.members) == scenario.cameras
    assert town.expected
    assert scenario.about


def test_planted_hazards_lie_well_inside_a_grid():
    town = cast(load_scenario("full"))
    grids = load_grids(shipped("configs/yulong/grids.geojson"))
    for member in town.members.values():
        for hazard in member.street.hazards:
            lon, lat = lonlat_of(member.camera, hazard)
            assert len(grids.near(Place(lon, lat, 15.0, "pose"))) == 1


def test_chaos_fails_in_every_way_there_is():
    ways = {fault.way for group in load_scenario("chaos").groups for fault in group.faults}
    assert ways == set(STATES)


@pytest.mark.parametrize(
    "values, where, says",
    [
        (SMALL | {"camera": 3}, "camera", "did you mean cameras"),
        (SMALL | {"clips": {"quiet": {"off": "x"}}}, "clips.quiet.off", "did you mean of"),
        (with_group(cameras=1, faluts=[]), "groups.1.faluts", "did you mean faults"),
        (
            with_group(cameras=1, faults=[{"way": "stall", "at_s": 1, "for_s": 1, "x": 1}]),
            "groups.1.faults.0.x",
            "at_s, for_s, states, way",
        ),
        (SMALL | {"limits": {"lots": 1}}, "limits.lots", "did you mean lost"),
        (SMALL | {"seconds": -1}, "seconds", "greater than 0"),
        (with_group(cameras=1, share=0.1), "groups.1", "either share or cameras"),
        (with_group(cameras=1, faults=[{"way": "rain", "at_s": 1, "for_s": 1}]), "way", "flapping"),
        (
            with_group(
                cameras=1,
                faults=[
                    {"way": "stall", "at_s": 1, "for_s": 5},
                    {"way": "hang", "at_s": 3, "for_s": 5},
                ],
            ),
            "groups.1",
            "hang begins before stall ends",
        ),
        (SMALL | {"groups": [{"name": "a", "clips": ["fog"]}]}, "", "clips has quiet, hole"),
        (SMALL | {"groups": SMALL["groups"] * 2}, "", "stands twice"),
        (SMALL | {"cameras": 1}, "groups", "don't add up"),
        (with_group(cameras=9), "groups", "don't add up"),
        ([], "", "not a mapping"),
    ],
)
def test_a_wrong_scenario_is_refused_by_name_and_place(values, where, says):
    with pytest.raises(ScenarioError) as refused:
        parse_scenario(values, file="mine.yaml")
    text = str(refused.value)
    assert text.startswith("mine.yaml")
    assert where in text
    assert says in text


def test_a_clip_that_does_not_exist_is_refused_with_those_that_do():
    scenario = parse_scenario(
        SMALL | {"clips": {"quiet": {"of": "x"}, "hole": {"of": "x"}}}, file="m"
    )
    with pytest.raises(ScenarioError, match=r"clips\.quiet\.of.*found x.*quiet_street"):
        cast(scenario)


def test_a_scenario_that_is_not_there_names_those_that_are():
    with pytest.raises(ScenarioError, match="chaos, full, smoke"):
        load_scenario("smok")


def test_what_is_no_yaml_is_refused_with_its_line(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("cameras: 3\ncameras: 4\n")
    with pytest.raises(ScenarioError, match=r"line 2.*cameras stands twice"):
        load_scenario(str(file))


@given(
    cameras=st.integers(1, 3000),
    shares=st.lists(st.floats(0.01, 0.4), max_size=4),
)
def test_sizes_add_up_or_are_refused(cameras, shares):
    groups = [
        {"name": f"g{at}", "share": share, "clips": ["quiet"]} for at, share in enumerate(shares)
    ]
    groups.append({"name": "rest", "clips": ["quiet"]})
    try:
        scenario = parse_scenario(SMALL | {"cameras": cameras, "groups": groups}, file="m")
    except ScenarioError:
        assert sum(max(1, round(share * cameras)) for share in shares) >= cameras
    else:
        assert sum(scenario.sizes().values()) == cameras
        assert min(scenario.sizes().values()) >= 1


def test_another_number_of_cameras_is_checked_too():
    assert chosen("smoke", cameras=9, seconds=5).sizes()["steady"] == 3
    with pytest.raises(ScenarioError, match="add up"):
        chosen("smoke", cameras=3)


def test_a_town_can_have_more_cameras_than_the_map():
    town = cast(chosen("full", cameras=2500))
    assert len(town.members) == 2500


def test_groups_share_no_host_and_hosts_are_no_larger_than_told():
    scenario = load_scenario("chaos")
    town = cast(scenario)
    hosts = [set(town.hosts(group.name)) for group in scenario.groups]
    assert sum(map(len, hosts)) == len(set().union(*hosts))
    counts = [
        sum(one.host == host for one in town.members.values()) for host in set().union(*hosts)
    ]
    assert max(counts) <= scenario.cameras_per_host


def test_hazards_of_one_kind_lie_so_far_apart_that_each_is_a_ticket():
    town = cast(load_scenario("full"))
    for one in town.expected:
        for other in town.expected:
            if one.hazard == other.hazard and one.camera_id != other.camera_id:
                places = (town.members[name].camera for name in (one.camera_id, other.camera_id))
                assert distance_m(*places) > 400


def test_the_same_seed_makes_the_same_town():
    assert cast(load_scenario("smoke")) == cast(load_scenario("smoke"))
