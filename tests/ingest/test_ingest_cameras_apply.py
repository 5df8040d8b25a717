"""The list of cameras changes while they are read."""

import threading
import time

import pytest

from pipeline.clock import SystemClock
from pipeline.ingest import Ingest
from pipeline.rehearsal.city import CityCamera, Fault, FaultKind, running_city
from pipeline.settings import IngestSettings
from pipeline.town import Camera

SIZE = (320, 192)
QUICK = IngestSettings(
    open_timeout_s=5, read_timeout_s=5, backoff_first_s=0.05, backoff_most_s=0.2, interval_s=0.2
)
WITHIN_S = 30


def camera_of(camera_id, url, **more):
    return Camera(
        **{"name": camera_id, "lon": 113.4, "lat": 34.8, **more}, camera_id=camera_id, url=url
    )


@pytest.fixture
def city(make_clip):
    cameras = {name: CityCamera("quick") for name in "abc"}
    with running_city({"quick": make_clip(gop=1)}, cameras) as city:
        yield city


@pytest.fixture
def looks():
    return []


@pytest.fixture
def ingest(city, looks):
    cameras = [camera_of(name, city.url(name)) for name in "ab"]
    clock = SystemClock()
    with Ingest(cameras, QUICK, size=SIZE, clock=clock, deliver=looks.append) as ingest:
        yield ingest


def states_of(ingest):
    return {name: status.state for name, status in ingest.statuses().items()}


def threads_of(camera_id):
    return [one for one in threading.enumerate() if one.name == f"camera {camera_id}"]


def test_cameras_come_and_go_without_touching_the_others(city, ingest, looks, eventually):
    eventually(lambda: states_of(ingest) == {"a": "live", "b": "live"}, WITHIN_S)
    before, thread = ingest.statuses()["a"], threads_of("a")

    ingest.apply([camera_of("c", city.url("c")), camera_of("a", city.url("a"))])
    assert list(ingest.statuses()) == ["c", "a"]
    eventually(lambda: states_of(ingest) == {"c": "live", "a": "live"}, WITHIN_S)
    eventually(lambda: not threads_of("b"), WITHIN_S)
    after = ingest.statuses()["a"]
    assert threads_of("a") == thread
    assert after.since_at == before.since_at
    assert after.looks >= before.looks

    looks.clear()
    eventually(lambda: {look.camera_id for look in looks} == {"a", "c"}, WITHIN_S)


def test_another_name_or_place_keeps_the_connection_and_another_url_does_not(
    city, ingest, eventually
):
    eventually(lambda: states_of(ingest) == {"a": "live", "b": "live"}, WITHIN_S)
    a, b = threads_of("a"), threads_of("b")
    ingest.apply(
        [
            camera_of("a", city.url("a"), name="豫龙大道", lon=113.5, lat=34.9),
            camera_of("b", city.url("c")),
        ]
    )
    eventually(lambda: threads_of("b") and threads_of("b")[0] not in b, WITHIN_S)
    assert threads_of("a") == a
    eventually(lambda: states_of(ingest)["b"] == "live", WITHIN_S)


def test_a_camera_that_hangs_is_replaced_at_once(city, ingest, eventually):
    city.set_fault("b", Fault(FaultKind.HANG))
    eventually(lambda: states_of(ingest)["b"] != "live", WITHIN_S)
    began = time.monotonic()
    ingest.apply([camera_of("b", city.url("c"))])
    assert time.monotonic() - began < 2
    eventually(lambda: states_of(ingest) == {"b": "live"}, WITHIN_S)


def test_a_camera_is_switched_off_and_on_again(city, ingest, eventually):
    eventually(lambda: states_of(ingest)["b"] == "live", WITHIN_S)
    ingest.apply([camera_of("b", city.url("b"), enabled=False)])
    assert states_of(ingest) == {"b": "disabled"}
    eventually(lambda: not threads_of("b"), WITHIN_S)
    ingest.apply([camera_of("b", city.url("b"))])
    eventually(lambda: states_of(ingest) == {"b": "live"}, WITHIN_S)


def test_a_list_that_comes_after_stop_starts_nothing(city, ingest):
    ingest.stop(timeout_s=WITHIN_S)
    ingest.apply([camera_of("c", city.url("c"))])
    assert not threads_of("c")
