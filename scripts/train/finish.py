"""From a finished training to models in their place: average, score, export, int8.

How far to go back towards the start is chosen by AP50 on pictures that no training sees: the mean
over classes, so that what is rare counts as much as cars.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import DataError, ModelError

from . import network
from .cameras import hold_out
from .card import read_run
from .export import export
from .folders import read_folder
from .loop import save
from .progress import read_log
from .quantize import quantize
from .score_command import score
from .watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .folders import Picture

SHARES = (1.0, 0.85, 0.7, 0.55)
"""Of the training in the average with its start."""
CHOSEN_ON = 400


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where models go. ``sizes``: (width, height), the first one for ``out`` itself."""

    out: Path
    version: str
    sizes: tuple[tuple[int, int], ...]
    data: tuple[Path, ...]


def finish(run: Path, wanted: Delivery) -> Iterator[str]:
    """Write ``best.pt`` and ``score.json`` into ``run`` and models with cards to their place.

    Yields what was chosen and written, in words. Raises DataError, ModelError; a model that fails
    its check replaces nothing.
    """
    read_run(run)  # what they lack shows now, not after the scoring
    read_log(run)
    yield from choose(run, wanted)
    score(run / "best.pt", list(wanted.data), run, run=run)
    yield from export(run, wanted.out, wanted.version, wanted.sizes, wanted.data)
    small = wanted.out.with_name(f"{wanted.out.stem}-int8.onnx")
    try:
        yield from quantize(wanted.out, small, list(wanted.data))
    except ModelError as error:  # the others are good without it
        yield f"no int8 variant: {error}"


def choose(run: Path, wanted: Delivery) -> Iterator[str]:
    """Write the best average of ``last.pt`` and ``start.pt`` to ``best.pt``."""
    last, start = (network.read_weights(run / name) for name in ("last.pt", "start.pt"))
    pictures = [one for root in wanted.data for one in _unseen(read_folder(root))]
    if not pictures:
        raise DataError("hold no picture to choose on", file=", ".join(map(str, wanted.data)))
    watch = Watch(pictures, wanted.sizes[0], CHOSEN_ON)
    best = -1.0
    for share in SHARES:
        state = network.average(last.state, start.state, share)
        averaged = f"averaged: {share:.0%} of it, the rest its start, by AP50 on scored pictures"
        save({"names": last.names, "ema": state, "averaged": averaged}, run / "tried.pt")
        found = watch(network.load(run / "tried.pt"))
        mean = sum(found.values()) / max(len(found), 1)
        said = "  ".join(f"{name} {value:.3f}" for name, value in found.items())
        yield f"{share:.0%} of the training: mean AP50 {mean:.3f}  ({said})"
        if mean > best:
            best = mean
            (run / "tried.pt").replace(run / "best.pt")
    (run / "tried.pt").unlink(missing_ok=True)


def _unseen(pictures: list[Picture]) -> list[Picture]:
    held = hold_out(pictures)
    return [one for one in pictures if one.split == "val" or one.name in held]
