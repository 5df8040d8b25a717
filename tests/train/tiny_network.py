"""A street network with random weights that sees something, as a trained one does."""

from __future__ import annotations

import torch

from scripts.train import network
from scripts.train.classes import NAMES
from scripts.train.delivery import drawn_looks
from scripts.train.i420 import to_rgb


def save(path, seed=1):
    """Write a checkpoint as a training leaves it."""
    torch.manual_seed(seed)
    built = network.StreetNet()
    # As in trained networks: what flows is neither nothing nor the same everywhere, boxes have
    # sides, and scores differ.
    pictures = torch.from_numpy(to_rgb(drawn_looks((128, 128))))
    for layer in built.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        for mode in (True, False):
            feats = built.train(mode).feats(pictures)
            found = built.see_traffic(feats), built.see_hazards(feats)
        for head, raw in zip((built.traffic, built.hazards), found, strict=True):
            for branches, values, spread, middle in (
                (head.one2one_cv2, raw["boxes"], 0.05, 2.0),
                (head.one2one_cv3, raw["scores"], 1.0, -2.0),
            ):
                for branch in branches:
                    branch[-1].weight *= spread / values.std()
                    branch[-1].bias.fill_(middle)
    torch.save({"names": NAMES, "ema": built.state_dict()}, path)
