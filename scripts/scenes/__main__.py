"""python -m scripts.scenes: renders the demo clips (needs the ``train`` extra: bpy 5).

Rendered frames are kept in the work folder, so a stopped run goes on where it was; remove a
clip's folder there after changing the clip.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from . import actors, film, render, truth
from .clip import FPS, SECONDS, Clip, clear
from .clips import all_clips

CLIPS = Path(__file__).parents[2] / "pipeline" / "rehearsal" / "clips"


def main(
    work: Annotated[Path, typer.Option(help="where rendered frames are kept between runs")],
    only: Annotated[list[str] | None, typer.Option(help="a clip by name; all without it")] = None,
    out: Annotated[Path, typer.Option(help="where clips, truth and poses go")] = CLIPS,
) -> None:
    """Render the demo clips, then write their truth and the poses of their cameras."""
    makers = dict(all_clips())
    if unknown := set(only or ()) - set(makers):
        raise typer.BadParameter(
            f"found {', '.join(sorted(unknown))}; allowed: {', '.join(makers)}"
        )
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for name, maker in makers.items():
        clear()
        clip = maker()
        _refuse_collisions(clip)
        made.append(clip)
        if not only or name in only:
            _film(clip, work / name, out / f"{name}.mp4")
        clip.cast.clear()  # its objects go with the scene
    truth.write(made, out)


def _refuse_collisions(clip: Clip) -> None:
    touching = [
        f"{a} and {b} touch at {t:.1f} s"
        for a, b, t in actors.overlaps(clip.cast, clip.times)
        if not {a, b} <= clip.colliding
    ]
    if touching:
        raise SystemExit(f"{clip.name}: the schedule must be changed: {'; '.join(touching)}")


def _film(clip: Clip, work: Path, target: Path) -> None:
    render.prepare(clip)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        task = progress.add_task(clip.name, total=SECONDS * FPS)
        frames = render.render(clip, work, lambda: progress.advance(task))
    film.encode(frames, target, fps=FPS, seed=clip.street.seed)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    typer.run(main)
