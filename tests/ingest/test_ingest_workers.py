"""Real worker processes, real cameras over sockets, and everything that can happen to either."""

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.clock import SystemClock
from pipeline.ingest import Pace, Workers, worker_process
from pipeline.ingest.post import Patience
from pipeline.rehearsal import CityCamera, Fault, FaultKind, running_city
from pipeline.settings import IngestSettings
from pipeline.town import Camera

SIZE = (320, 192)
HOSTS = {"a": "127.0.0.1", "b": "127.0.0.2", "c": "127.0.0.3", "d": "127.0.0.1"}
SETTINGS = IngestSettings(
    open_timeout_s=20,
    read_timeout_s=20,
    stalled_after_s=30,
    backoff_first_s=0.05,
    backoff_most_s=0.2,
    interval_s=0.2,
    picture_fault_s=600,
    workers={"cameras_at_most": 2, "memory_mb": None},
)
SHORT = Patience(first_pause_s=0.1, most_pause_s=0.2, silent_s=30, start_s=120)
WITHIN_S = 90  # the machine may be busy


@pytest.fixture(scope="module")
def city(make_clip):
    cameras = {name: CityCamera("quick", host=host) for name, host in HOSTS.items()}
    with running_city({"quick": make_clip(gop=1)}, cameras) as city:
        yield city


@pytest.fixture(autouse=True)
def all_well(city):
    for name in HOSTS:
        city.set_fault(name, None)


def camera_of(city, camera_id, **more):
    url = more.pop("url", None) or city.url(camera_id)
    return Camera(camera_id, camera_id, url, 113.4, 34.8, **more)


class Taken:
    """Takes looks, and lets go of them unless told to keep them."""

    def __init__(self):
        self.looks, self.kept, self.keep = [], [], False

    def __call__(self, look, release):
        self.looks.append((look.camera_id, look.captured_at, float(look.picture.mean())))
        if self.keep:
            self.kept.append((look, release))
        else:
            release()
            release()  # a second time does nothing

    def of(self, camera_id):
        return [look for look in self.looks if look[0] == camera_id]


@pytest.fixture
def taken():
    return Taken()


@contextmanager
def workers_of(city, camera_ids, taken, settings=SETTINGS, patience=SHORT, **more):
    cameras = [camera_of(city, camera_id) for camera_id in camera_ids]
    clock = SystemClock()
    with Workers(
        cameras, settings, size=SIZE, clock=clock, deliver=taken, patience=patience, **more
    ) as workers:
        yield workers


def state_of(workers, camera_id):
    return workers.statuses()[camera_id].state


def all_live(workers):
    return {status.state for status in workers.statuses().values()} == {"live"}


def pid_of(workers, camera_id):
    """The process that watches a camera."""
    post = workers._home[camera_id]
    return None if post.worker is None else post.worker.pid


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children():
    tasks = Path("/proc/self/task").glob("*/children")
    return {int(pid) for task in tasks for pid in task.read_text().split()}


def test_looks_and_full_pictures_of_all_cameras_come_from_their_workers(city, taken, eventually):
    with workers_of(city, "abcd", taken) as workers:
        eventually(lambda: all_live(workers), WITHIN_S)
        eventually(lambda: all(len(taken.of(name)) >= 3 for name in "abcd"), WITHIN_S)
        assert pid_of(workers, "a") == pid_of(workers, "d")  # one host, one worker
        assert list(workers.statuses()) == list("abcd")
        states = workers.states()
        assert sum(state.cameras for state in states) == 4
        assert {state.pid for state in states} == children()
        assert all(state.state == "running" and state.rss_bytes > 1 << 20 for state in states)
        name, captured_at, _ = taken.looks[-1]
        assert abs(time.time() - captured_at) < WITHIN_S
        assert workers.full_picture(name, captured_at).shape == (180, 320, 3)
        assert workers.full_picture(name, captured_at - 3600) is None
        assert workers.full_picture("nobody", captured_at) is None
        times = [look[1] for look in taken.of("a")]
        assert times == sorted(times)
    assert not children()


def test_nothing_secret_stands_where_other_users_can_read_it(city, taken, eventually, monkeypatch):
    monkeypatch.setenv("GRIDWATCH_REDIS__URL", "redis://:s3cret@h/0")
    secret = camera_of(city, "x", url="rtsp://admin:s3cret@127.0.0.9:1/x")
    clock = SystemClock()
    with Workers([secret], SETTINGS, size=SIZE, clock=clock, deliver=taken) as workers:
        eventually(lambda: state_of(workers, "x") == "unreachable", WITHIN_S)
        folder = Path(f"/proc/{workers.states()[0].pid}")
        assert b"s3cret" not in (folder / "cmdline").read_bytes()
        assert b"s3cret" not in (folder / "environ").read_bytes()
        assert "s3cret" not in repr((workers.statuses(), workers.states()))


