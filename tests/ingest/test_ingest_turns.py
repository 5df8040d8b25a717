"""Who may connect to a host: the rules, proved with a clock that is moved by hand."""

import heapq
import random
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pipeline.errors import SourceError
from pipeline.ingest.backoff import Backoff
from pipeline.ingest.turns import HostTurns
from pipeline.settings import IngestSettings

SETTINGS = IngestSettings(backoff_first_s=1, backoff_most_s=45, healthy_after_s=60)
REFUSED = SourceError("unreachable", "refused", of_host=True)
WRONG_PASSWORD = SourceError("unauthorised", "check the password")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0.1, 5), st.floats(5, 100))
def test_pauses_double_up_to_their_limit_and_are_jittered_fully(draws, first_s, most_s):
    settings = IngestSettings(backoff_first_s=first_s, backoff_most_s=most_s)
    remaining = iter(draws)
    backoff, now = Backoff(settings, lambda: next(remaining)), 0.0
    for failures, draw in enumerate(draws):
        backoff.failed(now)
        upper_s = min(most_s, first_s * 2.0**failures)
        assert backoff.ready_at - now == pytest.approx(draw * upper_s)
        now = backoff.ready_at


@given(st.floats(0, 200), st.integers(1, 8))
def test_failures_are_forgotten_only_after_a_good_while_of_health(healthy_s, failures):
    backoff = Backoff(SETTINGS, lambda: 1.0)
    for _ in range(failures):
        backoff.failed(0)
    backoff.well(100)
    backoff.well(100 + healthy_s)  # still well
    backoff.failed(100 + healthy_s)
    assert backoff.failures == (1 if healthy_s >= 60 else failures + 1)


def test_pauses_are_spread_over_their_whole_range():
    pauses = []
    for seed in range(300):
        backoff = Backoff(SETTINGS, random.Random(seed).random)
        for _ in range(9):
            backoff.failed(0)
        pauses.append(backoff.ready_at)
    assert min(pauses) < 5
    assert max(pauses) > 40


class Turns(RuleBasedStateMachine):
    """Cameras come and go, connect, fail and are turned away, in every order there is."""

    OPENING, SESSIONS = 4, 6

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.backoff = Backoff(SETTINGS, lambda: 0.7)
        self.turns = HostTurns(
            opening_most=self.OPENING, sessions_most=self.SESSIONS, backoff=self.backoff
        )
        self.names = count()
        self.last_turn_at = {}
        self.waiting, self.opening, self.open = set(), set(), set()
        self.probing = False  # the host failed and nobody has got through since
        self.round, self.began_in = 0, {}  # attempts that began before a failure don't count again

    def one_of(self, group, pick):
        return sorted(group)[pick % len(group)]

    @rule()
    def a_camera_comes(self):
        who = next(self.names)
        self.last_turn_at[who] = float("-inf")
        self.turns.wait(who, self.last_turn_at[who])
        self.waiting.add(who)

    @rule(pick=st.integers(0, 99))
    @precondition(lambda self: set(self.last_turn_at) - self.waiting - self.opening - self.open)
    def a_camera_comes_back(self, pick):
        idle = set(self.last_turn_at) - self.waiting - self.opening - self.open
        who = self.one_of(idle, pick)
        self.turns.wait(who, self.last_turn_at[who])
        self.waiting.add(who)

    @rule(pick=st.integers(0, 99))
    @precondition(lambda self: self.waiting)
    def a_camera_is_taken_off_the_list(self, pick):
        who = self.one_of(self.waiting, pick)
        self.turns.forget(who)
        self.waiting.remove(who)

    @rule(seconds=st.floats(0, 50))
    def time_passes(self, seconds):
        self.now += seconds

    @rule()
    def those_whose_turn_it_is_are_admitted(self):
        before = len(self.opening)
        admitted = self.turns.admit(self.now)
        assert set(admitted) <= self.waiting
        assert self.now >= self.backoff.ready_at or not admitted
        for who in admitted:
            self.waiting.remove(who)
            turn_at = self.last_turn_at[who]
            assert all(turn_at <= self.last_turn_at[other] for other in self.waiting)
        self.opening.update(admitted)
        self.began_in.update(dict.fromkeys(admitted, self.round))
        if self.probing and not self.open:
            assert len(admitted) <= max(0, 1 - before)
        # Nobody waits while there is room.
        free = len(self.opening) + len(self.open) < self.SESSIONS
        if self.waiting and free and not self.opening:
            assert self.now < self.backoff.ready_at

    @rule(pick=st.integers(0, 99))
    @precondition(lambda self: self.opening)
    def one_gets_through(self, pick):
        who = self.one_of(self.opening, pick)
        self.turns.opened(who, self.now)
        self.opening.remove(who)
        self.open.add(who)
        self.probing = False

    def end(self, who, error, *, failed):
        self.now += 0.001
        self.last_turn_at[who] = self.now
        self.opening.discard(who)
        self.open.discard(who)
        return self.turns.ended(who, self.now, error, failed=failed)

    @rule(pick=st.integers(0, 99))
    @precondition(lambda self: self.opening)
    def one_is_refused(self, pick):
        who, pause_ends_at = self.one_of(self.opening, pick), self.backoff.ready_at
        of_host = self.end(who, REFUSED, failed=True)
        assert of_host is not bool(self.open)
        if of_host and self.began_in[who] == self.round:
            self.round += 1
            self.probing = True
            assert self.turns.trouble is REFUSED
            assert self.backoff.ready_at > self.now
        else:
            assert self.backoff.ready_at == pause_ends_at

    @rule(pick=st.integers(0, 99))
    @precondition(lambda self: self.opening)
    def one_is_turned_away(self, pick):
        assert not self.end(self.one_of(self.opening, pick), WRONG_PASSWORD, failed=True)
        self.probing = False

    @rule(pick=st.integers(0, 99))
    @precondition(lambda self: self.open)
    def a_session_breaks(self, pick):
        who = self.one_of(self.open, pick)
        assert not self.end(who, SourceError("unreachable", "ended"), failed=True)

    @rule(pick=st.integers(0, 99))
    @precondition(lambda self: self.open)
    def a_session_is_asked_whether_it_gives_way(self, pick):
        who = self.one_of(self.open, pick)
        if self.turns.gives_way(who, self.now):
            assert self.waiting
            self.end(who, None, failed=False)

    @invariant()
    def limits_hold(self):
        assert len(self.opening) <= self.OPENING
        assert len(self.opening) + len(self.open) <= self.SESSIONS


