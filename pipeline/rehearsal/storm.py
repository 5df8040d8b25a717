"""A storm of filings: many boxes, one desk, and a Redis that is cut, slowed and killed meanwhile.

``python -m pipeline.rehearsal.storm`` has 8 processes file 50,000 times at 2,000 places, a fifth of
it what is filed anyway, each through an outbox of its own, and counts afterwards: one ticket for
each place, every incident on one, queues in the order of filing. Exit code 1 if it isn't so.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.clock import SystemClock
from pipeline.errors import DeskUnavailableError
from pipeline.hazards import Incident
from pipeline.rehearsal.proxy import Line, RunningProxy, proxy_to
from pipeline.settings import RedisSettings
from pipeline.shipped import shipped
from pipeline.tickets import Desk, Outbox, open_redis
from pipeline.town import LocalFrame, Place, Town, load_duties, load_grids

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from redis import Redis

SPACING_M = 60.0
"""Between places: more than any two findings of one place are apart, and any duty's radius."""
_ROW = 50  # places side by side
_JITTER_M = 3.0  # findings of one place lie around it
_RADII_M = (2.0, 3.5, 5.0)
_HAZARDS: Any = ("road_collapse", "road_damage", "blockage")
_TIMEOUT_S = 1.0  # for an answer; a line that swallows everything is noticed so soon
_RETRY_S = 0.1
_POLL_S = 0.1
_CALM_S = (0.5, 2.0)
_FAULTS = ("cut", "slow", "half_open", "kill")

_clock = SystemClock()


@dataclass(frozen=True, slots=True)
class Plan:
    """``filings`` of them in all, ``duplicates`` (a share) of something that is filed anyway."""

    processes: int = 8
    filings: int = 50_000
    places: int = 2_000
    duplicates: float = 0.2
    seed: int = 1

    @property
    def incidents(self) -> int:
        return self.filings - round(self.filings * self.duplicates)

    def of_box(self, box: int) -> Iterator[int]:
        """Numbers of the incidents that this box files, in its order."""
        chance = random.Random(self.seed)  # noqa: S311 - the same in every process
        numbers = list(range(self.incidents))
        numbers += chance.choices(range(self.incidents), k=self.filings - self.incidents)
        chance.shuffle(numbers)
        return (number for at, number in enumerate(numbers) if at % self.processes == box)

    def place_of(self, number: int) -> int:
        return number % self.places


@dataclass(slots=True)
class Outcome:
    """What was counted; ``problems`` is empty if all is as it must be."""

    filings: int
    incidents: int
    tickets: int
    seconds: float
    filings_per_s: float
    faults: dict[str, int]
    problems: list[str] = field(default_factory=list)


def town() -> Town:
    """The shipped town, without cameras."""
    return Town(
        (),
        load_grids(shipped("configs/yulong/grids.geojson")),
        load_duties(shipped("configs/yulong/duties.yaml")),
    )


def incident_of(plan: Plan, number: int, at: float, frame: LocalFrame) -> Incident:
    """The same number is the same incident, whichever box files it."""
    chance = random.Random(number)  # noqa: S311 - no secret
    place = plan.place_of(number)
    row, column = divmod(place, _ROW)
    lon, lat = frame.lonlat(
        (column - _ROW / 2) * SPACING_M + chance.uniform(-_JITTER_M, _JITTER_M),
        (row - plan.places / _ROW / 2) * SPACING_M + chance.uniform(-_JITTER_M, _JITTER_M),
    )
    return Incident(
        incident_id=f"storm-{number:08d}",
        camera_id=f"storm-{number % 1051:04d}",
        hazard=_HAZARDS[place % len(_HAZARDS)],
        box=(0.4, 0.5, 0.5, 0.6),
        started_at=at - 8,
        confirmed_at=at,
        last_seen_at=at,
        cleared_at=None,
        place=Place(lon, lat, chance.choice(_RADII_M), "pose"),
        score=0.9,
        severity="warning",
        measures={},
        trail={"rule": "storm"},
    )


def storm(plan: Plan, folder: Path) -> Outcome:
    """Let it blow. ``folder`` is empty; Redis writes to it with fsync on every change."""
    there = town()
    begun_s = _clock.monotonic()
    with open_redis(RedisSettings(), folder) as direct, ExitStack() as stack:
        path = direct.connection_pool.connection_kwargs["path"]
        proxy = stack.enter_context(proxy_to(path))
        boxes = _boxes(plan, folder, f"redis://127.0.0.1:{proxy.port}", _clock.now())
        try:
            faults = _blow(proxy, direct, boxes, plan.seed)
        finally:
            for box in boxes:
                box.kill()  # those that have ended don't mind
                box.join()
        seconds = _clock.monotonic() - begun_s
        outcome = Outcome(
            plan.filings, plan.incidents, 0, seconds, plan.filings / seconds, dict(faults)
        )
        if any(box.exitcode != 0 for box in boxes):
            outcome.problems.append(f"boxes ended with {[box.exitcode for box in boxes]}")
        for number in range(plan.processes):
            with Outbox(_outbox(folder, number), _clock) as outbox:
                if outbox.backlog() or outbox.refused():
                    outcome.problems.append(f"box {number} has not sent all")
        _judge(plan, Desk(direct, there, clock=_clock), outcome)
    return outcome