def test_a_killed_worker_is_replaced_and_the_others_notice_nothing(city, taken, eventually):
    with workers_of(city, "ab", taken, SETTINGS.model_copy(update=one_each())) as workers:
        eventually(lambda: all_live(workers), WITHIN_S)
        eventually(lambda: len(taken.of("a")) > 3, WITHIN_S)
        before = workers.statuses()
        pid, other = pid_of(workers, "a"), pid_of(workers, "b")
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: state_of(workers, "a") == "connecting", WITHIN_S)
        assert "its worker process ended" in workers.statuses()["a"].why
        eventually(lambda: all_live(workers), WITHIN_S)
        after = workers.statuses()
        assert pid_of(workers, "a") != pid
        assert pid_of(workers, "b") == other
        assert after["b"].since_at == before["b"].since_at
        assert after["a"].looks > before["a"].looks
        assert workers.restarts() == {"died": 1}
        count = len(taken.of("a"))
        eventually(lambda: len(taken.of("a")) > count, WITHIN_S)
        eventually(lambda: len(children()) == 2, WITHIN_S)


def one_each():
    return {"workers": SETTINGS.workers.model_copy(update={"cameras_at_most": 1})}


def test_pictures_stay_after_the_worker_they_came_from_is_dead(city, taken, eventually):
    taken.keep = True
    with workers_of(city, "a", taken) as workers:
        eventually(lambda: len(taken.kept) >= 3, WITHIN_S)
        looks = list(taken.kept)
        means = [float(look.picture.mean()) for look, _ in looks]
        os.kill(pid_of(workers, "a"), signal.SIGKILL)
        eventually(lambda: workers.restarts() == {"died": 1}, WITHIN_S)
        eventually(lambda: all_live(workers), WITHIN_S)
        assert [float(look.picture.mean()) for look, _ in looks] == means
        assert not looks[0][0].picture.flags.writeable
        for _, release in taken.kept:
            release()


def test_a_worker_that_hangs_is_replaced(city, taken, eventually):
    quick = Patience(first_pause_s=0.1, silent_s=6, start_s=120)
    with workers_of(city, "a", taken, patience=quick) as workers:
        eventually(lambda: all_live(workers), WITHIN_S)
        pid, (name, captured_at, _) = pid_of(workers, "a"), taken.looks[-1]
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        assert workers.full_picture(name, captured_at) is None  # waits a little, once
        assert workers.full_picture(name, captured_at) is None
        assert time.monotonic() - began < 30
        eventually(lambda: "silent" in workers.restarts(), WITHIN_S)
        eventually(lambda: not is_running(pid), WITHIN_S)
        eventually(lambda: all_live(workers), WITHIN_S)


def test_signals_meant_for_the_daemon_are_left_to_it(city, taken, eventually):
    with workers_of(city, "a", taken) as workers:
        eventually(lambda: all_live(workers), WITHIN_S)
        pid = pid_of(workers, "a")
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(pid, number)
        count = len(taken.looks)
        eventually(lambda: len(taken.looks) > count + 3, WITHIN_S)
        assert pid_of(workers, "a") == pid
        assert workers.restarts() == {}


