from dataclasses import replace

import pytest

from pipeline.clock import ManualClock
from pipeline.ingest.state import CameraStatus
from pipeline.ingest.status_book import StatusBook
from pipeline.town import Camera

CAMERAS = [Camera(name, name, f"rtsp://h/{name}", 113.4, 34.8) for name in "ab"]


@pytest.fixture
def clock():
    return ManualClock(100)


@pytest.fixture
def book(clock):
    book = StatusBook(clock)
    book.list(CAMERAS)
    clock.move_to(110)
    return book


def live(camera_id, looks, since_at=105.0):
    return CameraStatus(camera_id, "live", since_at, last_look_at=109.0, looks=looks)


def begun(camera_id, at):
    return CameraStatus(camera_id, "connecting", at)


def test_all_cameras_are_connecting_before_anybody_said_anything(book):
    assert list(book.statuses().values()) == [begun("a", 100), begun("b", 100)]


def test_what_is_told_is_known_and_strangers_are_left_out(book):
    book.told([live("b", 3), live("stranger", 1)])
    assert book.statuses() == {"a": begun("a", 100), "b": live("b", 3)}


def test_counts_go_on_when_another_worker_takes_over(book, clock):
    book.told([live("a", 30), live("b", 3)])
    book.away(["a"], "重启 / restart")
    clock.move_to(120)
    book.told([begun("a", 115), live("b", 4)])
    book.told([live("a", 5, since_at=118)])
    book.told([live("a", 7, since_at=118)])
    assert book.statuses()["a"].looks == 37
    assert book.statuses()["b"].looks == 4


def test_a_camera_read_otherwise_begins_anew_but_its_count_goes_on(book, clock):
    book.told([live("a", 30), live("b", 3)])
    edited = replace(CAMERAS[0], url="rtsp://h/other")
    named = replace(CAMERAS[1], name="北京路", lon=113.5)
    book.list([named, edited])
    assert book.statuses()["a"] == replace(live("a", 30), state="connecting", since_at=110)
    assert book.statuses()["b"] == live("b", 3)
    book.told([replace(live("a", 2), since_at=112)])
    assert book.statuses()["a"].looks == 32
    assert list(book.statuses()) == ["b", "a"]


def test_while_the_worker_is_away_cameras_that_were_well_say_so(book):
    book.told([live("a", 30), CameraStatus("b", "unauthorised", 50, "密码 / password")])
    book.away(["a", "b", "stranger"], "重启 / restart")
    a, b = book.statuses().values()
    assert (a.state, a.since_at, a.why, a.last_look_at) == (
        "connecting",
        110,
        "重启 / restart",
        109,
    )
    assert (b.state, b.since_at, b.why) == ("unauthorised", 50, "密码 / password")


@pytest.mark.parametrize("state", ["unreachable", "unauthorised", "frozen", "moved", "stalled"])
def test_a_camera_that_was_down_stays_so_until_its_new_worker_knows_better(book, state):
    book.told([CameraStatus("a", state, 50, "原因 / reason")])
    book.away(["a"], "重启 / restart")
    book.told([begun("a", 115)])
    assert book.statuses()["a"] == CameraStatus("a", state, 50, "原因 / reason")
    book.told([CameraStatus("a", state, 116, "新原因 / a new reason")])
    assert book.statuses()["a"] == CameraStatus("a", state, 50, "新原因 / a new reason")
    book.told([live("a", 1, since_at=120)])
    assert book.statuses()["a"] == live("a", 1, since_at=120)


def test_since_when_moves_only_with_the_state(book, clock):
    book.away(["a"], "重启 / restart")
    assert book.statuses()["a"].since_at == 100
    clock.move_to(130)
    book.told([begun("a", 125)])
    assert book.statuses()["a"] == begun("a", 100)
