import threading
import time

import numpy as np

from pipeline.ingest import LatestLooks, Look


def look(camera_id, at=0.0):
    picture = np.zeros((6, 4), np.uint8)
    return Look(camera_id, at, (0, 0, 4, 4), (4, 4), picture)


def test_a_newer_look_replaces_an_unread_one_and_the_old_one_is_counted():
    looks = LatestLooks()
    for at in (1.0, 2.0, 3.0):
        looks.put(look("a", at))
    assert [taken.captured_at for taken in looks.take(8, 0)] == [3.0]
    assert looks.skipped() == {"a": 2}


def test_the_camera_that_waited_longest_comes_first_however_busy_the_others_are():
    looks = LatestLooks()
    looks.put(look("slow"))
    for number in range(50):
        looks.put(look("busy", number))
    assert [taken.camera_id for taken in looks.take(1, 0)] == ["slow"]


def test_every_camera_gets_its_turn():
    looks = LatestLooks()
    seen = []
    for _ in range(10):
        for camera_id in "abcdef":
            looks.put(look(camera_id))
        seen += [taken.camera_id for taken in looks.take(2, 0)]
    assert {seen.count(camera_id) for camera_id in "abcdef"} <= {3, 4}


def test_taking_waits_for_the_first_look_only():
    looks = LatestLooks()
    threading.Timer(0.1, looks.put, [look("a")]).start()
    assert len(looks.take(8, 5)) == 1


def test_taking_ends_empty_after_its_time():
    began = time.monotonic()
    assert LatestLooks().take(8, 0.1) == []
    assert 0.09 <= time.monotonic() - began < 2


def test_closing_wakes_who_waits():
    looks = LatestLooks()
    threading.Timer(0.1, looks.close).start()
    began = time.monotonic()
    assert looks.take(8, 30) == []
    assert time.monotonic() - began < 5


def test_nothing_is_lost_between_many_readers_and_one_taker():
    looks = LatestLooks()

    def read(camera_id):
        for number in range(200):
            looks.put(look(camera_id, number))

    readers = [threading.Thread(target=read, args=(f"c{n}",)) for n in range(8)]
    for reader in readers:
        reader.start()
    taken = 0
    while any(reader.is_alive() for reader in readers):
        taken += len(looks.take(3, 0.01))
    while more := looks.take(3, 0):
        taken += len(more)
    assert taken + sum(looks.skipped().values()) == 8 * 200
