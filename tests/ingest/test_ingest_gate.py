"""Cameras of one recorder over real sockets: its limits, its reboots, and turns among cameras."""

import asyncio
import threading
import time
from collections import Counter
from contextlib import contextmanager
from itertools import pairwise

import pytest

from pipeline.clock import ManualClock, SystemClock
from pipeline.errors import SourceError
from pipeline.ingest import Ingest, streams
from pipeline.ingest.gate import Gates, host_of
from pipeline.rehearsal.city import CityCamera, Fault, FaultKind, running_city
from pipeline.settings import HostSettings, IngestSettings
from pipeline.town import Camera

SIZE = (320, 192)
HOST = "127.0.0.1"
QUICK = IngestSettings(
    open_timeout_s=5,
    read_timeout_s=5,
    backoff_first_s=0.1,
    backoff_most_s=0.5,
    interval_s=0.2,
    visit_every_s=0.3,
    blip_s=0,
)
SHARED = QUICK.model_copy(update={"hosts": {HOST: HostSettings(sessions=2)}})
PATIENT_S = 60


@pytest.fixture(scope="module")
def clips(make_clip):
    return {"quick": make_clip(gop=1)}


def camera_of(camera_id, url, **more):
    return Camera(camera_id=camera_id, name=camera_id, url=url, lon=113.4, lat=34.8, **more)


@contextmanager
def ingest_of(city, names, settings, looks=None, **more):
    cameras = [camera_of(name, city.url(name), **more) for name in names]
    deliver = (lambda look: None) if looks is None else looks.append
    with Ingest(cameras, settings, size=SIZE, clock=SystemClock(), deliver=deliver) as ingest:
        yield ingest


@contextmanager
def watched(value):
    """Collect the values of a function until the block ends."""
    seen, over = [], threading.Event()

    def look():
        while not over.wait(0.005):
            seen.append(value())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize(
    "url, host",
    [
        ("rtsp://admin:a@b@10.0.0.5/ch1", "10.0.0.5:554"),
        ("rtsp://10.0.0.5:554/ch2", "10.0.0.5:554"),
        ("rtsps://NVR.lan/ch2", "nvr.lan:322"),
        ("rtsp://[fd00::5]/x", "[fd00::5]:554"),
        ("rtsp://10.0.0.7:8554/x", "10.0.0.7"),  # the settings name it without a port
        ("/clips/a.mp4", "/clips/a.mp4"),
        ("rtsp://10.0.0.5:99999/x", "rtsp://10.0.0.5:99999/x"),
    ],
)
def test_cameras_of_one_device_are_told_by_address_and_port(url, host):
    assert host_of(url, {"10.0.0.7"}) == host


def test_a_host_with_fewer_sessions_than_cameras_is_visited_in_turn(clips, eventually):
    names = [f"c{number}" for number in range(7)]
    with running_city(clips, dict.fromkeys(names, CityCamera("quick"))) as city:
        sessions, looks = (lambda: sum(city.viewers(name) for name in names)), []
        with watched(sessions) as seen, ingest_of(city, names, SHARED, looks) as ingest:
            statuses = ingest.statuses
            eventually(lambda: {one.state for one in statuses().values()} == {"live"}, PATIENT_S)
            before = len(looks)
            eventually(lambda: len(looks) >= before + 42, PATIENT_S)
            states = statuses().values()
    assert max(seen) <= 2
    assert {one.state for one in states} == {"live"}
    assert all(one.failures == 0 and one.last_look_at is not None for one in states)
    # Fair: in any stretch of looks everybody is seen about equally often.
    counts = Counter(look.camera_id for look in looks[before:])
    assert set(counts) == set(names)
    assert max(counts.values()) <= 2 * min(counts.values()) + 2


def test_dead_cameras_take_no_more_turns_than_others_and_the_rest_stay_live(clips, eventually):
    names = [f"c{number}" for number in range(5)]
    dead = {f"d{number}": CityCamera("quick", fault=Fault(FaultKind.HANG)) for number in range(2)}
    hasty = SHARED.model_copy(update={"open_timeout_s": 0.4})
    with (
        running_city(clips, dead | dict.fromkeys(names, CityCamera("quick"))) as city,
        ingest_of(city, [*dead, *names], hasty) as ingest,
    ):

        def states(group):
            return {ingest.statuses()[name].state for name in group}

        eventually(lambda: states(names) == {"live"}, PATIENT_S)
        eventually(lambda: states(dead) == {"unreachable"}, PATIENT_S)
        looks = {name: ingest.statuses()[name].looks for name in names}
        eventually(
            lambda: all(ingest.statuses()[name].looks >= looks[name] + 3 for name in names),
            PATIENT_S,
        )
        assert states(names) == {"live"}


def test_a_host_whose_sessions_suffice_keeps_them_open(clips, eventually):
    names = ["a", "b"]
    with running_city(clips, dict.fromkeys(names, CityCamera("quick"))) as city:
        with ingest_of(city, names, SHARED) as ingest:
            eventually(lambda: all(s.looks > 8 for s in ingest.statuses().values()), PATIENT_S)
        assert [city.served()[name].sessions for name in names] == [1, 1]


def test_a_camera_with_the_policy_visit_comes_for_a_picture_and_leaves(clips, eventually):
    rare = QUICK.model_copy(update={"visit_every_s": 1.5})
    looks = []
    with running_city(clips, {"a": CityCamera("quick")}) as city:
        with (
            watched(lambda: city.viewers("a")) as seen,
            ingest_of(city, ["a"], rare, looks, policy="visit") as ingest,
        ):
            eventually(lambda: len(looks) >= 4, PATIENT_S)
            status = ingest.statuses()["a"]
        sessions = city.served()["a"].sessions
    assert status.state == "live"
    assert sessions in (len(looks), len(looks) + 1)
    assert seen.count(0) > len(seen) / 3  # away for most of the time, even if all is slow
    gaps = [later.captured_at - look.captured_at for look, later in pairwise(looks)]
    assert min(gaps) > 0.8


