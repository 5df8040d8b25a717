"""Readers, schedule and a detector that can't keep up, played against each other."""

from __future__ import annotations

import heapq
import threading
from dataclasses import dataclass, field

import numpy as np
import pytest

from pipeline.clock import ManualClock
from pipeline.ingest import Look, LookSchedule
from pipeline.ingest.sampling import Sampler, Step
from pipeline.settings import IngestSettings

PICTURE = np.zeros((6, 4), np.uint8)
BATCH = 8


@dataclass
class Street:
    """Cameras with a key frame every so often, whose readers obey the pace; one detector."""

    keys_s: list[float]
    looks_per_s: float
    interval_s: float = 0.5
    longest_gap_s: float = 30.0
    spread: bool = False
    decoded: int = 0
    done: int = 0
    seen: dict[int, list[float]] = field(default_factory=dict)

    def __post_init__(self):
        self.clock = ManualClock(0.0)
        settings = IngestSettings.model_validate(
            {"interval_s": self.interval_s, "schedule": {"longest_gap_s": self.longest_gap_s}}
        )
        self.schedule = LookSchedule(settings, clock=self.clock)
        # Phases of real cameras have nothing to do with each other.
        random = np.random.default_rng(1)
        phases = random.uniform(0, 1, len(self.keys_s))
        shares = random.uniform(0, 1, len(self.keys_s)) if self.spread else np.ones_like(phases)
        self._samplers = [Sampler("keys", self.interval_s, share) for share in shares]
        self._next = [(phases[n] * every, n) for n, every in enumerate(self.keys_s)]
        heapq.heapify(self._next)
        self._paced_at = 0.0
        self.stretches = []

    def play(self, until):
        """Up to then; returns shares and gaps of that time alone."""
        self.decoded = self.done = 0
        self.ages = []
        self.seen = {camera: [] for camera in range(len(self.keys_s))}
        self.captured = {camera: [] for camera in self.seen}
        while (now := self.clock.steady()) < until:
            self._read(now)
            self._pace(now)
            taken = self.schedule.take(BATCH, 0)
            self.clock.sleep(max(0.01, len(taken) / self.looks_per_s))
            for look in taken:
                self.schedule.done(look)
                self.done += 1
                self.seen[int(look.camera_id)].append(now)
                self.captured[int(look.camera_id)].append(look.captured_at)
                self.ages.append(now - look.captured_at)
        return self

    def gaps(self):
        return np.concatenate([np.diff(times) for times in self.seen.values()])

    def _read(self, now):
        while self._next[0][0] <= now:
            at, camera = heapq.heappop(self._next)
            heapq.heappush(self._next, (at + self.keys_s[camera], camera))
            sampler = self._samplers[camera]
            if sampler.step(at, key=True) is Step.DECODE and sampler.keep(at):
                self.decoded += 1
                look = Look(str(camera), at, (0, 0, 4, 4), (4, 4), PICTURE)
                released = threading.Event()
                self.schedule.put(look, released.set)
                sampler.offered(lambda released=released: not released.is_set())

    def _pace(self, now):
        if now - self._paced_at < 1:
            return
        self._paced_at = now
        pace = self.schedule.pace()
        self.stretches.append(pace.stretch)
        for camera, sampler in enumerate(self._samplers):
            usual_s = self.interval_s * pace.stretch
            sampler.set_interval(pace.extra.get(str(camera), usual_s))
            sampler.free_s(now)  # as at every packet between key frames


def test_a_detector_that_keeps_up_stretches_nothing_however_sparse_the_key_frames_are():
    street = Street([5.0] * 40 + [1.0] * 20, looks_per_s=40).play(60)
    assert street.schedule.pace().stretch == 1
    assert street.done >= street.decoded - 1


@pytest.mark.parametrize(
    "key_s, looks_per_s", [(5.0, 16.0), (5.0, 32.0), (1.0, 15.0), (0.5, 50.0), (10.0, 8.0)]
)
def test_what_the_detector_cant_do_is_hardly_decoded_and_looks_stay_even(key_s, looks_per_s):
    street = Street([key_s] * 200, looks_per_s)
    street.play(150)
    street.play(300)
    assert street.done / 150 == pytest.approx(looks_per_s, rel=0.07)  # it is kept busy
    assert street.decoded <= 1.3 * street.done
    gaps = street.gaps()
    assert gaps.mean() == pytest.approx(200 / looks_per_s, rel=0.1)
    assert gaps.max() <= 1.2 * gaps.mean()


