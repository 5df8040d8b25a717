"""What people do with tickets on the command line, and how it refuses."""

from __future__ import annotations

import json

import pytest
from test_cli import gridwatch, town  # noqa: F401 - fixtures

from pipeline.clock import SystemClock
from pipeline.hazards import Incident
from pipeline.settings_file import load_settings
from pipeline.tickets import open_desk
from pipeline.town import Place


def found(number: int, place: tuple[float, float]) -> Incident:
    return Incident(
        incident_id=f"found-{number}",
        camera_id="cam-1",
        hazard="road_collapse",
        box=(0.4, 0.5, 0.5, 0.6),
        started_at=1795406392.0,
        confirmed_at=1795406400.0,
        last_seen_at=1795406400.0,
        cleared_at=None,
        place=Place(*place, 3.0, "pose"),
        score=0.9,
        severity="warning",
        measures={},
        trail={},
    )


@pytest.fixture
def desk(town):  # noqa: F811
    """The desk of the town, kept open so that its Redis keeps running between commands."""
    settings = load_settings(town / "settings.yaml")
    with open_desk(settings, SystemClock()) as opened:
        yield opened.desk


@pytest.fixture
def tickets(gridwatch, town, desk):  # noqa: F811
    """Runs ``gridwatch tickets``; the ticket as JSON, or the whole answer of a failure."""

    def call(*arguments, fails=None):
        answer = gridwatch("tickets", *arguments, "-s", town / "settings.yaml", "--json")
        if fails is not None:
            assert answer.code == fails, answer.err
            assert "Traceback" not in answer.err
            return answer.err
        assert answer.code == 0, answer.err
        return json.loads(answer.out)

    return call


@pytest.fixture
def filed(desk):
    """Two holes in the middle of the town, 100 m apart."""
    centre = desk.town.grids.top.shape.centroid
    return [
        desk.file(found(number, (centre.x + 0.0011 * number, centre.y))).ticket_id
        for number in range(2)
    ]


def test_a_ticket_goes_its_way_from_acceptance_to_closing(tickets, desk, filed):
    for command in ("accept", "handle", "feedback", "close"):
        ticket = tickets(command, filed[0], "--by", "李四")
    assert ticket["state"] == "closed"
    assert [step["action"] for step in ticket["steps"]][2:] == [
        "accept",
        "handle",
        "feed_back",
        "close",
    ]
    assert tickets("reopen", filed[0], "--note", "又塌了")["state"] == "dispatched"


def test_a_command_from_a_stale_screen_is_refused(tickets, filed):
    version = str(tickets("show", filed[0])["version"])
    tickets("accept", filed[0], "--by", "李四", "--expect", version)
    error = tickets("escalate", filed[0], "--by", "王五", "--expect", version, fails=1)
    assert "accepted by now" in error
    assert "李四" in error


def test_one_ticket_is_merged_into_another_and_split_off_again(tickets, filed):
    one, other = filed
    assert tickets("merge", one, other, "--note", "同一处")["count"] == 2
    assert tickets("show", one)["merged_into"] == other
    assert f"see {other}" in tickets("accept", one, fails=1)
    new = tickets("split", other, "found-0", "--note", "两处")
    assert new["ticket_id"] not in filed
    assert [incident["incident_id"] for incident in new["incidents"]] == ["found-0"]


def test_a_ticket_is_given_to_another_grid(tickets, desk, filed):
    owner = desk.ticket(filed[0]).grid_code
    other = next(
        grid.code for grid in desk.town.grids if grid.level == 3 and grid.code != owner
    )  # fmt: skip
    assert "in the hands of" in tickets("reroute", filed[0], other, "--for", other, fails=1)
    assert tickets("reroute", filed[0], other)["grid_code"] == other
    assert [one["ticket_id"] for one in tickets("list", "--grid", other)] == [filed[0]]
    assert filed[0] in {one["ticket_id"] for one in tickets("list", "--watched-by", owner)}


def test_without_arguments_all_are_re_routed_by_the_map_as_it_is(tickets, desk, filed):
    found = tickets("reroute")
    assert found == {"map": desk.town.grids.version, "rerouted": []}


WRONG = [
    (("accept", "YL20260101-000001"), 1, "there is no ticket"),
    (("accept", "../../etc/passwd"), 1, "there is no ticket"),
    (("close", "{0}"), 1, "dispatched can't take close"),
    (("reject", "{0}"), 2, "--note"),
    (("reroute", "{0}"), 2, "GRID"),
    (("reroute", "{0}", "nowhere"), 1, "no grid 'nowhere'"),
    (("merge", "{0}", "{0}"), 1, "into itself"),
    (("split", "{0}", "found-0"), 1, "but not all"),
    (("accept", "{0}", "--for", "nowhere"), 1, "no grid 'nowhere'"),
    (("accept", "{0}", "--expect", "-1"), 2, "--expect"),
    (("accept", "{0}", "--by", ""), 1, "by is empty"),
    (("list", "--watched-by", "nowhere"), 1, "no grid 'nowhere'"),
]


def test_what_is_wrong_is_said_and_changes_nothing(tickets, desk, filed):
    before = [desk.ticket(number) for number in filed]
    for arguments, code, words in WRONG:
        assert words in tickets(*(one.format(*filed) for one in arguments), fails=code), arguments
    assert [desk.ticket(number) for number in filed] == before


def test_what_people_see_names_the_state_the_owner_and_the_version(gridwatch, town, desk, filed):  # noqa: F811
    settings = town / "settings.yaml"
    answer = gridwatch("tickets", "accept", filed[0], "--by", "李四", "-s", settings)
    assert "accepted" in answer.out
    assert "version 3" in answer.out
    shown = gridwatch("tickets", "show", filed[0], "-s", settings).out
    for words in ("version: 3", "found-0", "李四", "时限 / limit"):
        assert words in shown
