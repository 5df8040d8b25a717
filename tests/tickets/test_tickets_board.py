"""The board of camera states that several boxes share."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from ticket_town import NOON

from pipeline.errors import DeskError
from pipeline.ingest import CameraStatus
from pipeline.tickets import CameraBoard, Told

if TYPE_CHECKING:
    from redis import Redis

    from pipeline.clock import ManualClock

LIVE = CameraStatus("cam-1", "live", NOON - 60, last_look_at=NOON, looks=7)
DOWN = CameraStatus("cam-2", "unreachable", NOON - 90, why="连不上 / no answer")


@pytest.fixture
def prefix() -> str:
    return uuid.uuid4().hex[:12]


def box(redis: Redis, prefix: str, clock: ManualClock) -> CameraBoard:
    return CameraBoard(redis, clock=clock, prefix=prefix)


def row(redis: Redis, prefix: str, camera_id: str) -> dict:
    return json.loads(redis.hget(f"{{{prefix}}}:cameras", camera_id))


def test_what_one_box_tells_any_other_reads(redis, prefix, clock):
    box(redis, prefix, clock).tell([LIVE, DOWN])
    read = box(redis, prefix, clock).read()
    assert read == {"cam-1": Told(LIVE, clock.now()), "cam-2": Told(DOWN, clock.now())}


def test_an_empty_board_reads_as_empty(redis, prefix, clock):
    assert box(redis, prefix, clock).read() == {}


def test_a_box_that_goes_on_telling_is_heard_without_writing_its_rows(redis, prefix, clock):
    board = box(redis, prefix, clock)
    board.tell([LIVE, DOWN])
    before = redis.hgetall(f"{{{prefix}}}:cameras")
    for _ in range(5):
        clock.move_to(clock.now() + 2)
        board.tell([replace(LIVE, looks=8 + int(clock.now()), last_look_at=clock.now()), DOWN])
    assert redis.hgetall(f"{{{prefix}}}:cameras") == before
    assert {one.told_at for one in board.read().values()} == {clock.now()}


def test_a_change_of_state_or_of_its_reason_is_written_at_once(redis, prefix, clock):
    board = box(redis, prefix, clock)
    board.tell([LIVE, DOWN])
    clock.move_to(clock.now() + 2)
    changed = [replace(LIVE, state="stalled", since_at=clock.now()), replace(DOWN, why="401")]
    board.tell(changed)
    assert [one.status for one in board.read().values()] == changed


def test_the_last_word_of_a_box_holds_its_counters(redis, prefix, clock):
    board = box(redis, prefix, clock)
    board.tell([LIVE])
    board.tell([replace(LIVE, looks=99)], every=True)
    assert board.read()["cam-1"].status.looks == 99


def test_counters_are_written_now_and_then(redis, prefix, clock):
    board = box(redis, prefix, clock)
    board.tell([LIVE])
    clock.move_to(clock.now() + 31)
    board.tell([replace(LIVE, looks=99)])
    assert board.read()["cam-1"].status.looks == 99


def test_a_row_that_redis_lost_is_written_again(redis, prefix, clock):
    board = box(redis, prefix, clock)
    board.tell([DOWN])
    redis.delete(f"{{{prefix}}}:cameras")
    clock.move_to(clock.now() + 31)
    board.tell([DOWN])
    assert board.read()["cam-2"].status == DOWN


def test_a_box_that_died_grows_old_beside_one_that_lives(redis, prefix, clock):
    dead, alive = box(redis, prefix, clock), box(redis, prefix, clock)
    died_at = clock.now()
    dead.tell([LIVE])
    alive.tell([DOWN])
    clock.move_to(died_at + 300)
    alive.tell([DOWN])
    told = alive.read()
    assert (told["cam-1"].told_at, told["cam-2"].told_at) == (died_at, died_at + 300)


def test_a_camera_that_moves_to_another_box_is_as_young_as_that_box(redis, prefix, clock):
    dead, heir = box(redis, prefix, clock), box(redis, prefix, clock)
    dead.tell([LIVE])
    clock.move_to(clock.now() + 60)
    heir.tell([LIVE])
    assert heir.read()["cam-1"].told_at == clock.now()


def test_a_box_silent_for_so_long_that_it_is_forgotten_still_has_its_time(redis, prefix, clock):
    board = box(redis, prefix, clock)
    board.tell([LIVE])
    key = f"{{{prefix}}}:heartbeat:{row(redis, prefix, 'cam-1')['box']}"
    assert 0 < redis.ttl(key) <= 7 * 86400
    redis.delete(key)
    assert board.read()["cam-1"].told_at == clock.now()


def test_what_could_not_be_told_is_told_the_next_time(redis, prefix, clock):
    board = box(redis, prefix, clock)
    redis.set(f"{{{prefix}}}:cameras", "in the way")
    with pytest.raises(DeskError):
        board.tell([LIVE])
    redis.delete(f"{{{prefix}}}:cameras")
    board.tell([LIVE])
    assert board.read()["cam-1"].status == LIVE


def test_a_box_that_refused_its_camera_list_says_so_until_it_has_a_good_one(redis, prefix, clock):
    board, reader = box(redis, prefix, clock), box(redis, prefix, clock)
    board.tell([LIVE])
    assert reader.refused_lists() == []
    began = clock.now()
    board.tell([LIVE], list_problem="cameras.csv, line 2: unknown datum")
    clock.move_to(began + 2)
    board.tell([LIVE], list_problem="cameras.csv, line 2: unknown datum")
    (refused,) = reader.refused_lists()
    assert refused.why == "cameras.csv, line 2: unknown datum"
    assert (refused.since_at, refused.told_at) == (began, began + 2)
    box(redis, prefix, clock).tell([DOWN])  # another box is fine
    assert len(reader.refused_lists()) == 1
    board.tell([LIVE])
    assert reader.refused_lists() == []
