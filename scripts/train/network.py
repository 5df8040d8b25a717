"""The street network, YOLO26n with the classes of ``classes.NAMES``, and its start weights."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from ultralytics.nn.tasks import DetectionModel

from pipeline.errors import DataError

from .classes import NAMES

if TYPE_CHECKING:
    from pathlib import Path

# The class heads keep the width they have for COCO's 80 classes, so that its weights fit.
WIDTH_CLASSES = 80
# Things of COCO that lend their class rows to hazards no start weights know: something of like
# shape that the network looks at already. Their bias is lowered, so that they start silent.
LENDERS = {"debris": "suitcase", "fallen_tree": "potted plant", "barrier": "fire hydrant"}
LENT_BIAS = -3.0


@dataclass(frozen=True, slots=True)
class Weights:
    """``state``: float32 tensors by parameter name; ``names``: what its class rows stand for."""

    path: Path
    state: dict[str, Tensor]
    names: tuple[str, ...]


def build(names: tuple[str, ...] = NAMES) -> DetectionModel:
    """The network with one class row for each name and random weights."""
    network = DetectionModel("yolo26n.yaml", nc=WIDTH_CLASSES, verbose=False)
    head = network.model[-1]
    for branch in (*head.cv3, *head.one2one_cv3):
        branch[-1] = nn.Conv2d(branch[-1].in_channels, len(names), 1)
    head.nc, head.no = len(names), len(names) + 4 * head.reg_max
    network.nc = network.yaml["nc"] = len(names)
    network.names = dict(enumerate(names))
    head.end2end = True
    return network


def load(path: Path) -> DetectionModel:
    """The network saved in a checkpoint of ours or of ultralytics, float32, for use (eval).

    Raises DataError.
    """
    weights = read_weights(path)
    network = build(weights.names)
    try:
        network.load_state_dict(weights.state)
    except RuntimeError as error:
        raise _misfit(path, error) from None
    return network.eval()


def read_weights(path: Path) -> Weights:
    """Weights of a checkpoint of ours or of ultralytics. Raises DataError."""
    content = read_checkpoint(path)
    try:
        if "ema" in content and "names" in content:
            return Weights(path, content["ema"], tuple(content["names"]))
        model = content.get("ema") or content["model"]
        state = {name: value.float() for name, value in model.state_dict().items()}
        return Weights(path, state, tuple(model.names.values()))
    except (AttributeError, KeyError, TypeError) as error:
        raise _misfit(path, error) from None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint holds. Raises DataError."""
    try:
        # Checkpoints of ultralytics are pickled modules: open only files you would run.
        content = torch.load(path, map_location="cpu", weights_only=False)
    except FileNotFoundError:
        raise DataError("weights are missing", file=path) from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ImportError) as error:
        raise DataError("is not a checkpoint", file=path, found=error) from None
    if not isinstance(content, dict):
        raise _misfit(path, type(content).__name__)
    return content


def start(first: Weights, second: Weights | None = None) -> DetectionModel:
    """A street network between two trainings of one network (or as one of them left it).

    Whatever both have is the mean of both; a class that only one knows is that one's. Raises
    DataError for weights of another network.
    """
    network = build()
    known = [weights for weights in (first, second) if weights is not None]
    state = network.state_dict()
    rows = {name for name in state if is_class_row(name)}
    try:
        for name in state:
            given = [weights.state[name] for weights in known]
            if name in rows:
                state[name] = torch.stack([_row(known, name, label) for label in NAMES])
            elif given[0].is_floating_point():
                state[name] = torch.stack(given).mean(0)
            else:
                state[name] = given[0].to(state[name].dtype)
        network.load_state_dict(state)
    except (KeyError, RuntimeError) as error:
        raise _misfit(" and ".join(str(weights.path) for weights in known), error) from None
    return network


def average(one: dict[str, Tensor], other: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """``share`` of the first and the rest of the second."""
    return {
        name: torch.lerp(other[name], value, share) if value.is_floating_point() else value
        for name, value in one.items()
    }


def raw(network: DetectionModel, pictures: Tensor) -> tuple[dict[str, Any], dict[str, Any]]:
    """Raw predictions of the one-to-many and the one-to-one head for (B, 3, H, W) in 0..1.

    Each: ``boxes`` (B, 4, A) distances in strides, ``scores`` (B, C, A) logits, and the three
    ``feats`` both read. Unlike ultralytics' forward, the one-to-one head teaches the body, too:
    that is held back when weights start at random, and these are good already.
    """
    outputs: list[Any] = []
    x: Any = pictures
    for layer in network.model[:-1]:
        if isinstance(layer.f, list):
            x = [x if source == -1 else outputs[source] for source in layer.f]
        elif layer.f != -1:
            x = outputs[layer.f]
        x = layer(x)
        outputs.append(x if layer.i in network.save else None)
    head = network.model[-1]
    feats = [outputs[source] for source in head.f]
    return head.forward_head(feats, **head.one2many), head.forward_head(feats, **head.one2one)


def is_class_row(name: str) -> bool:
    return "cv3." in name and name.split(".")[-2] == "2" and name.count(".") == 5


def _row(known: list[Weights], name: str, label: str) -> Tensor:
    found = [one.state[name][one.names.index(label)] for one in known if label in one.names]
    if found:
        return torch.stack(found).mean(0)
    for one in known:
        if (lender := LENDERS.get(label)) in one.names:
            row = one.state[name][one.names.index(lender)]
            return row + LENT_BIAS if name.endswith(".bias") else row
    raise DataError(
        "start weights don't know this class, nor one that could lend to it",
        file=known[0].path,
        found=label,
        allowed="start weights of COCO, of an earlier street model, or both",
    )


def _misfit(path: object, found: object) -> DataError:
    return DataError(
        "doesn't hold the weights of a YOLO26n",
        file=path,
        found=str(found).splitlines()[0][:200],
        allowed="a checkpoint of ultralytics or of scripts.train",
    )
