"""The detector fails in the midst of work: no look is lost uncounted, and no box is a wrong one.

Looks go the daemon's way: put into the schedule by cameras, taken in batches, given back. Each
camera shows a dark spot in a place of its own, so that a box of another look would be noticed.
"""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import spotter
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clock import ManualClock
from pipeline.detect import Detector, look_at
from pipeline.detect import runners as running
from pipeline.detect.runners import Lanes, RunError
from pipeline.errors import ModelError
from pipeline.ingest import LookSchedule
from pipeline.settings import IngestSettings

CAMERAS = 24
BATCH = 5
WIDTH, HEIGHT = spotter.SIZE


def spot_of(number):
    """Where camera ``number`` shows its spot: x1, y1."""
    return 10 + 5 * number, 6 + 3 * number


def shown(number):
    x, y = spot_of(number)
    picture = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    picture[y : y + spotter.SPOT[1], x : x + spotter.SPOT[0]] = 0
    return replace(look_at(picture, spotter.SIZE), camera_id=str(number))


LOOKS = [shown(number) for number in range(CAMERAS)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return spotter.write(tmp_path_factory.mktemp("spotter")).model_copy(update={"threads": 2})


class Device:
    """A runner that does what the real one does, but for the runs for which ``fault`` has an error.

    ``fault`` is asked at each run, from 0, and raises or does nothing.
    """

    def __init__(self, real, fault):
        self.real, self.fault, self.runs = real, fault, 0

    def __call__(self, pictures):
        at, self.runs = self.runs, self.runs + 1
        self.fault(at)
        return self.real(pictures)

    def close(self):
        self.real.close()


def fails_at(*runs, why="CUDA failure 2: out of memory"):
    def fault(at):
        if at in runs:
            raise RunError(why)

    return fault


class Watch:
    """Everything that all cameras show, through the schedule and a detector."""

    def __init__(self):
        self.schedule = LookSchedule(IngestSettings(), clock=ManualClock())
        self.wrong, self.seen = [], 0

    def put(self, looks=LOOKS):
        for look in looks:
            self.schedule.put(replace(look))

    def run(self, detector_now):
        """``detector_now`` gives the detector for each batch."""
        while taken := self.schedule.take(BATCH, 0.0):
            for look, found in zip(taken, detector_now()(taken), strict=True):
                self.judge(look, found)
                self.schedule.done(look)

    def judge(self, look, found):
        self.seen += 1
        x, y = spot_of(int(look.camera_id))
        right = len(found) == 1 and np.allclose(found.boxes[0, :2], (x, y), atol=1.5)
        if not right:
            self.wrong.append((look.camera_id, found.boxes.tolist()))

    def nothing_lost(self):
        counts = self.schedule.counts()
        return counts.put == counts.done + counts.replaced and not (
            counts.in_hand or counts.waiting
        )


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, 7), max_size=3))
def test_runs_that_fail_cost_no_look_and_give_no_wrong_box(model, failing):
    detector = Detector(model, rungs=["cpu", "cpu"])
    detector._runner = Device(detector._runner, fails_at(*failing))
    watch = Watch()
    watch.put()
    watch.run(lambda: detector)
    assert watch.seen == CAMERAS
    assert watch.wrong == []
    assert watch.nothing_lost()
    detector.close()


@pytest.mark.parametrize("why", ["CUDA failure 2: out of memory", "a run got stuck"])
def test_a_device_that_goes_on_failing_hands_over_between_batches_with_all_its_looks(
    model, why, monkeypatch
):
    """Its rung is opened twice, then the next one does what is at hand and everything after it."""
    real = Detector._warm
    opened = []

    def warm(self, provider):
        opened.append(provider)
        runner = real(self, "cpu")
        late = range(2, 99) if len(opened) == 1 else range(99)
        return runner if provider == "cpu" else Device(runner, fails_at(*late, why=why))

    monkeypatch.setattr(Detector, "_warm", warm)
    monkeypatch.setattr(Detector, "_try_out", lambda *_: 1.0)
    detector = Detector(model, rungs=["cuda", "cpu"])
    watch = Watch()
    watch.put()
    watch.run(lambda: detector)
    assert opened == ["cuda", "cuda", "cpu"]
    assert detector.provider == "cpu"
    assert (watch.seen, watch.wrong) == (CAMERAS, [])
    assert watch.nothing_lost()


