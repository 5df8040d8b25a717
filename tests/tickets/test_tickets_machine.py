"""Any history of commands, news, alarms and accidents leaves the desk as the model says.

Several people decide on screens of any age; commands are sent again; the answer of some is never
read, as when their sender is killed; the grid map changes; Redis is killed. The suite tries some
histories. ``GRIDWATCH_HISTORIES=2000`` tries so many, of 50 commands each.
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from actors import TOWNS
from desk_model import DONE, WAITING, Model, Refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis, exceptions
from ticket_town import EAST, NOON, TOWN, WEST, incident

from pipeline.clock import ManualClock
from pipeline.errors import DeskError, DeskUnavailableError, ForeignGridError, StaleTicketError
from pipeline.hazards import family_of
from pipeline.tickets import Desk
from pipeline.tickets.embedded_redis import _program
from pipeline.tickets.transitions import ACTIONS, TRANSITIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HISTORIES = int(os.environ.get("GRIDWATCH_HISTORIES", "0"))
IN_THE_SUITE = 50
COMMANDS = 50
BEAT_S = 97.3  # so that no clock ever rings on the very second of another
MOVES = sorted(set(ACTIONS) - {"file", "merge", "take_in", "split", "reroute", "verify"})
ON_BEHALF = [None, None, None, [TOWN], [EAST], [WEST]]


class Server:
    """A Redis that writes everything to disk before it answers, and may be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.client = Severable(
            unix_socket_path=str(folder / "r.sock"), decode_responses=True, protocol=2
        )
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                _program(multipart=False), "--port", "0", "--unixsocket", "r.sock", "--save", "",
                "--dir", str(self.folder), "--appendonly", "yes", "--appendfsync", "always",
                "--loglevel", "warning",
            ],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 20
        while True:
            try:
                self.client.ping()
            except (exceptions.ConnectionError, exceptions.BusyLoadingError):
                assert time.monotonic() < deadline, "Redis does not start"
                time.sleep(0.002)
            else:
                return

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Severable(Redis):
    """Its next script may be sent by somebody who is killed before the answer comes."""

    sever = False

    def execute_command(self, *args, **options):
        if self.sever and args[0] == "EVALSHA":
            self.sever = False
            connection = self.connection_pool.get_connection()
            try:
                connection.send_command(*args)
            finally:
                connection.disconnect()
                self.connection_pool.release(connection)
            raise exceptions.ConnectionError("killed before the answer came")
        return super().execute_command(*args, **options)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("machine"))
    try:
        yield server
    finally:
        server.client.close()
        server.kill()


# Numbers are taken modulo what there is to choose from when their turn comes.
picks = st.integers(0, 1000)
findings = st.fixed_dictionaries(
    {
        "number": st.integers(0, 30),
        "hazard": st.sampled_from(["road_damage", "road_collapse", "blockage", "crowd"]),
        "crash": st.booleans(),
        "spot": st.integers(0, 3),
        "jitter_m": st.sampled_from([0.0, 1.7, 3.1, -2.3]),
        "radius_m": st.sampled_from([2.0, 4.0, 6.0, 9.0]),
        "severity": st.sampled_from(["notice", "warning", "emergency"]),
        "camera": st.sampled_from(["cam-1", "cam-2"]),
    }
)
said = st.fixed_dictionaries(
    {
        "by": st.sampled_from(["张三", "李四", "王五"]),
        "grids": st.sampled_from(ON_BEHALF),
        "screen": st.sampled_from(["none", "none", "fresh", "old"]),
        "sent": st.sampled_from(["once", "once", "once", "twice", "severed"]),
    }
)
commands = st.one_of(
    st.tuples(st.just("file"), findings),
    st.tuples(st.just("file"), findings),
    st.tuples(st.just("news"), picks, st.integers(0, 3), st.booleans()),
    st.tuples(st.just("move"), picks, st.sampled_from(MOVES), said),
    # What a ticket's life is made of is drawn more often than what is refused anyway.
    st.tuples(st.just("next"), picks, picks, said),
    st.tuples(st.just("next"), picks, picks, said),
    st.tuples(st.just("next"), picks, picks, said),
    st.tuples(st.just("merge"), picks, picks, said),
    st.tuples(st.just("split"), picks, picks, said),
    st.tuples(st.just("verify"), picks, st.booleans(), said),
    st.tuples(st.just("reroute"), picks, st.sampled_from([EAST, WEST, TOWN]), said),
    st.tuples(st.just("again"), picks),
    st.tuples(st.just("look"), picks),
    st.tuples(st.just("rest"), st.integers(1, 300)),
    st.tuples(st.just("map"), st.sampled_from([0, 1])),
)
histories = st.lists(commands, min_size=COMMANDS if HISTORIES else 20, max_size=COMMANDS)
accidents = st.sampled_from([None] * 9 + [25])


