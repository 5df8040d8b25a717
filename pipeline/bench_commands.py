"""``gridwatch bench``: what things cost here, beside the least they could cost."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import show
from pipeline.clock import SystemClock
from pipeline.errors import InputError
from pipeline.terminal import AsJson, err, out, print_json, progress_bar

if TYPE_CHECKING:
    from pipeline.bench import Figure

Plot = Annotated[Path | None, typer.Option(help="draws the figures into this SVG file")]

app = typer.Typer(no_args_is_help=True, help="性能 / what things cost, beside their floor")


@app.callback()
def _group() -> None:
    """性能 / what things cost on this machine, beside the least they could cost."""


@app.command("ingest")
def bench_ingest(
    cameras: Annotated[int, typer.Option(min=1, help="live cameras on this machine")] = 50,
    size: Annotated[str, typer.Option(help="of their pictures")] = "1920x1080",
    seconds: Annotated[float, typer.Option(min=1, help="of each measurement")] = 20.0,
    rounds: Annotated[int, typer.Option(min=1, help="measurements of each program")] = 3,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """取流成本 / what a camera costs, beside a minimal program and beside decoding every frame."""
    from pipeline import bench

    with err.status("") as status:
        figures = bench.bench_ingest(
            cameras,
            _size(size),
            seconds=seconds,
            rounds=rounds,
            clock=SystemClock(),
            say=status.update,
        )
    _tell("取流成本 / cost of ingest", figures, plot, as_json=as_json)


@app.command("decode")
def bench_decode(
    device: Annotated[str, typer.Option(help="FFmpeg's name of the GPU's kind")] = "cuda",
    rounds: Annotated[int, typer.Option(min=3, help="turns of each size")] = 20,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """显卡解码 / what a key frame costs on a GPU, beside one thread of the processor."""
    from pipeline import bench

    with err.status("") as status:
        figures = bench.bench_decode(device, rounds=rounds, clock=SystemClock(), say=status.update)
    _tell("显卡解码 / key frames on the GPU", figures, plot, as_json=as_json)


@app.command("detect")
def bench_detect(
    model: Annotated[
        Path | None, typer.Argument(help="ONNX file, its card beside it; else the shipped one")
    ] = None,
    rounds: Annotated[int, typer.Option(min=3, help="turns of each size of batch")] = 20,
    beside: Annotated[
        Path | None, typer.Option(help="weights (.pt) of the same model, for ultralytics")
    ] = None,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """检测成本 / what a look costs in the detector, beside bare onnxruntime on the same model."""
    from pipeline import bench
    from pipeline.rehearsal import CLIPS
    from pipeline.settings import ModelSettings

    settings = ModelSettings() if model is None else ModelSettings(path=model)
    with err.status("") as status:
        figures = bench.bench_detect(
            settings,
            CLIPS / "quiet_street.mp4",
            rounds=rounds,
            clock=SystemClock(),
            say=status.update,
            beside=beside,
        )
    _tell("检测成本 / cost of detection", figures, plot, as_json=as_json)


@app.command("desk")
def bench_desk(
    filings: Annotated[int, typer.Option(min=100, help="of each measurement")] = 3000,
    clients: Annotated[int, typer.Option(min=1, max=64, help="processes that file at once")] = 2,
    batch: Annotated[int, typer.Option(min=1, max=16, help="filings in one exchange")] = 4,
    opened: Annotated[int, typer.Option("--open", min=0, help="tickets open meanwhile")] = 5000,
    archived: Annotated[int, typer.Option(min=1, help="tickets in the archive")] = 20_000,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """立案成本 / what a filing costs, beside a bare XADD; searching what is archived."""
    from pipeline import bench

    size = bench.DeskSize(filings, clients, batch, opened, archived)
    with progress_bar() as bar:
        task = bar.add_task("")
        figures = bench.bench_desk(
            size,
            clock=SystemClock(),
            tell=lambda what, done, total: bar.update(
                task, description=f"{what} {done:,}/{total:,}", completed=done, total=total
            ),
        )
    _tell("立案成本 / cost of filing", figures, plot, as_json=as_json)


@app.command("town")
def bench_town(
    model: Annotated[
        Path | None, typer.Argument(help="ONNX file, its card beside it; else the shipped one")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, help="of each measurement")] = 8.0,
    batch: Annotated[int, typer.Option(min=1, max=256, help="largest batch")] = 8,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """能带多少路 / how many cameras one detector holds, and how soon detections are there."""
    from pipeline import bench
    from pipeline.rehearsal import CLIPS
    from pipeline.settings import ModelSettings

    chosen = {} if model is None else {"path": model}
    with err.status("") as status:
        figures = bench.bench_town(
            ModelSettings(batch=batch, **chosen),
            CLIPS / "quiet_street.mp4",
            seconds=seconds,
            clock=SystemClock(),
            say=status.update,
        )
    _tell("一台能带多少路 / what one box holds", figures, plot, as_json=as_json)


@app.command("console")
def bench_console(
    pages: Annotated[int, typer.Option(min=1, max=15_000, help="open pages that listen")] = 1000,
    rate: Annotated[float, typer.Option(min=1, help="tickets accepted a second")] = 50.0,
    seconds: Annotated[float, typer.Option(min=1, help="for so long")] = 12.0,
    phone: Annotated[bool, typer.Option(help="a slow telephone, too; needs Chromium")] = True,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """控制台 / a thousand open pages with actions among them, and the queue on a slow telephone."""
    try:
        from pipeline.bench.console import bench_console, why_no_phone
    except ModuleNotFoundError as error:
        raise InputError(
            f"the console needs {error.name}",
            found="gridwatch without extras",
            allowed="gridwatch[console]",
        ) from None
    lacks = why_no_phone() if phone else None
    if lacks:
        err.print(f"没有 {lacks}，不测手机 / no {lacks}: the telephone is left out")
    with err.status("") as status:
        figures = bench_console(
            pages=pages,
            rate=rate,
            seconds=seconds,
            phone=phone and not lacks,
            clock=SystemClock(),
            say=status.update,
        )
    _tell("控制台 / the console", figures, plot, as_json=as_json)


def _tell(title: str, figures: list[Figure], plot: Path | None, *, as_json: bool) -> None:
    """Print and draw them; a figure that misses its target is a failure."""
    from pipeline.bench import draw

    if plot is not None:
        draw(figures, plot, title)
    if as_json:
        print_json([figure.row() for figure in figures])
    else:
        out.print(show.figures(figures))
    if any(figure.met is False for figure in figures):
        raise typer.Exit(1)


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{2,4})x(\d{2,4})", text)
    width, height = (int(part) for part in found.groups()) if found else (0, 0)
    if width < 64 or height < 64 or width % 2 or height % 2:
        raise InputError(
            "is no size", where="--size", found=text, allowed="even numbers, e.g. 1920x1080"
        )
    return width, height
