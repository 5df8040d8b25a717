"""Which pictures come from the same camera, and which cameras training never sees.

A split by picture flatters a model: frames of one clip lie in both parts. So pictures are
grouped by what does not move in them, and whole cameras are kept for validation: those that
only val has, and a few taken out of train so that crashes, roads and people from fixed cameras
can be scored at all. The choice follows from the names and pictures alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from hashlib import sha256
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pipeline.errors import DataError

from .classes import IDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from .folders import Picture

# Where the pictures of a collection were taken from, by the start of their names.
VIEWS = {
    "det": "fixed",
    "acc": "fixed",
    "shb": "crowd",
    "rdd": "survey",
    "kag": "web",
    "web": "web",
    "coco": "photo",
}
_WEB_SEARCH = re.compile(r"(OIP|OIF|th|download)[\W_]")  # names that picture searches give
_DASH_CAM = re.compile(r"ezgif-")
_FRAME = re.compile(r"(?:train|test|valid)__(.+)")
_NUMBER = re.compile(r"\d+$")
_CELLS, _BINS, _CELL_PX = (12, 20), 8, 16  # rows and columns of the outline of a scene

# Parts of the outline that agree, read off sheets of pairs: under a third for different
# places, above a half for one camera; flat close-ups agree by chance a little longer.
_SAME, _SAME_GROUP, _SAME_WEB = 0.5, 0.35, 0.65

# What is taken out of train: few enough pictures that training does not miss them.
_SHARED_AT_MOST, _SMALL = 20, 16  # pictures of a camera in train
_CRASHES, _ROADS = 40, 30  # pictures
_SURVEY_BLOCK = 60

UNSEEN, TAKEN = "unseen", "taken"
"""Why a picture is held out: its camera is in no training picture at all; or it (or its camera)
was taken out of train, so a model trained before that may have seen it."""


def view_of(picture: Picture) -> str:
    """fixed, dash-cam, web (close-ups), survey, crowd, photo or, for any other source, its name."""
    kind = picture.name.partition("_")[0]
    if kind == "cmp":
        kind = _background(picture).partition("_")[0]
    elif kind == "acc":
        if _WEB_SEARCH.match(_original(picture)):
            return "web"
        if _DASH_CAM.match(_original(picture)):
            return "dash-cam"
    return VIEWS.get(kind, picture.source)


def hold_out(pictures: Sequence[Picture]) -> dict[str, str]:
    """Names of the pictures that training must not see, each with UNSEEN or TAKEN."""
    cameras = cameras_of(pictures)
    by_camera: dict[str, list[Picture]] = defaultdict(list)
    for picture in pictures:
        by_camera[cameras[picture.name]].append(picture)
    taken = _taken_cameras({c: by_camera[c] for c in sorted(by_camera, key=_draw)})
    held = {}
    for camera, members in by_camera.items():
        in_train = [p for p in members if p.split == "train"]
        for picture in members:
            if camera in taken or _taken_alone(picture):
                held[picture.name] = TAKEN if in_train else UNSEEN
            elif not in_train:
                held[picture.name] = UNSEEN
    return held


def cameras_of(pictures: Sequence[Picture]) -> dict[str, str]:
    """Camera of each picture by name; a camera is called after its first picture."""
    groups = _Groups(picture.name for picture in pictures)
    first: dict[str, str] = {}
    alike: dict[tuple[str, bool], list[Picture]] = defaultdict(list)
    for picture in pictures:
        known = _known_series(picture)
        if known is not None:
            groups.join(picture.name, first.setdefault(known, picture.name))
        kind = picture.name.partition("_")[0]
        if kind in ("acc", "det"):
            alike[kind, view_of(picture) == "web"].append(picture)
        elif kind in ("kag", "web"):
            alike["holes", True].append(picture)
    for (_, web), members in alike.items():
        _join_alike(members, _SAME_WEB if web else _SAME, groups)
    names = groups.names()
    backgrounds = {p.name: _background(p) for p in pictures if p.name.startswith("cmp_")}
    return {name: names.get(backgrounds.get(name, name), name) for name in names}


def likeness(outlines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Part of the outline (0..1) that agrees between each two pictures: (N, N).

    ``outlines`` is (N, cells, bins) from outline(). Only cells with edges in both count, so that
    passing vehicles cost a few cells and plain road proves nothing.
    """
    agree = np.zeros((len(outlines),) * 2, np.uint8)
    for cell in outlines.swapaxes(0, 1):
        agree += cell @ cell.T > 0.7
    lit = np.asarray(outlines.any(2), np.float32)
    return np.asarray(agree / np.maximum(np.inner(lit, lit), 60), np.float32)


