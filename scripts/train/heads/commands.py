"""Commands of the head counter, for ``python -m scripts.train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def heads(
    data: Annotated[list[Path], typer.Option(help="data folder with boxes of persons; repeatable")],
    run: Annotated[Path, typer.Option(help="folder for what the training writes; resumes there")],
    start: Annotated[Path, typer.Option(help="YOLO26n checkpoint to start from")],
    points: Annotated[list[Path], typer.Option(help="folder with points.json")] = [],  # noqa: B006
    steps: Annotated[int, typer.Option(min=1)] = 1300,
    seed: int = 0,
) -> None:
    """Train the head counter."""
    from .data import read_boxes, read_points
    from .loop import Plan, train

    pointed = [one for root in points for one in read_points(root)[0]]
    boxed = [one for root in data for one in read_boxes(root)]
    peopled = [one for one in boxed if len(one.heads)]
    empty = [one for one in boxed if not len(one.heads)]
    typer.echo(
        f"{len(pointed)} with points, {len(peopled)} with boxes, {len(empty)} without people"
    )
    pools = [(0.6, pointed), (0.25, peopled), (0.15, empty)]
    typer.echo(train(pools, start, run, Plan(steps=steps, seed=seed)))