def test_a_device_that_stands_still_is_replaced_and_late_answers_reach_nobody(model, monkeypatch):
    """The stuck run ends at last, in the old session, while the same looks have long been done."""
    monkeypatch.setattr(running, "STUCK_LEAST_S", 0.1)
    detector = Detector(model)
    goes_on = threading.Event()
    single, joint = detector._runner._single, detector._runner._joint

    class Stuck:
        def run(self, names, feed):
            goes_on.wait(20)
            return single.run(names, feed)

    detector._runner = Lanes(Stuck(), joint, 2)
    watch = Watch()
    watch.put()
    watch.run(lambda: detector)
    goes_on.set()
    assert (watch.seen, watch.wrong) == (CAMERAS, [])
    assert watch.nothing_lost()


@pytest.mark.parametrize("batches_before", [0, 1, 3])
def test_another_model_between_two_batches_judges_no_look_of_the_old_one(model, batches_before):
    old, new = Detector(model), Detector(model)
    watch, taken = Watch(), []

    def now():
        taken.append(new if len(taken) >= batches_before else old)
        return taken[-1]

    watch.put()
    watch.run(now)
    assert new in taken
    assert (watch.seen, watch.wrong) == (CAMERAS, [])
    assert watch.nothing_lost()


def test_where_newer_looks_come_while_the_device_fails_the_old_ones_are_counted(model):
    detector = Detector(model)
    watch = Watch()

    def newer(at):
        if at == 1:  # the device takes its time to fail; cameras go on
            watch.put()
            raise RunError("CUDA failure 2: out of memory")

    detector._runner = Device(detector._runner, newer)
    watch.put()
    watch.run(lambda: detector)
    counts = watch.schedule.counts()
    assert watch.wrong == []
    assert counts.put == 2 * CAMERAS
    assert counts.replaced > 0
    assert counts.done == watch.seen == 2 * CAMERAS - counts.replaced


def test_two_threads_that_meet_the_same_failure_repair_it_once_and_both_get_their_looks(
    model, monkeypatch
):
    detector = Detector(model)
    both_in = threading.Barrier(2, timeout=20)

    def fault(_):
        both_in.wait()
        raise RunError("CUDA failure 2: out of memory")

    detector._runner = Device(detector._runner, fault)
    opened, real = [], Detector._warm

    def warm(self, provider):
        opened.append(provider)
        return real(self, provider)

    monkeypatch.setattr(Detector, "_warm", warm)
    found = {}

    def look(number):
        found[number] = detector([LOOKS[number]])[0]

    threads = [threading.Thread(target=look, args=(number,)) for number in (3, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert opened == ["cpu"]
    for number in (3, 9):
        np.testing.assert_allclose(found[number].boxes[0, :2], spot_of(number), atol=1.5)


def test_when_no_device_is_left_the_looks_are_still_counted_as_in_hand(model, monkeypatch):
    """The daemon then ends and says why; what it had in hand is not told as done."""
    detector = Detector(model)
    monkeypatch.setattr(
        Detector, "_warm", lambda self, _: Device(self._runner, fails_at(*range(99)))
    )
    detector._runner = Device(detector._runner, fails_at(*range(99)))
    watch = Watch()
    watch.put()
    with pytest.raises(ModelError, match="out of memory"):
        watch.run(lambda: detector)
    counts = watch.schedule.counts()
    assert (counts.done, counts.in_hand) == (0, BATCH)
    assert counts.put == counts.in_hand + counts.waiting
