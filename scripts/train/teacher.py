"""The network that knows everyday people and vehicles, so that a training does not forget them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from ultralytics.utils.metrics import box_iou
from ultralytics.utils.tal import dist2bbox, make_anchors

from pipeline.errors import DataError

from . import network
from .classes import NAMES, TRAFFIC
from .losses import STRIDES, Labels
from .pictures import place, read_picture

if TYPE_CHECKING:
    from pathlib import Path

    from .folders import Picture

# From SURE on, what the teacher sees and no label names becomes a label; down to FAINT it stays a
# hint as strong as its score. Pictures are labelled well: at lower scores it is mostly wrong.
SURE, FAINT = 0.6, 0.05
# Where nobody labelled traffic, the teacher looks closer and is believed sooner.
PSEUDO_SURE = 0.35
# A box that overlaps a label by this much is the labelled thing: the label wins.
SAME = 0.5
# Boxes of the teacher for one thing under two classes.
TWICE = 0.7
PSEUDO_SIZE = (1280, 736)


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """``labels`` with the teacher's sure boxes added; ``scores`` float (B, A, C), its hints where
    there is no label; ``feats`` its features.
    """

    labels: Labels
    scores: Tensor
    feats: list[Tensor]


class Teacher:
    """Weights trained on everyday pictures, asked about each sample as the student sees it."""

    def __init__(self, path: Path, device: torch.device) -> None:
        self.device = device
        self._network = network.load(path).to(device, memory_format=torch.channels_last)
        names = list(self._network.names.values())
        traffic = [NAMES[number] for number in TRAFFIC]
        if missing := [name for name in traffic if name not in names]:
            raise DataError("the teacher doesn't know everyday classes", file=path, found=missing)
        self._rows = torch.tensor([names.index(name) for name in traffic], device=device)

    @torch.no_grad()
    def teach(self, pictures: Tensor, labels: Labels) -> Taught:
        """What it says about pictures (B, 3, H, W) 0..1 beyond their labels."""
        scores, boxes, feats = self.see(pictures)
        best = scores.amax(-1)
        picture, anchor = (best > FAINT).nonzero(as_tuple=True)
        found, seen = boxes[picture, anchor], scores[picture, anchor]
        sure = (seen.amax(-1) >= SURE) & (_overlap(found, labels, picture) < SAME)
        once = sure.nonzero()[:, 0]
        once = once[_once(found[once], seen[once].amax(-1), picture[once])]
        labels = _joined(labels, picture[once], found[once], seen[once].argmax(-1))
        faint = _overlap(found, labels, picture) < SAME
        hints = torch.zeros_like(scores)
        hints[picture[faint], anchor[faint]] = seen[faint]
        return Taught(labels, hints, feats)

    @torch.no_grad()
    def see(self, pictures: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Scores (B, A, C) of the everyday classes, boxes (B, A, 4) xyxy pixels, features."""
        one = network.raw(self._network, pictures)[1]
        centres, strides = make_anchors(one["feats"], torch.tensor(STRIDES), 0.5)
        edges = one["boxes"].float().permute(0, 2, 1)
        boxes = dist2bbox(edges, centres.to(edges), xywh=False) * strides.to(edges)
        given = one["scores"][:, self._rows].float().sigmoid().permute(0, 2, 1)
        scores = given.new_zeros(*given.shape[:2], len(NAMES))
        scores[..., list(TRAFFIC)] = given
        return scores, boxes, one["feats"]


def pseudo_label(picture: Picture, teacher: Teacher) -> Picture:
    """The picture with boxes for those everyday classes that nobody labelled in it.

    The teacher looks at it larger than training does. True boxes win.
    """
    wanted = sorted(picture.unlabelled & set(TRAFFIC))
    if not wanted:
        return picture
    bgr = read_picture(picture.path)
    high, wide = bgr.shape[:2]
    scale = min(PSEUDO_SIZE[0] / wide, PSEUDO_SIZE[1] / high)
    nothing = np.zeros((0, 4), np.float32), np.zeros(0, np.int16)
    fitted = place((bgr, *nothing), scale, (0, 0), PSEUDO_SIZE)[0]
    rgb = torch.from_numpy(fitted[..., ::-1].transpose(2, 0, 1).copy())[None].float() / 255
    scores, boxes = (x[0].cpu() for x in teacher.see(rgb.to(teacher.device))[:2])
    best, number = scores[:, wanted].max(-1)
    keep = best >= PSEUDO_SURE
    boxes, best = boxes[keep] / scale / torch.tensor([wide, high, wide, high]), best[keep]
    classes = torch.tensor(wanted, dtype=torch.int16)[number[keep]]
    once = _once(boxes, best, torch.zeros(len(best)))
    boxes, classes = boxes[once].clamp(0, 1), classes[once]
    if len(picture.boxes):
        new = box_iou(boxes, torch.from_numpy(picture.boxes)).amax(1) < SAME
        boxes, classes = boxes[new], classes[new]
    return replace(
        picture,
        boxes=np.concatenate([picture.boxes, boxes.numpy()]),
        classes=np.concatenate([picture.classes, classes.numpy()]),
        unlabelled=picture.unlabelled - set(wanted),
    )


def _overlap(boxes: Tensor, labels: Labels, picture: Tensor) -> Tensor:
    """(N,) largest IoU of each box with the everyday labels of its picture."""
    if not labels.boxes.shape[1]:
        return boxes.new_zeros(len(boxes))
    theirs = labels.boxes[picture]
    least = torch.maximum(boxes[:, None, :2], theirs[..., :2])
    most = torch.minimum(boxes[:, None, 2:], theirs[..., 2:])
    common = (most - least).clamp(min=0).prod(-1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(-1)[:, None]
    iou = common / (areas + (theirs[..., 2:] - theirs[..., :2]).prod(-1) - common).clamp(min=1e-6)
    counts = (labels.classes[picture, :, 0] <= max(TRAFFIC)) & (labels.real[picture, :, 0] > 0)
    return (iou * counts).amax(1)


def _once(boxes: Tensor, scores: Tensor, picture: Tensor) -> Tensor:
    """(N,) whether no better box of the same picture has the same place."""
    better = (scores[None] > scores[:, None]) & (picture[None] == picture[:, None])
    return ~((box_iou(boxes, boxes) > TWICE) & better).any(1)


def _joined(labels: Labels, picture: Tensor, boxes: Tensor, classes: Tensor) -> Labels:
    at, column = (labels.real[..., 0] > 0).nonzero(as_tuple=True)
    return Labels.pad(
        torch.cat([at, picture]),
        torch.cat([labels.boxes[at, column], boxes]),
        torch.cat([labels.classes[at, column, 0], classes.float()]),
        len(labels.boxes),
    )
