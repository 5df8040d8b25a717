"""Pictures with a point on every head.

Two kinds of folder: ROOT/points.json ({file: [[x, y], ...]} in pixels) with ROOT/images, and the
data folders of ``folders.read_folder``. There rendered pictures have heads in their truth; in
others the upper end of each person's box is the head.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pipeline.errors import DataError
from scripts.train.classes import IDS
from scripts.train.folders import read_folder

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from scripts.train.folders import Picture

PARTS = ("train", "choose", "val")
HELD_OUT_EVERY = 5
"""Point pictures whose number is divisible by this are for validation."""
CHOOSE_EVERY = 10
"""One more than a multiple of this: for choosing between networks and rules, not trained on."""
HEAD_SEEN = 0.25
"""From this share of its pixels on a rendered head counts as seen."""
POINTED = "shanghaitech_b"
"""Where pictures with points are from; their boxes are left out of data folders."""
_PERSON = IDS["person"]
_SHAPE = 16 / 9


@dataclass(frozen=True, slots=True, eq=False)
class HeadPicture:
    """``heads`` float32 (N, 3): x, y and width, parts of the picture (0..1); width 0: unknown.

    ``complete``: every head has its point. Boxes leave people out, whole stands of spectators too.
    """

    path: Path
    heads: NDArray[np.float32]
    source: str
    complete: bool

    def load(self) -> NDArray[np.uint8]:
        """uint8 BGR (H, W, 3), not to be written to; DataError if the file is no picture."""
        return _decoded(self.path)


@lru_cache(maxsize=600)  # pictures with points are drawn again and again, and are slow to decode
def _decoded(path: Path) -> NDArray[np.uint8]:
    data = np.fromfile(path, np.uint8) if path.is_file() else np.zeros(0, np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if picture is None:
        raise DataError("is not a picture that can be read", file=path)
    return np.asarray(picture, np.uint8)


def read_points(root: Path) -> dict[str, list[HeadPicture]]:
    """Pictures of a folder with points, by their part, see ``PARTS``. Raises DataError."""
    path = root / "points.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError("can't be read", file=path, found=error, allowed="a JSON object") from None
    if not isinstance(content, dict) or not content:
        raise DataError("names no pictures", file=path, allowed="{file: [[x, y], ...]}")
    parts: dict[str, list[HeadPicture]] = {part: [] for part in PARTS}
    for name, points in content.items():
        heads = _points(points, path, name)
        picture = HeadPicture(root / "images" / name, heads, POINTED, complete=True)
        height, width = picture.load().shape[:2]
        heads[:, :2] /= np.array([width, height], np.float32)
        if ((heads < -0.01) | (heads > 1.01)).any():
            raise DataError("a point lies outside of the picture", file=path, where=name)
        parts[_part(name)].append(picture)
    return parts


def _part(name: str) -> str:
    found = re.search(r"\d+", name)
    number = int(found.group()) if found else -1
    if number > 0 and number % HELD_OUT_EVERY == 0:
        return "val"
    return "choose" if number % CHOOSE_EVERY == 1 else "train"


def _points(points: object, path: Path, name: str) -> NDArray[np.float32]:
    try:
        heads = np.array(points, np.float32).reshape(-1, 2)
    except (TypeError, ValueError):
        heads = np.full((1, 2), np.nan, np.float32)
    if not np.isfinite(heads).all():
        raise DataError("is no list of points", file=path, where=name, allowed="[[x, y], ...]")
    return np.pad(heads, ((0, 0), (0, 1)))


def read_data(root: Path, split: str = "train") -> list[HeadPicture]:
    """The pictures of one split of a data folder with people's heads. Raises DataError."""
    return [
        _with_heads(picture)
        for picture in read_folder(root)
        if picture.split == split
        and picture.source != POINTED
        and _PERSON not in picture.unlabelled
    ]


def _with_heads(picture: Picture) -> HeadPicture:
    people = [
        one for one in picture.notes.get("truth", {}).get("objects", ()) if one["class"] == "person"
    ]
    if "truth" not in picture.notes or any("head_seen" not in one for one in people):
        return HeadPicture(picture.path, _heads(picture), picture.source, complete=False)
    height, width = _decoded(picture.path).shape[:2]
    heads = [
        ((one["head"][0] + 0.5) / width, (one["head"][1] + 0.5) / height, one["head_px"] / width)
        for one in people
        if one["head"] and one["head_seen"] >= HEAD_SEEN
    ]
    points = np.array(heads, np.float32).reshape(-1, 3)
    return HeadPicture(picture.path, points, picture.source, complete=True)


def _heads(picture: Picture) -> NDArray[np.float32]:
    """A head is about a seventh of a body high; in close pictures the box is cut off below and its
    width, about three heads, says more than its height."""
    boxes = picture.boxes[picture.classes == _PERSON]
    height, width = boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0]
    # Boxes are parts of the picture, whose shape is mostly 16:9.
    size = np.minimum(height / 7, width / 3 * _SHAPE)
    return np.stack(
        [(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 1] + size / 2, size / _SHAPE], axis=1
    )
