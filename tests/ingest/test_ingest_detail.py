"""Two streams of one camera: whole looks from the small one, everything fine from the main one."""

import threading
from itertools import islice

import numpy as np
import pytest

from pipeline.clock import SystemClock
from pipeline.ingest import Ingest, Source
from pipeline.rehearsal.city import CityCamera, Fault, FaultKind, running_city
from pipeline.settings import IngestSettings
from pipeline.town import Camera, Zone

SIZE = (640, 384)
SETTINGS = IngestSettings(interval_s=0.1, road_looks={"interval_s": 1.0}, read_timeout_s=2.0)
POSE = {"height_m": 6.0, "pitch_deg": 12.0, "heading_deg": 0.0, "hfov_deg": 60.0}
ROAD = (Zone("carriageway", ((0.1, 1.0), (0.9, 1.0), (0.6, 0.2), (0.4, 0.2))),)


class OpenWay:
    """The way to a device that has sessions enough; comes back at once after a failure."""

    def __init__(self):
        self.cancelled = threading.Event()
        self.failures = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def pictured(self, *, telling):
        return not telling

    def ended(self, error, *, failed):
        self.failures += failed
        self.cancelled.wait(0.1)

    def cancel(self):
        self.cancelled.set()


@pytest.fixture(scope="module")
def clips(tmp_path_factory, write_ramps):
    folder = tmp_path_factory.mktemp("detail")
    return {
        "main": write_ramps(folder / "main.mp4", [(1920, 1080)], fps=10),
        # the same view, squeezed, as small streams do
        "sub": write_ramps(folder / "sub.mp4", [(704, 576)], fps=10),
    }


def source_of(city, way, **more):
    camera = Camera("a", "a", city.url("main"), 113.4, 34.8, **POSE, zones=ROAD)
    camera = Camera(**{f: getattr(camera, f) for f in camera.__slots__} | more)
    return Source.of(camera, SETTINGS, size=SIZE, clock=SystemClock(), detail_way=way)


CAMERAS = {"main": CityCamera("main"), "sub": CityCamera("sub")}


def settled(source, count):
    """Looks once the main stream's size is known."""
    looks = source.looks()
    for look in looks:
        if look.source_size == (1920, 1080):
            break
    taken = [look, *islice(looks, count - 1)]
    looks.close()
    return taken


def test_whole_looks_come_from_the_small_stream_and_speak_of_the_main_one(clips):
    with running_city(clips, CAMERAS) as city:
        source = source_of(city, OpenWay(), sub_url=city.url("sub"))
        looks = settled(source, 12)
        source.close()
    wholes = [look for look in looks if look.purpose == "whole"]
    roads = [look for look in looks if look.purpose == "road"]
    assert wholes
    assert roads
    for look in wholes:
        assert look.region == pytest.approx((0, 0, 1920, 1152))
        ramp = look.picture[100, 4:636].astype(int)
        assert (np.diff(ramp) >= -3).all()  # it fills the width: nothing is squeezed
        assert (look.picture[361:384] == 114).all()
    for look in roads:
        assert look.source_size == (1920, 1080)
        assert look.region[2] - look.region[0] < 1920
        assert look.captured_at in {whole.captured_at for whole in wholes}


def test_full_pictures_come_from_the_main_stream(clips):
    with running_city(clips, CAMERAS) as city:
        source = source_of(city, OpenWay(), sub_url=city.url("sub"))
        look = settled(source, 3)[-1]
        full = source.full_picture(look.captured_at)
        assert full.shape == (1080, 1920, 3)
        assert len(source.kept_at(look.captured_at).packets) == 1
        source.close()


def test_without_the_main_stream_the_small_one_goes_on_and_serves_for_it(clips, eventually):
    cameras = CAMERAS | {"main": CityCamera("main", fault=Fault(FaultKind.NOT_FOUND))}
    with running_city(clips, cameras) as city:
        way = OpenWay()
        source = source_of(city, way, sub_url=city.url("sub"))
        looks = source.looks()
        taken = list(islice(looks, 3))
        assert {(look.source_size, look.purpose) for look in taken} == {((704, 576), "whole")}
        assert source.full_picture(taken[-1].captured_at).shape == (576, 704, 3)
        eventually(lambda: way.failures >= 2)

        city.set_fault("main", None)
        for look in looks:
            if look.source_size == (1920, 1080):
                break
        city.set_fault("main", Fault(FaultKind.NOT_FOUND))
        later = [look for look in islice(looks, 4) if look.purpose == "whole"][-1]
        assert later.source_size == (1920, 1080)  # as before, so that nothing seems to have moved
        source.close()
        looks.close()


def test_closing_ends_both(clips, eventually):
    with running_city(clips, CAMERAS) as city:
        source = source_of(city, OpenWay(), sub_url=city.url("sub"))
        settled(source, 1)
        assert "detail a" in {thread.name for thread in threading.enumerate()}
        source.close()
        eventually(lambda: "detail a" not in {thread.name for thread in threading.enumerate()}, 20)


def test_a_full_picture_of_the_small_stream_has_the_size_that_looks_speak_of(clips):
    with running_city(clips, CAMERAS) as city:
        source = source_of(city, OpenWay(), sub_url=city.url("sub"))
        looks = source.looks()
        first = next(looks)
        for look in looks:
            if look.source_size == (1920, 1080):
                break
        source.close()
        looks.close()
        # Of the first moment the main stream had nothing yet, or had: the size is the same.
        assert source.full_picture(first.captured_at).shape == (1080, 1920, 3)


def test_both_streams_share_what_a_device_allows(clips, eventually):
    """With one session for both, the two streams of a camera take turns and both are had."""
    looks = []
    with running_city(clips, CAMERAS) as city:
        host = city.url("sub").split("/")[2]
        narrow = SETTINGS.model_copy(update={"visit_every_s": 0.2})
        narrow = IngestSettings(**narrow.model_dump() | {"hosts": {host: {"sessions": 1}}})
        camera = Camera("a", "a", city.url("main"), 113.4, 34.8, sub_url=city.url("sub"))
        clock = SystemClock()
        with Ingest([camera], narrow, size=SIZE, clock=clock, deliver=looks.append) as ingest:
            eventually(lambda: any(look.source_size == (1920, 1080) for look in looks), 40)
            eventually(lambda: ingest.full_picture("a", looks[-1].captured_at) is not None)
            assert city.viewers("main") + city.viewers("sub") <= 1
