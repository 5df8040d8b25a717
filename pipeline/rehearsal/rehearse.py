"""Runs a rehearsal: builds the town, starts everything, watches, hurts, and says how it went.

The city, Redis and ``gridwatch run`` are processes of their own. Whatever happens to them, to the
machine or to this program, as far as it lives: there is a verdict at the end.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from rich.console import Console
from rich.live import Live

from pipeline.clock import SystemClock
from pipeline.errors import GridwatchError, InputError
from pipeline.rehearsal.cast import cast
from pipeline.rehearsal.city import CityCamera
from pipeline.rehearsal.clips import Spoilt, made
from pipeline.rehearsal.conduct import Conductor, spoilt_name
from pipeline.rehearsal.picture import draw, line, live_table, verdict_table
from pipeline.rehearsal.processes import Program, alive, shared_memory
from pipeline.rehearsal.proxy import proxy_to
from pipeline.rehearsal.record import Ending, Record
from pipeline.rehearsal.scenario import load_scenario
from pipeline.rehearsal.serve import CityProcess
from pipeline.rehearsal.stage import set_up
from pipeline.rehearsal.verdict import verdict_of
from pipeline.rehearsal.watching import Watcher
from pipeline.settings import RedisSettings, Settings
from pipeline.settings_file import load_settings
from pipeline.tickets import Outbox, open_desk, open_redis
from pipeline.tickets.coverage import CoverageLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.clock import Clock
    from pipeline.rehearsal.rhythm import Rhythm
    from pipeline.rehearsal.scenario import Scenario
    from pipeline.rehearsal.verdict import Verdict
    from pipeline.tickets import OpenDesk

_SPOILT: tuple[Spoilt, ...] = get_args(Spoilt)
# Samples are this far apart; of a large town each costs a tenth of a second of a core.
_SMALL, _SAMPLE_S, _LARGE_SAMPLE_S = 100, 1.0, 5.0
_SETTLE_S = 3.0  # so that what was counted at the end as sent has arrived
_STOP_S = 60.0
_ORPHAN_S = 300.0
_LINE_EVERY_S = 30.0


def command(
    name: str,
    *,
    cameras: int | None = None,
    seconds: float | None = None,
    out: Path | None = None,
    as_json: bool = False,
) -> int:
    """``gridwatch rehearse``: the exit code. Raises InputError for a wrong scenario or settings.

    ``out`` keeps verdict.json, curves.svg, the logs and the town.
    """
    scenario = chosen(name, cameras=cameras, seconds=seconds)
    console = Console(stderr=as_json, markup=False)
    # So that what was started is stopped, too, and there is a verdict, when we are ended by kill.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    with ExitStack() as stack:
        folder = out
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gridwatch-")))
        elif folder.exists() and any(folder.iterdir()):
            raise InputError("is not empty", file=folder, where="--out", allowed="a new folder")
        verdict = rehearse(scenario, folder, show=stack.enter_context(_showing(console)))
    console.print(verdict_table(verdict))
    if as_json:
        sys.stdout.write(json.dumps(verdict.as_json(), ensure_ascii=False, indent=2) + "\n")
    return 0 if verdict.passed else 1


@contextmanager
def _showing(console: Console) -> Iterator[Callable[[Record], None]]:
    """The live table; where nobody sees one, as in a log, a line now and then."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=2) as live:
            yield lambda record: live.update(live_table(record))
        return
    told_s = -_LINE_EVERY_S
    doing = ""

    def tell(record: Record) -> None:
        nonlocal told_s, doing
        at_s = record.points[-1].at_s if record.points else told_s
        if at_s - told_s >= _LINE_EVERY_S or (not record.points and record.doing != doing):
            told_s, doing = at_s, record.doing
            console.print(line(record), soft_wrap=True)

    yield tell


def chosen(name: str, *, cameras: int | None = None, seconds: float | None = None) -> Scenario:
    """A scenario with another number of cameras or another length. Raises ScenarioError."""
    scenario = load_scenario(name)
    changed = {"cameras": cameras, "seconds": seconds}
    changed = {field: value for field, value in changed.items() if value is not None}
    scenario = scenario.model_copy(update=changed)
    scenario.sizes()
    return scenario


