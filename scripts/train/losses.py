"""What the network is taught by: labels, and what its teacher says where labels are silent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from ultralytics.utils.loss import BboxLoss
from ultralytics.utils.tal import TaskAlignedAssigner, dist2bbox, make_anchors

from .classes import HAZARDS, TRAFFIC
from .network import STRIDES

if TYPE_CHECKING:
    from .network import Raw, StreetNet
    from .teacher import Taught

# As ultralytics weighs boxes, classes and edge distances.
GAINS = (7.5, 0.5, 1.5)
# The one-to-one layers are those that run; the one-to-many layers teach the body more evenly.
MANY, ONE = 0.5, 1.0
# Traffic counts for more, since hazards pull the body away from it.
TRAFFIC_SHARE = 1.5
# How strongly the features are held to the teacher's.
FEATURES = 2.0
# A place where the teacher sees anything with this score is taught its box, too.
BOX_FROM = 0.1
# Classes are weighed by how much there is to find, but no batch counts as having less than this.
LEAST_TOTAL = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Padded to the longest list M: ``classes`` float (B, M, 1), ``boxes`` float (B, M, 4) xyxy
    pixels, ``real`` float (B, M, 1), 0 where it is padding.
    """

    classes: Tensor
    boxes: Tensor
    real: Tensor

    def of(self, classes: tuple[int, ...]) -> Labels:
        """Those of consecutive classes, numbered from 0."""
        first = classes[0]
        mine = (self.classes >= first) & (self.classes <= classes[-1])
        return Labels((self.classes - first) * mine, self.boxes, self.real * mine)

    @classmethod
    def pad(cls, index: Tensor, boxes: Tensor, classes: Tensor, batch: int) -> Labels:
        """From boxes (N, 4) and classes (N,) with the picture each belongs to (N,)."""
        counts = torch.bincount(index, minlength=batch)
        index, order = index.sort(stable=True)
        starts = counts.cumsum(0) - counts
        column = torch.arange(len(index), device=index.device) - starts[index]
        longest = int(counts.max()) if len(index) else 0
        padded = boxes.new_zeros(batch, longest, 6)
        filled = torch.cat([classes[order, None], boxes[order], torch.ones_like(boxes[:, :1])], 1)
        padded[index, column] = filled.float()
        return cls(padded[..., :1], padded[..., 1:5], padded[..., 5:])


class StreetLoss:
    """Of both heads and the features; float32 whatever the network computes in.

    Hazards are taught by labels. Traffic is taught by what the teacher answers, so that nothing is
    forgotten, and by the labels of what the teacher missed.
    """

    def __init__(self, device: torch.device) -> None:
        self._many = HeadLoss(device, HAZARDS, topk=10)
        self._one = HeadLoss(device, HAZARDS, topk=7, topk2=1)
        self._traffic = HeadLoss(device, TRAFFIC, topk=7, topk2=1)

    def __call__(
        self, network: StreetNet, pictures: Tensor, labels: Labels, taught: Taught
    ) -> dict[str, Tensor]:
        """Parts of the loss by name; train on their sum. ``pictures`` (B, 3, H, W) in 0..1."""
        feats = network.feats(pictures)
        traffic, hazards = network.see_traffic(feats), network.see_hazards(feats)
        many = network.hazards_to_many(feats)
        sums = {
            "many": (MANY, self._many(many, labels)),
            "one": (ONE, self._one(hazards, labels)),
            "traffic": (TRAFFIC_SHARE, self._traffic(traffic, taught.missed, taught)),
        }
        parts = {
            f"{name}_{what}": share * part
            for name, (share, found) in sums.items()
            for what, part in zip(("box", "class", "edge"), found, strict=True)
        }
        parts["features"] = FEATURES * _apart(feats, taught.feats)
        return parts


class HeadLoss:
    """Of one head: every box is assigned to the anchors that see it best, as ultralytics does."""

    def __init__(
        self, device: torch.device, classes: tuple[int, ...], topk: int, topk2: int | None = None
    ) -> None:
        self._classes = classes
        self._strides = torch.tensor(STRIDES, device=device)
        self._bce = nn.BCEWithLogitsLoss(reduction="none")
        self._boxes = BboxLoss(reg_max=1)
        self._assign = TaskAlignedAssigner(
            topk=topk, topk2=topk2, num_classes=len(classes), alpha=0.5, beta=6.0, stride=STRIDES
        )

    def __call__(self, raw: Raw, labels: Labels, taught: Taught | None = None) -> list[Tensor]:
        """Box, class and edge part. Where no label is, ``taught`` says what to see."""
        labels = labels.of(self._classes)
        edges = raw["boxes"].float().permute(0, 2, 1)
        logits = raw["scores"].float().permute(0, 2, 1)
        centres, strides = make_anchors(raw["feats"], self._strides, 0.5)
        centres, strides = centres.float(), strides.float()
        boxes = dist2bbox(edges, centres, xywh=False)
        _, aims, wanted, assigned, _ = self._assign(
            logits.detach().sigmoid(),
            boxes.detach() * strides,
            centres * strides,
            labels.classes,
            labels.boxes,
            labels.real,
        )
        if taught is not None:
            aims = torch.where(assigned[..., None], aims, taught.boxes)
            wanted = torch.where(assigned[..., None], wanted, taught.scores)
            assigned = assigned | (taught.scores.amax(-1) >= BOX_FROM)
        total = wanted.sum().clamp(min=LEAST_TOTAL)
        classes = self._bce(logits, wanted).sum() / total
        height, width = (side * STRIDES[0] for side in raw["feats"][0].shape[2:])
        size = torch.tensor([height, width], device=logits.device, dtype=torch.float32)
        overlap, distance = self._boxes(
            edges, boxes, centres, aims / strides, wanted, total, assigned, size, strides
        )
        return [gain * part for gain, part in zip(GAINS, (overlap, classes, distance), strict=True)]


def _apart(feats: list[Tensor], others: list[Tensor]) -> Tensor:
    """Mean over the levels of the squared difference, as a part of the others' variance."""
    apart = [
        (mine.float() - other.float()).square().mean() / other.float().var()
        for mine, other in zip(feats, others, strict=True)
    ]
    return torch.stack(apart).mean()
