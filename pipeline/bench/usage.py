"""What a process and its children use, as the kernel counts it (Linux)."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Usage:
    """Of several processes together.

    ``cpu_s``: processor seconds since each began. ``pss_bytes``: memory; a page that processes
    share is counted to each by its share.
    """

    cpu_s: float
    pss_bytes: int


def usage_of(pid: int) -> Usage:
    """Of a process and all its descendants; one that ends meanwhile counts no more."""
    pids = _family(pid)
    return Usage(sum(map(_cpu_s, pids)), sum(map(_pss, pids)))


def _family(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        for children in _PROC.glob(f"{one}/task/*/children"):
            with suppress(OSError):
                waiting += [int(child) for child in children.read_text().split()]
    return found


def _cpu_s(pid: int) -> float:
    try:
        after_name = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(after_name[11]) + int(after_name[12])) / _TICKS_PER_S


def _pss(pid: int) -> int:
    try:
        rollup = (_PROC / str(pid) / "smaps_rollup").read_text()
    except OSError:
        return 0
    return next(
        (int(line.split()[1]) << 10 for line in rollup.splitlines() if line.startswith("Pss:")), 0
    )