def rehearse(
    scenario: Scenario,
    folder: Path,
    *,
    clock: Clock | None = None,
    show: Callable[[Record], None] = lambda _: None,
) -> Verdict:
    """Run it in ``folder``. Raises InputError when the scenario can't be played at all.

    ``show`` is called after every sample.
    """
    clock = clock or SystemClock()
    folder.mkdir(parents=True, exist_ok=True)
    record = Record(scenario, cast(scenario))
    try:
        _Rehearsal(record, folder, clock, show).run()
    except InputError:
        raise
    except KeyboardInterrupt:
        record.notes.append("被中断 / interrupted")
    except Exception as error:  # noqa: BLE001 - there is always a verdict
        record.notes.append(f"{type(error).__name__}: {error}")
    verdict = verdict_of(record)
    with suppress(OSError):
        text = json.dumps(verdict.as_json(), ensure_ascii=False, indent=2)
        (folder / "verdict.json").write_text(text + "\n", encoding="utf-8")
        draw(record, folder / "curves.svg")
    return verdict


class _Daemon:
    """``gridwatch run`` as a process, started again when it was killed on purpose."""

    def __init__(self, settings: Path, log: Path, seconds: float) -> None:
        """It ends by itself long after ``seconds``, should we be gone by then."""
        limit = ["--seconds", str(seconds + _ORPHAN_S)]
        self._arguments = ["pipeline.cli", "run", "-s", str(settings), *limit]
        self._log = log
        self._program = self._start()

    def pid(self) -> int:
        return self._program.pid

    def kill(self) -> None:
        self._program.kill()
        self._program = self._start()

    def check(self) -> None:
        self._program.check()

    def stop(self) -> bool:
        """Whether it ended when asked to."""
        return self._program.stop(_STOP_S) is not None

    def _start(self) -> Program:
        return Program("gridwatch run", self._arguments, self._log)


