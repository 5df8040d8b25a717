"""Rendered things with transparency (see scripts/scenes/sprites.py), to be laid on real roads.

FOLDER/index.jsonl has a line for each FOLDER/NAME.png: class, box of the thing and its parts in
pixels, pixels per metre, how steeply it was looked at, and the brightness of the road around it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from pipeline.errors import DataError

from .classes import IDS
from .cutouts import Box, Cutout
from .layers import Layer

if TYPE_CHECKING:
    from pathlib import Path

# The class of what looks like a hazard and is none.
DECOY = "none"
FLAT = ("cavity", DECOY)


@dataclass(slots=True, eq=False)
class Sprites:
    """Rendered hazards by class, and rendered decoys."""

    hazards: dict[str, list[Cutout]] = field(default_factory=dict)
    decoys: list[Cutout] = field(default_factory=list)


def read_sprites(folder: Path) -> Sprites:
    """All sprites of a folder; one that is still being added to is read as far as it goes.

    Raises DataError for an index or picture that can't be used.
    """
    index = folder / "index.jsonl"
    try:
        text = index.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("can't be read", file=index, found=error) from None
    sprites = Sprites()
    # What follows the last line break is a line being written.
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            card = json.loads(line)
            cutout = _cutout(folder, card)
            name = card["class"]
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                "is not a line about a sprite",
                file=index,
                where=f"line {number}",
                found=repr(error),
                allowed="name, class, box, parts, px_per_m, pitch_deg, road_bgr",
            ) from None
        if name == DECOY:
            sprites.decoys.append(cutout)
        else:
            sprites.hazards.setdefault(name, []).append(cutout)
    return sprites


def _cutout(folder: Path, card: dict[str, Any]) -> Cutout:
    path = folder / f"{card['name']}.png"
    bgra = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if bgra is None or bgra.ndim != 3 or bgra.shape[2] != 4:
        raise DataError("is not a picture with transparency", file=path)
    rows, columns = bgra.shape[:2]
    road = np.maximum(np.array(card["road_bgr"], np.float32), 8.0)
    layer = Layer(bgra[..., :3] / road, bgra[..., 3].astype(np.float32) / 255)

    def part(box: list[float]) -> Box:
        x0, y0, x1, y1 = np.clip(np.array(box) / [columns, rows, columns, rows], 0, 1).tolist()
        return x0, y0, x1, y1

    named = [] if card["class"] == DECOY else [card, *card["parts"]]
    parts = tuple((part(one["box"]), IDS[one["class"]]) for one in named if one["class"] != DECOY)
    flatness = float(np.sin(np.radians(card["pitch_deg"])))
    width_m = columns / float(card["px_per_m"])
    return Cutout(layer, width_m, flatness, parts, lies=card["class"] in FLAT)
