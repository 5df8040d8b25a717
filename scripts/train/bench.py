"""Measures milliseconds a look of models beside each other, on the same pictures, in one run.

All sessions are open at once and take turns, so that whatever else the machine does slows each
of them alike; the ratio is taken turn by turn.
"""

from __future__ import annotations

import os
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from pipeline.detect import load_card
from pipeline.detect.session import open_session
from pipeline.errors import ModelError

from .delivery import drawn_looks, write_card
from .i420 import to_rgb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Figure:
    """``ratio``: median over the rounds of its time by the time of the model to compare with."""

    model: str
    threads: int
    batch: int
    median_ms: float
    p10_ms: float
    p90_ms: float
    ratio: float


class Runner:
    """One model with the pictures it takes; a model of a fixed batch runs several times."""

    def __init__(self, path: Path, threads: int, batch: int) -> None:
        self.path, self._batch = path, batch
        self._session = open_session(path, threads)
        taken, *more = self._session.get_inputs()
        if more or len(taken.shape) not in (3, 4):
            raise ModelError("takes no pictures", file=path, found=[taken.name, *more])
        width, height = _size(path, taken.shape)
        looks = np.resize(drawn_looks((width, height)), (batch, height * 3 // 2, width))
        pictures = looks if len(taken.shape) == 3 else to_rgb(looks)
        own = taken.shape[0] if isinstance(taken.shape[0], int) else batch
        if batch % own:
            raise ModelError(
                "has another batch", file=path, found=own, allowed=f"a part of {batch}"
            )
        self._feeds = [{taken.name: part} for part in np.split(pictures, batch // own)]

    def time_ms(self) -> float:
        """Milliseconds a look."""
        began = time.perf_counter()
        for feed in self._feeds:
            self._session.run(None, feed)
        return (time.perf_counter() - began) * 1000 / self._batch


def compare(
    models: Sequence[Path], beside: Path, threads: int, batch: int, rounds: int
) -> list[Figure]:
    """Figures of ``beside`` and then of each model. Raises ModelError."""
    runners = [Runner(path, threads, batch) for path in (beside, *models)]
    for runner in runners:
        for _ in range(WARM_UP):
            runner.time_ms()
    title = f"{threads} threads, batch {batch}"
    bar = track(range(rounds), description=title, console=Console(stderr=True))
    times = np.array([[runner.time_ms() for runner in runners] for _ in bar])
    return [
        _figure(runner.path, threads, batch, own, times[:, 0])
        for runner, own in zip(runners, times.T, strict=True)
    ]


def run(
    models: Sequence[Path],
    beside: Path,
    threads: Sequence[int],
    batches: Sequence[int],
    rounds: int,
) -> dict[str, Any]:
    """All figures and what the machine was, as bench.json has them. Raises ModelError."""
    before = os.getloadavg()[0]
    figures = [
        asdict(figure)
        for count in threads
        for size in batches
        for figure in compare(models, beside, count, size, rounds)
    ]
    machine = {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load_before": round(before, 2),
        "load_after": round(os.getloadavg()[0], 2),
    }
    return {"machine": machine, "beside": str(beside), "figures": figures}


def note(path: Path, result: dict[str, Any]) -> None:
    """Write what was measured of a model, and of the one beside it, into its card."""
    cpu, shown = result["machine"]["cpu"], (str(path), result["beside"])
    speed = {
        f"{Path(one['model']).stem}, {one['threads']} threads, batch {one['batch']}, {cpu}": (
            one["median_ms"]
        )
        for one in result["figures"]
        if one["model"] in shown
    }
    write_card(path, load_card(path).model_copy(update={"speed_ms": speed}))


def table(result: dict[str, Any]) -> Table:
    rows = Table("model", "threads", "batch", "ms a look", "p10 to p90", "ratio")
    for one in result["figures"]:
        spread = f"{one['p10_ms']} to {one['p90_ms']}"
        cells = (one["threads"], one["batch"], one["median_ms"], spread, one["ratio"])
        rows.add_row(one["model"], *map(str, cells))
    rows.caption = ", ".join(f"{name} {value}" for name, value in result["machine"].items())
    return rows


def _figure(
    path: Path, threads: int, batch: int, own: NDArray[np.float64], other: NDArray[np.float64]
) -> Figure:
    low, middle, high = (round(float(value), 2) for value in np.percentile(own, (10, 50, 90)))
    ratio = round(float(np.median(own / other)), 3)
    return Figure(str(path), threads, batch, middle, low, high, ratio)


def _size(path: Path, shape: Sequence[Any]) -> tuple[int, int]:
    """Width and height of the pictures."""
    height, width = shape[-2:]
    if not isinstance(height, int) or not isinstance(width, int):
        raise ModelError("has no fixed picture size", file=path, found=shape)
    return width, height * 2 // 3 if len(shape) == 3 else height


def _cpu() -> str:
    """Name of the processor and of what makes int8 fast on it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    flags = facts.get("flags", "").split()
    fast = [name for name in ("avx2", "avx512_vnni", "amx_int8") if name in flags]
    return f"{facts.get('model name', platform.machine())} ({', '.join(fast)})"
