"""A box makes live pictures for those who look: covered, few, and behind everything else."""

from __future__ import annotations

import io
import os
import threading

import numpy as np
import pytest
from evidence_help import detail, footage, ring_of, seen
from PIL import Image
from structlog.testing import capture_logs
from ticket_town import NOON

from pipeline.clock import ManualClock, SystemClock
from pipeline.errors import DeskUnavailableError
from pipeline.ingest import CameraStatus
from pipeline.ingest.evidence import FileMoment, PacketGroup
from pipeline.tickets import Photographer, Shots
from pipeline.tickets.photographer import IDLE_S, RESTS, SOON_S

PERSON = ("person", (300.0, 100.0, 360.0, 280.0))


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Twelve numbered key frames, a second apart."""
    return footage(tmp_path_factory.mktemp("film") / "twelve.mp4", 12)


class Box:
    """A box that reads cam-1 and cam-2; both show the film."""

    def __init__(self, redis, prefix, film, *, per_s=4.0, look=None, kept=None) -> None:
        self.clock = ManualClock(NOON + 5.5)
        self.ring = ring_of(film, NOON)
        self.shots = Shots(redis, prefix=prefix)
        self.asked: list[str] = []
        self.cameras = {one: CameraStatus(one, "live", NOON) for one in ("cam-1", "cam-2")}
        self.photographer = Photographer(
            self.shots,
            per_s=per_s,
            statuses=lambda: self.cameras,
            kept=kept or self.kept,
            look=look or seen(PERSON),
            clock=self.clock,
        )

    def kept(self, camera_id, at):
        self.asked.append(camera_id)
        return self.ring.group_at(at)

    def work(self, steps=1) -> list[float]:
        return [self.photographer.step() for _ in range(steps)]


@pytest.fixture
def box(redis, film, request):
    return Box(redis, f"box-{request.node.name}"[:40], film)


def pixels(shot) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(shot.data)).convert("RGB"))


def test_where_nobody_looks_no_picture_is_even_fetched(box):
    assert box.work(3) == [IDLE_S] * 3
    box.shots.want(["elsewhere"])  # another box's camera
    box.work()
    assert box.asked == []


def test_who_looks_gets_the_newest_key_frame_in_the_size_asked_for(box):
    box.shots.want(["cam-1"], "view")
    box.shots.want(["cam-2"])
    box.work(2)
    view, wall = box.shots.latest("cam-1", "view"), box.shots.latest("cam-2", "wall")
    assert view.taken_at == wall.taken_at == NOON + 5
    assert (view.width, view.height) == (640, 360) == pixels(view).shape[1::-1]  # never enlarged
    assert (wall.width, wall.height) == (320, 180) == pixels(wall).shape[1::-1]
    assert box.shots.latest("cam-1", "wall") is None
    assert box.asked == ["cam-1", "cam-2"]  # who looks at one camera goes first


def test_faces_are_covered_before_anything_leaves_the_box(box):
    box.shots.want(["cam-1"], "view")
    box.work()
    shown = pixels(box.shots.latest("cam-1", "view"))
    assert detail(shown[104:146, 304:356]) < 0.4 * detail(shown[180:270, 310:350])


def fails(_picture):
    raise RuntimeError("no such kernel")


@pytest.mark.parametrize("look", [fails, lambda picture: seen(PERSON)(picture[:0])])
def test_a_picture_that_can_not_be_covered_is_not_shown(redis, film, look):
    box = Box(redis, "box-uncovered", film, look=look)
    box.shots.want(["cam-1"], "view")
    with capture_logs() as logs:
        for _ in range(3):
            box.work()
            box.clock.sleep(5)
            box.shots.want(["cam-1"], "view")
    assert box.shots.latest("cam-1", "view") is None
    assert [line["event"] for line in logs] == ["live_picture_failed"]  # once


def test_a_picture_that_is_there_already_is_not_made_again(redis, film):
    looks = []

    def look(picture):
        looks.append(picture.shape)
        return seen(PERSON)(picture)

    box = Box(redis, "box-once", film, look=look)
    box.shots.want(["cam-1"], "view")
    for _ in range(4):
        box.work()
        box.clock.sleep(0.1)
    assert len(looks) == 1
    box.clock.sleep(1)
    box.work()  # there is a newer key frame by now
    assert len(looks) == 2
    assert box.shots.latest("cam-1", "view").taken_at == NOON + 6


def test_it_makes_few_a_second_and_rests_longer_than_it_works(redis, film):
    def slowly(picture):
        box.clock.sleep(0.7)
        return seen(PERSON)(picture)

    box = Box(redis, "box-slow", film, per_s=2.0, look=slowly)
    box.shots.want(["cam-1", "cam-2"])
    assert box.work(2) == pytest.approx([RESTS * 0.7] * 2)
    quick = Box(redis, "box-quick", film, per_s=2.0)
    quick.shots.want(["cam-1"])
    assert quick.work() == [0.5]


def test_who_looks_at_one_camera_gets_a_new_picture_every_second_or_soon_after(box):
    box.shots.want(["cam-1"], "view", 30)
    seen = []
    while box.clock.now() < NOON + 10:
        rest_s = box.work()[0]
        seen.append(box.shots.latest("cam-1", "view").taken_at)
        assert box.clock.now() - seen[-1] <= 1 + SOON_S
        box.clock.sleep(rest_s)
    assert sorted(set(seen)) == [NOON + second for second in (5, 6, 7, 8, 9)]


def test_everybody_gets_a_turn_though_one_camera_is_watched_all_the_time(box):
    box.shots.want(["cam-1"], "view")
    box.shots.want(["cam-1", "cam-2"], "wall")
    for _ in range(4):
        box.clock.sleep(box.work()[0])
    assert box.shots.latest("cam-2", "wall") is not None


def test_what_a_worker_says_of_the_time_is_not_believed_where_it_can_not_be(redis, film):
    def from_tomorrow(_camera_id, _at):
        group = ring_of(film, NOON).group_at(NOON + 3)
        return PacketGroup(group.codec, group.packets, received_at=NOON + 86400)

    box = Box(redis, "box-tomorrow", film, kept=from_tomorrow)
    box.shots.want(["cam-1"])
    box.work()
    assert box.shots.latest("cam-1") is None


def test_of_a_recorded_file_the_newest_look_is_shown(redis, film):
    at = NOON + 3.0
    box = Box(redis, "box-file", film, kept=lambda _, when: FileMoment(film, when - NOON))
    box.shots.want(["cam-1"])
    box.work()
    assert box.shots.latest("cam-1") is None  # nothing was looked at yet
    box.cameras["cam-1"] = CameraStatus("cam-1", "live", NOON, last_look_at=at)
    box.clock.sleep(6)
    box.work()
    assert box.shots.latest("cam-1").taken_at == at


def test_without_redis_it_waits_says_so_once_and_goes_on_when_it_is_back(box, monkeypatch):
    box.shots.want(["cam-1"])

    def away(_):
        raise DeskUnavailableError("live pictures: refused")

    with capture_logs() as logs:
        with monkeypatch.context() as patched:
            patched.setattr(Shots, "wanted", away)
            assert all(rest >= 1 for rest in box.work(3))
        box.work()
    assert [line["event"] for line in logs] == ["live_pictures_away", "live_pictures_back"]
    assert box.shots.latest("cam-1") is not None


def test_its_thread_steps_back_behind_the_others_and_stops_when_told(redis, film, eventually):
    nice: list[int] = []
    own = os.getpriority(os.PRIO_PROCESS, 0)

    def look(picture):
        nice.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return seen(PERSON)(picture)

    box = Box(redis, "box-thread", film, look=look)
    box.photographer._clock = SystemClock(NOON + 5.5 - SystemClock().monotonic())
    box.shots.want(["cam-1"])
    stop = threading.Event()
    thread = threading.Thread(target=box.photographer.run, args=(stop,))
    thread.start()
    eventually(lambda: nice)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert nice[0] > own
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


def test_a_box_that_may_make_none_does_not_even_ask(redis, film):
    box = Box(redis, "box-none", film, per_s=0.0)
    box.shots.want(["cam-1"])
    box.photographer.run(threading.Event())
    assert box.asked == []
