"""Many cameras at once, over real sockets, with every fault a camera can have."""

import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
import structlog

from pipeline.clock import SystemClock
from pipeline.ingest import Ingest, LookSchedule, Pace, Source
from pipeline.rehearsal.city import CityCamera, Fault, FaultKind, running_city
from pipeline.rehearsal.rtsp import Login
from pipeline.settings import IngestSettings
from pipeline.town import Camera

SIZE = (320, 192)
FPS = 5  # of the clips
QUICK = IngestSettings(
    open_timeout_s=0.6,
    read_timeout_s=0.6,
    backoff_first_s=0.05,
    backoff_most_s=0.2,
    stalled_after_s=2.5,
    blip_s=0,
    interval_s=0.2,
)
LOGIN = Login("admin", "s3:cr@t/?")
REASONS = {  # fault: (state, words in the reason)
    FaultKind.REFUSE: ("unreachable", "closes the connection"),
    FaultKind.HANG: ("unreachable", "no answer"),
    FaultKind.SILENT: ("stalled", "nothing received"),
    FaultKind.STALL: ("stalled", "nothing received"),
    FaultKind.CLOSE: ("unreachable", "the stream ended"),
    FaultKind.UNAUTHORISED: ("unauthorised", "user and password"),
    FaultKind.NOT_FOUND: ("unreachable", "404"),
}


@pytest.fixture(scope="module")
def clips(make_clip):
    return {"quick": make_clip(gop=1), "sparse": make_clip(gop=10)}


def camera_of(camera_id, url, **more):
    return Camera(camera_id=camera_id, name=camera_id, url=url, lon=113.4, lat=34.8, **more)


@contextmanager
def ingest_of(city, camera_ids, deliver, settings=QUICK, extra=()):
    cameras = [camera_of(camera_id, city.url(camera_id)) for camera_id in camera_ids]
    clock = SystemClock()
    with Ingest([*cameras, *extra], settings, size=SIZE, clock=clock, deliver=deliver) as ingest:
        yield ingest


def state_of(ingest, camera_id):
    return ingest.statuses()[camera_id].state


def looks_of(ingest, camera_id):
    return ingest.statuses()[camera_id].looks


def schedule():
    return LookSchedule(QUICK, clock=SystemClock())


def test_every_fault_is_named_while_the_others_deliver_and_all_come_back(clips, eventually):
    faulty = {kind.name.lower(): CityCamera("quick", fault=Fault(kind)) for kind in REASONS}
    well = {f"well{number}": CityCamera("quick", phase_s=number / 5) for number in range(4)}
    latest = schedule()
    with (
        running_city(clips, faulty | well) as city,
        ingest_of(city, [*faulty, *well], latest.put) as ingest,
    ):
        for kind, (state, words) in REASONS.items():
            eventually(lambda kind=kind, state=state: state_of(ingest, kind.name.lower()) == state)
            assert words in ingest.statuses()[kind.name.lower()].why
        before = {camera_id: looks_of(ingest, camera_id) for camera_id in well}
        eventually(lambda: all(looks_of(ingest, name) >= before[name] + 5 for name in well), 3)
        assert {state_of(ingest, name) for name in well} == {"live"}

        for name in faulty:
            city.set_fault(name, None)
        eventually(lambda: {state_of(ingest, name) for name in faulty} == {"live"})
        assert all(ingest.statuses()[name].why == "" for name in faulty)


def test_a_camera_that_fails_in_mid_stream_comes_back(clips, eventually):
    with (
        running_city(clips, {"a": CityCamera("quick")}) as city,
        ingest_of(city, ["a"], schedule().put) as ingest,
    ):
        eventually(lambda: state_of(ingest, "a") == "live")
        for kind in (FaultKind.CLOSE, FaultKind.STALL):
            city.set_fault("a", Fault(kind))
            eventually(lambda kind=kind: state_of(ingest, "a") == REASONS[kind][0])
            since_at = ingest.statuses()["a"].since_at
            time.sleep(0.3)
            assert ingest.statuses()["a"].since_at == since_at  # retries don't make it flicker
            city.set_fault("a", None)
            eventually(lambda: state_of(ingest, "a") == "live")


@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_logins_with_special_characters_work_and_are_never_shown(clips, eventually, scheme):
    login = replace(LOGIN, scheme=scheme)
    wrong = Login(LOGIN.user, "other")
    cameras = {"a": CityCamera("quick", login=login), "b": CityCamera("quick", login=login)}
    with running_city(clips, cameras) as city:
        wrong_url = city.url("b").replace(login.in_url, wrong.in_url)
        extra = [camera_of("b", wrong_url)]
        with ingest_of(city, ["a"], schedule().put, extra=extra) as ingest:
            eventually(lambda: state_of(ingest, "a") == "live")
            eventually(lambda: state_of(ingest, "b") == "unauthorised")
            city.set_fault("a", Fault(FaultKind.HANG))
            eventually(lambda: state_of(ingest, "a") == "unreachable")
            shown = repr(ingest.statuses())
    for secret in (LOGIN.password, "s3%3A", "other", LOGIN.user):
        assert secret not in shown


