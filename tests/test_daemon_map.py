"""A daemon that is started with a changed grid map hands open tickets to their new owners."""

from __future__ import annotations

from dataclasses import replace

from test_daemon import stage, until  # noqa: F401 - fixtures

from pipeline.clock import SystemClock
from pipeline.hazards import Incident
from pipeline.tickets import Desk
from pipeline.town import GridMap, Place


def found(camera, at):
    return Incident(
        incident_id="before-the-change",
        camera_id=camera.camera_id,
        hazard="road_collapse",
        box=(0.4, 0.5, 0.5, 0.6),
        started_at=at - 8,
        confirmed_at=at,
        last_seen_at=at,
        cleared_at=None,
        place=Place(camera.lon, camera.lat, 3.0, "pose"),
        score=0.9,
        severity="warning",
        measures={},
        trail={},
    )


def test_a_daemon_with_a_new_map_re_routes_what_is_open(stage, until):  # noqa: F811
    clock = SystemClock()
    with stage.opened() as opened:
        grids = opened.town.grids
        old = GridMap([grid for grid in grids if grid.level == 1])  # nobody below it yet
        before = Desk(opened.desk._reader._redis, replace(opened.town, grids=old), clock=clock)
        before.follow_map()
        (camera,) = opened.town.cameras
        ticket = before.ticket(before.file(found(camera, clock.now())).ticket_id)
        assert ticket.grid_code == grids.top.code
        with stage.daemon(opened) as daemon:
            until(
                daemon, lambda: opened.desk.ticket(ticket.ticket_id).grid_code != ticket.grid_code
            )
        after = opened.desk.ticket(ticket.ticket_id)
    assert after.grid_code == grids.owner((camera.lon, camera.lat)).code
    assert after.handle_due_at == ticket.handle_due_at
    assert [step.facts["to_map"] for step in after.steps if step.action == "reroute"] == [
        grids.version
    ]
