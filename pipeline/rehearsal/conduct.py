"""Makes happen what a scenario plans, when it is due."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pipeline.errors import GridwatchError
from pipeline.rehearsal.channel import Fault, FaultKind
from pipeline.rehearsal.processes import kill, uses
from pipeline.rehearsal.proxy import Line
from pipeline.rehearsal.rhythm import Episode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.rehearsal.proxy import RunningProxy
    from pipeline.rehearsal.record import Record
    from pipeline.rehearsal.scenario import FaultPlan, GroupPlan, KillPlan, RedisFaultPlan, Way
    from pipeline.rehearsal.serve import CityProcess

_FLAP_S = 3.0  # a flapping camera's connections live this long

_KINDS: dict[Way, FaultKind] = {
    "refuse": FaultKind.REFUSE,
    "unauthorised": FaultKind.UNAUTHORISED,
    "not_found": FaultKind.NOT_FOUND,
    "hang": FaultKind.HANG,
    "silent": FaultKind.SILENT,
    "stall": FaultKind.STALL,
    "trickle": FaultKind.TRICKLE,
    "garbage": FaultKind.GARBAGE,
    "frozen": FaultKind.SHOW,
    "flapping": FaultKind.CLOSE,
    "black": FaultKind.SHOW,
    "covered": FaultKind.SHOW,
    "turned": FaultKind.SHOW,
}


def spoilt_name(clip: str, way: str) -> str:
    """The city's name of a clip spoilt in this way."""
    return f"{clip}:{way}"


@dataclass(frozen=True, slots=True)
class Event:
    at_s: float
    text: str
    act: Callable[[float], None]
    """Takes the time at which it really happens, in seconds from the start."""


class Victim(Protocol):
    """The daemon, as far as it can be hurt."""

    def pid(self) -> int: ...

    def kill(self) -> None:
        """As by kill -9; it is started again at once."""
        ...


class Conductor:
    """``due`` does what is due; what can't be done is noted in the record, and the rest goes on."""

    def __init__(
        self, record: Record, city: CityProcess, proxy: RunningProxy, victim: Victim
    ) -> None:
        self._record = record
        self._city = city
        self._proxy = proxy
        self._victim = victim
        self._random = random.Random(record.scenario.seed)  # noqa: S311 - the same at each run
        self._events = sorted(self._planned(), key=lambda event: event.at_s)

    def due(self, now_s: float) -> None:
        while self._events and self._events[0].at_s <= now_s:
            event = self._events.pop(0)
            self._record.history.append(f"{now_s:.1f} s: {event.text}")
            try:
                event.act(now_s)
            except (GridwatchError, OSError, TimeoutError) as error:
                self._record.notes.append(f"{event.text}: {error}")

    def next_s(self) -> float:
        """When the next event is due."""
        return self._events[0].at_s if self._events else float("inf")

    def _planned(self) -> Iterator[Event]:
        scenario = self._record.scenario
        for group in scenario.groups:
            for fault in group.faults:
                back_s = scenario.limits.back_within_s or 0.0
                if self._fits(f"{fault.way} ({group.name})", fault.ends_s + back_s):
                    yield from self._fault(group, fault)
        for line in scenario.redis:
            if self._fits(f"Redis {line.way}", line.at_s + line.for_s):
                yield from self._redis(line)
        yield from self._kills(scenario.kill_workers, "worker", self._kill_worker)
        yield from self._kills(scenario.kill_daemon, "daemon", self._kill_daemon)

    def _fits(self, what: str, ends_s: float) -> bool:
        if ends_s > self._record.scenario.seconds:
            self._record.left_out.append(what)
            return False
        return True

    def _fault(self, group: GroupPlan, plan: FaultPlan) -> Iterator[Event]:
        cameras = tuple(self._record.cast.group(group.name))
        episodes: list[Episode] = []

        def begin(now_s: float) -> None:
            self._set(group, plan.way)
            episode = Episode(group.name, plan.way, plan.wanted, cameras, now_s)
            episodes.append(episode)
            self._record.episodes.append(episode)

        def end(now_s: float) -> None:
            self._set(group, None, plan.way)
            for episode in episodes:
                episode.ended_s = now_s

        text = f"{plan.way} ({group.name}, {len(cameras)})"
        yield Event(plan.at_s, text, begin)
        yield Event(plan.ends_s, f"{text} 结束 / ends", end)

    def _set(self, group: GroupPlan, way: Way | None, was: Way | None = None) -> None:
        if "reboot" in (way, was):
            self._city.switch(self._record.cast.hosts(group.name), on=way is None)
            return
        by_clip: dict[str, list[str]] = {}
        for camera_id in self._record.cast.group(group.name):
            by_clip.setdefault(self._record.cast.members[camera_id].clip, []).append(camera_id)
        for clip, cameras in by_clip.items():
            self._city.set_fault(cameras, way and fault_of(way, clip))

    def _redis(self, plan: RedisFaultPlan) -> Iterator[Event]:
        line = Line[plan.way.upper()]

        def begin(_: float) -> None:
            self._proxy.set_line(line, plan.delay_s)

        def end(_: float) -> None:
            self._proxy.set_line(Line.PASS)

        yield Event(plan.at_s, f"Redis {plan.way}", begin)
        yield Event(plan.at_s + plan.for_s, f"Redis {plan.way} 结束 / ends", end)

    def _kills(
        self, plan: KillPlan | None, what: str, act: Callable[[float], None]
    ) -> Iterator[Event]:
        if plan is None:
            return
        self._record.kills[what] = 0
        at_s, to_s = plan.from_s, min(plan.to_s, self._record.scenario.seconds)
        while at_s < to_s:
            yield Event(at_s, f"kill -9 {what}", act)
            at_s += plan.every_s

    def _kill_worker(self, _: float) -> None:
        workers = [use.pid for use in uses(self._victim.pid()) if use.role == "worker"]
        if workers:
            kill(self._random.choice(sorted(workers)))
            self._record.kills["worker"] += 1
        else:
            self._record.notes.append("没有可杀的取流进程 / no worker process to kill")

    def _kill_daemon(self, _: float) -> None:
        self._victim.kill()
        self._record.kills["daemon"] += 1


def fault_of(way: Way, clip: str) -> Fault:
    """The city's fault for a way in which a camera that shows ``clip`` fails."""
    kind = _KINDS[way]
    return Fault(
        kind,
        after_s=_FLAP_S if kind is FaultKind.CLOSE else 0.0,
        clip=spoilt_name(clip, way) if kind is FaultKind.SHOW else None,
    )