def test_a_slow_detector_never_slows_a_reader_and_skipped_looks_are_counted(clips, eventually):
    latest = schedule()
    with (
        running_city(clips, {"a": CityCamera("quick")}) as city,
        ingest_of(city, ["a"], latest.put) as ingest,
    ):
        eventually(lambda: looks_of(ingest, "a") >= 7)  # nobody takes any
        newest = latest.take(1, 1)[0]
        assert time.time() - newest.captured_at < 2
        assert latest.counts().replaced >= 6


@pytest.mark.parametrize("kind", [FaultKind.HANG, FaultKind.SILENT, FaultKind.REFUSE])
def test_stop_is_prompt_even_if_cameras_hang(clips, kind, eventually):
    slow = QUICK.model_copy(update={"open_timeout_s": 30.0, "read_timeout_s": 30.0})
    looks, clock = [], SystemClock()
    cameras = {"bad": CityCamera("quick", fault=Fault(kind)), "well": CityCamera("quick")}
    with running_city(clips, cameras) as city:
        listed = [camera_of(name, city.url(name)) for name in cameras]
        ingest = Ingest(listed, slow, size=SIZE, clock=clock, deliver=looks.append)
        ingest.start()
        eventually(lambda: looks)
        began = time.monotonic()
        ingest.stop(timeout_s=1.0)
        assert time.monotonic() - began < 1.5
        count = len(looks)
        time.sleep(0.4)
        assert len(looks) == count


def test_the_watchdog_names_a_camera_whose_read_never_returns(clips, eventually):
    patient = QUICK.model_copy(update={"read_timeout_s": 60.0, "stalled_after_s": 1.0})
    with (
        running_city(clips, {"a": CityCamera("quick", fault=Fault(FaultKind.STALL, 0.5))}) as city,
        ingest_of(city, ["a"], schedule().put, patient) as ingest,
    ):
        eventually(lambda: state_of(ingest, "a") == "live", 3)
        eventually(lambda: state_of(ingest, "a") == "stalled", 4)
        city.set_fault("a", None)
        eventually(lambda: state_of(ingest, "a") == "live", 3)


def test_a_camera_is_live_however_seldom_it_is_looked_at(clips, eventually):
    strict = QUICK.model_copy(update={"stalled_after_s": 1.0})
    with (
        running_city(clips, {"a": CityCamera("quick")}) as city,
        ingest_of(city, ["a"], schedule().put, strict) as ingest,
    ):
        eventually(lambda: looks_of(ingest, "a"))
        ingest.pace(Pace(stretch=1000.0))
        before = city.served()["a"].frames
        seconds = 5  # of pictures that nobody asks for
        eventually(lambda: city.served()["a"].frames >= before + seconds * FPS, 20)
        assert state_of(ingest, "a") == "live"
        assert looks_of(ingest, "a") < FPS


def test_one_host_is_not_asked_for_more_sessions_at_once_than_allowed(clips, eventually):
    """With one session per host, hanging cameras open one after another; other hosts don't wait."""
    narrow = QUICK.model_copy(update={"sessions_per_host": 1, "open_timeout_s": 0.8})
    hanging = {f"h{n}": CityCamera("quick", fault=Fault(FaultKind.HANG)) for n in range(3)}
    with (
        running_city(clips, hanging) as bad_host,
        running_city(clips, {"well": CityCamera("quick")}) as good_host,
    ):
        extra = [camera_of("well", good_host.url("well"))]
        with ingest_of(bad_host, hanging, schedule().put, narrow, extra) as ingest:
            eventually(lambda: state_of(ingest, "well") == "live", 2)
            down = [state_of(ingest, name) for name in hanging].count("unreachable")
            assert down < 3
            eventually(lambda: {state_of(ingest, n) for n in hanging} == {"unreachable"})


def test_evidence_of_the_newest_look_is_full_size(clips, eventually):
    latest = schedule()
    with (
        running_city(clips, {"a": CityCamera("quick")}) as city,
        ingest_of(city, ["a"], latest.put) as ingest,
    ):
        look = latest.take(1, 5)[0]
        full = ingest.full_picture("a", look.captured_at)
        assert full.shape == (180, 320, 3)
        assert ingest.full_picture("a", look.captured_at - 60) is None
        assert ingest.full_picture("nobody", look.captured_at) is None


