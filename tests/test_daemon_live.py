"""Somebody in the console looks at a camera: the box that reads it makes the picture."""

from __future__ import annotations

import io
from contextlib import closing

from PIL import Image
from test_daemon import stage, until  # noqa: F401 - fixtures

from pipeline.clock import SystemClock
from pipeline.tickets import Shots, open_redis


def test_who_looks_at_a_camera_sees_its_newest_key_frame_over_the_one_connection(
    stage,  # noqa: F811
    until,  # noqa: F811
):
    with stage.opened() as opened, stage.daemon(opened) as daemon:
        # The console is another process: it shares nothing with the daemon but Redis.
        with open_redis(stage.settings.redis, stage.settings.data_dir) as redis, closing(redis):
            console = Shots(redis)
            until(daemon, lambda: daemon.counts.looks)
            assert console.latest(stage.camera_id, "view") is None, "nobody has looked yet"
            console.want([stage.camera_id, "elsewhere"], "view", 30)
            until(daemon, lambda: console.latest(stage.camera_id, "view"), 15)
            first = console.latest(stage.camera_id, "view")
            until(daemon, lambda: console.latest(stage.camera_id, "view") != first, 15)
            newer = console.latest(stage.camera_id, "view")
            assert console.latest("elsewhere", "view") is None
            assert console.of(stage.camera_id, first.shot_id) == first
        looks, viewers = daemon.counts.looks, stage.city.viewers(stage.camera_id)
        until(daemon, lambda: daemon.counts.looks > looks)
    assert viewers == 1
    with Image.open(io.BytesIO(newer.data)) as picture:
        assert picture.format == "JPEG"
        assert picture.size == (newer.width, newer.height) == (640, 360)
    assert first.taken_at < newer.taken_at <= SystemClock().now()