TestTurns = Turns.TestCase
TestTurns.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)


def test_only_as_many_give_way_as_wait():
    turns = HostTurns(opening_most=9, sessions_most=4, backoff=Backoff(SETTINGS))
    for who in range(6):
        turns.wait(who, who)
    for who in turns.admit(0):
        turns.opened(who, 0)
    assert [turns.gives_way(who, 1) for who in range(4)] == [True, True, False, False]
    turns.ended(0, 1, None, failed=False)
    assert turns.admit(1) == [4]  # the one whose last turn is longest ago


class Reboot:
    """A recorder in virtual time: its streams break at 0, and it refuses until ``down_s``."""

    def __init__(self, seed, *, cameras, down_s):
        draw = random.Random(seed).random
        self.down_s = down_s
        self.host = Backoff(SETTINGS, draw)
        self.turns = HostTurns(opening_most=16, sessions_most=None, backoff=self.host)
        self.own = {camera: Backoff(SETTINGS, draw) for camera in range(cameras)}
        self.events, self.order = [], count()
        self.connects, self.back, self.connecting, self.most_at_once = [], {}, 0, 0
        for camera in self.own:
            self.turns.wait(camera, -1)
        while admitted := self.turns.admit(-100):
            for camera in admitted:
                self.turns.opened(camera, -100)
                self.later(0.0, self.broken, camera)

    def later(self, at, what, camera=None):
        heapq.heappush(self.events, (at, next(self.order), what, camera))

    def run(self):
        while len(self.back) < len(self.own):
            now, _, what, camera = heapq.heappop(self.events)
            what(now, camera)
            if now < self.host.ready_at:
                self.later(self.host.ready_at, self.nothing)
            for admitted in self.turns.admit(now):
                self.connects.append(now)
                self.connecting += 1
                self.later(now + 0.1, self.answered, admitted)
            if now < self.down_s:
                self.most_at_once = max(self.most_at_once, self.connecting)
        return self

    def nothing(self, now, camera):
        pass

    def broken(self, now, camera):
        self.turns.ended(camera, now, SourceError("unreachable", "ended"), failed=True)
        self.own[camera].failed(now)
        self.later(self.own[camera].ready_at, self.waits, camera)

    def waits(self, now, camera):
        self.turns.wait(camera, 0)

    def answered(self, now, camera):
        self.connecting -= 1
        if now >= self.down_s:
            self.turns.opened(camera, now)
            self.back[camera] = now
            return
        if not self.turns.ended(camera, now, REFUSED, failed=True):
            self.own[camera].failed(now)
        self.later(max(now, self.own[camera].ready_at), self.waits, camera)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([5, 30, 90, 300]))
def test_a_recorder_that_starts_again_is_felt_for_by_one_and_then_taken_back_quickly(seed, down_s):
    reboot = Reboot(seed, cameras=64, down_s=down_s).run()
    while_down = [at for at in reboot.connects if at < down_s]
    assert reboot.most_at_once <= 2  # the first may be on its way when the last streams break
    assert len(while_down) <= 12 + 10 * down_s / 45
    found_at = min(reboot.back.values())
    assert found_at <= down_s + 46
    assert max(reboot.back.values()) <= found_at + 5
    answered = [at for at in reboot.connects if at + 0.1 >= down_s]
    assert len(answered) == 64  # nobody connects twice
