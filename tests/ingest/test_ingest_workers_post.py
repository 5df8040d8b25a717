"""When a worker is replaced, and when not. Time passes only as told."""

from dataclasses import dataclass, field

import pytest

from pipeline.clock import ManualClock
from pipeline.errors import WorkerError
from pipeline.ingest.pace import Pace
from pipeline.ingest.post import Patience, Post
from pipeline.ingest.suspicion import Lasting, Suspicion
from pipeline.ingest.wire import Beat
from pipeline.town import Camera

MIB = 1 << 20
CAMERAS = tuple(Camera(name, name, f"rtsp://h/{name}", 113.4, 34.8) for name in "ab")


@dataclass(eq=False)
class FakeProcess:
    """A worker that does what the test says."""

    began_at: float
    pid: int = 7
    heard_at: float | None = None
    last_beat: Beat | None = None
    slots_taken: int = 0
    dead: bool = False
    buriable: bool = True
    heard: list = field(default_factory=list)
    suspicions: dict | None = None

    def beat(self, now, rss_mib=50, suspicions=None):
        suspicions = suspicions or {}
        self.heard_at, self.last_beat = now, Beat(1, (), (), suspicions, rss_mib * MIB, 9, 8)

    def watch(self, cameras, suspicions=None):
        self.suspicions = suspicions
        self.heard.append([camera.camera_id for camera in cameras])

    def send(self, message):
        self.heard.append(message)

    def dismiss(self, within_s):
        self.heard.append("leave")

    def over(self):
        return self.dead

    def why(self):
        return "it ended"

    def kill(self):
        self.dead = True

    def buried(self):
        return self.dead and self.buriable


class Stage:
    """A post, its clock, and the workers it started."""

    def __init__(self, **patience):
        self.clock = ManualClock(1000)
        self.workers, self.away, self.refuse = [], [], False
        self.post = Post(
            3,
            patience=Patience(**patience),
            memory_bytes=100 * MIB,
            clock=self.clock,
            start=self.start,
            away=lambda camera_ids, why: self.away.append((list(camera_ids), why)),
        )
        self.post.assign(CAMERAS)

    def start(self, cameras):
        if self.refuse:
            raise WorkerError("can't be started: no memory")
        self.workers.append(FakeProcess(self.clock.monotonic()))
        return self.workers[-1]

    @property
    def worker(self):
        return self.workers[-1]

    def after(self, seconds=0.0, *, beat=None, may_renew=True):
        self.clock.move_to(self.clock.monotonic() + seconds)
        if beat is not None:
            self.worker.beat(self.clock.monotonic(), beat)
        self.post.step(may_renew=may_renew)

    def live(self, seconds, rss_mib=50):
        for _ in range(int(seconds)):
            self.after(1.0, beat=rss_mib)

    @property
    def state(self):
        return self.post.state()


@pytest.fixture
def stage():
    stage = Stage()
    stage.after()
    return stage


def test_a_post_with_cameras_has_a_worker_that_watches_them(stage):
    assert stage.worker.heard == [["a", "b"]]
    assert stage.state.state == "starting"
    stage.after(1, beat=50)
    assert (stage.state.state, stage.state.rss_bytes, stage.state.pid) == ("running", 50 * MIB, 7)


def test_what_a_lost_worker_suspected_its_successor_is_told(stage):
    suspicions = {"a": Suspicion(dark=Lasting(2, 990.0))}
    stage.worker.beat(stage.clock.monotonic(), suspicions=suspicions)
    stage.worker.dead = True
    stage.after(1.0)
    stage.after(1.0)
    assert len(stage.workers) == 2
    assert stage.worker.suspicions == suspicions


def test_pauses_double_with_every_loss_and_are_forgotten_after_health():
    stage = Stage()
    pauses = []
    for _ in range(9):
        stage.after()
        began = stage.clock.monotonic()
        stage.worker.dead = True
        count = len(stage.workers)
        while len(stage.workers) == count:
            stage.after(0.5)
        pauses.append(stage.clock.monotonic() - began)
    assert pauses == pytest.approx([0.25, 0.5, 1, 2, 4, 8, 16, 32, 60], abs=0.8)
    stage.live(61)
    stage.worker.dead = True
    stage.after()
    stage.after(1.0)
    assert len(stage.workers) == 11
    assert stage.state.restarts == {"start": 9, "died": 1}


def test_its_cameras_say_why_they_are_away(stage):
    stage.after(1, beat=50)
    stage.worker.dead = True
    stage.after()
    assert stage.away == [
        (["a", "b"], "读取进程意外退出，正在重启 / its worker process ended and is being restarted")
    ]
    assert (stage.state.state, stage.state.why, stage.state.pid) == ("waiting", "it ended", None)


