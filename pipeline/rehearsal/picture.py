"""What a rehearsal shows: the live table, the verdict, and the curves over time as an SVG file."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pipeline.rehearsal.record import Point, Record
    from pipeline.rehearsal.verdict import Verdict

_MIB = 1 << 20
_WIDTH, _HEIGHT, _MARGIN, _GAP = 900, 150, 70, 34
_CURVES: tuple[tuple[str, Callable[[Point], float]], ...] = (
    ("在线摄像头 / cameras live", lambda point: point.live),
    ("看图总数 / looks", lambda point: point.looks),
    ("内存 / memory, MiB", lambda point: point.memory / _MIB),
    ("描述符 / descriptors", lambda point: point.fds),
    ("线程 / threads", lambda point: point.threads),
)


def live_table(record: Record) -> Group:
    """The state of the rehearsal at its newest sample."""
    if not record.points:
        return Group(record.doing)
    now = record.points[-1]
    before = next((p for p in record.points[::-1] if now.at_s - p.at_s >= 10), record.points[0])
    passed_s = max(now.at_s - before.at_s, 1e-3)
    numbers = Table(show_header=False, box=None, padding=(0, 2))
    rows = (
        ("时间 / time", f"{now.at_s:.0f} / {record.scenario.seconds:.0f} s"),
        ("在线 / live", f"{now.live} / {len(record.cast.members)}"),
        ("看图 / looks", f"{now.looks}, {(now.looks - before.looks) / passed_s:.1f} /s"),
        ("关键帧 / key frames served", f"{now.keys}"),
        ("CPU", f"{100 * (now.cpu_s - before.cpu_s) / passed_s:.0f} %"),
        ("内存 / memory", f"{now.memory / _MIB:.0f} MiB"),
        ("描述符, 线程 / fds, threads", f"{now.fds}, {now.threads}"),
        ("取流进程 / workers", f"{now.workers}"),
        ("小镇滞后 / city late", f"{record.late_s:.1f} s"),
        ("最近 / last", record.history[-1] if record.history else "—"),
    )
    for row in rows:
        numbers.add_row(*row)
    states = Table("状态 / state", "摄像头 / cameras")
    for state, count in Counter(record.states.values()).most_common():
        states.add_row(state, str(count))
    return Group(numbers, states, *(f"! {note[:200]}" for note in record.notes))


def line(record: Record) -> str:
    """The newest sample in one line, for logs."""
    if not record.points:
        return record.doing
    now = record.points[-1]
    states = Counter(record.states.values()).most_common()
    told = ", ".join(f"{state} {count}" for state, count in states)
    return f"{now.at_s:.0f} s: {told}; looks {now.looks}, memory {now.memory / _MIB:.0f} MiB"


def verdict_table(verdict: Verdict) -> Table:
    table = Table(
        "",
        "项目 / what",
        "结果 / result",
        title=f"{verdict.scenario}: {verdict.cameras} 路 / cameras, {verdict.seconds:.0f} s",
        caption="通过 / passed" if verdict.passed else "未通过 / failed",
    )
    signs = {True: "✓", False: "✗", None: "·"}
    styles = {True: None, False: "red", None: "dim"}
    for line in verdict.lines:
        table.add_row(signs[line.passed], line.title, line.told, style=styles[line.passed])
    return table


def draw(record: Record, file: Path) -> None:
    """The curves over time, one above the other, with the times of faults shaded."""
    points = record.points
    last_s = max((point.at_s for point in points), default=1.0) or 1.0
    parts = [_panel(name, points, of, at, last_s) for at, (name, of) in enumerate(_CURVES)]
    height = len(_CURVES) * (_HEIGHT + _GAP) + _GAP
    shades = "".join(
        _shade(one.began_s, one.ended_s or last_s, last_s, height, f"{one.way} ({one.group})")
        for one in record.episodes
    )
    file.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + 2 * _MARGIN} {height}" '
        f'font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="white"/>{shades}{"".join(parts)}</svg>',
        encoding="utf-8",
    )


def _panel(
    name: str, points: Sequence[Point], of: Callable[[Point], float], at: int, last_s: float
) -> str:
    top = _GAP + at * (_HEIGHT + _GAP)
    highest = max((of(point) for point in points), default=0.0) or 1.0
    line = " ".join(
        f"{_x(point.at_s, last_s):.1f},{top + _HEIGHT * (1 - of(point) / highest):.1f}"
        for point in points
    )
    right, bottom = _MARGIN + _WIDTH, top + _HEIGHT
    return (
        f'<text x="{_MARGIN}" y="{top - 6}">{escape(name)}</text>'
        f'<rect x="{_MARGIN}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" '
        f'stroke="#bbb"/>'
        f'<text x="{_MARGIN - 6}" y="{top + 10}" text-anchor="end">{highest:.0f}</text>'
        f'<text x="{_MARGIN - 6}" y="{bottom}" text-anchor="end">0</text>'
        f'<text x="{right}" y="{bottom + 14}" text-anchor="end">{last_s:.0f} s</text>'
        f'<polyline points="{line}" fill="none" stroke="#1f6feb" stroke-width="1.5"/>'
    )


def _shade(from_s: float, to_s: float, last_s: float, height: int, name: str) -> str:
    left, right = _x(from_s, last_s), _x(to_s, last_s)
    return (
        f'<rect x="{left:.1f}" y="0" width="{right - left:.1f}" height="{height}" fill="#d73a49" '
        f'opacity="0.08"><title>{escape(name)}</title></rect>'
    )


def _x(at_s: float, last_s: float) -> float:
    return _MARGIN + _WIDTH * at_s / last_s
