"""The network that knows everyday people and vehicles, so that a training does not forget them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from ultralytics.utils.metrics import box_iou

from pipeline.errors import DataError

from . import network
from .classes import NAMES, TRAFFIC
from .losses import Labels
from .pictures import place, read_picture

if TYPE_CHECKING:
    from pathlib import Path

    from .folders import Picture

# A labelled thing that the teacher sees with this score is taught by its answer.
KNOWN = 0.25
# Where nobody labelled traffic, the teacher looks closer and is believed from this score on.
PSEUDO_SURE = 0.35
# A box that overlaps a label by this much is the labelled thing.
SAME = 0.5
# Boxes of the teacher for one thing under two classes.
TWICE = 0.7
# Scores below this are left out of the search for the labelled things.
FAINT = 0.05
PSEUDO_SIZE = (1280, 736)


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """What to make of traffic in pictures.

    ``missed``: labels of traffic that the teacher doesn't see. Elsewhere its answer stands:
    ``scores`` float (B, A, C) of the everyday classes, ``boxes`` float (B, A, 4) xyxy pixels;
    ``feats`` are its features.
    """

    missed: Labels
    scores: Tensor
    boxes: Tensor
    feats: list[Tensor]


class Teacher:
    """Weights trained on everyday pictures, asked about each sample as the student sees it."""

    def __init__(self, path: Path, device: torch.device) -> None:
        coco, names = network.load_coco(path)
        self.device = device
        self._network = coco.to(device, memory_format=torch.channels_last)
        traffic = [NAMES[number] for number in TRAFFIC]
        if missing := [name for name in traffic if name not in names]:
            raise DataError("the teacher doesn't know everyday classes", file=path, found=missing)
        self._rows = torch.tensor([names.index(name) for name in traffic], device=device)

    @torch.no_grad()
    def teach(self, pictures: Tensor, labels: Labels) -> Taught:
        """What to make of traffic in pictures (B, 3, H, W) 0..1 with these labels."""
        scores, boxes, feats = self.see(pictures)
        traffic = labels.of(TRAFFIC)
        same = _overlap(traffic.boxes, boxes, scores.amax(-1) > FAINT) >= SAME
        number = traffic.classes.long().expand(-1, -1, scores.shape[1])
        said = scores.permute(0, 2, 1).gather(1, number)  # (B, M, A) of the label's own class
        known = (same * said).amax(2, keepdim=True) >= KNOWN
        missed = traffic.real * ~known
        # What it takes a missed thing for is no answer.
        wrong = (same & (missed > 0)).any(1)
        scores = scores * ~wrong[..., None]
        return Taught(Labels(traffic.classes, traffic.boxes, missed), scores, boxes, feats)

    @torch.no_grad()
    def see(self, pictures: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Scores (B, A, C) of the everyday classes, boxes (B, A, 4) xyxy pixels, features."""
        one = network.coco_one_to_one(self._network, pictures)
        scores = one["scores"][:, self._rows].float().sigmoid().permute(0, 2, 1)
        return scores, network.decoded(one), one["feats"]


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
    once = _once(boxes, best)
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


def _overlap(labels: Tensor, boxes: Tensor, where: Tensor) -> Tensor:
    """(B, M, A) IoU of labels (B, M, 4) and boxes (B, A, 4), 0 but ``where`` (B, A)."""
    found = labels.new_zeros(len(labels), labels.shape[1], boxes.shape[1])
    for picture, mine in enumerate(where):
        if labels.shape[1] and mine.any():
            found[picture][:, mine] = box_iou(labels[picture], boxes[picture, mine])
    return found


def _once(boxes: Tensor, scores: Tensor) -> Tensor:
    """(N,) whether no better box has the same place."""
    better = scores[None] > scores[:, None]
    return ~((box_iou(boxes, boxes) > TWICE) & better).any(1)