def test_live_auto_looks_between_key_frames_and_gives_their_full_pictures(clips):
    with running_city(clips, {"a": CityCamera("sparse", own_start=True)}) as city:
        source = Source(
            "a", city.url("a"), QUICK, size=SIZE, clock=SystemClock(), policy="auto", interval_s=0.4
        )
        looks = source.looks()
        taken = [next(looks) for _ in range(6)]
        looks.close()
        gaps = np.diff([look.captured_at for look in taken])
        assert np.median(gaps) == pytest.approx(0.4, abs=0.15)
        for look in taken[-4:]:
            full = source.full_picture(look.captured_at)
            grey = av.VideoFrame.from_ndarray(full, "bgr24").reformat(format="gray").to_ndarray()
            assert np.abs(grey * (219 / 255) + 16 - look.picture[:180]).mean() < 4


class SetBack(SystemClock):
    """A box whose wall clock is being set, an hour at a time."""

    set_back_s = 0.0

    def now(self):
        return super().now() - self.set_back_s


def test_looks_keep_their_distance_in_time_when_the_wall_clock_is_set(clips):
    clock = SetBack()
    with running_city(clips, {"a": CityCamera("quick")}) as city:
        source = Source("a", city.url("a"), QUICK, size=SIZE, clock=clock)
        looks, times = source.looks(), []
        for _ in range(4):
            times.append(next(looks).captured_at)
            clock.set_back_s += 3600
        looks.close()
    assert all(0 < gap < 5 for gap in np.diff(times))


def test_a_file_is_played_once_at_its_own_pace_and_then_disabled(make_clip, eventually):
    clip = make_clip(seconds=2)
    looks, clock = [], SystemClock()
    cameras = [
        camera_of("file", str(clip)),
        camera_of("off", str(clip), enabled=False),
        camera_of("none", f"{clip}.missing"),
    ]
    with Ingest(cameras, QUICK, size=SIZE, clock=clock, deliver=looks.append) as ingest:
        assert state_of(ingest, "off") == "disabled"
        eventually(lambda: state_of(ingest, "none") == "unsupported")
        assert "no such file" in ingest.statuses()["none"].why
        eventually(lambda: state_of(ingest, "file") == "disabled")
        assert "ended" in ingest.statuses()["file"].why
        span_s = looks[-1].captured_at - looks[0].captured_at
        assert span_s == pytest.approx(1.8, abs=0.3)
        assert abs(time.time() - looks[-1].captured_at) < 2
        assert ingest.full_picture("file", looks[-1].captured_at).shape == (180, 320, 3)
    assert {look.camera_id for look in looks} == {"file"}


def write_failing_clip(path, *, moves, stands, black):
    """A clip at 5 pictures a second, key frames alone, that moves, then stands, then is black."""
    shades = [60 + 5 * number for number in range(moves)]
    shades += [shades[-1]] * stands + [0] * black
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.options = {"qp": "20", "x264-params": "keyint=1"}
        for number, shade in enumerate(shades):
            grey = np.full((180, 320), shade, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="gray")
            frame.pts, frame.time_base = number, Fraction(1, 5)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_pictures_that_stand_still_or_are_black_are_named_and_never_delivered(tmp_path, eventually):
    clip = write_failing_clip(tmp_path / "clip.mp4", moves=5, stands=6, black=6)
    quick = QUICK.model_copy(update={"picture_fault_s": 0.4})
    looks, camera = [], camera_of("a", str(clip))
    with Ingest([camera], quick, size=SIZE, clock=SystemClock(), deliver=looks.append) as ingest:
        for state in ("live", "frozen", "dark", "disabled"):
            eventually(lambda state=state: state_of(ingest, "a") == state)
        status = ingest.statuses()["a"]
    assert len(looks) == status.looks == 5
    assert status.last_look_at == looks[-1].captured_at
    assert all(look.picture[90, 160] > 60 for look in looks)


def test_no_reader_is_left_after_stop(clips):
    with (
        running_city(clips, {"a": CityCamera("quick")}) as city,
        ingest_of(city, ["a"], schedule().put) as ingest,
    ):
        ingest.stop()
        names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("camera ")]


def test_what_is_logged_while_a_camera_is_read_names_it(clips, eventually):
    bound = set()

    def deliver(look):
        bound.add((look.camera_id, structlog.contextvars.get_contextvars().get("camera_id")))

    with (
        running_city(clips, {"a": CityCamera("quick"), "b": CityCamera("quick")}) as city,
        ingest_of(city, ["a", "b"], deliver),
    ):
        eventually(lambda: len(bound) >= 2)
    assert bound == {("a", "a"), ("b", "b")}


def test_many_cameras_that_begin_together_are_all_opened_whatever_some_of_them_do(
    clips, eventually
):
    fault = Fault(FaultKind.HANG)
    cameras = {f"dead{n}": CityCamera("quick", fault=fault) for n in range(6)}
    cameras |= {f"well{n}": CityCamera("quick") for n in range(12)}
    with (
        running_city(clips, cameras) as city,
        ingest_of(city, list(cameras), lambda _: None) as ingest,
    ):
        eventually(lambda: all(state_of(ingest, f"well{n}") == "live" for n in range(12)), 20)
