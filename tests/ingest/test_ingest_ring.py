import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import WorkerError
from pipeline.ingest.ring import FrameRing

SIZE = (64, 48)
SHAPE = (72, 64)


@pytest.fixture
def ring():
    ring = FrameRing.create(SIZE, 4)
    yield ring
    ring.close_fd()


def filled(value):
    return np.full(SHAPE, value, np.uint8)


def mapped_kib(ring):
    """What the kernel has spent on the ring."""
    return os.fstat(ring.fileno()).st_blocks * 512 // 1024


def test_a_picture_comes_out_as_it_went_in(ring):
    picture = np.random.default_rng(1).integers(0, 256, SHAPE, np.uint8)
    slot = ring.put(picture)
    assert (ring.picture(slot) == picture).all()
    assert not ring.picture(slot).flags.writeable


def test_when_all_slots_are_taken_there_is_none_until_one_is_freed(ring):
    slots = [ring.put(filled(n)) for n in range(4)]
    assert sorted(slots) == [0, 1, 2, 3]
    assert ring.put(filled(9)) is None
    assert ring.taken() == 4
    ring.free(slots[2])
    assert ring.put(filled(9)) == slots[2]
    assert [int(ring.picture(slot)[0, 0]) for slot in slots] == [0, 1, 9, 3]


def test_looks_that_matter_less_leave_some_slots_to_the_others(ring):
    assert ring.put(filled(1), spare=2) is not None
    assert ring.put(filled(1), spare=2) is not None
    assert ring.put(filled(1), spare=2) is None
    assert ring.put(filled(1)) is not None


@pytest.mark.parametrize("slot", [-1, 4, 2, "0", None, 1.0])
def test_a_slot_that_is_not_there_or_not_taken_is_refused(ring, slot):
    ring.put(filled(1))
    with pytest.raises(WorkerError, match="no picture"):
        ring.picture(slot)


@pytest.mark.parametrize("picture", [np.zeros((72, 60), np.uint8), np.zeros(SHAPE, np.float32)])
def test_a_picture_of_another_kind_is_refused(ring, picture):
    with pytest.raises(ValueError, match="picture is"):
        ring.put(picture)
    assert ring.taken() == 0


def test_the_other_process_sees_the_picture_and_frees_the_slot(ring):
    slot = ring.put(filled(7))
    code = (
        "import sys; from pipeline.ingest.ring import FrameRing\n"
        f"ring = FrameRing(int(sys.argv[1]), {SIZE}, 4)\n"
        f"assert (ring.picture({slot}) == 7).all(); ring.free({slot})"
    )
    fd = ring.fileno()
    run = [sys.executable, "-c", code, str(fd)]
    subprocess.run(run, pass_fds=[fd], check=True, timeout=120)
    assert ring.taken() == 0


def test_memory_that_does_not_fit_what_is_said_of_it_is_refused():
    ring = FrameRing.create(SIZE, 4)
    with pytest.raises(WorkerError, match="can't be mapped"):
        FrameRing(os.dup(ring.fileno()), SIZE, 400)
    with pytest.raises(OSError):  # nobody can shorten it either: reading would be a SIGBUS
        os.ftruncate(ring.fileno(), 10)
    ring.close_fd()


def test_memory_is_spent_on_what_waits_at_the_same_time_and_given_back():
    ring = FrameRing.create((640, 384), 300)
    picture = np.full((576, 640), 3, np.uint8)
    for _ in range(1000):
        ring.free(ring.put(picture))
    assert mapped_kib(ring) < 3 * 360
    rush = [ring.put(picture) for _ in range(200)]
    assert mapped_kib(ring) > 200 * 300
    kept = rush.pop(120)
    for slot in rush:
        ring.free(slot)
    ring.trim()  # they were needed just now
    ring.trim()
    assert mapped_kib(ring) < 3 * 360
    assert (ring.picture(kept) == 3).all()
    ring.close_fd()


def test_it_has_no_name_and_goes_with_its_last_view():
    gc.collect()
    named = set(Path("/dev/shm").iterdir())
    fds = len(list(Path("/proc/self/fd").iterdir()))
    ring = FrameRing.create(SIZE, 4)
    assert set(Path("/dev/shm").iterdir()) == named
    view = ring.picture(ring.put(filled(5)))
    ring.close_fd()
    del ring
    gc.collect()
    assert (view == 5).all()
    assert "gridwatch-pictures" in Path("/proc/self/maps").read_text()
    del view
    gc.collect()
    assert "gridwatch-pictures" not in Path("/proc/self/maps").read_text()
    assert len(list(Path("/proc/self/fd").iterdir())) == fds


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=60))
def test_no_picture_is_ever_overwritten_before_its_slot_is_freed(steps):
    """Steps: 0 to 5 put a picture, 6 to 8 free one that stands, 9 trims."""
    ring, standing = FrameRing.create(SIZE, 4), {}
    for number, step in enumerate(steps):
        if step == 9:
            ring.trim()
        elif step < 6:
            slot = ring.put(filled(number))
            assert (slot is None) == (len(standing) == 4)
            assert slot not in standing
            if slot is not None:
                standing[slot] = number
        elif standing:
            slot = sorted(standing)[step % len(standing)]
            del standing[slot]
            ring.free(slot)
        assert ring.taken() == len(standing)
        assert all((ring.picture(slot) == value).all() for slot, value in standing.items())
    ring.close_fd()


def test_who_put_a_picture_knows_whether_it_is_still_needed(ring):
    slot = ring.put(filled(1))
    waits = ring.waits(slot)
    assert waits()
    ring.free(slot)
    assert not waits()


def test_the_next_picture_in_a_slot_is_not_taken_for_the_one_before(ring):
    first = ring.put(filled(1))
    waits = ring.waits(first)
    for value in range(300):
        ring.free(first)
        assert ring.put(filled(value % 256)) == first
        if value % 255 != 254:  # there are 255 marks
            assert not waits()
        assert ring.waits(first)()
