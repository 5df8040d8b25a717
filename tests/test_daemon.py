"""The whole way on one box: RTSP camera in, ticket in the owning grid's queue out."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import av
import cv2
import pytest
import yaml
from structlog.testing import capture_logs
from test_model_choice import another

from pipeline.clock import SystemClock
from pipeline.daemon import Daemon
from pipeline.detect import Detector
from pipeline.errors import DeskError, DeskUnavailableError
from pipeline.hazards import Analyst
from pipeline.model_choice import choose
from pipeline.rehearsal import (
    CityCamera,
    Fault,
    FaultKind,
    expected,
    load_clips,
    place_cameras,
    running_city,
    set_up,
)
from pipeline.settings import RedisSettings
from pipeline.settings_file import load_settings
from pipeline.tickets import CameraBoard, OpenDesk, Outbox, open_desk, open_redis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pipeline.clock import Clock
    from pipeline.town import Camera

# The hole of this clip opens at 10 s; viewers come in at 5 s, so that the ground is learnt by then.
CLIP = "collapse"
START_S = 5.0
QUICK = {"road": {"dwell_s": 1.5}}


class Stage:
    """Cameras that show a collapse, served from the moment somebody connects."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        (clip,) = [clip for clip in load_clips() if clip.name == CLIP]
        self.cameras = place_cameras([clip], 1)
        (self.camera_id,) = self.cameras
        self.clip = clip
        self._more = {"hazards": QUICK, **settings}

    @contextmanager
    def playing(self) -> Iterator[Stage]:
        shown = CityCamera(CLIP, phase_s=START_S, own_start=True)
        cameras = dict.fromkeys(self.cameras, shown)
        with running_city({CLIP: self.clip.path}, cameras) as self.city:
            urls = {camera_id: self.city.url(camera_id) for camera_id in cameras}
            self.settings_file = set_up(self.folder, self.cameras, urls)
            values = yaml.safe_load(self.settings_file.read_text("utf-8"))
            self.settings_file.write_text(yaml.safe_dump({**values, **self._more}), "utf-8")
            self.settings = load_settings(self.settings_file)
            self.wanted = expected(self.cameras)[0]
            yield self

    def opened(self) -> AbstractContextManager[OpenDesk]:
        return open_desk(self.settings, SystemClock())

    def daemon(
        self,
        opened: OpenDesk,
        clock: Clock | None = None,
        *,
        choose: Callable[[tuple[Camera, ...]], tuple[Camera, ...]] = tuple,
    ) -> Daemon:
        detector, clock = Detector(self.settings.model), clock or SystemClock()
        return Daemon(self.settings, detector, opened, clock=clock, choose=choose)


@contextmanager
def twins(folder: Path) -> Iterator[Stage]:
    """A stage on which two cameras see the same hole; the second one is TWIN."""
    stage = Stage(folder)
    (camera, clip) = stage.cameras[stage.camera_id]
    stage.cameras["TWIN"] = (replace(camera, camera_id="TWIN"), clip)
    with stage.playing():
        yield stage


@pytest.fixture
def until(eventually):
    """Like ``eventually``, but fails at once with what ended a thread of the daemon."""

    def wait(daemon: Daemon, condition: Callable[[], object], within_s: float = 40.0) -> None:
        def holds() -> object:
            daemon.wait(0)  # raises it
            return condition()

        eventually(holds, within_s)

    return wait


@pytest.fixture
def stage(tmp_path):
    with Stage(tmp_path / "stage").playing() as stage:
        yield stage


def test_a_collapse_seen_over_rtsp_lands_in_the_queue_of_the_grid_that_owns_the_place(stage, until):
    with stage.opened() as opened, stage.daemon(opened) as daemon:
        desk, board = opened.desk, opened.board
        until(daemon, lambda: desk.read_queue(stage.wanted.grid_code))
        (message,) = desk.read_queue(stage.wanted.grid_code)
        ticket = desk.ticket(message.ticket_id)
        assert message.hazard == ticket.hazard == "road_collapse"
        assert ticket.state == "dispatched"
        assert ticket.place.method == "pose"
        assert ticket.place.radius_m < 10
        (incident,) = ticket.incidents
        assert incident.camera_id == stage.camera_id
        assert incident.measures["area_m2"] > 1
        assert incident.trail["model"].startswith("street-n")
        until(daemon, lambda: stage.camera_id in board.read())
        assert board.read()[stage.camera_id].status.state == "live"
        until(daemon, lambda: desk.ticket(message.ticket_id).evidence[0].clip)
        (evidence,) = desk.ticket(message.ticket_id).evidence
    with av.open(str(stage.settings.data_dir / "evidence" / evidence.clip)) as clip:
        assert len(list(clip.decode(video=0))) > 2
    for name in (evidence.annotated, evidence.plain):
        picture = cv2.imread(str(stage.settings.data_dir / "evidence" / name))
        assert picture.shape[1] == 640


