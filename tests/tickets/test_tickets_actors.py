"""Whoever uses the desk may be killed in mid-command: it is done whole, or not at all.

Boxes and people are processes of their own here, and get the histories of the machine's test. Some
are killed with -9 before their script is sent, before its answer is read, before they can pass it
on, or after some microseconds, wherever that is; some commands meet at the desk; Redis is killed
while one is under way. Whoever takes a dead one's place sends its command again, which settles it.
``GRIDWATCH_HISTORIES=2000`` tries so many histories, of 50 commands each.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import pytest
from actors import DEATHS, TOWNS, Cast, Died
from desk_model import DONE, Refused
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_tickets_machine import (
    BEAT_S,
    HISTORIES,
    MOVES,
    Machine,
    Server,
    accidents,
    commands,
    picks,
    said,
)

from pipeline.errors import DeskError, DeskUnavailableError
from pipeline.tickets import News
from pipeline.tickets.transitions import TRANSITIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

IN_THE_SUITE = 15
COMMANDS = 50
BY_ACTORS = (
    "file",
    "update",
    "deliver",
    "move",
    "verify",
    "merge",
    "split",
    "reroute",
    "tick",
    "follow_map",
)
PEOPLE = ["张三", "李四", "王五"]
MID_COMMAND_US = 400  # when the server is killed

races = st.tuples(st.just("race"), picks, picks, picks, said, said)
fates = st.one_of(
    st.none(), st.none(), st.none(), st.sampled_from(DEATHS), st.integers(0, 2500)
)  # fmt: skip
histories = st.lists(
    st.tuples(st.one_of(commands, commands, commands, races), fates),
    min_size=COMMANDS if HISTORIES else 15,
    max_size=COMMANDS,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("actors"))
    try:
        yield server
    finally:
        server.client.close()
        server.kill()


@pytest.fixture(scope="module")
def cast(server: Server) -> Iterator[Cast]:
    with Cast(len(PEOPLE), server.folder, str(server.folder / "r.sock")) as cast:
        yield cast


class Hands:
    """A desk whose commands are given to actors; what it is only asked is read here."""

    def __init__(self, machine: ActorMachine, desk, town: int) -> None:
        self._machine, self._desk, self._town = machine, desk, town

    def __getattr__(self, name):
        if name in BY_ACTORS:
            return partial(self._machine.command, name, self._town)
        return getattr(self._desk, name)


class ActorMachine(Machine):
    """``seen`` counts by what actors died, and whether their command was done then."""

    def __init__(self, server: Server, cast: Cast, seen: Counter) -> None:
        self.cast, self.seen = cast, seen
        self.fate = None
        self.turn = 0  # boxes take theirs one after the other
        super().__init__(server)

    def use(self, town) -> None:
        super().use(town)
        self.desk = Hands(self, self.desk, TOWNS.index(town))

    def run(self, history, kill_at) -> None:
        for position, ((kind, *what), fate) in enumerate(history):
            self.fate, self.died = ("server" if position == kill_at else fate), False
            self.before = None if self.fate is None else self.model.copy()
            self.clock.sleep(BEAT_S if kind == "file" else 1.1)
            getattr(self, kind)(*what)
        self.fate = None
        self.compare()

    def file(self, what) -> None:
        """Every other finding comes as a box brings it from its outbox: with what came after it."""
        if self.turn % 2:
            super().file(what)
            return
        found, now = self.finding(what), self.clock.now()
        _, number = self.model.file(found, now)
        self.model.update(found, now)
        told = self.desk.deliver([News("file", found), News("update", found)])
        assert told == [number, number]
        self.filed.append(found.incident_id)
        self.check(number)

    def send(self, kind, what, how, **more) -> None:
        if how["sent"] == "severed":  # here whole processes are
            how = {**how, "sent": "twice"}
        super().send(kind, what, how, **more)

    def command(self, name, town, *args, **said):
        """Have it carried out, whoever may die of it; gives and raises what the desk does."""
        fate, self.fate = self.fate, None
        self.turn += 1
        place = PEOPLE.index(said["by"]) if "by" in said else self.turn % len(PEOPLE)
        order = (name, args, said, self.clock.now(), town)
        if fate is None:
            return self.answer(place, order)
        try:
            answer = self.die(place, order, fate)
        except (Died, DeskUnavailableError):
            self.died = True
            if name != "follow_map":  # which takes one ticket after the other
                self.settled(fate)
            return self.answer(place, order)
        except DeskError:
            self.seen["between", "refused"] += 1
            raise
        self.seen["between", "done"] += 1
        return answer

    def answer(self, place, order):
        self.cast.actors[place].tell(*order, None)
        return self.cast.actors[place].answer()

    def die(self, place, order, fate):
        actor = self.cast.actors[place]
        if fate == "server":
            actor.tell(*order, None)
            actor.wait(MID_COMMAND_US)
            self.server.kill()
            self.server.start()
            self.died = True  # its client may have asked again by itself
            return actor.answer()
        actor.tell(*order, fate)
        try:
            return actor.answer()
        finally:
            self.cast.replace(place, self.server.client)

    def settled(self, fate) -> None:
        """All is as before the command, or all is as after it."""
        kind = "timed" if isinstance(fate, int) else fate
        held = {number: self.version_of(number) for number in self.numbers()}
        could_be = [(self.before, "not done"), (self.model, "done")]
        if kind in ("before", "answered"):  # where there is no doubt
            could_be = could_be[:1] if kind == "before" else could_be[1:]
        for model, outcome in could_be:
            versions = {number: case.version for number, case in model.cases.items()}
            if versions == held and self.agrees(model):
                self.seen[kind, outcome] += 1
                return
        raise AssertionError(f"{kind}: it is neither as before nor as after, but {held}")

    def agrees(self, model) -> bool:
        mine, self.model = self.model, model
        try:
            self.compare()
        except AssertionError:
            return False
        else:
            return True
        finally:
            self.model = mine

    def numbers(self):
        return self.server.client.zrange("{gridwatch}:tickets", 0, -1)

    def version_of(self, number):
        return int(self.server.client.hget(f"{{gridwatch}}:ticket:{number}", "version"))

    def race(self, pick, choice, other_choice, how, other_how) -> None:
        """Two decide at the same moment about one ticket: it is as if one had come first."""
        number = self.pick(pick, lambda case: case.state not in DONE)
        if number is None:
            return
        state = self.model.cases[number].state
        able = [name for name in MOVES if (state, name) in TRANSITIONS] or MOVES
        version = self.model.cases[number].version
        orders = []
        for place, (chosen, by) in enumerate(((choice, how), (other_choice, other_how))):
            fresh = version if by["screen"] != "none" else None
            orders.append(
                (
                    (number, able[chosen % len(able)]),
                    {"by": PEOPLE[place], "note": "因故", "grids": by["grids"]}
                    | {"expected": fresh, "command_id": f"r{len(self.sent)}-{place}"},
                )
            )
        self.sent += [("move", what, orders_of) for what, orders_of in orders]
        self.settle_race(orders, self.raced(orders))

    def raced(self, orders) -> list[str]:
        for actor, (what, order) in zip(self.cast.actors, orders, strict=False):
            actor.tell("move", what, order, self.clock.now(), self.desk._town, None)
        return [
            self.outcome_of(lambda *_, actor=actor, **__: actor.answer(), (), {}, None)
            for actor, _ in zip(self.cast.actors, orders, strict=False)
        ]

    def settle_race(self, orders, outcomes) -> None:
        told = []
        for first, second in ((0, 1), (1, 0)):
            model, expected = self.model.copy(), {}
            for place in (first, second):
                what, order = orders[place]
                try:
                    model.move(*what, self.clock.now(), **order)
                    expected[place] = "done"
                except Refused as why:
                    expected[place] = str(why)
            told.append([expected[0], expected[1]])
            if told[-1] == outcomes and self.agrees(model):
                self.model = model
                self.seen["race", "/".join(sorted(outcomes))] += 1
                return
        raise AssertionError(f"{orders}: {outcomes}; one after the other: {told}")


def test_whoever_is_killed_in_mid_command_has_done_all_of_it_or_nothing(server: Server, cast: Cast):
    seen: Counter = Counter()

    @settings(
        max_examples=HISTORIES or IN_THE_SUITE,
        deadline=None,
        phases=[Phase.generate],  # what hangs on microseconds can't be made smaller
        derandomize=not HISTORIES,
        suppress_health_check=list(HealthCheck),
    )
    @given(history=histories, kill_at=accidents)
    def any_history(history, kill_at) -> None:
        ActorMachine(server, cast, seen).run(history, kill_at)

    any_history()
    for outcome in (
        ("before", "not done"),
        ("sent", "done"),
        ("answered", "done"),
        ("timed", "done"),
        ("timed", "not done"),
    ):
        assert seen[outcome], f"nobody died like that: {outcome}; {dict(seen)}"
