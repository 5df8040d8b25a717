"""What a camera went through, and which list its box works by, as any other program reads it."""

from __future__ import annotations

import socket
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from ticket_town import HOUR, NOON

from pipeline.ingest import CameraStatus
from pipeline.tickets import CameraBoard, ListInForce, Stay, stays
from pipeline.tickets.camera_history import KEPT_CHANGES, KEPT_S, Change

if TYPE_CHECKING:
    from redis import Redis

    from pipeline.clock import ManualClock

LIVE = CameraStatus("cam-1", "live", NOON)


@pytest.fixture
def prefix() -> str:
    return uuid.uuid4().hex[:12]


@pytest.fixture
def board(redis: Redis, prefix: str, clock: ManualClock) -> CameraBoard:
    return CameraBoard(redis, clock=clock, prefix=prefix)


def test_each_change_of_state_is_kept_with_its_time_and_reason(board):
    board.tell([LIVE])
    board.tell([replace(LIVE, looks=9)])
    board.tell([CameraStatus("cam-1", "unreachable", NOON + 60, "连不上")])
    board.tell([CameraStatus("cam-1", "unreachable", NOON + 60, "仍连不上")])
    board.tell([replace(LIVE, since_at=NOON + 90)])
    assert board.history("cam-1") == [
        Change("live", NOON, ""),
        Change("unreachable", NOON + 60, "连不上"),
        Change("live", NOON + 90, ""),
    ]
    assert board.history("cam-2") == []


def test_what_two_boxes_tell_of_one_change_is_kept_once(redis, prefix, clock, board):
    board.tell([LIVE])
    board.tell([LIVE], every=True)
    CameraBoard(redis, clock=clock, prefix=prefix).tell([LIVE])
    assert board.history("cam-1") == [Change("live", NOON, "")]


def test_a_camera_that_comes_and_goes_keeps_its_newest_changes_alone(redis, prefix, board):
    for number in range(KEPT_CHANGES + 20):
        board.tell([CameraStatus("cam-1", "live", NOON + number)])
    kept = [change.since_at for change in board.history("cam-1")]
    assert kept == [NOON + number for number in range(20, KEPT_CHANGES + 20)]
    left_s = redis.ttl(f"{{{prefix}}}:camera_history:cam-1")
    assert KEPT_S - 60 < left_s <= KEPT_S


def test_each_state_lasts_until_the_next_within_the_time_that_is_asked_for():
    changes = [
        Change("live", NOON, ""),
        Change("dark", NOON + HOUR, "黑"),
        Change("live", NOON + 2 * HOUR, ""),
    ]
    assert list(stays(changes, NOON + HOUR / 2, NOON + 3 * HOUR)) == [
        Stay("live", "", NOON + HOUR / 2, NOON + HOUR),
        Stay("dark", "黑", NOON + HOUR, NOON + 2 * HOUR),
        Stay("live", "", NOON + 2 * HOUR, NOON + 3 * HOUR),
    ]
    assert list(stays(changes, NOON - HOUR, NOON)) == []
    assert list(stays([], NOON, NOON + HOUR)) == []


def test_the_list_a_box_works_by_is_told_with_its_host_and_since_when(board, clock):
    board.tell([LIVE])
    assert board.list_of("cam-1") is None
    board.tell([LIVE], list_digest="aa")
    told_at = clock.now()
    clock.move_to(told_at + 100)
    board.tell([LIVE], list_digest="aa")
    assert board.list_of("cam-1") == ListInForce(socket.gethostname(), "aa", told_at)
    board.tell([LIVE], list_digest="bb")
    assert board.list_of("cam-1") == ListInForce(socket.gethostname(), "bb", clock.now())
    assert board.list_of("cam-9") is None
