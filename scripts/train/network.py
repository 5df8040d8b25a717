"""The street network: the body of YOLO26n with two heads, and its start weights.

One head finds traffic (the classes COCO has, too) and starts as COCO's; the other finds hazards.
With one head for all, learning hazards made it forget people: the layers that tell classes apart
were pulled by both.
"""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from ultralytics.nn.modules import Conv
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.tal import dist2bbox, make_anchors
from ultralytics.utils.torch_utils import fuse_conv_and_bn

from pipeline.errors import DataError

from .classes import COCO_IDS, HAZARDS, NAMES, TRAFFIC

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ultralytics.nn.modules import Detect

STRIDES = (8, 16, 32)
# The heads keep the width they have for COCO's 80 classes, so that its weights fit.
WIDTH_CLASSES = 80
# Of each head: how many boxes it gives, and the number of its first class.
TRAFFIC_PART, HAZARDS_PART = (300, min(TRAFFIC)), (100, min(HAZARDS))
# Hazards are unknown to start weights: their rows start at zero, as silent as one in a thousand.
SILENT = -6.9

Raw = dict[str, Any]
"""``boxes`` (B, 4, A) distances in strides, ``scores`` (B, C, A) logits, the ``feats`` read."""


@dataclass(frozen=True, slots=True)
class Weights:
    """``state``: float32 tensors by parameter name; ``names``: what its class rows stand for."""

    path: Path
    state: dict[str, Tensor]
    names: tuple[str, ...]


class StreetNet(nn.Module):
    """RGB (B, 3, H, W) in 0..1 -> (B, K, 6): x1, y1, x2, y2 in pixels, score, class of NAMES.

    ``model`` holds body, traffic head and hazard head under the names that ultralytics gives, so
    that its weights fit.
    """

    def __init__(self) -> None:
        super().__init__()
        yolo = DetectionModel("yolo26n.yaml", nc=WIDTH_CLASSES, verbose=False)
        *body, traffic = yolo.model
        hazards = copy.deepcopy(traffic)
        traffic.cv2 = traffic.cv3 = None  # its teacher needs no head that only teaches
        _give_rows(traffic, len(TRAFFIC))
        _give_rows(hazards, len(HAZARDS))
        self.model = nn.ModuleList([*body, traffic, hazards])
        self.kept = frozenset(yolo.save)
        self.names = dict(enumerate(NAMES))

    @property
    def traffic(self) -> Detect:
        return self.model[-2]

    @property
    def hazards(self) -> Detect:
        return self.model[-1]

    def feats(self, pictures: Tensor) -> list[Tensor]:
        """What both heads read: one map for each of STRIDES."""
        return _feats(self.model[:-2], self.kept, self.traffic.f, pictures)

    def see_traffic(self, feats: list[Tensor]) -> Raw:
        """Each vehicle and person once: the layers that run."""
        return self.traffic.forward_head(feats, **self.traffic.one2one)

    def see_hazards(self, feats: list[Tensor]) -> Raw:
        """Each hazard once: the layers that run."""
        return self.hazards.forward_head(feats, **self.hazards.one2one)

    def hazards_to_many(self, feats: list[Tensor]) -> Raw:
        """Each hazard from several places: layers that only teach."""
        return self.hazards.forward_head(feats, **self.hazards.one2many)

    def forward(self, pictures: Tensor) -> Tensor:
        feats = self.feats(pictures)
        return torch.cat(
            [
                _best(self.see_traffic(feats), *TRAFFIC_PART),
                _best(self.see_hazards(feats), *HAZARDS_PART),
            ],
            1,
        )

    def fuse(self) -> StreetNet:
        """Batch norm into its convolutions, and the heads that only teach away; returns itself."""
        for module in self.modules():
            if isinstance(module, Conv) and hasattr(module, "bn"):
                module.conv = fuse_conv_and_bn(module.conv, module.bn)
                del module.bn
                module.forward = module.forward_fuse
        for head in self.model[-2:]:
            head.end2end = True
            head.fuse()
        return self


def build_coco(classes: int = WIDTH_CLASSES) -> DetectionModel:
    """Plain YOLO26n, random weights: what start weights and the teacher are."""
    network = DetectionModel("yolo26n.yaml", nc=WIDTH_CLASSES, verbose=False)
    _give_rows(network.model[-1], classes)
    return network


def load(path: Path) -> StreetNet:
    """The network saved in a checkpoint of a street training, float32, for use (eval).

    Raises DataError.
    """
    weights = read_weights(path)
    network = StreetNet()
    try:
        network.load_state_dict(weights.state)
    except RuntimeError as error:
        raise _misfit(path, error) from None
    return network.eval()


