"""Commands for models that are trained: ``export``, ``quantize`` and ``bench``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .sizes import read_size

CORES = os.cpu_count() or 1


def export(
    run: Annotated[Path, typer.Argument(help="a checkpoint, or the folder of a training")],
    out: Annotated[Path, typer.Option(help="ONNX file of the first size, its card beside it")],
    version: Annotated[str, typer.Option(help="on the card")],
    size: Annotated[
        list[str], typer.Option(help="multiples of 32; a second one gets OUT-WIDTH.onnx")
    ] = ["640x384"],  # noqa: B006 - typer reads it
    data: Annotated[
        list[Path], typer.Option(help="data folder whose val pictures are checked on, too")
    ] = [],  # noqa: B006
) -> None:
    """Write a training as ONNX for pictures of cameras, with its card, if both see the same."""
    from .export import export as steps

    for line in steps(run, out, version, [read_size(text) for text in size], data):
        print(line, flush=True)


def quantize(
    model: Annotated[Path, typer.Argument(help="ONNX file written by export")],
    out: Annotated[Path, typer.Option(help="ONNX file of the int8 variant")],
    data: Annotated[list[Path], typer.Option(help="data folder to calibrate and compare on")],
) -> None:
    """Write the int8 variant of a model, if it still sees nearly the same."""
    from .quantize import quantize as steps

    for line in steps(model, out, data):
        print(line, flush=True)


def bench(
    models: Annotated[list[Path], typer.Argument(help="ONNX files")],
    beside: Annotated[Path, typer.Option(help="ONNX file to compare with")],
    threads: Annotated[list[int], typer.Option(min=1)] = [1, CORES],  # noqa: B006
    batch: Annotated[list[int], typer.Option(min=1)] = [1, 8],  # noqa: B006
    rounds: Annotated[int, typer.Option(min=3, help="runs of each")] = 40,
    into_card: Annotated[bool, typer.Option("--into-card", help="note the figures there")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for machines, stable")] = False,
) -> None:
    """Milliseconds a look of models beside another one, in one run, taking turns."""
    from . import bench as measuring

    result = measuring.run(models, beside, threads, batch, rounds)
    if into_card:
        for path in models:
            measuring.note(path, result)
    if as_json:
        sys.stdout.write(json.dumps(result, indent=1) + "\n")
    else:
        Console().print(measuring.table(result))
