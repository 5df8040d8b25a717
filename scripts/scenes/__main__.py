"""python -m scripts.scenes: renders stills to train on, and the demo clips (needs bpy 5).

Both go on where a stopped run was.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from .folder import FolderError

CLIPS = Path(__file__).parents[2] / "pipeline" / "rehearsal" / "clips"

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.command()
def clips(
    work: Annotated[Path, typer.Option(help="where rendered frames are kept between runs")],
    only: Annotated[list[str] | None, typer.Option(help="a clip by name; all without it")] = None,
    out: Annotated[Path, typer.Option(help="where clips, truth and poses go")] = CLIPS,
) -> None:
    """Render the demo clips, then write their truth and the poses of their cameras."""
    _need_blender()
    from . import filming

    filming.film_clips(work, only, out, _progress())


@app.command()
def stills(
    out: Annotated[Path, typer.Option(help="the data folder to write or to go on with")],
    count: Annotated[int, typer.Option(min=1, help="pictures in all, those there included")],
    seed: Annotated[int, typer.Option(min=0)] = 1,
    split: Annotated[Literal["train", "val"], typer.Option(help="val: streets kept apart")] = (
        "train"
    ),
    device: Annotated[Literal["cpu", "gpu"], typer.Option(help="gpu: the processor if none")] = (
        "cpu"
    ),
    threads: Annotated[int, typer.Option(min=1)] = 2,
    theme: Annotated[
        Literal["hazards", "crowds"], typer.Option(help="crowds: 5 to 300 people, points on heads")
    ] = "hazards",
    size: Annotated[
        Literal["640x360", "1280x720", "1920x1080"], typer.Option(help="of a picture, in pixels")
    ] = "640x360",
) -> None:
    """Render still pictures of streets with hazards and decoys, or with crowds; exact truth."""
    _need_blender()
    from . import camera

    # Before anything else reads it: one process renders pictures of one size.
    camera.WIDTH, camera.HEIGHT = map(int, size.split("x"))
    from .stills import Job, render

    with _progress() as progress:
        task = progress.add_task(f"{split} {theme}", total=count)
        try:
            job = Job(count, seed, split, device, threads, theme)
            render(job, out, lambda: progress.advance(task))
        except FolderError as error:
            progress.stop()
            sys.exit(f"scenes: {error}")


@app.command()
def sprites(
    out: Annotated[Path, typer.Option(help="the folder to write or to go on with")],
    count: Annotated[int, typer.Option(min=1, help="sprites of this seed in all")],
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Render hazards and decoys cut out, to be pasted into real street pictures."""
    _need_blender()
    from .sprites import make_all

    with _progress() as progress:
        task = progress.add_task("sprites", total=count)
        try:
            make_all(out, count, seed, lambda: progress.advance(task))
        except (FolderError, OSError) as error:
            progress.stop()
            sys.exit(f"scenes: {error}")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )


def _need_blender() -> None:
    try:
        import bpy  # noqa: F401  only whether it is there
    except ImportError:
        sys.exit("scenes: Blender is not installed; run: pip install bpy==5.0.1 (Python 3.11)")


if __name__ == "__main__":
    app()
