"""What a rehearsal comes to: one line for each thing that was to be shown, and passed or not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.rehearsal.record import Point, Record
    from pipeline.rehearsal.rhythm import Episode

_MIB = 1 << 20
_NAMED = 5  # cameras that a line names at most
_POINTS_AT_LEAST = 8  # fewer say nothing about growth


@dataclass(frozen=True, slots=True)
class Line:
    """``passed`` None: told, but not judged. ``figure`` is what ``told`` says as a number."""

    name: str
    title: str
    told: str
    passed: bool | None = None
    figure: float | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    scenario: str
    cameras: int
    seconds: float
    lines: tuple[Line, ...]
    history: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return all(line.passed is not False for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        """``passed`` first, then what was rehearsed, the lines, and what was done when."""
        return {"passed": self.passed, **asdict(self)}


def verdict_of(record: Record) -> Verdict:
    """Never raises: a line that can't be worked out fails and says why."""
    lines: list[Line] = []
    for part in _PARTS:
        try:
            lines += part(record)
        except Exception as error:  # noqa: BLE001 - a bug here must not cost the other lines
            told = f"{type(error).__name__}: {error}"
            lines.append(
                Line(part.__name__.strip("_"), "无法判定 / not worked out", told, passed=False)
            )
    scenario = record.scenario
    return Verdict(
        scenario.source,
        len(record.cast.members),
        record.ended_s,
        tuple(lines),
        tuple(record.history),
    )


def _judged(name: str, title: str, told: str, figure: float | None, limit: float | None) -> Line:
    """Passed when the figure is at most the limit; a figure that is missing fails."""
    passed = None if limit is None else figure is not None and figure <= limit
    if limit is not None:
        told += f" (≤ {limit:g})"
    return Line(name, title, told, passed, figure, limit)


def _ran(record: Record) -> Iterator[Line]:
    seconds = record.scenario.seconds
    whole = record.ended_s >= 0.95 * seconds
    told = "; ".join([f"{record.ended_s:.0f} / {seconds:.0f} s", *record.notes])
    yield Line("ran", "全程运行 / ran to the end", told, whole and not record.notes)
    if record.left_out:
        yield Line("left_out", "时间不够，未演练 / no time for", ", ".join(record.left_out))


def _live(record: Record) -> Iterator[Line]:
    cameras, limit = record.cast.members, record.scenario.limits.live_within_s
    missing = [one for one in cameras if one not in record.first_live_s]
    slowest = max(record.first_live_s.values(), default=0.0)
    told = f"{len(cameras) - len(missing)} / {len(cameras)}, {slowest:.0f} s"
    if missing:
        told += f"; 未上线 / never: {_named(missing)}"
    figure = None if missing or not cameras else slowest
    yield _judged("live", "摄像头上线 / cameras live", told, figure, limit)


def _keys(record: Record) -> Iterator[Line]:
    """What the city had sent before the end against what ingest says that it saw.

    Of cameras that nothing was planned against: what a cut connection swallowed isn't unseen.
    """
    ending, limit = record.ending, record.scenario.limits.unseen_keys
    sent = sum(one["keys"] for name, one in ending.sent.items() if name in record.steady)
    total = sum(one["keys"] for one in ending.sent.values())
    by_metrics = record.seen_keys()
    if by_metrics:
        sent, seen = total, by_metrics
    else:
        seen = sum(one.looks for name, one in ending.seen.items() if name in record.steady)
    unseen = max(0, sent - seen) / sent if sent else None
    told = f"发出 / served {sent}, 收到 / seen {seen}, 未见 / unseen {max(0, sent - seen)}"
    if total != sent:
        told += f" (全部 / all: {total})"
    yield _judged("keys", "关键帧 / key frames", told, unseen, limit)


def _looks(record: Record) -> Iterator[Line]:
    counts = {key[1]: value for key, value in record.metrics.items() if key[0] == "looks_total"}
    told = ", ".join(
        f"{'/'.join(key)} {value:.0f}" for key, value in sorted(counts.items()) if value
    )
    points = record.settled()
    looks = record.points[-1].looks if record.points else 0
    if len(points) > 1:
        per_s = (points[-1].looks - points[0].looks) / (points[-1].at_s - points[0].at_s)
        told = f"{looks}, {per_s:.1f} /s; {told}" if told else f"{looks}, {per_s:.1f} /s"
    yield Line("looks", "看图 / looks", told or str(looks), looks > 0, looks)