def test_road_looks_belong_to_a_visit(make_clip, eventually):
    large = {"large": make_clip(gop=1, seconds=3, size=(1280, 720))}
    pose = {"height_m": 6.0, "pitch_deg": 12.0, "heading_deg": 0.0, "hfov_deg": 60.0}
    looks = []
    with (
        running_city(large, {"a": CityCamera("large")}) as city,
        ingest_of(city, ["a"], QUICK, looks, policy="visit", **pose) as ingest,
    ):
        eventually(lambda: ingest.statuses()["a"].looks >= 3, PATIENT_S)
        # Every visit is one picture: what is looked at of it was captured at one moment.
    moments = {purpose: set() for purpose in ("whole", "road")}
    for look in looks:
        moments[look.purpose].add(look.captured_at)
    assert moments["road"]
    assert moments["road"] <= moments["whole"]


def test_a_recorder_that_reboots_is_not_stormed_and_every_camera_says_why(
    clips, eventually, monkeypatch
):
    names = [f"c{number}" for number in range(24)]
    opened_at, opening, most = [], Counter(), Counter()
    real_open, lock = streams.av.open, threading.Lock()

    def counted(*args, **more):
        with lock:
            opened_at.append(time.monotonic())
            opening["now"] += 1
            most["at once"] = max(most["at once"], opening["now"])
        try:
            return real_open(*args, **more)
        finally:
            with lock:
                opening["now"] -= 1

    slower = QUICK.model_copy(update={"backoff_first_s": 0.5, "backoff_most_s": 4})
    with running_city(clips, dict.fromkeys(names, CityCamera("quick"))) as city:

        def switch(action):
            asyncio.run_coroutine_threadsafe(action(HOST), city._loop).result(10)

        with ingest_of(city, names, slower) as ingest:
            statuses = ingest.statuses
            eventually(lambda: {s.state for s in statuses().values()} == {"live"}, PATIENT_S)
            monkeypatch.setattr(streams.av, "open", counted)
            switch(city.switch_off)
            began = time.monotonic()
            eventually(lambda: {s.state for s in statuses().values()} == {"unreachable"}, PATIENT_S)
            eventually(lambda: all("refused" in s.why for s in statuses().values()), PATIENT_S)
            assert not [s for s in statuses().values() if "/c" in s.why]  # nobody else's path
            while time.monotonic() < began + 8:
                time.sleep(0.1)
            while_down, most_while_down = len(opened_at), most["at once"]
            switch(city.switch_on)
            eventually(lambda: {s.state for s in statuses().values()} == {"live"}, PATIENT_S)
    # 24 cameras, each on its own, would have knocked about 24 times a second or so at first.
    assert while_down <= 20
    assert most_while_down <= 3
    assert len(opened_at) - while_down <= len(names) + 2


def test_a_waiting_camera_is_let_go_at_once(clips, eventually):
    """With one session and nobody leaving it, the other waits; taken off the list it is gone."""
    names = ["a", "b"]
    single = QUICK.model_copy(
        update={
            "hosts": {HOST: HostSettings(sessions=1)},
            "read_timeout_s": 30.0,
            "stalled_after_s": 30.0,
        }
    )
    silent = CityCamera("quick", fault=Fault(FaultKind.SILENT))
    with (
        running_city(clips, dict.fromkeys(names, silent)) as city,
        ingest_of(city, names, single) as ingest,
    ):
        eventually(lambda: any(city.viewers(name) for name in names), PATIENT_S)
        held, waits = sorted(names, key=city.viewers, reverse=True)
        eventually(lambda: "share each stream" in ingest.statuses()[waits].why, PATIENT_S)
        ingest.apply([camera_of(held, city.url(held))])
        # The open session would have kept it for 30 s.
        eventually(lambda: f"camera {waits}" not in [t.name for t in threading.enumerate()], 15)
        assert city.viewers(held) == 1


def test_gates_wait_out_pauses_and_visits_by_the_clock():
    clock = ManualClock(1000.0)
    settings = QUICK.model_copy(update={"visit_every_s": 20.0, "backoff_first_s": 8.0})
    settings = settings.model_copy(update={"backoff_most_s": 60.0})
    gate = Gates(settings, clock, draw=lambda: 1.0).of(
        camera_of("a", "rtsp://10.0.0.5/a", policy="visit")
    )
    with gate:
        pass
    assert clock.monotonic() == 1000
    assert not gate.pictured(telling=False)  # a black picture: one more
    assert gate.pictured(telling=False)  # but not for ever
    clock.move_to(1005)
    gate.ended(None, failed=False)
    with gate:
        assert clock.monotonic() == 1020  # visits begin that far apart
        assert gate.pictured(telling=True)
    gate.ended(SourceError("unreachable", "x"), failed=True)
    with gate:
        assert clock.monotonic() == 1028
    gate.ended(SourceError("unreachable", "x"), failed=True)
    with gate:
        assert clock.monotonic() == 1044
    gate.ended(SourceError("unreachable", "x", of_host=True), failed=True)
    gate.cancel()
    with gate:
        assert clock.monotonic() == 1044  # it passes at once: nobody opens anything now


def test_hosts_without_cameras_are_forgotten():
    gates = Gates(QUICK, ManualClock())
    gate = gates.of(camera_of("a", "rtsp://10.0.0.5/a"))
    assert len(gates._hosts) == 1
    gate.cancel()
    del gate
    assert len(gates._hosts) == 0