def _boxes(plan: Plan, folder: Path, url: str, at: float) -> list[Any]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pipeline.rehearsal.storm"])  # imported once
    boxes = [
        context.Process(target=_box, args=(plan, number, folder, url, at))
        for number in range(plan.processes)
    ]
    for box in boxes:
        box.start()
    return boxes


def _box(plan: Plan, number: int, folder: Path, url: str, at: float) -> None:
    """One of the processes: all into its outbox, which a thread empties."""
    there, stop = town(), threading.Event()
    frame = _frame(there)
    with Outbox(_outbox(folder, number), _clock) as outbox, ExitStack() as stack:
        desk = Desk(_connect(stack, url, folder), there, clock=_clock)
        drain = threading.Thread(
            target=outbox.drain, args=(desk, stop), kwargs={"retry_s": _RETRY_S}
        )
        drain.start()
        try:
            for one in plan.of_box(number):
                outbox.put("file", incident_of(plan, one, at, frame))
            while outbox.backlog():
                _clock.sleep(_POLL_S)
        finally:
            stop.set()
            drain.join()


def _connect(stack: ExitStack, url: str, folder: Path) -> Redis:
    """A connection, as soon as the line lets one through."""
    while True:
        try:
            return stack.enter_context(
                open_redis(RedisSettings(url=url, timeout_s=_TIMEOUT_S), folder)
            )
        except DeskUnavailableError:
            _clock.sleep(_RETRY_S)


def _frame(there: Town) -> LocalFrame:
    centre = there.grids.top.shape.centroid
    return LocalFrame(centre.x, centre.y)


def _outbox(folder: Path, number: int) -> Path:
    return folder / f"box-{number}.sqlite"


def _blow(proxy: RunningProxy, direct: Redis, boxes: Sequence[Any], seed: int) -> Counter[str]:
    """One fault after another until all boxes have ended; how many of each there were."""
    chance = random.Random(seed)  # noqa: S311 - a storm that can be had again
    faults: Counter[str] = Counter()
    while True:
        if _ended(boxes, chance.uniform(*_CALM_S)):
            return faults
        fault = _FAULTS[faults.total() % len(_FAULTS)]
        faults[fault] += 1
        if fault == "kill":
            _kill(direct)
        else:
            line = {"cut": Line.CUT, "slow": Line.SLOW, "half_open": Line.HALF_OPEN}[fault]
            proxy.set_line(line, chance.uniform(0.01, 0.05))
            ended = _ended(boxes, chance.uniform(0.3, 1.5))
            proxy.set_line(Line.PASS)
            if ended:
                return faults


def _ended(boxes: Sequence[Any], within_s: float) -> bool:
    until_s = _clock.monotonic() + within_s
    while any(box.is_alive() for box in boxes):
        if _clock.monotonic() >= until_s:
            return False
        _clock.sleep(_POLL_S)
    return True


def _kill(direct: Redis) -> None:
    """Kill -9; its keeper starts it again from what is on the disk."""
    found: Any = direct.info("server")
    os.kill(int(found["process_id"]), signal.SIGKILL)


def _judge(plan: Plan, desk: Desk, outcome: Outcome) -> None:
    tickets = desk.tickets(limit=2 * plan.places)
    problems = outcome.problems
    outcome.tickets = len(tickets)
    if len(tickets) != plan.places:
        problems.append(f"{len(tickets)} tickets for {plan.places} places")
    on = Counter(one.incident_id for ticket in tickets for one in ticket.incidents)
    if len(on) != plan.incidents or set(on.values()) != {1}:
        problems.append(f"{len(on)} of {plan.incidents} incidents, on tickets {set(on.values())}")
    for ticket in tickets:
        places = {plan.place_of(int(one.incident_id[6:])) for one in ticket.incidents}
        if len(places) != 1 or ticket.count != len(ticket.incidents):
            problems.append(f"{ticket.ticket_id}: places {places}, count {ticket.count}")
    numbers = {
        code: [message.ticket_id for message in desk.read_queue(code)] for code in desk.waiting()
    }
    for code, queue in numbers.items():
        if queue != sorted(queue):
            problems.append(f"queue of {code} is out of order")
        if desk.waiting()[code] != len(queue):
            problems.append(f"queue of {code} is counted wrong")
    queued = Counter(number for queue in numbers.values() for number in queue)
    if queued != Counter(ticket.ticket_id for ticket in tickets):
        problems.append("not every ticket waits in just one queue")


def main() -> None:
    """See the module."""
    options = argparse.ArgumentParser(description=__doc__)
    for name, value in asdict(Plan()).items():
        options.add_argument(f"--{name}", type=type(value), default=value)
    plan = Plan(**vars(options.parse_args()))
    with tempfile.TemporaryDirectory(prefix="gridwatch-storm-") as folder:
        outcome = storm(plan, Path(folder))
    sys.stdout.write(json.dumps(asdict(outcome), indent=2) + "\n")
    sys.exit(1 if outcome.problems else 0)


if __name__ == "__main__":
    main()