def test_a_worker_that_hangs_is_killed_and_replaced(stage):
    stage.live(5)
    stage.after(9.9)
    assert not stage.worker.dead
    stage.after(0.2)
    assert stage.worker.dead
    assert stage.state.restarts == {"silent": 1}
    stage.after(1)
    assert len(stage.workers) == 2


def test_a_worker_may_take_longer_to_start(stage):
    stage.after(59)
    assert not stage.worker.dead
    stage.after(1.5)
    assert stage.worker.dead
    assert stage.state.restarts == {"start": 1}


def test_silence_while_this_process_was_held_up_is_excused(stage):
    stage.live(5)
    stage.clock.move_to(stage.clock.monotonic() + 300)
    stage.post.excuse()
    stage.after(9.5)
    assert not stage.worker.dead
    stage.after(1)
    assert stage.worker.dead


def test_a_machine_that_starts_no_process_is_asked_again(stage):
    stage.worker.dead = stage.refuse = True
    for _ in range(20):
        stage.after(1)
    assert stage.state.restarts["start"] >= 3
    assert stage.state.why == "can't be started: no memory"
    stage.refuse = False
    stage.after(60)
    assert stage.state.state == "starting"


def test_a_worker_that_grew_is_renewed_in_order_but_not_too_often(stage):
    stage.live(590, rss_mib=120)
    assert "leave" not in stage.worker.heard
    stage.live(11, rss_mib=120)
    assert stage.worker.heard[-1] == "leave"
    assert stage.state.state == "stopping"
    assert stage.post.is_renewing
    stage.worker.dead = True  # it left its cameras
    stage.after(0.1)
    stage.after(0.1)
    assert len(stage.workers) == 2  # without a pause
    assert stage.post.is_renewing
    stage.after(1, beat=50)
    assert not stage.post.is_renewing
    assert stage.state.restarts == {"memory": 1}


def test_a_worker_is_not_renewed_while_another_one_is(stage):
    for _ in range(700):
        stage.after(1, beat=120, may_renew=False)
    assert "leave" not in stage.worker.heard


def test_a_worker_that_grows_fast_is_lost_at_once(stage):
    stage.live(20)
    stage.after(1, beat=201)
    assert stage.worker.dead
    assert stage.state.restarts == {"memory": 1}
    assert stage.state.why == "it had grown to 201 MiB"


def test_a_worker_that_does_not_leave_is_killed():
    stage = Stage(renew_s=0, stop_s=5)
    stage.after()
    stage.after(1, beat=120)
    stage.after(4.9)
    assert not stage.worker.dead
    stage.after(0.2)
    assert stage.worker.dead


def test_without_cameras_the_worker_leaves_and_with_new_ones_another_comes(stage):
    stage.live(2)
    stage.post.assign(())
    stage.after()
    assert stage.worker.heard[-1] == "leave"
    assert not stage.post.is_empty
    stage.post.assign(CAMERAS[:1])
    stage.worker.dead = True
    stage.after(0.1)
    stage.after(0.1)
    assert len(stage.workers) == 2
    assert stage.worker.heard == [["a"]]
    stage.post.assign(())
    stage.after(0.1)
    stage.worker.dead = True
    stage.worker.buriable = False
    stage.after(0.1)
    stage.after(0.1)
    assert not stage.post.is_empty  # something of it is left
    stage.worker.buriable = True
    stage.after(0.1)
    assert stage.post.is_empty


def test_a_list_or_pace_that_did_not_change_is_not_sent_again(stage):
    pace = Pace(2.0, {"a": 0.2, "of another worker": 0.2})
    for _ in range(3):
        stage.post.assign(CAMERAS)
        stage.post.pace(pace)
    assert stage.worker.heard == [["a", "b"], Pace(2.0, {"a": 0.2})]
    stage.worker.dead = True
    stage.after()
    stage.after(1)
    assert stage.worker.heard == [["a", "b"], Pace(2.0, {"a": 0.2})]


def test_a_worker_is_not_started_before_its_turn():
    box = Stage()
    started = []
    post = Post(
        1,
        patience=Patience(),
        memory_bytes=None,
        clock=box.clock,
        begins=box.clock.monotonic() + 4,
        start=lambda cameras: started.append(cameras) or FakeProcess(box.clock.monotonic()),
        away=lambda *_: None,
    )
    post.assign(CAMERAS)
    post.step(may_renew=True)
    assert not started
    box.clock.sleep(4)
    post.step(may_renew=True)
    assert started == [len(CAMERAS)]
