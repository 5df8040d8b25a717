"""Commands of the head counter, for ``python -m scripts.train``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer


def heads(
    out: Annotated[Path, typer.Option(help="folder of this training; it goes on where it stopped")],
    start: Annotated[Path, typer.Option(help="YOLO26n weights, or a head counter's weights.pt")],
    points: Annotated[
        list[Path], typer.Option(help="folder with points.json; may be given several times")
    ] = [],  # noqa: B006 - typer reads it
    data: Annotated[
        list[Path],
        typer.Option(help="a data folder: rendered crowds, boxes of persons, streets without any"),
    ] = [],  # noqa: B006
    without: Annotated[
        list[str], typer.Option(help="leave out sources with this in their name")
    ] = [],  # noqa: B006
    steps: Annotated[int, typer.Option(min=1, help="length of the training")] = 850,
    rate: Annotated[float, typer.Option(min=0, help="highest learning rate")] = 4e-4,
    seed: Annotated[int, typer.Option(help="of crops and their changes")] = 0,
) -> None:
    """Train the network that counts heads."""
    from scripts.train.card import note_run, read_run

    from .crops import pools_of
    from .data import read_data, read_points
    from .loop import Plan, train

    pictures = [one for root in points for one in read_points(root)["train"]]
    pictures += [one for root in data for one in read_data(root)]
    pictures = [one for one in pictures if not any(word in one.source for word in without)]
    plan = Plan(steps=steps, rate=rate, seed=seed)
    typer.echo(f"{len(pictures)} pictures, {plan}")
    weights = train(pools_of(pictures), start, out, plan)
    if (start.parent / "run.json").exists():  # what the start was trained on, this one was, too
        before = read_run(start.parent)
        note_run(out, before.training, before.pictures)
    note_run(out, f"{plan.text()}, from {start.name}", Counter(one.source for one in pictures))
    typer.echo(weights)


def heads_export(
    run: Annotated[Path, typer.Argument(help="folder of a finished training")],
    out: Annotated[Path, typer.Option(help="ONNX file, its card beside it")],
    version: Annotated[str, typer.Option(help="on the card")],
) -> None:
    """Write the head counter as ONNX with its card, if both count the same."""
    from .export import card_of, export

    export(run / "weights.pt", out, card_of(run, out.stem, version))
    typer.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB; now heads-score --into-card")


def heads_score(
    model: Annotated[Path, typer.Argument(help="ONNX file of a head counter")],
    points: Annotated[list[Path], typer.Option(help="folder with points.json")] = [],  # noqa: B006
    clip: Annotated[list[Path], typer.Option(help="clip beside CLIP_counts.csv")] = [],  # noqa: B006
    data: Annotated[list[Path], typer.Option(help="a data folder")] = [],  # noqa: B006
    detector: Annotated[Path | None, typer.Option(help="default: the one that is shipped")] = None,
    threads: Annotated[int, typer.Option(min=0, help="of the CPU; 0: all")] = 0,
    into_card: Annotated[bool, typer.Option("--into-card", help="note the figures there")] = False,
) -> None:
    """How far off the number of people is, on pictures that the training never saw."""
    from pipeline.detect import Detector, HeadCounter
    from pipeline.settings import ModelSettings

    from .score import errors, of_boxes, of_clip, of_points

    counter = HeadCounter(model, threads)
    chosen = {} if detector is None else {"path": detector}
    boxes = Detector(ModelSettings(threads=threads, **chosen))
    sets = {f"{root.name}, a point on every head": of_points(root) for root in points}
    sets |= {f"{one.stem}, counted by hand": of_clip(one) for one in clip}
    for root in data:
        for least, most in ((0, 0), (1, 10)):
            people = f"{least} to {most}" if most else "no"
            sets[f"{root.name}, {people} people by boxes"] = of_boxes(root, least, most)
    figures = {name: errors(pictures, boxes, counter).figures() for name, pictures in sets.items()}
    typer.echo(json.dumps({"detector": boxes.card.label, **figures}, indent=2))
    if into_card:
        card = counter.card.model_copy(update={"scores": figures})
        text = json.dumps(card.model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n"
        model.with_suffix(".json").write_text(text, encoding="utf-8")