def load_coco(path: Path) -> tuple[DetectionModel, tuple[str, ...]]:
    """A plain YOLO26n of ultralytics for use (eval), and its classes. Raises DataError."""
    weights = read_weights(path)
    network = build_coco(len(weights.names))
    try:
        network.load_state_dict(weights.state)
    except RuntimeError as error:
        raise _misfit(path, error) from None
    return network.eval(), weights.names


def coco_one_to_one(network: DetectionModel, pictures: Tensor) -> Raw:
    """What a plain YOLO26n sees: its one-to-one head."""
    head = network.model[-1]
    feats = _feats(network.model[:-1], frozenset(network.save), head.f, pictures)
    return head.forward_head(feats, **head.one2one)


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


def start(weights: Weights) -> StreetNet:
    """A street network from COCO's YOLO26n, or as a training left it.

    The hazard head starts with the layers of COCO's head, which know things from ground, and
    silent rows. Raises DataError for weights of another network.
    """
    network = StreetNet()
    try:
        if weights.names == NAMES:
            network.load_state_dict(weights.state)
        else:
            network.load_state_dict(_from_coco(network, weights))
    except (KeyError, RuntimeError) as error:
        raise _misfit(weights.path, error) from None
    return network


def average(one: dict[str, Tensor], other: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """``share`` of the first and the rest of the second."""
    return {
        name: torch.lerp(other[name], value, share) if value.is_floating_point() else value
        for name, value in one.items()
    }


def decoded(raw: Raw) -> Tensor:
    """(B, A, 4) boxes xyxy in pixels."""
    centres, strides = make_anchors(raw["feats"], torch.tensor(STRIDES), 0.5)
    edges = raw["boxes"].float().permute(0, 2, 1)
    return dist2bbox(edges, centres.to(edges), xywh=False) * strides.to(edges)


def _best(raw: Raw, most: int, first_class: int) -> Tensor:
    scores = raw["scores"].float().sigmoid().permute(0, 2, 1)
    score, place = scores.flatten(1).topk(min(most, scores[0].numel()))
    anchor, number = place // scores.shape[2], place % scores.shape[2] + first_class
    boxes = decoded(raw).gather(1, anchor[..., None].expand(-1, -1, 4))
    return torch.cat([boxes, score[..., None], number[..., None]], 2)


def _feats(
    body: Sequence[nn.Module], kept: frozenset[int], read: Sequence[int], pictures: Tensor
) -> list[Tensor]:
    outputs: list[Any] = []
    x: Any = pictures
    for layer in body:
        if isinstance(layer.f, list):
            x = [x if source == -1 else outputs[source] for source in layer.f]
        elif layer.f != -1:
            x = outputs[layer.f]
        x = layer(x)
        outputs.append(x if layer.i in kept else None)
    return [outputs[source] for source in read]


def _give_rows(head: Detect, classes: int) -> None:
    for branch in (*(head.cv3 or ()), *head.one2one_cv3):
        branch[-1] = nn.Conv2d(branch[-1].in_channels, classes, 1)
    head.nc, head.no = classes, classes + 4 * head.reg_max


def _from_coco(network: StreetNet, weights: Weights) -> dict[str, Tensor]:
    own = network.state_dict()
    traffic, hazards = f"model.{len(network.model) - 2}.", f"model.{len(network.model) - 1}."
    labels = [weights.names.index(name) for name in COCO_IDS if name in weights.names]
    if len(labels) < len(COCO_IDS):
        raise DataError(
            "don't know everyday classes",
            file=weights.path,
            found=", ".join(weights.names[:9]),
            allowed=f"weights that know {', '.join(COCO_IDS)}, or of a street training",
        )
    state = {}
    for name, mine in own.items():
        theirs = weights.state[name.replace(hazards, traffic)]
        if not _is_class_row(name):
            state[name] = theirs
        elif name.startswith(traffic):
            state[name] = theirs[labels]
        else:
            state[name] = torch.full_like(mine, SILENT if name.endswith("bias") else 0.0)
    return state


def _is_class_row(name: str) -> bool:
    return "cv3." in name and name.split(".")[-2] == "2" and name.count(".") == 5


def _misfit(path: object, found: object) -> DataError:
    return DataError(
        "doesn't hold the weights of a street network or a YOLO26n",
        file=path,
        found=str(found).splitlines()[0][:200],
        allowed="a checkpoint of ultralytics or of scripts.train",
    )
