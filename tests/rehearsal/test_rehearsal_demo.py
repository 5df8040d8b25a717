"""The demo town: what it puts on stage, and that it keeps its promise."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.rehearsal import expected, load_clips, place_cameras, set_up
from pipeline.settings_file import load_settings
from pipeline.town import load_town

DEMO = [sys.executable, "-m", "pipeline.rehearsal.demo"]


def test_every_hazard_is_planted_once_and_the_rest_of_the_cameras_see_quiet_streets():
    cameras = place_cameras(load_clips(), 12)
    wanted = expected(cameras)
    assert len(cameras) == 12
    assert {one.hazard for one in wanted} == {"road_collapse", "blockage", "crowd"}
    assert len({one.camera_id for one in wanted}) == len(wanted)
    assert sum(not clip.hazards for _, clip in cameras.values()) == 12 - len(wanted)


def test_the_cameras_stand_in_different_grids():
    cameras = place_cameras(load_clips(), 12)
    wanted = expected(cameras)
    assert len({one.grid_code for one in wanted}) == len(wanted)


def test_the_stage_is_a_town_that_the_daemon_takes(tmp_path):
    cameras = place_cameras(load_clips(), 12)
    urls = {camera_id: f"rtsp://127.0.0.1:9/{camera_id}" for camera_id in cameras}
    settings = load_settings(set_up(tmp_path / "stage", cameras, urls))
    town = load_town(settings.town)
    assert [camera.url for camera in town.cameras] == list(urls.values())
    assert all(camera.zones_of("carriageway") for camera in town.cameras)


def test_the_check_ends_with_a_ticket_of_every_hazard_in_the_queue_of_its_grid():
    done = subprocess.run(
        [*DEMO, "--check"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "not planted" not in done.stdout


def test_a_folder_with_yesterdays_tickets_is_refused(tmp_path):
    (tmp_path / "data").mkdir()
    done = subprocess.run(
        [*DEMO, "--check", "--folder", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr


def commands_that_name(folder: Path) -> list[str]:
    """Command lines of all running processes with this folder in them (Linux)."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = file.read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has just ended
            continue
        if str(folder) in text:
            found.append(text)
    return found


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="looks for processes in /proc")
def test_whoever_ends_it_by_kill_leaves_no_process_behind(tmp_path, eventually):
    stage = tmp_path / "stage"
    demo = subprocess.Popen([*DEMO, "--check", "--folder", str(stage)], stdout=subprocess.DEVNULL)
    eventually(lambda: any("run -s" in text for text in commands_that_name(stage)), within_s=30)
    demo.send_signal(signal.SIGTERM)
    demo.wait(30)
    assert demo.returncode == 143
    eventually(lambda: not commands_that_name(stage), within_s=10)
