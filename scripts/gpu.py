"""Everything that is to be known of a GPU box, measured in one go and written to one JSON file.

    python -m scripts.gpu --out gpu.json [MODEL ...]

Each provider of this onnxruntime is measured with each model (default: the shipped one): ``bench
detect`` for every size of batch and ``bench town`` under load; then decoding. What fails is written
down with its reason, and the rest goes on.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import onnxruntime as ort
import typer
from rich.console import Console

from pipeline.bench import bench_decode, bench_detect, bench_town
from pipeline.clock import SystemClock
from pipeline.detect.ladder import ladder
from pipeline.errors import GridwatchError
from pipeline.rehearsal import CLIPS
from pipeline.settings import ModelSettings
from pipeline.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.bench import Figure

FOOTAGE = CLIPS / "quiet_street.mp4"
_ASKED = "name,driver_version,memory.total,memory.used,utilization.gpu,power.draw"

err = Console(stderr=True)


def main(
    models: Annotated[list[Path] | None, typer.Argument(help="ONNX files with their cards")] = None,
    out: Annotated[Path, typer.Option(help="JSON file to write")] = Path("gpu.json"),
    rounds: Annotated[int, typer.Option(min=3, help="turns of each size of batch")] = 50,
    seconds: Annotated[float, typer.Option(min=1, help="of each load")] = 10.0,
    batch: Annotated[int, typer.Option(min=1, max=256, help="largest batch under load")] = 32,
) -> None:
    """Measure all providers with all models; writes after each, so that a cut costs one."""
    clock, done = SystemClock(), []
    for model in models or [shipped("models/street-n.onnx")]:
        for provider in ladder(ModelSettings()):
            settings = ModelSettings(path=model, provider=provider, batch=batch, fastest=False)
            tell = f"{model.name} on {provider}"
            with err.status(tell) as status:
                say = _saying(status.update, tell)
                row = {"model": model.name, "provider": provider} | _measured(
                    lambda settings=settings, say=say: [  # type: ignore[misc]
                        *bench_detect(settings, FOOTAGE, rounds=rounds, clock=clock, say=say),
                        *bench_town(settings, FOOTAGE, seconds=seconds, clock=clock, say=say),
                    ]
                )
            done.append(row | {"gpu_after": _gpus()})
            _write(out, done)
    with err.status("decode") as status:
        figures = _measured(
            lambda: bench_decode(
                "cuda", rounds=rounds, clock=clock, say=_saying(status.update, "decode")
            )
        )
    done.append({"decode": "cuda"} | figures)
    _write(out, done)
    err.print(f"{len(done)} × → {out}")


def _write(out: Path, done: list[dict[str, Any]]) -> None:
    out.write_text(json.dumps({**_machine(), "measured": done}, indent=2) + "\n", "utf-8")


def _saying(update: Callable[[str], None], prefix: str) -> Callable[[str], None]:
    return lambda text: update(f"{prefix}: {text}")


def _measured(bench: Callable[[], list[Figure]]) -> dict[str, Any]:
    try:
        return {"figures": [figure.row() for figure in bench()]}
    except GridwatchError as error:
        return {"failed": str(error)}


def _machine() -> dict[str, Any]:
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "onnxruntime": ort.__version__,
        "providers": ort.get_available_providers(),
        "gpus": _gpus(),
    }


def _gpus() -> list[dict[str, str]]:
    """What nvidia-smi says of each GPU; empty where there is none."""
    command = ["nvidia-smi", f"--query-gpu={_ASKED}", "--format=csv,noheader"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return []
    names = _ASKED.split(",")
    return [dict(zip(names, row.split(", "), strict=False)) for row in told.stdout.splitlines()]


if __name__ == "__main__":
    typer.run(main)