def test_an_emergency_has_its_document_within_seconds_of_being_confirmed(stage, until):
    with stage.opened() as opened, stage.daemon(opened) as daemon:
        until(daemon, lambda: opened.desk.read_queue("emergency"))
        (message,) = opened.desk.read_queue("emergency")
        folder = stage.settings.data_dir / "cap"
        until(daemon, lambda: list(folder.rglob("*.xml")), within_s=5)
    (path, *_) = sorted(folder.rglob("*.xml"))
    assert path.name == f"{message.ticket_id}-1.xml"
    assert "<status>Test</status>" in path.read_text("utf-8"), "it is a pretend town's"


def test_a_camera_that_hangs_is_told_and_the_daemon_stops_promptly(stage, until):
    stage.city.set_fault(stage.camera_id, Fault(FaultKind.HANG))
    settings = stage.settings
    quick = settings.ingest.model_copy(update={"open_timeout_s": 0.5, "read_timeout_s": 0.5})
    stage.settings = settings.model_copy(update={"ingest": quick})
    with stage.opened() as opened:
        with stage.daemon(opened) as daemon:
            until(daemon, lambda: daemon.statuses()[stage.camera_id].state == "unreachable")
        status = daemon.statuses()[stage.camera_id]
        assert status.why
        assert daemon.counts.looks == 0


def test_the_desk_hears_again_and_again_of_what_is_still_seen(stage, until, monkeypatch):
    monkeypatch.setattr("pipeline.judging.TELL_INCIDENTS_S", 0.5)
    with stage.opened() as opened, stage.daemon(opened) as daemon:
        desk = opened.desk
        until(daemon, desk.tickets)
        (first,) = desk.tickets()
        until(daemon, lambda: desk.tickets()[0].incidents[0].last_seen_at > first.filed_at + 1)
        (ticket,) = desk.tickets()
    assert ticket.count == 1
    assert ticket.incidents[0].cleared_at is None


def test_a_board_that_refuses_is_told_once_and_again_when_it_works(stage, until, monkeypatch):
    monkeypatch.setattr("pipeline.daemon.TELL_S", 0.05)
    refusals = []
    tell = CameraBoard.tell

    def refuses_at_first(self, statuses, **how):
        if len(refusals) < 5:
            refusals.append(statuses)
            raise DeskError("telling camera states: NOPERM")
        tell(self, statuses, **how)

    monkeypatch.setattr(CameraBoard, "tell", refuses_at_first)
    with capture_logs() as logs, stage.opened() as opened, stage.daemon(opened) as daemon:
        until(daemon, opened.board.read)
    told = [line["event"] for line in logs if line.get("what") == "board"]
    assert told == ["cannot_tell", "can_tell_again"]
    assert len(refusals) == 5


class SetForward(SystemClock):
    """A box whose wall clock was an hour behind when it started."""

    ahead_s = 0.0

    def now(self) -> float:
        return super().now() + self.ahead_s


def test_a_wall_clock_that_is_set_is_told_once_and_moves_no_look(stage, until, monkeypatch):
    monkeypatch.setattr("pipeline.daemon.TELL_S", 0.05)
    clock = SetForward()
    with capture_logs() as logs, stage.opened() as opened, stage.daemon(opened, clock) as daemon:
        until(daemon, lambda: daemon.counts.looks)
        clock.ahead_s = 3600.0
        seen = daemon.counts.looks
        until(daemon, lambda: daemon.counts.looks >= seen + 2)
        last_look_at = daemon.statuses()[stage.camera_id].last_look_at
    assert last_look_at < clock.now() - 3000
    (told,) = [line for line in logs if line["event"] == "clock_was_set"]
    assert told["by_s"] == pytest.approx(3600, abs=1)


def test_a_box_watches_its_part_of_the_cameras_alone(tmp_path, until):
    with twins(tmp_path / "stage") as stage, stage.opened() as opened:

        def part(cameras):
            return tuple(camera for camera in cameras if camera.camera_id == "TWIN")

        with stage.daemon(opened, choose=part) as daemon:
            until(daemon, lambda: daemon.counts.looks)
            assert list(daemon.statuses()) == ["TWIN"]
            until(daemon, opened.board.read)
            assert list(opened.board.read()) == ["TWIN"]


def test_what_ends_a_thread_ends_the_daemon_and_is_never_hidden(stage, monkeypatch):
    called = threading.Event()

    def breaks(self, looks):
        called.set()
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(Detector, "__call__", breaks)
    with stage.opened() as opened:
        with pytest.raises(RuntimeError, match="no such kernel"), stage.daemon(opened) as daemon:
            daemon.wait(20)
        called.clear()

        def lose_patience() -> None:
            with stage.daemon(opened):
                assert called.wait(20)
                raise TimeoutError

        with pytest.raises(RuntimeError, match="no such kernel") as caught:
            lose_patience()
        assert isinstance(caught.value.__context__, TimeoutError)


