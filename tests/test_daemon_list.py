"""Zones saved by another program are in force in a running daemon, and it says so."""

from __future__ import annotations

import socket

from test_daemon import stage, until  # noqa: F401 - fixtures

from pipeline.clock import SystemClock
from pipeline.tickets import ListChanges
from pipeline.town import CameraListFile, Zone


def test_saved_zones_are_in_force_within_ten_seconds_and_the_box_tells_it(
    stage,  # noqa: F811
    until,  # noqa: F811
):
    road = Zone("carriageway", ((0.0, 0.4), (1.0, 0.4), (1.0, 1.0), (0.0, 1.0)))
    with stage.opened() as opened, stage.daemon(opened) as daemon:
        until(daemon, lambda: opened.board.list_of(stage.camera_id))
        lists = CameraListFile(stage.settings.town.cameras, opened.town.grids)
        entry = lists.entry(stage.camera_id)
        assert opened.board.list_of(stage.camera_id).digest == lists.digest()
        began = SystemClock().monotonic()
        changes = ListChanges(lists, opened.audit, who="operator", origin="here")
        saved = changes.put_zones(stage.camera_id, [road], entry.mark)
        until(daemon, lambda: opened.board.list_of(stage.camera_id).digest == saved.digest, 15)
        assert SystemClock().monotonic() - began < 10
        assert opened.board.list_of(stage.camera_id).host == socket.gethostname()
        assert opened.board.history(stage.camera_id)[0].state == "connecting"
        (line,) = opened.audit.lines(subject=stage.camera_id)
    assert line.action == "cameras zones"
