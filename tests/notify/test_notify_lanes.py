"""Whatever boxes do and wherever they die: no event is lost, none comes twice without a death."""

from __future__ import annotations

import json
import uuid

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.tickets import NotifyStore
from pipeline.tickets.notify.store import LANES

HOW = {"lease_s": 30, "pace_s": 0, "most": 3, "sweep": True}
NAME = "one"


class Model:
    """Two boxes that share a recipient; what is known of each event."""

    def __init__(self, redis):
        self.prefix = uuid.uuid4().hex
        self.redis = redis
        self.boxes = [NotifyStore(redis, prefix=self.prefix) for _ in range(2)]
        self.now = 1000.0
        self.made = 0
        self.under_way = []  # what a box has taken and not settled
        self.sent = []

    def event(self, lane):
        entry = self.redis.xadd(f"{{{self.prefix}}}:events", {"v": "1", "json": str(self.made)})
        for read, text in self.boxes[0].read(0):
            assert read == entry
            assert self.boxes[0].route(entry, text, [(NAME, lane, self.now)])
            assert not self.boxes[1].route(entry, text, [(NAME, lane, self.now)])
        self.made += 1

    def take(self, box):
        for name, lane in self.boxes[box].due(self.now):
            taken = self.boxes[box].take(name, lane, self.now, **HOW)
            if taken is not None:
                assert len(json.loads(taken.events)) <= HOW["most"]
                self.under_way.append((box, taken, self.now))

    def settle(self, outcome):
        if not self.under_way:
            return
        box, taken, since = self.under_way.pop(0)
        store = self.boxes[box]
        if outcome == "dies":
            return
        if outcome == "sent":
            known = store.sent(taken, self.now)
            self.sent += json.loads(taken.events)
        elif outcome == "again":
            known = store.again(taken, self.now, next_at=self.now + 5, why="no")
        else:
            known = store.dead(taken, self.now, why="no")
        if self.now < since + HOW["lease_s"]:
            assert known, "nobody takes over what is on lease"

    def kept(self):
        """Events that Redis has still, wherever."""
        root, found = f"{{{self.prefix}}}:notify", []
        for lane in LANES:
            found += map(int, self.redis.lrange(f"{root}:waiting:{NAME}:{lane}", 0, -1))
            message = self.redis.hget(f"{root}:sending:{NAME}:{lane}", "events")
            found += json.loads(message) if message else []
        for letter in self.redis.lrange(f"{root}:dead:{NAME}", 0, -1):
            found += json.loads(letter)["events"]
        return found

    def finish(self):
        """All boxes live on until nothing waits; dead letters are sent again."""
        for _ in range(100):
            self.now += 40
            self.under_way.clear()
            self.boxes[0].revive(NAME, self.now)
            self.take(0)
            while self.under_way:
                self.settle("sent")


steps = st.one_of(
    st.tuples(st.just("event"), st.sampled_from(LANES)),
    st.tuples(st.just("take"), st.integers(0, 1)),
    st.tuples(st.just("settle"), st.sampled_from(["sent", "again", "dead", "dies"])),
    st.tuples(st.just("pass"), st.sampled_from([1.0, 6.0, 31.0])),
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(steps, max_size=40))
def test_no_event_is_lost_and_none_is_kept_twice(redis, history):
    model = Model(redis)
    died = False
    for what, which in history:
        if what == "event":
            model.event(which)
        elif what == "take":
            model.take(which)
        elif what == "settle":
            before = len(model.under_way)
            died |= which == "dies" and before > 0
            model.settle(which)
        else:
            # a box that lets its lease run out is as good as dead
            died |= which > HOW["lease_s"] and bool(model.under_way)
            model.now += which
            died |= any(model.now - since >= HOW["lease_s"] for *_, since in model.under_way)
        kept = model.kept()
        assert len(kept) == len(set(kept)), "no event stands in two places"
        assert set(kept) | set(model.sent) == set(range(model.made)), "none is lost"
        if not died:
            assert len(model.sent) == len(set(model.sent)), "none is sent twice"
    died |= bool(model.under_way)
    model.finish()
    assert set(model.sent) == set(range(model.made))
    assert model.kept() == []
    if not died:
        assert len(model.sent) == model.made


def test_of_too_much_that_waits_the_oldest_is_dropped_and_counted(redis, monkeypatch):
    monkeypatch.setattr("pipeline.tickets.notify.store.MOST_WAITING", 3)
    model = Model(redis)
    for _ in range(5):
        model.event("normal")
    assert model.kept() == [2, 3, 4]
    (standing,) = model.boxes[0].standings([NAME])
    assert (standing.waiting, standing.dropped) == (3, 2)