def test_a_camera_whose_analyst_fails_begins_anew_and_hurts_no_other(tmp_path, until, monkeypatch):
    failed: list[Analyst] = []
    update = Analyst.update

    def fails_at_first(self, look, *seen):
        if look.camera_id == "TWIN" and len(failed) < 6:
            failed.append(self)
            raise ZeroDivisionError("no area")
        return update(self, look, *seen)

    monkeypatch.setattr(Analyst, "update", fails_at_first)
    with twins(tmp_path / "stage") as stage, capture_logs() as logs:
        with stage.opened() as opened, stage.daemon(opened) as daemon:
            until(daemon, lambda: sum(t.count for t in opened.desk.tickets()) == 2)
        (told,) = [line for line in logs if line["event"] == "analyst_failed"]
    assert told["camera_id"] == "TWIN"
    assert told["exc_info"]
    assert len({id(analyst) for analyst in failed}) == 6


def run(stage: Stage) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pipeline.cli", "run", "--settings", str(stage.settings_file)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_after_kill_9_the_same_hole_is_one_ticket_with_one_queue_entry(stage, eventually):
    with stage.opened() as opened:
        desk = opened.desk
        for times_seen in (1, 2):
            process = run(stage)
            try:
                eventually(
                    lambda seen=times_seen: sum(t.count for t in desk.tickets()) >= seen,
                    within_s=40,
                )
            finally:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
        (ticket,) = desk.tickets()
        assert ticket.count == 2
        assert len(desk.read_queue(stage.wanted.grid_code)) == 1


def test_an_incident_found_while_redis_is_away_arrives_when_it_is_back(tmp_path, until):
    """The desk's Redis is another one, reached by URL, and is stopped and started again."""
    away = tmp_path / "elsewhere"
    with open_redis(RedisSettings(), away) as other:
        url = f"unix://{other.connection_pool.connection_kwargs['path']}"
    redis = {"url": url, "timeout_s": 1.0}
    with Stage(tmp_path / "stage", redis=redis, tickets={"retry_s": 0.2}).playing() as stage:
        with open_redis(RedisSettings(), away), stage.opened() as opened:
            daemon = stage.daemon(opened)
        with daemon:
            until(daemon, lambda: daemon.backlog() == 1)
            with pytest.raises(DeskUnavailableError):
                opened.desk.tickets()
            with open_redis(RedisSettings(), away), stage.opened() as again:
                until(daemon, lambda: daemon.backlog() == 0)
                assert [one.hazard for one in again.desk.tickets()] == ["road_collapse"]


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another process holds the file, as a backup does; nobody can write it."""
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


@pytest.fixture
def impatient(monkeypatch):
    """A locked file is given up at once, not after ten seconds."""
    monkeypatch.setattr("pipeline.tickets.outbox._BUSY_S", 0.05)


def test_an_incident_found_while_the_outbox_is_locked_arrives_afterwards(stage, until, impatient):
    with stage.opened() as opened, capture_logs() as logs, stage.daemon(opened) as daemon:
        with locked(stage.settings.data_dir / "outbox.sqlite"):
            until(daemon, lambda: daemon.backlog() == 1)
            assert opened.desk.tickets() == []
        until(daemon, opened.desk.tickets)
        (ticket,) = opened.desk.tickets()
        assert ticket.evidence  # it was made when the incident was seen
    assert [line["event"] for line in logs].count("outbox_in_memory") == 1


def test_two_cameras_that_see_one_hole_make_one_ticket(tmp_path, until):
    with (
        twins(tmp_path / "stage") as stage,
        stage.opened() as opened,
        stage.daemon(opened) as daemon,
    ):
        desk = opened.desk
        until(daemon, lambda: sum(t.count for t in desk.tickets()) == 2)
        (ticket,) = desk.tickets()
        assert set(ticket.camera_ids) == set(stage.cameras)


def test_a_model_chosen_while_it_runs_takes_over_and_no_look_is_lost(stage, until, tmp_path):
    other = another(tmp_path)
    with stage.opened() as opened, stage.daemon(opened) as daemon:
        until(daemon, lambda: daemon.counts.looks > 2)
        choose(stage.settings.data_dir, other)
        until(daemon, lambda: daemon.vitals().build["model"] == "other")
        looks = daemon.counts.looks
        until(daemon, opened.desk.tickets)
    assert daemon.counts.looks > looks
    counts = daemon._schedule.counts()
    assert counts.put == counts.done + counts.replaced + counts.stopped


def test_what_waits_at_the_end_reaches_the_desk_if_it_answers(stage, until, monkeypatch):
    monkeypatch.setattr(Outbox, "drain", lambda *_, **__: None)  # nobody brings anything meanwhile
    with stage.opened() as opened:
        with stage.daemon(opened) as daemon:
            until(daemon, daemon.backlog)
            assert opened.desk.tickets() == []
        assert len(opened.desk.tickets()) == 1
