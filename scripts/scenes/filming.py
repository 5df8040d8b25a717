"""Renders the demo clips one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from . import actors, film, render, truth
from .clip import FPS, SECONDS, Clip, clear
from .clips import all_clips

if TYPE_CHECKING:
    from pathlib import Path

    from rich.progress import Progress


def film_clips(work: Path, only: list[str] | None, out: Path, progress: Progress) -> None:
    """Render the named clips (all without names), then write truth and poses of all."""
    makers = dict(all_clips())
    if unknown := set(only or ()) - set(makers):
        raise typer.BadParameter(
            f"found {', '.join(sorted(unknown))}; allowed: {', '.join(makers)}"
        )
    out.mkdir(parents=True, exist_ok=True)
    made = []
    with progress:
        for name, maker in makers.items():
            clear()
            clip = maker()
            _refuse_collisions(clip)
            made.append(clip)
            if not only or name in only:
                _film(clip, work / name, out / f"{name}.mp4", progress)
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


def _film(clip: Clip, work: Path, target: Path, progress: Progress) -> None:
    render.prepare(clip)
    task = progress.add_task(clip.name, total=SECONDS * FPS)
    frames = render.render(clip, work, lambda: progress.advance(task))
    film.encode(frames, target, fps=FPS, seed=clip.street.seed)
    progress.console.print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")
