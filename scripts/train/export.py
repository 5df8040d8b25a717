"""From a checkpoint to models that the product loads, checked against the trained network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from pipeline.errors import DataError, ModelError

from . import network
from .agreement import agreement
from .card import card_of, read_record
from .classes import HAZARDS, TRAFFIC
from .delivery import delivery_to, drawn_looks, looks
from .graph import OPSET, to_onnx
from .i420 import to_rgb, with_front

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.detect import Detector

CHECKPOINTS = ("best.pt", "last.pt")
CHECKED_ON = 10
LEAST_SCORE = 0.001
"""Drawn pictures show nothing that a network is sure of, so that weak boxes are compared, too."""
SCORE_OFF = 0.002
CORNER_OFF_PX = 0.1
"""How far a box may be from the trained network's: some times what float32 rounds."""


def export(
    run: Path, out: Path, version: str, sizes: Sequence[tuple[int, int]], data: Sequence[Path]
) -> Iterator[str]:
    """Write ``out`` at the first size and OUT-WIDTH.onnx at the others, each with its card.

    Yields what was checked and written, in words. Nothing is written unless all models see what
    the trained network sees. Raises DataError, ModelError.
    """
    checkpoint = _checkpoint(run)
    averaged = network.read_checkpoint(checkpoint).get("averaged")
    record = read_record(checkpoint.parent, averaged)
    with delivery_to(out.parent) as delivery:
        for number, (width, height) in enumerate(sizes):
            trained = network.load(checkpoint)
            card = card_of(
                record,
                tuple(trained.names.values()),
                (width, height),
                name=f"{out.stem}-{width}" if number else out.stem,
                version=version,
                opset=OPSET,
            )
            model = with_front(to_onnx(network.load(checkpoint), width, height), width, height)
            yield f"{card.name}: {_check(trained, delivery.add(model, card), data)}"
        for path in delivery.arrive():
            yield f"{path}: {path.stat().st_size / 1e6:.1f} MB"


def _checkpoint(run: Path) -> Path:
    if not run.is_dir():
        return run
    for name in CHECKPOINTS:
        if (run / name).is_file():
            return run / name
    raise DataError("has no checkpoint", file=run, allowed=" or ".join(CHECKPOINTS))


def _check(trained: network.StreetNet, detector: Detector, data: Sequence[Path]) -> str:
    """What agreed, in words. Raises ModelError if the model sees other things than the network."""
    pictures = drawn_looks(detector.size)
    if data:
        pictures = np.concatenate([pictures, looks(data, "val", CHECKED_ON, detector.size)])
    got = [detector.run([one])[0] for one in pictures]
    wanted = [_boxes(trained, to_rgb(one[None])) for one in pictures]
    same = agreement(list(map(_ranked, wanted, got)), got, LEAST_SCORE)
    back = agreement(list(map(_ranked, got, wanted)), wanted, LEAST_SCORE)
    rows = np.stack(got)
    usable = bool(np.isfinite(rows).all() and ((rows[..., 4] >= 0) & (rows[..., 4] <= 1)).all())
    lost = same.boxes - same.found + back.boxes - back.found
    if not same.boxes:
        raise ModelError(
            "can't be checked: its network sees nothing in the pictures",
            file=detector.card.name,
            allowed="--data with pictures in which it sees something",
        )
    if not usable or lost or same.score_off > SCORE_OFF or same.corner_off_px > CORNER_OFF_PX:
        raise ModelError(
            "doesn't see what the trained network sees",
            file=detector.card.name,
            found=f"{same}, {'finite' if usable else 'not finite'}, {back.boxes - back.found} more",
            allowed=f"the same boxes, scores within {SCORE_OFF}, corners within {CORNER_OFF_PX} px",
        )
    return (
        f"{same.boxes} boxes on {len(pictures)} pictures agree, scores within "
        f"{same.score_off:.4f}, corners within {same.corner_off_px:.2f} px"
    )


def _ranked(rows: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows that must be among ``others``: rounding alone keeps none of them off the list.

    Each head has a list of its own.
    """
    parts = []
    for classes in (TRAFFIC, HAZARDS):
        mine, theirs = (one[np.isin(one[:, 5], classes)] for one in (rows, others))
        last = theirs[:, 4].min() if len(theirs) else 0.0
        parts.append(mine[mine[:, 4] > last + SCORE_OFF])
    return np.concatenate(parts)


def _boxes(trained: network.StreetNet, rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.no_grad():
        rows = trained(torch.from_numpy(rgb))
    return np.asarray(rows[0].numpy(), np.float32)
