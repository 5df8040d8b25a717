"""Commands for validation: ``hold-out`` and ``score``."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.errors import DataError

_ERR = Console(stderr=True)


def hold_out(
    data: Annotated[Path, typer.Argument(help="a data folder")],
    out: Annotated[Path, typer.Option(help="file to write the names to, one a line")],
) -> None:
    """Choose the cameras that training must not see, and write the names of their pictures."""
    from . import cameras
    from .folders import read_folder

    held = cameras.hold_out(read_folder(data))
    with _writing(out):
        out.write_text("".join(f"{name}\n" for name in sorted(held)), encoding="utf-8")


def score(
    model: Annotated[Path, typer.Argument(help="ONNX file or checkpoint (.pt) to score")],
    data: Annotated[list[Path], typer.Option(help="a data folder; may be given several times")],
    out: Annotated[Path, typer.Option(help="folder for score.json and report.html")],
    beside: Annotated[
        list[Path], typer.Option(help="another one to compare with; repeatable")
    ] = [],  # noqa: B006 - typer reads it
    run: Annotated[Path | None, typer.Option(help="folder of the training, for its curves")] = None,
    road_looks: Annotated[
        bool, typer.Option("--road-looks", help="windows of large pictures too, as when it runs")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for machines, stable")] = False,
) -> None:
    """Score a model on cameras and streets that training never saw; write report.html."""
    from . import report
    from . import score as scoring
    from .predictor import Predictor
    from .progress import read_log

    log = read_log(run) if run else None
    with _writing(out):
        out.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with tempfile.TemporaryDirectory() as waiting, Progress(*columns, console=_ERR) as bars:
        files = [_as_onnx(one, Path(waiting)) for one in (model, *beside)]
        models = [Predictor(file, road_looks=road_looks) for file in files]
        bar = bars.add_task("group pictures by camera", total=None)
        material = scoring.gather(data)
        bars.remove_task(bar)
        results = []
        for one in models:
            bar = bars.add_task(one.name, total=len(material.pictures))
            results.append(scoring.run(one, material, lambda bar=bar: bars.advance(bar)))  # type: ignore[misc]
        with _writing(out):
            content = scoring.write(results, files, material, out)
            report.write(out / "report.html", results, material, log)
    if as_json:
        sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    else:
        Console(markup=False).print(f"{out / 'score.json'}\n{out / 'report.html'}")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError("can't be written", file=path, found=error) from None


def _as_onnx(model: Path, folder: Path) -> Path:
    """A checkpoint as the ONNX file that the product would run, made in ``folder``."""
    if model.suffix != ".pt":
        return model
    import onnx

    from . import network
    from .graph import to_onnx
    from .i420 import with_front
    from .predictor import SIZE

    trained = network.load(model)
    names = trained.names
    fronted = with_front(to_onnx(trained, *SIZE), *SIZE)
    onnx.helper.set_model_props(fronted, {"names": str(names)})
    path = folder / f"{model.resolve().parent.name}-{model.stem}.onnx"
    onnx.save(fronted, path)
    return path
