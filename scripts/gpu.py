"""Everything that is to be known of a GPU box, measured in one go and written to one JSON file.

    python -m scripts.gpu --out gpu.json [MODEL ...]

Each provider is measured with each model (default: the shipped one): ``bench detect`` for every
size of batch and ``bench town`` under load; then decoding. Each measurement is a process of its own
with a limit: one that fails, hangs or takes the whole process with it is written down with its
reason, and the rest goes on. What matters most comes first, and the file is written after each.
Ends with 1 where nothing was measured on a GPU.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import onnxruntime
import typer
from rich.console import Console

from pipeline.bench import bench_decode, bench_detect, bench_town
from pipeline.bench.gpu_use import GpuWatch, gpus
from pipeline.clock import SystemClock
from pipeline.detect.ladder import NAMES, Provider
from pipeline.errors import GridwatchError
from pipeline.rehearsal import CLIPS
from pipeline.settings import ModelSettings
from pipeline.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.bench import Figure

WAYS: tuple[tuple[Provider, bool], ...] = (
    ("cuda", False),
    ("tensorrt", False),
    ("cuda", True),
    ("tensorrt", True),
    ("openvino", False),
    ("cpu", False),
)
"""Providers, and whether with CUDA graphs; the surest and most telling first."""
ON_GPU = ("cuda", "tensorrt")
_SPARE_S = 5.0
"""Less than this is left for no measurement."""
_START_S = 120.0
"""Loading the libraries of a GPU takes its time on a machine that has just begun."""
_SAID = 600
"""So many characters of what a process said at last are kept when it fails."""

err = Console(stderr=True)
app = typer.Typer(add_completion=False)


class Task(NamedTuple):
    """One measurement; ``what``: detect, town, decode or machine."""

    what: str
    model: str = ""
    provider: Provider | None = None
    graphs: bool = False

    def told(self) -> str:
        graphs = " graphs" if self.graphs else ""
        return (
            " ".join(part for part in (self.what, Path(self.model).stem, self.provider) if part)
            + graphs
        )


class How(NamedTuple):
    rounds: int
    seconds: float
    batch: int
    device: str


@app.command()
def main(
    models: Annotated[list[Path] | None, typer.Argument(help="ONNX files with their cards")] = None,
    out: Annotated[Path, typer.Option(help="JSON file to write")] = Path("gpu.json"),
    rounds: Annotated[int, typer.Option(min=3, help="turns of each size of batch")] = 30,
    seconds: Annotated[float, typer.Option(min=1, help="of each load")] = 5.0,
    batch: Annotated[int, typer.Option(min=1, max=90, help="largest batch")] = 32,
    provider: Annotated[list[str] | None, typer.Option(help="only these; else all")] = None,
    device: Annotated[str, typer.Option(help="FFmpeg's name of the GPU's kind")] = "cuda",
    limit_s: Annotated[float, typer.Option(min=0.1, help="of one measurement")] = 150.0,
    minutes: Annotated[float, typer.Option(min=0.01, help="of all together")] = 9.0,
    one: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Measure all providers with all models; writes after each, so that a cut costs one."""
    how = How(rounds, seconds, batch, device)
    if one is not None:
        _child(Task(**json.loads(one)), how)
        return
    clock = SystemClock()
    ends_s = clock.monotonic() + 60 * minutes
    machine = {"providers": [], **_measured(Task("machine"), how, _START_S, clock)}
    done: list[dict[str, Any]] = []
    for task in _tasks(
        [str(path) for path in models or [shipped("models/street-n.onnx")]], provider
    ):
        began_s = clock.monotonic()
        left_s = ends_s - began_s
        missing = NAMES[task.provider] not in machine["providers"] if task.provider else False
        if missing:
            found = {"failed": f"this onnxruntime has no {NAMES[task.provider]}"}
        elif left_s < _SPARE_S:
            found = {"failed": f"not begun: {minutes:g} minutes are over"}
        else:
            with err.status(task.told()):
                found = _measured(task, how, min(limit_s, left_s), clock)
        took_s = clock.monotonic() - began_s
        done.append({**task._asdict(), **found, "took_s": round(took_s, 1)})
        result = {"machine": {**_about(), **machine}, "how": how._asdict(), "measured": done}
        out.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
        err.print(f"{task.told()}: {found.get('failed', 'ok')} ({took_s:.0f} s)", soft_wrap=True)
    good = [row for row in done if "figures" in row]
    on_gpu = [row for row in good if row["provider"] in ON_GPU]
    err.print(f"{len(good)} of {len(done)} measured, {len(on_gpu)} on a GPU → {out}")
    if not on_gpu:
        err.print("没有测到 GPU / nothing was measured on a GPU; the file says why")
        raise typer.Exit(1)


