"""A validation set of holes pasted into real street pictures, by day and by night.

Roads and holes are all from pictures that no training sees. Half of the pictures hold decoys
only: what a model finds there is a false alarm.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pipeline.errors import DataError

from . import camera_look
from .classes import HAZARDS, NAMES
from .cutouts import Cutouts
from .folders import COLUMNS
from .ground import read_ground
from .paste import Paster
from .patches import MADE, Patches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from .folders import Picture

# How often each light is made of a picture taken by day; what is dark already stays as it is.
LIGHTS = {"day": 0.5, "night": 0.25, "infrared": 0.25}
DARK = 60.0
# Cameras raise their gain at night until the picture is about so bright.
GAINED = 32.0
QUALITY = 88
# A picture whose drawn holes or decoys found no room is drawn again so often.
TRIES = 5


def write_pasted(pictures: Sequence[Picture], out: Path, count: int, seed: int) -> Iterator[str]:
    """Write a data folder of ``count`` val pictures made of ``pictures``; yields each one's name.

    Raises DataError if they hold no street with a road or no hole to paste.
    """
    streets = list(_streets(pictures))
    if not streets:
        raise DataError("no street picture with vehicles on a road to paste holes into")
    try:
        paster = Paster(Patches.cut(pictures, seed), Cutouts.cut(pictures, seed), only_real=True)
    except ValueError as error:
        raise DataError(str(error)) from None
    for part in ("images", "labels"):
        (out / "val" / part).mkdir(parents=True, exist_ok=True)
    (out / "data.yaml").write_text(f"names: [{', '.join(NAMES)}]\n", encoding="utf-8")
    with (out / "index.csv").open("w", encoding="utf-8", newline="") as file:
        index = csv.writer(file, lineterminator="\n")
        index.writerow((*COLUMNS, "light", "hazards"))
        for number in range(count):
            rng = np.random.default_rng((seed, number))
            picture = streets[number % len(streets)]
            name = f"pasted_{number:04d}"
            bgr, boxes, classes, light = _made(picture, paster, rng, holes=number % 2 == 0)
            path = out / "val" / "images" / f"{name}.jpg"
            if not cv2.imwrite(str(path), bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY]):
                raise DataError("can't be written", file=path)
            label = out / "val" / "labels" / f"{name}.txt"
            label.write_text("".join(_lines(boxes, classes)), encoding="utf-8")
            hazards = int(np.isin(classes, HAZARDS).sum())
            index.writerow(("val", name, "pasted", picture.name, light, hazards))
            yield name


def _streets(pictures: Iterable[Picture]) -> Iterator[Picture]:
    for picture in pictures:
        if picture.source.startswith(MADE) or np.isin(picture.classes, HAZARDS).any():
            continue
        bgr = cv2.imread(str(picture.path))
        if bgr is not None and read_ground(bgr, picture.boxes, picture.classes) is not None:
            yield picture


def _made(
    picture: Picture, paster: Paster, rng: np.random.Generator, *, holes: bool
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int16], str]:
    """The street with one or two holes and some decoys or with decoys alone, in some light."""
    street = cv2.imread(str(picture.path))
    for _ in range(TRIES):
        hazards = int(rng.integers(1, 3)) if holes else 0
        bgr, boxes, classes = paster.paste(
            street, picture.boxes, picture.classes, rng, hazards, int(rng.integers(1, 4))
        )
        if np.isin(classes, HAZARDS).any() == holes:
            break
    light = str(rng.choice(list(LIGHTS), p=list(LIGHTS.values())))
    if float(street.mean()) < DARK:
        return bgr, boxes, classes, "night"
    if light == "night":
        bgr = camera_look.night(bgr, rng)
        bgr = np.minimum(bgr * max(1.0, GAINED / float(bgr.mean())), 255).astype(np.uint8)
    elif light == "infrared":
        bgr = camera_look.infrared(bgr, rng)
    return bgr, boxes, classes, light


def _lines(boxes: NDArray[np.float32], classes: NDArray[np.int16]) -> Iterator[str]:
    for (x0, y0, x1, y1), kind in zip(boxes.tolist(), classes.tolist(), strict=True):
        middle = f"{(x0 + x1) / 2:.6f} {(y0 + y1) / 2:.6f}"
        yield f"{kind} {middle} {x1 - x0:.6f} {y1 - y0:.6f}\n"