class Machine:
    """A desk and its model, given the same history."""

    died = False
    """Whether a command was sent again since its sender died: it may say so little as that."""

    def __init__(self, server: Server) -> None:
        self.server = server
        server.client.flushall()
        self.clock = ManualClock(NOON)
        self.model = Model(TOWNS[0])
        self.use(TOWNS[0])
        self.follow(0)
        self.screens: dict[str, list[int]] = {}
        self.sent: list = []
        self.filed: list = []

    def use(self, town) -> None:
        self.desk = Desk(self.server.client, town, clock=self.clock)

    def run(self, history, kill_at) -> None:
        for position, (kind, *what) in enumerate(history):
            if position == kill_at:
                self.server.kill()
                self.server.start()
            self.clock.sleep(BEAT_S if kind == "file" else 1.1)
            getattr(self, kind)(*what)
        self.compare()

    # What comes by itself.

    def finding(self, what):
        return incident(
            what["number"],
            hazard=what["hazard"],
            camera=what["camera"],
            east_m=100 * what["spot"] - 96 + what["jitter_m"],
            radius_m=what["radius_m"],
            severity=what["severity"],
            at=NOON + what["number"] + (self.clock.now() - NOON) * (what["number"] % 2),
            trail={"kind": "crash"} if what["crash"] else {},
        )

    def file(self, what) -> None:
        found = self.finding(what)
        outcome, number = self.model.file(found, self.clock.now())
        filing = self.desk.file(found)
        assert filing.ticket_id == number
        assert getattr(filing, outcome) or (self.died and filing.duplicate)
        self.filed.append(found.incident_id)
        self.check(number)

    def news(self, pick, severity, cleared) -> None:
        if not self.filed:
            return
        name = self.filed[pick % len(self.filed)]
        known = self.model.cases[self.model.where[name]].incidents[name]
        now = self.clock.now()
        told = replace(
            known,
            last_seen_at=now - (pick % 3) * 40,
            severity=["notice", "warning", "emergency", known.severity][severity],
            cleared_at=now if cleared else None,
        )
        self.model.update(told, now)
        assert self.desk.update(told) == self.model.where[name]
        self.check(self.model.where[name])

    def map(self, which) -> None:
        self.use(TOWNS[which])
        self.follow(which)

    def follow(self, which) -> None:
        expected = self.model.follow_map(TOWNS[which], self.clock.now())
        rerouted = set(self.desk.follow_map().rerouted)
        assert rerouted == expected or (self.died and rerouted < expected)

    def rest(self, beats) -> None:
        self.clock.sleep(beats * BEAT_S)
        expected = self.model.tick(self.clock.now())
        rang = self.desk.tick()
        told = {(one.ticket_id, one.name, one.escalated) for one in rang}
        assert told == expected or (self.died and told < expected)
        assert len(rang) == len(told)

    # People.

    def look(self, pick) -> None:
        number = self.pick(pick)
        if number is not None:
            self.screens.setdefault(number, []).append(self.desk.ticket(number).version)

    def move(self, pick, action, how) -> None:
        number = self.pick(pick)
        if number is not None:
            self.send("move", (number, action), how)

    def next(self, pick, choice, how) -> None:
        number = self.pick(pick, lambda case: case.state not in DONE)
        if number is None:
            return
        state = self.model.cases[number].state
        able = [name for name in MOVES if (state, name) in TRANSITIONS]
        if able:
            self.send("move", (number, able[choice % len(able)]), {**how, "grids": None})

    def merge(self, pick, other, how) -> None:
        number = self.pick(pick, lambda case: case.state not in DONE)
        if number is None:
            return
        family = family_of(self.model.cases[number].hazard)
        into = self.pick(
            other,
            lambda case: family_of(case.hazard) == family and case.number != number,
        )
        self.send("merge", (number, into), how)

    def split(self, pick, choice, how) -> None:
        number = self.pick(pick, lambda case: len(case.incidents) > 1)
        if number is None:
            return
        names = sorted(self.model.cases[number].incidents)
        chosen = [name for place, name in enumerate(names) if choice >> place & 1]
        self.send("split", (number, chosen), how)

    def verify(self, pick, good, how) -> None:
        number = self.pick(pick, lambda case: case.state == "fed_back")
        if number is not None:
            self.send("verify", (number,), how, good=good)

    def reroute(self, pick, grid, how) -> None:
        number = self.pick(pick)
        if number is not None:
            self.send("reroute", (number, grid), how)

    def again(self, pick) -> None:
        """An old command arrives once more."""
        if self.sent:
            self.carry_out(*self.sent[pick % len(self.sent)])

    def send(self, kind, what, how, **more) -> None:
        number = what[0]
        version = self.model.cases[number].version
        old = self.screens.get(number) or [version]
        orders = more | {
            "by": how["by"],
            "grids": how["grids"],
            "note": "因故",
            "command_id": f"c{len(self.sent)}",
            "expected": {"none": None, "fresh": version, "old": old[0]}[how["screen"]],
        }
        self.sent.append((kind, what, orders))
        if how["sent"] == "severed":
            self.server.client.sever = True
            with pytest.raises((DeskUnavailableError, DeskError)):
                self.carry_out(kind, what, orders, watched=False)
            self.server.client.sever = False
        for _ in range(1 if how["sent"] == "once" else 2):
            self.carry_out(kind, what, orders)

    def carry_out(self, kind, what, orders, *, watched=True) -> None:
        call = getattr(self.desk, kind)
        if not watched:
            call(*what, **orders)
            raise DeskError("refused before anything was sent")
        before = len(self.model.cases)
        try:
            expected = getattr(self.model, kind)(*what, self.clock.now(), **orders)
            outcome = "done"
        except Refused as why:
            outcome = str(why)
        assert self.outcome_of(call, what, orders, expected if outcome == "done" else None) == (
            outcome
        )
        for number in {what[0], *(what[1:] if kind == "merge" else ())}:
            self.check(number)
        if len(self.model.cases) > before:
            self.check(expected)

    def outcome_of(self, call, what, orders, expected) -> str:
        try:
            ticket = call(*what, **orders)
        except StaleTicketError:
            return "stale"
        except ForeignGridError:
            return "foreign"
        except DeskUnavailableError:
            raise
        except DeskError:
            return "refused"
        if expected is not None:
            assert ticket.ticket_id == expected
        return "done"

    def pick(self, pick, likely=lambda _: True):
        """Any ticket; most often one of the likely."""
        numbers = sorted(self.model.cases)
        chosen = [number for number in numbers if likely(self.model.cases[number])]
        if chosen and pick % 8:
            numbers = chosen
        return numbers[pick % len(numbers)] if numbers else None

    # Looking.

    def check(self, number) -> None:
        case, ticket = self.model.cases[number], self.desk.ticket(number)
        told = [
            (step.at, step.action, step.state, step.by, step.note, step.version, step.due_at)
            for step in ticket.steps
        ]
        assert told == case.steps
        assert {one.incident_id: one for one in ticket.incidents} == case.incidents
        assert ticket.count == len(case.incidents)
        for name in (
            "state", "hazard", "kind", "severity", "place", "version", "watchers", "closed_at",
            "suspended_at", "merged_into", "fed_back_at", "filed_at",
        ):  # fmt: skip
            assert getattr(ticket, name) == getattr(case, name), name
        assert ticket.grid_code == case.grid
        assert (ticket.accept_due_at, ticket.handle_due_at) == (
            case.due["accept"],
            case.due["handle"],
        )

    def compare(self) -> None:
        """All there is, and every list and clock in Redis."""
        redis, cases = self.server.client, self.model.cases
        for number in cases:
            self.check(number)
        root = "{gridwatch}:"
        assert set(redis.zrange(root + "tickets", 0, -1)) == set(cases)
        assert redis.hgetall(root + "incidents") == self.model.where
        alarms = {
            f"{name}|{case.number}": case.alarm_at[name]
            for case in cases.values()
            for name in case.pending
        }
        assert dict(redis.zrange(root + "alarms", 0, -1, withscores=True)) == alarms
        for name in ("accept", "handle"):
            due = {case.number: case.due[name] for case in cases.values() if name in case.runs}
            assert dict(redis.zrange(f"{root}due:{name}", 0, -1, withscores=True)) == due
        for prefix, of in (
            ("state", lambda case: [case.state]),
            ("grid", lambda case: [case.grid]),
            ("watch", lambda case: case.watchers),
        ):
            there = {
                (key.removeprefix(f"{root}{prefix}:"), number)
                for key in redis.scan_iter(f"{root}{prefix}:*", count=1000)
                for number in redis.zrange(key, 0, -1)
            }
            assert there == {(name, case.number) for case in cases.values() for name in of(case)}
        waiting = {code: queue for code, queue in self.model.queues.items() if queue}
        assert self.desk.waiting() == {code: len(queue) for code, queue in waiting.items()}
        for code in (EAST, WEST, TOWN):
            messages = self.desk.read_queue(code)
            assert [one.ticket_id for one in messages] == waiting.get(code, [])
            for message in messages:
                assert message.state == cases[message.ticket_id].state
        open_ones = {case.number for case in cases.values() if case.state not in DONE}
        assert {n for queue in waiting.values() for n in queue} == {
            number for number in open_ones if cases[number].state in WAITING
        }


@settings(
    max_examples=HISTORIES or IN_THE_SUITE,
    deadline=None,
    derandomize=not HISTORIES,
    suppress_health_check=list(HealthCheck),
)
@given(history=histories, kill_at=accidents)
def test_any_history_leaves_the_desk_as_the_model_says(server: Server, history, kill_at):
    Machine(server).run(history, kill_at)