def _tasks(models: Sequence[str], providers: Sequence[str] | None) -> list[Task]:
    """What matters most first: each way with all models, decoding before the plain CPU."""
    ways = [way for way in WAYS if not providers or way[0] in providers]
    tasks = [
        Task(what, model, provider, graphs)
        for provider, graphs in ways
        for model in models
        for what in ("detect", "town")
    ]
    on_device = [task for task in tasks if task.provider in ON_GPU]
    return [*on_device, Task("decode"), *tasks[len(on_device) :]]


def _measured(task: Task, how: How, limit_s: float, clock: SystemClock) -> dict[str, Any]:
    """What a process of its own measured, and how busy the GPU was meanwhile."""
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as told:
        options = [f"--{name}={value}" for name, value in how._asdict().items()]
        command = [
            sys.executable,
            "-m",
            "scripts.gpu",
            *options,
            "--one",
            json.dumps(task._asdict()),
        ]
        with GpuWatch(clock) as watch:
            try:
                done = subprocess.run(
                    command, stdout=told, stderr=said, timeout=limit_s, check=False
                )
            except subprocess.TimeoutExpired:
                return {"failed": f"took longer than {limit_s:.0f} s: {_end_of(said)}"}
        told.seek(0)
        try:
            found: dict[str, Any] = json.loads(told.read().splitlines()[-1])
        except (IndexError, ValueError):
            return {"failed": f"ended with {done.returncode}: {_end_of(said)}"}
    use = watch.use
    return found if use is None else found | {"gpu_use": use.row()}


def _end_of(said: Any) -> str:
    said.seek(0)
    return str(said.read())[-_SAID:].strip()


def _child(task: Task, how: How) -> None:
    """In the process of its own: measure, and print one line of JSON."""
    if task.provider in ON_GPU or task.what == "machine":
        _take_cuda_of_torch()
    try:
        found = _software() if task.what == "machine" else {"figures": _figures(task, how)}
    except GridwatchError as error:
        found = {"failed": str(error)}
    sys.stdout.write(json.dumps(found) + "\n")


def _take_cuda_of_torch() -> None:
    """Where PyTorch is installed it brings CUDA's libraries: onnxruntime then finds them loaded."""
    with suppress(ImportError, OSError):
        import_module("torch")


def _figures(task: Task, how: How) -> list[dict[str, object]]:
    clock, say = SystemClock(), _say
    if task.what == "decode":
        found: list[Figure] = bench_decode(how.device, rounds=how.rounds, clock=clock, say=say)
        return [figure.row() for figure in found]
    settings = ModelSettings.model_validate(
        {
            "path": task.model,
            "provider": task.provider,
            "batch": how.batch,
            "fastest": False,
            "cuda_graphs": task.graphs,
        }
    )
    footage = CLIPS / "quiet_street.mp4"
    if task.what == "detect":
        found = bench_detect(settings, footage, rounds=how.rounds, clock=clock, say=say)
    else:
        found = bench_town(settings, footage, seconds=how.seconds, clock=clock, say=say)
    return [figure.row() for figure in found]


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _about() -> dict[str, Any]:
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "gpus": gpus(),
    }


def _software() -> dict[str, Any]:
    return {
        "onnxruntime": onnxruntime.__version__,
        "built": onnxruntime.get_build_info(),
        "providers": onnxruntime.get_available_providers(),
    }


if __name__ == "__main__":
    app()
