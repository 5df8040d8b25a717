"""What the network is taught by: labels, and what its teacher says where labels are silent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from ultralytics.utils.loss import BboxLoss
from ultralytics.utils.tal import TaskAlignedAssigner, dist2bbox, make_anchors

from .classes import NAMES

if TYPE_CHECKING:
    from .teacher import Taught

STRIDES = (8, 16, 32)
# As ultralytics weighs boxes, classes and edge distances.
GAINS = (7.5, 0.5, 1.5)
# The one-to-one head is the one that runs; the one-to-many head teaches the body more evenly.
MANY, ONE = 0.5, 1.0
# How strongly the features are held to the teacher's.
FEATURES = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Padded to the longest list M: ``classes`` float (B, M, 1), ``boxes`` float (B, M, 4) xyxy
    pixels, ``real`` float (B, M, 1), 0 where it is padding.
    """

    classes: Tensor
    boxes: Tensor
    real: Tensor

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
    """Of both heads and the features; float32 whatever the network computes in."""

    def __init__(self, device: torch.device) -> None:
        self._many = HeadLoss(device, topk=10)
        self._one = HeadLoss(device, topk=7, topk2=1)

    def __call__(
        self, many: dict[str, Any], one: dict[str, Any], labels: Labels, taught: Taught | None
    ) -> dict[str, Tensor]:
        """Parts of the loss by name; train on their sum."""
        parts = {}
        soft = taught.scores if taught else None
        for name, share, loss, raw, hints in (
            ("many", MANY, self._many, many, None),
            ("one", ONE, self._one, one, soft),
        ):
            box, scores, edges = loss(raw, labels, hints)
            parts[f"{name}_box"] = share * box
            parts[f"{name}_class"] = share * scores
            parts[f"{name}_edge"] = share * edges
        if taught:
            parts["features"] = FEATURES * _apart(one["feats"], taught.feats)
        return parts


class HeadLoss:
    """Of one head: every box is assigned to the anchors that see it best, as ultralytics does."""

    def __init__(self, device: torch.device, topk: int, topk2: int | None = None) -> None:
        self._strides = torch.tensor(STRIDES, device=device)
        self._bce = nn.BCEWithLogitsLoss(reduction="none")
        self._boxes = BboxLoss(reg_max=1)
        self._assign = TaskAlignedAssigner(
            topk=topk, topk2=topk2, num_classes=len(NAMES), alpha=0.5, beta=6.0, stride=STRIDES
        )

    def __call__(self, raw: dict[str, Any], labels: Labels, soft: Tensor | None) -> list[Tensor]:
        """Box, class and edge part. ``soft`` (B, A, C): least class targets, from the teacher."""
        edges = raw["boxes"].float().permute(0, 2, 1)
        logits = raw["scores"].float().permute(0, 2, 1)
        centres, strides = make_anchors(raw["feats"], self._strides, 0.5)
        centres, strides = centres.float(), strides.float()
        boxes = dist2bbox(edges, centres, xywh=False)
        _, box_targets, targets, assigned, _ = self._assign(
            logits.detach().sigmoid(),
            boxes.detach() * strides,
            centres * strides,
            labels.classes,
            labels.boxes,
            labels.real,
        )
        total = targets.sum().clamp(min=1)
        wanted = targets if soft is None else torch.maximum(targets, soft)
        classes = self._bce(logits, wanted).sum() / total
        height, width = (side * STRIDES[0] for side in raw["feats"][0].shape[2:])
        size = torch.tensor([height, width], device=logits.device, dtype=torch.float32)
        overlap, distance = self._boxes(
            edges, boxes, centres, box_targets / strides, targets, total, assigned, size, strides
        )
        return [gain * part for gain, part in zip(GAINS, (overlap, classes, distance), strict=True)]


def _apart(feats: list[Tensor], others: list[Tensor]) -> Tensor:
    """Mean over the levels of the squared difference, as a part of the others' variance."""
    apart = [
        (mine.float() - other.float()).square().mean() / other.float().var()
        for mine, other in zip(feats, others, strict=True)
    ]
    return torch.stack(apart).mean()
