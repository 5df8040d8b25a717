"""How busy an NVIDIA GPU is while something is measured, as ``nvidia-smi`` tells it."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.clock import Clock

EVERY_S = 1.0
ASKED = ("name", "driver_version", "memory.total", "memory.used", "utilization.gpu", "power.draw")
_COMMAND = ("nvidia-smi", f"--query-gpu={','.join(ASKED)}", "--format=csv,noheader,nounits")


@dataclass(frozen=True, slots=True)
class GpuUse:
    """Of the first GPU, over ``samples`` moments: in percent, MiB and watts."""

    samples: int
    busy_mean: float
    busy_most: float
    memory_most_mib: float
    power_mean_w: float

    def row(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in self.__slots__}


def gpus() -> list[dict[str, str]]:
    """What ``nvidia-smi`` says of each GPU at this moment; empty where there is none."""
    try:
        told = subprocess.run(  # noqa: S603 - our own
            _COMMAND, capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [dict(zip(ASKED, row.split(", "), strict=False)) for row in told.stdout.splitlines()]


class GpuWatch:
    """Asks once a second while its block runs; ``use`` is None where there was nothing to ask."""

    def __init__(self, clock: Clock, ask: Callable[[], list[dict[str, str]]] = gpus) -> None:
        self._clock = clock
        self._ask = ask
        self._rows: list[dict[str, str]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def use(self) -> GpuUse | None:
        if not self._rows:
            return None
        busy, memory, power = (
            [_number(row.get(name, "")) for row in self._rows]
            for name in ("utilization.gpu", "memory.used", "power.draw")
        )
        count = len(self._rows)
        return GpuUse(count, sum(busy) / count, max(busy), max(memory), sum(power) / count)

    def _run(self) -> None:
        while not self._clock.sleep(EVERY_S, until=self._stop):
            if not (rows := self._ask()):
                return
            self._rows.append(rows[0])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # "[N/A]"
        return 0.0
