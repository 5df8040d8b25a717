import threading
import time

import numpy as np

from pipeline.ingest import LatestLooks, Look

PICTURE = np.zeros((6, 4), np.uint8)


def look(camera_id, at=0.0):
    return Look(camera_id, at, (0, 0, 4, 4), (4, 4), PICTURE)


def road_look(camera_id, at=0.0, window=0):
    return Look(camera_id, at, (window, 0, window + 4, 4), (40, 40), PICTURE, "road")


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


def test_windows_have_slots_of_their_own_and_replace_no_whole_look():
    looks = LatestLooks()
    looks.put(look("a", 1.0))
    for window in (0, 8):
        looks.put(road_look("a", 1.0, window))
    assert [(one.purpose, one.region[0]) for one in looks.take(8, 0)] == [
        ("whole", 0),
        ("road", 0),
        ("road", 8),
    ]
    assert looks.skipped() == looks.skipped("road") == {}


def test_whole_looks_never_wait_for_road_looks_and_those_that_are_dropped_are_counted():
    looks = LatestLooks()
    taken = []
    for at in range(10):  # a detector that manages half of all looks
        for camera_id in "abcd":
            looks.put(road_look(camera_id, at))
            looks.put(look(camera_id, at))
        taken += looks.take(4, 0)
    assert {(one.purpose, one.camera_id) for one in taken} == {("whole", name) for name in "abcd"}
    assert [one.captured_at for one in taken] == sorted(one.captured_at for one in taken)
    assert looks.skipped() == {}
    assert looks.skipped("road") == dict.fromkeys("abcd", 9)


def test_what_is_left_of_the_time_goes_to_the_windows_that_have_waited_longest():
    looks = LatestLooks()
    seen = []
    for at in range(12):  # time for the whole looks and one window more
        for camera_id in "ab":
            looks.put(look(camera_id, at))
        for window in (0, 8):
            looks.put(road_look("a", at, window))
        looks.put(road_look("b", at))
        seen += [one for one in looks.take(3, 0) if one.purpose == "road"]
    turns = [(one.camera_id, one.region[0]) for one in seen]
    assert {turns.count(turn) for turn in set(turns)} == {4}
    assert looks.skipped() == {}


def test_a_camera_that_changes_its_resolution_still_has_one_slot():
    looks = LatestLooks()
    looks.put(look("a", 1.0))
    looks.put(Look("a", 2.0, (0, 0, 8, 8), (8, 8), PICTURE))
    assert [one.captured_at for one in looks.take(8, 0)] == [2.0]