def test_a_thousand_cameras_at_once_decode_little_in_vain_for_long():
    street = Street([5.0] * 1000, looks_per_s=20, interval_s=5.0)
    street.play(20)  # three key frames of each, before anybody can know
    street.play(100)
    assert street.done == pytest.approx(80 * 20, rel=0.05)
    assert street.decoded <= 3 * street.done
    street.play(200)
    street.play(400)
    assert street.decoded <= 1.3 * street.done
    gaps = street.gaps()
    assert gaps.mean() == pytest.approx(1000 / 20, rel=0.1)
    assert gaps.max() <= 1.1 * gaps.mean()


def test_a_detector_that_was_tried_out_is_not_flooded_even_at_first():
    street = Street([5.0] * 1000, looks_per_s=20, interval_s=5.0)
    street.schedule.expect(1000, 20.0)
    street._pace(1.0)
    street.play(150)
    assert street.decoded <= 1000 + 1.1 * street.done
    assert street.done == pytest.approx(150 * 20, rel=0.05)


@pytest.mark.parametrize("expected", [0.2, 1.0])
def test_what_was_expected_wrongly_is_soon_forgotten(expected):
    street = Street([1.0] * 100, looks_per_s=300)
    street.schedule.expect(100, 300 * expected)
    street._pace(1.0)
    street.play(60)
    street.play(90)
    assert street.schedule.pace().stretch <= 1.05
    assert street.done == pytest.approx(100 * 30, rel=0.03)


def test_cameras_of_all_kinds_share_a_detector_that_is_too_slow():
    street = Street([0.5] * 60 + [2.0] * 60 + [5.0] * 60, looks_per_s=60)
    street.play(120)
    street.play(240)
    assert street.decoded <= 1.3 * street.done
    means = {
        key_s: np.mean([len(street.seen[n]) for n, own in enumerate(street.keys_s) if own == key_s])
        for key_s in (0.5, 2.0, 5.0)
    }
    assert means[5.0] == pytest.approx(24, abs=2)  # what comes seldom is not lost
    assert 120 / means[0.5] <= 1.5 * 180 / 60
    assert street.gaps().max() <= 5 * 1.5


def test_once_the_detector_keeps_up_again_readers_do_as_before():
    street = Street([1.0] * 100, looks_per_s=20)
    street.play(120)
    assert street.schedule.pace().stretch > 5
    street.looks_per_s = 400
    street.play(240)
    street.play(270)
    assert street.schedule.pace().stretch <= 1.05
    assert street.done == pytest.approx(100 * 30, rel=0.03)


def test_the_factor_settles():
    street = Street([1.0] * 150, looks_per_s=30)
    street.play(150)
    del street.stretches[:]
    street.play(300)
    assert max(street.stretches) <= 1.2 * min(street.stretches)


def test_a_detector_that_hangs_is_not_taken_for_one_that_is_much_too_slow():
    street = Street([1.0] * 20, looks_per_s=100)
    street.play(20)
    for second in range(20, 120):
        street._read(float(second))
        street.clock.move_to(float(second))
        assert street.schedule.pace().stretch <= 1.1


def test_what_the_detector_looks_at_is_fresh():
    street = Street([1.0] * 1000, looks_per_s=25, interval_s=5.0)
    street.schedule.expect(1000, 25.0)
    street._pace(1.0)
    street.play(200)
    street.play(400)
    assert max(street.ages) <= 0.4 * 1000 / 25


def test_a_single_camera_that_was_overtaken_once_is_no_sign_of_a_slow_detector():
    street = Street([5.0], looks_per_s=10)
    street.play(20)
    for at in (20.0, 20.1, 20.2):  # a line that stalled, then gave all at once
        street.schedule.put(Look("0", at, (0, 0, 4, 4), (4, 4), PICTURE))
    street.play(40)
    assert set(street.stretches) == {1}
    assert not street.schedule._stretch.thins


def test_a_camera_that_was_looked_at_more_often_is_not_left_alone_afterwards():
    street = Street([5.0] * 300, looks_per_s=10, interval_s=5.0, spread=True)
    street.schedule.expect(300, 10.0)
    street.play(90)
    doubtful = np.random.default_rng(2).permutation(300)[:60].reshape(20, 3)
    captured = {camera: [] for camera in doubtful.ravel()}
    for number, cameras in enumerate(doubtful):
        until = 110.0 + 20 * number
        for camera in cameras:
            street.schedule.extra(str(camera), 5.0, until - 5)
        street.play(until)
        for camera, times in captured.items():
            times.extend(street.captured[camera])
    gaps = np.concatenate([np.diff(times) for times in captured.values()])
    assert gaps.max() <= 1.5 * 30 + 0.1
