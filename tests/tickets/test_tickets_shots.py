"""Live pictures: kept for a while, for whoever looks, in memory alone."""

from __future__ import annotations

import pytest

from pipeline.errors import DeskUnavailableError
from pipeline.settings import RedisSettings
from pipeline.tickets import Shot, Shots, open_redis, shots
from pipeline.tickets.shots import Wanted

T = 1_795_406_400.25


def shot(camera_id="cam-1", size="view", at=T, data=b"\xff\xd8\x00\xfe not text"):
    return Shot(camera_id, size, data, at, 640, 360)


@pytest.fixture
def book(redis, request):
    return Shots(redis, prefix=f"shots-{request.node.name}"[:40])


@pytest.fixture
def brief(monkeypatch):
    """What isn't the newest, or was let go, stays for no time at all."""
    monkeypatch.setattr(shots, "BEFORE_S", 0)


def test_the_newest_picture_of_a_camera_is_found_by_whoever_looks(book):
    assert book.latest("cam-1", "view") is None
    book.put(shot())
    book.put(shot(at=T + 1, data=b"later"))
    book.put(shot("路口|1", "wall"))
    assert book.latest("cam-1", "view") == shot(at=T + 1, data=b"later")
    assert book.latest("路口|1", "wall") == shot("路口|1", "wall")
    assert book.latest("cam-1", "wall") is None
    assert book.newest(["cam-1", "cam-2"], "view") == {"cam-1": "1795406401250"}
    assert book.newest([]) == {}


def test_a_picture_that_is_not_the_newest_any_more_is_there_for_who_saw_it(book):
    book.put(shot())
    book.put(shot(at=T + 1))
    assert book.of("cam-1", shot().shot_id) == shot()
    for wrong in ("", "1", "x", "../1", "1795406400250 ", "9" * 40):
        assert book.of("cam-1", wrong) is None


def test_but_not_for_long(book, brief):
    book.put(shot())
    book.put(shot(at=T + 1))
    assert book.of("cam-1", shot().shot_id) is None
    assert book.of("cam-1", shot(at=T + 1).shot_id) is not None


def test_a_picture_in_which_somebody_draws_outlasts_the_newer_ones(book, brief):
    book.put(shot())
    assert book.hold("cam-1", shot().shot_id)
    for later in (1, 2, 3):
        book.put(shot(at=T + later))
    assert book.of("cam-1", shot().shot_id) == shot()
    assert not book.hold("cam-1", shot(at=T + 1).shot_id)  # nobody held it in time


def test_of_too_many_that_are_held_the_oldest_is_let_go(book, brief, monkeypatch):
    monkeypatch.setattr(shots, "HELD_AT_MOST", 2)
    for number in range(3):
        book.put(shot(f"cam-{number}"))
        assert book.hold(f"cam-{number}", shot().shot_id)
    there = [book.of(f"cam-{number}", shot().shot_id) is not None for number in range(3)]
    assert there == [False, True, True]


def test_pictures_end_by_themselves_and_are_in_no_file(book, redis):
    book.want(["cam-1"])
    book.put(shot())
    book.hold("cam-1", shot().shot_id)
    lasting = {key: redis.ttl(key) for key in redis.keys(f"{book._root}:*")}
    assert len(lasting) == 4
    assert all(0 < left_s <= 3600 for left_s in lasting.values()), lasting


def test_a_restart_of_redis_leaves_no_picture_behind(tmp_path):
    """It is one that writes everything to its file before it answers."""
    with open_redis(RedisSettings(), tmp_path) as redis:
        book = Shots(redis)
        redis.set("kept", "yes")
        book.want(["cam-1"])
        book.put(shot(data=b"PIXELS" * 1000))
        assert book.latest("cam-1", "view") is not None
        in_files = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
        assert any(b"kept" in content for content in in_files)
        assert not any(b"PIXELS" in content for content in in_files)


def test_who_looks_is_known_until_nobody_says_so_any_more(book, eventually):
    book.want(["cam-1", "路口|1"])
    book.want(["cam-1"], "view", 0.3)
    book.want(["cam-1"], "wall", 0.1)  # somebody else looks for longer
    book.put(shot())
    wanted = {(one.camera_id, one.size): one for one in book.wanted()}
    assert wanted == {
        ("cam-1", "wall"): Wanted("cam-1", "wall", None),
        ("cam-1", "view"): Wanted("cam-1", "view", shot().shot_id),
        ("路口|1", "wall"): Wanted("路口|1", "wall", None),
    }
    eventually(lambda: ("cam-1", "view") not in {(o.camera_id, o.size) for o in book.wanted()}, 5)
    assert len(book.wanted()) == 2
    book.want([])


def test_more_cameras_than_anybody_can_look_at_are_not_kept_in_mind(book, monkeypatch):
    monkeypatch.setattr(shots, "WANTED_AT_MOST", 3)
    book.want(["a", "b"], seconds=10)
    book.want(["c", "d", "e"], seconds=20)
    assert {one.camera_id for one in book.wanted()} == {"c", "d", "e"}


def test_without_redis_it_says_so(tmp_path):
    with open_redis(RedisSettings(), tmp_path) as redis:
        book = Shots(redis)
    for ask in (book.wanted, lambda: book.put(shot()), lambda: book.latest("cam-1")):
        with pytest.raises(DeskUnavailableError):
            ask()
