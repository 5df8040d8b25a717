"""From trained weights to the model that gridwatch runs, checked, with its card."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import Tensor, nn

from pipeline.detect.card import HeadCard, HeadInput, TrainingData
from pipeline.errors import DataError, ModelError
from scripts.train.card import LICENCE, origin_of, read_faults, read_run, restriction

from .data import POINTED
from .network import CELL, HeadNet

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.train.card import Origin

LONGEST_SIDE = 1024
"""Larger pictures are scaled down to this: at 30 m a head still has 5 pixels, and it costs as
much as three looks."""
ENLARGE = 1.5
"""Smaller pictures are scaled up by this at most."""
ARCHITECTURE = "trunk and upper neck of YOLO26n, three convolutions to people per cell, fp32"
_OPSET = 17
# Float sums in another order; a count of hundreds must not move by more than a hundredth.
_AGREE = 1e-4


class _Shipped(nn.Module):
    """BGR bytes in, people per cell out."""

    def __init__(self, net: HeadNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, pictures: Tensor) -> Tensor:
        return self.net(pictures.permute(0, 3, 1, 2).flip(1).float() / 255)


def load(weights: Path) -> HeadNet:
    """The trained network, ready to count; DataError if the file holds none."""
    net = HeadNet()
    try:
        net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, AttributeError, TypeError) as error:
        raise DataError(
            "holds no trained head counter", file=weights, found=str(error).splitlines()[0][:200]
        ) from None
    return net.eval()


def card_of(run: Path, name: str, version: str) -> dict[str, Any]:
    """The card of the network trained in ``run``; hash and scores are still to come.

    Raises DataError where it isn't known what it was trained on.
    """
    record = read_run(run)
    origins = {source: origin_of(source, run) for source in record.pictures}
    uses: Counter[tuple[Origin, str]] = Counter()
    for source, origin in origins.items():
        use = "a point on every head" if source == POINTED else "boxes of persons; nobody in it"
        uses[origin, use] += record.pictures[source]
    card = HeadCard(
        kind="heads",
        name=name,
        version=version,
        licence=LICENCE,
        input=HeadInput(longest_side=LONGEST_SIDE, enlarge=ENLARGE, format="bgr"),
        cell_px=CELL,
        sha256="0" * 64,
        architecture=f"{ARCHITECTURE}, opset {_OPSET}",
        training=record.training,
        training_data=tuple(
            TrainingData(name=origin.name, use=use, pictures=count, licence=origin.licence)
            for (origin, use), count in uses.items()
        ),
        use_restriction=restriction(limited=any(one.limited for one in origins.values())),
        scores={},
        known_faults=read_faults(run),
    )
    return card.model_dump(mode="json")


def export(weights: Path, model: Path, card: dict[str, Any]) -> None:
    """Writes ``model`` and then its card with the hash, if both give the same numbers.

    Raises ModelError, and writes nothing, if onnxruntime's counts differ from the network's.
    """
    shipped = _Shipped(load(weights)).eval()
    content = io.BytesIO()
    with warnings.catch_warnings():
        # The older exporter needs no further package; what it writes is compared below.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            shipped,
            (torch.zeros(1, 96, 128, 3, dtype=torch.uint8),),
            content,
            input_names=["pictures"],
            output_names=["density"],
            dynamic_axes={
                "pictures": {0: "batch", 1: "height", 2: "width"},
                "density": {0: "batch", 1: "rows", 2: "columns"},
            },
            opset_version=_OPSET,
            dynamo=False,
        )
    onnx.checker.check_model(onnx.ModelProto.FromString(content.getvalue()), full_check=True)
    _compare(shipped, content.getvalue(), model)
    model.write_bytes(content.getvalue())
    card = card | {"sha256": hashlib.sha256(content.getvalue()).hexdigest()}
    text = json.dumps(card, ensure_ascii=False, indent=2) + "\n"
    model.with_suffix(".json").write_text(text, encoding="utf-8")


def _compare(shipped: nn.Module, content: bytes, model: Path) -> None:
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    for batch, height, width in ((1, 64, 64), (2, 384, 640), (1, 544, 960)):
        # Soft blobs: pure noise would be seen as nothing at all.
        small = rng.integers(0, 255, (batch, height // 8, width // 8, 3), np.uint8)
        pictures = small.repeat(8, axis=1).repeat(8, axis=2)
        (found,) = session.run(None, {"pictures": pictures})
        with torch.no_grad():
            wanted = shipped(torch.from_numpy(pictures)).numpy()
        if found.shape != wanted.shape or not np.abs(found - wanted).max() <= _AGREE:
            raise ModelError(
                "counts differ between the trained and the exported network",
                file=model,
                found=f"shape {found.shape}, off by {float(np.abs(found - wanted).max()):.2g}"
                if found.shape == wanted.shape
                else f"shape {found.shape}, not {wanted.shape}",
                allowed=f"{_AGREE}",
            )