def _gap(record: Record) -> Iterator[Line]:
    limits, rhythm = record.scenario.limits, record.ending.rhythm
    told = longest_s = ratio = None
    if rhythm is not None:
        longest_s, ratio = rhythm.longest_s, rhythm.longest_s / max(rhythm.mean_s, 1e-3)
        told = f"{longest_s:.1f} s ({rhythm.camera_id})"
    title = "最长间隔 / longest gap"
    yield _judged("gap", title, told or "—", longest_s, limits.longest_gap_s)
    if rhythm is not None:
        told = f"{ratio:.2f} × {rhythm.mean_s:.2f} s"
    title = "最长间隔与平均之比 / longest gap by mean"
    yield _judged("gap_to_mean", title, told or "—", ratio, limits.longest_gap_to_mean)


def _reconnects(record: Record) -> Iterator[Line]:
    again = {name: count - 1 for name, count in record.sessions.items() if count > 1}
    steady = sum(count for name, count in again.items() if name in record.steady)
    told = f"{steady}; 含故障 / with faulty ones {sum(again.values())}"
    limit = record.scenario.limits.reconnects
    yield _judged("reconnects", "重连 / reconnects", told, steady, limit)


def _cost(record: Record) -> Iterator[Line]:
    limits, points = record.scenario.limits, record.settled() or record.points
    count = len(record.cast.members)
    cpu = memory = None
    if len(points) > 1:
        passed_s = points[-1].at_s - points[0].at_s
        cpu = 100.0 * (points[-1].cpu_s - points[0].cpu_s) / passed_s / count
        memory = median(point.memory for point in points) / _MIB / count
    told = "—" if cpu is None else f"{cpu:.2f} % ({cpu * count / 100:.2f} 核 / cores)"
    title = "每路 CPU / CPU per camera"
    yield _judged("cpu", title, told, cpu, limits.cpu_percent_per_camera)
    told = "—" if memory is None else f"{memory:.2f} MiB ({memory * count:.0f} MiB)"
    title = "每路内存 / memory per camera"
    yield _judged("memory", title, told, memory, limits.memory_mib_per_camera)


def _growth(record: Record) -> Iterator[Line]:
    limits, points = record.scenario.limits, record.settled()
    slope = _slope_percent(points)
    told = "—" if slope is None else f"{slope:+.1f} %"
    limit = limits.memory_growth_percent
    yield _judged("memory_growth", "内存增长 / memory growth", told, slope, limit)
    wanted: Sequence[tuple[str, str, Callable[[Point], float], float | None]] = (
        # A camera that is away has none.
        (
            "fds",
            "描述符增长，不计在线 / descriptors beyond live cameras",
            lambda point: point.fds - point.live,
            limits.growth_fds,
        ),
        ("threads", "线程增长 / threads", lambda point: point.threads, limits.growth_threads),
        (
            "shared",
            "共享内存增长 / shared memory, MiB",
            lambda point: point.shared / _MIB,
            limits.growth_shared_mib,
        ),
    )
    for name, title, value_of, most in wanted:
        if len(points) < _POINTS_AT_LEAST:
            yield Line(name, title, "太短 / too short to tell")
            continue
        quarter = len(points) // 4
        first = median(map(value_of, points[:quarter]))
        last = median(map(value_of, points[-quarter:]))
        yield _judged(name, title, f"{first:.0f} → {last:.0f}", last - first, most)


def _slope_percent(points: Sequence[Point]) -> float | None:
    """By how much memory grew from first to last point along a straight line through all."""
    if len(points) < _POINTS_AT_LEAST:
        return None
    times = np.array([point.at_s for point in points])
    memory = np.array([point.memory for point in points], np.float64)
    slope = float(np.polyfit(times, memory, 1)[0])
    return 100.0 * slope * float(times[-1] - times[0]) / float(np.median(memory))