DAEMON = """
import json, sys, time
from pipeline.clock import SystemClock
from pipeline.ingest import Workers
from pipeline.settings import IngestSettings
from pipeline.town import Camera
cameras = [Camera(name, name, url, 113.4, 34.8) for name, url in json.loads(sys.argv[1])]
settings = IngestSettings(workers={"cameras_at_most": 1})
taken = []
with Workers(cameras, settings, size=(320, 192), clock=SystemClock(),
             deliver=lambda look, release: taken.append(look)) as workers:
    while not {look.camera_id for look in taken} == {"a", "b"}:
        time.sleep(0.05)
    print(json.dumps([state.pid for state in workers.states()]), flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("frozen", [False, True], ids=["working", "stopped"])
def test_when_the_daemon_is_killed_nothing_of_it_is_left(city, eventually, frozen):
    named = set(Path("/dev/shm").iterdir())
    urls = json.dumps([(name, city.url(name)) for name in "ab"])
    with subprocess.Popen(
        [sys.executable, "-c", DAEMON, urls], stdout=subprocess.PIPE, text=True
    ) as daemon:
        pids = json.loads(daemon.stdout.readline())
        assert len(pids) == 2
        assert all(map(is_running, pids))
        if frozen:  # a worker that can't do anything about it any more
            os.kill(pids[0], signal.SIGSTOP)
        daemon.kill()
        daemon.wait(timeout=WITHIN_S)
    eventually(lambda: not any(map(is_running, pids)), WITHIN_S)
    assert set(Path("/dev/shm").iterdir()) == named


def test_workers_that_grew_are_renewed_one_at_a_time(city, taken, eventually):
    with workers_of(city, "a", taken) as workers:
        eventually(lambda: all_live(workers), WITHIN_S)
        size_mb = workers.states()[0].rss_bytes >> 20
    small = {"cameras_at_most": 1, "memory_mb": size_mb * 3 // 4}
    settings = SETTINGS.model_copy(update={"workers": SETTINGS.workers.model_copy(update=small)})
    patience = Patience(first_pause_s=0.1, renew_s=8, stop_s=20, start_s=120, silent_s=60)
    with workers_of(city, "ab", taken, settings, patience) as workers:
        deadline = time.monotonic() + WITHIN_S
        while not all(state.restarts for state in workers.states()):
            assert time.monotonic() < deadline
            assert [state.state for state in workers.states()].count("stopping") <= 1
            time.sleep(0.02)
        assert set(workers.restarts()) == {"memory"}


def test_a_worker_that_can_not_be_started_says_so_and_is_tried_again(
    city, taken, eventually, monkeypatch
):
    good = worker_process._COMMAND
    monkeypatch.setattr(worker_process, "_COMMAND", ("/nowhere/python",))
    with workers_of(city, "a", taken) as workers:
        eventually(lambda: workers.restarts().get("start", 0) >= 2, WITHIN_S)
        assert "can't be started" in workers.statuses()["a"].why
        assert "No such file" in workers.states()[0].why
        exits = (sys.executable, "-c", "raise SystemExit(3)")
        monkeypatch.setattr(worker_process, "_COMMAND", exits)
        eventually(lambda: "exit code 3" in workers.states()[0].why, WITHIN_S)
        monkeypatch.setattr(worker_process, "_COMMAND", good)
        eventually(lambda: all_live(workers), WITHIN_S)


@pytest.mark.parametrize("said", [b"\\xff" * 9, b"\\0\\0\\0\\5hello"], ids=["too long", "garbage"])
def test_a_worker_that_talks_nonsense_is_replaced(city, taken, eventually, monkeypatch, said):
    talk = f"import os, sys, time; os.write(int(sys.argv[1]), b'{said.decode()}'); time.sleep(600)"
    good = worker_process._COMMAND
    monkeypatch.setattr(worker_process, "_COMMAND", (sys.executable, "-c", talk))
    with workers_of(city, "a", taken) as workers:
        eventually(lambda: "message" in workers.states()[0].why, WITHIN_S)
        monkeypatch.setattr(worker_process, "_COMMAND", good)
        eventually(lambda: all_live(workers), WITHIN_S)
        eventually(lambda: len(children()) == 1, WITHIN_S)


def test_when_all_slots_are_taken_looks_are_dropped_and_counted_and_readers_go_on(
    city, taken, eventually, monkeypatch
):
    monkeypatch.setattr("pipeline.ingest.workers._SLOTS_BESIDE", 4)
    taken.keep, dropped = True, []
    with workers_of(
        city, "ab", taken, dropped=lambda name, purpose, n: dropped.append((name, purpose, n))
    ) as workers:
        eventually(lambda: dropped, WITHIN_S)
        assert len(taken.looks) == 9  # 2 × 2 × 1.25 + 4
        eventually(lambda: sum(n for *_, n in dropped) > 10, WITHIN_S)
        assert {(name, purpose) for name, purpose, _ in dropped} == {("a", "whole"), ("b", "whole")}
        assert workers.no_slot() == {"whole": sum(n for *_, n in dropped)}
        assert all_live(workers)
        assert workers.states()[0].slots_taken == 9
        taken.keep = False
        for _, release in taken.kept:
            release()
        eventually(lambda: len(taken.looks) > 20, WITHIN_S)


def test_what_receives_looks_may_fail_without_losing_a_worker(city, eventually):
    count = []

    def broken(look, release):
        count.append(look.camera_id)
        raise RuntimeError

    with workers_of(city, "a", broken) as workers:
        eventually(lambda: len(count) > 20, WITHIN_S)
        assert workers.restarts() == {}
        eventually(lambda: workers.states()[0].slots_taken <= 1, WITHIN_S)


def test_stop_is_prompt_even_if_cameras_and_workers_hang(city, taken, eventually):
    city.set_fault("b", Fault(FaultKind.HANG))
    with workers_of(city, "abc", taken, SETTINGS.model_copy(update=one_each())) as workers:
        eventually(lambda: state_of(workers, "a") == state_of(workers, "c") == "live", WITHIN_S)
        os.kill(pid_of(workers, "c"), signal.SIGSTOP)
        began = time.monotonic()
        workers.stop(timeout_s=2)
        assert time.monotonic() - began < 20
        count = len(taken.looks)
        assert not children()
        time.sleep(0.5)
        assert len(taken.looks) == count
        workers.apply([camera_of(city, "d")])  # too late
        assert not children()


def test_stop_before_anything_has_started_leaves_nothing(city, taken):
    with workers_of(city, "abc", taken) as workers:
        pass
    assert not children()
    assert not [t for t in threading.enumerate() if t.name.startswith("worker")]
    workers.stop()
    never = Workers([], SETTINGS, size=SIZE, clock=SystemClock(), deliver=taken)
    never.stop()


def test_a_changed_list_touches_only_what_changed(city, taken, eventually):
    with workers_of(city, "ab", taken) as workers:
        eventually(lambda: all_live(workers), WITHIN_S)
        before, pid = workers.statuses()["a"], pid_of(workers, "a")
        cameras = {name: camera_of(city, name) for name in "abcd"}
        workers.apply([cameras["c"], cameras["a"]])
        assert list(workers.statuses()) == ["c", "a"]
        eventually(lambda: all_live(workers), WITHIN_S)
        after = workers.statuses()["a"]
        assert pid_of(workers, "a") == pid
        assert after.since_at == before.since_at
        assert after.looks >= before.looks
        taken.looks.clear()
        eventually(lambda: taken.of("c") and taken.of("a"), WITHIN_S)
        assert not taken.of("b")

        workers.apply([cameras["a"], camera_of(city, "c", enabled=False)])
        assert state_of(workers, "c") == "connecting"
        eventually(lambda: state_of(workers, "c") == "disabled", WITHIN_S)
        workers.apply([])
        assert workers.statuses() == {}
        eventually(lambda: not workers.states() and not children(), WITHIN_S)
        workers.apply([cameras["d"]])
        eventually(lambda: all_live(workers), WITHIN_S)


def test_a_list_that_changes_while_a_worker_is_dead_holds_afterwards(city, taken, eventually):
    with workers_of(city, "a", taken) as workers:
        eventually(lambda: all_live(workers), WITHIN_S)
        os.kill(pid_of(workers, "a"), signal.SIGKILL)
        workers.apply([camera_of(city, "d")])
        eventually(lambda: state_of(workers, "d") == "live", WITHIN_S)
        assert list(workers.statuses()) == ["d"]


def test_the_pace_is_kept_by_this_and_the_next_worker(city, taken, eventually):
    def gaps(camera_id):
        times = [look[1] for look in taken.of(camera_id)]
        return [after - before for before, after in pairwise(times)]

    with workers_of(city, "ad", taken) as workers:
        workers.pace(Pace(5.0, {"d": 0.2}))  # 1 s and 0.2 s
        eventually(lambda: all_live(workers), WITHIN_S)
        for restarts in (0, 1):
            if restarts:
                os.kill(pid_of(workers, "a"), signal.SIGKILL)
                eventually(lambda: workers.restarts() == {"died": 1}, WITHIN_S)
                eventually(lambda: all_live(workers), WITHIN_S)
            taken.looks.clear()
            eventually(lambda: len(taken.of("a")) > 3, WITHIN_S)
            assert min(gaps("a")) > 0.5
            assert len(taken.of("d")) > 2 * len(taken.of("a"))


def resources():
    gc.collect()
    maps = Path("/proc/self/maps").read_text().count("gridwatch-pictures")
    fds = len(list(Path("/proc/self/fd").iterdir()))
    return fds, threading.active_count(), maps, len(children())


def test_fifty_restarts_leave_no_descriptor_thread_memory_or_process(
    city, taken, eventually, monkeypatch
):
    good = worker_process._COMMAND
    patience = Patience(first_pause_s=0.0, most_pause_s=0.0, start_s=120, silent_s=60)
    with workers_of(city, "a", taken, patience=patience) as workers:
        eventually(lambda: all_live(workers), WITHIN_S)
        before = resources()
        dies = (sys.executable, "-S", "-c", "import os; os.kill(os.getpid(), 9)")
        monkeypatch.setattr(worker_process, "_COMMAND", dies)
        os.kill(pid_of(workers, "a"), signal.SIGKILL)
        eventually(lambda: sum(workers.restarts().values()) >= 50, WITHIN_S)
        monkeypatch.setattr(worker_process, "_COMMAND", good)
        eventually(lambda: all_live(workers), WITHIN_S)
        eventually(lambda: resources() == before, WITHIN_S)