class _Rehearsal:
    def __init__(
        self, record: Record, folder: Path, clock: Clock, show: Callable[[Record], None]
    ) -> None:
        self._record = record
        self._folder = folder
        self._clock = clock
        self._show = show
        self._scenario = record.scenario
        self._pids: set[int] = set()

    def run(self) -> None:
        """Raises InputError; whatever else goes wrong ends in the record's notes, or is raised."""
        record, folder = self._record, self._folder
        names_before = shared_memory()
        with ExitStack() as stack:
            city = stack.enter_context(self._city())
            redis = stack.enter_context(open_redis(RedisSettings(), folder / "redis"))
            proxy = stack.enter_context(proxy_to(redis.connection_pool.connection_kwargs["path"]))
            port = _free_port()
            file = self._settings(city.urls, proxy.port, port)
            settings = load_settings(file)
            opened = stack.enter_context(self._desk(settings))
            daemon = _Daemon(file, folder / "run.log", self._scenario.seconds)
            stack.callback(daemon.stop)
            ledger = CoverageLedger(redis, clock=self._clock, prefix=settings.redis.prefix)
            watcher = Watcher(opened, ledger, city, daemon.pid, clock=self._clock, port=port)
            conductor = Conductor(record, city, proxy, daemon)
            try:
                self._watch(watcher, conductor, daemon)
            except KeyboardInterrupt:
                record.notes.append("被中断 / interrupted")
            except GridwatchError as error:
                record.notes.append(str(error))
            except Exception as error:  # noqa: BLE001 - what was seen so far still counts
                record.notes.append(f"{type(error).__name__}: {error}")
            record.ending = self._end(watcher, daemon, city, opened, settings)
        record.ending.left = [
            *(f"pid {pid}" for pid in alive(sorted(self._pids))),
            *(f"shared memory {name}" for name in sorted(shared_memory() - names_before)),
        ]

    def _watch(self, watcher: Watcher, conductor: Conductor, daemon: _Daemon) -> None:
        every_s = _SAMPLE_S if len(self._record.cast.members) <= _SMALL else _LARGE_SAMPLE_S
        while (now_s := watcher.now_s()) < self._scenario.seconds:
            conductor.due(now_s)
            daemon.check()
            sample = watcher.sample()
            self._pids |= {use.pid for use in sample.uses}
            self._record.feed(sample)
            self._show(self._record)
            next_s = min(now_s + every_s, conductor.next_s(), self._scenario.seconds)
            self._clock.sleep(max(0.0, next_s - watcher.now_s()))

    def _end(
        self,
        watcher: Watcher,
        daemon: _Daemon,
        city: CityProcess,
        opened: OpenDesk,
        settings: Settings,
    ) -> Ending:
        """Stop the daemon and look at what it left; a step that fails doesn't cost the others."""
        ending = Ending()
        with self._noting("city"):
            ending.sent, _ = city.served()
            self._clock.sleep(_SETTLE_S)
            self._record.feed(watcher.sample())
        began_s = self._clock.monotonic()
        if daemon.stop():
            ending.stop_s = self._clock.monotonic() - began_s
        with (
            self._noting("outbox"),
            Outbox(settings.data_dir / "outbox.sqlite", self._clock) as box,
        ):
            ending.backlog, ending.refused = box.backlog(), len(box.refused())
        with self._noting("Redis"):
            ending.tickets = opened.desk.tickets(limit=100_000)
            ending.seen = watcher.cameras()
            ending.rhythm = self._rhythm(watcher)
        return ending

    def _rhythm(self, watcher: Watcher) -> Rhythm | None:
        """As the ledger knows it; from the samples where the time was too short for that."""
        record = self._record
        from_s, to_s = record.scenario.limits.warm_up_s, record.ended_s
        known = watcher.rhythm(sorted(record.steady), from_s, to_s)
        return known or record.gaps.rhythm(to_s)

    @contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        try:
            yield
        except (GridwatchError, OSError) as error:
            self._record.notes.append(f"{what}: {error}")

    def _city(self) -> CityProcess:
        cast_, scenario = self._record.cast, self._scenario
        clips: dict[str, Path] = {}
        streets = {member.clip: member.street for member in cast_.members.values()}
        ways = {
            (clip, fault.way)
            for group in scenario.groups
            for clip in group.clips
            for fault in group.faults
        }
        for name, street in streets.items():
            plan = scenario.clips[name]
            self._record.doing = f"片段 / clip {name}"
            self._show(self._record)
            at_s = min((hazard.start_s for hazard in street.hazards), default=None)
            clips[name] = made(street.path, plan, self._folder / "clips", hazard_at_s=at_s)
            for way in _SPOILT:
                if (name, way) in ways:
                    file = made(street.path, plan, self._folder / "clips", way, hazard_at_s=at_s)
                    clips[spoilt_name(name, way)] = file
        cameras = {
            camera_id: CityCamera(member.clip, phase_s=member.phase_s, host=member.host)
            for camera_id, member in cast_.members.items()
        }
        self._record.doing = "启动中 / starting"
        self._show(self._record)
        return CityProcess(clips, cameras, self._folder / "city.log")

    def _settings(self, urls: dict[str, str], redis_port: int, port: int) -> Path:
        cameras = {
            camera_id: (member.camera, member.street)
            for camera_id, member in self._record.cast.members.items()
        }
        own: dict[str, Any] = {
            "ingest": {},
            "redis": {"url": f"redis://127.0.0.1:{redis_port}/0"},
            "telemetry": {"port": port},
        }
        return set_up(self._folder, cameras, urls, _merged(own, self._scenario.settings))

    def _desk(self, settings: Settings) -> Any:
        """Past the proxy, so that it can be asked while the daemon can't reach Redis."""
        ours = {"data_dir": self._folder / "redis", "redis": RedisSettings()}
        return open_desk(settings.model_copy(update=ours), self._clock)


def _merged(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in more.items():
        before = merged.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            value = _merged(before, value)  # noqa: PLW2901 - section by section
        merged[key] = value
    return merged


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