def _states(record: Record) -> Iterator[Line]:
    limits = record.scenario.limits
    for episode in record.episodes:
        where = f"{episode.way} ({episode.group}, {len(episode.cameras)})"
        if episode.wanted:
            title = f"状态判定 / state: {where}"
            limit = limits.state_within_s
            told, figure = _arrivals(episode, episode.right_s)
            yield _judged(f"state {episode.way}", title, told, figure, limit)
        if episode.ended_s is not None:
            title = f"恢复 / back: {where}"
            told, figure = _arrivals(episode, episode.back_s, after=True)
            yield _judged(f"back {episode.way}", title, told, figure, limits.back_within_s)


def _arrivals(
    episode: Episode, arrived_s: dict[str, float], *, after: bool = False
) -> tuple[str, float | None]:
    """The slowest of an episode's cameras; None where one never got there."""
    missing = [one for one in episode.cameras if one not in arrived_s]
    slowest = max(arrived_s.values(), default=0.0)
    told = f"{len(arrived_s)} / {len(episode.cameras)}, {slowest:.0f} s"
    if missing and not after:
        called = sorted({episode.called.get(one, "—") for one in missing})
        told += f"; {_named(missing)}: {', '.join(called)}, not {' | '.join(episode.wanted)}"
    elif missing:
        told += f"; {_named(missing)}"
    return told, None if missing else slowest


def _kills(record: Record) -> Iterator[Line]:
    for what, count in record.kills.items():
        yield Line(f"killed {what}", f"强杀 / killed: {what}", str(count), count > 0, count)


def _planted(record: Record) -> Iterator[Line]:
    limits, wanted = record.scenario.limits, record.cast.expected
    tickets = record.ending.tickets
    of = {
        one: [t for t in tickets if t.hazard == one.hazard and one.camera_id in t.camera_ids]
        for one in wanted
    }
    lost = [
        one for one, found in of.items() if not any(t.grid_code == one.grid_code for t in found)
    ]
    told = f"{len(wanted) - len(lost)} / {len(wanted)}, 缺 / lost {len(lost)}"
    if lost:
        told += ": " + ", ".join(f"{one.hazard} {one.camera_id}" for one in lost[:_NAMED])
    yield _judged("lost", "预设隐患 / planted hazards", told, len(lost), limits.lost)
    doubled = sum(max(0, len(found) - 1) for found in of.values())
    yield _judged("doubled", "重复案卷 / doubled tickets", str(doubled), doubled, limits.doubled)
    known = {ticket.ticket_id for found in of.values() for ticket in found}
    others = [ticket for ticket in tickets if ticket.ticket_id not in known]
    told = str(len(others))
    if others:
        told += ": " + ", ".join(f"{t.hazard} {t.camera_ids[0]}" for t in others[:_NAMED])
    title = "非预设案卷 / tickets not planted"
    yield _judged("not_planted", title, told, len(others), limits.not_planted)


def _left(record: Record) -> Iterator[Line]:
    ending, limit = record.ending, record.scenario.limits.stop_within_s
    told = "—" if ending.backlog is None else f"{ending.backlog}, 被拒 / refused {ending.refused}"
    good = ending.backlog == 0 and ending.refused == 0
    yield Line("outbox", "未送达 / left in the outbox", told, good, ending.backlog)
    told = "被强杀 / had to be killed" if ending.stop_s is None else f"{ending.stop_s:.1f} s"
    yield _judged("stop", "停机 / stop", told, ending.stop_s, limit)
    told = ", ".join(ending.left) or "无 / nothing"
    yield Line("left", "残留 / left behind", told, not ending.left, len(ending.left))
    told = f"{record.late_s:.1f} s"
    yield Line("city", "小镇发送滞后 / the city was late by", told, None, record.late_s)


def _named(cameras: Sequence[str]) -> str:
    more = f" +{len(cameras) - _NAMED}" if len(cameras) > _NAMED else ""
    return ", ".join(cameras[:_NAMED]) + more


_PARTS: tuple[Callable[[Record], Iterator[Line]], ...] = (
    _ran,
    _live,
    _keys,
    _looks,
    _gap,
    _reconnects,
    _states,
    _kills,
    _planted,
    _cost,
    _growth,
    _left,
)
