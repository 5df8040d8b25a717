"""python -m scripts.train COMMAND: trains, checks and writes models (needs the train extra)."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from pipeline.errors import InputError

from . import model_commands, score_command
from .heads import commands as head_commands
from .sizes import read_size

if TYPE_CHECKING:
    from collections.abc import Iterable

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
STOPPED = 130
CORES = len(os.sched_getaffinity(0))
COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    TextColumn("{task.percentage:>3.0f} %"),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)


@app.callback()
def main() -> None:
    """Train, check and write the models of gridwatch."""


@app.command()
def street(
    data: Annotated[list[Path], typer.Option(help="a data folder; may be given several times")],
    out: Annotated[Path, typer.Option(help="folder of this training")],
    start: Annotated[Path, typer.Option(help="weights to start from")],
    teacher: Annotated[
        Path | None, typer.Option(help="COCO weights that keep people and vehicles; or --start")
    ] = None,
    hold_out: Annotated[
        Path | None,
        typer.Option(help="file with names never to train on; or what hold-out would write"),
    ] = None,
    sprites: Annotated[
        Path | None, typer.Option(help="folder of rendered things to lay on real roads")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="length of the training")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.1, help="length in time instead")] = None,
    batch: Annotated[int, typer.Option(min=1)] = 16,
    size: Annotated[str, typer.Option(help="input size, multiples of 32")] = "640x384",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    threads: Annotated[
        int, typer.Option(min=1, help="of the CPU; take 1 on a machine that does other work")
    ] = CORES,
    seed: Annotated[int, typer.Option(help="of samples and their changes")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the one in --out")] = False,
    model: Annotated[
        Path | None, typer.Option(help="ONNX file to make of it in the end, as finish does")
    ] = None,
    version: Annotated[str, typer.Option(help="of that model, on its card")] = "v1",
) -> None:
    """Train the street network on data folders; stop it with Ctrl-C and go on with --resume."""
    from .loop import Plan
    from .street import Job, prepare, set_up

    if (steps is None) == (minutes is None):
        raise typer.BadParameter("give either --steps or --minutes")
    plan = Plan(out, teacher or start, steps, minutes, batch, seed)
    chosen = set_up(device, threads)
    job = Job(plan, tuple(data), hold_out, start, read_size(size), chosen, resume, sprites)
    console = Console()
    with Progress(*COLUMNS, console=console) as bars:

        def track(what: str, pictures: Iterable[Any]) -> Iterable[Any]:
            return bars.track(pictures, description=what)

        training, sampler, watch = prepare(job, console.print, track)
        bar = bars.add_task("train", total=1.0)

        def show(facts: dict[str, float]) -> None:
            text = (
                f"step {facts['step']:.0f}  loss {facts['loss']:.2f}"
                f"  {facts['pictures_per_s']:.1f} pictures/s, {facts['waited']:.0%} waiting"
            )
            bars.update(bar, completed=facts["progress"], description=text)
            if not console.is_terminal and facts["step"] % 20 == 0:
                console.print(f"{facts['progress']:.1%}  {text}")

        finished = training.run(sampler, show, watch)
    if not finished:
        console.print(f"stopped at step {training.state.step}; go on with --resume")
        raise typer.Exit(STOPPED)
    console.print(f"done after {training.state.step} steps: {out / 'last.pt'}")
    if model is not None:
        finish(out, data, model, version)


@app.command()
def finish(
    run: Annotated[Path, typer.Argument(help="folder of a training")],
    data: Annotated[list[Path], typer.Option(help="a data folder; may be given several times")],
    out: Annotated[Path, typer.Option(help="ONNX file to write, its card beside it")],
    version: Annotated[str, typer.Option(help="on the card")] = "v1",
    size: Annotated[
        list[str], typer.Option(help="multiples of 32; a second one gets OUT-WIDTH.onnx")
    ] = ["640x384", "1280x736"],  # noqa: B006 - typer reads it
) -> None:
    """Choose, score and export what a training gave: checked models, cards and a report."""
    from .finish import Delivery
    from .finish import finish as steps

    sizes = tuple(read_size(text) for text in size)
    for line in steps(run, Delivery(out, version, sizes, tuple(data))):
        print(line, flush=True)


@app.command()
def average(
    trained: Annotated[Path, typer.Argument(help="last.pt of a training")],
    other: Annotated[Path, typer.Argument(help="for example its start.pt")],
    out: Annotated[Path, typer.Argument()],
    share: Annotated[float, typer.Option(min=0, max=1, help="of the first")] = 0.8,
) -> None:
    """Average two weights of the street network: less is forgotten, for less that is learnt."""
    from . import network
    from .loop import save

    one, two = network.read_weights(trained), network.read_weights(other)
    if one.names != two.names:
        raise InputError("the two know different classes", found=f"{one.names} and {two.names}")
    save({"names": one.names, "ema": network.average(one.state, two.state, share)}, out)


@app.command()
def pasted(
    data: Annotated[list[Path], typer.Option(help="a data folder; may be given several times")],
    out: Annotated[Path, typer.Option(help="data folder to write")],
    count: Annotated[int, typer.Option(min=1)] = 150,
    hold_out: Annotated[
        Path | None, typer.Option(help="names of train pictures that no training sees, used too")
    ] = None,
    seed: Annotated[int, typer.Option(help="of what is laid where")] = 1,
) -> None:
    """Make a validation set: held-back holes pasted into held-back street pictures."""
    from .folders import read_folder
    from .mixing import read_held_out
    from .pasted import write_pasted

    pictures = [one for root in data for one in read_folder(root)]
    held = read_held_out(hold_out, pictures) if hold_out else frozenset()
    unseen = [one for one in pictures if one.split == "val" or one.name in held]
    with Progress(*COLUMNS) as bars:
        for _ in bars.track(write_pasted(unseen, out, count, seed), total=count):
            pass


app.command()(score_command.hold_out)
app.command()(score_command.score)
app.command()(model_commands.export)
app.command()(model_commands.quantize)
app.command()(model_commands.bench)
app.command()(head_commands.heads)
app.command("heads-export")(head_commands.heads_export)
app.command("heads-score")(head_commands.heads_score)


if __name__ == "__main__":
    try:
        app()
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