def outline(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Directions of the edges in each cell of a grid over the picture: (cells, bins), unit rows.

    Cells with weak edges are zero.
    """
    (rows, columns), size = _CELLS, _CELL_PX
    small = cv2.resize(grey, (columns * size, rows * size), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), 1).astype(np.float32)
    dx, dy = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    strength = np.hypot(dx, dy)
    direction = (np.arctan2(dy, dx) % np.pi / np.pi * _BINS).astype(int) % _BINS
    cell = np.arange(rows * columns).reshape(rows, columns).repeat(size, 0).repeat(size, 1)
    number = (cell * _BINS + direction).ravel()
    bins = np.bincount(number, strength.ravel(), minlength=rows * columns * _BINS)
    cells = np.asarray(bins, np.float64).reshape(-1, _BINS)
    power = np.linalg.norm(cells, axis=1)
    cells -= cells.mean(1, keepdims=True)
    cells /= np.linalg.norm(cells, axis=1, keepdims=True) + 1e-6
    cells[power <= np.median(power) / 2] = 0
    return np.asarray(cells, np.float32)


def _join_alike(members: list[Picture], bar: float, groups: _Groups) -> None:
    alike = likeness(np.stack([outline(_grey(picture)) for picture in members]))
    for i, j in np.argwhere(np.triu(alike > min(bar, _SAME_GROUP), 1)):
        one, other = members[i], members[j]
        same_group = one.group != "" and one.group == other.group
        if alike[i, j] >= (_SAME_GROUP if same_group else bar):
            groups.join(one.name, other.name)


def _known_series(picture: Picture) -> str | None:
    """What the name or the group column says about the camera; None leaves it to the picture."""
    kind = picture.name.partition("_")[0]
    if kind == "det":
        return picture.name.rpartition("_")[0]
    if kind == "rdd" and (number := _number(picture)) is not None:
        return f"rdd {number // _SURVEY_BLOCK}"
    if kind == "acc":
        # These groups chain a few cameras together: taken as a hint, except for close-ups.
        return f"acc {picture.group}" if view_of(picture) == "web" else None
    return f"{picture.source} {picture.group}" if picture.group else None


def _taken_cameras(by_camera: dict[str, list[Picture]]) -> set[str]:
    """Fixed cameras to take out of train, in drawn order until there are enough pictures."""
    in_train = {
        camera: [p for p in members if p.split == "train" and not p.name.startswith("cmp_")]
        for camera, members in by_camera.items()
    }
    crashes = {
        camera: sum(IDS["crash"] in p.classes for p in members)
        for camera, members in in_train.items()
        if members and members[0].name.startswith("acc") and view_of(members[0]) == "fixed"
    }
    # A camera that is in val anyway costs least; then small ones, which show the most places.
    shared = [c for c in crashes if any(p.split == "val" for p in by_camera[c])]
    taken = {c for c in shared if len(in_train[c]) <= _SHARED_AT_MOST}
    enough = sum(crashes[c] for c in taken)
    for camera, count in crashes.items():
        if camera not in taken and 0 < len(in_train[camera]) <= _SMALL and enough < _CRASHES:
            taken.add(camera)
            enough += count
    roads = 0
    for camera, members in in_train.items():
        is_road = bool(members) and members[0].name.startswith("det")
        if is_road and len(members) <= _SMALL and roads + len(members) <= _ROADS:
            taken.add(camera)
            roads += len(members)
    return taken


def _taken_alone(picture: Picture) -> bool:
    """Half of the COCO photos, and the crowds that validate the head counter as well."""
    kind, number = picture.name.partition("_")[0], _number(picture)
    if kind == "shb":
        return number is not None and number % 5 == 0
    return kind == "coco" and _draw(picture.name)[0] % 2 == 0


def _number(picture: Picture) -> int | None:
    found = _NUMBER.search(picture.name)
    return int(found[0]) if found else None


def _draw(name: str) -> bytes:
    return sha256(name.encode()).digest()


def _background(picture: Picture) -> str:
    return str(picture.notes.get("source_file_or_background", ""))


def _original(picture: Picture) -> str:
    found = _FRAME.match(_background(picture))
    return found[1] if found else ""


def _grey(picture: Picture) -> NDArray[np.uint8]:
    grey = cv2.imread(str(picture.path), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise DataError("is not a picture that can be read", file=picture.path)
    return np.asarray(grey, np.uint8)


class _Groups:
    """Names that belong together (union-find)."""

    def __init__(self, names: Iterable[str]) -> None:
        self._above = {name: name for name in names}

    def __contains__(self, name: str) -> bool:
        return name in self._above

    def join(self, one: str, other: str) -> None:
        first, second = sorted((self._top(one), self._top(other)))
        self._above[second] = first

    def names(self) -> dict[str, str]:
        return {name: self._top(name) for name in self._above}

    def _top(self, name: str) -> str:
        while (above := self._above[name]) != name:
            self._above[name] = name = self._above[above]
        return name
